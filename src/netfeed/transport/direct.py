"""Drive one stream machine over one connection from a thread that does nothing else: it sleeps in recv itself.

The shortest round trip that plain Python has: no epoll, no other descriptor, no queue, some 2 us less than on a loop.
It keeps the driver's law all the same: one input, hand over its events, drain, read the deadline, wait.

    direct = Direct(client, connect("203.0.113.7", 443), events=take)
    direct.run()                    until `stop`, the peer's end, or an error; then `close`

Precision: a deadline is met within some milliseconds, for the kernel counts a wait for a socket in ticks (SO_RCVTIMEO),
and `stop` from another thread is heard within PATIENCE_NS. A send blocks, so a peer that does not read for SEND_NS is
given up. Source: socket(7). Leaves out: several connections, timers, commands from other threads: those are `loop`'s.
"""

import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self

from netfeed.machine import StreamMachine
from netfeed.transport.network import NetworkError, told
from netfeed.transport.task import Events, nothing
from netfeed.transport.tcp_stream import READ_BYTES, Stream

PATIENCE_NS: Final = 50_000_000
"""How long one recv waits at most."""
SEND_NS: Final = 5_000_000_000
_TIMEVAL: Final = struct.Struct("@ll")


class Direct:
    """One machine, one connection, one thread."""

    def __init__(
        self, machine: StreamMachine, stream: Stream, *, events: Events = nothing,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:  # fmt: skip
        self.machine, self.stream = machine, stream
        self._events, self._clock = events, clock
        self._patience = 0
        self._stopped = False

    def run(self) -> None:
        """Drive until `stop`, or until the peer has closed.

        Raises: NetworkError when the connection cannot be made, fails, or the peer does not read.
        """
        self._open()
        machine, clock, receive, take = self.machine, self._clock, self.stream.socket.recv_into, self._take
        room = memoryview(bytearray(READ_BYTES))
        take((), clock())
        while not self._stopped:
            left = machine.deadline - clock()
            if left <= 0:
                now = clock()
                take(machine.wake(now), now)
                continue
            if left < self._patience or self._patience != PATIENCE_NS:
                self._wait_at_most(min(left, PATIENCE_NS))
            try:
                count = receive(room)
            except BlockingIOError:  # nothing came for so long
                continue
            except OSError as error:
                raise told(f"lost {self.stream.peer}", error) from None
            now = clock()
            if not count:
                take(machine.end(now), now)
                return
            take(machine.receive(room[:count], now), now)

    def stop(self) -> None:
        """End `run`, from its own events at once, from another thread within PATIENCE_NS."""
        self._stopped = True

    def kick(self) -> None:
        """Send what a command to the machine said; needed outside of `events` only, and on the thread of `run`."""
        self._take((), self._clock())

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, events: Sequence[Any], now: int) -> None:
        if events:
            self._events(events, now)
        send = self.stream.socket.send
        try:
            for data in self.machine.transmit():
                sent = send(data)
                if sent != len(data):
                    self.stream.socket.sendall(memoryview(data)[sent:])
        except BlockingIOError as error:
            raise NetworkError(f"{self.stream.peer} does not read", error.errno or 0) from None
        except OSError as error:
            raise told(f"lost {self.stream.peer}", error) from None

    def _open(self) -> None:
        """Wait for the connection, and let the socket block from then on."""
        poll = select.poll()
        poll.register(self.stream.fileno(), select.POLLOUT)
        while self.stream.wants_write and not self._stopped:
            if poll.poll(PATIENCE_NS // 1_000_000):
                self.stream.flush()
        one = self.stream.socket
        one.setblocking(True)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(SEND_NS))

    def _wait_at_most(self, patience_ns: int) -> None:
        if patience_ns != self._patience:
            self._patience = patience_ns
            self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(patience_ns))


def _timeval(ns: int) -> bytes:
    seconds, rest = divmod(max(ns, 1000), 1_000_000_000)  # 0 would be for ever
    return _TIMEVAL.pack(seconds, rest // 1000)
