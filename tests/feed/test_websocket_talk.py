"""A WebSocket as a talk, over TLS and plain: four words, and the deepest cause of the end."""

from collections.abc import Callable
from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.feed.exchange import Exchanges
from netfeed.feed.talk import Ended, Heard, Lively, Opened
from netfeed.feed.venue import shown
from netfeed.feed.websocket_talk import WebSockets
from netfeed.machine import NEVER
from netfeed.proto import http, tls, websocket
from netfeed.proto.stack import Stack
from tests.feed.websocket_server_talk import no_entropy
from tests.proto import certificates

S = 1_000_000_000


class Pair:
    """A talk and a server, side by side."""

    def __init__(self, *, secure: bool = False, identity: Any = None, before: "Pair | None" = None) -> None:
        self.server = websocket.Server(0)
        self.end: Any = self.server
        context = None
        if secure:
            context = tls.client_context(certificates.trust())
            self.theirs = before.theirs if before else tls.server_context(identity or certificates.good())
            self.end = Stack(tls.server(self.theirs, 0), self.server)
        fresh = WebSockets(no_entropy, context=context, headers=[("x-key", "of-the-client")])
        self.make = before.make if before else fresh
        self.talk: Any = self.make(f"{'wss' if secure else 'ws'}://{certificates.NAME}/v2?key=k", 0)
        self.words: list[Any] = []
        self.asked: list[Any] = []
        self.now = 0

    def pump(self, answer: Callable[[Any], None] | None = None) -> list[Any]:
        """Let everything flow; give what the talk told meanwhile."""
        self.words = []
        while True:
            up = b"".join(self.talk.transmit())
            events = list(self.end.receive(up, self.now)) if up else []
            if self.end.deadline <= self.now:
                events += self.end.wake(self.now)
            for event in events:
                self.asked.append(event)
                if isinstance(event, websocket.Requested):
                    self.server.accept(self.now) if answer is None else answer(event)
            down = b"".join(self.end.transmit())
            if down:
                self.words += self.talk.receive(down, self.now)
            if not up and not down and not events:
                return self.words


both = pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])


@both
def test_it_opens_and_messages_go_both_ways(secure: bool) -> None:
    pair = Pair(secure=secure)
    assert pair.pump() == [Opened()]
    request = next(event for event in pair.asked if isinstance(event, websocket.Requested))
    assert (request.target, request.header("x-key")) == ("/v2?key=k", "of-the-client")
    pair.talk.say(b"hello", 0)
    pair.server.send_text("one")
    pair.server.send_text("two")
    (heard,) = pair.pump()
    assert isinstance(heard, Heard)
    assert [bytes(heard.batch[place]) for place in range(len(heard.batch))] == [b"one", b"two"]
    said = next(event for event in pair.asked if isinstance(event, websocket.Messages))
    assert said.text(0) == "hello"


@both
def test_pings_both_ways_are_signs_of_life(secure: bool) -> None:
    pair = Pair(secure=secure)
    pair.pump()
    pair.talk.ping(0)
    assert pair.pump() == [Lively()]
    pair.server.ping(0)
    assert pair.pump() == [Lively()]


def test_pings_that_are_not_answered_are_bounded() -> None:
    pair = Pair()
    pair.pump()
    for _ in range(100):
        pair.talk.ping(0)
    assert len(pair.talk.transmit()) == websocket.Limits().pings


@both
@pytest.mark.parametrize("code", [1000, 1011, 1012])
def test_a_close_of_the_venue_is_told_with_code_and_reason_and_nothing_follows(secure: bool, code: int) -> None:
    pair = Pair(secure=secure)
    pair.pump()
    pair.server.close(0, code, "maintenance")
    assert pair.pump() == [Ended("venue", code, "maintenance")]
    assert (pair.talk.deadline, list(pair.talk.receive(b"x", 0)), pair.talk.end(0)) == (NEVER, [], [])
    pair.talk.say(b"too late", 0)
    assert pair.talk.transmit() == []


@both
def test_leaving_says_a_close_and_nothing_is_told_any_more(secure: bool) -> None:
    pair = Pair(secure=secure)
    pair.pump()
    pair.talk.leave("taken over " * 20, 0)
    assert pair.pump() == []
    closed = next(event for event in pair.asked if isinstance(event, websocket.Closed))
    assert (closed.code, closed.by) == (1000, websocket.Who.PEER)
    assert pair.talk.deadline == NEVER


@both
def test_the_next_connection_goes_on_with_the_tls_session_of_the_last(secure: bool) -> None:
    pair = Pair(secure=secure)
    pair.pump()
    pair.talk.leave("enough", 0)
    again = Pair(secure=secure, before=pair)
    assert again.pump() == [Opened()]
    reused = [event.session_reused for event in again.asked if isinstance(event, tls.Established)]
    assert reused == ([True] if secure else [])


@both
def test_a_stream_that_breaks_off_is_the_networks(secure: bool) -> None:
    pair = Pair(secure=secure)
    pair.pump()
    (ended,) = pair.talk.end(0)
    assert (ended.by, ended.code) == ("network", 1006)


def test_a_refusal_is_told_with_its_status_and_how_long_to_stay_away() -> None:
    pair = Pair()
    words = pair.pump(lambda event: pair.server.refuse(0, 429, b"", [("retry-after", "12")]))
    assert words == [Ended("venue", 1006, "the handshake was refused with status 429", 12 * S)]


def test_a_certificate_that_is_not_believed_is_the_reason() -> None:
    pair = Pair(secure=True, identity=certificates.expired())
    (ended,) = pair.pump()
    assert ended.by == "us"
    assert "its certificate is not believed" in ended.reason
    assert "expired" in ended.reason


def test_what_is_no_websocket_is_the_reason() -> None:
    pair = Pair()
    pair.talk.transmit()
    (ended,) = pair.talk.receive(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 0)
    assert ended.reason == "illegal first line"


def test_a_frame_that_is_none_is_the_reason() -> None:
    pair = Pair()
    pair.pump()
    (ended,) = pair.talk.receive(b"\x83\x00", 0)
    assert (ended.by, ended.code) == ("us", 1002)


@both
def test_a_handshake_that_does_not_come_is_given_up_by_itself(secure: bool) -> None:
    pair = Pair(secure=secure)
    pair.talk.transmit()
    (ended,) = pair.talk.wake(pair.talk.deadline)
    assert ended.reason.startswith("waited in vain for")


@pytest.mark.parametrize(
    "endpoint", ["http://a", "wss:///x", "wss://user:word@a/", "ws://a/#f", "ws://a:0/", "ws://a:x/", "a"]
)
def test_what_is_no_endpoint_is_refused_without_being_repeated(endpoint: str) -> None:
    with pytest.raises(MisuseError, match="an endpoint is wss://host:port/path") as told:
        WebSockets(no_entropy)(endpoint, 0)
    assert "word" not in str(told.value)


def test_tls_wants_a_context() -> None:
    with pytest.raises(MisuseError, match="wants a context"):
        WebSockets(no_entropy)("wss://a", 0)
    with pytest.raises(MisuseError, match="wants a context"):
        Exchanges()("https://a", 0)


def test_of_an_endpoint_only_scheme_host_and_port_are_told() -> None:
    assert shown("wss://stream.example:9443/ws/listen-key?token=x") == "wss://stream.example:9443"
    assert shown("wss://a?token=x") == "wss://a"


@both
def test_questions_go_over_http_and_are_answered(secure: bool) -> None:
    server = http.Server(0)
    end: Any = server
    if secure:
        end = Stack(tls.server(tls.server_context(certificates.good()), 0), server)
    exchanges = Exchanges(context=tls.client_context(certificates.trust()))
    exchange = exchanges(f"{'https' if secure else 'http'}://{certificates.NAME}", 0)
    exchange.request("GET", "/book", 0)
    told: list[Any] = []
    for _ in range(6):
        for event in end.receive(b"".join(exchange.transmit()), 0):
            if isinstance(event, http.Request):
                server.respond(200, b"levels", 0)
        told += exchange.receive(b"".join(end.transmit()), 0)
    assert [event.body for event in told if isinstance(event, http.Response)] == [b"levels"]
    assert any(isinstance(event, http.Closed) for event in exchange.end(1))
    assert exchange.deadline == NEVER
    assert exchange.wake(10**15) == []
