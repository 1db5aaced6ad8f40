"""The messages of order sessions in a stream of bytes: where one ends, whether it is an order, and what it refers to.

    framing      what stands in front of each message                           orders
    starbase     32 bytes: 0xDB, flags, length, type, ...; padded to 8 bytes    New, Amend, Cancel(ById), MassQuote
    soupbintcp   2 bytes of length, 1 of type                                   in 'U': OUCH 5.0 O, U, X, M

Sources: Deribit, SBE schema 2101 version 16 (order entry; all little-endian); Nasdaq SoupBinTCP 3.00 and OUCH 5.0 (all
big-endian). A `Reference` is where a sender wrote which market data it answered: by convention the sequence of that
message, or its low bits where the field is smaller.

Leaves out: what messages mean; `wire.soupbintcp` and `proto.soupbintcp` hold a session.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from netfeed.machine import Buffer

STARBASE_ID: Final = 0xDB
STARBASE_HEADER: Final = 32
_STARBASE_ORDERS: Final = frozenset({100, 110, 120, 125, 130})
_SOUP_TYPES: Final = frozenset(b"+AJSUHZLRO")
_OUCH_ORDERS: Final = frozenset(b"OUXM")
INCOMPLETE: Final = 0
WRONG: Final = -1


class OrderFraming(NamedTuple):
    """One framing. `measure` gives the length of the message that begins a buffer, INCOMPLETE or WRONG."""

    name: str
    measure: Callable[[Buffer], int]
    is_order: Callable[[Buffer], bool]


class Reference(NamedTuple):
    """Where a message says what it answers. Units: bytes from the message's first one, its framing included."""

    name: str
    offset: int
    length: int
    order: str  # "big" or "little"
    framing: str | None = None

    def read(self, message: Buffer) -> int | None:
        """Read it; None where the message is too short."""
        at = self.offset
        if self.name == "ouch.userRefNum" and len(message) > 3 and message[3] == ord("U"):
            at += 4  # a replacement names the order it replaces first
        field = bytes(message[at : at + self.length])
        return (
            int.from_bytes(field, "little" if self.order == "little" else "big") if len(field) == self.length else None
        )

    @property
    def modulus(self) -> int:
        """Give one more than the greatest number that fits."""
        return 1 << (8 * self.length)


def _starbase(data: Buffer) -> int:
    if len(data) and data[0] != STARBASE_ID:
        return WRONG
    if len(data) < 4:
        return INCOMPLETE
    length = int.from_bytes(data[2:4], "little")
    if length < STARBASE_HEADER:
        return WRONG
    return (length + 7) // 8 * 8


def _starbase_order(message: Buffer) -> bool:
    return int.from_bytes(message[4:6], "little") in _STARBASE_ORDERS


def _soup(data: Buffer) -> int:
    if len(data) < 3:
        return INCOMPLETE
    length = int.from_bytes(data[:2], "big")
    return WRONG if not length or data[2] not in _SOUP_TYPES else 2 + length


def _soup_order(message: Buffer) -> bool:
    return len(message) > 3 and message[2] == ord("U") and message[3] in _OUCH_ORDERS


ORDER_FRAMINGS: Final[dict[str, OrderFraming]] = {row.name: row for row in (
    OrderFraming("starbase", _starbase, _starbase_order),
    OrderFraming("soupbintcp", _soup, _soup_order),
)}  # fmt: skip
"""The framings, the most telling first."""

REFERENCES: Final[dict[str, Reference]] = {row.name: row for row in (
    Reference("starbase.clientOrderId", 32, 8, "little", "starbase"),  # of a MassQuote: its quoteId
    Reference("starbase.correlationId", 40, 8, "little", "starbase"),
    Reference("ouch.userRefNum",        4,  4, "big",    "soupbintcp"),
)}  # fmt: skip
"""The fields of known protocols that can carry a sequence."""


def framing_of(data: Buffer) -> OrderFraming | None:
    """Recognise what a segment speaks: whole messages that add up to its last byte."""
    for framing in ORDER_FRAMINGS.values():
        view, at = memoryview(data), 0
        while at < len(view) and (length := framing.measure(view[at:])) > 0:
            at += length
        if at and at == len(view):
            return framing
    return None
