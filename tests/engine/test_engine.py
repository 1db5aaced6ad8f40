"""The engine against the exchange, in virtual time: what it quotes, what it pulls, what it never does."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from netfeed.book.execution import (
    Ask,
    Cancel,
    CancelAll,
    Cause,
    Filled,
    Flag,
    List,
    Listed,
    MassQuote,
    New,
    Rejected,
    Report,
    TimeInForce,
)
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.engine import EngineSettings
from netfeed.engine.gate import GateSettings
from netfeed.engine.journal import Decided, Heard, Sent
from netfeed.engine.journal import replay as replayed
from netfeed.engine.limits import Limits, Rule
from netfeed.engine.strategy import Strategy, Targets, View, Want
from netfeed.errors import MisuseError
from tests.engine.engine_world import MS, PERPETUAL, S, World


def test_nothing_is_quoted_before_a_list_of_the_venue_has_agreed() -> None:
    world = World(lists=False).run(400 * MS)
    engine = world.engine
    assert engine is not None
    assert engine.ready.startswith("no session of deribit lists what rests")
    assert world.ours() == world.resting() == set()
    assert engine.statistics().orders == 0


def test_a_chain_is_quoted_and_its_delta_hedged_and_both_sides_know_the_same() -> None:
    world = World(rate=400).run(700 * MS)
    engine = world.engine
    assert engine is not None
    assert engine.ready == ""
    statistics = engine.statistics()
    assert statistics.orders > 20
    assert statistics.hedges > 0
    assert world.positions() == world.held() != {}
    assert world.resting() == world.ours()
    assert statistics.anomalies == {}
    picture = engine.picture()
    assert picture.fills == sum(isinstance(report, Filled) for report in world.heard)
    assert {one.instrument: one.position for one in picture.instruments if one.position} == world.positions()


def test_every_decision_is_written_down_before_it_is_sent_and_the_journal_makes_the_account_again() -> None:
    world = World(rate=400).run(400 * MS)
    engine = world.engine
    assert engine is not None
    decided: list[tuple[type, int]] = []
    for record in world.records:
        if isinstance(record, Decided):
            decided.append((type(record.request), record.request.client_id))
        elif isinstance(record, Sent):
            assert decided[-1][1] == record.client_id
    assert [record.at for record in world.records] == sorted(record.at for record in world.records)
    ids = [key for kind, key in decided if kind is not Cancel]
    assert ids == sorted(set(ids))
    assert any(isinstance(record, Heard) for record in world.records)
    sessions = {route.number: route.venue for route in world.routes}
    again = replayed(world.records, Account(world.contracts, sessions=sessions))
    assert _without_marks(again) == _without_marks(engine.account)


def _without_marks(account: Account) -> object:
    held = {one: (account.positions[one].quantity, account.positions[one].realised) for one in account.positions}
    return account.orders.snapshot(), {one: what for one, what in held.items() if any(what)}


def test_the_kill_switch_takes_everything_out_and_it_stays_out_until_a_person_arms() -> None:
    world = World(hedged=False).run(250 * MS)
    engine = world.engine
    assert engine is not None
    assert world.resting()
    engine.kill("a person", "smoke", world.now)
    world.run(50 * MS)
    assert world.resting() == world.ours() == set()
    assert engine.clearing.is_clear
    assert engine.ready == "killed by a person: smoke"
    orders = engine.statistics().orders
    world.run(300 * MS)
    assert engine.statistics().orders == orders
    with pytest.raises(MisuseError, match="say who"):
        engine.arm(" ", world.now)
    engine.arm("the head of the desk", world.now)
    world.run(300 * MS)
    assert engine.ready == ""
    assert world.resting()


def test_who_leaves_has_nothing_left_and_asks_for_nothing_and_is_not_killed() -> None:
    world = World().run(400 * MS)
    engine = world.engine
    assert engine is not None
    assert not engine.is_out
    engine.leave("the day is over", world.now)
    world.run(50 * MS)
    assert engine.is_out
    assert world.resting() == set()
    orders = engine.statistics().orders
    world.run(200 * MS)
    assert (engine.statistics().orders, world.resting()) == (orders, set())
    assert (engine.ready, engine.risk.switch.is_killed) == ("it leaves the market: the day is over", False)


def test_what_rests_there_that_nobody_knows_is_killed_too() -> None:
    world = World(hedged=False).run(250 * MS)
    engine = world.engine
    assert engine is not None
    market = world.venue.exchange.trading.markets[PERPETUAL]
    far = market.instrument.on_tick(world.venue.exchange.trading.marks[PERPETUAL] * 99 // 100)
    world.venue.exchange.request("mm", New(5, PERPETUAL, Side.BID, far, 10), world.venue.wall(world.now), 1)
    engine.kill("a person", "smoke", world.now)
    world.run(20 * MS)
    assert world.resting() == set()


def test_a_session_that_dies_leaves_its_orders_in_doubt_and_nothing_is_sent_until_the_venue_has_listed() -> None:
    world = World(hedged=False).run(250 * MS)
    engine = world.engine
    assert engine is not None
    assert world.ours()
    sent = len(world.gateways[0].sent)
    world.venue.kill(0, world.now)
    world.run(1 * MS)
    assert engine.ready.startswith("no list of the venue has agreed")
    world.run(300 * MS)
    assert len(world.gateways[0].sent) == sent
    world.run(3 * S)
    assert world.resting() == world.ours() == set()
    assert engine.statistics().uncertain == 0
    assert not any(isinstance(one, Rejected) for one in world.heard)


class Overpays:
    """Buy for more than anything is worth."""

    def __init__(self, options: Sequence[int]) -> None:
        self.options = options

    def decide(self, view: View, touched: Collection[int], /) -> Targets:
        targets = {}
        for one in set(touched) & set(self.options):
            ask = view.book(one).ask
            if ask is not None:
                targets[one] = [Want(Side.BID, ask.price, 10, TimeInForce.IOC, Flag(0))]
        return targets


class Raises:
    """Quote for a while, and raise."""

    def __init__(self, options: Sequence[int]) -> None:
        self.options = options
        self.raises = False

    def decide(self, view: View, touched: Collection[int], /) -> Targets:
        if self.raises:
            raise ValueError("a mistake")
        targets: dict[int, list[Want]] = {}
        for one in set(touched) & set(self.options):
            contract, fair = view.contracts[one], view.fair(one)
            if fair is not None:
                targets[one] = [Want(Side.BID, contract.down(fair.value / 2), 10, quote=True)]
        return targets


def test_a_strategy_that_raises_has_no_quotes_left_and_is_asked_no_more_until_a_person_arms() -> None:
    made: list[Raises] = []

    def strategy(options: Sequence[int]) -> Strategy:
        made.append(Raises(options))
        return made[0]

    world = World(hedged=False, strategy=strategy).run(300 * MS)
    engine = world.engine
    assert engine is not None
    assert world.resting()
    made[0].raises = True
    world.run(150 * MS)
    assert world.resting() == set()
    assert engine.ready == "the strategy has failed: ValueError: a mistake"
    made[0].raises = False
    world.run(100 * MS)
    assert world.resting() == set()
    engine.arm("the author", world.now)
    world.run(300 * MS)
    assert engine.ready == ""
    assert world.resting()


def test_a_desk_that_raises_is_asked_no_more_and_has_nothing_left(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(hedged=False).run(250 * MS)
    engine = world.engine
    assert engine is not None
    assert world.resting()

    def bad(*_: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(engine.desks[0].gate, "look", bad)
    world.run(300 * MS)
    assert world.resting() == world.ours() == set()
    assert engine.ready == "the desk of instrument 1015 has failed: KeyError: 'no such thing'"
    assert world.held() == world.positions()
    monkeypatch.undo()
    engine.arm("the author", world.now)
    world.run(300 * MS)
    assert engine.ready == ""
    assert world.resting()


@pytest.mark.parametrize("where", ["follow", "refit"])
def test_a_pricer_that_raises_has_no_quotes_left_behind(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(hedged=False).run(250 * MS)
    engine = world.engine
    assert engine is not None
    assert world.resting()

    def bad(*_: object) -> None:
        raise FloatingPointError("no number")

    monkeypatch.setattr(engine.pricer, where if where == "follow" else "_refit", bad)
    world.run(400 * MS)
    assert world.resting() == world.ours() == set()
    assert "no number" in str(engine.statistics().failed)
    assert engine.failed if where == "follow" else engine.pricer.broken


def test_a_clock_that_nobody_knows_takes_all_quotes_out_in_the_same_step() -> None:
    world = World(hedged=False).run(250 * MS)
    engine = world.engine
    assert engine is not None
    assert world.resting()
    world.clock_off = None
    engine.step(world.now, world.venue.wall(world.now), None)
    world.turn()
    assert world.resting() == set()


def test_what_cannot_be_written_down_is_not_sent_and_what_rests_leaves() -> None:
    world = World(hedged=False).run(250 * MS)
    engine = world.engine
    assert engine is not None
    assert world.resting()

    def full(_: object) -> None:
        raise OSError("no space left on device")

    engine.out._record = full
    engine.questions.doubt("deribit", world.now)
    world.run(1_200 * MS)
    assert world.resting() == set()
    assert engine.ready == "killed by the journal: OSError: no space left on device"


def test_a_loss_beyond_its_limit_kills_and_takes_everything_out() -> None:
    world = World(limits=Limits(loss={"BTC": 1e-6}), strategy=Overpays, hedged=False).run(300 * MS)
    engine = world.engine
    assert engine is not None
    assert engine.risk.switch.thrown is not None
    assert engine.risk.switch.thrown.by == "the limit of loss"
    assert world.resting() == world.ours() == set()
    assert world.positions() == world.held()


def test_limits_hold_at_the_venue_whatever_trades() -> None:
    world = World(limits=Limits(delta=12.0, position={None: 30, PERPETUAL: 100_000}, rate=500, burst=200))
    engine = world.engine
    assert engine is not None
    for _ in range(20):
        world.run(30 * MS)
        assert all(abs(held) <= 30 for one, held in world.positions().items() if one != PERPETUAL)
    assert engine.statistics().fills


def test_a_step_in_which_nothing_changed_does_nothing() -> None:
    world = World(hedged=False).run(250 * MS)
    engine = world.engine
    assert engine is not None
    while engine.deadline <= world.now:
        world.turn()
    steps, records = engine.statistics().steps, len(world.records)
    for _ in range(5):
        engine.step(world.now, world.venue.wall(world.now), world.clock_off)
        engine.wake(world.now, world.venue.wall(world.now), world.clock_off)
    assert (engine.statistics().steps, len(world.records)) == (steps, records)


def test_the_venue_is_asked_what_rests_now_and_then() -> None:
    world = World(settings=EngineSettings(list_ns=100 * MS)).run(450 * MS)
    asked = [one for one in world.records if isinstance(one, Decided) and isinstance(one.request, List)]
    assert 4 <= len(asked) <= 6


@pytest.mark.parametrize("refuses", [False, True])
def test_a_venue_that_lists_no_more_has_no_quotes_of_ours_until_it_does(refuses: bool) -> None:
    quick = EngineSettings(list_ns=100 * MS, again_ns=50 * MS, patience_ns=50 * MS)
    world = World(hedged=False, settings=quick).run(400 * MS)
    engine = world.engine
    assert engine is not None
    assert world.resting()
    honest = world.lister.pump

    def silent(now: int) -> list[Report]:
        told = [one for one in honest(now) if not isinstance(one, Listed)]
        return [*told, Rejected(0, Ask.LIST, Cause.RATE, "", None)] if refuses and engine.questions.deadline else told

    world.lister.pump = silent  # type: ignore[method-assign]
    world.run(600 * MS)
    assert world.resting() == world.ours() == set()
    assert engine.ready == "deribit does not answer what rests any more: look at its session that lists"
    assert engine.counters()["silent"] > 0
    world.lister.pump = honest  # type: ignore[method-assign]
    world.run(400 * MS)
    assert engine.ready == ""
    assert world.resting()


def test_what_nobody_could_read_has_the_venue_asked_at_once() -> None:
    world = World(hedged=False).run(3 * S)
    engine = world.engine
    assert engine is not None
    fill_lost = next(iter(sorted(world.ids)))
    world.venue.exchange.listed("mm")
    before = engine.counters()["lists"]
    engine.account.positions.adopt(fill_lost, 7, 1)  # stands for an execution that only one side knows of
    world.run(500 * MS)
    assert engine.counters()["lists"] == before
    engine.doubt(1, world.now)
    world.run(500 * MS)
    assert engine.counters()["lists"] > before
    assert engine.counters()["unread"] == 1
    assert engine.account.orders.in_doubt(fill_lost)
    assert fill_lost not in {one for one, _, _ in world.resting()}


def test_what_expires_is_closed_at_its_exercise_once_the_venue_holds_it_no_longer() -> None:
    expiry = 1_774_598_400 * S
    settings = EngineSettings(list_ns=100 * MS, again_ns=50 * MS)
    gate = GateSettings(settle_ns=0, min_expiry_ns=100 * MS, needs_worth=False)  # nothing has a worth so shortly before
    world = World(rate=400, wall_ns=expiry - 600 * MS, gate=gate, strategy=Overpays, hedged=False, settings=settings)
    world.run(400 * MS)
    engine = world.engine
    assert engine is not None
    assert len(world.held()) > 3
    world.run(600 * MS)
    assert world.resting() == world.ours() == set()
    assert world.held() == world.positions() == {}
    assert engine.account.agrees
    assert engine.ready == ""
    assert engine.statistics().counters["settled"] > 3
    sessions = {route.number: route.venue for route in world.routes}
    again = replayed(world.records, Account(world.contracts, sessions=sessions))
    assert _without_marks(again) == _without_marks(engine.account)


def test_a_hedge_goes_though_quotes_find_no_room_in_the_pace() -> None:
    world = World(rate=400, limits=Limits(rate=1, burst=15)).run(500 * MS)
    engine = world.engine
    assert engine is not None
    assert engine.risk.refused[Rule.RATE] > 0
    assert engine.statistics().hedges > 0


def test_two_desks_cannot_own_one_instrument() -> None:
    world = World()
    engine = world.engine
    assert engine is not None
    with pytest.raises(MisuseError, match="one desk owns an instrument"):
        type(engine)(
            engine.account, engine.board, engine.risk, engine.router, engine.pricer, engine.out._ids,
            desks=[*engine.desks, *engine.desks], record=world.records.append,
        )  # fmt: skip


def test_the_same_seed_gives_the_same_records() -> None:
    first, second, other = (World(seed=seed).run(250 * MS) for seed in (3, 3, 4))
    assert first.records == second.records != other.records
    kinds = {type(one.request) for one in first.records if isinstance(one, Decided)}
    assert {MassQuote, List} <= kinds
    assert CancelAll not in kinds


def test_what_expired_while_nobody_listed_it_any_more_is_closed_too() -> None:
    world = World(settings=EngineSettings(list_ns=100 * MS, again_ns=50 * MS), hedged=False)
    engine = world.engine
    assert engine is not None
    option = next(one for one in world.contracts.values() if one.is_option)
    gone = replace(option, index=7, name="GONE", expiry_ns=world.venue.wall(0) - S)
    engine.account.know({7: gone})
    engine.adopt("a journal", 7, 5, 1_000_000, world.now)
    world.run(300 * MS)
    assert 7 not in world.held()
    assert world.held() == world.positions()
    assert engine.account.agrees


def test_the_picture_says_how_much_of_expiry_and_margin_is_used() -> None:
    world = World(hedged=False, limits=Limits(expiry=50.0, margin_percent=80))
    assert world.engine is not None
    world.engine.margin(1, 4, "sim BTC", world.now)
    world.run(300 * MS)
    assert world.resting()
    used = {one.rule: (one.used, one.limit) for one in world.engine.picture().limits}
    assert used["margin"] == (25.0, 80)
    assert 0 < used["expiry"][0] <= 50
    world.engine.margin(9, 10, "sim BTC", world.now)
    world.turn()
    assert world.resting() == set()
