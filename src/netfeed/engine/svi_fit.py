"""Find the SVI that fits best, and allows no free money: quasi-explicit, on a grid that closes in.

For a given m and sigma total variance is linear in three numbers. With x = (k - m) / sigma

    w = a + u (sqrt(x^2 + 1) + x) + v (sqrt(x^2 + 1) - x),   u = b sigma (1 + rho) / 2,   v = b sigma (1 - rho) / 2

and all that must hold is 0 <= u, v <= sigma (Lee's bound of the wings): least squares in a box of two sides, whose
answer is inside or on one of four edges, and so written down. What is left to search is m and sigma, on a grid whose
best node is the middle of the next and narrower one. Where the best curve of all allows free money - g negative, under
an earlier expiry, over a later one - it is searched again among those that do not, and each is moved up or down, whole,
between its neighbours. A point counts by its error, and less the further it lies off (Cauchy): one wrong price does not
bend the curve.

It takes milliseconds, tens of them where an expiry has hundreds of options. Who has other things to do besides takes it
round by round (`fitting`).

Source: S. De Marco, C. Martini, Quasi-explicit calibration of Gatheral's SVI model (Zeliade, 2009) for the split.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from netfeed.engine.svi import Floats, Svi, calendar, g, variance

NODES: Final = 11
"""Of the grid, each way."""
ROUNDS: Final = 13
SHRINK: Final = 0.45
"""The next grid's width: of the nodes beside the best one, none is lost."""
ROBUST: Final = 3
"""How often points are weighed anew."""
CAUCHY: Final = 2.4
"""From how many of its errors on a point loses weight."""
FORBIDDEN: Final = 1e9
TOLERANCE: Final = 1e-9
"""What of g or of the calendar may be negative and is called a rounding."""


@dataclass(frozen=True, slots=True)
class Points:
    """What to fit. Shape: three arrays of one length. Units: `k` log(strike/forward); the others total variance."""

    k: Floats
    variance: Floats
    error: Floats

    def __len__(self) -> int:
        return len(self.k)


class Neighbours(NamedTuple):
    """The expiries beside this one, where there are any."""

    earlier: Svi | None = None
    later: Svi | None = None


ALONE: Final = Neighbours()


class Fitted(NamedTuple):
    """The best curve. `misfit` is the root of the mean square in errors, points weighed as in the fit; `weights` those
    of the last round, 1 where a point was believed. `nearest` is the best one of all, free money or not.
    """

    svi: Svi
    nearest: Svi
    misfit: float
    weights: Floats


class _Start(NamedTuple):
    """Where to search: the middle of m and of log(sigma), how far to both sides, and how many times to close in."""

    m: float
    log_sigma: float
    reach: float
    reach_sigma: float
    rounds: int


def check_grid(k: Floats) -> Floats:
    """Give where arbitrage is looked for: over the points and as far again to both sides."""
    low, high = float(np.min(k)), float(np.max(k))
    reach = max(high - low, 0.1)
    return np.linspace(low - 0.5 * reach, high + 0.5 * reach, 61)


T = TypeVar("T")
Rounds = Generator[None, None, T]
"""Work that stops after each of its rounds, and gives T after the last."""


def whole(rounds: Rounds[T]) -> T:
    """Do all rounds at once."""
    while True:
        try:
            next(rounds)
        except StopIteration as end:
            done: T = end.value
            return done


def fit(points: Points, neighbours: Neighbours = ALONE, prior: Points | None = None) -> Fitted:
    """Give the SVI that is nearest to the points, with those of `prior` beside them.

    Raises: ValueError when there are no points at all.
    """
    return whole(fitting(points, neighbours, prior))


def fitting(points: Points, neighbours: Neighbours = ALONE, prior: Points | None = None) -> Rounds[Fitted]:
    """Do the same, a round of the search at a time."""
    given = points if prior is None else _joined(points, prior)
    if not len(given):
        raise ValueError("there is nothing to fit")
    grid, weights = check_grid(given.k), np.ones(len(given))
    bounds = _bounds(neighbours, grid)
    best = yield from _search(given, weights, _wide(given))
    for _ in range(ROBUST):
        off = np.abs(np.asarray(best.variance(given.k)) - given.variance) / given.error
        scale = CAUCHY * max(1.0, 1.4826 * float(np.median(off)))
        weights = 1.0 / (1.0 + (off / scale) ** 2)
        best = yield from _search(given, weights, _near(given, best))
    nearest = best
    if _forbidden([np.array([number]) for number in best], grid, bounds)[0] > 0:
        starts = (_near(given, best), _wide(given))
        allowed = []
        for start in starts:
            allowed.append((yield from _search(given, weights, start, grid, bounds)))
        best = min(allowed, key=lambda svi: _cost(svi, given, weights, grid, bounds))
    off = (np.asarray(best.variance(points.k)) - points.variance) / points.error
    believed = weights[: len(points)]
    misfit = float(np.sqrt(np.sum(believed * off * off) / np.sum(believed)))
    return Fitted(best, nearest, misfit, believed)


def _joined(points: Points, prior: Points) -> Points:
    return Points(*(np.concatenate(both) for both in zip(_arrays(points), _arrays(prior), strict=True)))


def _arrays(points: Points) -> tuple[Floats, Floats, Floats]:
    return points.k, points.variance, points.error


def _wide(points: Points) -> _Start:
    """Search everywhere."""
    low, high = float(np.min(points.k)), float(np.max(points.k))
    reach = max(high - low, 0.05)
    return _Start(0.5 * (low + high), float(np.log(0.3 * reach)), reach, 3.5, ROUNDS)


def _near(points: Points, svi: Svi) -> _Start:
    """Search around a curve."""
    wide = _wide(points)
    return _Start(svi.m, float(np.log(svi.sigma)), 0.2 * wide.reach, 0.7, ROUNDS - 2)


def _search(
    points: Points, weights: Floats, start: _Start, grid: Floats | None = None, bounds: Sequence[Floats | None] = ()
) -> Rounds[Svi]:
    """Close in on the best m and sigma; with a grid on the best that allows no free money on it."""
    at, half = np.array(start[:2]), np.array(start[2:4])
    steps = np.linspace(-1.0, 1.0, NODES)
    best, least = Svi(0.0, 0.0, 0.0, 0.0, 1.0), np.inf
    for _ in range(start.rounds):
        m, log_sigma = (axis.ravel() for axis in np.meshgrid(at[0] + half[0] * steps, at[1] + half[1] * steps))
        cost, curve = _solve(points, weights, m, np.exp(log_sigma))
        if grid is not None:
            shift = _shift(curve, grid, bounds)
            curve[0] = curve[0] + shift
            cost = cost + shift * shift * _certainty(points, weights) + _forbidden(curve, grid, bounds)
        first = int(np.argmin(cost))
        if cost[first] < least:
            least, best = float(cost[first]), Svi(*(float(column[first]) for column in curve))
            at = np.array([m[first], log_sigma[first]])
        half = half * SHRINK
        yield
    return best


def _cost(svi: Svi, points: Points, weights: Floats, grid: Floats, bounds: Sequence[Floats | None]) -> float:
    off = (np.asarray(svi.variance(points.k)) - points.variance) / points.error
    return float(np.mean(weights * off * off) + _forbidden([np.array([number]) for number in svi], grid, bounds)[0])


def _bounds(neighbours: Neighbours, grid: Floats) -> tuple[Floats | None, Floats | None]:
    earlier, later = neighbours
    return (
        None if earlier is None else np.asarray(earlier.variance(grid)),
        None if later is None else np.asarray(later.variance(grid)),
    )


def _solve(points: Points, weights: Floats, m: Floats, sigma: Floats) -> tuple[Floats, list[Floats]]:
    """Give the best curve at each node, and what it costs: the mean square of its misfit. Shape: a value a node."""
    x = (points.k - m[:, None]) / sigma[:, None]
    root = np.sqrt(x * x + 1.0)
    weight = weights / points.error**2
    certainty = _certainty(points, weights)
    weight = weight / np.sum(weight)
    p, q = root + x, root - x
    u, v, cost = _in_box(p, q, points.variance, weight, sigma)
    a = weight @ points.variance - u * (p @ weight) - v * (q @ weight)
    both = u + v
    rho = np.where(both > 0, (u - v) / np.where(both > 0, both, 1.0), 0.0)
    return cost * certainty, [a, both / sigma, rho, m, sigma]


def _certainty(points: Points, weights: Floats) -> float:
    """Give what turns a mean square of total variance into one of errors."""
    return float(np.sum(weights / points.error**2) / np.sum(weights))


def _in_box(p: Floats, q: Floats, y: Floats, weight: Floats, most: Floats) -> tuple[Floats, Floats, Floats]:
    """Give u and v in [0, most] with the least square of y - a - u p - v q for the best a, and that square."""
    p, q, y = p - (p @ weight)[:, None], q - (q @ weight)[:, None], y - weight @ y
    pp, pq, qq = (p * p) @ weight, (p * q) @ weight, (q * q) @ weight
    py, qy, yy = p @ (weight * y), q @ (weight * y), float(weight @ (y * y))
    det = pp * qq - pq * pq
    safe = np.where(det > 1e-14 * pp * qq, det, 1.0)
    inside_u, inside_v = (qq * py - pq * qy) / safe, (pp * qy - pq * py) / safe
    inside = (det > 1e-14 * pp * qq) & (inside_u >= 0) & (inside_u <= most) & (inside_v >= 0) & (inside_v <= most)
    zero = np.zeros_like(most)
    tiny = np.finfo(float).tiny
    ways = [(inside_u, inside_v)]
    for edge in (zero, most):
        ways.append((edge, np.clip((qy - pq * edge) / np.maximum(qq, tiny), 0.0, most)))
        ways.append((np.clip((py - pq * edge) / np.maximum(pp, tiny), 0.0, most), edge))
    us, vs = np.array([way[0] for way in ways]), np.array([way[1] for way in ways])
    costs = yy - 2 * (us * py + vs * qy) + us * us * pp + 2 * us * vs * pq + vs * vs * qq
    costs[0] = np.where(inside, costs[0], np.inf)
    which = np.argmin(costs, axis=0)
    nodes = np.arange(len(most))
    return us[which, nodes], vs[which, nodes], np.maximum(costs[which, nodes], 0.0)


def _shift(curve: Sequence[Floats], grid: Floats, bounds: Sequence[Floats | None]) -> Floats:
    """Give by how much each curve must be moved, whole, to lie over the earlier expiry and under the later one."""
    a, b, rho, m, sigma = (column[:, None] for column in curve)
    w, (floor, ceiling) = variance(a, b, rho, m, sigma, grid), bounds
    up = np.zeros(len(w)) if floor is None else np.maximum(np.max(floor - w, axis=1), 0.0)
    down = np.zeros(len(w)) if ceiling is None else np.maximum(np.max(w - ceiling, axis=1), 0.0)
    return np.asarray(up - down)


def _forbidden(curve: Sequence[Any], grid: Floats, bounds: Sequence[Floats | None]) -> Floats:
    """Give what each curve costs for the free money that it allows: nothing, or more than any misfit."""
    a, b, rho, m, sigma = (column[:, None] for column in curve)
    worst = -np.minimum(np.min(np.maximum(g(a, b, rho, m, sigma, grid), -1e6), axis=1), 0.0)
    floor, ceiling = bounds
    if floor is not None or ceiling is not None:
        w = variance(a, b, rho, m, sigma, grid)
        if floor is not None:
            worst = worst + np.max(np.maximum(floor - w, 0.0) / np.maximum(floor, 1e-12), axis=1)
        if ceiling is not None:
            worst = worst + np.max(np.maximum(w - ceiling, 0.0) / np.maximum(ceiling, 1e-12), axis=1)
    return np.where(worst > TOLERANCE, FORBIDDEN * (1.0 + worst), 0.0)


def grows(earlier: Svi, later: Svi, k: Floats) -> bool:
    """Say whether the variance falls nowhere between two expiries, but for a rounding."""
    return calendar(earlier, later, k) >= -TOLERANCE * 10
