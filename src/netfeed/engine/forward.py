"""The forward of an expiry: from its options, its future, or what trades without an expiry; whichever says it best.

    PARITY     call - put of one strike: F = K + (C - P) / D, and for options paid in coin F = K / (1 - (C - P))
    FUTURE     the dated future of the same expiry
    SPOT       the perpetual or the index, times the ratio that a better source had to it when last seen

Each gives a value and an error: half of what lies between its bid and its ask. Parity takes the mean over strikes,
weighted by one over the square of their errors, of those whose bid and ask hold the weighted median between them: one
that does not is wrong, or free money. The smallest error wins, but the source that was used last is left only for one
that is clearly better. A book that is not LIVE, crossed or one-sided says nothing (`mark`).

When nobody says anything the last forward stays as it was, with the time of what it was made of: whoever uses it looks
at that age. Left out: dividends and interest on coins; they are in what the market says.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import exp, sqrt
from typing import Final

from netfeed.engine.contract import Contract
from netfeed.engine.gate import two_sided
from netfeed.engine.strategy import Book


class Source(Enum):
    """What a forward was made of."""

    PARITY = "put-call parity"
    FUTURE = "the dated future"
    SPOT = "the perpetual or the index, and the last basis"


@dataclass(frozen=True, slots=True)
class Mark:
    """A bid and an ask that could be believed. Units: prices as numbers; `at_ns` monotonic, when they were seen."""

    bid: float
    ask: float
    at_ns: int

    @property
    def mid(self) -> float:
        """Give the middle."""
        return 0.5 * (self.bid + self.ask)

    @property
    def error(self) -> float:
        """Give half of what lies between."""
        return 0.5 * (self.ask - self.bid)


@dataclass(frozen=True, slots=True)
class Pair:
    """A call and a put of one strike."""

    strike: float
    call: Mark
    put: Mark


@dataclass(frozen=True, slots=True)
class Forward:
    """A forward. Units: quote currency; `at_ns` of the oldest mark that it was made of; `used` how many pairs."""

    value: float
    error: float
    source: Source
    at_ns: int
    used: int = 1


@dataclass(frozen=True, slots=True)
class ForwardSettings:
    """What is good enough.

    Units: `max_error` a share of the forward; `stay`: a source is left for one whose error is less than so much of its
    own; `drift`: how far a basis moves, a share for the square root of a second; `carry_error`: what is not known of
    the carry before any basis was seen, a share a year.
    """

    min_pairs: int = 2
    max_error: float = 0.02
    stay: float = 0.7
    drift: float = 1e-6
    carry_error: float = 0.1


@dataclass(frozen=True, slots=True)
class _Basis:
    ratio: float
    error: float
    at_ns: int


def mark(contract: Contract, book: Book, now: int) -> Mark | None:
    """Read a book; None when it is not LIVE, one-sided or crossed."""
    bid, ask = book.bid, book.ask
    if not two_sided(book) or bid is None or ask is None:
        return None
    return Mark(contract.number(bid.price), contract.number(ask.price), now)


def from_parity(
    pairs: Iterable[Pair], settings: ForwardSettings, *, inverse: bool, discount: float = 1.0
) -> Forward | None:
    """Give the forward that calls and puts imply, None when too few of them agree."""
    said = [one for pair in pairs if (one := _of_pair(pair, settings, inverse=inverse, discount=discount))]
    if len(said) < settings.min_pairs:
        return None
    middle = _weighted_median(said)
    agree = [one for one in said if abs(one.value - middle) <= one.error]
    if len(agree) < settings.min_pairs:
        return None
    weights = [one.error**-2 for one in agree]
    value = sum(weight * one.value for weight, one in zip(weights, agree, strict=True)) / sum(weights)
    return Forward(value, sqrt(1.0 / sum(weights)), Source.PARITY, min(one.at_ns for one in agree), len(agree))


def from_future(future: Mark) -> Forward:
    """Give the forward that a dated future is."""
    return Forward(future.mid, _positive(future.error, future.mid), Source.FUTURE, future.at_ns)


class Forwards:
    """The forwards of expiries, each named by a key of the caller's, with the basis that each had to the spot."""

    def __init__(self, settings: ForwardSettings | None = None) -> None:
        self.settings = settings or ForwardSettings()
        self._last: dict[Hashable, Forward] = {}
        self._basis: dict[Hashable, _Basis] = {}

    def update(
        self, key: Hashable, years: float, *, pairs: Sequence[Pair] = (), future: Mark | None = None,
        spot: Mark | None = None, inverse: bool = False, discount: float = 1.0,
    ) -> Forward | None:  # fmt: skip
        """Say what is seen now, and give the forward; the one before stays when nothing can be believed."""
        said = [from_parity(pairs, self.settings, inverse=inverse, discount=discount)]
        said.append(from_future(future) if future else None)
        good = [one for one in said if one and self._is_good(one)]
        if good and spot:
            self._learn(key, min(good, key=lambda one: one.error), spot)
        by_spot = self._from_spot(key, years, spot) if spot else None
        chosen = self._choose(key, [*good, *([by_spot] if by_spot and self._is_good(by_spot) else [])])
        if chosen:
            self._last[key] = chosen
        return self._last.get(key)

    def move(self, key: Hashable, years: float, spot: Mark) -> Forward | None:
        """Let the forward follow the spot by its last basis: the hot step between updates."""
        last, moved = self._last.get(key), self._from_spot(key, years, spot)
        if last is None or not self._is_good(moved):
            return last
        self._last[key] = replace(moved, source=last.source, used=last.used)
        return self._last[key]

    def get(self, key: Hashable) -> Forward | None:
        """Give the last forward, None when there never was one."""
        return self._last.get(key)

    def _learn(self, key: Hashable, forward: Forward, spot: Mark) -> None:
        """Keep the ratio to the spot: the new one, unless the old one is still the surer."""
        share = forward.error / forward.value
        basis = self._basis.get(key)
        if basis is None or share <= self._error(basis, spot.at_ns):
            self._basis[key] = _Basis(forward.value / spot.mid, share, min(forward.at_ns, spot.at_ns))

    def _error(self, basis: _Basis, now: int) -> float:
        return basis.error + self.settings.drift * sqrt(max(0, now - basis.at_ns) / 1e9)

    def _from_spot(self, key: Hashable, years: float, spot: Mark) -> Forward:
        basis = self._basis.get(key)
        ratio, error = (basis.ratio, self._error(basis, spot.at_ns)) if basis else (1.0, self._carry(years))
        value = spot.mid * ratio
        return Forward(value, _positive(spot.error * ratio + error * value, value), Source.SPOT, spot.at_ns)

    def _carry(self, years: float) -> float:
        return exp(self.settings.carry_error * years) - 1.0

    def _is_good(self, forward: Forward) -> bool:
        return forward.value > 0 and forward.error <= self.settings.max_error * forward.value

    def _choose(self, key: Hashable, said: Sequence[Forward]) -> Forward | None:
        if not said:
            return None
        best, last = min(said, key=lambda one: one.error), self._last.get(key)
        same = next((one for one in said if last and one.source is last.source), best)
        return best if best.error < self.settings.stay * same.error else same


LEAST_ERROR: Final = 1e-9
"""No source is surer than this, a share of its value: a locked book is no exact one."""


def _positive(error: float, value: float) -> float:
    return max(error, LEAST_ERROR * abs(value))


def _of_pair(pair: Pair, settings: ForwardSettings, *, inverse: bool, discount: float) -> Forward | None:
    low = _implied(pair.strike, pair.call.bid - pair.put.ask, inverse=inverse, discount=discount)
    high = _implied(pair.strike, pair.call.ask - pair.put.bid, inverse=inverse, discount=discount)
    value = _implied(pair.strike, pair.call.mid - pair.put.mid, inverse=inverse, discount=discount)
    if low is None or high is None or value is None or not value > 0:
        return None
    error = _positive(max(high - value, value - low), value)
    if error > settings.max_error * value:
        return None
    return Forward(value, error, Source.PARITY, min(pair.call.at_ns, pair.put.at_ns))


def _implied(strike: float, difference: float, *, inverse: bool, discount: float) -> float | None:
    """Give the forward at which a call is worth so much more than a put; None when there is none."""
    if not inverse:
        return strike + difference / discount
    return strike / (1.0 - difference) if difference < 1.0 else None


def _weighted_median(said: Sequence[Forward]) -> float:
    ordered, half, sum_ = sorted(said, key=lambda one: one.value), 0.5 * sum(1 / one.error for one in said), 0.0
    for one in ordered:
        sum_ += 1 / one.error
        if sum_ >= half:
            return one.value
    return ordered[-1].value
