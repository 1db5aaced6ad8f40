"""A gateway of a simulated exchange on a wire: its connections byte by byte, and the faults of a gateway.

    gateway.open(port, now)                   a client has connected
    gateway.receive(data, now, port)          what it says; transmit(port) drains what is due for it
    gateway.kill(now, forget=True)            all connections end without a word, and what was reported is gone, too

A key is one connection at a time. What is reported is kept and numbered, whether somebody is connected or not. How that
sounds, who may log on, and what it means there that a report is lost or comes twice is a `Speech`: `starbase_gateway`,
`ouch_gateway`. Without a wire the same is `order_gateway`.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from netfeed.book.execution import Cause, Down, Rejected, Report, Request
from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.sim.order_faults import NONE, Judge, OrderFaults, Storm
from netfeed.sim.order_gateway import ASKS
from netfeed.sim.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class Key:
    """What a client logs on with: the account is named by its client id."""

    client_id: str
    secret: str = field(repr=False)


class Speech(Protocol):
    """What differs from protocol to protocol; a server and what it keeps (`past`) are those of the protocol."""

    loses_connections: bool
    """A report that is lost ends its connection: where messages are counted by their arrival, none can be missing."""

    def server(self, port: int, now: int) -> Any:
        """Make the venue's side of a connection."""

    def past(self) -> Any:
        """Begin what is kept for an account."""

    def forget(self) -> None:
        """Note that all that was kept is gone."""

    def log_on(self, gateway: "SessionGateway", server: Any, event: object, now: int) -> str | None:
        """Answer an event that asks to log on, and give the account whose connection it is from now on."""

    def sayable(self, past: Any, reports: Sequence[Report]) -> Sequence[Report]:
        """Give those of some reports that the protocol can say."""

    def keep(self, past: Any, reports: Sequence[Report], now: int) -> None:
        """Number reports that nobody hears now."""

    def again(self, frame: bytes) -> bytes | None:
        """Give a message as it is sent a second time; None where none ever is."""


@dataclass(slots=True)
class _Connection:
    """A connection, who it is, what waits to leave: when, and the bytes; and what is `ready` to."""

    server: Any
    account: str | None = None
    out: deque[tuple[int, bytes]] = field(default_factory=deque)
    ready: list[bytes] = field(default_factory=list)

    def release(self, now: int) -> None:
        """Let leave what is due."""
        while self.out and self.out[0][0] <= now:
            self.ready.append(self.out.popleft()[1])


class SessionGateway:
    """One gateway. `counts` as those of `OrderGateway`; `faults` hold, or those of a `storm` while there is one."""

    def __init__(
        self, board: Switchboard, number: int, speech: Speech, *, seed: int = 1, faults: OrderFaults = NONE
    ) -> None:
        self.number = number
        self.faults = faults
        self.storm: Storm | None = None
        self.dead = False
        self.counts = dict.fromkeys(("lost", "duplicated", "refused", "missed", "turned_away"), 0)
        self._board, self._speech = board, speech
        self._judge = Judge(seed)
        self._connections: dict[int, _Connection] = {}
        self._pasts: dict[str, Any] = {}
        self._lives: int | None = None
        board.attach(self)

    # -- the contract, a port for each connection

    def open(self, port: int, now: int) -> bool:
        """Take note that a client has connected; False turns it away."""
        if self.dead:
            self.counts["turned_away"] += 1
            return False
        self._connections[port] = _Connection(self._speech.server(port, now))
        return True

    def is_open(self, port: int) -> bool:
        """Say whether a connection is there; the driver drains and closes one that is not."""
        return port in self._connections

    def receive(self, data: Buffer, now: int, port: int) -> None:
        """Take bytes of a client. A connection that is gone hears nothing."""
        connection = self._connections.get(port)
        if connection is not None:
            self._meet(port, connection, connection.server.receive(data, now), now)

    def end(self, port: int, now: int) -> None:
        """Take note that a client closed."""
        connection = self._connections.pop(port, None)
        if connection is not None:
            self._hear(connection, connection.server.end(now), now)

    def transmit(self, port: int) -> list[bytes]:
        """Drain a connection."""
        connection = self._connections.get(port)
        if connection is None:
            return []
        taken, connection.ready = connection.ready, []
        if connection.server.is_closed and not connection.out:
            del self._connections[port]
        return taken

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        times = [connection.server.deadline for connection in self._connections.values()]
        times += [connection.out[0][0] for connection in self._connections.values() if connection.out]
        return min(times, default=NEVER)

    def wake(self, now: int) -> None:
        """Act on deadlines that have passed: signs of life, and peers that give none."""
        for port, connection in list(self._connections.items()):
            connection.release(now)
            if connection.server.deadline <= now:
                self._meet(port, connection, connection.server.wake(now), now)

    # -- of a driver

    def kill(self, now: int, *, forget: bool = False) -> None:
        """Let the gateway die: connections end without a word. `forget`: what it has reported is gone, too."""
        self.dead, self._lives = True, None
        for port in list(self._connections):
            self.end(port, now)
        if forget:
            self._pasts.clear()
            self._speech.forget()

    def kill_after(self, requests: int) -> None:
        """Let it die when so many more requests are done, before any report of the last one has left."""
        if requests < 1:
            raise MisuseError("a gateway dies after one request or more")
        self._lives = requests

    def revive(self) -> None:
        """Let it be there again."""
        self.dead = False

    def deliver(self, account: str, reports: Sequence[Report], now: int) -> None:
        """Take what the exchange says to an account: it is kept, and leaves if somebody is there."""
        past, port = self.past(account), self._port_of(account)
        told = self._speech.sayable(past, reports)
        if port is None or self._lives == 0:
            self.counts["missed"] += len(told)
            self._speech.keep(past, told, now)
            return
        connection = self._connections[port]
        copies, delay_ns, _ = self._judge.judge(self._holds(now))
        if not copies:
            self.counts["lost"] += len(told)
            self._pump(connection, now)
            self._speech.keep(past, told, now)
            if self._speech.loses_connections:
                self.end(port, now)
            return
        self._pump(connection, now)
        connection.server.report(told, now)
        self.counts["duplicated"] += self._pump(connection, now, copies, delay_ns)

    # -- of a speech

    def past(self, account: str) -> Any:
        """Give what is kept for an account."""
        if account not in self._pasts:
            self._pasts[account] = self._speech.past()
        return self._pasts[account]

    def is_connected(self, account: str) -> bool:
        """Say whether an account has its connection already."""
        return self._port_of(account) is not None

    # -- inside

    def _meet(self, port: int, connection: _Connection, events: Iterable[object], now: int) -> None:
        self._hear(connection, events, now)
        if self._connections.get(port) is connection:
            self._pump(connection, now)

    def _hear(self, connection: _Connection, events: Iterable[object], now: int) -> None:
        for event in events:
            if isinstance(event, Down):
                account, connection.account = connection.account, None
                if event.cancels and account is not None:
                    self._board.disconnect(account, self.number, now)
            elif isinstance(event, Request):
                if connection.account is not None:
                    self._ask(connection, connection.account, event, now)
            elif connection.account is None:
                connection.account = self._speech.log_on(self, connection.server, event, now)

    def _ask(self, connection: _Connection, account: str, request: Request, now: int) -> None:
        if self._judge.judge(self._holds(now)).refused:
            self.counts["refused"] += 1
            wall_ns = self._board.wall_ns + now
            told = Rejected(request.client_id, ASKS[type(request)], Cause.RATE, "gateway_overloaded", wall_ns)
            connection.server.report([told], now)
            return
        if self._lives is not None:
            self._lives -= 1
        self._board.request(account, request, now, self.number)
        if self._lives == 0:
            self.kill(now)

    def _pump(self, connection: _Connection, now: int, copies: int = 1, delay_ns: int = 0) -> int:
        """Put what the server has said in the way out, behind what waits there; give how much of it comes again."""
        due = max(now + delay_ns, connection.out[-1][0] if connection.out else 0)
        twice = 0
        for frame in connection.server.transmit():
            connection.out.append((due, frame))
            again = self._speech.again(frame) if copies > 1 else None
            if again is not None:
                connection.out.extend([(due, again)] * (copies - 1))
                twice += copies - 1
        connection.release(now)
        return twice

    def _holds(self, now: int) -> OrderFaults:
        return self.storm.faults if self.storm is not None and now < self.storm.until_ns else self.faults

    def _port_of(self, account: str) -> int | None:
        return next((port for port, one in self._connections.items() if one.account == account), None)
