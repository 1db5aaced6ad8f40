"""The words of an OUCH session: instruments, reasons, and what is told beside requests and reports.

Source: Nasdaq OUCH 5.0 (updated April 2023); the meanings of reject and cancel reasons from two independent readers of
its appendices. A reason that is not known is OTHER, and its code stands in `venue_reason`.

A client id is written into ClOrdID in base 36: 13 of its 14 characters hold any, so that whoever reads the day again
knows which order was whose.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from netfeed.book.execution import MAX_CLIENT_ID, Cause
from netfeed.book.level import Side
from netfeed.errors import MisuseError, WireError
from netfeed.wire.ouch import MAX_PRICE, PRICE_EXPONENT

MAX_SHARES: Final = 999_999
"""OUCH takes less than a million shares an order."""
MAX_PRECISION: Final = 18

CANCELED: Final[Mapping[str, Cause]] = {
    "D": Cause.VENUE, "E": Cause.VENUE, "F": Cause.POST_ONLY, "G": Cause.POST_ONLY, "H": Cause.VENUE,
    "I": Cause.TIME_IN_FORCE, "K": Cause.PRICE, "Q": Cause.SELF_MATCH, "S": Cause.VENUE, "T": Cause.TIME_IN_FORCE,
    "U": Cause.REQUESTED, "X": Cause.VENUE, "Z": Cause.VENUE, "e": Cause.QUANTITY,
}  # fmt: skip
CANCELED_BACK: Final[Mapping[Cause, str]] = {
    Cause.REQUESTED: "U", Cause.TIME_IN_FORCE: "I", Cause.SELF_MATCH: "Q", Cause.POST_ONLY: "G", Cause.PRICE: "K",
    Cause.QUANTITY: "e",
}  # fmt: skip
SYSTEM_CANCEL: Final = "Z"

_HALTED, _SIDE, _QUANTITY, _REPLACE, _SYMBOL, _PRICE, _RATE, _OTHER = 0x07, 0x09, 0x13, 0x15, 0x17, 0x1D, 0x29, 0x0F
REJECTED: Final[Mapping[int, Cause]] = {
    0x02: Cause.STATE, 0x06: Cause.PRICE, _HALTED: Cause.STATE, 0x0B: Cause.STATE, 0x0D: Cause.QUANTITY,
    0x12: Cause.PRICE, _QUANTITY: Cause.QUANTITY, _REPLACE: Cause.NOT_FOUND, _SYMBOL: Cause.INSTRUMENT,
    0x1B: Cause.PRICE, _PRICE: Cause.PRICE, 0x1E: Cause.QUANTITY, 0x1F: Cause.LIMIT, 0x20: Cause.LIMIT,
    0x21: Cause.LIMIT, 0x22: Cause.INSTRUMENT, 0x25: Cause.LIMIT, 0x26: Cause.PRICE, 0x28: Cause.RATE,
    _RATE: Cause.RATE, 0x2A: Cause.RATE, 0x30: Cause.LIMIT, 0x31: Cause.QUANTITY,
}  # fmt: skip
REJECTED_BACK: Final[Mapping[Cause, int]] = {
    Cause.STATE: _HALTED, Cause.PRICE: _PRICE, Cause.QUANTITY: _QUANTITY, Cause.NOT_FOUND: _REPLACE,
    Cause.INSTRUMENT: _SYMBOL, Cause.LIMIT: 0x1F, Cause.RATE: _RATE,
}  # fmt: skip
OTHER_REASON: Final = _OTHER

SIDES: Final[Mapping[Side, str]] = {Side.BID: "B", Side.ASK: "S"}
SIDES_BACK: Final = {"B": Side.BID, "S": Side.ASK, "T": Side.ASK, "E": Side.ASK}
"""A short sale, exempt or not, is an ask."""
ADDED: Final = "A"
MAKERS: Final[Mapping[str, bool]] = {ADDED: True, "R": False}
"""Liquidity flags that say who rested; there are many others, of which nobody says it."""

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Noted:
    """A message that no report can say: `what` it was. It was counted."""

    what: str


@dataclass(frozen=True, slots=True)
class Puzzling:
    """A message that does not fit what is known; it was counted and dropped."""

    what: str


@dataclass(frozen=True, slots=True)
class Terms:
    """One stock as a session needs it. Units: prices in 10**`price_exponent`, quantities in shares."""

    instrument: int
    symbol: str
    price_exponent: int = PRICE_EXPONENT

    def price_out(self, price: int) -> int:
        """Write a price. Units: from the instrument's to 1e-4. Raises: MisuseError when it does not fit."""
        shift = self.price_exponent - PRICE_EXPONENT
        value, rest = (price * 10**shift, 0) if shift >= 0 else divmod(price, 10**-shift)
        if rest or not 0 < value <= MAX_PRICE:
            raise MisuseError(f"a price of {price}e{self.price_exponent} is none of OUCH's: up to 199,999.99, of 1e-4")
        return int(value)

    def price_in(self, price: int) -> int:
        """Read a price. Units: from 1e-4 to the instrument's. Raises: WireError when it is finer than those."""
        shift = PRICE_EXPONENT - self.price_exponent
        value, rest = (price * 10**shift, 0) if shift >= 0 else divmod(price, 10**-shift)
        if rest:
            raise WireError("OUCH price", offset=0, found=price, wanted=f"steps of 1e{self.price_exponent}")
        return int(value)


class Stocks:
    """The instruments of a session, by our number and by the venue's symbol."""

    def __init__(self, terms: Iterable[Terms]) -> None:
        listed = list(terms)
        self._ours = {one.instrument: one for one in listed}
        self._symbols = {one.symbol: one for one in listed}
        if len(self._ours) != len(listed) or len(self._symbols) != len(listed):
            raise MisuseError("an instrument is listed twice")
        if any(not -MAX_PRECISION <= one.price_exponent <= 0 for one in listed):
            raise MisuseError(f"prices have 0 to {MAX_PRECISION} decimals")

    def ours(self, instrument: int) -> Terms:
        """Find by our number. Raises: MisuseError when it is not listed."""
        if instrument not in self._ours:
            raise MisuseError(f"instrument {instrument} is not one of this session's {len(self._ours)}")
        return self._ours[instrument]

    def theirs(self, symbol: str) -> Terms:
        """Find by symbol. Raises: WireError when it is not listed."""
        if symbol not in self._symbols:
            raise WireError("OUCH symbol is not listed here", offset=0, found=symbol, wanted="a listed one")
        return self._symbols[symbol]


def clordid(client_id: int) -> str:
    """Write a client id for ClOrdID. Raises: MisuseError beyond MAX_CLIENT_ID."""
    if not 0 <= client_id <= MAX_CLIENT_ID:
        raise MisuseError(f"{client_id} is no client id: 0 to 2**63 - 1")
    text = _DIGITS[client_id % 36]
    while client_id := client_id // 36:
        text = _DIGITS[client_id % 36] + text
    return text


def client_id_of(text: str) -> int | None:
    """Read a client id, None where it is none of ours."""
    if not text or any(sign not in _DIGITS for sign in text):
        return None
    number = int(text, 36)
    return number if number <= MAX_CLIENT_ID else None
