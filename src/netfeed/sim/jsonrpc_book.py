"""A book as a simulated Deribit venue tells it on one channel: a snapshot, then changes that hang on each other.

    channel = BookChannel(book, change_id, ts_event_ns)
    channel.snapshot()                  {"type": "snapshot", "change_id": 7, "bids": [["new", price, amount], ...]}
    channel.move(book, 12, ts)          {"type": "change", "change_id": 12, "prev_change_id": 7, ...}; None: no change

Source: docs.deribit.com, book.{instrument_name}.{interval}. A level is new, changed or deleted (amount 0); the change
id of one message is the previous one of the next. What a channel has told is what a snapshot of it holds, so a client
that joins between two aggregated changes hangs on the same chain as everyone else.

Invariant: the snapshot and all later changes, applied, are the book that was given last.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from netfeed.book.digest import Row
from netfeed.sim.floor import BookFacts
from netfeed.sim.jsonrpc_text import number

NEW, CHANGE, DELETE = "new", "change", "delete"
SIDES: Final = ("bids", "asks")
Levels = dict[int, int]
"""Quantities by price."""


class BookChannel:
    """What one channel has told of a book. Units: `ts_event_ns` since 1970."""

    __slots__ = ("change_id", "exponents", "levels", "name", "ts_event_ns")

    def __init__(self, book: BookFacts, change_id: int, ts_event_ns: int) -> None:
        self.name, self.exponents = book.name, book.exponents
        self.change_id, self.ts_event_ns = change_id, ts_event_ns
        self.levels: tuple[Levels, Levels] = (levels(book.bids), levels(book.asks))

    def snapshot(self) -> dict[str, Any]:
        """Tell all that was told before."""
        told = [[self._level(NEW, *level) for level in side.items()] for side in self.levels]
        return self._message("snapshot", {}, told)

    def move(self, book: BookFacts, change_id: int, ts_event_ns: int) -> dict[str, Any] | None:
        """Tell what is different now; None when no level is."""
        sides = levels(book.bids), levels(book.asks)
        if sides == self.levels:
            return None
        told = [
            [self._level(*one) for one in changes(before, after, descending=place == 0)]
            for place, (before, after) in enumerate(zip(self.levels, sides, strict=True))
        ]
        previous, self.change_id, self.ts_event_ns = self.change_id, change_id, ts_event_ns
        self.levels = sides
        return self._message("change", {"prev_change_id": previous}, told)

    def _message(self, kind: str, more: Mapping[str, Any], told: list[list[Any]]) -> dict[str, Any]:
        return {
            "type": kind, "timestamp": self.ts_event_ns // 1_000_000, **more, "instrument_name": self.name,
            "change_id": self.change_id, **dict(zip(SIDES, told, strict=True)),
        }  # fmt: skip

    def _level(self, action: str, price: int, quantity: int) -> list[Any]:
        return [action, number(price, self.exponents[0]), number(quantity, self.exponents[1])]


def levels(rows: Iterable[Row]) -> Levels:
    """Keep of levels what a stream tells: no orders. The best comes first."""
    return {price: quantity for price, quantity, _ in rows}


def changes(before: Levels, after: Levels, *, descending: bool) -> list[tuple[str, int, int]]:
    """List what leads from one side to another, the best price first.

    >>> changes({10: 5, 9: 1}, {11: 2, 10: 4}, descending=True)
    [('new', 11, 2), ('change', 10, 4), ('delete', 9, 0)]
    """
    told = []
    for price in sorted(before.keys() | after.keys(), reverse=descending):
        was, now = before.get(price), after.get(price)
        if now is None:
            told.append((DELETE, price, 0))
        elif was != now:
            told.append((NEW if was is None else CHANGE, price, now))
    return told
