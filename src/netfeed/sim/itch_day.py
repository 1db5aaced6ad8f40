"""A day of a simulated exchange as TotalView-ITCH 5.0: a seed in, length-prefixed messages out, and the truth beside.

What makes it a fair stand-in for a real day: every message is consistent with a price-time-priority book (executions
hit the first order of the best level, cancels and replaces name orders that live, nothing crosses, references and match
numbers rise, time does not fall); a few symbols get most of the messages; messages come in bursts on one symbol; orders
pile up near the touch with a long tail behind; most cancels hit young orders; the number of live orders levels off.

Invariant: the same settings give the same bytes on any machine, and the number of messages is exact.

Leaves out: halts and collars, the order types of auctions, and any relation between symbols.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from operator import itemgetter
from typing import Final

import numpy as np

from netfeed.errors import MisuseError
from netfeed.sim.draws import Draws
from netfeed.sim.itch_flow import Flow
from netfeed.sim.itch_stock import MARGIN, WIDTH, rows, stocks
from netfeed.sim.itch_tempo import BLOCK, Tempo

MAX_SYMBOLS: Final = 26**3
TIDY: Final = 16
"""After so many blocks the executed orders are dropped: a walk over all orders."""
_HOUR: Final = 3_600_000_000_000
_BEGIN: Final = 3 * _HOUR
_SYSTEM: Final = 4 * _HOUR
_OPEN: Final = 9 * _HOUR + _HOUR // 2
_CLOSE: Final = 16 * _HOUR
_END: Final = 20 * _HOUR


@dataclass(frozen=True, slots=True)
class Settings:
    """What a day is made of. `live_orders` is where a long day levels off, over all symbols.

    Raises: MisuseError when there are too few messages to open and close every symbol, or a number is out of range.
    """

    messages: int = 8_000_000
    symbols: int = 200
    live_orders: int = 120_000
    seed: int = 1

    def __post_init__(self) -> None:
        least = 24 * self.symbols + 16
        if not 1 <= self.symbols <= MAX_SYMBOLS:
            raise MisuseError(f"a day has 1 to {MAX_SYMBOLS} symbols, not {self.symbols}")
        if self.messages < least:
            raise MisuseError(f"a day of {self.symbols} symbols has {least} messages or more, not {self.messages}")
        if self.live_orders < 0:
            raise MisuseError(f"{self.live_orders} orders cannot live")


Row = tuple[int, int, int]
"""A level: price, shares, orders. Units: price in 1/10000."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The book of one symbol at the end of the day, the best level of each side first."""

    locate: int
    bids: tuple[Row, ...]
    asks: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a reader of the day must find."""

    settings: Settings
    messages: int
    bytes: int
    counts: dict[str, int]
    live_orders: int
    last_reference: int
    last_match: int
    books: dict[str, Ladder]


class Day:
    """One day. Iterate `chunks` to its end, once; then ask for the `truth`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._draws = Draws(settings.seed)
        weights = np.array(self._draws.shuffled([10**9 // (rank + 2) for rank in range(settings.symbols)]))
        self._stocks = stocks(settings.live_orders, self._draws, weights.tolist())
        self._tempo = Tempo(self._draws, weights)
        self._flow = Flow()
        self._now = _BEGIN
        self._counts: Counter[int] = Counter()
        self._bytes = 0
        self._blocks = 0

    def chunks(self) -> Iterator[bytes]:
        """Give the day's messages, each behind its length, some thousand at a time."""
        for part in (self._begin, self._before_open, self._opening, self._session, self._closing):
            for _ in part():
                yield self._taken()

    @property
    def sent(self) -> int:
        """Say how many messages the chunks so far held."""
        return self._counts.total()

    def truth(self) -> Truth:
        """Say what a reader must have found, up to the last chunk that was taken."""
        books = {
            stock.name.decode().rstrip(): Ladder(stock.locate, rows(stock, stock.bids, True), rows(stock, stock.asks))
            for stock in self._stocks
        }
        return Truth(
            settings=self.settings,
            messages=self.sent,
            bytes=self._bytes,
            counts={chr(code): self._counts[code] for code in sorted(self._counts)},
            live_orders=sum(row[2] for book in books.values() for row in book.bids + book.asks),
            last_reference=self._flow.reference,
            last_match=self._flow.match,
            books=books,
        )

    def _taken(self) -> bytes:
        out = self._flow.out
        self._counts.update(map(itemgetter(2), out))
        data = b"".join(out)
        self._bytes += len(data)
        out.clear()
        return data

    def _left(self) -> int:
        """Say how many messages may still be sent, those that wait being sent."""
        return self.settings.messages - self.sent - len(self._flow.out)

    # -- the parts of the day: each yields when its messages should be taken --------------------------------------

    def _begin(self) -> Iterator[None]:
        say, stocks = self._flow.say, self._stocks
        say("S", None, _BEGIN, event_code="O")
        for stock in stocks:
            self._flow.introduce(stock, _BEGIN + 1)
        say("V", None, _BEGIN + 2, level_1=4_650 * 10**8, level_2=4_350 * 10**8, level_3=4_000 * 10**8)
        say("S", None, _SYSTEM, event_code="S")
        yield

    def _before_open(self) -> Iterator[None]:
        """Fill the books to six tenths of what they should hold, but with a third of the day's messages at most."""
        left = min(sum(stock.target for stock in self._stocks) * 6 // 10, self.settings.messages // 3)
        pace = (_OPEN - _SYSTEM) // (left + 1)
        others = cycle(self._stocks)
        self._now = _SYSTEM
        while left > 0:
            steps, self._now = self._tempo.steps(self._now, pace, _OPEN - 1)
            for _, (_, index, stamp, distance, shares, pick) in zip(range(left), steps, strict=False):
                stock = self._stocks[index]
                if len(stock.live) * 10 >= stock.target * 6:
                    stock = next(others)
                self._flow.add(stock, stamp, distance, shares, pick)
            left -= BLOCK
            yield

    def _opening(self) -> Iterator[None]:
        self._crosses(_OPEN, "O")
        self._flow.say("S", None, _OPEN, event_code="Q")
        self._now = _OPEN
        yield

    def _session(self) -> Iterator[None]:
        flow, stocks = self._flow, self._stocks
        thin, full = flow.actions(0), flow.actions(1)
        closing = 4 * len(stocks) + 3
        while (left := self._left() - closing) > 0:
            flow.room = left
            steps, self._now = self._tempo.steps(self._now, (_CLOSE - self._now) // left, _CLOSE - 1)
            for action, index, stamp, distance, shares, pick in steps:
                stock = stocks[index]
                act = full if len(stock.live) > stock.target else thin
                act[action](stock, stamp, distance, shares, pick)
                if len(flow.out) >= left:
                    break
            self._move()
            yield

    def _move(self) -> None:
        """Let the fair prices walk, and now and then drop executed orders."""
        self._blocks += 1
        tidy = self._blocks % TIDY == 0
        for stock, move in zip(self._stocks, self._draws.below(len(self._stocks), 7).tolist(), strict=True):
            stock.fair = min(max(stock.fair + move - 3, MARGIN), WIDTH - MARGIN - 1)
            if tidy:
                stock.forget()

    def _closing(self) -> Iterator[None]:
        """Hold the closing crosses; then orders leave until the messages are as many as they should be."""
        self._flow.room = self.settings.messages
        self._crosses(_CLOSE, "C")
        self._flow.say("S", None, _CLOSE, event_code="M")
        while (left := self._left() - 2) > 0:
            steps, self._now = self._tempo.steps(_CLOSE, _HOUR // left, _END - 1)
            for _, (_, index, stamp, distance, shares, pick) in zip(range(left), steps, strict=False):
                self._flow.delete(self._stocks[index], stamp, distance, shares, pick)
        self._flow.say("S", None, _END, event_code="E")
        self._flow.say("S", None, _END, event_code="C")
        yield

    def _crosses(self, now: int, cross_type: str) -> None:
        for stock in self._stocks:
            self._flow.cross(stock, now, cross_type)
