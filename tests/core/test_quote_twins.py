"""The compiled hot step and its plain twins: the same quotes, the same mandates left, the same bytes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.build import PURE
from netfeed.engine import quote_step as plain
from netfeed.engine.quote_words import LIMIT, NO_STEP, ROW, SLOT, SPENT
from netfeed.wire import starbase_orders, starbase_quotes
from netfeed.wire.starbase_quotes import NO_PRICE, TERMS

if PURE:
    pytest.skip("the compiled core is not loaded with NETFEED_PURE=1", allow_module_level=True)

from netfeed._core import quote as core

prices = st.integers(-20, 400) | st.integers(-(2**40), 2**40)
quantities = st.integers(0, 3)
ticks = st.sampled_from([1, 5, 10])
numbers = st.floats(-0.1, 0.1) | st.sampled_from([0.0, 0.01, 1e-300, float("nan"), float("inf"), 1e300])
times = st.integers(0, 5)
maybe = st.just(NO_PRICE) | prices


@st.composite
def slots(draw: Any) -> tuple[Any, ...]:
    forward = draw(st.sampled_from([100.0, 100.2, 0.0, -1.0]))
    steps = sorted(draw(st.lists(st.integers(1, 300), max_size=3)))
    froms = [*steps, *[NO_STEP] * (3 - len(steps))]
    return (
        draw(st.floats(0, 0.05) | numbers), forward, draw(st.sampled_from([1.0, 1.001])), draw(numbers), draw(numbers),
        draw(numbers), draw(st.floats(0, 0.01)), draw(st.floats(-0.001, 0.01)), draw(st.floats(0, 0.001)),
        draw(st.floats(0, 1e-6)), draw(st.sampled_from([1e-4, 1e-1, 1.0])), draw(ticks), *froms,
        *[draw(ticks) for _ in range(3)], draw(maybe), draw(maybe), draw(maybe), draw(maybe),
        *[draw(quantities) for _ in range(4)], *[draw(st.integers(0, 3)) for _ in range(2)],
        *[draw(times) for _ in range(3)],
    )  # fmt: skip


limits = st.tuples(
    st.sampled_from([SPENT, 0, 3, 10]), st.just(2**62) | prices, st.just(-(2**62)) | prices, quantities, quantities
)
steps = st.lists(
    st.tuples(st.floats(99.5, 100.5) | st.sampled_from([99.0, float("nan")]), times, st.integers(0, 4)), max_size=4
)


@given(st.lists(st.tuples(slots(), limits), max_size=6), steps)
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
