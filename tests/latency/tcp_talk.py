"""A TCP conversation for tests: segments by hand, at chosen times, as what `wire.segment` reads."""

from netfeed.latency.tcp_connection import Connection
from netfeed.latency.tcp_table import Connections
from netfeed.wire.segment import ACK, FIN, PSH, RST, SYN, Segment

__all__ = ["ACK", "CLIENT", "FIN", "PSH", "RST", "SERVER", "SYN", "Talk"]

CLIENT = (bytes(10) + b"\xff\xff\x0a\x00\x00\x05", 40001)
SERVER = (bytes(10) + b"\xff\xff\x0a\x00\x00\x09", 8001)
MS = 1_000_000


class Talk:
    """Client and server; sequence numbers are relative to the first ones, which are near the wrap."""

    def __init__(self, *, isn: tuple[int, int] = (2**32 - 3, 2**32 - 50)) -> None:
        self.table = Connections()
        self.isn = isn
        self.connection: Connection | None = None

    def say(
        self, at_ms: float, who: int, sequence: int, data: bytes = b"", *, ack: int | None = None, flags: int = ACK,
        window: int = 1000, scale: int | None = None,
    ) -> "Talk":  # fmt: skip
        """Let 0 (client) or 1 (server) send a segment."""
        source, destination = (CLIENT, SERVER) if who == 0 else (SERVER, CLIENT)
        number = (self.isn[who] + sequence) % 2**32
        acknowledged = 0 if ack is None else (self.isn[1 - who] + ack) % 2**32
        flags = flags if ack is not None else flags & ~ACK
        segment = Segment(
            *source, *destination, number, acknowledged, flags, window, scale, len(data), memoryview(data)
        )
        self.connection, _ = self.table.take(segment, round(at_ms * MS))
        return self

    def handshake(self, *, scale: int | None = None) -> "Talk":
        """Open the connection: 2 ms to the server and back, 1 ms to the client and back."""
        self.say(0, 0, 0, flags=SYN, scale=scale)
        self.say(2, 1, 0, ack=1, flags=SYN | ACK, scale=scale)
        return self.say(3, 0, 1, ack=1)

    @property
    def open(self) -> Connection:
        """Give the connection that spoke last."""
        assert self.connection is not None
        return self.connection
