"""One place for a connection: who is in it, who takes over, and when it is tried again."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from netfeed.errors import MisuseError
from netfeed.feed.gateway_words import Connect, Connected, Disconnect, Disconnected
from netfeed.feed.line import AGAIN_NS, CONNECT_NS, HANDOVER_NS, MAX_EARLY_NS, TAKEN_OVER, Line
from netfeed.feed.session import Skew
from netfeed.feed.throttle import MAX_HOLD_NS
from netfeed.feed.venue import LastWords, Numbers, Ports, Shared, Venue
from netfeed.machine import NEVER
from netfeed.proto.backoff import Pauses
from netfeed.proto.bucket import TokenBucket
from tests.feed.plain_talk import HELLO, Plain, plain
from tests.feed.toy_laws import frame, half
from tests.feed.toy_venue import LIMITS, ToyDialect, ToyMarket

S = 1_000_000_000
TOPICS = ("trades.a", "trades.b")


class Waiting(Plain):
    """A talk whose peer wants to be left alone for a year."""

    def end(self, now: int) -> Any:
        return [replace(word, wait_ns=365 * 86_400 * S) for word in super().end(now)]


class Bench:
    """A line, hand-driven."""

    def __init__(self, *, talk: Any = plain, **limits: Any) -> None:
        dialect = ToyDialect(replace(LIMITS, **limits), key=None)
        venue = Venue("v", ("a", "b"), dialect, ToyMarket(TOPICS), talk, pauses=Pauses(first_ns=S, cap_ns=8 * S))
        self.shared = Shared(
            venue, random=half, budget=TokenBucket(rate=100, burst=100), skew=Skew(), ports=Ports(), words=LastWords()
        )
        self.line = Line(self.shared, 0, 0, Numbers(), 0)
        self.line.want(TOPICS, 0)
        self.now = 0

    def connect(self) -> Connect:
        """Let the line ask for a connection."""
        return next(event for event in self.wake() if isinstance(event, Connect))

    def wake(self) -> list[Any]:
        self.now = max(self.now, self.line.deadline)
        return self.line.wake(self.now)

    def stand(self, order: Connect, *, refuse: bool = False) -> list[Any]:
        """Let a connection stand, and the venue answer what is asked on it."""
        self.line.opened(order.port, self.now)
        told = self.line.receive(HELLO, self.now, order.port)
        for data in self.line.transmit(order.port):
            if data[:1] == b"M":
                asked = msgspec.json.decode(data[5:])
                answer = {"id": asked["id"], "error": "11"} if refuse else {"id": asked["id"], "on": True}
                told += self.line.receive(frame(b"M", msgspec.json.encode(answer)), self.now, order.port)
        return told

    def says(self, port: int, told: dict[str, Any]) -> list[Any]:
        return self.line.receive(frame(b"M", msgspec.json.encode(told)), self.now, port)


def test_a_connection_is_asked_for_once_and_its_pauses_double() -> None:
    bench = Bench()
    pauses = []
    for _ in range(6):
        order = bench.connect()
        assert bench.line.wake(bench.now) == []
        lost, gone = bench.line.end(bench.now, order.port, "refused")
        assert isinstance(lost, Disconnected)
        assert gone == Disconnect("v", order.port)
        pauses.append((lost.retry_at - bench.now) / S)
    assert pauses == [0.5, 1, 2, 4, 4, 4]


def test_a_stream_that_does_not_come_to_stand_is_given_up() -> None:
    bench = Bench()
    bench.connect()
    assert bench.line.deadline == CONNECT_NS
    (lost, _) = bench.wake()
    assert (lost.by, lost.reason) == ("us", "no connection in time")


def test_what_was_not_asked_for_cannot_open() -> None:
    bench = Bench()
    with pytest.raises(MisuseError, match="was not waited for"):
        bench.line.opened(7, 0)
    assert (bench.line.receive(b"x", 0, 7), bench.line.end(0, 7, ""), bench.line.transmit(7)) == ([], [], [])


def test_however_long_the_venue_wants_to_be_left_alone_it_is_bounded() -> None:
    bench = Bench(talk=lambda endpoint, now: Waiting())
    order = bench.connect()
    bench.stand(order)
    (lost, _) = bench.line.end(bench.now, order.port, "")
    assert lost.retry_at == bench.now + MAX_HOLD_NS


def test_an_heir_is_asked_for_a_little_before_a_lifetime_ends() -> None:
    bench = Bench(lifetime_ns=86_400 * S)
    bench.stand(bench.connect())
    assert bench.line.link is not None
    assert bench.line.link.leave_at == 86_400 * S - MAX_EARLY_NS - MAX_EARLY_NS // 2


def test_both_are_heard_for_a_while_and_then_the_heir_is_the_link() -> None:
    bench = Bench()
    first = bench.connect()
    bench.stand(first)
    bench.says(first.port, {"leaving": "now"})
    second = bench.connect()
    told = bench.stand(second)
    assert [event.line for event in told if isinstance(event, Connected)] == [1]
    assert bench.line.deadline == bench.now + HANDOVER_NS
    (lost, gone) = bench.wake()
    assert (lost.port, lost.reason, lost.planned, lost.retry_at) == (first.port, TAKEN_OVER, True, NEVER)
    assert gone == Disconnect("v", first.port)
    assert [link.port for link in bench.line.links()] == [second.port]
    assert (bench.shared.takeovers, bench.shared.heirs) == (1, 0)


def test_an_heir_that_does_not_carry_everything_does_not_take_over_but_steps_in_when_the_link_is_lost() -> None:
    bench = Bench()
    first = bench.connect()
    bench.stand(first)
    bench.says(first.port, {"leaving": "now"})
    second = bench.connect()
    bench.stand(second, refuse=True)
    assert bench.line.deadline > bench.now
    assert [link.port for link in bench.line.links()] == [first.port, second.port]
    (lost, _) = bench.line.end(bench.now, first.port, "reset")
    assert not lost.planned
    assert [link.port for link in bench.line.links()] == [second.port]


def test_an_heir_that_fails_is_tried_again_while_the_link_lives() -> None:
    bench = Bench()
    first = bench.connect()
    bench.stand(first)
    bench.says(first.port, {"leaving": "now"})
    heir = bench.connect()
    (lost, _) = bench.line.end(bench.now, heir.port, "refused")
    assert lost.retry_at == bench.now + S // 2
    assert bench.connect().port == 2
    assert bench.line.link is not None
    assert bench.line.link.port == first.port


def test_a_link_that_is_lost_while_its_heir_is_only_thought_of_is_tried_again_by_itself() -> None:
    bench = Bench()
    first = bench.connect()
    bench.stand(first)
    bench.says(first.port, {"leaving": "now"})
    heir = bench.connect()
    bench.line.end(bench.now, heir.port, "refused")
    bench.line.end(bench.now, first.port, "reset")
    assert list(bench.line.links()) == []
    assert bench.shared.heirs == 0
    orders = [event for event in bench.wake() if isinstance(event, Connect)]
    assert len(orders) == 1


def test_without_a_seat_an_heir_waits() -> None:
    bench = Bench(connections=1)
    first = bench.connect()
    bench.stand(first)
    bench.says(first.port, {"leaving": "now"})
    assert bench.wake() == []
    assert bench.line.deadline == bench.now + AGAIN_NS


def test_who_is_stopped_is_over() -> None:
    bench = Bench()
    bench.stand(bench.connect())
    told = bench.line.stop(bench.now, "enough")
    assert [type(event) for event in told] == [Disconnected, Disconnect]
    assert (bench.line.deadline, bench.line.stop(bench.now, "again"), bench.shared.lines) == (NEVER, [], 0)
