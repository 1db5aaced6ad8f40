"""The compiled path of depth messages; netfeed.venues.depth_market and depth_text define what it does."""

from typing import Any, Self

import numpy as np
from typing_extensions import disjoint_base

from netfeed._core.l2 import LevelBook
from netfeed.machine import Buffer

@disjoint_base
class DepthPath:
    taken: int
    duplicates: int
    stopped: int
    stopped_ns: int
    def __new__(cls, *_arguments: Any, **_named: Any) -> Self: ...
    def __init__(
        self,
        table: tuple[Any, Any],
        words: tuple[bytes, bytes, bytes],
        numbering: int,
        *,
        straddle: bool = False,
        summed: bool = False,
        kept: int = 0,
        restart: int | None = None,
    ) -> None: ...
    def open(self, name: bytes, book: LevelBook, price_exponent: int, quantity_exponent: int) -> int: ...
    def arm(self, index: int, last: int, leader: int = -1, olds: int = 0) -> None: ...
    def disarm(self, index: int) -> tuple[int, int, bool] | None: ...
    def last(self, index: int) -> int | None: ...
    def line(self, line: int) -> int | None: ...
    def set_line(self, line: int, number: int | None) -> None: ...
    def run(
        self,
        data: Buffer,
        places: np.ndarray[Any, Any],
        first: int,
        ts_recv_ns: int,
        line: int,
        foreign: list[int],
    ) -> tuple[int, int]: ...
    def drain(self) -> bytes: ...
    def look(
        self, data: Buffer, index: int
    ) -> bool | tuple[bytes, bytes | None, dict[int, int], int, list[tuple[int, int, int, int]]] | None: ...
    def levels(self, data: Buffer, places: np.ndarray[Any, Any], index: int) -> int: ...
