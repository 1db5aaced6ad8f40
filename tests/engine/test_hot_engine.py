"""The engine with the hot step in front, against the exchange in virtual time: what it sends first, the books know."""

from types import SimpleNamespace

import pytest

from netfeed.book.change import NO_PRICE
from netfeed.book.execution import Cancel, MassQuote
from netfeed.book.state import BookState
from netfeed.engine.account import Account
from netfeed.engine.gate import Passage
from netfeed.engine.hot_engine import HotEngine
from netfeed.engine.journal import Decided, Sent
from netfeed.engine.journal import replay as replayed
from netfeed.engine.limits import Limits
from netfeed.engine.quote_words import Array
from netfeed.errors import MisuseError
from netfeed.proto.starbase_rows import QuoteRows
from netfeed.sim.exchange_check import check
from netfeed.sim.order_faults import NONE, OrderFaults
from netfeed.sim.starbase_gateway import listed
from tests.engine.engine_world import MS, PERPETUAL, World

LIMITS = Limits(
    order_size={None: 20 * 10**9}, position={None: 10**12}, delta=1e4, collar_ppm=100_000, open_orders=200,
    rate=20_000, burst=1_000, stale_ns=10**9, clock_offset_ns=10**6,
)  # fmt: skip


class HotWorld(World):
    """A world whose quotes follow the perpetual before the engine takes its step, and every other time overshoot it."""

    hot: HotEngine | None = None
    moves = 0

    def begin(self) -> "HotWorld":
        assert self.engine is not None
        desk, gateway = self.engine.desks[0], self.gateways[0]
        options = sorted(desk.instruments)
        rows = QuoteRows(listed(self.venue.exchange), options, self_match_id=1)

        def send(found: Array, count: int, client_id: int, group: int) -> None:
            if gateway.client is None:
                raise MisuseError("not connected")
            gateway.client.send_rows(rows, found, count, client_id, group, self.now)
            for one in gateway.client.transmit():
                self.venue.receive(one, self.now, gateway.port)

        desk.gate._hedges = {}  # the perpetual of this world is one-sided half of the time
        self.hot = HotEngine(
            self.engine, desk, session=gateway.number, group=1, lead=PERPETUAL, instruments=options, send=send
        )
        return self

    def move(self, hot: HotEngine) -> None:
        lead = hot.price()
        self.moves += 1
        if lead is None or self.moves % 2:
            hot.move(self.now, self.clock_off)
        else:
            hot.took(hot.door.move(lead * (1.002 if self.moves % 4 else 0.998), self.now), self.now)

    def turn(self) -> None:
        if self.hot is None or self.engine is None:
            super().turn()
            return
        self._packets()
        if self.engine.board.is_touched:
            self.move(self.hot)
        for route in self.routes:
            for report in route.pump(self.now):
                self.heard.append(report)
                self.engine.hear(route.number, report, self.now)
        if self.engine.deadline <= self.now:
            self.hot.step(self.now, self.venue.wall(self.now), self.clock_off)


def ran(ns: int, **more: object) -> tuple[HotWorld, HotEngine]:
    world = HotWorld(limits=LIMITS, rate=150, **more).begin()  # type: ignore[arg-type]
    world.run(ns)
    assert world.hot is not None
    return world, world.hot


def mandated() -> tuple[HotWorld, HotEngine]:
    """A world at a moment at which quotes may be moved."""
    world, hot = ran(200 * MS, hedged=False)
    for _ in range(100):
        if hot.mandates._held:
            return world, hot
        world.run(5 * MS)
    raise AssertionError("there never was a mandate")


def test_what_the_hot_step_sends_is_known_to_account_journal_and_venue() -> None:
    world, hot = ran(700 * MS)
    engine = hot.engine
    assert engine.ready == ""
    assert hot.door.sent > 5
    assert hot.mandates.used >= hot.door.sent
    assert engine.statistics().anomalies == {}
    doors = sum(one.door.sent for one in engine.router._sessions.values())
    assert sum(one.sent for one in engine.statistics().sessions) == doors + hot.door.sent
    assert world.positions() == world.held()
    assert world.resting() == world.ours()
    assert engine.statistics().refused.get("rate", 0) == 0
    assert list(check(world.venue.exchange.trading)) == []
    decided = [one.request.client_id for one in world.records
               if isinstance(one, Decided) and not isinstance(one.request, Cancel)]  # fmt: skip
    assert decided == sorted(set(decided))
    assert {one.client_id for one in world.records if isinstance(one, Sent)} >= set(decided)
    sessions = {route.number: route.venue for route in world.routes}
    again = replayed(world.records, Account(world.contracts, sessions=sessions))
    assert again.orders.snapshot() == engine.account.orders.snapshot()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_gateway_that_loses_repeats_delays_and_refuses_leaves_us_and_the_ledger_equal(seed: int) -> None:
    world = HotWorld(limits=LIMITS, rate=150, seed=seed).begin().run(250 * MS)
    gateway, engine = world.venue.order_gateways[0], world.engine
    assert engine is not None
    assert isinstance(world, HotWorld)
    assert world.hot is not None
    before = world.hot.door.sent
    gateway.faults = OrderFaults(lost=150_000, duplicate=150_000, delay_ns=MS, jitter_ns=3 * MS, refuse=150_000)
    world.run(400 * MS)
    gateway.faults = NONE
    assert world.hot.door.sent > before
    assert min(gateway.counts[name] for name in ("lost", "duplicated", "refused")) > 0
    engine.kill("a person", "the end", world.now)
    world.run(3_000 * MS)
    assert world.positions() == world.held()
    assert world.resting() == world.ours() == set()
    assert engine.statistics().uncertain == 0
    assert list(check(world.venue.exchange.trading)) == []


def test_after_a_kill_the_hot_step_sends_nothing() -> None:
    world, hot = mandated()
    hot.engine.kill("a person", "smoke", world.now)
    assert not hot.mandates._held
    before = hot.door.sent
    world.run(100 * MS)
    assert (hot.door.sent, world.resting()) == (before, set())


def test_a_session_that_is_lost_takes_all_mandates_back() -> None:
    world, hot = mandated()
    world.venue.order_gateways[0].kill(world.now)
    world.turn()
    assert not hot.mandates._held
    assert not hot.move(world.now, world.clock_off)


def test_an_engine_that_may_not_quote_moves_nothing_though_mandates_are_there() -> None:
    world, hot = mandated()
    hot.engine.failed["a desk"] = "RuntimeError"
    held = dict(hot.mandates._held)
    assert hot.door.aim(world.now) is None
    assert not hot.move(world.now, world.clock_off)
    assert hot.mandates._held == held
    hot.engine.failed.clear()
    assert hot.door.aim(world.now) is not None


def test_what_cannot_be_written_down_kills() -> None:
    world, hot = mandated()
    sent = hot.door.sent

    def full(_: object) -> None:
        raise OSError("no space left")

    hot.engine.out._record = full
    for _ in range(50):
        world.run(10 * MS)
        if hot.engine.risk.switch.is_killed:
            break
    assert hot.engine.risk.switch.is_killed
    assert hot.door.sent <= sent + 1


def test_a_book_that_went_bad_since_the_last_step_is_seen_before_a_move() -> None:
    world, hot = mandated()
    bad = min(hot.mandates.held)  # its quote is one that moves
    world.feed.books[world.ids.index(bad)]._books.to(world.ids.index(bad), BookState.SUSPECT)
    hot.engine.touch([bad, PERPETUAL], world.sequence)
    lead, before = hot.price(), len(world.records)
    assert lead is not None
    hot.price = lambda: lead * 1.002  # type: ignore[method-assign]
    assert hot.is_led
    hot.move(world.now, world.clock_off)
    sent = [one.request for one in world.records[before:] if isinstance(one, Decided)]
    quoted = [quote.instrument for one in sent if isinstance(one, MassQuote) for quote in one.quotes]
    assert quoted
    assert bad not in quoted
    assert hot.counters()["hot_void_gate"] == 1


def test_what_a_quoter_raises_while_mandates_are_asked_for_takes_its_quotes_out() -> None:
    world, hot = mandated()

    def decide(*_: object) -> None:
        raise RuntimeError("a bad day")

    strategy = hot._desk.strategy
    usual, strategy.decide = strategy.decide, decide  # type: ignore[method-assign,assignment]
    hot._steps, hot._next = -1, 0
    hot.mandates.void(None)
    assert not hot.prepare()
    assert "a bad day" in hot.engine.ready
    assert hot.mandates.held == ()
    strategy.decide = usual  # type: ignore[method-assign]
    world.run(100 * MS)
    quoted = {one.instrument for one in hot.engine.account.orders.open()}
    assert not quoted & hot._desk.instruments
    assert world.resting() == world.ours()


def test_what_is_raised_while_quotes_leave_kills_for_nobody_knows_what_left() -> None:
    world, hot = mandated()
    send, lead = hot.door._send, hot.price()
    assert lead is not None

    def torn(*rows: object) -> None:
        send(*rows)  # type: ignore[arg-type]
        raise RuntimeError("behind the bytes")

    hot.door._send = torn
    hot.price = lambda: lead * 1.002  # type: ignore[method-assign]
    assert not hot.move(world.now, world.clock_off)
    assert "behind the bytes" in hot.engine.ready
    del hot.price
    world.run(300 * MS)
    assert world.resting() == set()


def test_it_wants_no_turn_while_nothing_can_be_mandated() -> None:
    _, hot = mandated()
    for lead, failed in ((None, {}), (hot.price(), {"a desk": "RuntimeError"})):
        hot.price = lambda lead=lead: lead  # type: ignore[method-assign,misc]
        hot.engine.failed = dict(failed)
        hot.engine.count["steps"] += 1
        assert hot.wants
        assert not hot.prepare()
        assert not hot.wants
        assert hot.mandates.held == ()


def test_what_is_best_in_a_book_now_bounds_a_move() -> None:
    world, hot = mandated()
    one = next(iter(hot.mandates._held))
    slot = hot.mandates.slots[hot.mandates.slot_of[one]]
    slot["best_bid"] = slot["best_ask"] = 1
    hot.engine.touch([one], world.sequence)
    hot._look()
    book = hot.engine.board.book(one)
    assert (int(slot["best_bid"]), int(slot["best_ask"])) == tuple(
        NO_PRICE if level is None else level.price for level in (book.bid, book.ask)
    )


def test_a_hedge_that_went_bad_takes_back_the_mandates_of_what_it_hedges() -> None:
    world, hot = mandated()
    hedged, hedge = next(iter(hot.mandates._held)), -1
    hot._desk.gate._dependents = {hedge: {hedged}}
    world.engine.board._books[hedge] = SimpleNamespace(state=BookState.LIVE, bid=None, ask=None)  # type: ignore
    world.engine.board._touched.add(hedge)  # type: ignore[union-attr]
    hot._look()
    assert hedged not in hot.mandates.held


def test_a_clock_of_which_something_else_is_known_moves_nothing() -> None:
    world, hot = mandated()
    assert not hot.move(world.now, None)
    assert hot.mandates.held == ()
    assert hot.counters()["hot_void_clock"] > 0


def test_an_instrument_whose_gate_is_shut_has_no_mandate() -> None:
    world, hot = mandated()
    shut = next(iter(hot.mandates._held))
    world.feed.books[world.ids.index(shut)]._books.to(world.ids.index(shut), 3)
    hot.engine.touch([shut], world.sequence)
    hot.step(world.now, world.venue.wall(world.now), 0)
    assert hot._desk.gate.state(shut)[0] is Passage.SHUT
    assert not hot.mandates.has(shut, world.now)


def test_it_moves_the_quotes_of_a_quoter_only() -> None:
    world = HotWorld(limits=LIMITS)
    assert world.engine is not None
    with pytest.raises(MisuseError, match="of a `Quoter`"):
        HotEngine(
            world.engine, world.engine.hedging[0], session=1, group=1, lead=PERPETUAL, instruments=[PERPETUAL],
            send=lambda rows, count, client_id, group: None,
        )  # fmt: skip
