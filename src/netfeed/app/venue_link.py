"""One venue of a run on real sockets: its instruments are asked for, then a gateway carries its topics.

    asking      a connection of its own, tried again with pauses, until the venue has said what it lists
    running     `feed.gateway`: connections, subscriptions, heartbeats, gaps; here are its sockets
    closed      every connection was told so

What is heard goes to the books at once; what an operator should know is told in a line, and into the stream.

Leaves out: what a venue says (`venue_kinds`), who drives the loop (`venue_driver`).
"""

import os
import random
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from netfeed.app import venue_words as words
from netfeed.app.configuration import Venue as Config
from netfeed.app.discovery import Discovery, Found
from netfeed.app.resolve import Address, resolve
from netfeed.app.venue_feed import VenueFeed
from netfeed.app.venue_kinds import KINDS, Made, endpoints, wanted
from netfeed.errors import ConfigurationError, MisuseError, NetfeedError
from netfeed.feed.gateway import Gateway
from netfeed.feed.gateway_words import Connect, Disconnect, Disconnected, VenueStatistics
from netfeed.feed.talk import Talk
from netfeed.feed.venue import Venue
from netfeed.feed.websocket_talk import WebSockets
from netfeed.proto import tls, websocket
from netfeed.proto.backoff import Backoff, Pauses
from netfeed.proto.bucket import TokenBucket
from netfeed.transport.dial import dial
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.task import Task
from netfeed.transport.tcp import Stream

PORT: Final = 0
MAX_REASONS: Final = 64
"""Reasons of lost connections that are counted one by one, for each endpoint."""
Wrap = Callable[[Talk, str, str], Talk]
"""Gives the talk that is held instead, for a recorder: (talk, venue, endpoint)."""


class Connection:
    """A stream as an endpoint of one port of several: its end is told with the port."""

    ended: Final = False
    receives: Final = True

    def __init__(self, stream: Stream, gone: Callable[[str], None]) -> None:
        self.stream, self._gone = stream, gone

    @property
    def wants_write(self) -> bool:
        """Say whether something waits for the peer to read."""
        return self.stream.wants_write

    def fileno(self) -> int:
        """Give the descriptor."""
        return self.stream.fileno()

    def receive(self) -> Sequence[Any]:
        """Take what has come. Raises: NetworkError."""
        data = self.stream.receive()
        if self.stream.ended:
            self._gone("")
        return data

    def send(self, out: list[bytes]) -> None:
        """Send, or keep. Raises: NetworkError."""
        self.stream.send(out)

    def flush(self) -> None:
        """Send on what was kept. Raises: NetworkError."""
        self.stream.flush()

    def close(self) -> None:
        """Close."""
        self.stream.close()

    def failed(self, error: NetworkError) -> None:
        """Take note that it broke."""
        self._gone(str(error))


class VenueLink:
    """One venue. `tell` is given what an operator should know, `stream` lines of the JSON stream."""

    def __init__(
        self, config: Config, index: int, loop: Loop, *, budget: TokenBucket, tell: Callable[[str], None],
        stream: Callable[[list[dict[str, Any]]], None], wrap: Wrap | None = None,
    ) -> None:  # fmt: skip
        """Read certificates. Raises: ConfigurationError."""
        self.config, self.name, self.index = config, config.name, index
        self.feed = VenueFeed(index)
        self.gateway: Gateway | None = None
        self.reconnects: dict[str, Counter[str]] = {}
        self.listed = 0
        self._kind = KINDS[config.venue]
        self._loop, self._budget, self._tell, self._stream = loop, budget, tell, stream
        self._wrap: Wrap = wrap or (lambda talk, venue, endpoint: talk)
        self._talks = websockets(config)
        self._made: Made | None = None
        self._book_topics: tuple[str, ...] = ()
        self._task: Task | None = None
        self._pauses = Pauses(config.reconnect.first, config.reconnect.cap, config.reconnect.healthy)
        self._backoff = Backoff(random.random, pauses=self._pauses, budget=budget)
        self._asking: Task | None = None
        self._dialling: dict[int, Callable[[], None]] = {}
        self._places: dict[int, str] = {}
        self._closed = False

    @property
    def skew_ns(self) -> int:
        """Give what stamps are ahead of monotonic time."""
        return 0 if self.gateway is None else self.gateway.skew_ns

    @skew_ns.setter
    def skew_ns(self, skew_ns: int) -> None:
        if self.gateway is not None:
            self.gateway.skew_ns = skew_ns

    @property
    def is_ready(self) -> bool:
        """Say whether every book is LIVE, over connections that are heard."""
        return self.gateway is not None and self.feed.is_live

    def topic_of(self, number: int) -> str | None:
        """Name the topic of a book by its number in the feed."""
        return self._book_topics[number] if number < len(self._book_topics) else None

    def statistics(self) -> VenueStatistics | None:
        """Give the account of the gateway, None before there is one."""
        return None if self.gateway is None else self.gateway.statistics().venues[0]

    def open(self) -> None:
        """Begin to ask."""
        self._backoff.begin(self._loop.clock())
        self._asking = self._loop.add(self._backoff, {}, events=lambda events, now: self._ask(now))

    def events(self) -> list[Any]:
        """Drain trades and tickers."""
        return [] if self._made is None or self._made.events is None else self._made.events.drain()

    def close(self) -> None:
        """Close every connection with a word; the books stay as they are."""
        if self._closed:
            return
        self._closed = self.feed.closing = True
        now = self._loop.clock()
        for give_up in list(self._dialling.values()):
            give_up()
        if self.gateway is not None and self._task is not None:
            self._task.take(self.gateway.stop(now), now)
            self._loop.turn(now)
            self._task.close()
        if self._asking is not None:
            self._asking.close()

    # -- the instruments

    def _ask(self, now: int) -> None:
        """Ask the venue for its instruments."""
        place = endpoints(self.config)[self._backoff.statistics().failures_in_a_row % len(endpoints(self.config))]

        def opened(stream: Stream, now: int) -> None:
            self._backoff.opened(now)
            talk = self._wrap(self._talks(place, now), self.name, place)
            machine = Discovery(talk, self._kind.question(self.config), self._kind.instruments, now)
            task = self._loop.add(
                machine, {PORT: stream}, events=lambda told, now: self._answered(told, task_of(), now),
                failed=lambda endpoint, error: self._unanswered(str(error), task_of()),
            )  # fmt: skip
            tasks.append(task)

        def task_of() -> Task | None:
            return tasks[0] if tasks else None

        tasks: list[Task] = []
        self._dial(PORT - 1, place, opened, lambda reason, now: self._unanswered(reason, None))

    def _answered(self, told: Sequence[Any], task: Task | None, now: int) -> None:
        if task is not None:
            self._loop.post(task.close)
        for one in told:
            if not isinstance(one, Found):
                self._unanswered(one.reason, None)
                return
            found = wanted(self.config, one.instruments)
            self.listed = len(one.instruments)
            if found:
                self._backoff.stop()
                self._run(found, now)
            else:
                self._unanswered(f"none of its {self.listed} instruments is named", None)

    def _unanswered(self, reason: str, task: Task | None) -> None:
        if task is not None:
            self._loop.post(task.close)
        now = self._loop.clock()
        self._tell(f"{self.name}: no instruments: {reason}")
        self._backoff.failed(now)
        if self._asking is not None:
            self._asking.kick()

    def _run(self, instruments: Sequence[Any], now: int) -> None:
        made = self._made = self._kind.made(self.config, instruments)
        self.feed.made(made.market)
        self._book_topics = made.books
        places = endpoints(self.config)
        venue = Venue(
            self.name, places, made.dialect, self.feed, self._talk, topics=made.topics, lines=self.config.lines,
            pauses=self._pauses,
        )  # fmt: skip
        self._tell(f"{self.name}: {len(instruments)} of {self.listed} instruments, {len(made.topics)} topics")
        try:
            self.gateway = Gateway([venue], random.random, now, budget=self._budget)
        except MisuseError as error:
            raise ConfigurationError(f"venues.{self.name}: {error}") from None
        self._task = self._loop.add(self.gateway, {}, events=self._take, failed=self._failed)

    def _talk(self, endpoint: str, now: int) -> Talk:
        return self._wrap(self._talks(endpoint, now), self.name, endpoint)

    # -- the gateway's connections

    def _take(self, events: Sequence[Any], now: int) -> None:
        lines = []
        for event in events:
            if isinstance(event, Connect):
                self._connect(event)
            elif isinstance(event, Disconnect):
                self._disconnect(event.port)
            else:
                if isinstance(event, Disconnected) and not event.planned:
                    self._count(event)
                text = words.line(event, now)
                if text is not None:
                    self._tell(f"{self.name}: {text}")
                lines += words.records(event, self.skew_ns)
        if lines:
            self._stream(lines)

    def _connect(self, order: Connect) -> None:
        port = order.port

        def opened(stream: Stream, now: int) -> None:
            assert self.gateway is not None
            assert self._task is not None
            self.gateway.opened(port, now)
            gone = lambda reason: self._loop.post(lambda: self._gone(port, reason))  # noqa: E731
            self._loop.open_port(self._task, port, Connection(stream, gone))

        self._dial(port, order.endpoint, opened, lambda reason, now: self._gone(port, reason))

    def _disconnect(self, port: int) -> None:
        """Give up an attempt, or close a connection once its last words are out, which happens after this."""
        give_up = self._dialling.pop(port, None)
        if give_up is not None:
            give_up()
        self._loop.post(lambda: self._loop.close_port(self._task, port) if self._task is not None else None)

    def _gone(self, port: int, reason: str) -> None:
        """A stream has ended, or never came to stand."""
        if self.gateway is None or self._task is None or self._closed:
            return
        now = self._loop.clock()
        self._task.take(self.gateway.end(now, port, reason), now)
        self._loop.close_port(self._task, port)

    def _failed(self, endpoint: Any, error: NetworkError) -> None:
        endpoint.failed(error)

    def _dial(
        self, port: int, endpoint: str, opened: Callable[[Stream, int], None], failed: Callable[[str, int], None]
    ) -> None:  # fmt: skip
        """Connect to a host by name or address."""
        url = urlsplit(endpoint)
        default = 443 if url.scheme == "wss" else 80
        self._places[port] = endpoint

        def known(addresses: Sequence[Address], reason: str) -> None:
            if self._closed or self._places.get(port) != endpoint:
                return
            if not addresses:
                failed(reason, self._loop.clock())
                return
            self._dialling[port] = dial(self._loop, addresses, opened=stands, failed=fell)

        def stands(stream: Stream, now: int) -> None:
            self._dialling.pop(port, None)
            opened(stream, now)

        def fell(error: NetworkError, now: int) -> None:
            self._dialling.pop(port, None)
            failed(str(error), now)

        try:
            resolve(url.hostname or "", url.port or default, known, self._loop.post)
        except NetfeedError as error:
            text = str(error)
            self._loop.post(lambda: failed(text, self._loop.clock()))

    def _count(self, event: Disconnected) -> None:
        reasons = self.reconnects.setdefault(event.endpoint, Counter())
        reason = words.reason(event)
        reasons[reason if reason in reasons or len(reasons) < MAX_REASONS else "other"] += 1


def websockets(config: Config) -> WebSockets:
    """Make what talks to a venue. Raises: ConfigurationError for certificates that cannot be read."""
    limits = replace(websocket.Limits(), frame_bytes=config.max_message, message_bytes=config.max_message)
    secure = any(one.startswith("wss") for one in endpoints(config))
    context = context_of(config) if secure else None
    return WebSockets(os.urandom, context=context, limits=limits, compression=config.compression)


def context_of(config: Config) -> ssl.SSLContext:
    """Make the context of TLS. Raises: ConfigurationError."""
    said = config.tls
    identity = None if said.certificate is None else tls.Identity(said.certificate, said.key)
    return tls.client_context(trust(said.ca) if said.verify else None, identity=identity, alpn=["http/1.1"])


def trust(ca: str | None) -> tls.Trust:
    """Say whom to believe: a file, or whom the system does. Raises: ConfigurationError."""
    if ca is not None:
        return tls.Trust(file=ca)
    known = ssl.get_default_verify_paths()
    if not (known.cafile or known.capath):
        raise ConfigurationError("this system trusts nobody: name a file with `tls.ca`")
    return tls.Trust(file=known.cafile, directory=known.capath)
