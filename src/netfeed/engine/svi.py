"""Raw SVI: the total variance of one expiry in five numbers, and how far it is from allowing free money.

    w(k) = a + b * (rho * (k - m) + sqrt((k - m)^2 + sigma^2)),  k = log(strike / forward),  w = volatility^2 * years

    butterfly   g(k) = (1 - k w'/2w)^2 - w'^2/4 (1/w + 1/4) + w''/2 is the density of the price, but for a positive
                factor: below 0 a butterfly costs less than nothing. And the wings' slopes b (1 +- rho) are at most 2.
    calendar    w falls nowhere from one expiry to a later one at the same k

Source: J. Gatheral, A. Jacquier, Arbitrage-free SVI volatility surfaces (2014), equations 2.1, 2.2 and lemma 2.2;
V. Durrleman, From implied to spot volatilities (2003), for g; R. Lee, The moment formula (2004), for the wings.
"""

from typing import Any, NamedTuple

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Svi(NamedTuple):
    """One expiry's total variance."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def variance(self, k: Any) -> Any:
        """Give the total variance at log(strike / forward)."""
        return variance(self.a, self.b, self.rho, self.m, self.sigma, k)

    def slope(self, k: Any) -> Any:
        """Give the change of total variance for 1 of k."""
        return slope(self.b, self.rho, self.m, self.sigma, k)

    def g(self, k: Any) -> Any:
        """Give Durrleman's function: negative where a butterfly is free money."""
        return g(self.a, self.b, self.rho, self.m, self.sigma, k)

    def wings(self) -> tuple[float, float]:
        """Give how steep the variance ends on the left and on the right, both as positive numbers: at most 2."""
        return self.b * (1.0 - self.rho), self.b * (1.0 + self.rho)


def variance(a: Any, b: Any, rho: Any, m: Any, sigma: Any, k: Any) -> Any:
    """Give the total variance; the numbers may be arrays that fit each other."""
    x = k - m
    return a + b * (rho * x + np.sqrt(x * x + sigma * sigma))


def slope(b: Any, rho: Any, m: Any, sigma: Any, k: Any) -> Any:
    """Give its first derivative."""
    x = k - m
    return b * (rho + x / np.sqrt(x * x + sigma * sigma))


def g(a: Any, b: Any, rho: Any, m: Any, sigma: Any, k: Any) -> Any:
    """Give Durrleman's function; minus infinity where there is no positive variance."""
    w, first = variance(a, b, rho, m, sigma, k), slope(b, rho, m, sigma, k)
    second = b * sigma * sigma / ((k - m) ** 2 + sigma * sigma) ** 1.5
    good = w > 0
    w = np.where(good, w, 1.0)
    density = (1.0 - 0.5 * k * first / w) ** 2 - 0.25 * first * first * (1.0 / w + 0.25) + 0.5 * second
    return np.where(good, density, -np.inf)


def butterfly(svi: Svi, k: Floats) -> float:
    """Give the least of g over a grid and beyond: negative where there is free money in one expiry."""
    steep = 2.0 - max(svi.wings())
    return min(float(np.min(svi.g(k))), steep if steep < 0 else float("inf"))


def calendar(earlier: Svi, later: Svi, k: Floats) -> float:
    """Give the least that the variance grows by between two expiries, as a share of the earlier one's: negative where
    there is free money between them.
    """
    before = np.asarray(earlier.variance(k))
    return float(np.min((np.asarray(later.variance(k)) - before) / np.maximum(before, 1e-12)))
