"""A world in virtual time for a gateway: venues of toys, streams that break in every way, and books that must come out.

Time jumps from one thing to the next. Until `calm_at` each new connection draws a fault, or none; after that the world
is sound, and everything must come right by itself.

    refuse      no stream comes to stand            hang       nothing answers the attempt
    cut         the stream ends, mid-frame          mute       open, and nothing comes through any more
    close       close 1011, 1012, or none (1006)    leave      the venue says that it leaves, and does
    skip        updates are left out                duplicate  updates come twice
    lose        answers are lost                    half       half of what was asked is done
    throttle    "too many requests"                 refusal    "not now"
    slow        seconds of delay                    nonsense   between sense
"""

import heapq
from collections.abc import Callable
from random import Random
from typing import Any

from netfeed.book.state import BookState
from netfeed.feed.gateway import Gateway
from netfeed.feed.gateway_words import Connect, Disconnect
from netfeed.feed.venue import Venue
from netfeed.machine import NEVER
from netfeed.proto.backoff import Pauses
from tests.feed.plain_talk import plain
from tests.feed.toy_venue import (
    BEAT_NS,
    LIMITS,
    LIVENESS,
    Account,
    Exchange,
    Mood,
    Server,
    Snapshots,
    ToyDialect,
    ToyMarket,
    fetch,
)

MS = 1_000_000
S = 1_000_000_000
FAULTS = (
    "refuse", "hang", "cut", "close", "mute", "leave", "skip", "duplicate", "lose", "half", "throttle", "refusal",
    "slow", "nonsense",
)  # fmt: skip


class Stream:
    """One stream between the gateway's port and a server, with what is on its way."""

    def __init__(self, server: Any, delay_ns: int) -> None:
        self.server, self.delay_ns = server, delay_ns
        self.is_over = False
        self.cut_at = NEVER
        self.fault = ""


class World:
    """A gateway, its venues, and everything between them."""

    def __init__(
        self, seed: int, *, topics: tuple[str, ...], lines: int = 1, sick: float = 0.8, calm_at: int = 60 * S,
        every_ns: int = 500 * MS, faults: tuple[str, ...] = FAULTS, dialect: ToyDialect | None = None, venues: int = 1,
        pauses: Pauses | None = None, beat_ns: int = BEAT_NS, strike_ns: int = 0,
        churn: bool = False, strict: bool = False,
        talk: Callable[[str, int], Any] = plain, server_talk: Any = None,
    ) -> None:  # fmt: skip
        self.random, self.now, self.calm_at = Random(seed), 0, calm_at
        self.topics, self.sick, self.faults, self.every_ns = topics, sick, faults, every_ns
        self.exchanges = {f"toys{k}": Exchange(topics) for k in range(venues)}
        self.markets = {name: ToyMarket(topics) for name in self.exchanges}
        self.accounts = {name: Account() for name in self.exchanges}
        self.server_talk, self.beat_ns, self.strike_ns = server_talk, beat_ns, strike_ns
        self.strikes, self.strict = 0, strict
        self.dialect = dialect or ToyDialect(LIMITS, LIVENESS)
        self.ahead_ns = self.random.choice([-1, 1]) * self.random.randrange(10**12) + 10**18
        self.streams: dict[int, Stream] = {}
        self.told: list[Any] = []
        self.counts: dict[str, int] = {}
        self.keep_told = True
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self.gateway = Gateway(
            [
                Venue(
                    name=name, endpoints=(f"ws://{name}-a", f"ws://{name}-b"), dialect=self.dialect,
                    market=self.markets[name], talk=talk, topics=topics, lines=lines,
                    fetch_endpoint=f"http://{name}", fetch=fetch, pauses=pauses or Pauses(),
                )
                for name in self.exchanges
            ],
            self.random.random, 0,
        )  # fmt: skip
        self.moving = True
        self._at(0, self._move)
        self._at(calm_at, self._heal)
        self.away: set[tuple[str, str]] = set()
        if churn:
            self._at(S, self._churn)
        if strike_ns:
            self._at(strike_ns, self._strike_one)

    # --- time

    def run(self, until: int) -> None:
        """Let time pass."""
        gateway, later = self.gateway, self._later
        while True:
            due = gateway.deadline
            now = max(self.now, min(due, later[0][0] if later else NEVER))
            if now > until:
                break
            self.now = now
            if later and later[0][0] <= now:
                heapq.heappop(later)[2]()
            elif due <= now:
                self._tell(gateway.wake(now))
        self.now = until

    def settle(self, limit_ns: int = 3600 * S) -> bool:
        """Go on until all is well, or too much time has passed; say which."""
        end = self.now + limit_ns
        while self.now < end:
            self.run(self.now + 5 * S)
            if self.moving and not self.wrong():
                self._last_moves()
            elif not self.moving and not self.wrong():
                return True
        return False

    def _last_moves(self) -> None:
        """Let every topic move once more: what was left out before is found by that."""
        self.moving = False
        for exchange in self.exchanges.values():
            for topic in self.topics:
                exchange.move(topic, 0, self.now % 1000, self.now)
        self._flush_all()

    def _heal(self) -> None:
        """Let every connection behave from here on."""
        for stream in self.streams.values():
            if isinstance(stream.server, Server):
                stream.server.mood = Mood(mute=stream.server.mood.mute, ahead_ns=self.ahead_ns)

    def _at(self, when: int, do: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._later, (when, self._order, do))

    def _move(self) -> None:
        """Let the market move."""
        if self.moving:
            for exchange in self.exchanges.values():
                topic = self.random.choice(self.topics)
                exchange.move(topic, self.random.randrange(8), self.random.randrange(1000), self.now)
            self._flush_all()
        self._at(self.now + self.every_ns, self._move)

    def _flush_all(self) -> None:
        for port, stream in list(self.streams.items()):
            if isinstance(stream.server, Server):
                self._flush(port, stream)

    # --- the driver

    def _tell(self, events: list[Any]) -> None:
        for event in events:
            kind = type(event).__name__
            self.counts[kind] = self.counts.get(kind, 0) + 1
            if self.keep_told:
                self.told.append((self.now, event))
            if isinstance(event, Connect):
                self._connect(event)
            elif isinstance(event, Disconnect):
                self._disconnect(event.port)
        self._drain()

    def _drain(self) -> None:
        for port, stream in list(self.streams.items()):
            out = b"".join(self.gateway.transmit(port))
            if out and not stream.is_over:
                self._up(port, stream, out)

    def _connect(self, order: Connect) -> None:
        fault = self.random.choice(self.faults) if self.now < self.calm_at and self.random.random() < self.sick else ""
        port, delay = order.port, 2 * MS
        if fault == "hang":
            return
        if fault == "refuse":
            self._at(self.now + delay, lambda: self._fail(port, "connection refused"))
            return
        if fault == "slow":
            delay = self.random.randrange(100 * MS, 3 * S)
        self._at(self.now + delay, lambda: self._stand(order, fault, delay))

    def _fail(self, port: int, reason: str) -> None:
        if port in self.gateway.ports:
            self._tell(self.gateway.end(self.now, port, reason))

    def _stand(self, order: Connect, fault: str, delay: int) -> None:
        port, exchange = order.port, self.exchanges[order.venue]
        if port not in self.gateway.ports:
            return
        if order.endpoint.startswith("http"):
            sick = 0.3 if self.now < self.calm_at and self.sick else 0.0
            server: Any = Snapshots(exchange, self.random, self.now, sick)
        else:
            talk = self.server_talk(self.now) if self.server_talk else None
            server = Server(
                exchange, self.random, self.now, self._mood(fault), self.accounts[order.venue], talk, self.beat_ns
            )
            server.strict = self.strict
        stream = self.streams[port] = Stream(server, delay)
        stream.fault = fault
        if fault in ("cut", "close", "mute", "leave"):
            self._at(self.now + self.random.randrange(20 * S), lambda: self._strike(port, stream))
        self.gateway.opened(port, self.now)
        self._drain()
        self._watch(port, stream)

    def _mood(self, fault: str) -> Mood:
        mood = Mood(ahead_ns=self.ahead_ns)
        names = {
            "skip": ("skip", 0.2), "duplicate": ("duplicate", 0.5), "lose": ("lose_answer", 0.7), "half": ("half", 0.5),
            "throttle": ("throttle", 0.5), "refusal": ("refuse", 0.5), "nonsense": ("nonsense", 0.5),
        }  # fmt: skip
        if fault in names:
            setattr(mood, *names[fault])
        return mood

    def _churn(self) -> None:
        """Drop a topic, or want it again; when the world is sound, all are wanted."""
        venue, topic = self.random.choice(list(self.exchanges)), self.random.choice(self.topics)
        sound = self.now >= self.calm_at
        for one in sorted(self.away) if sound else [(venue, topic)]:
            if one in self.away:
                self.away.discard(one)
                self.gateway.want(one[0], [one[1]], self.now)
            else:
                self.away.add(one)
                self.gateway.drop(one[0], [one[1]], self.now)
        self._drain()
        if not sound:
            self._at(min(self.calm_at, self.now + self.random.randrange(3 * S)), self._churn)

    def _strike_one(self) -> None:
        """Break one of the connections that live, now and then."""
        alive = [
            (port, one) for port, one in self.streams.items() if isinstance(one.server, Server) and not one.is_over
        ]
        if alive and self.now < self.calm_at:
            port, stream = self.random.choice(alive)
            stream.fault = self.random.choice(("cut", "close", "close", "mute", "leave"))
            self.strikes += 1
            self._strike(port, stream)
        self._at(self.now + self.random.randrange(self.strike_ns, 2 * self.strike_ns), self._strike_one)

    def _strike(self, port: int, stream: Stream) -> None:
        """Do to a connection what its fault says."""
        if stream.is_over:
            return
        server, fault = stream.server, stream.fault
        if not isinstance(server, Server):
            return
        if fault == "mute":
            server.mood.mute = True
        elif fault == "leave":
            server.leaving(self.now)
            self._flush(port, stream)
            self._at(self.now + 30 * S, lambda: self._close(port, stream, 1001))
        elif fault == "close":
            self._close(port, stream, self.random.choice([1006, 1011, 1012]))
        else:
            for topic in self.topics:
                server.talk.say(server._exchange.snapshot(topic), self.now)
            whole = b"".join(server.transmit())
            part = whole[: self.random.randrange(len(whole) + 1)]
            self._later_down(port, stream, part)
            self._break(port, stream)

    def _close(self, port: int, stream: Stream, code: int) -> None:
        if stream.is_over:
            return
        if code != 1006:
            stream.server.close(code, "the venue closes")
            self._flush(port, stream)
        self._break(port, stream)

    def _break(self, port: int, stream: Stream) -> None:
        stream.is_over = True
        stream.server.gone()
        self._at(self.now + stream.delay_ns, lambda: self._ended(port, stream))

    def _ended(self, port: int, stream: Stream) -> None:
        if self.streams.pop(port, None) is not None:
            self._tell(self.gateway.end(self.now, port))

    def _disconnect(self, port: int) -> None:
        stream = self.streams.pop(port, None)
        out = b"".join(self.gateway.transmit(port))
        if stream is None or stream.is_over:
            return
        if out:
            self._up(port, stream, out)
        self._at(self.now + stream.delay_ns, lambda: self._hung_up(stream))

    def _hung_up(self, stream: Stream) -> None:
        stream.is_over = True
        stream.server.gone()

    # --- bytes on their way

    def _up(self, port: int, stream: Stream, data: bytes) -> None:
        def arrive() -> None:
            if not stream.is_over:
                stream.server.receive(data, self.now)
                self._flush(port, stream)
                self._watch(port, stream)

        self._at(self.now + stream.delay_ns, arrive)

    def _flush(self, port: int, stream: Stream) -> None:
        out = b"".join(stream.server.transmit())
        if out:
            self._later_down(port, stream, out)
        if stream.server.is_over and not stream.is_over:
            self._break(port, stream)

    def _later_down(self, port: int, stream: Stream, data: bytes) -> None:
        def arrive() -> None:
            if port in self.streams:
                self._tell(self.gateway.receive(data, self.now, port))

        self._at(self.now + stream.delay_ns, arrive)

    def _watch(self, port: int, stream: Stream) -> None:
        """Wake a server when it is due."""
        due = stream.server.deadline
        if due == NEVER or stream.is_over or due == stream.cut_at:
            return
        stream.cut_at = due

        def wake() -> None:
            if not stream.is_over and stream.server.deadline <= self.now:
                stream.server.wake(self.now)
                self._flush(port, stream)
            if stream.cut_at <= self.now:
                stream.cut_at = NEVER
            self._watch(port, stream)

        self._at(due, wake)

    # --- what must be true

    def wrong(self) -> list[str]:
        """List what is not as it should be once the world is sound."""
        found = []
        for name, exchange in self.exchanges.items():
            market = self.markets[name]
            for topic in self.topics:
                standing = market.standing(topic)
                if standing is None:
                    continue
                book = market.book(topic)
                if standing.state is not BookState.LIVE:
                    found.append(f"{topic} is {standing.state.name}")
                elif not self.moving and (book.levels, book.sequence) != (
                    exchange.levels[topic], exchange.sequence[topic],
                ):  # fmt: skip
                    found.append(f"{topic} is LIVE and wrong")
            found += self._connections_wrong(name, exchange)
        for venue in self.gateway.statistics().venues:
            if venue.open_gaps:
                found.append(f"gaps are open: {venue.open_gaps}")
            if venue.fetches.waiting:
                found.append("snapshots are waited for")
        return found

    def _connections_wrong(self, name: str, exchange: Exchange) -> list[str]:
        found = []
        carried: dict[str, int] = {}
        for server in exchange.venues:
            for topic, times in server.topics.items():
                carried[topic] = carried.get(topic, 0) + 1
                if times != 1 and not server.lost_answers:
                    found.append(f"{topic} was asked for {times} times on one connection")
        venue = next(one for one in self.gateway.statistics().venues if one.name == name)
        lines = self.gateway._pools[name]._venue.lines
        if carried != dict.fromkeys(self.topics, lines):
            found.append(f"carried {carried}, wanted {lines} each")
        for connection in venue.connections:
            states = connection.session.topics if connection.session else {}
            if set(states) - {"on"}:
                found.append(f"topics are {states}")
        return found
