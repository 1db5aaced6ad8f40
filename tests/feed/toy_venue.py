"""A venue of toys: a dialect in JSON, books of a few numbers, and the machine that stands behind every connection.

Topics: `book.x` begins with a snapshot; `diff.x` has none, it is fetched over HTTP; `trades.x` has no book.
Messages of the market are `{"t", "s", "p", "k", "v"}`: number s after number p sets key k to v; a snapshot has all
keys in "all" instead. Anything else is conversation.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
import numpy as np

from netfeed.book.change import CHANGE
from netfeed.book.state import BookState
from netfeed.feed.dialect import (
    Acknowledged,
    Beat,
    Clock,
    Fetch,
    Leaving,
    Limits,
    Liveness,
    Puzzling,
    Refused,
    Resync,
    Said,
    Standing,
    Throttled,
    Want,
)
from netfeed.feed.talk import Ended, Heard, Opened
from netfeed.machine import NEVER
from netfeed.proto import http
from tests.feed.plain_talk import Plain

MS = 1_000_000
S = 1_000_000_000
KEY = "c2VjcmV0LWtleS1vZi10aGUtdG95"
"""What the client logs in with: it must never be seen again."""
LIMITS = Limits(
    topics_per_connection=4, topics_per_request=3, connections=9, budget_rate=20, budget_burst=10, fetch_rate=5,
    fetch_burst=5,
)  # fmt: skip
LIVENESS = Liveness(heartbeat_ns=5 * S, ping_ns=10 * S, silent_ns=20 * S)


class _Message(msgspec.Struct):
    t: str | None = None
    s: int = 0
    p: int = 0
    k: int = 0
    v: int = 0
    all: dict[str, int] | None = None
    id: int | None = None
    on: bool | None = None
    topics: list[str] | None = None
    error: str | None = None
    text: str = ""
    final: bool = False
    beat: int | None = None
    time: int | None = None
    wait: int | None = None
    leaving: str | None = None


_DECODER = msgspec.json.Decoder(_Message)
_write: Callable[[Any], bytes] = msgspec.json.encode


def decode(message: Any) -> _Message | None:
    try:
        return _DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


class ToyDialect:
    """What is said to the venue of toys, and what it says."""

    def __init__(self, limits: Limits = LIMITS, liveness: Liveness = LIVENESS, key: str | None = KEY) -> None:
        self.limits, self.liveness, self._key = limits, liveness, key

    def opening(self, request: int) -> Sequence[bytes]:
        return [_write({"op": "login", "id": request, "key": self._key})] if self._key else []

    def subscribe(self, topics: Sequence[str], request: int) -> bytes:
        return _write({"op": "on", "id": request, "topics": list(topics)})

    def unsubscribe(self, topics: Sequence[str], request: int) -> bytes:
        return _write({"op": "off", "id": request, "topics": list(topics)})

    def ping(self, request: int) -> bytes | None:
        return _write({"op": "time", "id": request})

    def read(self, message: Any) -> Sequence[Said]:
        told = decode(message)
        if told is None:
            return [Puzzling("no JSON")]
        topics = None if told.topics is None else tuple(told.topics)
        if told.on is not None:
            return [Acknowledged(told.id, topics, told.on)]
        if told.error is not None:
            return [Refused(told.id, topics, told.error, told.text, told.final)]
        if told.beat is not None:
            return [Beat(_write({"op": "beat", "beat": told.beat}))]
        if told.time is not None:
            return [Clock(told.time, told.id)]
        if told.wait is not None:
            return [Throttled(told.wait * MS, "too many", told.id)]
        return [Leaving(told.leaving)] if told.leaving is not None else [Puzzling("what is this")]


class ToyBook:
    """One book: a few numbers by key, and which lines carry it (True: its snapshot on that line is still to come)."""

    def __init__(self) -> None:
        self.state, self.sequence = BookState.EMPTY, None
        self.levels: dict[str, int] = {}
        self.lines: dict[int, bool] = {}
        self.deaf: set[int] = set()
        self.held: list[Any] = []

    state: BookState
    sequence: int | None


MAX_HELD = 1000


class ToyMarket:
    """The books of the venue of toys."""

    def __init__(self, topics: Sequence[str]) -> None:
        self._books = {topic: ToyBook() for topic in topics if not topic.startswith("trades")}
        self._wants: dict[Any, Want] = {}
        self.trades = self.applied = self.duplicates = 0

    @property
    def books(self) -> Sequence[Any]:
        return list(self._books.values())

    @property
    def names(self) -> Sequence[str]:
        return list(self._books)

    @property
    def exponents(self) -> Sequence[tuple[int, int]]:
        return [(0, 0)] * len(self._books)

    def book(self, topic: str) -> ToyBook:
        return self._books[topic]

    def standing(self, topic: str) -> Standing | None:
        book = self._books.get(topic)
        return None if book is None else Standing(book.state, book.sequence)

    def apply(self, batch: Any, ts_recv_ns: int, line: int = 0) -> Sequence[int]:
        others = []
        for place in range(len(batch)):
            told = decode(batch[place])
            if told is None or told.t is None:
                others.append(place)
            elif told.t in self._books:
                self._take(told.t, self._books[told.t], told, line)
            else:
                self.trades += 1
        return others

    def wants(self) -> Sequence[Want]:
        wants, self._wants = list(self._wants.values()), {}
        return wants

    def fetched(self, topic: str, body: Any, ts_recv_ns: int) -> None:
        told, book = decode(body), self._books[topic]
        if told is None or told.all is None:
            self.failed(topic)
            return
        if book.state is BookState.LIVE and told.s <= (book.sequence or 0):
            return
        self._snapshot(book, told)
        held, book.held = book.held, []
        for one in held:
            self._update(topic, book, one, -1)

    def failed(self, topic: str) -> None:
        self._wants[topic] = Fetch(topic, f"/{topic}")

    def joined(self, line: int, topic: str) -> None:
        book = self._books.get(topic)
        if book is None:
            return
        assert line not in book.lines, f"{topic} is joined twice on line {line}"
        book.lines[line] = True
        if topic.startswith("diff") and book.state is not BookState.LIVE:
            book.state = BookState.SYNCING
            self._wants[topic] = Fetch(topic, f"/{topic}")

    def left(self, line: int, topics: Sequence[str]) -> None:
        for topic in topics:
            book = self._books.get(topic)
            if book is None:
                continue
            book.lines.pop(line, None)
            book.deaf.discard(line)
            if not book.lines and book.state is not BookState.EMPTY:
                book.state = BookState.SUSPECT

    def silent(self, line: int, topics: Sequence[str], *, silent: bool) -> None:
        for topic in topics:
            book = self._books.get(topic)
            if book is None:
                continue
            (book.deaf.add if silent else book.deaf.discard)(line)
            if book.state is BookState.LIVE and not book.lines.keys() - book.deaf:
                book.state = BookState.STALE
            elif book.state is BookState.STALE and book.lines.keys() - book.deaf:
                book.state = BookState.LIVE

    def changes(self) -> Any:
        return np.empty(0, CHANGE)

    def _take(self, topic: str, book: ToyBook, told: _Message, line: int) -> None:
        if line not in book.lines:
            return
        if told.all is not None:
            book.lines[line] = False
            if book.state is not BookState.LIVE or told.s > (book.sequence or 0):
                self._snapshot(book, told)
        else:
            self._update(topic, book, told, line)

    def _snapshot(self, book: ToyBook, told: _Message) -> None:
        book.levels, book.sequence, book.state = dict(told.all or {}), told.s, BookState.LIVE

    def _update(self, topic: str, book: ToyBook, told: _Message, line: int) -> None:
        if book.sequence is not None and told.p == book.sequence:
            book.levels[str(told.k)] = told.v
            book.sequence, book.state = told.s, BookState.LIVE
            self.applied += 1
        elif book.sequence is not None and told.s <= book.sequence:
            self.duplicates += 1
        elif topic.startswith("diff"):
            book.held = [*book.held, told][-MAX_HELD:]
            if book.state is BookState.LIVE:
                book.state = BookState.SUSPECT
            self._wants[topic] = Fetch(topic, f"/{topic}")
        elif not book.lines.get(line, False):
            book.state = BookState.SUSPECT
            self._wants[topic] = Resync(topic, line, "sequence")


# --- the other side


class Exchange:
    """The truth: every topic's numbers, and who wants to hear of them."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.levels: dict[str, dict[str, int]] = {topic: {} for topic in topics}
        self.sequence = dict.fromkeys(topics, 100)
        self.venues: list[Server] = []

    def move(self, topic: str, key: int, value: int, now: int) -> None:
        before, self.sequence[topic] = self.sequence[topic], self.sequence[topic] + 1
        self.levels[topic][str(key)] = value
        message = _write({"t": topic, "s": before + 1, "p": before, "k": key, "v": value})
        for one in self.venues:
            one.tell(topic, message, now)

    def snapshot(self, topic: str) -> bytes:
        return _write({"t": topic, "s": self.sequence[topic], "all": self.levels[topic]})


@dataclass
class Mood:
    """What a connection does that it should not; rates in 1."""

    skip: float = 0.0
    duplicate: float = 0.0
    lose_answer: float = 0.0
    half: float = 0.0
    throttle: float = 0.0
    refuse: float = 0.0
    nonsense: float = 0.0
    mute: bool = False
    ahead_ns: int = 0


@dataclass
class Account:
    """What the venue counted of one client."""

    twice: int = 0
    logins: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    unasked: Counter[str] = field(default_factory=Counter)


BEAT_NS = 5 * S


class Server:
    """The venue's side of one connection, over any talk that has `close`."""

    def __init__(
        self, exchange: Exchange, random: Random, now: int, mood: Mood, account: Account, talk: Any = None,
        beat_ns: int = BEAT_NS,
    ) -> None:  # fmt: skip
        self._beat_ns = beat_ns
        self.talk = talk or Plain(server=True)
        self.topics: dict[str, int] = {}
        self.mood, self.strict = mood, False
        self.is_over = False
        self._exchange, self._random, self._account = exchange, random, account
        self._beat_at = NEVER
        self.beats = self.answered_beats = self.lost_answers = 0
        exchange.venues.append(self)

    @property
    def deadline(self) -> int:
        return NEVER if self.is_over else min(self._beat_at, self.talk.deadline)

    def receive(self, data: Any, now: int) -> None:
        self._words(self.talk.receive(data, now), now)

    def _words(self, words: Iterable[Any], now: int) -> None:
        for word in words:
            if isinstance(word, Opened):
                self._beat_at = now + self._beat_ns
            elif isinstance(word, Heard):
                for place in range(len(word.batch)):
                    self._request(msgspec.json.decode(word.batch[place]), now)
            elif isinstance(word, Ended):
                self.gone()

    def wake(self, now: int) -> None:
        if self.talk.deadline <= now:
            self._words(self.talk.wake(now), now)
        if self._beat_at <= now and not self.is_over:
            self._beat_at = now + self._beat_ns
            self.beats += 1
            self._say({"beat": self.beats}, now)

    def transmit(self) -> list[bytes]:
        out = self.talk.transmit()
        return [] if self.mood.mute else list(out)

    def tell(self, topic: str, message: bytes, now: int) -> None:
        draw = self._random.random
        if self.is_over or topic not in self.topics or (self.mood.skip and draw() < self.mood.skip):
            return
        self.talk.say(message, now)
        if self.mood.duplicate and draw() < self.mood.duplicate:
            self.talk.say(message, now)
        if self.mood.nonsense and draw() < self.mood.nonsense:
            self.talk.say(b"{{{", now)

    def close(self, code: int, reason: str) -> None:
        self.talk.close(code, reason)
        self.gone()

    def leaving(self, now: int) -> None:
        self._say({"leaving": "maintenance"}, now)

    def gone(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._exchange.venues.remove(self)

    def _request(self, told: dict[str, Any], now: int) -> None:
        op, draw, mood = told["op"], self._random.random, self.mood
        if op == "beat":
            self.answered_beats += 1
        elif op == "login":
            self._account.logins += 1
            self._say({"id": told["id"], "error": "13", "text": f"no such key {told['key']}"}, now)
        elif op == "time":
            self._say({"id": told["id"], "time": now + mood.ahead_ns}, now)
        elif mood.throttle and draw() < mood.throttle:
            self._say({"wait": 500, "id": told["id"]}, now)
        elif mood.refuse and draw() < mood.refuse:
            self._say({"id": told["id"], "error": "11", "text": "not now"}, now)
        else:
            self._turn(op == "on", told["topics"], told["id"], now)

    def _turn(self, on: bool, topics: list[str], request: int, now: int) -> None:
        draw, mood = self._random.random, self.mood
        done = [topic for topic in topics if not mood.half or draw() >= mood.half]
        if self.strict and on and (known := [topic for topic in done if topic in self.topics]):
            self._say({"id": request, "error": "already", "topics": known}, now)
            done = [topic for topic in done if topic not in known]
        new = [topic for topic in done if on and topic not in self.topics]
        for topic in done:
            (self._account.asked if on else self._account.unasked)[topic] += 1
            self._account.twice += on and topic in self.topics
            if on:
                self.topics[topic] = self.topics.get(topic, 0) + 1
            else:
                self.topics.pop(topic, None)
        if not mood.lose_answer or draw() >= mood.lose_answer:
            self._say({"id": request, "on": on, "topics": done}, now)
        else:
            self.lost_answers += 1
        for topic in new:
            if topic.startswith("book"):
                self.talk.say(self._exchange.snapshot(topic), now)

    def _say(self, told: dict[str, Any], now: int) -> None:
        self.talk.say(_write(told), now)


class Snapshots:
    """The venue's HTTP server. `fail` of its answers are 500, some 429."""

    def __init__(self, exchange: Exchange, random: Random, now: int, fail: float = 0.0) -> None:
        self._http = http.Server(now)
        self._exchange, self._random, self._fail = exchange, random, fail
        self.is_over = False
        self.asked = 0

    @property
    def deadline(self) -> int:
        return self._http.deadline

    def receive(self, data: Any, now: int) -> None:
        self._answer(self._http.receive(data, now), now)

    def wake(self, now: int) -> None:
        self._answer(self._http.wake(now), now)

    def transmit(self) -> list[bytes]:
        return self._http.transmit()

    def gone(self) -> None:
        self.is_over = True

    def _answer(self, events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, http.Closed):
                self.is_over = True
            if not isinstance(event, http.Request):
                continue
            self.asked += 1
            draw = self._random.random()
            if draw < self._fail / 2:
                self._http.respond(429, b"", now, [("retry-after", "1")])
            elif draw < self._fail:
                self._http.respond(500, b"", now)
            else:
                self._http.respond(200, self._exchange.snapshot(event.target[1:]), now)


def fetch(endpoint: str, now: int) -> http.Client:
    """Make a client of `Snapshots`."""
    return http.Client("toys.example")
