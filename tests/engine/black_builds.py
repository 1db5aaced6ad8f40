"""Every build of option maths: the plain twin, and the compiled core on each vector unit that this machine has."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from netfeed.engine import black, black_volatility

try:
    from netfeed._core import option as core
except ImportError:
    core = None  # type: ignore[assignment]

needs_core = pytest.mark.skipif(core is None, reason="the compiled core is not built")
NAMES = ("price_and_greeks", "price_one", "implied_volatility", "solve_one")
TWIN = SimpleNamespace(
    price_and_greeks=black.price_and_greeks, price_one=black.price_one,
    implied_volatility=black_volatility.implied_volatility, solve_one=black_volatility.solve_one,
)  # fmt: skip


def on_unit(unit: str, work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call the core with one of its vector units, and give it back its best one."""
    core.use(unit)
    try:
        return work(*arguments, **named)
    finally:
        core.use(core.UNITS[-1])


def build(unit: str) -> Any:
    """Give the core's functions as they are on one vector unit."""
    return SimpleNamespace(**{name: partial(on_unit, unit, getattr(core, name)) for name in NAMES})


UNITS = core.UNITS if core else ()
CORES = [pytest.param(build(unit), id=unit) for unit in UNITS]
BUILDS = [pytest.param(TWIN, id="twin"), *CORES]
