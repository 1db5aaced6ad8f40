"""Option maths, compiled; the twins netfeed.engine.black and black_volatility define it."""

from typing import Any, Final

import numpy as np

_Floats = np.ndarray[Any, np.dtype[np.float64]]
_Codes = np.ndarray[Any, np.dtype[np.uint8]]

UNITS: Final[tuple[str, ...]]

def use(name: str) -> None: ...
def price_one(
    kind: int,
    forward: float,
    strike: float,
    years: float,
    volatility: float,
    discount: float = 1.0,
    inverse: bool = False,
) -> tuple[tuple[float, ...], int]: ...
def solve_one(
    kind: int,
    price: float,
    forward: float,
    strike: float,
    years: float,
    discount: float = 1.0,
    inverse: bool = False,
    guess: float | None = None,
) -> tuple[float, int]: ...
def price_and_greeks(
    kind: Any,
    forward: Any,
    strike: Any,
    years: Any,
    volatility: Any,
    discount: Any = 1.0,
    inverse: Any = False,
    values: _Floats | None = None,
    codes: _Codes | None = None,
) -> tuple[_Floats, _Codes]: ...
def implied_volatility(
    kind: Any,
    price: Any,
    forward: Any,
    strike: Any,
    years: Any,
    discount: Any = 1.0,
    inverse: Any = False,
    guess: Any = None,
    volatilities: _Floats | None = None,
    codes: _Codes | None = None,
) -> tuple[_Floats, _Codes]: ...
