"""The feed of a money world: a venue's lines through faulty links into real books, and what it knows of its faults.

The venue's side keeps when each number was sent, so that the world can say how long a loss was not noticed: a book is
LIVE and something that was sent longer than DETECT_NS ago is missing - that must never be.
"""

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Final

import numpy as np

from netfeed.app.silence import RECHECK_NS, Silence
from netfeed.book.handle import OrderBook
from netfeed.book.level import Level, Order
from netfeed.book.state import BookState
from netfeed.feed.channel import Channel
from netfeed.feed.delivery import Delivery
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.ports import Port
from netfeed.feed.recovery import Recovery
from netfeed.feed.requests import REQUESTS
from netfeed.feed.splice import Splice
from netfeed.machine import NEVER
from netfeed.sim.faults import Faults
from netfeed.sim.link import Link
from netfeed.sim.order_venue import OrderVenue
from netfeed.venues.starbase import StarbaseFeed

MS: Final = 1_000_000
LINES: Final = (0, 1)
DOWN: Final = (0, 1, 2, 3, 4)
HEARTBEAT_NS: Final = 60 * MS
SILENT_NS: Final = 90 * MS
"""Silence after which books are STALE: longer than the venue's heartbeats are apart."""
REORDER_NS: Final = MS
CLEAN: Final = Faults(delay_ns=200_000)
LINE_NS: Final = 2 * MS
"""The longest that a packet takes to come: the fault of being late is the fault of being lost."""
DETECT_NS: Final = SILENT_NS + LINE_NS + RECHECK_NS
"""Within this every loss is seen: by the next packet or heartbeat and the reorder window, or as a silence."""


class Books:
    """One process's view of the feed: a channel, its books, and the watch for silence. It dies with its process."""

    def __init__(self, now: int, *, whole: bool, jitter: Callable[[], float]) -> None:
        recovery = Recovery(REQUESTS["starbase"], servers=[Port.RETRANSMIT], jitter=jitter)
        self.channel = Channel(
            FRAMINGS["starbase"], name="starbase", start=1 if whole else None, splice=Splice(), recovery=recovery,
            reorder_window_ns=REORDER_NS, recovery_window_ns=300 * MS,
        )  # fmt: skip
        self.feed = StarbaseFeed()
        self.feed.begin(whole)
        self.delivery = Delivery(self.channel, self.feed)
        self.silence = Silence(SILENT_NS, now)
        self._lane = SimpleNamespace(feed=self.feed, statistics=self.channel.statistics, delivery=self.channel)
        self._states: dict[int, BookState] = {}

    @property
    def deadline(self) -> int:
        """Say when a gap, a request or a silence is due."""
        return min(self.delivery.deadline, self.silence.deadline)

    def book(self, instrument: int) -> OrderBook | None:
        """Give the book of an instrument, None while it has none."""
        index = self.feed.stream.book(instrument)
        return self.feed.books[index] if 0 <= index < len(self.feed.books) else None

    def changed(self, instruments: tuple[int, ...]) -> tuple[set[int], int, bool]:
        """Give the instruments whose books have changed, the last sequence, and whether one has ceased to be LIVE."""
        taken = self.feed.take()
        indexes = {self.feed.stream.book(one): one for one in instruments}
        touched = (
            {indexes[index] for index in np.unique(taken["book"]).tolist() if index in indexes} if len(taken) else set()
        )
        bad = False
        for instrument in touched:
            book = self.book(instrument)
            state = book.state if book is not None else BookState.EMPTY
            bad = bad or (self._states.get(instrument) is BookState.LIVE and state is not BookState.LIVE)
            self._states[instrument] = state
        return touched, self.delivery.as_of, bad

    @property
    def is_live(self) -> bool:
        """Say whether any book is LIVE."""
        return any(book.state is BookState.LIVE for book in self.feed.books)


class Awaited:
    """The book of an instrument, whether it has come already or not."""

    def __init__(self, books: Books, instrument: int) -> None:
        self._books, self._instrument = books, instrument
        self._there: OrderBook | None = None

    def _book(self) -> OrderBook | None:
        if self._there is None:
            self._there = self._books.book(self._instrument)
        return self._there

    @property
    def state(self) -> BookState:
        """Tell what the book knows of itself: EMPTY until it is there."""
        book = self._book()
        return BookState.EMPTY if book is None else book.state

    @property
    def bid(self) -> Level | None:
        """Give the best bid."""
        book = self._book()
        return None if book is None else book.bid

    @property
    def ask(self) -> Level | None:
        """Give the best ask."""
        book = self._book()
        return None if book is None else book.ask

    def depth(self, side: int, count: int, /) -> list[Level]:
        """List levels."""
        book = self._book()
        return [] if book is None else book.depth(side, count)

    def queue(self, side: int, price: int) -> list[Order]:
        """List the orders at a price."""
        book = self._book()
        return [] if book is None else book.queue(side, price)


class Wires:
    """The links of the feed, and what was sent when."""

    def __init__(self, venue: OrderVenue, seed: int) -> None:
        self.venue = venue
        self.down = {port: Link(CLEAN, seed=seed * 64 + port) for port in DOWN}
        self.up = Link(CLEAN, seed=seed * 64 + 40)
        self._sent: deque[tuple[int, int]] = deque()
        self._counted = 0

    @property
    def deadline(self) -> int:
        """Say when the next packet arrives, either way."""
        return min(self.up.deadline, *(link.deadline for link in self.down.values()))

    def spoil(self, faults: Faults) -> None:
        """Let these faults hold on all lines."""
        for link in (*self.down.values(), self.up):
            link.change(faults)

    def dark(self, ports: tuple[int, ...], begin: int, end: int) -> None:
        """Let nothing through for a time."""
        for port in ports:
            self.down[port].silence(begin, end)

    def send(self, now: int) -> None:
        """Put what the venue says on its lines, and note when it was said."""
        for port, link in self.down.items():
            for data in self.venue.transmit(port):
                link.send(data, now)
        if self.venue.lines.next > self._counted:
            self._counted = self.venue.lines.next
            self._sent.append((self._counted, now))

    def sent_at(self, sequence: int, now: int) -> int:
        """Say when a number was sent."""
        return next((at for end, at in self._sent if sequence < end), now)

    def missing_since(self, sequence: int) -> int:
        """Say when the oldest number from `sequence` on was sent; NEVER when there is none yet."""
        while self._sent and self._sent[0][0] <= sequence:
            self._sent.popleft()
        return self._sent[0][1] if self._sent else NEVER

    def turn(self, now: int, books: Books | None) -> None:
        """Let arrive what has arrived, on both ends."""
        for data in self.up.deliver(now):
            self.venue.receive(data, now, Port.RETRANSMIT)
            self.send(now)
        for port, link in self.down.items():
            for data in link.deliver(now):
                if books is not None:
                    books.delivery.receive(data, now, port)
        if books is None:
            return
        if books.delivery.deadline <= now:
            books.delivery.wake(now)
        for data in books.delivery.transmit(Port.RETRANSMIT):
            self.up.send(data, now)
        if books.silence.deadline <= now:
            books.silence.judge(books._lane, now)
