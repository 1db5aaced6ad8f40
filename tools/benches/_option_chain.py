"""The chain of options that `greeks` and `implied_volatility` measure on, and what both do with their rows.

1,000 options on one forward: ten expiries from an hour to a year, fifty strikes to three deviations on each side, calls
and puts, with a smile. No discount, priced in the quote currency, because that is what all peers know.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import netfeed
from benches import Row, timed

FORWARD = 60_000.0
EXPIRIES, STRIKES = 10, 50

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Chain(NamedTuple):
    """Options, a column a field."""

    kind: "np.ndarray[Any, np.dtype[np.int8]]"
    forward: Floats
    strike: Floats
    years: Floats
    volatility: Floats

    def listed(self) -> list[tuple[int, float, float, float, float]]:
        """Give the options as tuples of Python numbers."""
        return list(zip(*(column.tolist() for column in self), strict=True))

    def flags(self) -> list[str]:
        """Give calls and puts as peers name them."""
        return ["c" if kind > 0 else "p" for kind in self.kind.tolist()]


def chain() -> Chain:
    years = np.repeat(np.geomspace(1 / 8760, 1.0, EXPIRIES), 2 * STRIKES)
    deviations = np.tile(np.repeat(np.linspace(-3.0, 3.0, STRIKES), 2), EXPIRIES)
    at_money = 0.6 - 0.1 * np.sqrt(years)
    strike = FORWARD * np.exp(deviations * at_money * np.sqrt(years))
    kind = np.tile(np.array([1, -1], np.int8), EXPIRIES * STRIKES)
    return Chain(kind, np.full(len(kind), FORWARD), strike, years, at_money * (1 + 0.03 * deviations**2))


def repeated(work: Callable[[], object], times: int, options: int) -> Callable[[], float]:
    """Time `work` on all options, so many times. Units: ns/option."""

    def all_times() -> None:
        for _ in range(times):
            work()

    return lambda: timed(all_times) / (times * options)


def units(row: Callable[[str], Row]) -> Iterator[Row]:
    """Give a row for each vector unit of the machine but the one that is used anyway."""
    if netfeed.BUILD == "pure":
        return
    from netfeed._core import option

    for unit in option.UNITS[:-1]:
        name, run = row(f"netfeed_{unit}")
        yield name, _on(unit, run)


def _on(unit: str, run: Callable[[], float]) -> Callable[[], float]:
    from netfeed._core import option

    def on_unit() -> float:
        option.use(unit)
        try:
            return run()
        finally:
            option.use(option.UNITS[-1])

    return on_unit


def close(row: str, found: Any, wanted: Floats, bound: float) -> None:
    """Raise where a row found something else."""
    error = float(np.max(np.abs(np.asarray(found, np.float64) - wanted) / np.maximum(np.abs(wanted), 1e-6)))
    if not error <= bound:
        raise AssertionError(f"{row} found something else: {error:.3g} of it is wrong")


def usable(row: str, work: Callable[[], object]) -> bool:
    """Say whether a peer runs here at all; why not goes to stderr."""
    try:
        work()
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        print(f"left out: {row} fails here ({type(error).__name__}: {first})", file=sys.stderr)
        return False
    return True
