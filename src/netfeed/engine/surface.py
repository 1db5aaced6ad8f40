"""The volatilities of an underlying: a curve an expiry, each the last that was good, with its age.

`refit` fits an expiry to its points and takes the result, or refuses it by name and keeps the one before. A curve is
refused when it allows free money - by itself, or with the expiries beside it - or when it is not near what is quoted.
The refusal and its count stay readable; the age of the curve is what `Gate` looks at.

`refit_all` goes from the earliest expiry to the last, and holds each only against those that are new or not in the
batch: else no volatility could rise before that of a later expiry has. What cannot be fitted over its new neighbour
keeps its old curve; `crossings` names such pairs until it has been.

Fewer points than a curve has numbers do not make one. Where there is a good one already, its shape stands in: it is
added as points of its own with large errors, so that two new prices lift it and do not bend it.

Between refits the forward moves. What a strike's volatility does then is a choice, and it is stated:

    Sticky.STRIKE   a strike keeps its volatility: k is measured from the forward of the fit
    Sticky.DELTA    a moneyness keeps its volatility: k is measured from the forward of now

Time between refits takes variance away in proportion: a volatility stays what it was.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any, Final

import numpy as np

from netfeed.engine.svi import Floats, Svi, butterfly
from netfeed.engine.svi_fit import Fitted, Neighbours, Points, Rounds, check_grid, fitting, grows, whole


class Sticky(Enum):
    """What stays the same when the forward moves."""

    STRIKE = "a strike keeps its volatility"
    DELTA = "a moneyness keeps its volatility"


class Verdict(Enum):
    """What came of a fit."""

    GOOD = "taken"
    NO_FORWARD = "the forward is not known"
    EXPIRED = "the expiry has passed"
    EMPTY = "no option has a market"
    FEW_POINTS = "too few options have a market"
    POOR = "the curve is not near what is quoted"
    BUTTERFLY = "the curve allows free money by a butterfly"
    CALENDAR = "the curve allows free money with another expiry"


NUMBERS: Final = 5
"""Of an SVI curve: fewer points do not make one."""


@dataclass(frozen=True, slots=True)
class SurfaceSettings:
    """What is good enough.

    Units: `max_misfit` in errors of the points, as a root of the mean square, or less than `max_off` as a volatility;
    `prior_error`: how much less a point of the curve before counts than a new one, in errors.
    """

    sticky: Sticky = Sticky.STRIKE
    max_misfit: float = 3.0
    max_off: float = 0.005
    prior_error: float = 10.0
    min_points: int = NUMBERS
    min_points_with_prior: int = 2


@dataclass(frozen=True, slots=True)
class Refit:
    """What to fit an expiry to. Units: `at_ns` monotonic, of the oldest price among the points; `forward` None:
    unknown.
    """

    expiry_ns: int
    points: Points
    forward: float | None
    years: float
    at_ns: int


@dataclass(frozen=True, slots=True)
class Slice:
    """The curve of one expiry as it was fitted. Units: `at_ns` monotonic, of the oldest price it was made of; `low` and
    `high` of the points' k.
    """

    expiry_ns: int
    svi: Svi
    forward: float
    years: float
    at_ns: int
    points: int
    misfit: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of the last fit of an expiry, good or not."""

    verdict: Verdict
    at_ns: int
    points: int
    misfit: float | None = None
    worst: float | None = None
    """The least of g, where that was the reason."""


class Surface:
    """The curves of one underlying."""

    def __init__(self, settings: SurfaceSettings | None = None) -> None:
        self.settings = settings or SurfaceSettings()
        self._slices: dict[int, Slice] = {}
        self._attempts: dict[int, Attempt] = {}
        self._verdicts: Counter[str] = Counter()
        self._waiting: set[int] = set()

    def refit(self, given: Refit) -> Attempt:
        """Fit an expiry anew; its curve is the new one if that is good, else the one before stays."""
        return whole(self.refitting(given))

    def refitting(self, given: Refit) -> Rounds[Attempt]:
        """Do the same, a round of the fit at a time; until the last one everything is as it was."""
        self._waiting.discard(given.expiry_ns)
        attempt, fitted = yield from self._try(given)
        self._verdicts[attempt.verdict.name] += 1
        self._attempts[given.expiry_ns] = attempt
        if fitted is not None and given.forward is not None:
            k = given.points.k
            self._slices[given.expiry_ns] = Slice(
                given.expiry_ns, fitted.svi, given.forward, given.years, given.at_ns, len(k), fitted.misfit,
                float(np.min(k)), float(np.max(k)),
            )  # fmt: skip
        return attempt

    def refit_all(self, batch: Iterable[Refit]) -> dict[int, Attempt]:
        """Fit many expiries anew, the earliest first."""
        ordered = sorted(batch, key=lambda given: given.expiry_ns)
        self.expect(given.expiry_ns for given in ordered)
        return {given.expiry_ns: self.refit(given) for given in ordered}

    def expect(self, expiries: Iterable[int]) -> None:
        """Begin a batch that is fitted one by one, the earliest first; what waits binds none before it."""
        self._waiting = set(expiries)

    def crossings(self) -> list[tuple[int, int]]:
        """Name the expiries next to each other whose curves allow free money now, where the later one is quoted."""
        expiries = sorted(self._slices)
        return [
            (early, late)
            for early, late in pairwise(expiries)
            if not grows(self._slices[early].svi, self._slices[late].svi, _between(self._slices[late]))
        ]

    def drop(self, expiry_ns: int) -> None:
        """Forget an expiry: it has passed."""
        self._slices.pop(expiry_ns, None)
        self._attempts.pop(expiry_ns, None)

    def slice(self, expiry_ns: int) -> Slice | None:
        """Give the last good curve, None when there never was one."""
        return self._slices.get(expiry_ns)

    def attempt(self, expiry_ns: int) -> Attempt | None:
        """Say what came of the last fit."""
        return self._attempts.get(expiry_ns)

    def verdicts(self) -> dict[str, int]:
        """Count the fits by what came of them."""
        return dict(self._verdicts)

    def volatility(self, expiry_ns: int, strike: Any, forward: float) -> Any:
        """Give the volatility of a strike, or of many, with the forward where it is now.

        Raises: KeyError when the expiry never had a good curve.
        """
        one = self._slices[expiry_ns]
        return np.sqrt(one.svi.variance(self._k(one, strike, forward)) / one.years)

    def smile(self, expiry_ns: int, strike: Any, forward: float) -> Any:
        """Give the change of a strike's volatility for 1 of the forward: nothing where it is sticky by strike.

        Raises: KeyError when the expiry never had a good curve.
        """
        one = self._slices[expiry_ns]
        if self.settings.sticky is Sticky.STRIKE:
            return np.zeros_like(np.asarray(strike, float))
        k = self._k(one, strike, forward)
        volatility = np.sqrt(one.svi.variance(k) / one.years)
        return -one.svi.slope(k) / (2.0 * volatility * one.years) / forward

    def _k(self, one: Slice, strike: Any, forward: float) -> Any:
        return np.log(np.asarray(strike, float) / (one.forward if self.settings.sticky is Sticky.STRIKE else forward))

    # --- judging

    def _try(self, given: Refit) -> Rounds[tuple[Attempt, Fitted | None]]:
        points, count = given.points, len(given.points)
        early = self._too_early(given)
        if early is not None or given.forward is None:
            return Attempt(early or Verdict.NO_FORWARD, given.at_ns, count), None
        neighbours = self._neighbours(given.expiry_ns)
        fitted = yield from fitting(points, neighbours, self._prior(given, given.forward))
        verdict, worst = self._judge(fitted, points, neighbours, check_grid(points.k), given.years)
        good = fitted if verdict is Verdict.GOOD else None
        return Attempt(verdict, given.at_ns, count, fitted.misfit, worst), good

    def _too_early(self, given: Refit) -> Verdict | None:
        """Say why there is nothing to fit, None when there is."""
        if given.years <= 0:
            return Verdict.EXPIRED
        if given.forward is None or not given.forward > 0:
            return Verdict.NO_FORWARD
        if not len(given.points):
            return Verdict.EMPTY
        known = given.expiry_ns in self._slices
        least = self.settings.min_points_with_prior if known else self.settings.min_points
        return Verdict.FEW_POINTS if len(given.points) < least else None

    def _prior(self, given: Refit, forward: float) -> Points | None:
        """Give the curve before as points of little weight, moved to the forward and the time of now."""
        if given.expiry_ns not in self._slices:
            return None
        points = given.points
        low, high = min(-0.1, float(np.min(points.k))), max(0.1, float(np.max(points.k)))
        k = np.linspace(low, high, 2 * NUMBERS)
        volatility = self.volatility(given.expiry_ns, forward * np.exp(k), forward)
        error = self.settings.prior_error * float(np.median(points.error))
        return Points(k, volatility * volatility * given.years, np.full(len(k), error))

    def _neighbours(self, expiry_ns: int) -> Neighbours:
        earlier = [one for one in self._slices if one < expiry_ns]
        later = [one for one in self._slices if one > expiry_ns and one not in self._waiting]
        return Neighbours(
            self._slices[max(earlier)].svi if earlier else None, self._slices[min(later)].svi if later else None
        )  # fmt: skip

    def _judge(
        self, fitted: Fitted, points: Points, neighbours: Neighbours, grid: Floats, years: float
    ) -> tuple[Verdict, float | None]:
        """Say whether a curve is taken; of one that is not near what is quoted, whether free money is the reason."""
        if self._is_near(fitted.svi, fitted.weights, points, years):
            return _free_money(fitted.svi, neighbours, grid)
        if self._is_near(fitted.nearest, fitted.weights, points, years):
            return _free_money(fitted.nearest, neighbours, grid)
        return Verdict.POOR, None

    def _is_near(self, svi: Svi, weights: Floats, points: Points, years: float) -> bool:
        """Say whether a curve is near what is quoted: in errors, or in volatility, as roots of the mean square."""
        variance = np.maximum(np.asarray(svi.variance(points.k)), 0.0)
        errors = (variance - points.variance) / points.error
        off = np.sqrt(variance / years) - np.sqrt(points.variance / years)
        mean = weights / np.sum(weights)
        return bool(mean @ errors**2 <= self.settings.max_misfit**2 or mean @ off**2 <= self.settings.max_off**2)


def _free_money(svi: Svi, neighbours: Neighbours, grid: Floats) -> tuple[Verdict, float | None]:
    worst = butterfly(svi, grid)
    if worst < -1e-8:
        return Verdict.BUTTERFLY, worst
    earlier, later = neighbours
    falls = (earlier is not None and not grows(earlier, svi, grid)) or (
        later is not None and not grows(svi, later, grid)
    )  # fmt: skip
    return (Verdict.CALENDAR if falls else Verdict.GOOD), None


def _between(one: Slice) -> Floats:
    return np.linspace(one.low, one.high, 61)
