"""The sending half of a WebSocket: messages to frames, compressed and in fragments where that is wanted, and the queue.

Source: RFC 6455 section 5 (a client masks, with a new key for each frame), RFC 7692 section 7.2.1.
"""

from collections.abc import Callable
from typing import Final

from netfeed.build import select
from netfeed.proto.websocket_deflate import Deflater
from netfeed.proto.websocket_words import Limits
from netfeed.wire.websocket import COMPRESSED, FINAL

KEY_BYTES: Final = 4
KEYS: Final = 256
"""How many masks are drawn at once."""


class Sender:
    """What one side sends. `random_bytes` makes a client's masks; a server has none."""

    def __init__(self, limits: Limits, random_bytes: Callable[[int], bytes] | None) -> None:
        self._limits, self._random_bytes = limits, random_bytes
        self._encode: Callable[[int, bytes, bytes | None], bytes] = select(
            "websocket", "netfeed.wire.websocket", "encode"
        )
        self._deflater: Deflater | None = None
        self._keys = b""
        self._key_at = 0
        self._queue: list[bytes] = []
        self.queued_bytes = self.bytes = self.messages = 0

    def deflate_with(self, deflater: Deflater | None) -> None:
        """Compress messages from here on, or no more."""
        self._deflater = deflater

    def message(self, opcode: int, payload: bytes) -> None:
        """Queue a message."""
        self.messages += 1
        first, most = opcode, self._limits.fragment_bytes
        if self._deflater is not None and len(payload) >= self._limits.deflate_bytes:
            payload = self._deflater.deflate(payload)
            first |= COMPRESSED
        if len(payload) > most:
            first, payload = self._all_but_the_last(first, payload, most)
        self.frame(first | FINAL, payload)

    def _all_but_the_last(self, first: int, payload: bytes, most: int) -> tuple[int, bytes]:
        """Queue fragments, and give the first byte and the payload of the last one."""
        stop = (len(payload) - 1) // most * most
        for at in range(0, stop, most):
            self.frame(0 if at else first, payload[at : at + most])
        return 0, payload[stop:]

    def frame(self, first: int, payload: bytes) -> None:
        """Queue a frame."""
        key = None
        if self._random_bytes is not None:
            at = self._key_at
            if at == len(self._keys):
                self._keys, at = self._random_bytes(KEY_BYTES * KEYS), 0
            self._key_at = at + KEY_BYTES
            key = self._keys[at : at + KEY_BYTES]
        frame = self._encode(first, payload, key)
        self._queue.append(frame)
        self.queued_bytes += len(frame)
        self.bytes += len(frame)

    def transmit(self) -> list[bytes]:
        """Drain the queue."""
        queue = self._queue
        if queue:
            self._queue, self.queued_bytes = [], 0
        return queue
