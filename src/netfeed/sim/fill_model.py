"""A venue in a replay: our requests in, reports out, and the books of the record its market. A stated model, no truth.

    send(request, now)            a request leaves us; it arrives after its delay
    market(tape, touched, now)    a packet of the record has moved the books
    wake(now) -> reports          what has reached us by now
    fills() -> fills              what was filled since the last call, as the venue knows it: no report has come yet
    deadline                      when a request arrives, or a report does

A request that arrives at the time of a packet finds the books behind that packet: the driver wakes before a packet for
what is earlier than it, and hands over the packet first. Requests do not overtake each other, nor do reports.

Whatever a record cannot tell is decided against us (`fill_trading`), and counted. Units: ns of the record's clock.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from netfeed.book.execution import Filled, Report, Request, Up
from netfeed.engine.contract import Contract
from netfeed.engine.strategy import Book
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.fill_delay import Chance, Delay, Fixed
from netfeed.sim.fill_desk import FillDesk
from netfeed.sim.fill_rules import ASSUMPTIONS
from netfeed.sim.fill_tape import Tape
from netfeed.sim.fill_trading import FillTrading
from netfeed.sim.fill_view import SeenBook

MAX_UNDER_WAY: Final = 100_000
"""Requests that are on their way at a time; who has more has a delay beyond reason."""
USUAL: Final = Fixed(150_000)
"""A delay each way where none is stated: within a data centre, through a gateway. Units: ns."""
_APART: Final = 0x5DEECE66D
"""The reports' numbers do not depend on how many the requests have drawn."""


@dataclass(frozen=True, slots=True)
class FillStatistics:
    """Counters of a `FillModel`. `unclear`: where the record could not tell, by what, and we were not filled."""

    asked: dict[str, int]
    refused: dict[str, int]
    fills: dict[str, int]
    unclear: dict[str, int]
    resting: int
    under_way: int


class FillModel:
    """The venue. `books` by instrument: they move under it, between the calls of `market`."""

    def __init__(
        self, contracts: Mapping[int, Contract], books: Mapping[int, Book], *, session: int = 1, seed: int = 1,
        request: Delay = USUAL, report: Delay = USUAL,
    ) -> None:  # fmt: skip
        self._trading = FillTrading(contracts, books)
        self._desk = FillDesk(self._trading, session)
        self._delays = request, report
        self._chances = Chance(seed), Chance(seed ^ _APART)
        self._requests: deque[tuple[int, Request]] = deque()
        self._reports: deque[tuple[int, Report]] = deque()
        self._fresh: list[Filled] = []
        self._arrives = self._returns = -NEVER
        self._session = session

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Say what is taken for granted."""
        request, report = self._delays
        return (f"a request takes {request}; a report takes {report}", *ASSUMPTIONS)

    @property
    def deadline(self) -> int:
        """Say when to wake it."""
        return min(self._requests[0][0] if self._requests else NEVER, self._reports[0][0] if self._reports else NEVER)

    def begin(self, now: int) -> None:
        """Be logged on to: the session is told to be up."""
        self._tell([Up(self._session)], now)

    def send(self, request: Request, now: int) -> None:
        """Take a request on its way. Raises: MisuseError when too many are on theirs."""
        if len(self._requests) >= MAX_UNDER_WAY:
            raise MisuseError(f"{MAX_UNDER_WAY} requests are on their way: the delay of requests is too long")
        self._arrives = max(self._arrives, now + self._delays[0].draw(self._chances[0]))
        self._requests.append((self._arrives, request))

    def market(self, tape: Tape, touched: Collection[int] | None, now: int) -> None:
        """Look at the books, which a packet has moved. Raises: MisuseError when something earlier waits."""
        if self._requests and self._requests[0][0] < now:
            raise MisuseError("a request arrived before this packet: wake the model first")
        self._tell(self._trading.market(tape, touched, now), now)

    def wake(self, now: int) -> list[Report]:
        """Let requests arrive; give the reports that have reached us."""
        while self._requests and self._requests[0][0] <= now:
            at, request = self._requests.popleft()
            self._tell(self._desk.take(request, at), at)
        told = []
        while self._reports and self._reports[0][0] <= now:
            told.append(self._reports.popleft()[1])
        return told

    def fills(self) -> list[Filled]:
        """Give the fills since the last call, at once: for whoever counts money, not for whoever decides."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def book(self, instrument: int) -> SeenBook:
        """Give the book of an instrument as an engine sees it, which has traded there."""
        return SeenBook(self._trading.depth(instrument), self._trading.orders, instrument)

    def statistics(self) -> FillStatistics:
        """Return a snapshot of the counters."""
        count = self._trading.count
        fills = {name: n for name, n in sorted(count.items()) if name.startswith("fills_") and n}
        unclear = {name: n for name, n in sorted(count.items()) if not name.startswith("fills_") and n}
        asked, refused = dict(sorted(self._desk.asked.items())), dict(sorted(self._desk.refused.items()))
        return FillStatistics(asked, refused, fills, unclear, len(self._trading.orders), len(self._requests))

    def _tell(self, reports: list[Report], at: int) -> None:
        self._fresh += (report for report in reports if isinstance(report, Filled))
        for report in reports:
            self._returns = max(self._returns, at + self._delays[1].draw(self._chances[1]))
            self._reports.append((self._returns, report))
