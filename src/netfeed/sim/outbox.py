"""What a simulated venue has to send, by port, until its driver takes it.

Bounded: at most `max_bytes` wait on each port. What is more is dropped and counted, as a full socket buffer does; the
receivers see a loss.
"""

from typing import Final

MAX_BYTES: Final = 32 * 2**20
"""A driver that drains less often is not driving."""


class Outbox:
    """Bytes that wait, by port."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.dropped = 0
        self.packets: dict[int, int] = {}
        self.bytes: dict[int, int] = {}
        self._max_bytes = max_bytes
        self._waiting: dict[int, list[bytes]] = {}
        self._sizes: dict[int, int] = {}

    def put(self, port: int, data: bytes) -> None:
        """Queue a packet on a port."""
        size = self._sizes.get(port, 0) + len(data)
        if size > self._max_bytes:
            self.dropped += 1
            return
        self._sizes[port] = size
        self._waiting.setdefault(port, []).append(data)
        self.packets[port] = self.packets.get(port, 0) + 1
        self.bytes[port] = self.bytes.get(port, 0) + len(data)

    def take(self, port: int) -> list[bytes]:
        """Drain a port."""
        self._sizes.pop(port, None)
        return self._waiting.pop(port, [])
