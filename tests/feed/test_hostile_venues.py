"""Venues that mean harm: floods, nonsense, silence, unasked answers, doors that close at once. Bounded, and by rule."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from netfeed.feed.gateway import Gateway
from netfeed.feed.gateway_words import Connect, Disconnect, Disconnected
from netfeed.feed.venue import Venue
from tests.feed.plain_talk import HELLO, plain
from tests.feed.toy_laws import TOPICS, frame, from_venue, half
from tests.feed.toy_venue import KEY, ToyDialect, ToyMarket, fetch
from tests.picture import weight

MS = 1_000_000
S = 1_000_000_000
BOUND = 1_000_000
"""What a gateway of one venue may weigh, whatever comes. Units: bytes."""


def say(told: dict[str, Any]) -> bytes:
    return frame(b"M", msgspec.json.encode(told))


def flood(random: Random) -> bytes:
    return say({"t": "book.a", "s": random.randrange(10**9), "p": random.randrange(10**9)}) * 50


def nonsense(random: Random) -> bytes:
    return frame(b"M", random.randbytes(random.randrange(40)))


def no_frames(random: Random) -> bytes:
    return random.randbytes(random.randrange(1, 400))


def deep(random: Random) -> bytes:
    return frame(b"M", b"[" * 100_000)


def unasked(random: Random) -> bytes:
    topics = [f"{random.choice(['book', 'x'])}.{random.randrange(10**6)}" for _ in range(20)]
    return say({"id": random.randrange(10**6), "on": random.random() < 0.5, "topics": topics})


def on_and_off(random: Random) -> bytes:
    return say({"on": random.random() < 0.5, "topics": list(TOPICS)})


def throttling(random: Random) -> bytes:
    return say({"wait": 10**9, "id": random.randrange(100)})


def parting(random: Random) -> bytes:
    return say({"leaving": "now " * random.randrange(100)})


def unending(random: Random) -> bytes:
    return b"M" + (2**19).to_bytes(4, "big") + bytes(1000)


def echoing(random: Random) -> bytes:
    return say({"id": random.randrange(3), "error": KEY, "text": f"{KEY} is wrong"}) + say({"leaving": KEY})


def closing(random: Random) -> bytes:
    return frame(b"C", (1008).to_bytes(2, "big") + KEY.encode())


VENUES = [flood, nonsense, no_frames, deep, unasked, on_and_off, throttling, parting, unending, echoing, closing,
          from_venue]  # fmt: skip


class Besieged:
    """A gateway and one venue of that kind: what is asked, connected and told over a stretch of virtual time."""

    def __init__(self, attack: Callable[[Random], bytes], *, every_ns: int = 100 * MS) -> None:
        self.market = ToyMarket(TOPICS)
        venue = Venue(
            name="foe", endpoints=("a", "b"), dialect=ToyDialect(), market=self.market, talk=plain, topics=TOPICS,
            lines=2, fetch_endpoint="http", fetch=fetch,
        )  # fmt: skip
        self.gateway = Gateway([venue], half, 0)
        self.attack, self.every_ns = attack, every_ns
        self.random, self.now = Random(1), 0
        self.connects = self.said = 0
        self.told: list[Any] = []
        self.heaviest = 0

    def run(self, until: int) -> None:
        gateway, next_at = self.gateway, self.now
        while self.now < until:
            if gateway.deadline <= next_at:
                self.now = max(self.now, gateway.deadline)
                self._tell(gateway.wake(self.now))
            else:
                self.now, next_at = next_at, next_at + self.every_ns
                for port in gateway.ports:
                    self._tell(gateway.receive(self.attack(self.random), self.now, port))
                if self.random.random() < 0.02:
                    self.heaviest = max(self.heaviest, weight(gateway))

    def _tell(self, events: list[Any]) -> None:
        gateway = self.gateway
        for event in events:
            self.told.append(event)
            if isinstance(event, Connect):
                self.connects += 1
                gateway.opened(event.port, self.now)
                self._tell(gateway.receive(HELLO, self.now, event.port))
            elif isinstance(event, Disconnect):
                gateway.transmit(event.port)
        for port in gateway.ports:
            self.said += sum(data[:1] == b"M" for data in gateway.transmit(port))


@pytest.mark.parametrize("attack", VENUES, ids=lambda attack: attack.__name__)
def test_whatever_a_venue_does_memory_requests_and_attempts_keep_within_their_bounds(attack: Any) -> None:
    foe = Besieged(attack)
    foe.run(120 * S)
    assert 0 < foe.heaviest < BOUND
    assert foe.connects < 5 * 20, "five connections, and pauses that grow to half a minute"
    assert foe.said < 120 * 20 + 200, "more was said than the budget of requests allows"
    assert KEY not in repr(foe.told)
    assert KEY not in repr(foe.gateway.statistics())
    assert KEY not in repr(foe.gateway)


def test_what_is_no_conversation_at_all_ends_the_connection_with_a_reason() -> None:
    foe = Besieged(no_frames)
    foe.run(5 * S)
    lost = next(event for event in foe.told if isinstance(event, Disconnected))
    assert (lost.by, lost.code, lost.reason) == ("us", 1002, "that is no frame")


def test_a_venue_that_answers_nothing_is_left_and_tried_again_by_the_rules() -> None:
    foe = Besieged(lambda random: say({"beat": 1}), every_ns=S)
    foe.run(300 * S)
    reasons = {event.reason for event in foe.told if isinstance(event, Disconnected) and event.line < 2}
    assert "it answers nothing" in reasons
    assert foe.connects < 100


def test_a_venue_that_never_says_a_word_is_left_and_tried_again_by_the_rules() -> None:
    foe = Besieged(lambda random: b"", every_ns=S)
    foe.run(300 * S)
    assert any(event.reason == "silent for 20.0 s" for event in foe.told if isinstance(event, Disconnected))
    assert foe.connects < 100
