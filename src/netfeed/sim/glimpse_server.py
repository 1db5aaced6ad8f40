"""The GLIMPSE server of a simulated ITCH venue: any number of clients, each with a SoupBinTCP conversation of its own.

Source: Nasdaq GLIMPSE 5.0; SoupBinTCP 3.00. A client that logs in and asks for sequence 1 gets the whole state as ITCH
messages, then the number of the next real-time message; then the session ends. Any other sequence is refused.

A connection is a port of the venue, from `open` on. Bounded: MAX_CONNECTIONS clients; the messages of a snapshot are
handed over as they are drained; who does not log in is given up by the conversation, and who stays when the session has
ended after LINGER_NS.

Faults: `refusing` turns every login away, `torn` ends each snapshot in its middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto import soupbintcp
from netfeed.sim.itch_floor import ItchFloor
from netfeed.sim.publisher import Publisher
from netfeed.sim.venue_events import Connected, Disconnected, Event, Malformed, SnapshotServed
from netfeed.sim.venue_ports import CONNECTIONS
from netfeed.wire import glimpse

AT_ONCE: Final = 20_000
"""So many messages of a snapshot are handed over at a time: less than a conversation may keep."""
NEXT_NS: Final = 1_000_000
LINGER_NS: Final = 15_000_000_000
"""So long a client may stay after the end of the session: it should close, and is in the way of others."""
_NOT_AUTHORISED, _NOT_AVAILABLE = "A", "S"


@dataclass(slots=True)
class _Client:
    talk: soupbintcp.Server
    left: list[bytes] = field(default_factory=list)
    due: int = NEVER
    leave: int = NEVER


class GlimpseServer:
    """The server of a floor whose messages `lines` numbers.

    `credentials`: user and password of those who may come in, None for anybody. Units: `wall_ns` what the venue's clock
    shows when `now` is 0.
    """

    def __init__(
        self, floor: ItchFloor, lines: Publisher, *, wall_ns: int, credentials: tuple[str, str] | None = None
    ) -> None:
        self.refusing = False
        self.torn = False
        self.served = 0
        self._floor, self._lines, self._wall_ns = floor, lines, wall_ns
        self._credentials = credentials
        self._clients: dict[int, _Client] = {}
        self._last_words: dict[int, list[bytes]] = {}

    @property
    def deadline(self) -> int:
        """Say when a heartbeat, a verdict on a client or the rest of a snapshot is due. Units: monotonic ns."""
        return min((min(one.talk.deadline, one.due, one.leave) for one in self._clients.values()), default=NEVER)

    def open(self, now: int, port: int) -> Sequence[Event]:
        """Take note that a client has connected: it has so long to log in."""
        if port not in CONNECTIONS:
            return [Malformed(port, "no such port")]
        self._last_words.pop(port, None)
        self._clients[port] = _Client(soupbintcp.Server(now))
        return []

    def receive(self, data: Buffer, now: int, port: int) -> Sequence[Event]:
        """Take bytes of a connection; the first ones open one that was not."""
        if port not in CONNECTIONS:
            return [Malformed(port, "no such port")]
        if port not in self._clients:
            self.open(now, port)
        client = self._clients[port]
        return self._heard(port, client, client.talk.receive(data, now), now)

    def end(self, now: int, port: int) -> Sequence[Event]:
        """Take note that a client closed its connection."""
        client = self._clients.get(port)
        return [] if client is None else self._heard(port, client, client.talk.end(now), now)

    def wake(self, now: int) -> Sequence[Event]:
        """Send heartbeats and the rest of snapshots that are due."""
        events: list[Event] = []
        for port, client in list(self._clients.items()):
            if client.due <= now:
                self._send(client, now)
            events += self._heard(port, client, client.talk.wake(now), now)
            if client.leave <= now and self._clients.get(port) is client:
                events.append(self._gone(port, "the client did not leave"))
        return events

    def transmit(self, port: int) -> list[bytes]:
        """Drain a connection."""
        client = self._clients.get(port)
        return self._last_words.pop(port, []) if client is None else client.talk.transmit()

    def close(self) -> list[Event]:
        """Close all connections."""
        events: list[Event] = [Disconnected(port, "the venue went down") for port in self._clients]
        self._clients.clear()
        return events

    def _heard(self, port: int, client: _Client, told: Sequence[soupbintcp.Event], now: int) -> list[Event]:
        events: list[Event] = []
        for one in told:
            if isinstance(one, soupbintcp.LoginRequested):
                events += self._judge(port, client, one, now)
            elif isinstance(one, soupbintcp.Malformed):
                events.append(Malformed(port, one.what))
            elif isinstance(one, soupbintcp.Closed):
                events.append(self._gone(port, one.reason))
        return events

    def _judge(self, port: int, client: _Client, login: soupbintcp.LoginRequested, now: int) -> list[Event]:
        if client.talk.state is not soupbintcp.State.JUDGING:
            return []  # what it said behind its login has ended the connection already
        known = self._credentials in (None, (login.username.strip(), login.password.strip()))
        session, sequence = self._lines.wire.session, self._lines.next
        fits = login.session.strip() in ("", session) and login.sequence == 1
        if self.refusing or not known or not fits:
            client.talk.reject(_NOT_AVAILABLE if known else _NOT_AUTHORISED, now)
            return [Connected(port, login.username, False), self._gone(port, "the login was refused")]
        client.talk.accept(session, 1, now)
        messages = self._floor.snapshot(self._wall_ns + now)
        client.left = messages[: len(messages) // 2] if self.torn else messages
        if not self.torn:
            client.left.append(glimpse.encode_end_of_snapshot(sequence))
        count = len(client.left)
        self.served += 1
        self._send(client, now)
        return [Connected(port, login.username, True), SnapshotServed(port, count, sequence)]

    def _send(self, client: _Client, now: int) -> None:
        part, client.left = client.left[:AT_ONCE], client.left[AT_ONCE:]
        sent = 0
        try:
            for message in part:
                client.talk.send(message, now)
                sent += 1
        except MisuseError:  # the driver has not drained: later
            client.left = part[sent:] + client.left
        client.due = now + NEXT_NS if client.left else NEVER
        if not client.left and client.talk.state is soupbintcp.State.ACTIVE:
            client.talk.finish(now)
            client.leave = now + LINGER_NS

    def _gone(self, port: int, reason: str) -> Disconnected:
        client = self._clients.pop(port)
        words = client.talk.transmit()
        if words:
            self._last_words[port] = words
        return Disconnected(port, reason)
