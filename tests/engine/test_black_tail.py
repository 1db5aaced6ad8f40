"""The normal law's tail without its exponential, against numbers of 60 digits."""

import numpy as np
import pytest

from netfeed.engine.black_tail import FARTHEST, mills, mills_fall, mills_slope
from tests.engine.oracles import mpmath

ROUNDING = 2.0**-53
POINTS = np.concatenate([[0.0], np.geomspace(1e-9, FARTHEST, 400)])


def exact(z: "mpmath.mpf | float") -> "mpmath.mpf":
    z = mpmath.mpf(z)
    return mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(z * z / 2) * mpmath.erfc(z / mpmath.sqrt(2))


@pytest.fixture(autouse=True)
def _digits():  # type: ignore[no-untyped-def]
    with mpmath.workdps(60):
        yield


def test_mills_ratio_is_exact_to_eight_roundings() -> None:
    errors = [abs(found / exact(z) - 1) for z, found in zip(POINTS, mills(POINTS), strict=True)]
    assert max(errors) <= 8 * ROUNDING


def test_its_slope_is_exact_to_sixteen_roundings() -> None:
    errors = [abs(found / (1 - z * exact(z)) - 1) for z, found in zip(POINTS, mills_slope(POINTS), strict=True)]
    assert max(errors) <= 16 * ROUNDING


def test_beyond_the_farthest_its_value_stands() -> None:
    assert mills(np.array([1e3, np.inf])).tolist() == mills(np.array([FARTHEST, FARTHEST])).tolist()


@pytest.mark.parametrize("share", [1e-12, 1e-6, 1e-3, 1 / 200])
def test_the_difference_of_two_tails_keeps_its_digits(share: float) -> None:
    """As a share of a + 1, up to which the series is used."""
    a = np.array([0.0, 1e-3, 0.1, 1.0, 3.0, 10.0, 38.0])
    t = share * (a + 1.0)
    for k, found in enumerate(mills_fall(a, t)):
        left, right = mpmath.mpf(a[k]) - mpmath.mpf(t[k]), mpmath.mpf(a[k]) + mpmath.mpf(t[k])
        assert abs(found / (exact(left) - exact(right)) - 1) <= 1e-13
