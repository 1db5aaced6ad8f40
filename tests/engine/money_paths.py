"""Ways to a venue in virtual time, as an engine's routes: order sessions over TCP-like links that fail, and a list.

    Path     a Starbase client on gateway A or B; its links delay, stall and are cut, and it connects again
    Lister   what rests and what is held, by the words of Deribit's JSON-RPC, with answers that are late or refused

What TCP keeps is kept here: bytes arrive in order or the connection ends, and the two ends learn that at different
times. Who has died leaves what he had written on its way.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import msgspec

from netfeed.book.execution import Ask, Cause, List, Listed, Rejected, Report, Request
from netfeed.book.level import Side
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_past import ClientPast
from netfeed.proto.starbase_state import Sequences, State, Timing
from netfeed.proto.starbase_terms import Instruments
from netfeed.sim.exchange_orders import Live
from netfeed.sim.faults import Faults
from netfeed.sim.jsonrpc_account import Accounts
from netfeed.sim.jsonrpc_lists import Lists
from netfeed.sim.jsonrpc_params import Reader
from netfeed.sim.link import Link
from netfeed.sim.order_venue import ORDERS_A, ORDERS_B, OrderVenue
from netfeed.sim.terms import Terms
from netfeed.venues.deribit_order_reports import Orders as Words
from netfeed.venues.deribit_order_words import Listing, OrderObject, PositionObject
from netfeed.venues.deribit_order_words import Terms as Named

MS: Final = 1_000_000
RUN: Final = 10_000
"""A client that starts again knows the number of its run and not that of its last message: it leaves room."""
TIMING: Final = Timing(logon_ns=500 * MS, recovery_ns=500 * MS, heartbeat_s=1)

Hear = Callable[[int, Report], None]


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a venue is. Units: ns; `half_open_ns`: how much later its end of a cut connection ends, at most."""

    line: Faults = field(default_factory=lambda: Faults(delay_ns=300_000, jitter_ns=200_000))
    half_open_ns: int = 60 * MS
    again_ns: int = 15 * MS


class Path:
    """An order session on one gateway, over one connection after another. A `Route`."""

    def __init__(
        self, number: int, gateway: int, venue: OrderVenue, listed: Instruments, hear: Hear, random: Random, *,
        run: int = 0, sides: Mapping[int, Side] | None = None, distance: Distance | None = None,
        clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self.number, self.gateway, self.name, self.venue = number, gateway, f"gateway-{'AB'[gateway]}", "starbase"
        self.latency_ns: int | None = None
        self.connects = self.cuts = 0
        self._world, self._listed, self._hear, self._random, self._clock = venue, listed, hear, random, clock
        self._distance = distance or Distance()
        self._past = ClientPast(Sequences(run * RUN + 1, 1))
        self._past.sides.update(sides or {})
        self._client: Client | None = None
        self._port = 0
        self._up = self._down = Link()
        self._ends: deque[tuple[int, int, Link]] = deque()
        self._again_at = 0
        self._reset = False
        self._asked: dict[int, int] = {}
        self.notes: list[object] = []

    # --- what an engine sees

    @property
    def is_up(self) -> bool:
        """Say whether it is logged on and in sequence."""
        return self._client is not None and self._client.state is State.ACTIVE

    def takes(self, request: Request, /) -> bool:
        """Say whether Starbase has a message for it."""
        return not isinstance(request, List)

    def send(self, request: Request, /) -> None:
        """Queue a request."""
        if self._client is None:
            raise MisuseError("there is no connection")
        self._client.send(request, self._clock())
        self._asked[request.client_id] = self._clock()

    def flush(self) -> None:
        """Let what is queued leave."""
        if self._client is not None:
            for data in self._client.transmit():
                self._up.send(data, self._clock())

    # --- what a world does

    @property
    def deadline(self) -> int:
        """Say when something arrives or is due. Units: monotonic ns."""
        times = [self._up.deadline, self._down.deadline]
        times += [min(at, max(link.deadline, 0)) for at, _, link in self._ends]
        times.append(self._again_at if self._client is None else self._client.deadline)
        return min(times)

    @property
    def is_orphan(self) -> bool:
        """Say whether the gateway has ended the connection and all that it said before has arrived."""
        if self._client is None or self._down.deadline < NEVER:
            return False
        return not self._world.order_gateways[self.gateway].is_open(self._port)

    def turn(self, now: int) -> None:
        """Let arrive what has arrived, and connect when it is time."""
        self._end_others(now)
        if self._client is None:
            if self._again_at <= now:
                self._connect(now)
            return
        client, port = self._client, self._port
        for data in self._up.deliver(now):
            self._world.receive(data, now, port)
        self.drain(now)
        for data in self._down.deliver(now):
            self._told(client.receive(data, now), now)
        if client.deadline <= now:
            self._told(client.wake(now), now)
        if self.is_orphan and not client.is_closed:
            self._told(client.end(now), now)
        self.flush()
        if client.is_closed:
            self._over(now)

    def drain(self, now: int) -> None:
        """Put what the gateway says on the way to us: after anything at all has happened at the venue."""
        if self._client is not None:
            for data in self._world.transmit(self._port):
                self._down.send(data, now)

    def stall(self, begin: int, end: int, delay_ns: int) -> None:
        """Let everything take longer for a time, in order."""
        for link in (self._up, self._down):
            link.during(begin, end, Faults(delay_ns=delay_ns))

    def cut(self, now: int) -> None:
        """Lose the connection: our end learns it now, the venue's some time later, what was under way is lost."""
        if self._client is not None:
            self.cuts += 1
            self._leave(now, Link())
            self._told(self._client.end(now), now)
            self._over(now)

    def die(self, now: int) -> None:
        """Let our end's process die: what it had written arrives, and then the end."""
        if self._client is not None:
            self._leave(now, self._up)
        self._client, self._again_at = None, NEVER
        self._up = self._down = Link()

    # --- inside

    def _connect(self, now: int) -> None:
        first = (ORDERS_A, ORDERS_B)[self.gateway]
        self.connects += 1
        self._port = first + self.connects % 60
        self._again_at = now + self._distance.again_ns
        if not self._world.connect(self._port, now):
            return
        self._client = Client(
            self.number, self._listed, now, self._past, timing=TIMING, epoch_ns=self._world.settings.wall_ns
        )
        seed = self._random.getrandbits(40)
        self._up, self._down = Link(self._distance.line, seed=seed), Link(self._distance.line, seed=seed + 1)
        self._client.logon("mm", "secret", now, reset=self._reset)
        self._reset = False
        self.flush()

    def _told(self, events: Any, now: int) -> None:
        for event in events:
            if isinstance(event, Report):
                asked = self._asked.pop(getattr(event, "client_id", -1), None)
                if asked is not None:
                    self.latency_ns = (
                        now - asked if self.latency_ns is None else (7 * self.latency_ns + now - asked) // 8
                    )
                reason = getattr(event, "reason", "")
                self._reset = self._reset or "log on with a reset" in reason
                self._hear(self.number, event)
            else:
                self.notes.append(event)

    def _over(self, now: int) -> None:
        """Our end is closed: connect again later; the venue's end closes when the end of the bytes arrives."""
        if self._client is None:
            return
        self._leave(now, self._up)
        self._client, self._again_at = None, now + self._distance.again_ns + self._random.randrange(10 * MS)
        self._up = self._down = Link()

    def _leave(self, now: int, link: Link) -> None:
        """Let the venue's end be told later, after what still arrives."""
        late = now + self._random.randrange(MS, self._distance.half_open_ns)
        if not any(port == self._port for _, port, _ in self._ends):
            self._ends.append((late, self._port, link))

    def _end_others(self, now: int) -> None:
        for end in list(self._ends):
            at, port, link = end
            for data in link.deliver(now):
                self._world.receive(data, now, port)
            self._world.transmit(port)
            if at <= now:
                self._ends.remove(end)
                self._world.end(now, port)
                self._world.transmit(port)


_ORDERS: Final = msgspec.json.Decoder(list[OrderObject])
_POSITIONS: Final = msgspec.json.Decoder(list[PositionObject])


class Lister:
    """What rests and what is held, asked of the venue's JSON-RPC: two calls, at two moments. A `Route`."""

    def __init__(
        self, number: int, venue: OrderVenue, terms: Mapping[int, Terms], hear: Hear, random: Random, *,
        clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self.number, self.name, self.venue = number, "list", "starbase"
        self.latency_ns: int | None = None
        self.is_up = True
        self.most_ns = 3 * MS
        self.refuses = 0.0
        named = [Named(of.id, of.name, of.price_exponent, of.quantity_exponent) for of in terms.values()]
        self._words = Words(Listing(named))
        exchange = venue.exchange
        accounts = Accounts(exchange, ["mm"])
        self._lists = Lists(exchange, accounts, Reader(exchange, accounts))
        self._hear, self._random, self._clock = hear, random, clock
        self._asked: dict[int, dict[str, Any]] = {}
        self._due: list[tuple[int, int, str]] = []

    def takes(self, request: Request, /) -> bool:
        """Say whether it is a List."""
        return isinstance(request, List)

    def send(self, request: Request, /) -> None:
        """Ask both questions, which arrive at two times."""
        if not self.is_up:
            raise MisuseError("there is no connection")
        at = self._clock()
        self._asked[request.client_id] = {}
        for word in ("private/get_open_orders", "private/get_positions"):
            at += self._random.randrange(MS // 4, self.most_ns)
            self._due.append((at, request.client_id, word))

    def flush(self) -> None:
        """Do nothing: what was asked is on its way."""

    @property
    def deadline(self) -> int:
        """Say when the next question arrives."""
        return min((at for at, _, _ in self._due), default=NEVER)

    def die(self, now: int) -> None:
        """Let the process that asked die."""
        self._due.clear()
        self.is_up = False

    is_orphan = False

    def turn(self, now: int) -> None:
        """Let questions arrive; the answer to the second is the list."""
        for entry in [one for one in self._due if one[0] <= now]:
            self._due.remove(entry)
            _, client_id, word = entry
            if word not in self._asked[client_id]:
                self._answer(client_id, word, now)

    def _answer(self, client_id: int, word: str, now: int) -> None:
        got = self._asked[client_id]
        got[word] = msgspec.json.encode(self._lists.call("mm", word, {"currency": "any"}))
        if len(got) < 2:
            return
        del self._asked[client_id]
        if self._random.random() < self.refuses:
            self._hear(self.number, Rejected(client_id, Ask.LIST, Cause.RATE, "too_many_requests", None))
            return
        orders, _ = self._words.resting(_ORDERS.decode(got["private/get_open_orders"]))
        held, _ = self._words.held(_POSITIONS.decode(got["private/get_positions"]))
        self._hear(self.number, Listed(self.number, orders, held, None))


def lives(venue: OrderVenue) -> list[Live]:
    """Give the orders of ours that live at the venue."""
    return list(venue.exchange.trading.orders.of("mm"))
