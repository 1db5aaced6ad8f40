"""Accounts that ask for anything: after each step everything adds up, and fills are those of a plain exchange."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.execution import Amend, Cancel, Filled, Flag, New, TimeInForce
from netfeed.book.level import Side
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_log import audit
from netfeed.sim.exchange_match import SelfMatch
from netfeed.sim.exchange_trading import Outcome, Permit
from netfeed.sim.starbase_chain import NANO
from netfeed.sim.terms import MONEY
from tests.sim.exchange_oracle import Oracle
from tests.sim.exchange_worlds import START_NS, World, markets

STEPS = 250
MODES = {name: SelfMatch(number) for number, name in enumerate(("ann", "bob", "cid"))}
PERPETUAL = 1001
ASKED = st.lists(
    st.tuples(
        st.sampled_from(["GTC", "GTC", "GTC", "IOC", "FOK", "passive", "amend", "cancel"]),
        st.sampled_from(sorted(MODES)), st.integers(0, 1), st.integers(-4, 4), st.integers(1, 9), st.integers(0, 30),
    ),
    max_size=60,
)  # fmt: skip


@pytest.mark.parametrize("bump_ns", [0, 200_000_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_every_step_money_positions_limits_and_books_add_up(seed: int, bump_ns: int) -> None:
    world = World(seed, bump_ns=bump_ns)
    for _ in range(STEPS):
        world.step()
        assert check(world.exchange.trading) == []
    assert audit(world.exchange.log.steps) == []
    told = [one.report for step in world.exchange.log.steps for one in step.deliveries]
    assert sum(isinstance(report, Filled) for report in told) > 30


def test_the_messages_of_the_feed_make_the_same_books() -> None:
    world = World(7, bump_ns=50_000_000)
    for _ in range(STEPS):
        world.step()
        assert world.copy.orders == world.copy.of(world.exchange)
    assert world.copy.orders


def test_one_seed_is_one_history() -> None:
    logs = []
    for seed in (5, 5, 6):
        world = World(seed, bump_ns=50_000_000)
        for _ in range(60):
            world.step()
        logs.append(list(world.exchange.log.steps))
    assert logs[0] == logs[1] != logs[2]


def test_what_accounts_were_told_gives_their_positions() -> None:
    world = World(11)
    for _ in range(STEPS):
        world.step()
    for account in ("ann", "bob", "cid", "dot"):
        held: dict[int, int] = {}
        for _, _, report in world.exchange.log.reports(account):
            if isinstance(report, Filled):
                signed = report.quantity if report.side == Side.BID else -report.quantity
                held[report.instrument] = held.get(report.instrument, 0) + signed
        listed = world.exchange.listed(account).positions
        assert {one.instrument: one.quantity for one in listed} == {k: v for k, v in held.items() if v}


@settings(max_examples=60, deadline=None)
@given(ASKED)
def test_fills_are_those_of_the_plainest_exchange(asked: list[tuple[str, str, int, int, int, int]]) -> None:
    exchange, oracle = Exchange(markets(1)), Oracle(MODES)
    for name, mode in MODES.items():
        exchange.join(name, Permit(self_match=mode), 10**9 * MONEY)
    mark = exchange.trading.marks[PERPETUAL]
    names: list[tuple[str, int]] = []
    for number, (what, account, side, steps, lots, pick) in enumerate(asked, 1):
        price, quantity, now = mark + steps * NANO // 2, lots * 10, START_NS + number
        if what not in ("amend", "cancel"):
            names.append((account, number))
            force = TimeInForce[what] if what != "passive" else TimeInForce.GTC
            flags = Flag.POST_ONLY_REJECT if what == "passive" else Flag(0)
            request = New(number, PERPETUAL, Side(side), price, quantity, force, flags)
            assert matched(exchange.new(account, request, now)) == oracle.new(names[-1], side, price, quantity, what)
        elif names:
            owner, client_id = names[pick % len(names)]
            live, plain = exchange.trading.orders.find(owner, client_id), oracle.find((owner, client_id))
            assert (live is None) == (plain is None)
            if live is None:
                continue
            if what == "cancel":
                exchange.cancel(owner, Cancel(client_id, PERPETUAL), now)
                oracle.cancel((owner, client_id))
            else:
                change = Amend(client_id, PERPETUAL, price, live.filled + quantity, live.flags)
                fills = matched(exchange.amend(owner, change, now))
                assert fills == oracle.amend((owner, client_id), price, quantity)
    resting = [(live.account, live.client_id, live.price, live.left) for live in exchange.trading.orders]
    assert sorted(resting) == sorted((*one.name, one.price, one.left) for one in oracle.resting)
    assert check(exchange.trading) == []


def matched(outcome: Outcome) -> list[tuple[object, ...]]:
    """List fills as the oracle tells them: maker, taker, price, quantity."""
    fills: dict[object, dict[bool, tuple[str, Filled]]] = {}
    for account, _, report in outcome.deliveries:
        if isinstance(report, Filled):
            fills.setdefault(report.match_id, {})[bool(report.maker)] = (account, report)
    return [
        ((both[True][0], both[True][1].client_id), (both[False][0], both[False][1].client_id), both[True][1].price,
         both[True][1].quantity)
        for both in fills.values()
    ]  # fmt: skip
