"""The tail of the normal law without its exponential, plain: Mills' ratio and its slope.

`mills(z)` is N(-z)/n(z) for z >= 0, with the distribution N and the density n, so that a tail far out keeps all its
digits and a difference of two tails needs one exponential. `mills_slope(z)` is 1 - z mills(z), which is minus the
derivative of `mills`; beyond z = 3 that subtraction would lose what a price in the wings is made of, so that it has a
series of its own.

Both are a polynomial in 1/(z + 4), mapped onto [-1, 1] for 0 <= z <= 100: Chebyshev's series, from values of 50
digits, cut where a term is less than 4e-17 of the whole. Beyond z = 100 no price that a double can hold comes from
them, and the value at 100 stands.
"""

from typing import Any, Final

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

FARTHEST: Final = 100.0
SHIFT: Final = 4.0
MIDDLE, SCALE = 1.08, 8.32
"""1/(z + SHIFT) times -SCALE, plus MIDDLE, goes from -1 to 1 as z goes from 0 to FARTHEST."""
MILLS: Final = (
    -4.49908473624433e-10, -1.6842671647523894e-09, 2.7859607863492174e-09, 1.834988394999371e-08,
    1.6474505310828682e-09, -1.0821762891417939e-07, -1.2397794481101285e-07, 4.694876393994075e-07,
    1.153807946901629e-06, -1.6845720409058136e-06, -8.178407886749042e-06, 5.58306029969103e-06,
    5.5600204937405055e-05, -2.813107621330045e-05, -0.00040069042800494994, 0.0003899100859752454,
    0.003004911543145707, -0.007750033265425551, -0.013777017506097047, 0.13234492152865177,
    -0.4365873200946171, 0.9483272586776766, -1.5389685981637773, 1.9532880878486552,
)  # fmt: skip
SLOPE: Final = (
    -1.4657307856816795e-08, -2.5914322858695317e-08, 1.2253659982826678e-07, 3.135094712251294e-07,
    -4.1406447912723085e-07, -2.0703695008486068e-06, -5.910487678148007e-08, 1.023257174141138e-05,
    1.0289745431437965e-05, -4.394056946251827e-05, -8.899468795826719e-05, 0.00018739467123666409,
    0.0005948343363323536, -0.0009699690508473231, -0.0037030859620769967, 0.007403901086677327,
    0.020670468823373603, -0.07696736404864113, -0.03244188944714959, 0.7361205021716878,
    -2.3180793413832967, 4.259524693139693, -5.1263240750713255, 3.615374173865534,
)  # fmt: skip


def mills(z: Floats) -> Floats:
    """Give N(-z)/n(z) for z >= 0, within 8 roundings."""
    near = 1.0 / (np.minimum(z, FARTHEST) + SHIFT)
    return near * _polynomial(MILLS, MIDDLE - SCALE * near)


def mills_slope(z: Floats) -> Floats:
    """Give 1 - z N(-z)/n(z) for z >= 0, within 16 roundings."""
    near = 1.0 / (np.minimum(z, FARTHEST) + SHIFT)
    return near * near * _polynomial(SLOPE, MIDDLE - SCALE * near)


def mills_fall(a: Floats, t: Floats) -> Floats:
    """Give mills(a - t) - mills(a + t) for 0 <= t <= a, without cancellation where t is small beside a + 1.

    There it is the series in odd powers of t; every derivative of `mills` follows from the two before.
    """
    first = -mills_slope(a)
    second = mills(a) + a * first
    third = 2.0 * first + a * second
    fourth = 3.0 * second + a * third
    fifth = 4.0 * third + a * fourth
    square = t * t
    return -2.0 * t * (first + square * (third / 6.0 + square * (fifth / 120.0)))


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    found = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        found = found * x + coefficient
    return found
