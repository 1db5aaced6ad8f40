"""Connect to whichever of several addresses answers first, within a time, under the loop or under asyncio.

    dial(loop, [("2001:db8::1", 443), ("192.0.2.1", 443)], opened=use, failed=tell)
    stream = await dial_async([("2001:db8::1", 443), ("192.0.2.1", 443)])

`race` says when to try which; here are the sockets. One descriptor (an epoll of all attempts) stands for them, so that
the loop and asyncio drive a race as they drive any machine. Names are resolved by the application, and not here.

TCP Fast Open is not asked for when there is more than one address: such a connection is made by the first bytes sent,
and there would be nothing to race.
"""

import asyncio
import contextlib
import dataclasses
import errno
import os
import select
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from netfeed.transport.aio import Driver
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError, address
from netfeed.transport.race import OPENED, STAGGER_NS, START, TIMEOUT_NS, Address, Lost, Race, Won, outcome
from netfeed.transport.tcp_options import PLAIN, Options
from netfeed.transport.tcp_socket import connect
from netfeed.transport.tcp_stream import Stream

PORT: Final = 0


class Attempts:
    """The sockets of a race, as its endpoint: told which to begin and to give up, it tells what became of them."""

    receives: Final = True
    ended: Final = False
    wants_write: Final = False

    def __init__(self, addresses: Sequence[Address], options: Options, source: str | None = None) -> None:
        for host, _ in addresses:
            address(host)  # before a descriptor is open
        several = len(addresses) > 1
        self._addresses, self._source = addresses, source
        self._options = dataclasses.replace(options, fast_open=False) if several else options
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._bell, select.EPOLLIN)
        self._streams: dict[int, Stream] = {}
        self._told: list[bytes] = []

    def fileno(self) -> int:
        """Give the descriptor that is readable when an attempt has come to something, -1 when it is closed."""
        return -1 if self._poll.closed else self._poll.fileno()

    def receive(self) -> list[bytes]:
        """Give the outcomes that are there."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        ready = {fd for fd, _ in self._poll.poll(0)}
        for index, stream in list(self._streams.items()):
            if stream.fileno() in ready:
                self._look(index, stream)
        told, self._told = self._told, []
        return told

    def send(self, out: list[bytes]) -> None:
        """Begin and give up attempts."""
        for order in out:
            if order[:1] == START:
                self._begin(order[1])
            else:
                self._stop(order[1])

    def flush(self) -> None:
        """Do nothing: orders are carried out at once."""

    def take(self, index: int) -> Stream:
        """Take the connection of an attempt that opened."""
        stream = self._streams.pop(index)
        with contextlib.suppress(OSError, ValueError):
            self._poll.unregister(stream.fileno())
        return stream

    def close(self) -> None:
        """Give up all attempts that were not taken."""
        for index in list(self._streams):
            self._stop(index)
        if not self._poll.closed:
            self._poll.close()
            os.close(self._bell)

    def _begin(self, index: int) -> None:
        host, port = self._addresses[index]
        source = self._source if self._source is not None and (":" in host) == (":" in self._source) else None
        try:
            stream = connect(host, port, source=source, options=self._options)
        except NetworkError as error:
            self._tell(index, error.errno or errno.ENETUNREACH)
            return
        self._streams[index] = stream
        if stream.connected:
            self._tell(index, OPENED)
        else:
            self._poll.register(stream.fileno(), select.EPOLLOUT)

    def _look(self, index: int, stream: Stream) -> None:
        try:
            stream.flush()
        except NetworkError as error:
            self._stop(index)
            self._told.append(outcome(index, error.errno or errno.ECONNREFUSED))
            return
        if stream.connected:
            self._poll.unregister(stream.fileno())
            self._told.append(outcome(index, OPENED))

    def _stop(self, index: int) -> None:
        stream = self._streams.pop(index, None)
        if stream is not None:
            stream.close()  # which takes it out of the epoll as well

    def _tell(self, index: int, number: int) -> None:
        """Say on the next reading what is known already."""
        self._told.append(outcome(index, number))
        os.eventfd_write(self._bell, 1)


def dial(
    loop: Loop, addresses: Sequence[Address], *, opened: Callable[[Stream, int], None],
    failed: Callable[[NetworkError, int], None], options: Options = PLAIN, source: str | None = None,
    stagger_ns: int = STAGGER_NS, timeout_ns: int = TIMEOUT_NS,
) -> Callable[[], None]:  # fmt: skip
    """Connect to one of several addresses; give what gives it up. `opened` or `failed` is called once, by the loop.

    Raises: MisuseError without addresses; ConfigurationError for what is no address.
    """
    race = Race(addresses, loop.clock(), stagger_ns=stagger_ns, timeout_ns=timeout_ns)
    attempts = Attempts(race.addresses, options, source)

    def take(events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, Won):
                stream = attempts.take(event.index)
                task.close()
                opened(stream, now)
            else:
                task.close()
                failed(_error(event), now)

    task = loop.add(race, {PORT: attempts}, events=take)
    return task.close


async def dial_async(
    addresses: Sequence[Address], *, options: Options = PLAIN, source: str | None = None, stagger_ns: int = STAGGER_NS,
    timeout_ns: int = TIMEOUT_NS, clock: Callable[[], int] = time.monotonic_ns,
) -> Stream:  # fmt: skip
    """Connect to one of several addresses.

    Raises: NetworkError when none answers; MisuseError without addresses; ConfigurationError for what is no address.
    """
    race = Race(addresses, clock(), stagger_ns=stagger_ns, timeout_ns=timeout_ns)
    attempts = Attempts(race.addresses, options, source)
    done: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()

    def take(events: Sequence[Any], now: int) -> None:
        for event in events:
            if done.done():  # nobody waits any more: the attempt is closed with the others
                return
            if isinstance(event, Won):
                done.set_result(attempts.take(event.index))
            else:
                done.set_exception(_error(event))

    async with Driver(race, {PORT: attempts}, events=take, clock=clock):
        try:
            return await done
        except asyncio.CancelledError:
            if done.done() and not done.cancelled() and done.exception() is None:
                done.result().close()
            raise


def _error(lost: Lost) -> NetworkError:
    number = next((number for _, number in lost.errors if number != errno.ETIMEDOUT), errno.ETIMEDOUT)
    return NetworkError(f"cannot connect: {lost}", number)
