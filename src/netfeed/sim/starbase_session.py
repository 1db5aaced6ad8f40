"""A session of a simulated Starbase venue: packets of incrementals, snapshots in cycles, and the truth about the books.

Source: the packet, sequence, transaction and snapshot rules of Starbase market data (SBE schema 2102 version 1).

* The session opens with the definitions of its indexes and instruments, then the books fill, then the `steps` follow.
* The first message of a transaction and the last one bear the flags that say so.
* Every `cycle_ns` a snapshot of each instrument is taken, between two transactions, as of the last incremental
  sequence. It is published SNAPSHOT_LAG_NS later, under the snapshot channel's own sequence.

Invariant: one seed, one session, byte for byte.

Leaves out: how messages share packets (`starbase_packets`), lines and their faults (`tap`), the retransmit gateway.
"""

from dataclasses import dataclass, field
from typing import Final

from netfeed.sim.account import Row
from netfeed.sim.draws import Draws
from netfeed.sim.starbase_chain import INDEXES, definition, index_definition
from netfeed.sim.starbase_flow import Flow, gaps
from netfeed.sim.starbase_market import ASK, BID, Market, Told
from netfeed.sim.starbase_packets import HEARTBEAT_NS, Packer, transaction
from netfeed.sim.starbase_snapshot import end_of_cycle, indexes, snapshot
from netfeed.sim.tap import Sent
from netfeed.wire import starbase
from netfeed.wire.starbase import PacketType

SNAPSHOT_LAG_NS: Final = 20_000_000
SNAPSHOT_STEP_NS: Final = 3_000_000
"""Snapshots of a cycle are taken one after another, so far apart."""
_FILLED: Final = 10
"""So many orders come to each instrument before the session."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session is made of. `pauses` says behind which steps nothing happens for how long.

    Units: ns; `begin_ns` since 1970.
    """

    steps: int = 2_500
    seed: int = 1
    begin_ns: int = 1_772_438_400_000_000_000
    mean_gap_ns: int = 6_000_000
    cycle_ns: int = 3_000_000_000
    pauses: dict[int, int] = field(default_factory=dict)
    channel_id: int = 3
    snapshot_channel_id: int = 4


@dataclass(frozen=True, slots=True)
class Book:
    """The orders of an instrument: levels, and order ids of each side, the next to be filled first."""

    instrument_id: int
    name: str
    exponents: tuple[int, int]
    bids: tuple[Row, ...]
    asks: tuple[Row, ...]
    bid_queue: tuple[int, ...]
    ask_queue: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A book as it was published: after the incremental `sequence`, in messages from `first` to `last`."""

    sequence: int
    first: int
    last: int
    book: Book


@dataclass(frozen=True, slots=True)
class Cycle:
    """A whole round of snapshots. Units: `taken_ns` when its first one was taken, `at` when its end was published."""

    taken_ns: int
    at: int
    snapshots: tuple[Snapshot, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """What was sent, and what is true. `stream` are the incrementals, `snapshot_stream` the messages of snapshots."""

    settings: Settings
    sent: tuple[Sent, ...]
    stream: tuple[bytes, ...]
    snapshots: tuple[Sent, ...]
    snapshot_stream: tuple[bytes, ...]
    cycles: tuple[Cycle, ...]
    books: tuple[Book, ...]


def simulate(settings: Settings) -> Session:
    """Run a session from its first message to its last."""
    return _Run(settings).run()


def template_of(message: bytes) -> str:
    """Give the template of a message, as text."""
    return str(starbase.MESSAGE_HEADER.decode(message).templateId)


class _Run:
    """One run of a session."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        draws = Draws(settings.seed)
        self._gaps = gaps(draws, settings.steps, settings.mean_gap_ns)
        self._flow = Flow(draws)
        self._now = settings.begin_ns
        self._last_ns = self._now
        self._lines = Packer(settings.channel_id, PacketType.INCREMENTAL)
        self._copies = Packer(settings.snapshot_channel_id, PacketType.SNAPSHOT)
        self._cycles: list[Cycle] = []
        self._taken: list[Snapshot] = []
        self._cycle_ns = self._now + settings.cycle_ns // 3
        self._taken_ns = self._cycle_ns

    def run(self) -> Session:
        self._open()
        for place in range(self._settings.steps):
            self._pass(self._gaps[place] + self._settings.pauses.get(place, 0))
            self._tell(self._flow.step())
        self._pass(self._settings.cycle_ns + 100_000_000)
        self._lines.beat(self._now)
        self._copies.flush()
        books = tuple(_book(market) for market in self._flow.markets)
        lines, copies = self._lines, self._copies
        return Session(
            self._settings, tuple(lines.sent), tuple(lines.stream), tuple(copies.sent), tuple(copies.stream),
            tuple(self._cycles), books,
        )  # fmt: skip

    def _open(self) -> None:
        for index in INDEXES:
            self._lines.add(index_definition(index, self._now), self._now)
        for market in self._flow.markets:
            self._now += 1_000
            self._lines.add(definition(market.instrument, self._now), self._now)
        for _ in range(_FILLED):
            for market in self._flow.markets:
                self._pass(20_000)
                self._tell(self._flow.place(market))

    def _pass(self, span_ns: int) -> None:
        """Let time go by; the snapshots that are due in it are taken, heartbeats sent."""
        until = self._now + span_ns
        while self._taken_ns <= until:
            self._snapshot()
        if span_ns > HEARTBEAT_NS:
            self._lines.beat(until)
        self._now = until

    def _tell(self, told: list[Told]) -> None:
        """Send the messages of a transaction."""
        for message in transaction(told, self._now):
            self._lines.add(message, self._now)
            self._last_ns = self._now

    # -- snapshots

    def _snapshot(self) -> None:
        """Take the next snapshot of a cycle, begin or end the cycle around it."""
        taken, markets = self._taken_ns, self._flow.markets
        if not self._taken:
            self._copy(indexes(self._flow, self._last_ns))
        self._taken.append(self._publish(markets[len(self._taken)]))
        self._taken_ns += SNAPSHOT_STEP_NS
        if len(self._taken) == len(markets):
            self._copy([end_of_cycle(len(markets), self._last_ns)])
            self._copies.flush()
            self._cycles.append(Cycle(self._cycle_ns, taken + SNAPSHOT_LAG_NS, tuple(self._taken)))
            self._cycle_ns += self._settings.cycle_ns
            self._taken, self._taken_ns = [], self._cycle_ns

    def _publish(self, market: Market) -> Snapshot:
        sequence, first = len(self._lines.stream), len(self._copies.stream) + 1
        for message in snapshot(market, self._flow.info(market), sequence, self._last_ns):
            self._copies.add(message, self._taken_ns + SNAPSHOT_LAG_NS)
        return Snapshot(sequence, first, len(self._copies.stream), _book(market))

    def _copy(self, messages: list[bytes]) -> None:
        for message in messages:
            self._copies.add(message, self._taken_ns + SNAPSHOT_LAG_NS)


def _book(market: Market) -> Book:
    queues = (tuple(order.id for order in market.queue(side)) for side in (BID, ASK))
    instrument = market.instrument
    return Book(instrument.id, instrument.name, instrument.exponents, market.rows(BID), market.rows(ASK), *queues)
