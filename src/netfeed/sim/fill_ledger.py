"""What the fills of a replay have brought, by instrument and by source, in integers of 10**-18 of a currency.

    spread       what quotes were filled better than the mid that held before the packet that filled them
    hedging      what hedges were filled better than it; mostly they cost
    fees         what the venue took
    inventory    all else: what the market did with what was held
    net          spread + hedging + inventory - fees = realised + unrealised - fees, to the last digit

A mark-out is what the mid did with a fill within a second, ten, a minute: below nothing, whoever filled us knew more.
The mid is the last one of a LIVE book with two sides, rounded down to the unit of the price; a fill before there was
one has no spread, and its money is in the inventory. A mark-out that the record ends before is not counted.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from netfeed.book.execution import Filled
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.contract import Contract
from netfeed.engine.position import Positions, Terms
from netfeed.engine.strategy import Book
from netfeed.machine import NEVER

HORIZONS_NS: Final = (1_000_000_000, 10_000_000_000, 60_000_000_000)
"""When a fill is looked at again. Units: ns."""


@dataclass(slots=True)
class MarkOut:
    """What the mid did with so many fills, until so long after them. Units: ns; 10**-18 of the currency."""

    fills: int = 0
    brought: int = 0


@dataclass(slots=True)
class Sources:
    """What a currency's fills have brought, by source; of those the mark-outs, by horizon."""

    spread: int = 0
    hedging: int = 0
    without_mid: int = 0
    mark_outs: dict[int, MarkOut] = field(default_factory=lambda: {after: MarkOut() for after in HORIZONS_NS})


@dataclass(slots=True)
class Traffic:
    """The fills of one instrument. Units: of its quantity."""

    fills: int = 0
    maker: int = 0
    bought: int = 0
    sold: int = 0


class FillLedger:
    """The money of a replay. `hedges`: instruments whose fills are hedges, not quotes."""

    def __init__(
        self, contracts: Mapping[int, Contract], books: Mapping[int, Book], *, hedges: Collection[int] = (),
        quote: str = "USD",
    ) -> None:  # fmt: skip
        self.positions = Positions(contracts, quote=quote)
        self.sources: dict[str, Sources] = {}
        self.traffic: dict[int, Traffic] = {}
        self.mids: dict[int, int] = {}
        self._terms = {index: Terms(contract, quote) for index, contract in contracts.items()}
        self._books, self._hedges = books, frozenset(hedges)
        self._due: list[tuple[int, int, int, Filled, int]] = []
        self._count: Counter[str] = Counter()

    @property
    def deadline(self) -> int:
        """Say when a fill is to be looked at again."""
        return self._due[0][0] if self._due else NEVER

    @property
    def open_mark_outs(self) -> int:
        """Count the mark-outs whose time has not come."""
        return len(self._due)

    def currency(self, instrument: int) -> str:
        """Give what an instrument is paid in."""
        return self._terms[instrument].currency

    def look(self, instruments: Collection[int]) -> None:
        """Take note of the mids of books that have changed, and value what is held by them."""
        for instrument in instruments:
            book = self._books[instrument]
            bid, ask = book.bid, book.ask
            if book.state is not BookState.LIVE or bid is None or ask is None or bid.price >= ask.price:
                continue
            self.mids[instrument] = (bid.price + ask.price) // 2
            if self.positions[instrument].quantity:
                self.positions.mark(instrument, self.mids[instrument])

    def fill(self, fill: Filled, at_ns: int) -> None:
        """Take a fill, as it happens."""
        traffic = self.traffic.setdefault(fill.instrument, Traffic())
        traffic.fills += 1
        traffic.maker += bool(fill.maker)
        traffic.bought += fill.quantity if fill.side is Side.BID else 0
        traffic.sold += fill.quantity if fill.side is Side.ASK else 0
        self.positions.fill(fill)
        sources = self.sources.setdefault(self.currency(fill.instrument), Sources())
        mid = self.mids.get(fill.instrument)
        if mid is None:
            sources.without_mid += 1
            return
        self.positions.mark(fill.instrument, mid)
        gained = self._gained(fill, fill.price, mid)
        if fill.instrument in self._hedges:
            sources.hedging += gained
        else:
            sources.spread += gained
        for after in HORIZONS_NS:
            self._count["turns"] += 1
            heappush(self._due, (at_ns + after, self._count["turns"], after, fill, mid))

    def wake(self, now: int) -> None:
        """Look again at the fills whose time has come: the mids are those that held until `now`."""
        while self._due and self._due[0][0] <= now:
            _, _, after, fill, mid = heappop(self._due)
            found = self.sources[self.currency(fill.instrument)].mark_outs[after]
            found.fills += 1
            found.brought += self._gained(fill, mid, self.mids[fill.instrument])

    def inventory(self, currency: str) -> int:
        """Give what the market did with what was held."""
        sources, totals = self.sources[currency], self.positions.totals(currency)
        return totals.realised + totals.unrealised - sources.spread - sources.hedging

    def _gained(self, fill: Filled, before: int, after: int) -> int:
        """Give what so much has gained from one price to another."""
        terms, signed = self._terms[fill.instrument], fill.quantity if fill.side is Side.BID else -fill.quantity
        return (terms.value(signed, after) or 0) - (terms.value(signed, before) or 0)
