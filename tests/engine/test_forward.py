"""The forward: parity of both kinds of options, the best source, wrong books left out, and its age."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.state import BookState
from netfeed.engine.forward import (
    Forward,
    Forwards,
    ForwardSettings,
    Mark,
    Pair,
    Source,
    from_future,
    from_parity,
    mark,
)
from netfeed.engine.option import CALL, PUT, price_and_greeks
from tests.engine.stage import CALL as A_CALL
from tests.engine.stage import CONTRACTS, Stage

SETTINGS = ForwardSettings()
STRIKES = (80_000.0, 90_000.0, 100_000.0, 110_000.0, 125_000.0)


def around(price: float, half: float, at_ns: int = 5) -> Mark:
    return Mark(price - half, price + half, at_ns)


def pairs(forward: float, half: float, *, inverse: bool, discount: float = 1.0) -> list[Pair]:
    """Calls and puts as Black prices them, with the same spread everywhere."""
    found = []
    for strike in STRIKES:
        values, _ = price_and_greeks([CALL, PUT], forward, strike, 0.1, 0.6, discount, inverse)
        found.append(Pair(strike, around(values[0, 0], half), around(values[0, 1], half)))
    return found


@settings(max_examples=25)
@given(forward=st.floats(75_000, 130_000), inverse=st.booleans(), discount=st.floats(0.9, 1.0))
def test_parity_gives_the_forward_that_prices_were_made_of(forward: float, inverse: bool, discount: float) -> None:
    # an option paid in coin is worth value / forward, discounted, so that only 1 fits the formula without a discount
    by = 1.0 if inverse else discount
    half = 0.0005 if inverse else 20.0
    found = from_parity(pairs(forward, half, inverse=inverse, discount=by), SETTINGS, inverse=inverse, discount=by)
    assert found is not None
    assert found.value == pytest.approx(forward, rel=1e-5)
    assert found.source is Source.PARITY
    assert found.used == len(STRIKES)


def test_a_pair_that_the_others_contradict_is_left_out_and_the_oldest_mark_is_the_age() -> None:
    good = pairs(100_000.0, 10.0, inverse=False)
    wrong = replace(good[2], call=around(good[2].call.mid + 500.0, 1.0))
    old = replace(good[0], put=replace(good[0].put, at_ns=2))
    found = from_parity([old, good[1], wrong, good[3], good[4]], SETTINGS, inverse=False)
    assert found is not None
    assert found.value == pytest.approx(100_000.0, abs=1e-6)
    assert (found.used, found.at_ns) == (4, 2)


def test_narrow_pairs_weigh_more() -> None:
    narrow, wide = pairs(100_000.0, 1.0, inverse=False)[:2], pairs(100_010.0, 20.0, inverse=False)[2:]
    found = from_parity([*narrow, *wide], SETTINGS, inverse=False)
    assert found is not None
    assert found.value == pytest.approx(100_000.0, abs=0.1)
    assert found.error < 2.0


def test_too_few_or_too_wide_pairs_say_nothing() -> None:
    assert from_parity([], SETTINGS, inverse=True) is None
    assert from_parity(pairs(100_000.0, 1.0, inverse=False)[:1], SETTINGS, inverse=False) is None
    assert from_parity(pairs(100_000.0, 1e4, inverse=False), SETTINGS, inverse=False) is None
    assert from_parity([Pair(1e5, Mark(0.9, 2.5, 1), Mark(0.0, 0.1, 1))] * 3, SETTINGS, inverse=True) is None


def test_a_book_that_cannot_be_believed_gives_no_mark() -> None:
    stage, contract = Stage(), CONTRACTS[A_CALL]
    book = stage.board.book(A_CALL)
    assert mark(contract, book, 7) == Mark(contract.number(290), contract.number(315), 7)
    stage.show(A_CALL, ((290, 1),), ())
    assert mark(contract, book, 7) is None
    stage.books.judge(A_CALL, False)
    stage.show(A_CALL, ((400, 1),), ((400, 1),))
    assert mark(contract, book, 7) is None
    stage.show(A_CALL, ((290, 1),), ((315, 1),))
    stage.books.to(A_CALL, BookState.SUSPECT)
    assert mark(contract, book, 7) is None


def test_the_surest_source_wins_and_is_left_only_for_one_that_is_clearly_better() -> None:
    forwards = Forwards()
    parity = pairs(100_000.0, 10.0, inverse=False)
    assert forwards.update("x", 0.1, pairs=parity) == from_parity(parity, SETTINGS, inverse=False)
    error = forwards.get("x").error  # type: ignore[union-attr]
    close, better = around(100_001.0, 0.8 * error), around(100_001.0, 0.6 * error)
    assert forwards.update("x", 0.1, pairs=parity, future=close).source is Source.PARITY  # type: ignore[union-attr]
    assert forwards.update("x", 0.1, pairs=parity, future=better) == from_future(better)
    assert forwards.update("x", 0.1, future=close) == from_future(close)


def test_nothing_that_can_be_believed_leaves_the_last_forward_with_its_age() -> None:
    forwards = Forwards()
    assert forwards.update("x", 0.1) is None
    before = forwards.update("x", 0.1, future=around(1e5, 5.0, at_ns=3))
    assert forwards.update("x", 0.1) is before
    assert forwards.update("x", 0.1, future=around(1e5, 5_000.0)) is before
    assert before is not None
    assert before.at_ns == 3


def test_without_a_basis_the_spot_is_as_unsure_as_its_carry() -> None:
    found = Forwards().update("x", 0.1, spot=around(1e5, 1.0))
    assert found is not None
    assert (found.value, found.source) == (1e5, Source.SPOT)
    assert found.error == pytest.approx(1.0 + 1e5 * 0.01005, rel=1e-3)
    assert Forwards().update("x", 1.0, spot=around(1e5, 1.0)) is None, "more than two per cent is no forward"


def test_the_spot_carries_the_last_basis_and_grows_less_sure_with_time() -> None:
    forwards = Forwards()
    forwards.update("x", 0.1, future=around(101_000.0, 5.0, at_ns=0), spot=around(100_000.0, 1.0, at_ns=0))
    found = forwards.update("x", 0.1, spot=around(102_000.0, 1.0, at_ns=0))
    assert found is not None
    assert found.value == pytest.approx(102_000.0 * 1.01)
    later = forwards.update("x", 0.1, spot=around(102_000.0, 1.0, at_ns=100 * 10**9))
    assert later is not None
    assert later.error - found.error == pytest.approx(1e-6 * 10 * 102_000.0 * 1.01)


def test_a_basis_is_not_given_up_for_one_that_is_less_sure() -> None:
    forwards, spot = Forwards(), around(100_000.0, 1.0, at_ns=0)
    forwards.update("x", 0.1, future=around(101_000.0, 5.0, at_ns=0), spot=spot)
    forwards.update("x", 0.1, future=around(101_400.0, 500.0, at_ns=0), spot=spot)
    found = forwards.update("x", 0.1, spot=spot)
    assert found is not None
    assert found.value == pytest.approx(101_000.0)
    forwards.update("x", 0.1, future=around(101_200.0, 4.0, at_ns=0), spot=spot)
    surer = forwards.update("x", 0.1, spot=spot)
    assert surer is not None
    assert surer.value == pytest.approx(101_200.0)


def test_in_the_hot_step_the_forward_follows_the_spot() -> None:
    forwards = Forwards()
    assert forwards.move("x", 0.1, around(1e5, 1.0)) is None
    forwards.update("x", 0.1, future=around(101_000.0, 5.0, at_ns=0), spot=around(100_000.0, 1.0, at_ns=0))
    moved = forwards.move("x", 0.1, around(100_100.0, 1.0, at_ns=9))
    assert moved == forwards.get("x")
    assert isinstance(moved, Forward)
    assert moved.value == pytest.approx(100_100.0 * 1.01)
    assert (moved.at_ns, moved.source) == (9, Source.FUTURE)
    assert forwards.move("x", 0.1, around(100_100.0, 9_000.0)) is moved
