"""The margin rule: what positions and orders need."""

from netfeed.sim.ledger import Ledger
from netfeed.sim.margin import Exposure, Marks, Rates, maintenance
from netfeed.sim.matching import ASK, BID
from netfeed.sim.terms import MONEY
from tests.sim.test_ledger import ALL, NANO

PRICES = {1: 100_000 * NANO, 2: 100_000 * NANO, 3: NANO // 20, 4: NANO // 20}
CALL, PUT, INVERSE, LINEAR = 3, 4, 1, 2


def marks(index: int = 100_000) -> Marks:
    return Marks(ALL, PRICES, index * NANO, Rates())


def test_a_future_needs_a_share_of_its_notional_either_way() -> None:
    for signed in (100_000, -100_000):
        assert marks().need(INVERSE, signed, keep=False) == MONEY // 50
        assert marks().need(INVERSE, signed, keep=True) == MONEY // 100
    assert marks().need(LINEAR, 10_000, keep=False) == 2_000 * MONEY


def test_a_long_option_needs_nothing_and_a_short_one_less_when_it_is_out_of_the_money() -> None:
    assert marks().need(CALL, 10, keep=False) == marks().need(CALL, 10, keep=True) == 0
    # The call of 90,000 is in the money, the put 10 % out of it; 15 % less those are below the least, 10 %.
    assert marks().need(CALL, -10, keep=False) == 15 * MONEY // 100
    assert marks().need(PUT, -10, keep=False) == MONEY // 10
    assert marks(92_000).need(PUT, -10, keep=False) in range(128 * MONEY // 1000, 129 * MONEY // 1000)
    assert marks().need(PUT, -10, keep=True) == 75 * MONEY // 1000


def test_orders_count_as_filled_on_the_side_that_needs_more() -> None:
    made = Ledger(ALL.values())
    account = made.open("ann")
    made.deposit("ann", "BTC", MONEY)
    made.fill("ann", INVERSE, 100_000, PRICES[INVERSE], maker=True)
    exposure = Exposure(account, made, marks())
    assert exposure.needs("BTC") == MONEY // 50
    exposure.add(INVERSE, ASK, PRICES[INVERSE], 150_000)
    assert exposure.needs("BTC") == MONEY // 50
    exposure.add(INVERSE, ASK, PRICES[INVERSE], 100_000)
    assert exposure.needs("BTC") == 3 * MONEY // 100
    exposure.add(INVERSE, BID, PRICES[INVERSE], 100_000)
    assert exposure.needs("BTC") == 4 * MONEY // 100
    assert (exposure.reach(INVERSE, BID), exposure.reach(INVERSE, ASK)) == (200_000, 150_000)
    exposure.add(INVERSE, BID, PRICES[INVERSE], -100_000)
    assert exposure.needs("BTC") == 3 * MONEY // 100
    assert exposure.needs("USDC") == 0
    assert exposure.equity("BTC") == MONEY
    assert maintenance(account, made, marks(), "BTC") == MONEY // 100


def test_an_order_at_a_bad_price_needs_what_it_loses_at_once() -> None:
    made = Ledger(ALL.values())
    exposure = Exposure(made.open("ann"), made, marks())
    exposure.add(LINEAR, BID, PRICES[LINEAR] + 1_000 * NANO, 10_000)
    assert exposure.needs("USDC") == 3_000 * MONEY
    exposure.add(LINEAR, BID, PRICES[LINEAR] + 1_000 * NANO, -10_000)
    exposure.add(LINEAR, BID, PRICES[LINEAR] - 1_000 * NANO, 10_000)
    assert exposure.needs("USDC") == 2_000 * MONEY
    exposure.add(LINEAR, ASK, PRICES[LINEAR] - 2_000 * NANO, 10_000)
    assert exposure.needs("USDC") == 4_000 * MONEY
    exposure.add(CALL, BID, PRICES[CALL] * 2, 10)
    assert exposure.needs("BTC") == MONEY // 20
