"""The ledger: what positions cost and pay, to the last digit, by the formulas that everybody knows."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.engine.contract import Payoff
from netfeed.errors import MisuseError
from netfeed.sim.ledger import FUND, Ledger
from netfeed.sim.starbase_chain import NANO, chain
from netfeed.sim.terms import MONEY, Fees, Terms, terms_of

INVERSE = Terms(1, "BTC-PERPETUAL", Payoff.PERPETUAL, True, "BTC")
LINEAR = Terms(2, "BTC_USDC-PERPETUAL", Payoff.PERPETUAL, False, "USDC", quantity_exponent=-4)
CALL = Terms(3, "CALL", Payoff.CALL, True, "BTC", quantity_exponent=-1, strike=90_000 * NANO, expiry_ns=10)
PUT = Terms(4, "PUT", Payoff.PUT, True, "BTC", quantity_exponent=-1, strike=90_000 * NANO, expiry_ns=10)
ALL = {terms.id: terms for terms in (INVERSE, LINEAR, CALL, PUT)}
NAMES = ("ann", "bob", "cid")
PRICES = {1: 90_000 * NANO, 2: 90_000 * NANO, 3: NANO // 20, 4: NANO // 20}


def ledger(**fees: Fees) -> Ledger:
    made = Ledger(ALL.values())
    for name in NAMES:
        made.open(name, fees.get(name))
        made.deposit(name, "BTC", 10 * MONEY)
        made.deposit(name, "USDC", 10_000 * MONEY)
    return made


def trade(made: Ledger, buyer: str, seller: str, instrument: int, quantity: int, price: int) -> None:
    made.fill(buyer, instrument, quantity, price, maker=True)
    made.fill(seller, instrument, -quantity, price, maker=False)


def coins(made: Ledger, name: str, currency: str = "BTC") -> Fraction:
    return Fraction(made.accounts[name].cash[currency], MONEY)


def near(left: Fraction, right: Fraction) -> bool:
    """Say whether two amounts are equal but for the rounding of a unit, 1e-24 for each of at most 1e8."""
    return abs(left - right) < Fraction(1, 10**15)


def test_an_inverse_future_pays_in_coins() -> None:
    made = ledger()
    trade(made, "ann", "bob", 1, 90_000, 90_000 * NANO)
    trade(made, "bob", "ann", 1, 90_000, 100_000 * NANO)
    gain = 90_000 * (Fraction(1, 90_000) - Fraction(1, 100_000))
    assert near(coins(made, "ann"), 10 + gain)
    assert coins(made, "ann") + coins(made, "bob") == 20
    assert made.check() == []


def test_a_linear_future_pays_in_dollars_and_a_part_that_is_closed_its_part() -> None:
    made = ledger()
    trade(made, "ann", "bob", 2, 30_000, 90_000 * NANO)  # three coins
    trade(made, "bob", "ann", 2, 10_000, 91_000 * NANO)
    assert coins(made, "ann", "USDC") == 11_000
    assert made.accounts["ann"].quantity(2) == 20_000
    trade(made, "cid", "ann", 2, 50_000, 89_000 * NANO)  # closes two, and turns
    assert coins(made, "ann", "USDC") == 9_000
    assert made.accounts["ann"].quantity(2) == -30_000
    assert LINEAR.price(made.accounts["ann"].holdings[2].basis, -30_000) == 89_000 * NANO
    assert made.check() == []


def test_an_option_is_paid_at_the_trade_and_pays_at_its_expiry() -> None:
    made = ledger()
    trade(made, "ann", "bob", 3, 20, NANO // 20)  # two calls at 0.05
    trade(made, "ann", "bob", 4, 20, NANO // 50)
    assert coins(made, "ann") == 10 - Fraction(2, 20) - Fraction(2, 50)
    for instrument in (3, 4):
        made.expire(instrument, 100_000 * NANO)
    assert coins(made, "ann") == 10 - Fraction(2, 20) - Fraction(2, 50) + 2 * Fraction(1, 10)
    assert coins(made, "ann") + coins(made, "bob") == 20
    assert made.check() == []
    with pytest.raises(MisuseError, match="has ended"):
        made.fill("ann", 3, 1, NANO, maker=True)


def test_a_settlement_pays_what_was_gained_and_changes_nothing_else() -> None:
    made = ledger()
    trade(made, "ann", "bob", 1, 90_000, 90_000 * NANO)
    units = {1: INVERSE.unit(95_000 * NANO)}
    before = made.equity("ann", units, "BTC")
    made.settle(1, 95_000 * NANO)
    assert made.equity("ann", units, "BTC") == before == made.accounts["ann"].cash["BTC"]
    assert made.accounts["ann"].quantity(1) == 90_000
    made.expire(1, 95_000 * NANO)
    assert made.accounts["ann"].cash["BTC"] == before
    assert made.check() == []


def test_fees_go_to_the_venue_and_a_rebate_comes_from_it() -> None:
    made = ledger(ann=Fees(maker=-100), bob=Fees(taker=500))
    trade(made, "ann", "bob", 1, 90_000, 90_000 * NANO)
    # Rounded up to 1e-12, in favour of the venue.
    assert 0 <= 10 + Fraction(1, 10_000) - coins(made, "ann") <= Fraction(1, 10**12)
    assert 0 <= 10 - Fraction(5, 10_000) - coins(made, "bob") + Fraction(1, 10**15) <= Fraction(1, 10**12)
    assert made.collected["BTC"] == 20 * MONEY - made.accounts["ann"].cash["BTC"] - made.accounts["bob"].cash["BTC"]
    assert made.check() == []


def test_the_fee_of_an_option_is_no_more_than_its_share_of_the_premium() -> None:
    fees = Fees(taker=300)
    assert fees.fee(CALL, NANO // 20, 10, maker=False) == 3 * MONEY // 10_000
    assert fees.fee(CALL, NANO // 1000, 10, maker=False) == 125 * MONEY // 1_000_000
    assert fees.fee(INVERSE, 90_001 * NANO, 10, maker=False) % 10**12 == 0


def test_the_fund_pays_what_nobody_can() -> None:
    made = ledger()
    trade(made, "ann", "bob", 3, 20, 6 * NANO)
    assert made.rescue("ann", "BTC") == 0
    made.expire(3, 1)
    assert made.rescue("ann", "BTC") == 2 * MONEY
    assert (made.accounts["ann"].cash["BTC"], made.accounts[FUND].cash["BTC"]) == (0, -2 * MONEY)
    assert made.check() == []


def test_what_does_not_add_up_is_said() -> None:
    made = ledger()
    made.fill("ann", 1, 10, NANO, maker=True)
    made.accounts["bob"].cash["BTC"] += 1
    made.accounts["cid"].fees["BTC"] = 5
    complaints = " ".join(made.check())
    assert "positions sum to 10" in complaints
    assert "more than was deposited" in complaints
    assert "fees paid are 5e-24" in complaints
    with pytest.raises(MisuseError, match="there is an account"):
        made.open("ann")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(sorted(ALL)), st.integers(1, 10**6),
            st.integers(500, 2_000),
        ),
        max_size=30,
    ),
    st.integers(1_000, 500_000),
)  # fmt: skip
def test_whatever_is_traded_nothing_is_made_or_lost(trades: list[tuple[str, str, int, int, int]], index: int) -> None:
    made = ledger(ann=Fees(maker=-100, taker=500), bob=Fees(taker=300))
    units = {number: terms.unit(PRICES[number]) for number, terms in ALL.items()}
    for buyer, seller, instrument, quantity, per_mille in trades:
        before = sum(made.equity(name, units, "BTC") for name in NAMES) + made.collected.get("BTC", 0)
        trade(made, buyer, seller, instrument, quantity, PRICES[instrument] * per_mille // 1_000)
        assert made.check() == []
        assert sum(made.equity(name, units, "BTC") for name in NAMES) + made.collected.get("BTC", 0) == before
    made.settle(1, index * NANO)
    assert made.check() == []
    for instrument in ALL:
        made.expire(instrument, index * NANO)
        assert made.check() == []
    for currency, total in made.deposited.items():
        cash = sum(account.cash.get(currency, 0) for account in made.accounts.values())
        assert cash + made.collected.get(currency, 0) == total


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(1, 10**6))
def test_the_average_price_of_two_buys_lies_between_them(first: int, second: int, quantity: int) -> None:
    for terms in ALL.values():
        prices = [value * NANO // 10 for value in (first, second)]
        basis = sum(quantity * terms.unit(price) for price in prices)
        average = terms.price(basis, 2 * quantity)
        assert average is not None
        slack = max(prices) // 10**9 + 1
        assert min(prices) - slack <= average <= max(prices) + slack


def test_terms_are_those_of_the_chain() -> None:
    perpetual, future, call, put = (terms_of(one) for one in chain()[:4])
    assert [one.payoff for one in (perpetual, future, call, put)] == [
        Payoff.PERPETUAL, Payoff.FUTURE, Payoff.CALL, Payoff.PUT
    ]  # fmt: skip
    assert (perpetual.inverse, perpetual.currency, call.currency) == (True, "BTC", "BTC")
    assert (call.delivery(100_000 * NANO), put.delivery(100_000 * NANO)) == (NANO // 5, 0)
    assert future.delivery(7) == 7
