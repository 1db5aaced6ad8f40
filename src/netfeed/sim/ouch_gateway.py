"""A gateway of a simulated exchange that speaks OUCH 5.0 over SoupBinTCP, and the faults of a gateway.

    gateway.open(port, now)                   a client has connected
    gateway.receive(data, now, port)          what it says; transmit(port) drains what is due for it
    gateway.kill(now, forget=True)            all connections end without a word, and the sessions are gone

It leads to the same exchange as the gateways that speak Starbase: only there orders have owners, and what is traded
over one wire is seen on all others. The ITCH venue has a flow and no accounts. A symbol is the number of the instrument
("1001"), shares are units of its quantity, prices are of 1e-4; orders rest for a DAY, and leave when their connection
is lost. A user is the name of a key (6 characters at most), the password the first PASSWORD characters of its secret.

A key is one connection at a time. What is reported is kept and numbered, connected or not. SoupBinTCP counts messages
by their arrival, so that none can be missing on a connection that stands: a report that is `lost` here is one whose
connection ended before it left, and none comes twice. A gateway that `forget`s begins another session.

Source: `proto.ouch_server`; Nasdaq OUCH 5.0 (updated April 2023), SoupBinTCP 3.00.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from netfeed.book.execution import Accepted, Amended, Canceled, Cause, Down, Filled, Rejected, Report, Request
from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.ouch_server import Server, VenuePast
from netfeed.proto.ouch_words import Stocks, Terms
from netfeed.proto.soupbintcp import LoginRequested
from netfeed.sim.exchange import Exchange
from netfeed.sim.order_faults import NONE, Judge, OrderFaults, Storm
from netfeed.sim.order_gateway import ASKS
from netfeed.sim.starbase_gateway import Key
from netfeed.sim.switchboard import Switchboard

PASSWORD: Final = 10
"""So many characters of a secret are its password: SoupBinTCP has room for no more."""
_TOLD: Final = (Accepted, Amended, Canceled, Filled, Rejected)


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


def stocks(exchange: Exchange) -> Stocks:
    """List the instruments of an exchange by their symbols, and by the exchange's own numbers."""
    terms = exchange.trading.ledger.terms
    return Stocks(Terms(number, str(number), one.price_exponent) for number, one in terms.items())


class OuchGateway:
    """One gateway. `keys` say which accounts may log on. `counts` as those of `StarbaseGateway`.

    `faults` hold, or those of a `storm` while there is one.
    """

    def __init__(
        self, board: Switchboard, number: int, keys: Iterable[Key], *, seed: int = 1, faults: OrderFaults = NONE
    ) -> None:
        self.number = number
        self.faults = faults
        self.storm: Storm | None = None
        self.dead = False
        self.counts = dict.fromkeys(("lost", "duplicated", "refused", "missed", "turned_away"), 0)
        self._board = board
        self._keys = {key.client_id: key for key in keys}
        self._listed = stocks(board.exchange)
        self._judge = Judge(seed)
        self._connections: dict[int, _Connection] = {}
        self._pasts: dict[str, VenuePast] = {}
        self._sessions = 1
        self._lives: int | None = None
        board.attach(self)

    # -- the contract, a port for each connection

    def open(self, port: int, now: int) -> bool:
        """Take note that a client has connected; False turns it away."""
        if self.dead:
            self.counts["turned_away"] += 1
            return False
        self._connections[port] = _Connection(Server(port, self._listed, now, epoch_ns=self._board.wall_ns))
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
            self._hear(port, connection, connection.server.end(now), now)

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
            self._sessions += 1

    def kill_after(self, requests: int) -> None:
        """Let it die when so many more requests are done, before any report of the last one has left."""
        if requests < 1:
            raise MisuseError("a gateway dies after one request or more")
        self._lives = requests

    def revive(self) -> None:
        """Let it be there again."""
        self.dead = False

    def deliver(self, account: str, reports: Sequence[Report], now: int) -> None:
        """Take what the exchange says to an account: it is numbered and kept, and leaves if somebody is there."""
        past = self._past(account)
        known = [one for one in reports if isinstance(one, _TOLD) and one.client_id in past.orders]
        port = self._port_of(account)
        if port is None or self._lives == 0:
            self.counts["missed"] += len(known)
            self._keep(past, known, now)
            return
        connection = self._connections[port]
        copies, delay_ns, _ = self._judge.judge(self._holds(now))
        if not copies:
            self.counts["lost"] += len(known)
            self._keep(past, known, now)
            self.end(port, now)
            return
        self._pump(connection, now)
        connection.server.report(known, now)
        self._pump(connection, now, delay_ns)

    # -- inside

    def _keep(self, past: VenuePast, reports: Sequence[Report], now: int) -> None:
        """Number reports that nobody hears now."""
        nobody = Server(0, self._listed, now, epoch_ns=self._board.wall_ns)
        nobody.past = past
        nobody.report(reports, now)

    def _meet(self, port: int, connection: _Connection, events: Iterable[object], now: int) -> None:
        self._hear(port, connection, events, now)
        if self._connections.get(port) is connection:
            self._pump(connection, now)

    def _hear(self, port: int, connection: _Connection, events: Iterable[object], now: int) -> None:
        for event in events:
            if isinstance(event, LoginRequested):
                self._log_on(connection, event, now)
            elif isinstance(event, Down):
                account, connection.account = connection.account, None
                if event.cancels and account is not None:
                    self._board.disconnect(account, self.number, now)
            elif isinstance(event, Request) and connection.account is not None:
                self._ask(connection, connection.account, event, now)

    def _log_on(self, connection: _Connection, asked: LoginRequested, now: int) -> None:
        if not connection.server.asks:
            return  # what it said behind its login has ended the connection already
        user = asked.username.strip()
        key = self._keys.get(user)
        if key is None or key.secret[:PASSWORD] != asked.password.strip():
            connection.server.reject("A", now)
        elif asked.session.strip() not in ("", self._past(user).session) or self._port_of(user) is not None:
            connection.server.reject("S", now)
        else:
            connection.account = user
            connection.server.accept(self._past(user), now)

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

    def _pump(self, connection: _Connection, now: int, delay_ns: int = 0) -> None:
        """Put what the server has said in the way out, behind what waits there."""
        due = max(now + delay_ns, connection.out[-1][0] if connection.out else 0)
        connection.out.extend((due, packet) for packet in connection.server.transmit())
        connection.release(now)

    def _holds(self, now: int) -> OrderFaults:
        return self.storm.faults if self.storm is not None and now < self.storm.until_ns else self.faults

    def _port_of(self, account: str) -> int | None:
        return next((port for port, one in self._connections.items() if one.account == account), None)

    def _past(self, account: str) -> VenuePast:
        return self._pasts.setdefault(account, VenuePast(f"OUCH{self._sessions:06}"))
