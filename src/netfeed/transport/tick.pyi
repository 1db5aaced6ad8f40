"""The processor's counter as a clock; the twin netfeed.transport.ticks defines it."""

from typing import Any, Self

import numpy as np
from typing_extensions import disjoint_base

has_tsc: bool

def bracketed(reference: int, other: int, times: int) -> np.ndarray[Any, Any]: ...
def costs(which: int, times: int) -> np.ndarray[Any, Any]: ...

@disjoint_base
class Ticker:
    @property
    def steps(self) -> int: ...
    def __new__(cls, use: bool) -> Self: ...
    def now(self) -> int: ...
