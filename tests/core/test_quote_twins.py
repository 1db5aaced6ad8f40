"""The compiled hot step and its plain twins: the same quotes, the same mandates left, the same bytes."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.build import PURE
from netfeed.engine import quote_step as plain
from netfeed.engine.hot_quotes import MAX_NEAR, MAX_TICK, MOST
from netfeed.engine.quote_words import LIMIT, NO_STEP, ROW, SLOT, SPENT
from netfeed.wire import starbase_orders, starbase_quotes
from netfeed.wire.starbase_quotes import NO_PRICE, TERMS

if PURE:
    pytest.skip("the compiled core is not loaded with NETFEED_PURE=1", allow_module_level=True)

from netfeed._core import quote as core

prices = st.integers(-20, 400) | st.integers(1 - MOST, MOST - 1)
quantities = st.integers(0, 3)
ticks = st.sampled_from([1, 5, 10, 10, 10**8, MAX_TICK])
numbers = st.floats(-200, 200) | st.sampled_from(
    [0.0, 0.01, 1e-300, float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 5e-324, -0.0, 9e14, 2.0**53]
)
times = st.integers(0, 5)
maybe = st.just(NO_PRICE) | prices


@st.composite
def slots(draw: Any) -> tuple[Any, ...]:
    """An option of about 20.0 in ticks of tenths, with steps of the tick about that."""
    steps = sorted(draw(st.lists(st.integers(150, 250), max_size=3)))
    froms = [*steps, *[NO_STEP] * (3 - len(steps))]
    near = st.just(NO_PRICE) | st.integers(150, 250)
    return (
        draw(st.floats(0, 40)), draw(st.sampled_from([100.0, 100.2])), draw(st.sampled_from([1.0, 1.001])),
        draw(st.floats(-10, 10)), draw(st.floats(-1, 1)), draw(st.floats(-1, 1)), draw(st.floats(0, 2)),
        draw(st.floats(-0.5, 1)), draw(st.floats(0, 0.5)), draw(st.floats(0, 0.01)), 0.1, draw(ticks), *froms,
        *[draw(ticks) for _ in range(3)], draw(near), draw(near), draw(near), draw(near),
        *[draw(quantities) for _ in range(4)], *[draw(st.integers(0, 5)) for _ in range(2)],
        *[draw(times) for _ in range(3)],
    )  # fmt: skip


@st.composite
def wild(draw: Any) -> tuple[Any, ...]:
    """Any numbers at all, where there may be any."""
    steps = st.integers(-400, 400) | st.integers(1 - MOST, NO_STEP)
    froms = sorted(draw(st.lists(steps, min_size=3, max_size=3)))
    return (
        *[draw(numbers) for _ in range(10)], draw(st.sampled_from([1e-9, 1e-4, 0.1, 1.0])), draw(ticks), *froms,
        *[draw(ticks) for _ in range(3)], *[draw(maybe) for _ in range(4)], *[draw(quantities) for _ in range(4)],
        *[draw(st.integers(0, 3) | st.just(MAX_NEAR)) for _ in range(2)], *[draw(times) for _ in range(3)],
    )  # fmt: skip


limits = st.tuples(
    st.sampled_from([10, 10, 10, 3, SPENT]), st.sampled_from([2**62, 2**62, 2**62, 200]),
    st.sampled_from([-(2**62), -(2**62), -(2**62), 200]), st.sampled_from([3, 3, 2]), st.sampled_from([3, 3, 2]),
)  # fmt: skip
steps = st.lists(
    st.tuples(
        st.floats(99.8, 100.2)
        | st.sampled_from([99.0, 0.0, -1.0, 1e308, 5e-324, float("nan"), float("inf"), -float("inf")]),
        times,
        st.sampled_from([6, 6, 6, 2, 0]),
    ),
    min_size=1,
    max_size=3,
)


@given(st.lists(st.tuples(slots() | slots() | wild(), limits), max_size=6), steps)
@settings(max_examples=200)
def test_a_step_gives_the_same_and_leaves_the_same(rows: list[Any], moves: list[tuple[float, int, int]]) -> None:
    told = []
    for kind in (plain, core):
        slot, limit = (np.array([row[which] for row in rows], dtype) for which, dtype in ((0, SLOT), (1, LIMIT)))
        before = slot.tobytes()
        step = kind.QuoteStep(slot, limit)
        told.append([
            (count := step.step(*move), step.rows[:count].tolist(), step.left.tolist(), limit.tolist())
            for move in moves
        ])  # fmt: skip
        assert slot.tobytes() == before
    assert told[0] == told[1]


def option(draws: Random) -> tuple[Any, ...]:
    """One that is quoted around its worth, as far from there as a quote may be."""
    worth, steps = draws.uniform(10, 30), sorted(draws.randint(100, 300) for _ in range(3))
    near = [int(worth * 10) + draws.randint(-30, 30) if draws.random() < 0.9 else NO_PRICE for _ in range(4)]
    sizes = [draws.choice([0, 5, 5, 5]) for _ in range(2)]
    return (
        worth, 100.0, 1.0, draws.uniform(-5, 5), draws.uniform(-5, 5), draws.uniform(-0.2, 0.2), draws.uniform(0.1, 1),
        draws.uniform(-0.1, 0.5), 0.0, draws.choice([0.0, 0.001]), 0.1, draws.choice([1, 5]), *steps,
        *[draws.choice([1, 2, 5, 10]) for _ in range(3)], *near, *[draws.randint(0, 6) for _ in range(2)], *sizes,
        *[draws.randint(0, 4) for _ in range(2)], *[draws.randint(0, 9) for _ in range(3)],
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_of_many_options_the_same_are_moved(seed: int) -> None:
    draws = Random(seed)
    slots_ = np.array([option(draws) for _ in range(1_000)], SLOT)
    granted = np.array([(9, draws.choice([2**62, 200]), 0, 5, 5) for _ in range(1_000)], LIMIT)
    told = []
    for kind in (plain, core):
        limit = granted.copy()
        step = kind.QuoteStep(slots_.copy(), limit)
        count = step.step(100.0 + 0.05 * seed, 5, 900)
        told.append((count, step.rows[:count].tolist(), step.left.tolist(), limit.tolist()))
    assert told[0] == told[1]
    assert told[0][0] > 300
    assert sum(told[0][2]) > 30


def terms(count: int) -> Any:
    return np.array([(1_000 + k, (10**5, 10**8)[k % 2], (-1, 0)[k % 2]) for k in range(count)], TERMS)


entries = st.lists(st.tuples(st.integers(0, 3), maybe, quantities, maybe, quantities), min_size=1, max_size=40)


@given(entries, st.integers(0, 2**40), st.integers(1, 2**30), st.integers(0, 2**16 - 1))
def test_frames_are_the_same_bytes_and_can_be_read(rows: list[Any], quote_id: int, sequence: int, flags: int) -> None:
    array = np.array(rows, ROW)
    out = []
    for kind in (starbase_quotes, core):
        frames = kind.QuoteFrames(terms(4), 5, flags)
        try:
            out.append(frames.write(array, len(rows), quote_id, 3, sequence, 8, 9))
        except ValueError as error:
            out.append(str(error)[:20].encode())
    if not out[0].startswith(b"\xdb"):
        assert not out[1].startswith(b"\xdb")
        return
    assert out[0] == out[1]
    at, found, numbers = 0, [], []
    while at < len(out[1]):
        size = starbase_orders.frame_size(out[1], at)
        assert size is not None
        header, body = starbase_orders.decode(out[1][at : at + size])
        numbers.append((header.sequenceNumber, body.correlationId, body.quoteId, body.mmpGroupId))
        found += [(one.instrumentId - 1_000, one.bidPrice, one.askPrice) for one in body.quotes]
        at += size
    assert numbers == [(sequence + k, sequence + k, quote_id, 3) for k in range(len(numbers))]
    factors = [int(one["factor"]) for one in terms(4)]
    wanted = [
        (slot, *(None if price == NO_PRICE else price * factors[slot] for price in (bid, ask)))
        for slot, bid, _, ask, _ in rows
    ]
    assert found == wanted


@pytest.mark.parametrize("kind", [plain, core])
def test_arrays_of_another_kind_are_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="of one length"):
        kind.QuoteStep(np.zeros(2, SLOT), np.zeros(1, LIMIT))
    with pytest.raises(ValueError, match="SLOT and LIMIT"):
        kind.QuoteStep(np.zeros(2, ROW), np.zeros(2, LIMIT))


@pytest.mark.parametrize("kind", [starbase_quotes, core])
def test_frames_of_rows_that_are_not_there_or_have_no_terms_are_refused(kind: Any) -> None:
    frames = kind.QuoteFrames(terms(2), 0, 1)
    rows = np.array([(2, 5, 1, 6, 1)], ROW)
    for count in (0, 2, 1):
        with pytest.raises(ValueError, match=r"rows that there are|has no terms"):
            frames.write(rows, count, 1, 0, 1, 0, 0)
    with pytest.raises(ValueError, match="does not fit"):
        frames.write(np.array([(0, 2**62, 1, NO_PRICE, 0)], ROW), 1, 1, 0, 1, 0, 0)
