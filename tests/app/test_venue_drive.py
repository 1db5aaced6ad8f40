"""A gateway on real sockets: names, races of addresses, TLS, WebSocket, HTTP, and what breaks there."""

import os
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from netfeed.app.changes import Catalogue, Changes, Selection
from netfeed.app.venue_drive import VenueDrive
from netfeed.app.venue_feed import VenueFeed
from netfeed.app.venue_log import VenueLog
from netfeed.book.state import BookState
from netfeed.feed.exchange import Exchanges
from netfeed.feed.gateway import Gateway
from netfeed.feed.gateway_words import Connected, Disconnected, GapClosed
from netfeed.feed.venue import Venue
from netfeed.feed.websocket_talk import WebSockets
from netfeed.proto import tls
from netfeed.proto.backoff import Pauses
from netfeed.transport.loop import Loop
from netfeed.transport.tcp_listener import Listener
from tests.feed.toy_venue import KEY, Account, Exchange, Mood, Server, Snapshots, ToyDialect, ToyMarket
from tests.feed.websocket_server_talk import ServerTalk
from tests.proto import certificates

TOPICS = ("book.a", "book.b", "diff.a", "trades.a")
PAUSES = Pauses(first_ns=1_000_000, cap_ns=10_000_000)


class OnLoop:
    """A server of toys as a machine, behind TLS or not."""

    def __init__(self, server: Any, below: Any = None) -> None:
        self.server, self.below = server, below

    @property
    def deadline(self) -> int:
        return min(self.server.deadline, self.below.deadline) if self.below else self.server.deadline

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        plain = [data]
        if self.below is not None:
            plain = [one.data for one in self.below.receive(data, now) if isinstance(one, tls.Received)]
        for one in plain:
            self.server.receive(one, now)
        return []

    def wake(self, now: int) -> list[Any]:
        self.server.wake(now)
        if self.below is not None:
            self.below.wake(now)
        return []

    def end(self, now: int) -> list[Any]:
        self.server.gone()
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        if self.below is None:
            return list(self.server.transmit())
        for data in self.server.transmit():
            if self.below.is_open:
                self.below.send(data)
        return list(self.below.transmit())


class Floor:
    """A venue that listens on this host, and a gateway that is connected to it."""

    def __init__(self, *, secure: bool, lines: int = 1) -> None:
        self.loop, self.exchange, self.account = Loop(), Exchange(TOPICS), Account()
        self.random, self.secure = Random(1), secure
        self.tasks: list[Any] = []
        self.listeners = [self._listen(self._stream), self._listen(self._http)]
        stream_port, http_port = (one.port for one in self.listeners)
        self.market, self.told = ToyMarket(TOPICS), []
        context = tls.client_context(certificates.trust())
        s = "s" if secure else ""
        venue = Venue(
            name="toys", endpoints=(f"ws{s}://{certificates.NAME}:{stream_port}/v2",), dialect=ToyDialect(),
            market=self.market, talk=WebSockets(os.urandom, context=context), topics=TOPICS, lines=lines,
            fetch_endpoint=f"http{s}://{certificates.NAME}:{http_port}", fetch=Exchanges(context=context),
            pauses=PAUSES,
        )  # fmt: skip
        gateway = Gateway([venue], Random(2).random, self.loop.clock())
        self.lines: list[str] = []
        self.log = VenueLog(self.lines.append)
        self.drive = VenueDrive(
            self.loop, gateway, events=self._events, resolver=lambda host, port: [("127.0.0.1", port)]
        )

    def _events(self, events: Any, now: int) -> None:
        gateway = self.drive.gateway
        assert [gateway.transmit(port) for port in gateway.ports if port in self.drive._task.ports] in (
            [], [[]] * len(self.drive._task.ports),
        ), "something was still to be said when events were handed over"  # fmt: skip
        self.told += events
        for event in events:
            self.log.hear(event, now)

    def _listen(self, accepted: Callable[[Any, int], None]) -> Listener:
        listener = Listener("127.0.0.1", 0, accepted)
        self.loop.watch(listener.fileno(), listener.ready)
        return listener

    def _stream(self, stream: Any, now: int) -> None:
        mood = Mood(ahead_ns=10**18)
        self._add(Server(self.exchange, self.random, now, mood, self.account, ServerTalk(now)), stream, now)

    def _http(self, stream: Any, now: int) -> None:
        self._add(Snapshots(self.exchange, self.random, now), stream, now)

    def _add(self, server: Any, stream: Any, now: int) -> None:
        below = tls.server(tls.server_context(certificates.good()), now) if self.secure else None
        self.tasks.append(self.loop.add(OnLoop(server, below), {0: stream}, failed=lambda endpoint, error: None))

    def move(self, times: int = 10) -> None:
        for k in range(times):
            for topic in TOPICS:
                self.exchange.move(topic, k, k, self.loop.clock())
        for task in self.tasks:
            task.kick()

    def until(self, true: Callable[[], bool]) -> None:
        """Let the loop run until something is so, or it takes too long."""
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline, (self.told[-5:], self.lines[-5:])
            self.loop.turn(self.loop.clock() + 50_000_000)

    def right(self) -> bool:
        books = {topic: self.market.book(topic) for topic in TOPICS[:3]}
        return all(
            book.state is BookState.LIVE
            and (book.levels, book.sequence) == (self.exchange.levels[topic], self.exchange.sequence[topic])
            for topic, book in books.items()
        )

    def streams(self) -> list[Any]:
        return [task for task in self.tasks if isinstance(task.machine.server, Server) and task.ports]

    def close(self) -> None:
        self.drive.close()
        for task in self.tasks:
            task.close()
        for listener in self.listeners:
            self.loop.forget(listener.fileno())
            listener.close()
        self.loop.close()


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def floor(request: Any) -> Any:
    made = Floor(secure=request.param)
    yield made
    made.close()


@pytest.mark.net
def test_books_are_right_over_real_sockets_and_after_every_break(floor: Floor) -> None:
    floor.until(floor.right)
    for _ in range(5):
        floor.move()
        floor.until(floor.right)
        for task in floor.streams():
            task.close()
            task.machine.server.gone()
        count = sum(isinstance(event, Connected) for event in floor.told)
        floor.exchange.sequence["book.a"] += 1
        floor.until(lambda count=count: sum(isinstance(event, Connected) for event in floor.told) > count)
        floor.move()
        floor.until(floor.right)
    assert floor.account.twice == 0
    assert any(isinstance(event, GapClosed) and event.topic == "book.a" for event in floor.told)
    assert KEY not in repr(floor.told)
    assert KEY not in " ".join(floor.lines)


@pytest.mark.net
def test_a_close_of_the_venue_is_told_with_its_code(floor: Floor) -> None:
    floor.until(floor.right)
    (task,) = floor.streams()
    task.machine.server.close(1012, "restart")
    task.kick()
    floor.until(lambda: any(isinstance(event, Disconnected) for event in floor.told))
    lost = next(event for event in floor.told if isinstance(event, Disconnected))
    assert (lost.by, lost.code, lost.reason) == ("venue", 1012, "restart")
    floor.until(floor.right)


@pytest.mark.net
def test_a_port_on_which_nobody_listens_is_the_reason_and_is_tried_again() -> None:
    floor = Floor(secure=False)
    listener = floor.listeners.pop(0)
    floor.loop.forget(listener.fileno())
    listener.close()
    floor.until(lambda: sum(isinstance(event, Disconnected) for event in floor.told) >= 3)
    assert all("refused" in event.reason.lower() for event in floor.told if isinstance(event, Disconnected))
    assert "did not connect" in floor.lines[0]
    floor.close()


@pytest.mark.net
def test_a_name_without_an_address_is_the_reason() -> None:
    floor = Floor(secure=False)
    floor.drive._resolver = lambda host, port: []
    floor.until(lambda: any(isinstance(event, Disconnected) for event in floor.told))
    assert "it has no address" in floor.lines[0]
    floor.close()


@pytest.mark.net
def test_a_gateway_that_is_closed_leaves_nothing_open(floor: Floor) -> None:
    floor.until(floor.right)
    floor.drive.close()
    floor.until(lambda: not floor.streams())
    assert floor.exchange.venues == []


def test_markets_are_feeds_whose_changes_meet_the_same_queue() -> None:
    market = ToyMarket(TOPICS)
    feed = VenueFeed(0)
    feed.made(market)
    assert (list(feed.names), list(feed.exponents)) == (list(TOPICS[:3]), [(0, 0)] * 3)
    assert len(feed.books) == 3
    changes = Changes(Catalogue(Selection()))
    changes.collect([feed], lambda which, channel: 0, lambda *told: None)
    assert changes.count == 0
    assert [book.name for book in changes.catalogue.books] == list(TOPICS[:3])
