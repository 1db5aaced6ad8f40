"""Deribit's words of orders: the codes of refusals, why an order was cancelled, how long it may rest, and amounts.

Source: docs.deribit.com (API 2.1.1: error codes, private/buy, user.changes). A refusal says in `data.reason` what word
this venue has for it; where Deribit has no code of its own for it (protection, what only reduces) it is 11030.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from netfeed.book.execution import MAX_CLIENT_ID, Cause, Rejected, TimeInForce
from netfeed.sim.jsonrpc_text import RefusedError

DIRECTIONS: Final = ("buy", "sell")
MAX_LABEL: Final = 64
INVALID: Final = -32602
OTHER_REJECT: Final = 11030
TIMES: Final = {
    TimeInForce.GTC: "good_til_cancelled", TimeInForce.DAY: "good_til_day", TimeInForce.IOC: "immediate_or_cancel",
    TimeInForce.FOK: "fill_or_kill",
}  # fmt: skip
TIMES_BACK: Final = {word: time for time, word in TIMES.items()}
CANCEL_REASONS: Final[Mapping[Cause, str]] = {
    Cause.REQUESTED: "user_request", Cause.SELF_MATCH: "self_trading", Cause.PROTECTION: "mmp_trigger",
    Cause.DISCONNECTED: "cancel_on_disconnect", Cause.LIQUIDATION: "autoliquidation", Cause.VENUE: "settlement",
    Cause.TIME_IN_FORCE: "", Cause.POST_ONLY: "edit_post_only_reject", Cause.QUANTITY: "risk_mitigation",
}  # fmt: skip
"""One that ended by its time in force says nothing of it."""
_CODES: Final[Mapping[str, int]] = {
    "price_too_high": 10007, "price_too_low": 10005, "invalid_price": 10043, "quantity_too_large": 10022,
    "already_filled": 11008, "position_limit": 10018, "max_open_orders": 10013, "too_many_quotes": -32602,
}  # fmt: skip
_CODES_OF: Final[Mapping[Cause, int]] = {
    Cause.INSTRUMENT: 10020, Cause.STATE: 10012, Cause.QUANTITY: 10021, Cause.PRICE: 10011, Cause.MARGIN: 10009,
    Cause.RATE: 10028, Cause.NOT_FOUND: 10004, Cause.POST_ONLY: 11054, Cause.SELF_MATCH: 10003,
}  # fmt: skip


def code(cause: Cause, reason: str) -> int:
    """Give the code of a refusal."""
    return _CODES.get(reason, _CODES_OF.get(cause, OTHER_REJECT))


def refused(report: Rejected) -> RefusedError:
    """Say a refusal of the exchange."""
    return RefusedError(code(report.cause, report.venue_reason), reason=report.venue_reason)


def client_id_of(label: str) -> int | None:
    """Read the client id that a label is, None where it is another text."""
    if not label.isascii() or not label.isdigit() or len(label) > 19 or str(int(label)) != label:
        return None
    return int(label) if 0 < int(label) <= MAX_CLIENT_ID else None


def scaled(params: Mapping[str, Any], name: str, exponent: int, refusal: int) -> int:
    """Read a number as an integer of 10**`exponent`. Raises: RefusedError with `refusal` when it is finer than that."""
    value = params.get(name)
    if value is None:
        raise RefusedError(-32000, name, "is missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedError(INVALID, name, "must be a number")
    exact = Decimal(repr(value))
    if not exact.is_finite() or abs(exact) >= Decimal(2**62).scaleb(exponent):
        raise RefusedError(INVALID, name, "is out of range")
    units = exact.scaleb(-exponent)
    if units != units.to_integral_value():
        raise RefusedError(refusal, name, f"is finer than 1e{exponent}")
    return int(units)


def flag(params: Mapping[str, Any], name: str) -> bool:
    """Read a truth, false where it is not said. Raises: RefusedError."""
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise RefusedError(INVALID, name, "must be true or false")
    return value


def text(params: Mapping[str, Any], name: str, otherwise: str | None = None) -> str:
    """Read a text. Raises: RefusedError."""
    value = params.get(name, otherwise)
    if value is None:
        raise RefusedError(-32000, name, "is missing")
    if not isinstance(value, str):
        raise RefusedError(INVALID, name, "must be a string")
    return value
