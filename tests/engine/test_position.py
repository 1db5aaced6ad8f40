"""Positions and gains: against a ledger of single units in fractions, flips through zero, inverse contracts, fees."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.execution import Filled
from netfeed.book.level import Side
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.position import Positions

CASH = Fraction(1, 10**18)
LINEAR = Contract(1, "ETH_USDC-PERPETUAL", Payoff.PERPETUAL, "ETH", False, -2, -3, 5, 1)
INVERSE = Contract(2, "BTC-27NOV26", Payoff.FUTURE, "BTC", True, -1, 0, 5, 10, multiplier=10.0)
OPTION = Contract(3, "BTC-27NOV26-60000-C", Payoff.CALL, "BTC", True, -4, -1, 5, 1, strike=60_000.0, expiry_ns=1)
ODD_SIZE = Contract(4, "X", Payoff.FUTURE, "X", False, -12, -9, 1, 1, multiplier=0.1)
CONTRACTS = {one.index: one for one in (LINEAR, INVERSE, OPTION, ODD_SIZE)}

TRADES = st.lists(st.tuples(st.integers(-9, 9).filter(bool), st.integers(1, 2_000)), min_size=1, max_size=12)


class BruteForce:
    """Average cost with fractions, and what a contract pays written down as a person would."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.quantity, self.realised = 0, Fraction(0)
        self.lots: list[Fraction] = []  # what each unit that is held has cost, all alike after each trade

    def worth(self, price: int) -> Fraction:
        number = Fraction(price) * Fraction(10) ** self.contract.price_exponent
        size = Fraction(10) ** self.contract.quantity_exponent * Fraction(str(self.contract.multiplier))
        reciprocal = self.contract.inverse and not self.contract.is_option
        return -size / number if reciprocal else size * number

    def trade(self, quantity: int, price: int) -> None:
        step = 1 if quantity > 0 else -1
        for _ in range(abs(quantity)):
            if self.quantity * step < 0:
                self.realised += -step * (self.worth(price) - self.lots.pop())
            else:
                self.lots.append(self.worth(price))
            self.quantity += step
        if self.lots:
            average = sum(self.lots, Fraction(0)) / len(self.lots)
            self.lots = [average] * len(self.lots)

    def unrealised(self, mark: int) -> Fraction:
        side = 1 if self.quantity > 0 else -1
        return sum((side * (self.worth(mark) - lot) for lot in self.lots), Fraction(0))


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda one: one.name)
@settings(max_examples=50)
@given(trades=TRADES, mark=st.integers(1, 2_000))
def test_gains_are_those_of_a_ledger_of_single_units(
    contract: Contract, trades: list[tuple[int, int]], mark: int
) -> None:
    positions, truth = Positions(CONTRACTS), BruteForce(contract)
    for quantity, price in trades:
        positions.trade(contract.index, quantity, price)
        truth.trade(quantity, price)
    positions.mark(contract.index, mark)
    held = positions[contract.index]
    allowed = len(trades) * 2 * CASH
    assert held.quantity == truth.quantity
    assert abs(held.realised * CASH - truth.realised) <= allowed
    assert abs(held.unrealised * CASH - truth.unrealised(mark)) <= allowed
    # what the shares of a basis move between the two comes back in their sum: only trades were rounded, once each
    exact = contract in (LINEAR, OPTION)
    total = truth.realised + truth.unrealised(mark)
    off = abs((held.realised + held.unrealised) * CASH - total)
    assert off == 0 if exact else off <= (len(trades) + 1) * CASH / 2


@settings(max_examples=50)
@given(trades=TRADES)
def test_what_is_realised_is_what_flowed_and_what_is_still_held_cost(trades: list[tuple[int, int]]) -> None:
    positions, flowed = Positions(CONTRACTS), 0
    for quantity, price in trades:
        positions.trade(INVERSE.index, quantity, price)
        flowed += round(Fraction(quantity * 10 * 10**18) * 10 / price)
    held = positions[INVERSE.index]
    assert held.realised == flowed + held.basis
    if held.quantity == 0:
        assert held.basis == 0


def test_an_inverse_future_gains_its_dollars_by_the_reciprocals() -> None:
    positions = Positions(CONTRACTS)
    positions.trade(2, 1_000, 500_000)  # 10,000 dollars at 50,000.0
    positions.trade(2, -1_000, 625_000)
    assert positions[2].realised * CASH == 10_000 * (Fraction(1, 50_000) - Fraction(1, 62_500))
    assert positions.net("BTC") * CASH == Fraction(4, 100)
    assert positions.average(2) is None


def test_a_flip_through_zero_closes_what_was_held_and_opens_the_rest_at_the_new_price() -> None:
    positions = Positions(CONTRACTS)
    positions.trade(1, 3_000, 100_00)
    positions.trade(1, -5_000, 110_00)
    held = positions[1]
    assert (held.quantity, held.realised * CASH, positions.average(1)) == (-2_000, 30, 110_00)
    positions.mark(1, 105_00)
    assert held.unrealised * CASH == 10
    assert positions.net("USD") * CASH == 40


@pytest.mark.parametrize("contract", [LINEAR, INVERSE], ids=lambda one: one.name)
def test_the_average_price_is_that_of_the_contract(contract: Contract) -> None:
    positions = Positions(CONTRACTS)
    positions.trade(contract.index, 10, 1_000)
    positions.trade(contract.index, 30, 2_000)
    average = positions.average(contract.index)
    assert average is not None
    expected = Fraction(40, 1) / (Fraction(10, 1_000) + Fraction(30, 2_000)) if contract.inverse else Fraction(1_750)
    assert abs(average - expected) < Fraction(1, 10**12)


def test_an_option_priced_in_the_coin_pays_its_premium_in_the_coin() -> None:
    positions = Positions(CONTRACTS)
    positions.trade(3, -20, 415)  # 2 contracts sold at 0.0415
    assert positions[3].premium * CASH == Fraction(83, 1_000)
    assert positions.net("BTC") == 0 - positions[3].fees
    assert positions.unmarked == {3}
    positions.settle(3, 0)
    assert (positions[3].quantity, positions.net("BTC") * CASH, positions.unmarked) == (0, Fraction(83, 1_000), set())


def test_fees_are_those_that_the_venue_told_and_others_are_counted() -> None:
    positions = Positions(CONTRACTS)
    fill = Filled(1, 1, "v", "m", Side.BID, 100_00, 1_000, None, True, None, fee=25, fee_exponent=-4)
    positions.fill(fill)
    positions.fill(Filled(1, 1, "v", "n", Side.ASK, 100_00, 1_000, None, True, None))
    positions.fill(Filled(1, 1, "v", "o", Side.ASK, 100_00, 1_000, None, True, None, fee=-1, fee_exponent=0))
    assert positions[1].fees * CASH == Fraction(25, 10_000) - 1
    assert positions.fees_unknown == 1
    assert positions.totals("USD").fees == positions[1].fees


def test_totals_add_up_by_currency() -> None:
    positions = Positions(CONTRACTS, quote="USDC")
    for instrument in CONTRACTS:
        positions.trade(instrument, 100, 1_000)
        positions.mark(instrument, 1_100)
        positions.trade(instrument, -50, 1_200)
    assert sorted(positions.currencies()) == ["BTC", "USDC"]
    for currency, instruments in (("BTC", (2, 3)), ("USDC", (1, 4))):
        totals = positions.totals(currency)
        assert totals.realised == sum(positions[one].realised for one in instruments)
        assert totals.net == positions.net(currency) == sum(positions[one].net for one in instruments)


def test_a_trade_that_has_no_value_moves_the_position_and_is_counted() -> None:
    positions = Positions(CONTRACTS)
    positions.trade(2, 10, 0)
    positions.trade(99, 5, 100)
    assert (positions[2].quantity, positions[99].quantity, positions.unpriced) == (10, 5, 2)
    assert list(positions) == [2, 99]


def test_what_a_person_says_that_we_hold_is_held() -> None:
    positions = Positions(CONTRACTS)
    positions.trade(1, 10, 100)
    positions.adopt(1, -5, 110)
    assert (positions[1].quantity, positions.average(1)) == (-5, 110)
    before = positions.snapshot()
    positions.adopt(1, -5, 999)
    assert positions.snapshot() == before
