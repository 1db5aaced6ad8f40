"""A gateway of a simulated exchange that speaks Starbase: order sessions byte by byte, and the faults of a gateway.

    gateway.open(port, now)                   a client has connected
    gateway.receive(data, now, port)          what it says; transmit(port) drains what is due for it
    gateway.kill(now, forget=True)            all connections end without a word, and the journals are gone

A key is one connection at a time. What is reported is kept in the journal of its session, whether it is connected or
not, so that the next connection can ask for it: a report that is `lost` here is one that was numbered and not sent, and
shows as a gap; one that comes twice says of itself that it was resent. A gateway that `forget`s begins its journals
anew, and a client that logs on with its old numbers must reset, and find out by other means what is true.

Source: `proto.starbase_orders_server`; who may log on, one connection for a key, is this venue's own.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from netfeed.book.execution import (
    Cause,
    Down,
    Rejected,
    Report,
    Request,
)
from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.starbase_orders_server import Server, report_to
from netfeed.proto.starbase_past import VenuePast
from netfeed.proto.starbase_state import LogonRequested, State, Timing
from netfeed.proto.starbase_terms import Instruments, Terms
from netfeed.sim.exchange import Exchange
from netfeed.sim.order_faults import NONE, Judge, OrderFaults, Storm
from netfeed.sim.order_gateway import ASKS
from netfeed.sim.switchboard import Switchboard
from netfeed.wire import starbase_orders as wire


@dataclass(frozen=True, slots=True)
class Key:
    """What a client logs on with: the account is named by its client id."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(slots=True)
class _Connection:
    """A connection, who it is, what waits to leave: when, and the bytes; and what is `ready` to."""

    server: Server
    account: str | None = None
    out: deque[tuple[int, bytes]] = field(default_factory=deque)
    ready: list[bytes] = field(default_factory=list)

    def release(self, now: int) -> None:
        """Let leave what is due."""
        while self.out and self.out[0][0] <= now:
            self.ready.append(self.out.popleft()[1])


def listed(exchange: Exchange) -> Instruments:
    """List the instruments of an exchange for its order sessions, by the exchange's own numbers."""
    return Instruments(
        Terms(number, number, terms.price_exponent, terms.quantity_exponent)
        for number, terms in exchange.trading.ledger.terms.items()
    )


class StarbaseGateway:
    """One gateway. `keys` say which accounts may log on. `counts` as those of `OrderGateway`.

    `faults` hold, or those of a `storm` while there is one.
    """

    def __init__(
        self,
        board: Switchboard,
        number: int,
        keys: Iterable[Key],
        *,
        seed: int = 1,
        faults: OrderFaults = NONE,
        timing: Timing | None = None,
    ) -> None:
        self.number = number
        self.faults = faults
        self.storm: Storm | None = None
        self.dead = False
        self.counts = dict.fromkeys(("lost", "duplicated", "refused", "missed", "turned_away"), 0)
        self._board, self._timing = board, timing
        self._keys = {key.client_id: key for key in keys}
        self._listed = listed(board.exchange)
        self._judge = Judge(seed)
        self._connections: dict[int, _Connection] = {}
        self._pasts: dict[str, VenuePast] = {}
        self._lives: int | None = None
        board.attach(self)

    # -- the contract, a port for each connection

    def open(self, port: int, now: int) -> bool:
        """Take note that a client has connected; False turns it away."""
        if self.dead:
            self.counts["turned_away"] += 1
            return False
        server = Server(port, self._listed, now, timing=self._timing, epoch_ns=self._board.wall_ns)
        self._connections[port] = _Connection(server)
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
        connection = self._connections.get(port)
        if connection is not None:
            self._meet(port, connection, connection.server.end(now), now)
            self._connections.pop(port, None)

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
        for port, connection in list(self._connections.items()):
            del self._connections[port]
            self._hear(connection, connection.server.end(now), now)
        if forget:
            self._pasts.clear()

    def kill_after(self, requests: int) -> None:
        """Let it die when so many more requests are done, before any report of the last one has left."""
        if requests < 1:
            raise MisuseError("a gateway dies after one request or more")
        self._lives = requests

    def revive(self) -> None:
        """Let it be there again."""
        self.dead = False

    def deliver(self, account: str, reports: Sequence[Report], now: int) -> None:
        """Take what the exchange says to an account: into its journal, and to its connection if there is one."""
        connection = self._of(account)
        if connection is None or self._lives == 0:
            self.counts["missed"] += len(reports)
            report_to(self._past(account), self._listed, reports, self._board.wall_ns + now)
            return
        copies, delay_ns, _ = self._judge.judge(self._holds(now))
        self._pump(connection, now)
        if not copies:
            self.counts["lost"] += len(reports)
            report_to(connection.server.past, self._listed, reports, self._board.wall_ns + now)
            return
        self.counts["duplicated"] += len(reports) * (copies - 1)
        connection.server.report(reports, now)
        self._pump(connection, now, copies, delay_ns)

    # -- inside

    def _meet(self, port: int, connection: _Connection, events: Iterable[object], now: int) -> None:
        self._hear(connection, events, now)
        if self._connections.get(port) is connection:
            self._pump(connection, now)

    def _hear(self, connection: _Connection, events: Iterable[object], now: int) -> None:
        for event in events:
            if isinstance(event, LogonRequested):
                self._log_on(connection, event, now)
            elif isinstance(event, Down):
                account, connection.account = connection.account, None
                if event.cancels and account is not None:
                    self._board.disconnect(account, self.number, now)
            elif isinstance(event, Request) and connection.account is not None:
                self._ask(connection, connection.account, event, now)

    def _log_on(self, connection: _Connection, asked: LogonRequested, now: int) -> None:
        if connection.server.state is not State.JUDGING:
            return  # what it said behind its logon has ended the connection already
        key = self._keys.get(asked.client_id)
        if key is None or key.secret != asked.secret:
            connection.server.refuse("unknown client id or secret", now)
        elif self._of(asked.client_id) is not None:
            connection.server.refuse("this key has a connection here", now)
        else:
            connection.account = asked.client_id
            connection.server.accept(self._past(asked.client_id), now)

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

    def _pump(self, connection: _Connection, now: int, copies: int = 1, delay_ns: int = 0) -> None:
        """Put what the server has said in the way out, behind what waits there."""
        due = max(now + delay_ns, connection.out[-1][0] if connection.out else 0)
        for frame in connection.server.transmit():
            connection.out.append((due, frame))
            connection.out.extend([(due, wire.resent(frame))] * (copies - 1))
        connection.release(now)

    def _holds(self, now: int) -> OrderFaults:
        return self.storm.faults if self.storm is not None and now < self.storm.until_ns else self.faults

    def _of(self, account: str) -> _Connection | None:
        return next((one for one in self._connections.values() if one.account == account), None)

    def _past(self, account: str) -> VenuePast:
        return self._pasts.setdefault(account, VenuePast())
