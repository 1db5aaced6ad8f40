"""The compiled finder of plain WebSocket frames; the twin netfeed.wire.websocket defines it."""

from typing import Self, final

@final
class Finder:
    def __new__(cls, masked: bool, max_bytes: int) -> Self: ...
    def find(self, data: bytes, start: int) -> tuple[int, bytes, bytes, bytes]: ...

def encode(first: int, payload: bytes, key: bytes | None = None) -> bytes: ...
