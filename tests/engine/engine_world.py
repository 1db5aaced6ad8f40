"""An engine against the simulated exchange, in virtual time: real order sessions, real books off the feed's packets."""

from collections.abc import Callable, Sequence
from typing import Any

from netfeed.book.change import NO_BOOK
from netfeed.book.execution import List as Ask
from netfeed.book.execution import Report, Request, Tripped, Up
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine, EngineSettings
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.hedge import Hedge, Hedger, HedgerSettings
from netfeed.engine.hedge_band import Fixed
from netfeed.engine.journal import Record
from netfeed.engine.limits import Limits
from netfeed.engine.pricer import Pricer, PricerSettings
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.risk import Risk
from netfeed.engine.router import Router, RouterSettings
from netfeed.engine.strategy import Strategy
from netfeed.engine.surface import SurfaceSettings
from netfeed.engine.targets import Abilities, Differ
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_past import ClientPast
from netfeed.proto.starbase_state import State
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.order_venue import ORDERS_A, ORDERS_B, OrderVenue, order_venue
from netfeed.sim.protection import Limits as Protected
from netfeed.sim.session_gateway import Key
from netfeed.sim.starbase_chain import Instrument, chain
from netfeed.sim.starbase_gateway import listed
from netfeed.sim.terms import MONEY
from netfeed.sim.venue import Settings
from netfeed.venues.starbase import StarbaseFeed
from netfeed.wire.starbase import InstrumentFlags, InstrumentType

MS, S = 1_000_000, 10**9
PERPETUAL, FUTURE = 1001, 1008
LINE_A = 0
VENUE = "deribit"
PERMIT = Permit(groups={0: Protected(S, S), 1: Protected(S, S)})
"""Groups that never trip: their limits are none."""


QUICK_GATE = GateSettings(settle_ns=50 * MS)


def contract_of(one: Instrument, venue: str = VENUE) -> Contract:
    """Make a contract of what the simulated channel lists."""
    if one.type == InstrumentType.OPTION:
        payoff = Payoff.PUT if one.flags & InstrumentFlags.IS_PUT_OPTION else Payoff.CALL
    else:
        payoff = Payoff.PERPETUAL if one.expiry_ns is None else Payoff.FUTURE
    return Contract(
        one.id, one.name, payoff, "BTC", True, -9, one.quantity_exponent, one.tick, one.lot, 1.0,
        None if one.strike is None else one.strike / 1e9, one.expiry_ns,
        ((one.threshold, one.large_tick),) if one.large_tick else (), venue=venue,
    )  # fmt: skip


class StarbaseRoute:
    """An order session over a gateway of the venue; answers come back through `pump`."""

    def __init__(self, number: int, venue: OrderVenue, port: int, key: str = "mm") -> None:
        self.number, self.name, self.venue = number, f"starbase-{number}", VENUE
        self.latency_ns: int | None = None
        self.at, self.port, self.key = venue, port, key
        self.past = ClientPast()
        self.client: Client | None = None
        self.now = 0
        self.sent: list[Request] = []
        self.flushed: list[int] = []
        self.refuses = False

    @property
    def is_up(self) -> bool:
        return self.client is not None and self.client.state is State.ACTIVE

    def takes(self, request: Request) -> bool:
        return not isinstance(request, Ask)

    def log_on(self, now: int) -> None:
        assert self.at.connect(self.port, now)
        self.client = Client(
            self.number, listed(self.at.exchange), now, self.past, epoch_ns=self.at.settings.wall_ns, self_match_id=1
        )
        self.client.logon(self.key, "secret", now)

    def send(self, request: Request) -> None:
        if self.client is None or self.refuses:
            raise MisuseError("not connected")
        self.client.send(request, self.now)
        self.sent.append(request)

    def flush(self) -> None:
        if self.client is not None:
            data = self.client.transmit()
            self.flushed.append(len(data))
            for one in data:
                self.at.receive(one, self.now, self.port)

    def pump(self, now: int) -> list[Report]:
        """Carry bytes both ways; give what the session says."""
        self.now = now
        if self.client is None:
            return []
        told: list[Any] = list(self.client.wake(now)) if self.client.deadline <= now else []
        for data in self.client.transmit():
            self.at.receive(data, now, self.port)
        for data in self.at.transmit(self.port):
            told += self.client.receive(data, now)
        gone = not self.at.order_gateways[self.port >= ORDERS_B].is_open(self.port)
        if gone and not self.client.is_closed:
            told += self.client.end(now)
        if self.client.is_closed:
            self.client = None
        return [one for one in told if isinstance(one, Report)]


class ListRoute:
    """A session that lists alone: it asks the exchange itself, as Deribit's JSON-RPC would."""

    def __init__(self, number: int, venue: OrderVenue, key: str = "mm") -> None:
        self.number, self.name, self.venue = number, "lists", VENUE
        self.is_up = True
        self.latency_ns: int | None = None
        self.at, self.key, self.now = venue, key, 0
        self.asked: list[int] = []
        self.told: list[Report] = [Up(number)]

    def takes(self, request: Request) -> bool:
        return isinstance(request, Ask)

    def send(self, request: Request) -> None:
        if not isinstance(request, Ask):
            raise MisuseError("this session lists alone")
        self.asked.append(request.client_id)

    def flush(self) -> None:
        for _ in self.asked:
            self.told.append(self.at.exchange.listed(self.key, self.at.wall(self.now), self.number))
        self.asked.clear()

    def pump(self, now: int) -> list[Report]:
        self.now = now
        told, self.told = self.told, []
        return told


class World:
    """A venue, an engine on its gateways, and the time. Every report reaches the engine, every deadline is kept."""

    def __init__(
        self,
        *,
        seed: int = 7,
        rate: int = 200,
        instruments: int = 12,
        limits: Limits | None = None,
        strategy: Callable[[Sequence[int]], Strategy] | None = None,
        hedged: bool = True,
        permit: Permit | None = None,
        settings: EngineSettings | None = None,
        router: RouterSettings | None = None,
        sessions: int = 1,
        lists: bool = True,
        wall_ns: int = Settings().wall_ns,
        gate: GateSettings = QUICK_GATE,
    ) -> None:
        self.venue = order_venue(
            Settings(seed=seed, rate=rate, instruments=instruments, wall_ns=wall_ns), [Key("mm", "secret")]
        )
        self.venue.exchange.join("mm", permit or PERMIT, 1_000 * MONEY)
        self.now, self.gate = 0, gate
        self.feed = StarbaseFeed()
        self.feed.begin(whole=True)
        self.sequence = 0
        self.records: list[Record] = []
        self.heard: list[Report] = []
        self.engine: Engine | None = None
        self.clock_off: int | None = 0
        self.mute = False
        self._run(20 * MS)
        self.contracts = {one.id: contract_of(one) for one in chain()[:instruments]}
        self.ids = [next(one.id for one in chain() if one.name == name) for name in self.feed.names]
        gateways = [StarbaseRoute(1 + at, self.venue, port) for at, port in enumerate((ORDERS_A, ORDERS_B)[:sessions])]
        self.gateways = gateways
        self.lister = ListRoute(9, self.venue)
        self.routes: list[Any] = [*gateways, *([self.lister] if lists else [])]
        self.engine = self._engine(limits or Limits(), strategy or quoter, hedged, settings, router)
        for gateway in gateways:
            gateway.now = self.now
            gateway.log_on(self.now)

    def _engine(
        self, limits: Limits, strategy: Callable[[Sequence[int]], Strategy], hedged: bool,
        settings: EngineSettings | None, router: RouterSettings | None,
    ) -> Engine:  # fmt: skip
        account = Account(self.contracts)
        board = Board(self.contracts.values())
        for id_, book in zip(self.ids, self.feed.books, strict=True):
            board.set_book(id_, book)
        options = [index for index, one in self.contracts.items() if one.is_option]
        gate = Gate(self.gate, dict.fromkeys(options, PERPETUAL))
        desks = [Desk(strategy(options), options, gate, Differ(Abilities(quotes=15), lambda: 0, lambda _: 1))]
        hedging = []
        if hedged:
            hedger = Hedger("BTC", [Hedge(PERPETUAL, 10**9, 50_000)], Fixed(0.05), HedgerSettings(through_ticks=20))
            hedging = [
                Desk(hedger, [PERPETUAL], Gate(GateSettings(needs_worth=False, settle_ns=0)),
                     Differ(Abilities(mass_quotes=False), lambda: 0))
            ]  # fmt: skip
        loose = SurfaceSettings(max_off=1.0, max_misfit=1e9)
        pricer = Pricer(self.contracts.values(), PricerSettings(refit_ns=400 * MS, surface=loose))
        return Engine(
            account, board, Risk(account, limits), Router(account, self.routes, router), pricer, ClientIds(1),
            desks=desks, hedging=hedging, record=self.records.append, settings=settings,
        )  # fmt: skip

    # --- time

    def run(self, ns: int) -> "World":
        """Let time go by."""
        self._run(ns)
        return self

    def _run(self, ns: int) -> None:
        until = self.now + ns
        while True:
            due = min(self.venue.deadline, self._engine_due())
            if due > until:
                break
            self.now = max(self.now, due)
            self.venue.wake(self.now)
            self.turn()
        self.now = until

    def _engine_due(self) -> int:
        if self.engine is None:
            return NEVER
        clients = [one.client.deadline for one in self.gateways if one.client is not None]
        return min(self.engine.deadline, *clients, NEVER)

    def turn(self) -> None:
        """Do what a driver does in one turn: packets, reports, a step."""
        self._packets()
        if self.engine is None:
            return
        for route in self.routes:
            for report in route.pump(self.now):
                self.heard.append(report)
                self.engine.hear(route.number, report, self.now, _until(report, self.now, self.venue))
        if self.engine.deadline <= self.now:
            self.engine.step(self.now, self.venue.wall(self.now), self.clock_off)

    def _packets(self) -> None:
        for packet in self.venue.transmit(LINE_A):
            at, sequence = 24, int.from_bytes(packet[8:16], "little")
            while at < len(packet):
                size = int.from_bytes(packet[at : at + 2], "little")
                if not self.mute:
                    self.feed.apply(packet[at : at + size], sequence, self.now)
                at, sequence = at + size, sequence + 1
            self.sequence = sequence - 1
        for port in range(1, 8):
            self.venue.transmit(port)
        changed = self.feed.take()
        if self.engine is not None and len(changed):
            books = {int(one) for one in changed["book"]}
            touched = self.ids if NO_BOOK in books else [self.ids[book] for book in books]
            self.engine.touch(touched, self.sequence)

    # --- what is true

    def resting(self) -> set[tuple[int, int, int]]:
        """Give what rests of ours by the exchange: instrument, side, quantity left."""
        return {
            (one.instrument, int(one.side), one.quantity - one.filled)
            for one in self.venue.exchange.listed("mm").orders
        }

    def ours(self) -> set[tuple[int, int, int]]:
        """Give what rests by our account."""
        assert self.engine is not None
        return {(one.instrument, int(one.side), one.open) for one in self.engine.account.orders.open()}

    def positions(self) -> dict[int, int]:
        """Give what the exchange says that we hold."""
        return {one.instrument: one.quantity for one in self.venue.exchange.listed("mm").positions if one.quantity}

    def held(self) -> dict[int, int]:
        """Give what we hold by our account."""
        assert self.engine is not None
        positions = self.engine.account.positions
        return {one: positions[one].quantity for one in positions if positions[one].quantity}


def quoter(options: Sequence[int]) -> Strategy:
    """Quote every option, two units a side."""
    return Quoter(options, QuoterSettings((Tier(1.0, 20),), half_ticks=3.0, requote_ticks=2, max_position=200))


def _until(report: Report, now: int, venue: OrderVenue) -> int:
    if not isinstance(report, Tripped) or report.until_ns is None:
        return NEVER
    return now + max(0, report.until_ns - venue.wall(now))
