"""A TCP connection as a tap beside the client sees it: numbers, ACKs and windows, without a network under it.

Who says what and when is the caller's; a `Talk` keeps the numbers of both sides and writes frames. What goes wrong is
said by the caller, too: a segment that is sent again, a window that is shut.

Leaves out: a machine that speaks TCP (the kernel has one).
"""

from typing import NamedTuple

from netfeed.wire.headers import Endpoint, tcp_frame
from netfeed.wire.segment import ACK, FIN, PSH, SYN

CLIENT, SERVER = 0, 1


class Framed(NamedTuple):
    """A frame at the tap. Units: `at` in ns since 1970."""

    at: int
    data: bytes


class Talk:
    """One connection. Sides are CLIENT and SERVER; `frames` is what the tap saw."""

    def __init__(self, client: Endpoint, server: Endpoint, *, first: tuple[int, int], scale: int | None = None) -> None:
        self.frames: list[Framed] = []
        self.window = [65_535, 65_535]
        self._ends = (client, server)
        self._next = list(first)
        self._options = b"" if scale is None else b"\x01\x03\x03" + bytes([scale])

    def open(self, at: int, there_ns: int, back_ns: int) -> int:
        """Shake hands; give when that was done. Units: ns, of each way and its answer."""
        self._put(at, CLIENT, SYN, options=self._options)
        self._next[CLIENT] += 1
        self._put(at + there_ns, SERVER, SYN | ACK, options=self._options)
        self._next[SERVER] += 1
        self.acknowledge(at + there_ns + back_ns, CLIENT)
        return at + there_ns + back_ns

    def send(self, at: int, side: int, data: bytes) -> None:
        """Send data, with an ACK of everything."""
        self._put(at, side, PSH | ACK, data)
        self._next[side] += len(data)

    def repeat(self, at: int, side: int, data: bytes) -> None:
        """Send again what was sent last."""
        self._next[side] -= len(data)
        self.send(at, side, data)

    def acknowledge(self, at: int, side: int) -> None:
        """Send an ACK of everything, without data."""
        self._put(at, side, ACK)

    def finish(self, at: int, side: int) -> None:
        """Close one side."""
        self._put(at, side, FIN | ACK)
        self._next[side] += 1

    def _put(self, at: int, side: int, flags: int, data: bytes = b"", options: bytes = b"") -> None:
        acknowledged = self._next[1 - side] if flags & ACK else 0
        frame = tcp_frame(
            data, self._ends[side], self._ends[1 - side], sequence=self._next[side], acknowledgment=acknowledged,
            flags=flags, window=self.window[side], options=options,
        )  # fmt: skip
        self.frames.append(Framed(at, frame))
