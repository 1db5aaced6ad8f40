"""The compiled hot step; the twins netfeed.engine.quote_step and netfeed.wire.starbase_quotes define it."""

from typing import Any, Final, Self, final

import numpy as np

_Array = np.ndarray[Any, Any]

ROW: Final[np.dtype[Any]]

@final
class QuoteStep:
    @property
    def rows(self) -> _Array: ...
    @property
    def left(self) -> _Array: ...
    def __new__(cls, slots: _Array, limits: _Array) -> Self: ...
    def step(self, lead: float, now: int, most: int) -> int: ...

@final
class QuoteFrames:
    def __new__(cls, terms: _Array, self_match_id: int, flags: int) -> Self: ...
    def write(
        self, rows: _Array, count: int, quote_id: int, group: int, sequence: int, last_processed: int, send_time: int
    ) -> bytes: ...
