"""A venue of topics that says again what it said: a recording of one of `past_words`, served to any client in its pace.

    past = PastTopics(words.topic); past.add(ts_ns, connection, message)      in the order of their times
    venue = PastStreams(past, words, asked)      a machine, message by message; `asked` reads what a request names

Each client's past of a topic begins when it asks for it, with the first snapshot that was recorded; topics of one
request keep the times between them. Who gives a topic up and asks for it again goes on with the next snapshot.

Bounds: AT_ONCE messages to a client in one turn. Leaves out: HTTP (`past_pages`); topics that nobody recorded, which
are refused as the venue refuses what it does not have.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any, Final

import msgspec

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.sim.jsonrpc_client import Client
from netfeed.sim.outbox import Outbox
from netfeed.sim.past_topics import PastTopics
from netfeed.sim.past_venue import AGAIN_NS, AT_ONCE, MAX_CLIENTS, MAX_QUEUED
from netfeed.sim.past_words import Asked, Odd, Told, Words
from netfeed.sim.stream_faults import StreamWindows
from netfeed.sim.venue_events import Event, HungUp, Malformed
from netfeed.sim.venue_ports import STREAMS
from netfeed.venues import answers

BEAT_NS: Final = 10**9
_COUNT: Final = re.compile(rb'("sequence_num"\s*:\s*)\d+')


@dataclass(slots=True)
class _Cursor:
    """Where a client is in a topic. Units: `begun_ns` monotonic, `from_ns` since 1970."""

    index: int
    begun_ns: int
    from_ns: int


@dataclass(slots=True)
class _Listener(Client):
    """A client. `due`: (when, place) of the next message of each topic; `left`: how far it was in those given up."""

    joined: dict[str, _Cursor] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    due: list[tuple[int, int]] = field(default_factory=list)
    at: int = 0
    again: int = 0
    count: int = 0
    beats: int = 0


class PastStreams:
    """The venue. `speed`: so many times as fast as it happened, None for as fast as can be."""

    def __init__(
        self, past: PastTopics, words: Words, asked: Callable[[Buffer], Asked | None], *, speed: float | None = 1.0
    ) -> None:  # fmt: skip
        if not past.frames:
            raise MisuseError("nothing was recorded of any topic")
        self.past = past
        self.faults = StreamWindows()
        self.is_up = True
        self.requests = self.said = self.over = 0
        self.clients: dict[int, _Listener] = {}
        self._words, self._asked, self._speed = words, asked, speed
        self._outbox = Outbox(MAX_QUEUED)
        self._told: list[Event] = []
        self._told_ns = 0

    # -- the contract

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        due = min((min(one.beat_due, _next(one)) for one in self.clients.values()), default=NEVER)
        return min(due, self._told_ns) if self._told else due

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take a message of a client."""
        client = self.clients.get(port)
        if client is None:
            return [Malformed(port, "nobody is connected there")]
        self.requests += 1
        client.heard_ns = now
        root = answers.said(data)
        pong = self._words.pong(bytes(data), root, client.joined)
        if pong is not None:
            self._say(client, pong)
        else:
            self._do(client, data, root or {}, now)
        return []

    def end(self, now: int, port: int = STREAMS[0]) -> Sequence[Event]:
        """Take note that a client has gone."""
        self.clients.pop(port, None)
        self._outbox.take(port)
        return []

    def wake(self, now: int) -> Sequence[Event]:
        """Say what is due."""
        if now < self.deadline:
            return []
        events, self._told = self._told, []
        for client in self.clients.values():
            self._play(client, now)
            if client.beat_due <= now:
                client.beat_due = now + BEAT_NS
                self._beat(client)
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain a port."""
        return self._outbox.take(port)

    # -- commands, as those of `PastVenue`

    def open(self, port: int, now: int, peer: str = "") -> bool:
        """Let a client in; False when there are too many."""
        if port not in STREAMS or port in self.clients:
            raise MisuseError(f"port {port} cannot be opened")
        if len(self.clients) >= MAX_CLIENTS:
            return False
        self.clients[port] = _Listener(port, peer, heard_ns=now)
        return True

    def once(self, what: str, ports: Iterable[int], now: int) -> None:
        """Refuse: the past has happened. Raises: MisuseError."""
        raise MisuseError(f"{what!r} is nothing that a recording can do")

    def close(self, code: int, ports: Iterable[int], now: int) -> None:
        """End connections with a WebSocket code."""
        for port in [port for port in ports if port in self.clients]:
            del self.clients[port]
            self._told.append(HungUp(port, code, "as commanded"))
            self._told_ns = now

    def flush(self, now: int) -> None:
        """Do nothing: commands queue nothing."""

    def heard_ns(self, topic: str) -> int:
        """Say how far the client that is furthest in a topic has heard it, 0 for nobody, NEVER for all of it.

        Units: ns since 1970.
        """
        places = self.past.channels.get(topic, ())
        index = max((one.joined[topic].index for one in self.clients.values() if topic in one.joined), default=0)
        if not index:
            return 0
        return NEVER if index == len(places) else self.past.frames[places[index - 1]].ts_ns

    # -- inside

    def _do(self, client: _Listener, data: Buffer, root: dict[str, Any], now: int) -> None:
        """Do what a request asks for, and answer it."""
        on, named = self._asked(data) or (root.get("type", root.get("method")) == "subscribe", [])
        topics = list(dict.fromkeys([*filter(_is_text, named), *self._words.also(root)]))
        if not topics:
            self._say(client, self._words.refusal(root))
            return
        judged = [(topic, self._judge(client, topic, on)) for topic in topics]
        plain = [topic for topic, odd in judged if not odd]
        if not (self._words.whole and len(plain) < len(judged)):
            (self._join if on else self._leave)(client, plain, now)
        ts_ns = self.past.frames[client.at].ts_ns
        for answer in self._words.answer(Told(root, on, judged, client.joined, ts_ns)):
            self._say(client, answer)

    def _judge(self, client: _Listener, topic: str, on: bool) -> Odd:
        if topic not in self.past.channels and topic != self._words.beat_topic:
            return Odd.UNKNOWN
        if on is (topic in client.joined):
            return Odd.ALREADY if on else Odd.ABSENT
        return Odd.NOTHING

    def _join(self, client: _Listener, topics: Sequence[str], now: int) -> None:
        """Let a client hear topics, with the times between them."""
        begin = {topic: self.past.beginning(topic, client.left.pop(topic, 0)) for topic in topics}
        heard = {topic: self.past.channels.get(topic, ()) for topic in topics}
        times = [self.past.frames[heard[topic][at]].ts_ns for topic, at in begin.items() if heard[topic]]
        for topic, at in begin.items():
            client.joined[topic] = _Cursor(at, now, min(times, default=0))
            self._queue(client, topic)
        if self._words.beat is not None and client.beat_due == NEVER and topics:
            client.beat_due = now + BEAT_NS

    def _leave(self, client: _Listener, topics: Sequence[str], now: int) -> None:
        for topic in topics:
            client.left[topic] = client.joined.pop(topic).index
        client.due = [one for one in client.due if self.past.frames[one[1]].channel in client.joined]
        heapify(client.due)

    def _queue(self, client: _Listener, topic: str) -> None:
        """Set the time of a topic's next message."""
        cursor, places = client.joined[topic], self.past.channels.get(topic, ())
        if cursor.index < len(places):
            place = places[cursor.index]
            since = max(self.past.frames[place].ts_ns - cursor.from_ns, 0)
            heappush(client.due, (cursor.begun_ns + (int(since / self._speed) if self._speed else 0), place))

    def _play(self, client: _Listener, now: int) -> None:
        """Say what came in the past by now."""
        if _next(client) > now:
            return
        for _ in range(AT_ONCE):
            if not client.due or client.due[0][0] > now:
                return
            client.at = heappop(client.due)[1]
            frame = self.past.frames[client.at]
            client.joined[frame.channel].index += 1
            self._queue(client, frame.channel)
            self.said += 1
            self.over += not client.due
            client.count += self.past.holes.get(client.at, 0)
            self._say(client, frame.payload)
        client.again = now + AGAIN_NS

    def _beat(self, client: _Listener) -> None:
        topic, beat = self._words.beat_topic, self._words.beat
        if beat is not None and (topic in client.joined if topic else client.joined):
            self._say(client, beat(client.beats, self.past.frames[client.at].ts_ns))
            client.beats += 1

    def _say(self, client: _Listener, message: dict[str, Any] | bytes) -> None:
        data = message if isinstance(message, bytes) else msgspec.json.encode(message)
        if self._words.counted:
            data = _COUNT.sub(rb"\g<1>%d" % client.count, data, count=1)
            client.count += 1
        self._outbox.put(client.port, data)


def _next(client: _Listener) -> int:
    return max(client.due[0][0], client.again) if client.due else NEVER


def _is_text(value: object) -> bool:
    return isinstance(value, str)
