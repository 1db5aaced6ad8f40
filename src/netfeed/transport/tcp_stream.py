"""One TCP connection as an endpoint of a machine: it never blocks, and its write queue cannot grow without end.

What has come is read into one buffer that all streams of a thread share, and handed over as a view of it, which holds
until the next read: a machine keeps no reference. Nothing is allocated for a read but that view.

What the kernel does not take is kept. Above `high_bytes` whoever asked (`on_pressure`) is told to pause, at `low_bytes`
to go on; a peer that does not read until `max_queue_bytes` wait is a `NetworkError`, as is a connection that fails: out
of `receive`, `send` or `flush`, and whoever drives the machine closes it.

Sources: tcp(7), connect(2) (EINPROGRESS, then SO_ERROR), shutdown(2).
Leaves out: TLS, which is a machine of its own; connecting again, which is a policy; names, which are not resolved.
"""

import contextlib
import errno
import os
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from netfeed.errors import MisuseError
from netfeed.transport.network import NetworkError, told
from netfeed.transport.tcp_info import TcpInfo, tcp_info
from netfeed.transport.tcp_options import PLAIN, Options, stamp

READ_BYTES: Final = 2**18
"""What is taken from one connection before the others get their turn."""
MAX_PARTS: Final = 1024
"""Buffers that one sendmsg takes: IOV_MAX."""
_CONTROL_BYTES: Final = 64
_REMEDIES: Final = {
    errno.ETIMEDOUT: "it did not acknowledge in time",
    errno.ECONNRESET: "it closed, and took no notice of what was still on its way",
}


class _Rooms(threading.local):
    """The buffer that a thread reads into."""

    def __init__(self) -> None:
        self.room = memoryview(bytearray(READ_BYTES))


_ROOMS: Final = _Rooms()


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """The account of a connection. Units: bytes; `stamp_ns` of the last read, since 1970, None without stamps.

    `tcp` is the kernel's own account, None when the socket is closed.
    """

    peer: str
    connected: bool
    ended: bool
    received_bytes: int
    sent_bytes: int
    reads: int
    queued_bytes: int
    most_queued_bytes: int
    pauses: int
    stamp_ns: int | None
    tcp: TcpInfo | None


class Stream:
    """One connection. `warnings` says what the kernel did not grant, each with its remedy."""

    receives: Final = True

    def __init__(self, one: socket.socket, peer: str, *, connected: bool, options: Options = PLAIN) -> None:
        self.socket = one
        self.peer = peer
        self.ended = False
        self.connected = connected
        self.options = options
        self.warnings: list[str] = []
        self.on_pressure: Callable[[bool], None] = lambda paused: None
        self.paused = False
        self.received_bytes = self.sent_bytes = self.reads = self.most_queued_bytes = self.pauses = 0
        self.stamp_ns: int | None = None
        self._queue = bytearray()
        self._ending = False

    @property
    def queued_bytes(self) -> int:
        """Say how much waits for the peer to read."""
        return len(self._queue)

    @property
    def wants_write(self) -> bool:
        """Say whether something waits: the connection itself, or bytes."""
        return not self.connected or bool(self._queue)

    def fileno(self) -> int:
        """Give the descriptor, -1 when it is closed."""
        return self.socket.fileno()

    def receive(self) -> list[memoryview]:
        """Take what has come, as a view that holds until the next read; `ended` when the peer has closed.

        Raises: NetworkError when the connection failed.
        """
        room = _ROOMS.room
        try:
            if self.options.stamps:
                count, control, _, _ = self.socket.recvmsg_into([room], _CONTROL_BYTES)
                self.stamp_ns = stamp(control)
            else:
                count = self.socket.recv_into(room)
        except BlockingIOError:
            return []
        except OSError as error:
            raise self._lost(error) from None
        self.reads += 1
        self.received_bytes += count
        if not count:
            self.ended = True
            return []
        if self.options.quick_ack:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return [room[:count]]

    def send(self, out: list[bytes]) -> None:
        """Send, and keep what the kernel does not take yet.

        Raises: NetworkError when too much waits, or the connection failed; MisuseError after `end_sending`.
        """
        if self._ending:
            raise MisuseError(f"sending to {self.peer} has ended")
        if self._queue or not self.connected:
            for data in out:
                self._queue += data
            self.flush()
        elif self._send_now(out):
            return
        self._look()

    def flush(self) -> None:
        """Send on what was kept.

        Raises: NetworkError when the connection failed, or was never made.
        """
        if not self.connected and not self._finish_connecting():
            return
        try:
            while self._queue:
                sent = self.socket.send(self._queue)
                del self._queue[:sent]
                self.sent_bytes += sent
        except BlockingIOError:
            pass
        except OSError as error:
            raise self._lost(error) from None
        if self.paused and len(self._queue) <= self.options.low_bytes:
            self.paused = False
            self.on_pressure(False)
        if self._ending and not self._queue:
            self._shut()

    def end_sending(self) -> None:
        """Tell the peer, behind all that waits, that nothing more comes; what it sends is still received."""
        self._ending = True
        if self.connected and not self._queue:
            self._shut()

    def reset(self) -> None:
        """Close so that the peer hears of a failure (RST); what still waited is lost."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close; what still waited is lost."""
        self.socket.close()

    def statistics(self) -> StreamStatistics:
        """Give the account, the kernel's with it."""
        return StreamStatistics(
            self.peer, self.connected, self.ended, self.received_bytes, self.sent_bytes, self.reads,
            self.queued_bytes, self.most_queued_bytes, self.pauses, self.stamp_ns, tcp_info(self.socket),
        )  # fmt: skip

    def _send_now(self, out: list[bytes]) -> bool:
        """Hand it to the kernel as it is, and copy only what is left over; say whether nothing was."""
        try:
            sent = self.socket.send(out[0]) if len(out) == 1 else self.socket.sendmsg(out[:MAX_PARTS]) if out else 0
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise self._lost(error) from None
        self.sent_bytes += sent
        if len(out) == 1 and sent == len(out[0]):
            return True
        for data in out:
            if sent < len(data):
                self._queue += memoryview(data)[sent:]
            sent = max(0, sent - len(data))
        return not self._queue

    def _look(self) -> None:
        """Judge what waits."""
        waiting = len(self._queue)
        self.most_queued_bytes = max(self.most_queued_bytes, waiting)
        if waiting > self.options.max_queue_bytes:
            raise NetworkError(f"{self.peer} does not read: {waiting} bytes wait", errno.ENOBUFS)
        if waiting > self.options.high_bytes and not self.paused:
            self.paused = True
            self.pauses += 1
            self.on_pressure(True)

    def _shut(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def _finish_connecting(self) -> bool:
        failure = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise told(f"cannot connect to {self.peer}", OSError(failure, os.strerror(failure)))
        try:
            self.socket.getpeername()
        except OSError:  # not yet
            return False
        self.connected = True
        return True

    def _lost(self, error: OSError) -> NetworkError:
        what = "lost" if self.connected else "cannot connect to"
        return told(f"{what} {self.peer}", error, _REMEDIES.get(error.errno or 0, "") if self.connected else "")
