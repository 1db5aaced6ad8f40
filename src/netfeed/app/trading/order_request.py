"""An order out of the words of a shell: decimals to integers of the contract, exactly; what does not fit is refused."""

from collections.abc import Mapping
from typing import Any, Final

from netfeed.book.execution import NONE, Flag, New, TimeInForce
from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.errors import ConfigurationError
from netfeed.units import parse_decimal

SIDES: Final[Mapping[str, Side]] = {"buy": Side.BID, "sell": Side.ASK}
FORCES: Final[Mapping[str, TimeInForce]] = {
    "gtc": TimeInForce.GTC, "day": TimeInForce.DAY, "ioc": TimeInForce.IOC, "fok": TimeInForce.FOK,
}  # fmt: skip
_DEFAULTS: Final[Mapping[str, str]] = {"ouch": "day"}
_KEEPS: Final = frozenset({"starbase", "ouch"})


def new_order(
    contract: Contract, protocol: str, client_id: int, *, side: str, price: str, quantity: str,
    force: str | None = None, post_only: bool = False, reduce_only: bool = False,
) -> New:  # fmt: skip
    """Give the order: one that stays when the connection ends, where that is the order's to say.

    Raises: ConfigurationError for a price or a quantity that is none.
    """
    flags = Flag.KEEP if protocol in _KEEPS else NONE
    if post_only:
        flags |= Flag.POST_ONLY if protocol == "ouch" else Flag.POST_ONLY_REJECT
    if reduce_only:
        flags |= Flag.REDUCE_ONLY
    lots = integer(quantity, contract.quantity_exponent, "quantity")
    if lots <= 0:
        raise ConfigurationError(f"--quantity {quantity}: more than nothing is wanted")
    terms: Any = FORCES[force or _DEFAULTS.get(protocol, "gtc")]
    return New(client_id, contract.index, SIDES[side], price_of(contract, price), lots, terms, flags)


def price_of(contract: Contract, text: str) -> int:
    """Read a price of a contract. Raises: ConfigurationError."""
    return integer(text, contract.price_exponent, "price")


def integer(text: str, exponent: int, what: str) -> int:
    """Read a decimal as an integer of 10**`exponent`. Raises: ConfigurationError."""
    try:
        value: int = parse_decimal(text, exponent)
    except ValueError as error:
        raise ConfigurationError(f"--{what} {text}: {error}") from None
    if not -(2**63) <= value < 2**63:
        raise ConfigurationError(f"--{what} {text}: beyond 64 bits")
    return value
