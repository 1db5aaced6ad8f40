"""Pack the messages of a simulated Starbase channel, number them, and time the packets.

Source: the packet and sequence rules of Starbase market data. Messages close in time share a packet of at most
MTU_PAYLOAD bytes; a transaction may go on in the next one. A heartbeat follows HEARTBEAT_NS of silence.

Invariant: numbers follow each other without a hole, times of packets rise.
"""

from collections.abc import Sequence
from typing import Final

from netfeed.sim.starbase_market import Told
from netfeed.sim.tap import Sent
from netfeed.wire import starbase
from netfeed.wire.starbase import PACKET_HEADER, PacketType

MTU_PAYLOAD: Final = 1472
HEARTBEAT_NS: Final = 5_000_000_000
_FLUSH_NS: Final = 60_000
"""A message this long after the one before begins a packet."""
_SEND_NS: Final = 4_000
"""What lies between a packet's last message and the packet."""


def transaction(told: Sequence[Told], time_ns: int) -> list[bytes]:
    """Encode the messages of one transaction: the first and the last one say that they are. Units: ns since 1970."""
    return [
        starbase.encode(template, flags=(place == 0) | (place == len(told) - 1) << 1, transact_time=time_ns, **fields)
        for place, (template, fields) in enumerate(told)
    ]


class Packer:
    """Packs messages, numbers them, and sends them."""

    def __init__(self, channel_id: int, type_: PacketType) -> None:
        self.sent: list[Sent] = []
        self.stream: list[bytes] = []
        self._id, self._type = channel_id, type_
        self._waiting: list[bytes] = []
        self._last_ns = 0

    def add(self, message: bytes, now: int) -> None:
        """Put a message into the packet that waits, or into the next one."""
        size = PACKET_HEADER.size + sum(map(len, self._waiting))
        if self._waiting and (now - self._last_ns > _FLUSH_NS or size + len(message) > MTU_PAYLOAD):
            self.flush()
        self._waiting.append(message)
        self.stream.append(message)
        self._last_ns = now

    def flush(self) -> None:
        """Send what waits."""
        if self._waiting:
            self._send(self._last_ns + _SEND_NS, self._waiting)
            self._waiting = []

    def beat(self, until: int) -> None:
        """Send the heartbeats of the silence that lasts until then."""
        self.flush()
        while self.sent and self.sent[-1].at + HEARTBEAT_NS < until:
            self._send(self.sent[-1].at + HEARTBEAT_NS, [])

    def _send(self, at: int, messages: Sequence[bytes]) -> None:
        end = len(self.stream) + 1 if not messages else self._next + len(messages)
        at = max(at, self.sent[-1].at + 1_500) if self.sent else at
        payload = starbase.encode_packet(self._next, messages, channel_id=self._id, type=self._type, sending_time=at)
        self.sent.append(Sent(at, payload, self._next, end))

    @property
    def _next(self) -> int:
        return self.sent[-1].end if self.sent else 1
