"""The channels of a simulated Deribit venue: what their names mean, and what is due on each.

    book.{instrument}.{interval}      one `BookChannel` for all who listen
    trades.{instrument}.{interval}    the trades since the last message
    ticker.{instrument}.{interval}    the whole ticker whenever something happened

`raw` tells each transaction as it happens; 100ms and agg2 gather what happened until the next multiple of their
interval. The venue does not publish how long agg2 is; here it is a second.

Source: docs.deribit.com, subscriptions (API 2.1.1). Leaves out: grouped books, and channels of many instruments.

Invariant: a channel that nobody listens to costs nothing, and begins anew when somebody does.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from netfeed.machine import NEVER
from netfeed.sim.floor import BookFacts
from netfeed.sim.jsonrpc_book import BookChannel
from netfeed.sim.jsonrpc_market import MAX_TRADES, Listing

RAW: Final = "raw"
INTERVALS: Final = {RAW: 0, "100ms": 100_000_000, "agg2": 1_000_000_000}
"""How long each interval gathers. Units: ns."""
KINDS: Final = ("book", "trades", "ticker")


class Topic(NamedTuple):
    """What the name of a channel means. Units: `interval_ns` in ns, 0 for each transaction."""

    name: str
    kind: str
    instrument: int
    interval_ns: int

    @property
    def raw(self) -> bool:
        """Say whether only those may hear it who have authenticated."""
        return self.interval_ns == 0


class Notice(NamedTuple):
    """What is to be told on a channel now. `kind` is that of the channel; a book's first message is its snapshot."""

    topic: Topic
    data: Any


def parse(name: str, instruments: dict[str, int]) -> Topic | None:
    """Read the name of a channel; None when there is no such channel."""
    kind, _, rest = name.partition(".")
    instrument, _, interval = rest.rpartition(".")
    if kind not in KINDS or instrument not in instruments or interval not in INTERVALS:
        return None
    return Topic(name, kind, instruments[instrument], INTERVALS[interval])


class _Open:
    """A channel that somebody listens to."""

    __slots__ = ("book", "listeners", "topic", "trades")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.listeners: dict[int, None] = {}
        self.book: BookChannel | None = None
        self.trades: list[dict[str, Any]] = []


class Topics:
    """The channels that are open. `ticker(instrument)` gives the data of a ticker as it is now."""

    def __init__(self, listings: dict[int, Listing]) -> None:
        self._listings = listings
        self._by_name = {one.name: number for number, one in listings.items()}
        self._open: dict[str, _Open] = {}
        self._of: dict[int, dict[str, _Open]] = {number: {} for number in listings}
        self._touched: dict[int, dict[str, None]] = {}
        self._due: dict[int, int] = {}

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        return min(self._due.values(), default=NEVER)

    def find(self, name: str) -> Topic | None:
        """Give a channel by its name; None when there is none."""
        return parse(name, self._by_name)

    def listeners(self, name: str) -> list[int]:
        """Give the ports that listen."""
        return list(self._open[name].listeners) if name in self._open else []

    def join(self, topic: Topic, port: int, book: BookFacts, change_id: int, ts_event_ns: int) -> BookChannel | None:
        """Let a port listen; give the book's channel as it was told so far, None where the channel has no book."""
        one = self._open.get(topic.name)
        if one is None:
            one = self._open[topic.name] = self._of[topic.instrument][topic.name] = _Open(topic)
            if topic.kind == "book":
                one.book = BookChannel(book, change_id, ts_event_ns)
        one.listeners[port] = None
        return one.book

    def leave(self, name: str, port: int) -> None:
        """Let a port listen no more."""
        one = self._open.get(name)
        if one is None:
            return
        one.listeners.pop(port, None)
        if not one.listeners:
            del self._open[name], self._of[one.topic.instrument][name]
            self._touched.get(one.topic.interval_ns, {}).pop(name, None)

    def happened(
        self, instrument: int, book: bool, trades: Iterable[dict[str, Any]], now: int,
    ) -> list[Topic]:  # fmt: skip
        """Take what a transaction did to an instrument; give the raw channels that must tell it now."""
        trades, due = list(trades), []
        for one in self._of[instrument].values():
            if (one.topic.kind == "book" and not book) or (one.topic.kind == "trades" and not trades):
                continue
            if one.topic.kind == "trades":
                one.trades = (one.trades + trades)[-MAX_TRADES:]
            if one.topic.raw:
                due.append(one.topic)
            else:
                self._later(one.topic, now)
        return due

    def due(self, now: int) -> list[Topic]:
        """Give the channels whose interval is over, each once."""
        topics: list[Topic] = []
        for interval_ns in [interval_ns for interval_ns, due in self._due.items() if due <= now]:
            del self._due[interval_ns]
            topics += [self._open[name].topic for name in self._touched.pop(interval_ns, {})]
        return topics

    def tell(
        self, topic: Topic, book: BookFacts, change_id: int, ts_event_ns: int, ticker: Callable[[], Any]
    ) -> Any | None:
        """Give what a channel has to tell now; None when that is nothing."""
        one = self._open[topic.name]
        if one.book is not None:
            return one.book.move(book, change_id, ts_event_ns)
        if topic.kind == "ticker":
            return ticker()
        trades, one.trades = one.trades, []
        return trades or None

    def _later(self, topic: Topic, now: int) -> None:
        self._touched.setdefault(topic.interval_ns, {})[topic.name] = None
        if topic.interval_ns not in self._due:
            self._due[topic.interval_ns] = (now // topic.interval_ns + 1) * topic.interval_ns
