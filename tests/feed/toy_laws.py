"""A session and a gateway with the venue of toys, for the laws of machines: what a driver does is done at once."""

from random import Random
from typing import Any

import msgspec

from netfeed.feed.gateway import Gateway
from netfeed.feed.gateway_words import Connect, Disconnect
from netfeed.feed.offset import Offset
from netfeed.feed.session import Session
from netfeed.feed.subscriptions import Subscriptions
from netfeed.feed.throttle import Throttle
from netfeed.feed.venue import Venue
from tests.feed.plain_talk import HELLO, Plain, plain
from tests.feed.toy_venue import LIMITS, ToyDialect, ToyMarket, fetch

TOPICS = ("book.a", "book.b", "book.c", "diff.a", "trades.a")


def half() -> float:
    return 0.5


def session() -> Session:
    """Make a session whose conversation stands."""
    topics = Subscriptions(per_request=3)
    topics.want(TOPICS)
    throttle = Throttle(rate=LIMITS.budget_rate, burst=LIMITS.budget_burst)
    made = Session(
        ToyDialect(), ToyMarket(TOPICS), Plain(), topics=topics, throttle=throttle, offset=Offset(), line=0, now=0
    )
    made.receive(HELLO, 0)
    return made


class Wired:
    """A gateway whose streams stand as soon as they are asked for; port n is the n-th of those that are open."""

    def __init__(self) -> None:
        self._gateway = Gateway([self._venue("one", 1), self._venue("two", 2)], half, 0)
        self._open: list[int] = []
        self._tell(self._gateway.wake(0))

    def _venue(self, name: str, lines: int) -> Venue:
        return Venue(
            name=name, endpoints=("a", "b"), dialect=ToyDialect(), market=ToyMarket(TOPICS), talk=plain, topics=TOPICS,
            lines=lines, fetch_endpoint="http", fetch=fetch,
        )  # fmt: skip

    @property
    def deadline(self) -> int:
        return self._gateway.deadline

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        if not self._open:
            return []
        return self._tell(self._gateway.receive(data, now, self._open[port % len(self._open)]), now)

    def wake(self, now: int) -> list[Any]:
        return self._tell(self._gateway.wake(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        return self._gateway.transmit(self._open[port % len(self._open)]) if self._open else []

    def _tell(self, events: list[Any], now: int = 0) -> list[Any]:
        for event in events:
            if isinstance(event, Connect):
                self._open.append(event.port)
                self._gateway.opened(event.port, now)
                self._tell(self._gateway.receive(HELLO, now, event.port), now)
            elif isinstance(event, Disconnect):
                self._open.remove(event.port)
                self._gateway.transmit(event.port)
        return events


def frame(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "big") + content


def from_venue(random: Random) -> bytes:
    """Draw what a venue may say: mostly sense, some of it unasked."""
    topic, number = random.choice((*TOPICS, "book.z")), random.randrange(12)
    said: Any = random.choice([
        {"id": number, "on": random.random() < 0.8}, {"id": number, "on": random.random() < 0.8, "topics": [topic]},
        {"id": number, "error": "11", "text": "no", "final": random.random() < 0.2}, {"beat": number},
        {"id": number, "time": random.choice([10**18, -5, 2**62])}, {"wait": random.choice([10, 10**7]), "id": number},
        {"leaving": "soon"} if random.random() < 0.1 else {"beat": 1}, {"what": 1},
        {"t": topic, "s": number, "p": number - 1, "k": 1, "v": 2}, {"t": topic, "s": number, "all": {"1": number}},
    ])  # fmt: skip
    ping = random.choice([frame(b"P", b""), frame(b"Q", b""), HELLO])
    last = frame(b"C", b"\x03\xf3bye") if random.random() < 0.05 else ping
    return random.choice([*[frame(b"M", msgspec.json.encode(said))] * 6, last])
