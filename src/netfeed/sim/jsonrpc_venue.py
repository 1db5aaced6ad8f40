"""A simulated venue that talks Deribit's JSON-RPC to its clients, message by message, beside its multicast.

    venue = JsonRpcVenue(WiredVenue(starbase_venue(settings)), random_bytes=os.urandom)
    venue.open(STREAM, now, peer="127.0.0.1")     a client has connected
    venue.receive(b'{"id":1,...}', now, STREAM)   one whole message of it
    venue.transmit(STREAM)                        whole messages to it: answers, then notifications

A machine around a machine: the ports of the venue inside are its ports, too, and each from STREAM on is one connection.
It tells of the same floor: what multicast says of a transaction and what a client reads on `raw` is one truth, and
`StreamTruth` says it by change id. How a message becomes bytes (frames, TLS) is the driver's, or `StreamVenue`'s.

Faults (`stream_faults`): those of messages act here, those of bytes one machine further out.

Bounds: MAX_STREAMS connections, MAX_CONNECTIONS of one address; MAX_QUEUED bytes that wait for a driver.

Source: docs.deribit.com (API 2.1.1). The codes with which a connection is ended are this venue's own; Deribit names
none. 1008: no credits, or no answer to test_request. 1012: the venue went down.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from netfeed.errors import MisuseError
from netfeed.machine import Buffer
from netfeed.sim import jsonrpc_text as text
from netfeed.sim.draws import Draws
from netfeed.sim.faults import RATE
from netfeed.sim.jsonrpc_board import Board
from netfeed.sim.jsonrpc_client import POOLS, Client, Credits, Pool
from netfeed.sim.jsonrpc_gateway import JsonRpcGateway
from netfeed.sim.jsonrpc_methods import Methods
from netfeed.sim.jsonrpc_orders import TRADING, LaterError, OrderMethods
from netfeed.sim.jsonrpc_text import TOO_MANY_REQUESTS, RefusedError
from netfeed.sim.jsonrpc_topics import Notice
from netfeed.sim.order_venue import OrderVenue
from netfeed.sim.outbox import Outbox
from netfeed.sim.starbase_floor import StarbaseFloor
from netfeed.sim.stream_faults import ONCE, StreamWindows, WallClock
from netfeed.sim.venue import Venue
from netfeed.sim.venue_events import Event, HungUp, Malformed
from netfeed.sim.venue_ports import STREAMS
from netfeed.sim.wired_venue import WiredVenue

MAX_CONNECTIONS: Final = 32
"""Connections that the venue lets one address have."""
MAX_QUEUED: Final = 16 * 2**20
"""What waits on one connection that nobody drains; a client that is so far behind is hung up. Units: bytes."""
ABNORMAL, POLICY, RESTART, TOO_BUSY = 1006, 1008, 1012, 1013


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What the venue is to its clients.

    `credentials`: the id and the secret of who may hear raw channels, None for everybody who asks. `pools` None: nobody
    needs credits. `seed` names the chances of faults.
    """

    credentials: tuple[str, str] | None = None
    pools: dict[str, Pool] | None = None
    least_heartbeat_s: int = 10
    seed: int = 0
    truth: bool = True
    max_queued: int = MAX_QUEUED


PUBLISHED: Final = StreamSettings(pools=POOLS)
"""As the venue publishes it."""


@dataclass(slots=True)
class Counts:
    """What happened on all connections so far."""

    opened: int = 0
    turned_away: int = 0
    requests: int = 0
    refused: int = 0
    throttled: int = 0
    notices: int = 0
    skipped: int = 0
    duplicated: int = 0
    silenced: int = 0
    hung_up: int = 0


class JsonRpcVenue:
    """A Starbase venue and its JSON-RPC connections. Raises: MisuseError when it has another floor."""

    def __init__(
        self, inner: Venue | WiredVenue, settings: StreamSettings = PUBLISHED, *,
        random_bytes: Callable[[int], bytes],
    ) -> None:  # fmt: skip
        self.inner = inner
        self.venue: Venue = inner.venue if isinstance(inner, WiredVenue) else inner
        if not isinstance(self.venue.floor, StarbaseFloor):
            raise MisuseError("only the floor of a Starbase venue is told as JSON-RPC")
        self.settings = settings
        self.faults = StreamWindows()
        self.counts = Counts()
        self._wall = WallClock(self.venue.settings.wall_ns, self.faults)
        self.board = Board(self.venue.floor, self._wall)
        self.clients: dict[int, Client] = {}
        self._orders: OrderMethods | None = None
        self._gateway = JsonRpcGateway(settings.seed)
        if isinstance(self.venue, OrderVenue):
            self._orders = OrderMethods(self.venue.board, self.venue.keys)
            self._gateway = self.venue.json = JsonRpcGateway(settings.seed)
        self._methods = Methods(
            self.board, self._wall, random_bytes, credentials=settings.credentials,
            least_heartbeat_s=settings.least_heartbeat_s,
            orders=self._orders,
            keys=self.venue.keys if isinstance(self.venue, OrderVenue) else None,
        )  # fmt: skip
        self._credits = Credits(settings.pools)
        self._outbox = Outbox(settings.max_queued)
        self._told: list[Event] = []
        self._told_ns = 0
        self._draws = Draws(settings.seed)
        self._picks: list[int] = []
        self._now = 0
        self.venue.watch()

    @property
    def is_up(self) -> bool:
        """Say whether clients are let in at all."""
        return self.venue.is_up

    # -- the contract

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        beats = min([self._gateway.deadline, *(one.beat_due for one in self.clients.values())])
        due = min(self.inner.deadline, self.board.topics.deadline, beats)
        return min(due, self._told_ns) if self._told else due

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take a message of a client, or what came in on a port of the venue inside."""
        self._now = max(self._now, now)
        if port not in STREAMS:
            return self._followed(self.inner.receive(data, now, port), now)
        client = self.clients.get(port)
        if client is None:
            return [Malformed(port, "nobody is connected there")]
        if self.faults.at(now).silent:
            self.counts.silenced += 1
            return []
        client.heard_ns = now
        return self._answer(client, data, now)

    def end(self, now: int, port: int = STREAMS[0]) -> Sequence[Event]:
        """Take note that a client has gone, however it did."""
        if port not in STREAMS:
            return self.inner.end(now, port)
        self._now = max(self._now, now)
        self._forget(port)
        self._outbox.take(port)
        return self._accounts(now)

    def wake(self, now: int) -> Sequence[Event]:
        """Do what is due: trade, publish, say heartbeats."""
        if now < self.deadline:
            return []
        self._now = max(self._now, now)
        events, self._told = self._told, []
        events += self._followed(self.inner.wake(now), now)
        events += self._publish(self.board.due(now), now)
        for port, message in self._gateway.due(now):
            self._say(port, message, now)
        for client in [one for one in self.clients.values() if one.beat_due <= now]:
            events += self._beat(client, now)
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain a port."""
        return self._outbox.take(port) if port in STREAMS else self.inner.transmit(port)

    # -- commands

    def open(self, port: int, now: int, peer: str = "") -> bool:
        """Let a client in that has connected from an address; False when the venue does not want it.

        Raises: MisuseError when the port is none for that, or is taken.
        """
        if port not in STREAMS or port in self.clients:
            raise MisuseError(f"port {port} cannot be opened")
        if (
            self._gateway.dead
            or not self.venue.is_up
            or sum(one.peer == peer for one in self.clients.values()) >= MAX_CONNECTIONS
        ):
            self.counts.turned_away += 1
            return False
        self.counts.opened += 1
        self.clients[port] = Client(port, peer, heard_ns=now)
        return True

    def once(self, what: str, ports: Iterable[int], now: int) -> None:
        """Do something to connections once. Raises: MisuseError when it is nothing that messages can do."""
        for client in [self.clients[port] for port in ports if port in self.clients]:
            match what:
                case "skip":
                    client.skips += 1
                case "duplicate":
                    client.repeats += 1
                case "throttle":
                    client.throttled = True
                case _:
                    raise MisuseError(f"{what!r} is none of {', '.join(ONCE)}, or needs frames")

    def close(self, code: int, ports: Iterable[int], now: int, reason: str = "as commanded") -> None:
        """End connections with a WebSocket code, 1006 for without a word."""
        self._now = max(self._now, now)
        for port in [port for port in ports if port in self.clients]:
            self._told.append(self._hang_up(port, code, reason))
            self._told_ns = now

    def flush(self, now: int) -> None:
        """Take over what a command to the venue inside has queued."""
        if isinstance(self.inner, WiredVenue):
            self.inner.flush(now)
        if self._gateway.dead:
            self.close(ABNORMAL, list(self.clients), now, "the gateway died")
        self._told += self._followed((), now)
        self._told_ns = now

    # -- inside

    def _answer(self, client: Client, data: Buffer, now: int) -> list[Event]:
        """Answer a request, and say what it has called for behind the answer."""
        self.counts.requests += 1
        us, request = self._wall.at(now) // 1000, None
        try:
            request = text.read(data)
            self._charge(client, request, now)
            self._do(client, request, us, now)
        except LaterError:
            pass
        except RefusedError as error:
            self.counts.refused += 1
            self._say(client.port, text.refusal(request.id if request else error.id, error, us, us), now)
            if error.code == TOO_MANY_REQUESTS:
                self.counts.throttled += 1
                return [self._hang_up(client.port, POLICY, "too many requests"), *self._accounts(now)]
        if self._gateway.dead:
            return [self._hang_up(port, ABNORMAL, "the gateway died") for port in list(self.clients)]
        behind, self._methods.behind = self._methods.behind, []
        told = [one for channel, data in behind for one in self._tell(client, channel, data, now)]
        return told + self._accounts(now)

    def _do(self, client: Client, request: text.Request, us: int, now: int) -> None:
        """Do what is asked, and answer; what is asked of orders as their gateway lets it. Raises: RefusedError."""
        if request.method not in TRADING or self._orders is None:
            self._say(client.port, text.answer(request.id, self._methods.call(client, request, now), us, us), now)
            return
        if self._gateway.refuses(now):
            raise RefusedError(10047, reason="gateway_overloaded")
        message = text.answer(request.id, self._methods.call(client, request, now), us, us)
        if not self._gateway.dies():
            for copy in self._gateway.answers(client.port, message, now):
                self._say(client.port, copy, now)

    def _charge(self, client: Client, request: text.Request, now: int) -> None:
        throttled, client.throttled = client.throttled or self.faults.at(now).throttle, False
        if throttled or not self._credits.take(client.peer, request.method, now):
            raise RefusedError(TOO_MANY_REQUESTS)

    def _followed(self, events: Sequence[Event], now: int) -> list[Event]:
        """Tell the clients what has happened inside."""
        notices, truths = self.board.follow(self.venue.watch())
        told = [*events, *truths] if self.settings.truth else list(events)
        told += self._publish(notices, now) + self._accounts(now)
        if not self.venue.is_up:
            told += [self._hang_up(port, RESTART, "the venue went down") for port in list(self.clients)]
        return told

    def _accounts(self, now: int) -> list[Event]:
        """Answer what had to wait, and tell accounts what has happened to them."""
        if self._orders is None:
            return []
        late, self._orders.late = self._orders.late, []
        us = self._wall.at(now) // 1000
        for port, id, said in late:
            answer = text.refusal if isinstance(said, RefusedError) else text.answer
            self._say(port, answer(id, said, us, us), now)
        told: list[Event] = []
        for client, channel, data in self._orders.told(list(self.clients.values())):
            told += self._tell(client, channel, data, now) if client.port in self.clients else []
        return told

    def _publish(self, notices: Iterable[Notice], now: int) -> list[Event]:
        told: list[Event] = []
        for topic, data in notices:
            message = text.notification(topic.name, data)
            for port in self.board.topics.listeners(topic.name):
                client = self.clients[port]
                for _ in range(self._copies(client, now) if topic.kind == "book" else 1):
                    told += self._queue(client, message, now)
        return told

    def _copies(self, client: Client, now: int) -> int:
        """Say how often a book change is said: once, if no fault has it otherwise."""
        faults = self.faults.at(now)
        if client.skips or self._chance(faults.skip):
            client.skips = max(client.skips - 1, 0)
            self.counts.skipped += 1
            return 0
        if client.repeats or self._chance(faults.duplicate):
            client.repeats = max(client.repeats - 1, 0)
            self.counts.duplicated += 1
            return 2
        return 1

    def _chance(self, rate: int) -> bool:
        if not rate:
            return False
        if not self._picks:
            self._picks = self._draws.below(256, RATE).tolist()
        return self._picks.pop() < rate

    def _beat(self, client: Client, now: int) -> list[Event]:
        kinds = client.beat(now)
        if kinds is None:
            return [self._hang_up(client.port, POLICY, "test_request was not answered")]
        for kind in kinds:
            self._say(client.port, text.heartbeat(kind), now)
        return []

    def _tell(self, client: Client, channel: str, data: Any, now: int) -> list[Event]:
        return self._queue(client, text.notification(channel, data), now)

    def _queue(self, client: Client, message: bytes, now: int) -> list[Event]:
        """Say something of a channel; who is too far behind is hung up."""
        dropped = self._outbox.dropped
        self.counts.notices += 1
        self._say(client.port, message, now)
        if self._outbox.dropped == dropped or client.port not in self.clients:
            return []
        return [self._hang_up(client.port, TOO_BUSY, "the client does not read")]

    def _say(self, port: int, message: bytes, now: int) -> None:
        if self.faults.at(now).silent:
            self.counts.silenced += 1
        else:
            self._outbox.put(port, message)

    def _hang_up(self, port: int, code: int, reason: str) -> HungUp:
        self._forget(port)
        self.counts.hung_up += 1
        return HungUp(port, code, reason)

    def _forget(self, port: int) -> None:
        client = self.clients.pop(port, None)
        if client is not None:
            for name in client.topics:
                self.board.topics.leave(name, port)
            self._gateway.forget(port)
            if self._orders is not None:
                self._orders.gone(client, self._now)
