"""The compiled reader of AF_XDP rings; the twin netfeed.transport.raw.xdp_rings.Rings defines it."""

from typing import Self

from typing_extensions import disjoint_base

from netfeed.machine import Buffer
from netfeed.transport.raw.source import Frame, Written
from netfeed.transport.raw.xdp_rings import Ring

@disjoint_base
class Rings:
    @property
    def frames(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def invalid(self) -> int: ...
    def __new__(
        cls, rx: Buffer, fill: Buffer, area: Buffer, rx_ring: Ring, fill_ring: Ring, chunk: int, snap: int
    ) -> Self: ...
    def write_into(
        self,
        out: bytearray,
        form: int,
        interface: int = 0,
        frames: int = ...,
        until_ns: int = ...,
        now_ns: int = ...,
    ) -> Written: ...
    def take(self, limit: int = 1024, now_ns: int = ...) -> list[Frame]: ...
    def close(self) -> None: ...
