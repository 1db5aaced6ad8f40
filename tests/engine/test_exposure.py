"""Exposure: kept step by step, and always what a sum over everything gives; integers, so equal and not nearly."""

from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from netfeed.book.level import Side
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.exposure import SCALE, Exposure, scaled, sensitivity

CONTRACTS = {
    1: Contract(1, "C1", Payoff.CALL, "BTC", True, -4, -1, 5, 1, strike=1.0, expiry_ns=100),
    2: Contract(2, "P1", Payoff.PUT, "BTC", True, -4, -1, 5, 1, strike=1.0, expiry_ns=100),
    3: Contract(3, "C2", Payoff.CALL, "BTC", True, -4, -1, 5, 1, strike=1.0, expiry_ns=200),
    4: Contract(4, "F", Payoff.FUTURE, "BTC", True, -1, 0, 5, 1, multiplier=10.0, expiry_ns=100),
}
INSTRUMENTS = st.sampled_from(sorted(CONTRACTS))
UNITS = st.floats(-2, 2, allow_nan=False)
STEPS = st.one_of(
    st.tuples(st.just("open"), INSTRUMENTS, st.sampled_from(Side), st.integers(0, 50)),
    st.tuples(st.just("position"), INSTRUMENTS, st.integers(-50, 50), st.none()),
    st.tuples(st.just("units"), INSTRUMENTS, st.none() | st.tuples(UNITS, UNITS, UNITS), st.none()),
)


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE, FINITE, st.integers(-12, 3))
@example(0.5, 2.5, -2.5, -18)  # half to even
@example(5e-324, 1.7976931348623157e308, -0.0, -18)
def test_a_sensitivity_is_the_number_as_it_is_written_rounded_once(
    delta: float, gamma: float, vega: float, exponent: int
) -> None:
    contract = Contract(1, "C1", Payoff.CALL, "BTC", True, -4, exponent, 5, 1, strike=1.0, expiry_ns=100)
    by_fractions = (round(Fraction(repr(one)) * Fraction(10) ** (18 + exponent)) for one in (delta, gamma, vega))
    assert sensitivity(contract, delta, gamma, vega) == tuple(by_fractions)


@given(st.lists(STEPS, max_size=40))
def test_the_sums_are_those_of_everything_added_up(steps: list[tuple[str, int, object, int]]) -> None:
    exposure = Exposure(CONTRACTS)
    position = dict.fromkeys(CONTRACTS, 0)
    open_there = {(one, side): 0 for one in CONTRACTS for side in Side}
    units = dict.fromkeys(CONTRACTS)
    for what, one, value, more in steps:
        if what == "open":
            exposure.add_open(one, value, more - open_there[one, value])
            open_there[one, value] = more
        elif what == "position":
            position[one] = value
            exposure.set_position(one, value)
        else:
            units[one] = None if value is None else sensitivity(CONTRACTS[one], *value)
            exposure.set_sensitivity(one, units[one])
    for which in range(3):
        down = up = 0
        for one in CONTRACTS:
            unit = (units[one] or (0, 0, 0))[which]
            ways = [position[one] * unit, open_there[one, Side.BID] * unit, -open_there[one, Side.ASK] * unit]
            up += ways[0] + sum(way for way in ways[1:] if way > 0)
            down += ways[0] + sum(way for way in ways[1:] if way < 0)
        assert exposure.worst(which) == (down, up)
    for expiry in (100, 200):
        gross = sum(
            max(abs(position[one] + open_there[one, Side.BID]), abs(position[one] - open_there[one, Side.ASK]))
            for one, contract in CONTRACTS.items()
            if contract.is_option and contract.expiry_ns == expiry
        )
        assert exposure.of_expiry(expiry) == gross * SCALE // 10
    used = {one for one in CONTRACTS if position[one] or any(open_there[one, side] for side in Side)}
    assert exposure.unknown == {one for one in used if units[one] is None}


def test_how_far_an_instrument_can_come_counts_one_side_only() -> None:
    exposure = Exposure(CONTRACTS)
    exposure.set_position(1, -3)
    exposure.add_open(1, Side.BID, 5)
    exposure.add_open(1, Side.ASK, 7)
    assert (exposure.furthest(1, Side.BID), exposure.furthest(1, Side.ASK)) == (2, 10)
    assert (exposure.furthest(1, Side.BID, 4), exposure.furthest(1, Side.ASK, 4)) == (6, 14)
    assert exposure.with_more(1, Side.BID, 9) == exposure.with_more(1, Side.BID, 0) + SCALE // 10
    assert exposure.with_more(4, Side.BID, 9) == 0


def test_numbers_become_integers_as_they_are_written() -> None:
    assert scaled(0.1) == SCALE // 10
    assert sensitivity(CONTRACTS[1], 0.5, float("nan"), 0.0) is None
    assert sensitivity(CONTRACTS[1], 0.5, 1e-5, 12.0) == (SCALE // 20, SCALE // 10**6, 12 * SCALE // 10)
    assert Exposure({}).size(9, 2) == 2 * SCALE
    assert Exposure(CONTRACTS).size(4, 2) == 20 * SCALE
