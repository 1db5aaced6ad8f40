"""A chain that hangs together: parity holds, prices move with the index as Black says, and the seed names it."""

import pytest

from netfeed.engine.contract import YEAR_NS
from netfeed.engine.option import CALL, PUT, Code, implied_volatility
from netfeed.sim.exchange_check import check
from netfeed.sim.matching import ASK, BID
from netfeed.sim.order_venue import order_venue
from netfeed.sim.priced_chain import WINGS, forward, priced_chain
from netfeed.sim.starbase_chain import INDEX, INDEXES, NANO
from netfeed.sim.venue import Settings
from netfeed.wire.starbase import InstrumentFlags, InstrumentType

AT_NS = 1_795_976_400 * NANO  # a Sunday
INDEX_NOW = INDEXES[INDEX][1]


def test_there_are_a_perpetual_and_two_expiries_on_fridays_at_eight() -> None:
    chain = priced_chain(AT_NS)
    days = sorted({one.expiry_ns for one in chain if one.expiry_ns is not None})
    assert [(day // NANO) % (7 * 86_400) for day in days] == [86_400 + 8 * 3_600] * 2  # 1970 began on a Thursday
    assert days[0] - AT_NS > 5 * 86_400 * NANO
    assert len(chain) == 1 + 2 * (1 + 2 * (2 * WINGS + 1)) == len({one.id for one in chain})
    assert len({one.name for one in chain}) == len(chain)


@pytest.mark.parametrize("index", [INDEX_NOW, INDEX_NOW * 9 // 10, INDEX_NOW * 11 // 10])
def test_calls_less_puts_are_worth_what_the_future_says(index: int) -> None:
    fair = {one.name: one.fair(index) for one in priced_chain(AT_NS)}
    for one in priced_chain(AT_NS):
        if one.type == InstrumentType.OPTION and one.name.endswith("-C"):
            strike, future = one.strike, fair[one.name.rsplit("-", 2)[0]]
            assert strike is not None
            assert fair[one.name] - fair[f"{one.name[:-1]}P"] == pytest.approx(NANO * (1 - strike / future), abs=3)


@pytest.mark.parametrize("seed", range(20))
def test_every_option_has_a_volatility_that_a_market_could_have(seed: int) -> None:
    for one in priced_chain(AT_NS, seed):
        if one.strike is None or one.expiry_ns is None:
            continue
        years = (one.expiry_ns - AT_NS) / YEAR_NS
        kind = PUT if one.flags & InstrumentFlags.IS_PUT_OPTION else CALL
        at, price = forward(INDEX_NOW, years) / NANO, one.fair(INDEX_NOW) / NANO
        volatility, code = implied_volatility(kind, price, at, one.strike / NANO, years, inverse=True)
        assert code[0] == Code.OK
        assert 0.3 < volatility[0] < 0.9


def test_the_seed_and_the_opening_name_the_chain() -> None:
    prices = [[one.fair(INDEX_NOW) for one in priced_chain(AT_NS, seed)] for seed in (7, 7, 8)]
    assert prices[0] == prices[1] != prices[2]
    assert [one.name for one in priced_chain(AT_NS, 7)] == [one.name for one in priced_chain(AT_NS, 8)]


def test_the_price_follows_the_index_wherever_it_has_been() -> None:
    call = next(one for one in priced_chain(AT_NS) if one.name.endswith("-90000-C"))
    there, higher, back = call.fair(INDEX_NOW), call.fair(INDEX_NOW + 500 * NANO), call.fair(INDEX_NOW)
    assert there == back < higher


def test_a_venue_of_this_chain_trades_and_adds_up() -> None:
    at_ns = AT_NS
    venue = order_venue(Settings(seed=7, rate=2_000, wall_ns=at_ns), [], listing=priced_chain(at_ns, 7))
    while venue.deadline <= NANO:
        venue.wake(venue.deadline)
        for port in range(8):
            venue.transmit(port)
    trading = venue.exchange.trading
    assert check(trading) == []
    assert all(market.best(side) for market in trading.markets.values() for side in (BID, ASK))
