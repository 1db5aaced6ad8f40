"""Two clocks: the narrowest look is the one to believe, a line gives the drift, and a step is told from slewing."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.clock import Look, StepWatch, narrowest, relate

OFFSET = 1_700_000_000 * 10**9


def looks(seed: int, count: int, *, drift: float = 0.0, jitter_ns: int = 0, gap_ns: int = 10_000_000) -> np.ndarray:
    """Look at a clock that drifts, through brackets that are wide now and then."""
    draws, found = random.Random(seed), []
    for k in range(count):
        before = k * gap_ns
        bracket = 40 + (draws.randrange(5_000) if draws.random() < 0.3 else 0)
        true = before + draws.randrange(bracket // 2 - 5, bracket // 2 + 5) + draws.randrange(-jitter_ns, jitter_ns + 1)
        found.append((before, OFFSET + true + round(drift * true), before + bracket))
    return np.array(found, np.int64)


def test_the_narrowest_look_is_chosen() -> None:
    found = narrowest(np.array([(0, 500, 900), (1000, 1120, 1040), (2000, 2900, 2800)], np.int64))
    assert found == Look(at_ns=1020, offset_ns=100, bracket_ns=40)


@given(st.integers(0, 1000), st.sampled_from([0.0, 1e-6, -3e-5, 4e-4]))
def test_the_drift_is_found_in_spite_of_wide_brackets(seed: int, drift: float) -> None:
    told = relate(looks(seed, 400, drift=drift))
    assert told.drift_ppb == pytest.approx(drift * 1e9, abs=25)
    assert told.bracket_ns == 40
    assert told.residual_ns < 100
    assert told.looks >= 200


def test_one_moment_makes_no_line() -> None:
    for few in (looks(1, 1), np.repeat(looks(1, 1), 4, axis=0)):
        with pytest.raises(ValueError, match="two moments"):
            relate(few)


@given(st.integers(0, 1000), st.floats(-5e-4, 5e-4))
def test_what_is_slewed_is_no_step(seed: int, drift: float) -> None:
    watch, all_looks = StepWatch(), looks(seed, 400, drift=drift, jitter_ns=200)
    for k in range(0, 400, 10):
        watch.look(narrowest(all_looks[k : k + 10]))
    assert watch.found == []


@given(st.integers(0, 1000), st.sampled_from([60_000_000, -60_000_000, 300_000, -(10**9)]), st.integers(1, 39))
def test_a_step_is_found_once_with_its_size_and_its_time(seed: int, step_ns: int, when: int) -> None:
    watch, all_looks = StepWatch(), looks(seed, 400, drift=1e-5)
    all_looks[when * 10 :, 1] += step_ns
    told = [watch.look(narrowest(all_looks[k : k + 10])) for k in range(0, 400, 10)]
    assert [k for k, moved in enumerate(told) if moved] == [when]
    assert told[when] == pytest.approx(step_ns, abs=10_000)
    ((at_ns, moved),) = watch.found
    assert moved == told[when]
    assert all_looks[when * 10, 0] <= at_ns <= all_looks[when * 10 + 9, 2]


def test_a_wide_bracket_is_no_step() -> None:
    watch = StepWatch()
    assert watch.look(Look(0, 0, 40)) == 0
    assert watch.look(Look(1_000, 900_000, 2_000_000)) == 0
