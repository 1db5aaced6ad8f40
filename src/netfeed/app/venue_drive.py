"""Drive a gateway on a loop: its orders become connections, and what happens to these is told to it.

    Connect(port, "wss://host:port")   the name is looked up away from the loop, all addresses are raced, then `opened`
    Disconnect(port)                   what is still to be said is sent, and the stream is closed
    a stream ends, or fails            `end`, with the reason
    any other event                    is for `events`, after all that answers the venue has been sent

A connection that is given up while its name is looked up, or its addresses are raced, is forgotten there. Leaves out:
what becomes of the other events (`events`), and books (`venue_feed`).
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

from netfeed.app.resolve import Resolution, ResolveError, Resolver, system_resolver
from netfeed.errors import MisuseError
from netfeed.feed.gateway import Gateway
from netfeed.feed.gateway_words import Connect, Disconnect, Event
from netfeed.transport.dial import dial
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.race import Address
from netfeed.transport.tcp_options import Options
from netfeed.transport.tcp_stream import Stream

PORTS: Final = {"ws": 80, "wss": 443, "http": 80, "https": 443}
OPTIONS: Final = Options()
SKEW_EVERY_NS: Final = 1_000_000_000


class VenueDrive:
    """A gateway on a loop. `events` is told what is no order, and when."""

    def __init__(
        self, loop: Loop, gateway: Gateway, *, events: Callable[[Sequence[Event], int], None],
        resolver: Resolver = system_resolver, options: Options = OPTIONS,
    ) -> None:  # fmt: skip
        self.gateway = gateway
        self._loop, self._events, self._resolver, self._options = loop, events, resolver, options
        self._give_up: dict[int, Callable[[], None]] = {}
        self._ports: dict[int, int] = {}  # by the id of a stream, for the errors of streams
        self._set_skew(0)
        self._end_skew = loop.every(SKEW_EVERY_NS, self._set_skew)
        self._task = loop.add(gateway, {}, events=self._take, failed=self._failed)

    def kick(self) -> None:
        """Drain and read the deadline, after a command to the gateway."""
        self._task.kick()

    def close(self) -> None:
        """Close every connection, as politely as can be done without waiting."""
        now = self._loop.clock()
        self._take(self.gateway.stop(now), now)
        self._end_skew()
        self._task.close()

    def _set_skew(self, now: int) -> None:
        self.gateway.skew_ns = time.time_ns() - time.monotonic_ns()

    def _take(self, events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, Connect):
                self._connect(event)
            elif isinstance(event, Disconnect):
                self._disconnect(event.port)
        told = [event for event in events if not isinstance(event, Connect | Disconnect)]
        if told:
            self._task.take((), now)  # what answers the venue goes out before anybody takes time over events
            self._events(told, now)

    def _connect(self, order: Connect) -> None:
        url = urlsplit(order.endpoint)
        port = url.port or PORTS[url.scheme]
        done = partial(self._resolved, order.port)
        try:
            lookup = Resolution(url.hostname or "", port, self._loop.post, done, resolver=self._resolver)
        except MisuseError as error:  # too many lookups wait: as good as none that answered
            reason = str(error)
            self._loop.post(lambda: self._end(order.port, reason))
            return
        self._give_up[order.port] = lookup.give_up

    def _resolved(self, port: int, answer: "list[Address] | ResolveError") -> None:
        if isinstance(answer, ResolveError):
            self._end(port, str(answer))
            return
        self._give_up[port] = dial(
            self._loop, answer, opened=partial(self._opened, port), failed=partial(self._refused, port),
            options=self._options,
        )  # fmt: skip

    def _opened(self, port: int, stream: Stream, now: int) -> None:
        self._give_up.pop(port, None)
        if port not in self.gateway.ports:
            stream.close()
            return
        self.gateway.opened(port, now)
        self._ports[id(stream)] = port
        self._loop.open_port(self._task, port, stream)

    def _refused(self, port: int, error: NetworkError, now: int) -> None:
        self._end(port, str(error))

    def _failed(self, endpoint: Any, error: NetworkError) -> None:
        port = self._ports.pop(id(endpoint), None)
        if port is not None:
            self._end(port, str(error))

    def _end(self, port: int, reason: str) -> None:
        self._give_up.pop(port, None)
        if port in self.gateway.ports:
            now = self._loop.clock()
            self._task.take(self.gateway.end(now, port, reason), now)

    def _disconnect(self, port: int) -> None:
        give_up = self._give_up.pop(port, None)
        if give_up is not None:
            give_up()
        out = self.gateway.transmit(port)
        stream = self._task.ports.get(port)
        if stream is None:
            return
        self._ports.pop(id(stream), None)
        if out and not stream.ended:
            with contextlib.suppress(NetworkError):  # it is closed anyway
                stream.send(out)
        self._loop.close_port(self._task, port)
