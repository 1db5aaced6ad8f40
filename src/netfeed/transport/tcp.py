"""TCP for stream machines: connections that never block, with a write queue that cannot grow without end.

`connect` returns at once; what is sent before the peer has accepted waits in the queue. A connection that fails, or a
peer that does not read until MAX_QUEUE_BYTES wait, is a `NetworkError` out of `receive`, `send` or `flush`: whoever
drives the machine closes it. TCP_NODELAY is on: a request must not wait for the next one.

Sources: tcp(7), connect(2) (EINPROGRESS, then SO_ERROR).
Leaves out: TLS, which is a machine of its own; connecting again, which is a policy; names, which are not resolved.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from netfeed.transport.network import NetworkError, address, endpoint_text, told

READ_BYTES: Final = 2**18
"""What is taken from one connection before the others get their turn."""
MAX_QUEUE_BYTES: Final = 4 * 2**20
"""What may wait for a peer that does not read; beyond it the peer is taken for dead."""
BACKLOG: Final = 64


class Stream:
    """One connection as an endpoint of a machine."""

    receives: Final = True

    def __init__(
        self, one: socket.socket, peer: str, *, connected: bool, max_queue_bytes: int = MAX_QUEUE_BYTES
    ) -> None:
        self.socket = one
        self.peer = peer
        self.ended = False
        self.connected = connected
        self.max_queue_bytes = max_queue_bytes
        self.received_bytes = self.sent_bytes = 0
        self._queue = bytearray()

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

    def receive(self) -> list[bytes]:
        """Take what has come; `ended` when the peer has closed.

        Raises: NetworkError when the connection failed.
        """
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            raise told(f"lost {self.peer}", error) from None
        self.received_bytes += len(data)
        self.ended = not data
        return [data] if data else []

    def send(self, out: list[bytes]) -> None:
        """Send, and keep what the kernel does not take yet.

        Raises: NetworkError when too much waits, or the connection failed.
        """
        for data in out:
            self._queue += data
        self.flush()
        if len(self._queue) > self.max_queue_bytes:
            raise NetworkError(f"{self.peer} does not read: {len(self._queue)} bytes wait", errno.ENOBUFS)

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
            raise told(f"lost {self.peer}", error) from None

    def end_sending(self) -> None:
        """Tell the peer that nothing more comes; what it sends is still received."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; what still waited is lost."""
        self.socket.close()

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


def connect(
    host: str, port: int, *, source: str | None = None, receive_buffer_bytes: int | None = None,
    max_queue_bytes: int = MAX_QUEUE_BYTES,
) -> Stream:  # fmt: skip
    """Begin to connect, and return at once. `source` is the local address to come from.

    Raises: NetworkError when the kernel knows at once that it cannot be; ConfigurationError for what is no address.
    """
    one = _socket(host)
    text = endpoint_text(host, port)
    try:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer_bytes is not None:  # before connecting: it bounds the window that is offered
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        if source is not None:
            one.bind((source, 0))
        one.connect((host, port))
        connected = True
    except BlockingIOError:
        connected = False
    except OSError as error:
        one.close()
        raise told(f"cannot connect to {text}", error) from None
    return Stream(one, text, connected=connected, max_queue_bytes=max_queue_bytes)


class Listener:
    """Accept connections: `accepted(stream, now)` is called for each. Watch it with `loop.watch(fd, ready)`."""

    def __init__(
        self, host: str, port: int, accepted: Callable[[Stream, int], None], *, max_queue_bytes: int = MAX_QUEUE_BYTES
    ) -> None:
        """Listen; port 0 is any, `port` says which.

        Raises: NetworkError; ConfigurationError.
        """
        self._accepted, self._max_queue_bytes = accepted, max_queue_bytes
        self.dropped = 0
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.socket = _socket(host)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((host, port))
            self.socket.listen(BACKLOG)
        except OSError as error:
            self.close()
            raise told(f"cannot listen on {endpoint_text(host, port)}", error) from None
        self.host = host
        self.port: int = self.socket.getsockname()[1]

    def fileno(self) -> int:
        """Give the descriptor."""
        return self.socket.fileno()

    def ready(self, now: int) -> None:
        """Accept who waits, BACKLOG of them at most: a flood must leave time for everything else."""
        for _ in range(BACKLOG):
            try:
                one, peer = self.socket.accept()
            except OSError as error:  # nobody waits, or who did has gone
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._turn_away()
                return
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = Stream(one, endpoint_text(*peer[:2]), connected=True, max_queue_bytes=self._max_queue_bytes)
            self._accepted(stream, now)

    def close(self) -> None:
        """Listen no more; connections that were accepted go on."""
        self.socket.close()
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1

    def _turn_away(self) -> None:
        """Drop who waits when no descriptor is left: else the kernel says again and again that somebody does."""
        if self._spare < 0:
            return
        os.close(self._spare)
        with contextlib.suppress(OSError):
            self.socket.accept()[0].close()
            self.dropped += 1
        with contextlib.suppress(OSError):
            self._spare = -1
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _socket(host: str) -> socket.socket:
    family = socket.AF_INET if address(host).version == 4 else socket.AF_INET6
    return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
