"""The compiled ring of blocks; the twin netfeed.transport.raw.blocks.BlockReader defines it."""

from typing import Self

from typing_extensions import disjoint_base

from netfeed.transport.raw.source import Frame, Written

@disjoint_base
class BlockReader:
    @property
    def frames(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def invalid(self) -> int: ...
    @property
    def hardware(self) -> int: ...
    def __new__(
        cls,
        ring: bytearray | memoryview,
        block_bytes: int,
        *,
        snap: int = ...,
        cooked: bool = False,
        loopback: int = 0,
    ) -> Self: ...
    def write_into(
        self, out: bytearray, form: int, interface: int = 0, frames: int = ..., until_ns: int = ...
    ) -> Written: ...
    def take(self, limit: int = 1024) -> list[Frame]: ...
    def close(self) -> None: ...
