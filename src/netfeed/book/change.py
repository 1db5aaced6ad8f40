"""What a book announces: one fixed 64-byte record for each change that a decision could depend on.

A message that only moves the depth of a book is applied and not announced. Batches of changes leave the core and the
twins as numpy arrays of `CHANGE`, without a copy; an array is valid until the next batch is asked for.

    kind      meaning                        what the fields hold
    BBO       a best level is another one    side, price, quantity, orders; NO_PRICE and 0 when the side is empty
    TRADE     an execution                   side of the resting order, price, quantity, reference = match number
    STATE     the book's state moved         state
    GAP       messages were lost             sequence = first, reference = last; book = NO_BOOK: all of the channel
    REFUSED   a message made no sense        reference = order id, flags = a `Refusal`
"""

from enum import IntEnum, IntFlag
from typing import Any, Final

import numpy as np

from netfeed.book.level import Side
from netfeed.book.state import BookState

NO_PRICE: Final = -(2**63)
"""The price of a side that is empty."""
NO_BOOK: Final = 2**32 - 1
"""The book of a change that is the whole channel's."""
NO_SIDE: Final = 255
NO_TIME: Final = -(2**63)
"""A time that the source does not give. Units: ns."""

CHANGE: Final = np.dtype(
    [
        ("sequence", "<u8"),  # of the message that caused it
        ("ts_event_ns", "<i8"),  # the venue's own time of the message
        ("ts_recv_ns", "<i8"),  # the capture's or the kernel's receive time of the packet
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("reference", "<u8"),
        ("book", "<u4"),  # index of the book in its feed
        ("orders", "<u4"),
        ("kind", "u1"),
        ("side", "u1"),
        ("state", "u1"),
        ("flags", "u1"),
        ("channel", "<u2"),
        ("reserved", "<u2"),
    ]
)
assert CHANGE.itemsize == 64


class Kind(IntEnum):
    BBO = 1
    TRADE = 2
    STATE = 3
    GAP = 4
    REFUSED = 5


class Refusal(IntEnum):
    """Why a message was refused. The book that it names becomes SUSPECT."""

    UNKNOWN_ORDER = 1
    DUPLICATE_ORDER = 2
    BAD_QUANTITY = 3  # negative, zero, or more than what is left
    UNKNOWN_BOOK = 4
    BAD_LENGTH = 5  # a known type whose length is not its own
    WRONG_BOOK = 6  # the order rests in another book or on another side
    CROSSED = 7  # bid >= ask at the end of a transaction
    FULL = 8  # a named bound was reached (orders, levels, books)
    BAD_VALUE = 9  # a field holds what its specification does not allow
    CHECKSUM = 10  # the venue's checksum of the book is another


class TradeFlag(IntFlag):
    """What kind of execution a TRADE is; 0 is an ordinary one against a displayed order."""

    UNPRINTED = 1  # not to be counted in volume (it is reported elsewhere)
    CROSS = 2  # an auction
    HIDDEN = 4  # against an order that was never displayed
    BLOCK = 8  # negotiated away from the book
    REPRICED = 16  # at another price than that of its order


class ChangeLog:
    """A bounded array of changes that plain Python appends to (the twins, and the feeds without a compiled core)."""

    def __init__(self, capacity: int = 4096) -> None:
        self._array = np.zeros(capacity, CHANGE)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(
        self, kind: Kind, book: int, *, sequence: int = 0, ts_event_ns: int = NO_TIME, ts_recv_ns: int = NO_TIME,
        price: int = NO_PRICE, quantity: int = 0, reference: int = 0, orders: int = 0, side: Side | int = NO_SIDE,
        state: BookState = BookState.EMPTY, flags: int = 0, channel: int = 0,
    ) -> None:  # fmt: skip
        """Add one change; the array doubles when it is full (the driver takes it once per batch)."""
        if self._count == len(self._array):
            self._array = np.concatenate([self._array, np.zeros(self._count, CHANGE)])
        self._array[self._count] = (
            sequence, ts_event_ns, ts_recv_ns, price, quantity, reference, book, orders, kind, side, state, flags,
            channel, 0,
        )  # fmt: skip
        self._count += 1

    def extend(self, changes: "np.ndarray[Any, Any]") -> None:
        """Add changes that are ready."""
        while self._count + len(changes) > len(self._array):
            self._array = np.concatenate([self._array, np.zeros(len(self._array), CHANGE)])
        self._array[self._count : self._count + len(changes)] = changes
        self._count += len(changes)

    def drop(self, count: int) -> None:
        """Forget the changes beyond the first `count`."""
        self._count = min(self._count, count)

    def take(self) -> "np.ndarray[Any, Any]":
        """Return what was appended since the last call, as a view that is valid until the next `append`."""
        view = self._array[: self._count]
        self._count = 0
        return view
