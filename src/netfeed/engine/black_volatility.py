"""The volatility that makes a price, in bulk: the plain twin of `netfeed._core.option`.

The price is brought to that of the out-of-the-money option in units of sqrt(forward * strike) * discount: w(s), a
rising function of s = volatility * sqrt(years) that turns from convex to concave at s = sqrt(2|x|), where d1 is 0.
Householder's method of the third order then takes the root of a function that is nearly straight there:

    below the turn    1/log(w), because log(w) goes as -1/(s*s)
    above it          w itself
    above the middle  log(most - w), because what is missing of the most falls as exp(-s*s/8)

log(w) comes from the tails without their exponential, so that the smallest price that a double can hold has its root.
The first guess: below the turn the root of the limit of small s, which depends on one number; above it the quantile
of what is missing, but never less than the straight line from the turn, which is always short of the root. It is
within an eighth of the root, and two steps end within rounding.

Source: the three functions and Householder's method after P. Jaeckel, Let's be rational (2015); the quantile after
S. Winitzki, A handy approximation for the error function (2008).
"""

from typing import Any, Final, NamedTuple

import numpy as np

from netfeed.engine.black import ROOT_TWO_PI, SMALL, Numbers, check_target, log_ratio, valid
from netfeed.engine.black_tail import Floats, mills, mills_fall
from netfeed.engine.black_words import MOST_SPREAD, Code

ROUNDINGS: Final = 8 * 2.0**-53
"""How much of itself a price may be below intrinsic value and still be meant as just that."""
TRIES, STEPS = 3, 12
"""How many steps a guess from outside has before our own takes its place, and how many that one has."""
CLOSE: Final = 1e-4
"""Where Newton's step is less than this of s, what Householder's leaves is its fourth power: less than a rounding."""
TINY: Final = 1e-290
LIFT: Final = 2.0**100
"""Prices below TINY are taken this many times: the smallest doubles have fewer digits to take a logarithm of."""
WINITZKI: Final = 0.147
BELOW: Final = (
    1 / ROOT_TWO_PI,
    0.025621377469616,
    0.0374423022002669,
    0.0223341862376638,
    0.0582155749938428,
    0.118224873454358,
    0.0266129002339609,
)
"""x/s = r*r (B0 + B1 r + B2 r^2 + B3 r^3)/(1 + B4 r + B5 r^2 + B6 r^3 + B3/sqrt(2) r^4) with r = sqrt(log(1 + x/w))
is within 5e-4 of the root a of w = x n(a) slope(a)/a: fitted by least powers to 460 values, a from 1e-8 to 40."""

Bools = np.ndarray[Any, np.dtype[np.bool_]]


class Target(NamedTuple):
    """What is known of the options whose s is searched."""

    x: Floats
    """|log(forward/strike)|."""
    most: Floats
    """What w rises to: the smaller of forward and strike / their mean."""
    turn: Floats
    """s where w turns from convex to concave."""
    log: Floats
    """log of the wanted w."""
    worth: Floats
    """The wanted w."""
    missing: Floats
    """`most` less the wanted w."""
    below: Bools
    """Whether the root is below the turn."""
    above: Bools
    """Whether it is above the middle."""


class Point(NamedTuple):
    """w and what belongs to it at some s."""

    log: Floats
    fall: Floats
    """w/w', for the derivative of w is the density itself."""
    density: Floats
    missing: Floats


def implied_volatility(
    kind: Numbers, price: Numbers, forward: Numbers, strike: Numbers, years: Numbers,
    discount: Numbers = 1.0, inverse: Numbers = False, guess: Numbers | None = None,
    volatilities: Floats | None = None, codes: "np.ndarray[Any, np.dtype[np.uint8]] | None" = None,
) -> tuple[Floats, "np.ndarray[Any, np.dtype[np.uint8]]"]:  # fmt: skip
    """Give the volatilities that make prices, and for each a `Code`; NaN where it is not OK.

    A price of intrinsic value to within `ROUNDINGS` gives 0. `guess` is a volatility to start from, such as the last
    one; what is no positive number there is no guess. It changes how long it takes, and not what is found.

    Units: as `price_and_greeks`. Accurate to what the price determines: an error of the price / its vega.
    Raises: ValueError when the shapes do not fit.
    """
    arguments = (kind, price, forward, strike, years, discount, np.nan if guess is None else guess, inverse)
    given = np.broadcast_arrays(*(np.asarray(value) for value in arguments))
    sign, p, F, K, T, D, start = (array.astype(np.float64).reshape(-1) for array in given[:7])
    volatilities = np.empty(len(F)) if volatilities is None else volatilities
    codes = np.empty(len(F), np.uint8) if codes is None else codes
    check_target(volatilities, np.float64, len(F))
    check_target(codes, np.uint8, len(F))
    with np.errstate(all="ignore"):
        value = p * np.where(given[7].astype(bool).reshape(-1), F, 1.0) / D
        intrinsic, bound = np.maximum(sign * (F - K), 0.0), np.where(sign > 0, F, K)
        codes[:] = Code.OK
        codes[value < intrinsic * (1.0 - ROUNDINGS)] = Code.BELOW_INTRINSIC
        codes[value >= bound] = Code.ABOVE_BOUND
        codes[T <= 0] = Code.EXPIRED
        codes[~(valid(sign, F, K, T, D) & np.isfinite(value))] = Code.BAD_INPUT
        volatilities[:] = np.where(codes == Code.OK, 0.0, np.nan)
        outside = value - intrinsic
        # at the strike itself a w that is no double any more has an s that is none either
        some = (outside > ROUNDINGS * intrinsic) & ((F != K) | (outside / np.sqrt(F * K) > 0))
        sought = np.flatnonzero((codes == Code.OK) & some)
        root = np.sqrt(T[sought])
        wanted = target(F[sought], K[sought], outside[sought], (bound - value)[sought])
        volatilities[sought] = _spread(wanted, start[sought] * root) / root
    return volatilities, codes


def solve_one(
    kind: int, price: float, forward: float, strike: float, years: float, discount: float = 1.0,
    inverse: bool = False, guess: float | None = None,
) -> tuple[float, int]:  # fmt: skip
    """Give the volatility that makes one price, and its `Code`, as `implied_volatility` does."""
    volatilities, codes = implied_volatility(kind, price, forward, strike, years, discount, inverse, guess)
    return float(volatilities[0]), int(codes[0])


def target(forward: Floats, strike: Floats, outside: Floats, missing: Floats) -> Target:
    """Bring the value of options out of the money, and what it is short of the most, to w."""
    mean, least = np.sqrt(forward * strike), np.minimum(forward, strike)
    x, most = np.abs(log_ratio(forward, strike)), least / mean
    turn = np.sqrt(2.0 * x)
    lift = np.where(outside < TINY, LIFT, 1.0)
    log = log_ratio(outside * lift, mean) - np.log(lift)
    worth, missing = outside / mean, missing / mean
    at_turn = _at_turn(most, turn)
    return Target(x, most, turn, log, worth, missing, worth < at_turn, missing < worth)


def at(wanted: Target, s: Floats) -> Point:
    """Give w and its companions at s."""
    a, t = wanted.x / s, 0.5 * s
    exponent = -0.5 * (a * a + t * t)
    density = np.exp(exponent) / ROOT_TWO_PI
    inside, a = a >= t, np.minimum(a, 100.0)
    near, far = mills(np.abs(a - t)), mills(a + t)
    missing = np.where(inside, wanted.most - density * (near - far), density * (near + far))
    fall = np.where(inside, near - far, wanted.most / density - near - far)
    fall = np.where(t < SMALL * (a + 1.0), mills_fall(a, t), fall)
    return Point(exponent + np.log(fall / ROOT_TWO_PI), fall, density, missing)


def _at_turn(most: Floats, turn: Floats) -> Floats:
    """Give w at the turn, well enough to say on which side of it a price is."""
    share: Floats = np.where(turn < 1e-3, turn, ROOT_TWO_PI / 2.0 - mills(turn))
    return most / ROOT_TWO_PI * share


def _spread(wanted: Target, start: Floats) -> Floats:
    """Find s, from a guess from outside where there is one and it leads there, else from our own."""
    s, done = _search(wanted, np.where((start > 0) & (start <= MOST_SPREAD), start, np.nan), TRIES)
    if not np.all(done):
        s[:] = np.where(done, s, _search(wanted, _guess(wanted), STEPS)[0])
    return s


def _search(wanted: Target, s: Floats, steps: int) -> tuple[Floats, Bools]:
    """Take steps until all have come close, and say which have."""
    done = np.zeros(s.shape, np.bool_)
    for _ in range(steps):
        newton, step = _householder(wanted, s)
        after = s + step
        close = (np.abs(newton) <= CLOSE * s) & (after > 0) & (after <= MOST_SPREAD)
        s, done = np.where(done, s, after), done | close
        if np.all(done | np.isnan(s)):
            break
    return s, done


def _guess(wanted: Target) -> Floats:
    guess: Floats = np.where(wanted.below, _guess_below(wanted), _guess_above(wanted))
    return guess


def _guess_below(wanted: Target) -> Floats:
    """Take the root of the formula's limit at small s: w = x n(a) slope(a)/a, with a = x/s and slope of `mills`."""
    r = np.sqrt(np.log1p(np.exp(np.minimum(np.log(wanted.x) - wanted.log, 700.0))))
    above = BELOW[0] + r * (BELOW[1] + r * (BELOW[2] + r * BELOW[3]))
    under = 1.0 + r * (BELOW[4] + r * (BELOW[5] + r * (BELOW[6] + r * (BELOW[3] / 2.0**0.5))))
    found: Floats = np.minimum(wanted.x * under / (above * r * r), wanted.turn)
    return found


def _guess_above(wanted: Target) -> Floats:
    """Take the quantile of what is missing, as if the two tails that make it kept their ratio of the turn."""
    p = 0.5 * wanted.missing / wanted.most / (0.5 + mills(wanted.turn) / ROOT_TWO_PI)
    tail = np.minimum(np.log(4.0 * p * (1.0 - p)), 0.0)
    half = 2.0 / (np.pi * WINITZKI) + 0.5 * tail
    d1 = np.sqrt(2.0 * np.maximum(np.sqrt(half * half - tail / WINITZKI) - half, 0.0))
    line = wanted.turn + (wanted.worth - _at_turn(wanted.most, wanted.turn)) * ROOT_TWO_PI / wanted.most
    found: Floats = np.maximum(d1 + np.sqrt(d1 * d1 + 2.0 * wanted.x), line)
    return found


def _householder(wanted: Target, s: Floats) -> tuple[Floats, Floats]:
    """Give Newton's step and Householder's of the third order.

    `second`, `third` are w''/w', w'''/w'; `bend`, `twist` what the function g adds that is nearly straight: w' g''/g'
    and w' w' g'''/g'.
    """
    point = at(wanted, s)
    square = (wanted.x / s) ** 2 / s
    second = square - 0.25 * s
    third = second * second - 3.0 * square / s - 0.25
    newton, bend, twist = _straightened(wanted, point)
    second, third = second + bend, third + 3.0 * bend * second + twist
    return newton, newton * (1.0 + 0.5 * newton * second) / (1.0 + newton * (second + newton * third / 6.0))


def _straightened(wanted: Target, point: Point) -> tuple[Floats, Floats, Floats]:
    """Give Newton's step for g and what g adds to the higher derivatives, for the g of each place on the curve."""
    log, rate = point.log, 1.0 / point.fall
    below = (
        log * (wanted.log - log) / wanted.log * point.fall,
        -(1.0 + 2.0 / log) * rate,
        (2.0 + (6.0 + 6.0 / log) / log) * rate * rate,
    )
    none = np.zeros_like(log)
    between = (wanted.worth / point.density - point.fall, none, none)
    rate = point.density / point.missing
    above = (np.log(point.missing / wanted.missing) / rate, rate, 2.0 * rate * rate)
    newton, bend, twist = (
        np.where(wanted.below, low, np.where(wanted.above, high, middle))
        for low, middle, high in zip(below, between, above, strict=True)
    )
    return newton, bend, twist
