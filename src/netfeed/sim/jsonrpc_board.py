"""What a simulated Deribit venue tells of its market: tickers, books, trades, and what is new on its channels.

It follows the transactions of a Starbase floor one by one, each with the books as they were right after it, so that
JSON and multicast tell the same. Every book that a transaction touches gets the next change id of the whole venue: the
ids of one instrument rise, and have holes, as those of the venue do.

Invariant: a truth is told of each change id, before any channel carries it.
"""

from collections.abc import Iterable
from typing import Any, Final

from netfeed.book.digest import Row, digest
from netfeed.errors import MisuseError
from netfeed.sim.floor import BookFacts, Watched
from netfeed.sim.jsonrpc_book import BookChannel, levels
from netfeed.sim.jsonrpc_market import Listing
from netfeed.sim.jsonrpc_text import number
from netfeed.sim.jsonrpc_topics import Notice, Topic, Topics
from netfeed.sim.starbase_floor import StarbaseFloor
from netfeed.sim.stream_faults import WallClock
from netfeed.sim.venue_events import StreamTruth

FIRST_CHANGE: Final = 33_195_894_000
"""Where the change ids begin: beyond 32 bits, as the venue's are."""
DIGEST_EXPONENT: Final = -9
"""The digest of a truth takes prices and quantities in this."""


class Board:
    """All instruments of a floor."""

    def __init__(self, floor: StarbaseFloor, wall: WallClock) -> None:
        self.listings: dict[int, Listing] = {}
        for instrument in floor.instruments:
            market = floor.market(instrument)
            if market is None:
                raise MisuseError(f"the floor has no market {instrument}")
            self.listings[instrument] = Listing(market)
        self.ids = {one.name: instrument for instrument, one in self.listings.items()}
        self.topics = Topics(self.listings)
        self.change_id = FIRST_CHANGE
        self._change_ids = dict.fromkeys(self.listings, FIRST_CHANGE)
        self._floor, self._wall = floor, wall

    def follow(self, watched: Iterable[Watched]) -> tuple[list[Notice], list[StreamTruth]]:
        """Take transactions; give what raw channels tell of them, and what is true of the books."""
        notices: list[Notice] = []
        truths: list[StreamTruth] = []
        for one in watched:
            wall_ns = self._wall.at(one.at_ns)
            trades: dict[int, list[dict[str, Any]]] = {}
            for template, fields in one.transaction.told:
                instrument = fields.get("instrumentId")
                if instrument in self.listings:
                    trades.setdefault(instrument, []).extend(self.listings[instrument].hear(template, fields, wall_ns))
            for instrument, book in one.books.items():
                truths.append(self._changed(instrument, book, wall_ns))
            for instrument in {**trades, **one.books}:
                book = one.books.get(instrument) or self._floor.facts(instrument)
                for topic in self.topics.happened(
                    instrument, instrument in one.books, trades.get(instrument, ()), one.at_ns
                ):
                    notices += self._notice(topic, book, wall_ns)
        return notices, truths

    def due(self, now: int) -> list[Notice]:
        """Give what is told at the end of an interval."""
        wall_ns = self._wall.at(now)
        return [
            notice
            for topic in self.topics.due(now)
            for notice in self._notice(topic, self._floor.facts(topic.instrument), wall_ns)
        ]

    def join(self, topic: Topic, port: int, now: int) -> Any | None:
        """Let a port listen to a channel; give what it is told at once: a book's snapshot, a ticker."""
        book, wall_ns = self._floor.facts(topic.instrument), self._wall.at(now)
        channel: BookChannel | None = self.topics.join(topic, port, book, self._change_ids[topic.instrument], wall_ns)
        if channel is not None:
            return channel.snapshot()
        return self.ticker(topic.instrument, wall_ns) if topic.kind == "ticker" else None

    def ticker(self, instrument: int, wall_ns: int) -> dict[str, Any]:
        """Tell a ticker as it is now."""
        return self.listings[instrument].ticker(self._floor.facts(instrument), self.index, wall_ns)

    @property
    def index(self) -> int:
        """Give the price of the index. Units: 1e-9 USD."""
        return self._floor.flow.index

    def order_book(self, instrument: int, depth: int, wall_ns: int) -> dict[str, Any]:
        """Tell a book as it is now, with its ticker."""
        book = self._floor.facts(instrument)
        told = self.ticker(instrument, wall_ns)
        sides = {"bids": book.bids, "asks": book.asks}
        told |= {name: [_level(row, book.exponents) for row in rows[:depth]] for name, rows in sides.items()}
        return told | {"change_id": self._change_ids[instrument]}

    def _changed(self, instrument: int, book: BookFacts, wall_ns: int) -> StreamTruth:
        self.change_id += 1
        self._change_ids[instrument] = self.change_id
        return truth(book, self.change_id, wall_ns)

    def _notice(self, topic: Topic, book: BookFacts, wall_ns: int) -> list[Notice]:
        change_id = self._change_ids[topic.instrument]
        data = self.topics.tell(topic, book, change_id, wall_ns, lambda: self.ticker(topic.instrument, wall_ns))
        return [] if data is None else [Notice(topic, data)]


def truth(book: BookFacts, change_id: int, ts_event_ns: int) -> StreamTruth:
    """Say what is true of a book after a change."""
    scales = [10 ** (exponent - DIGEST_EXPONENT) for exponent in book.exponents]
    sides = [
        [(price * scales[0], quantity * scales[1], 0) for price, quantity in levels(rows).items()]
        for rows in (book.bids, book.asks)
    ]
    bid, ask = (rows[0] if rows else None for rows in (book.bids, book.asks))
    return StreamTruth(book.name, change_id, bid, ask, digest(*sides), book.exponents, ts_event_ns)


def _level(row: Row, exponents: tuple[int, int]) -> list[Any]:
    return [number(row[0], exponents[0]), number(row[1], exponents[1])]
