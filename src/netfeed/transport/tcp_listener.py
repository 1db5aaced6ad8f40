"""The listener's side of TCP: whoever connects becomes a `Stream`, and no more of them than were allowed for.

    listener = Listener("127.0.0.1", 0, accepted)
    loop.watch(listener.fileno(), listener.ready)          asyncio: add_reader(listener.fileno(), ...)

When the process has no descriptor left, a waiting connection can neither be taken nor refused, and a loop would spin on
it: one descriptor is kept in reserve, to accept and close with. Source: listen(2), accept(2), tcp(7).
"""

import contextlib
import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from netfeed.transport.network import endpoint_text, told
from netfeed.transport.tcp_options import PLAIN, Options, accept_fast_open, apply
from netfeed.transport.tcp_socket import open_socket
from netfeed.transport.tcp_stream import Stream

BACKLOG: Final = 256
"""Connections that the kernel keeps until they are accepted; it caps this at net.core.somaxconn."""
MAX_OPEN: Final = 1024
"""Connections of one listener that may be open at once: what a process may have open by default."""
MAX_ACCEPTED: Final = 64
"""Connections that are accepted in one turn, before the others get theirs."""
_FULL: Final = (errno.EMFILE, errno.ENFILE)


@dataclass(frozen=True, slots=True)
class ListenerStatistics:
    """The account of a listener: who was accepted, and who was turned away because too many were there already."""

    accepted: int
    turned_away: int
    failed: int


class Listener:
    """Accept connections: `accepted(stream, now)` is called for each."""

    def __init__(
        self, host: str, port: int, accepted: Callable[[Stream, int], None], *, options: Options = PLAIN,
        backlog: int = BACKLOG, defer_accept_s: int = 0, max_open: int = MAX_OPEN,
    ) -> None:  # fmt: skip
        """Listen; port 0 is any, `port` says which. `defer_accept_s`: wait that long for the client's first bytes.

        Whoever comes while `max_open` of those who came before are there is turned away.

        Raises: NetworkError; ConfigurationError.
        """
        self.warnings: list[str] = []
        self._accepted, self._options, self._max_open = accepted, options, max_open
        self._open: list[Stream] = []
        self._count = self._turned_away = self._failed = 0
        self.socket = open_socket(host)
        try:
            self._set_up(host, port, backlog, defer_accept_s)
        except OSError as error:
            self.socket.close()
            raise told(f"cannot listen on {endpoint_text(host, port)}", error) from None
        self.host = host
        self.port: int = self.socket.getsockname()[1]
        self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def fileno(self) -> int:
        """Give the descriptor."""
        return self.socket.fileno()

    def ready(self, now: int) -> None:
        """Accept those who wait, but for those who come too many at once: they have their turn next time."""
        for _ in range(MAX_ACCEPTED):
            try:
                one, peer = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _FULL or not self._turn_away():
                    self._failed += 1  # who waited has gone
                    return
                continue
            if self._is_full():
                one.close()
                self._turned_away += 1
                continue
            self._count += 1
            self._take(one, endpoint_text(*peer[:2]), now)

    def statistics(self) -> ListenerStatistics:
        """Give the account."""
        return ListenerStatistics(self._count, self._turned_away, self._failed)

    def close(self) -> None:
        """Listen no more; connections that were accepted go on. A second call does nothing."""
        self.socket.close()
        if self._reserve >= 0:
            os.close(self._reserve)
            self._reserve = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set_up(self, host: str, port: int, backlog: int, defer_accept_s: int) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._options.receive_buffer_bytes is not None:  # what is accepted inherits it, in time for its window
            size = self._options.receive_buffer_bytes
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        if defer_accept_s:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, defer_accept_s)
        if self._options.fast_open:
            self.warnings += accept_fast_open(self.socket)
        self.socket.bind((host, port))
        self.socket.listen(backlog)

    def _take(self, one: socket.socket, peer: str, now: int) -> None:
        one.setblocking(False)
        stream = Stream(one, peer, connected=True, options=self._options)
        with contextlib.suppress(OSError):  # who has gone already is told by the first read
            stream.warnings += apply(one, self._options)
        self._open.append(stream)
        self._accepted(stream, now)

    def _is_full(self) -> bool:
        """Say whether as many are open as may be; who has closed is forgotten only when it matters."""
        if len(self._open) >= self._max_open:
            self._open = [stream for stream in self._open if stream.fileno() >= 0]
        return len(self._open) >= self._max_open

    def _turn_away(self) -> bool:
        """Close a connection that no descriptor is left for; say whether that could be done."""
        if self._reserve < 0:
            return False
        os.close(self._reserve)
        try:
            self.socket.accept()[0].close()
            self._turned_away += 1
            return True
        except OSError:
            return False
        finally:
            try:
                self._reserve = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:  # another thread was faster
                self._reserve = -1
