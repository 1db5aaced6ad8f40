"""Prices and Greeks of European options by Black (1976), in bulk: the plain twin of `netfeed._core.option`.

An option on a forward, paid at the expiry and discounted. One on a spot price with interest and carry (Black and
Scholes) is one on the forward spot * exp((rate - carry) * years), with discount exp(-rate * years).

`inverse` options are priced in the underlying and settled in it, as Deribit's: price = value / forward. Their
`NET_DELTA` is that of a position whose premium was paid in coin: delta - price, for the coins paid are coins no longer
held. For all others it is the delta. All other Greeks are of the value in the quote currency for both kinds, as
Deribit's tickers tell them: divide by the forward for coins.

How: with x = log(forward/strike), s = volatility * sqrt(years), a = |x|/s, t = s/2 and the density E of the normal law
at sqrt(a*a + t*t), the out-of-the-money option is worth sqrt(forward * strike) * E * (mills(a - t) - mills(a + t)): one
exponential and two ratios that never vanish, far out in the wings too. The other option is intrinsic value more.

Source: F. Black, The pricing of commodity contracts (1976); normalised as in P. Jaeckel, Let's be rational (2015).
"""

from typing import Any, Final, NamedTuple

import numpy as np

from netfeed.engine.black_tail import Floats, mills, mills_fall
from netfeed.engine.black_words import LEAST, MOST, MOST_SPREAD, ROWS, Code

ROOT_TWO_PI: Final = 2.5066282746310002
LOG_2: Final = 0.6931471805599453
SMALL: Final = 1 / 200
"""Where t is less than this of a + 1 the difference of two tails is taken as a series."""

Numbers = Any
"""An array of numbers, or one number for all options."""


class Tails(NamedTuple):
    """The out-of-the-money option in units of sqrt(forward * strike) * discount, and the law's tails that make it."""

    density: Floats
    """E: n(d1) forward / sqrt(forward * strike), which is n(d2) strike / sqrt(forward * strike)."""
    near: Floats
    """E mills(|a - t|)."""
    far: Floats
    """E mills(a + t)."""
    worth: Floats
    inside: "np.ndarray[Any, np.dtype[np.bool_]]"
    """Whether a >= t."""


def price_and_greeks(
    kind: Numbers, forward: Numbers, strike: Numbers, years: Numbers, volatility: Numbers,
    discount: Numbers = 1.0, inverse: Numbers = False,
    values: Floats | None = None, codes: "np.ndarray[Any, np.dtype[np.uint8]] | None" = None,
) -> tuple[Floats, "np.ndarray[Any, np.dtype[np.uint8]]"]:  # fmt: skip
    """Price options and give their Greeks: a row a value (see `Row`), a column an option.

    `kind` is CALL (1) or PUT (-1). Every argument is an array or one number for all. `values` (the first rows of `Row`,
    at most `ROWS`) and `codes` are written when given, else made.

    Nothing raises for what a number is: what is not a number gives NaN and BAD_INPUT. At the expiry and after it
    (EXPIRED), and at no volatility, the price is intrinsic value, the delta its step (a half at the strike), and all
    else 0; at the strike itself gamma and theta have no finite limit, and 0 stands for them.

    Units: `forward` and `strike` in the quote currency, and so the price, but an inverse one in the underlying; `years`
    of whatever length `volatility` is for; `volatility` 1 for a hundred per cent. GAMMA is the change of delta for 1 of
    the forward; VEGA, VANNA and VOLGA are the changes of value, delta and vega for a volatility of 1; THETA is the
    change of value in a year that passes with the forward at rest, interest included.
    Accurate to 1e-12 of the price and 1e-9 of each Greek where |log(strike/forward)| <= 3, 1e-4 <= s <= 5 and the price
    is above 1e-300 of sqrt(forward * strike); VANNA and VOLGA, which pass through 0, of what their terms are.
    Raises: ValueError when the shapes do not fit.
    """
    given = np.broadcast_arrays(*(np.asarray(v) for v in (kind, forward, strike, years, volatility, discount, inverse)))
    sign, F, K, T, v, D = (array.astype(np.float64).reshape(-1) for array in given[:6])
    coin = given[6].astype(bool).reshape(-1)
    values = np.empty((ROWS, len(F))) if values is None else values
    codes = np.empty(len(F), np.uint8) if codes is None else codes
    if values.ndim != 2 or not 1 <= len(values) <= ROWS:
        raise ValueError(f"values have 1 to {ROWS} rows")
    check_target(values[0], np.float64, len(F))
    check_target(codes, np.uint8, len(F))
    with np.errstate(all="ignore"):
        good = valid(sign, F, K, T, D) & (v >= 0) & (v <= MOST_SPREAD)
        rows = _rows(sign, F, K, np.maximum(T, 0.0), v, D, coin)
        for row, found in zip(values, rows, strict=False):
            row[:] = np.where(good, found, np.nan)
    codes[:] = np.where(good, np.where(T > 0, Code.OK, Code.EXPIRED), Code.BAD_INPUT)
    return values, codes


def check_target(array: "np.ndarray[Any, Any]", kind: type, count: int) -> None:
    """Refuse an array that cannot be written. Raises: ValueError."""
    if array.dtype != kind or array.shape != (count,):
        raise ValueError(f"{count} options are written to {array.shape} of {array.dtype}, which do not hold them")


def price_one(
    kind: int, forward: float, strike: float, years: float, volatility: float, discount: float = 1.0,
    inverse: bool = False,
) -> tuple[tuple[float, ...], int]:  # fmt: skip
    """Price one option as `price_and_greeks` does: its values in the order of `Row`, and its `Code`."""
    values, codes = price_and_greeks(kind, forward, strike, years, volatility, discount, inverse)
    return tuple(values[:, 0].tolist()), int(codes[0])


def valid(sign: Floats, forward: Floats, strike: Floats, years: Floats, discount: Floats) -> Any:
    """Say of which options everything has a meaning but the volatility or the price."""
    good = np.abs(sign) == 1
    for amount in (forward, strike, discount):
        good = good & (amount >= LEAST) & (amount <= MOST)
    return good & (years <= MOST_SPREAD) & (years >= -MOST_SPREAD)


def log_ratio(above: Floats, below: Floats) -> Floats:
    """Give log(above/below), exact to a rounding or two near 1 too, and where the ratio is no double."""
    (top, up), (bottom, down) = np.frexp(above), np.frexp(below)
    found: Floats = np.where(
        np.abs(above - below) < 0.5 * below,
        np.log1p((above - below) / below),
        np.log(top / bottom) + (up - down) * LOG_2,
    )
    return found


def tails(a: Floats, t: Floats, least: Floats) -> Tails:
    """Give the parts of an option out of the money; `least` is the smaller of forward and strike / their mean."""
    density = np.exp(-0.5 * (a * a + t * t)) / ROOT_TWO_PI
    a, inside = np.minimum(a, 100.0), a >= t
    near, far = density * mills(np.abs(a - t)), density * mills(a + t)
    apart = np.where(inside, near, least - near) - far
    worth = np.where(t < SMALL * (a + 1.0), density * mills_fall(a, t), apart)
    return Tails(density, near, far, worth, inside)


def _rows(
    sign: Floats, F: Floats, K: Floats, T: Floats, v: Floats, D: Floats, coin: "np.ndarray[Any, np.dtype[np.bool_]]"
) -> list[Floats]:
    root, mean, x = np.sqrt(T), np.sqrt(F * K), log_ratio(F, K)
    s = v * root
    still = s <= 1e-150
    s = np.where(still, 1e-150, s)
    t = 0.5 * s
    tail = tails(np.abs(x) / s, t, np.minimum(F, K) / mean)
    value = D * (mean * np.where(still, 0.0, tail.worth) + np.maximum(sign * (F - K), 0.0))
    first, second = _chances(sign, F, K, mean, tail)
    delta = sign * D * np.where(still, 0.5 * (1.0 + sign * np.sign(F - K)), first)
    net = sign * D * np.where(still, 0.5 * (1.0 + sign * np.sign(F - K)), second) * K / F
    d1, d2 = x / s + t, x / s - t
    dense = np.where(still, 0.0, D * mean * tail.density)
    vega = dense * root
    carry = np.where(T > 0, -np.log(D) * value / T, 0.0)
    theta = carry - np.where(still, 0.0, 0.5 * dense * v / root)
    vanna, volga = -dense / F * (d2 / v), vega * d1 * d2 / v
    zero = still | (tail.density == 0)
    return [
        np.where(coin, value / F, value), delta, np.where(zero, 0.0, dense / (F * F * s)), vega, theta,
        np.where(coin, net, delta), np.where(zero, 0.0, vanna), np.where(zero, 0.0, volga),
    ]  # fmt: skip


def _chances(sign: Floats, F: Floats, K: Floats, mean: Floats, tail: Tails) -> tuple[Floats, Floats]:
    """Give N(sign d1) and N(sign d2), each from the tail that is small."""
    up = F >= K
    small, far = tail.near * mean / np.minimum(F, K), tail.far * mean / np.maximum(F, K)
    near = np.where(tail.inside, small, 1.0 - small)
    away = np.where(tail.inside, 1.0 - small, small)
    out = (sign > 0) != up
    first = np.where(up, np.where(out, far, 1.0 - far), np.where(out, near, away))
    second = np.where(up, np.where(out, near, away), np.where(out, far, 1.0 - far))
    return first, second
