"""A simulated venue's JSON-RPC connections as bytes: what a client of the real venue connects to.

    venue = StreamVenue(JsonRpcVenue(...), context)      `context` of TLS, None for plain WebSocket
    venue.open(STREAM, now, peer="127.0.0.1")            a stream was accepted
    venue.receive(data, now, STREAM)                     its bytes
    Disconnected(STREAM, "...")                          drain that port a last time, and close the stream

A machine around a machine, as `wired_venue` is: other ports are those of the venue inside. The target is /ws/api/v2;
a handshake for another one gets 404, one while the venue is down 503, one too many of an address 429.

Faults of bytes are done here (`stream_faults`): torn and oversized frames, alerts, refused handshakes, a venue that
does not read, one that sends slowly.

A client whose handshake is not over holds a place that others want: beyond MAX_HALF_OPEN_OF_ONE of an address, or
MAX_HALF_OPEN in all, the oldest that has said nothing is given up for the newest, else the oldest. More than a listener
accepts in two turns fit in, so that who asks at once is heard.

Bounds: MAX_HELD bytes that a silent venue has not read, MAX_SLOW that a slow one has not sent; beyond them the
connection is over.
"""

import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from netfeed.machine import NEVER, Buffer, Machine
from netfeed.proto import websocket
from netfeed.proto.websocket_server import Pages
from netfeed.sim.draws import Draws
from netfeed.sim.faults import RATE
from netfeed.sim.jsonrpc_client import Client
from netfeed.sim.stream_conversation import Conversation
from netfeed.sim.stream_faults import StreamWindows
from netfeed.sim.venue_events import Disconnected, Event, HungUp, Malformed
from netfeed.sim.venue_ports import STREAM, STREAMS

TARGET: Final = "/ws/api/v2"
MAX_HELD: Final = 2**20
MAX_SLOW: Final = 2**22
MAX_HALF_OPEN: Final = 192
MAX_HALF_OPEN_OF_ONE: Final = 128
"""Handshakes under way at once."""
SLOW_NS: Final = 50_000_000
"""How often a slow venue sends something."""


@dataclass(slots=True)
class Counts:
    """What happened on all connections so far."""

    accepted: int = 0
    handshakes: int = 0
    refused: int = 0
    given_up: int = 0
    torn: int = 0
    oversized: int = 0
    alerts: int = 0
    malformed: int = 0
    over: int = 0


class Speaker(Machine, Protocol):
    """What stands behind the connections: a machine over whole messages, whose ports from STREAM on are clients."""

    @property
    def clients(self) -> Mapping[int, Client]:
        """Give the clients by port."""

    @property
    def faults(self) -> StreamWindows:
        """Give the standing faults."""

    @property
    def is_up(self) -> bool:
        """Say whether clients are let in at all."""

    def open(self, port: int, now: int, peer: str = "") -> bool:
        """Let a client in; False when it is not wanted."""

    def end(self, now: int, port: int = STREAM) -> Sequence[Event]:
        """Take note that a client has gone."""

    def once(self, what: str, ports: Iterable[int], now: int) -> None:
        """Do something to connections once. Raises: MisuseError."""

    def close(self, code: int, ports: Iterable[int], now: int) -> None:
        """End connections."""

    def flush(self, now: int) -> None:
        """Take over what a command has done."""


class StreamVenue:
    """The connections of a venue. `seed` names the chances of faults; clients are let in at `target`, "" for any.

    `pages` answers plain requests of HTTP; without it they are refused.
    """

    def __init__(
        self, inner: Speaker, context: ssl.SSLContext | None = None, *, seed: int = 0, target: str = TARGET,
        pages: Pages | None = None,
    ) -> None:  # fmt: skip
        self.inner = inner
        self._target, self._pages = target, pages
        self.counts = Counts()
        self._context = context
        self._conversations: dict[int, Conversation] = {}
        self._held: dict[int, list[bytes]] = {}
        self._slow: dict[int, bytearray] = {}
        self._slow_at = NEVER
        self._out: dict[int, list[bytes]] = {}
        self._told: list[Event] = []
        self._now = 0
        self._draws = Draws(seed ^ 0x70B4)
        self._picks: list[int] = []

    # -- the contract

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        if self._told or (self._held and not self._is_deaf(self._now)):
            return self._now
        due = min(self.inner.deadline, self._slow_at)
        if self._is_silent(self._now) or self._held:
            change = self.faults.next_change(self._now)
            due = min(due, NEVER if change is None else change)
        if not self._is_silent(self._now):
            due = min([due, *(one.deadline for one in self._conversations.values())])
        return due

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of a connection, or what came in on a port of the venue inside."""
        self._now = max(self._now, now)
        if port not in STREAMS:
            return self._step(self.inner.receive(data, now, port), now)
        one = self._conversations.get(port)
        if one is None:
            return [Malformed(port, "nobody is connected there")]
        if self._is_deaf(now):
            return self._hold(port, bytes(data))
        return self._step(self._heard(port, one.receive(data, now), now), now)

    def end(self, now: int, port: int = STREAM) -> Sequence[Event]:
        """Take note that a client closed its connection."""
        self._now = max(self._now, now)
        if port not in STREAMS:
            return self.inner.end(now, port)
        one = self._conversations.get(port)
        if one is None:
            self._out.pop(port, None)
            return []
        told = self._heard(port, one.end(now), now)
        one.over = one.over or "the client closed"
        return self._step(told, now)

    def wake(self, now: int) -> Sequence[Event]:
        """Do what is due."""
        if now < self.deadline:
            return []
        self._now = max(self._now, now)
        events, self._told = self._told, []
        events += self.inner.wake(now)
        if not self._is_deaf(now):
            held, self._held = self._held, {}
            for port, parts in held.items():
                for data in parts:
                    events += self.receive(data, now, port)
        if not self._is_silent(now):
            for port, one in list(self._conversations.items()):
                if one.deadline <= now:
                    events += self._heard(port, one.wake(now), now)
        events = self._step(events, now)
        self._trickle(now)
        return events

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain a port."""
        return self._out.pop(port, []) if port in STREAMS else self.inner.transmit(port)

    # -- commands

    @property
    def clients(self) -> Mapping[int, Client]:
        """Give the clients whose handshake is over, by port."""
        return self.inner.clients

    @property
    def faults(self) -> StreamWindows:
        """Give the standing faults."""
        return self.inner.faults

    def open(self, port: int, now: int, peer: str = "") -> None:
        """Take note that a stream was accepted from an address; the port is the driver's choice, and free."""
        self._now = max(self._now, now)
        self.counts.accepted += 1
        self._out.pop(port, None)
        self._make_room(peer, now)
        self._conversations[port] = Conversation(now, peer, self._context, self._pages)

    def once(self, what: str, ports: Iterable[int], now: int) -> None:
        """Do something to connections once. Raises: MisuseError."""
        self._now = max(self._now, now)
        for port in [port for port in ports if port in self._conversations]:
            one = self._conversations[port]
            match what:
                case "torn":
                    self._carry(port, now, tear=True)
                case "oversized":
                    self.counts.oversized += 1
                    one.oversize()
                case "alert":
                    self._told += self._heard(port, one.alert(now), now)
                    self.counts.alerts += 1
                case _:
                    self.inner.once(what, [port], now)
        self.flush(now)

    def close(self, code: int, ports: Iterable[int], now: int) -> None:
        """End connections with a WebSocket code, 1006 for without a word."""
        self.inner.close(code, ports, now)

    def flush(self, now: int) -> None:
        """Take over what a command has done."""
        self._now = max(self._now, now)
        self.inner.flush(now)
        self._told += self._step([], now)

    # -- inside

    def _make_room(self, peer: str, now: int) -> None:
        """Give up a handshake where as many are under way as may be."""
        half = {port: one for port, one in self._conversations.items() if not one.websocket.is_open}
        of_one = [port for port in half if half[port].peer == peer]
        crowd = of_one if len(of_one) >= MAX_HALF_OPEN_OF_ONE else list(half) if len(half) >= MAX_HALF_OPEN else []
        if crowd:
            port = min(crowd, key=lambda port: half[port].has_spoken)  # the first of them, which is the oldest
            half[port].over = "its handshake was given up for a newer one"
            self.counts.given_up += 1
            self._told += self._drained(port, now)

    def _is_silent(self, now: int) -> bool:
        return self.faults.at(now).silent

    def _is_deaf(self, now: int) -> bool:
        faults = self.faults.at(now)
        return faults.silent or faults.deaf

    def _hold(self, port: int, data: bytes) -> list[Event]:
        """Leave bytes unread."""
        held = self._held.setdefault(port, [])
        held.append(data)
        if sum(map(len, held)) <= MAX_HELD:
            return []
        self._conversations[port].over = "it sends to a venue that does not read"
        return self._step([], self._now)

    def _heard(self, port: int, told: Sequence[Any], now: int) -> list[Event]:
        """Do what a conversation tells."""
        events: list[Event] = []
        for one in told:
            if isinstance(one, websocket.Messages):
                for place in range(len(one)):
                    if port in self.inner.clients:
                        events += self.inner.receive(one[place], now, port)
            elif isinstance(one, websocket.Requested):
                self._judge(port, one, now)
            elif isinstance(one, websocket.Malformed):
                self.counts.malformed += 1
                events.append(Malformed(port, one.what))
            elif isinstance(one, websocket.Closed):
                events += self.inner.end(now, port)
        return events

    def _judge(self, port: int, asked: websocket.Requested, now: int) -> None:
        one, refuse = self._conversations[port], self.faults.at(now).refuse
        if one.websocket.is_closed:
            return  # it asked, and left with the same bytes: there is nobody to answer
        if not refuse and self._target not in ("", asked.target.partition("?")[0]):
            refuse = 404
        if not refuse and not self.inner.open(port, now, one.peer):
            refuse = 429 if self.inner.is_up else 503
        if refuse:
            self.counts.refused += 1
            one.websocket.refuse(now, refuse)
        else:
            self.counts.handshakes += 1
            one.websocket.accept(now)

    def _step(self, events: Sequence[Event], now: int) -> list[Event]:
        """Hang up whom the venue does, carry what it says to all others, and tell which connections are over."""
        told: list[Event] = []
        for event in events:
            if isinstance(event, HungUp) and event.port in self._conversations:
                self._carry(event.port, now)
                self._conversations[event.port].close(event.code, event.reason, now)
            told.append(event)
        for port in list(self._conversations):
            self._carry(port, now)
            told += self._drained(port, now)
        return told

    def _carry(self, port: int, now: int, *, tear: bool = False) -> None:
        """Hand the venue's messages to a conversation; `tear` the last one, or what would be one."""
        one, messages, rate = self._conversations[port], self.inner.transmit(port), self.faults.at(now).torn
        if tear:
            messages = messages or [b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}']
        for place, message in enumerate(messages):
            if self._chance(rate) or (tear and place == len(messages) - 1):
                self.counts.torn += 1
                one.tear(message)
                return
            one.say([message])

    def _drained(self, port: int, now: int) -> list[Event]:
        """Take the bytes of a conversation; tell when it is over."""
        one = self._conversations[port]
        if not self._is_silent(now) or one.over:
            self._send(port, one.transmit(), now)
        if not one.is_over:
            return []
        del self._conversations[port]
        self._held.pop(port, None)
        self._send_all(port)
        self.counts.over += 1
        self.inner.end(now, port)
        return [Disconnected(port, one.over or "the conversation is over")]

    def _send(self, port: int, out: list[bytes], now: int) -> None:
        if not out:
            return
        if not self.faults.at(now).slow and port not in self._slow:
            self._out.setdefault(port, []).extend(out)
            return
        slow = self._slow.setdefault(port, bytearray())
        slow += b"".join(out)
        if len(slow) > MAX_SLOW:
            self._conversations[port].over = "the venue is too slow"
        if self._slow_at == NEVER:
            self._slow_at = now + SLOW_NS

    def _trickle(self, now: int) -> None:
        """Let a slow venue send on."""
        if now < self._slow_at:
            return
        rate = self.faults.at(now).slow
        for port, slow in list(self._slow.items()):
            count = max(rate * SLOW_NS // 10**9, 1) if rate else len(slow)
            self._out.setdefault(port, []).append(bytes(slow[:count]))
            del slow[:count]
            if not slow:
                del self._slow[port]
        self._slow_at = now + SLOW_NS if self._slow else NEVER

    def _send_all(self, port: int) -> None:
        """Send what a connection that is over has not sent yet."""
        slow = self._slow.pop(port, None)
        if slow:
            self._out.setdefault(port, []).append(bytes(slow))

    def _chance(self, rate: int) -> bool:
        if not rate:
            return False
        if not self._picks:
            self._picks = self._draws.below(256, RATE).tolist()
        return self._picks.pop() < rate
