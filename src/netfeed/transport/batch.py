"""Datagrams in batches, with the kernel's receive stamps. This twin defines `netfeed.transport.mmsg`.

A batch is reused: rows of `wire.capture.PACKET` describe the datagrams, one buffer holds them. What a row says:

    kind              UDP, or TRUNCATED for a datagram longer than its slot (`original_length` is its whole length)
    ts_ns             the receive stamp: SO_TIMESTAMPNS or the software stamp of SO_TIMESTAMPING, with `hardware` the
                      raw hardware stamp where there is one; NO_TIME when the socket was not asked for stamps
    source            who sent it
    destination       the address of IP_PKTINFO or IPV6_PKTINFO where the socket asks for it, else what the socket is
                      bound to: bind to the group
    interface         its index, from the same control message; else 0

Leaves out: making sockets, waiting for them.
"""

import errno
import os
import socket
import struct
from typing import Any, Final

import numpy as np

from netfeed.wire.capture import NO_TIME, PACKET, Kind

MAX_PACKETS: Final = 1024
MAX_SIZE: Final = 65_536
_CONTROL: Final = 256
_IP_PKTINFO: Final = 8
_SCM_TIMESTAMPNS: Final = 35
_SCM_TIMESTAMPING: Final = 37
_SO_RXQ_OVFL: Final = 40
_MAPPED: Final = bytes(10) + b"\xff\xff"
_NO_VLAN: Final = 0xFFFF


class Batch:
    """Room for a batch of datagrams: rows that describe them and one buffer that holds them.

    Units: `size` in bytes, of the slot of one datagram.
    Raises: ValueError for a batch of no or too many packets or bytes.
    """

    def __init__(self, packets: int = 64, size: int = 2048, *, hardware: bool = False) -> None:
        if not 1 <= packets <= MAX_PACKETS or not 1 <= size <= MAX_SIZE:
            raise ValueError("a batch has 1 to 1024 packets of 1 to 65536 bytes")
        self.capacity = packets
        self.hardware = hardware
        self.drops = 0
        """What SO_RXQ_OVFL had counted of the socket when the last batch that was not empty was received."""
        self.packets = np.zeros(packets, PACKET)
        self.kernel_ns = np.full(packets, NO_TIME, np.int64)
        """The kernel's own stamps, where those of `packets` may be the card's."""
        self.data = memoryview(bytearray(packets * size))
        self._size = size

    def receive(self, fd: int) -> int:
        """Receive what waits, at most a batch, and give how many; 0 when nothing waits. Never blocks.

        Raises: OSError when the socket has failed.
        """
        one = socket.socket(fileno=os.dup(fd))
        try:
            destination, port, _ = _address(one.getsockname())
            count = 0
            while count < self.capacity and self._one(one, count, destination, port):
                count += 1
        finally:
            one.close()
        return count

    def _one(self, one: socket.socket, at: int, destination: bytes, port: int) -> bool:
        offset = at * self._size
        slot = self.data[offset : offset + self._size]
        try:
            length, control, _, name = one.recvmsg_into([slot], _CONTROL, socket.MSG_DONTWAIT | socket.MSG_TRUNC)
        except OSError as error:
            if at or error.errno == errno.EAGAIN:  # behind datagrams the compiled one raises next time, this one never
                return False
            raise
        if at == 0:
            self.drops = 0
        ts_ns, self.kernel_ns[at], to, interface = self._read(control, destination)
        source, source_port, version = _address(name)
        kept = min(length, self._size)
        kind = Kind.UDP if kept == length else Kind.TRUNCATED
        self.packets[at] = (
            0, ts_ns, offset, kept, kept, length, interface, kind, version, _NO_VLAN, source_port, port, source, to,
        )  # fmt: skip
        return True

    def _read(self, control: list[Any], destination: bytes) -> tuple[int, int, bytes, int]:
        """Give the stamp, the kernel's own, destination and interface, as far as the kernel tells them."""
        ts_ns, kernel_ns, interface = NO_TIME, NO_TIME, 0
        for level, kind, data in control:
            if (level, kind) == (socket.SOL_SOCKET, _SCM_TIMESTAMPNS):
                kernel_ns = _time(data) if kernel_ns == NO_TIME else kernel_ns
                ts_ns = kernel_ns if ts_ns == NO_TIME else ts_ns
            elif (level, kind) == (socket.SOL_SOCKET, _SCM_TIMESTAMPING):
                hard = _time(data[32:]) if self.hardware else 0
                kernel_ns = _time(data) or kernel_ns
                ts_ns = hard or _time(data) or ts_ns
            elif (level, kind) == (socket.SOL_SOCKET, _SO_RXQ_OVFL):
                (self.drops,) = struct.unpack_from("=I", data)
            elif (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
                interface, destination = struct.unpack_from("=I", data)[0], _MAPPED + data[8:12]
            elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                destination, interface = data[:16], struct.unpack_from("=I", data, 16)[0]
        return ts_ns, kernel_ns, destination, interface


def _time(data: bytes) -> int:
    seconds, nanoseconds = struct.unpack_from("@qq", data)
    return int(seconds) * 10**9 + int(nanoseconds)


def _address(name: Any) -> tuple[bytes, int, int]:
    """Give the 16 bytes of an address, its port and its IP version; zeros for what is no IP address."""
    if not isinstance(name, tuple) or len(name) not in (2, 4):
        return bytes(16), 0, 0
    if len(name) == 2:
        return _MAPPED + socket.inet_aton(name[0]), name[1], 4
    packed = socket.inet_pton(socket.AF_INET6, name[0].partition("%")[0])
    return packed, name[1], 4 if packed[:12] == _MAPPED else 6
