"""An exchange that takes orders on real sockets of loopback: Starbase gateways A and B, and Deribit's JSON-RPC.

The machines are the venue's own (`sim.starbase_gateway`, `sim.exchange`, `proto.websocket`); here they get sockets, and
turn when `pump` says so, so that a test is what moves time on.
"""

import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from netfeed.app.configuration import Reconnect, Session, SessionInstrument
from netfeed.book.execution import (
    Accepted,
    Amend,
    Amended,
    Cancel,
    CancelAll,
    Canceled,
    Down,
    Filled,
    New,
    Rejected,
)
from netfeed.book.level import Side
from netfeed.machine import NEVER
from netfeed.proto import ouch_server, soupbintcp, tls, websocket
from netfeed.proto.ouch_words import Stocks
from netfeed.proto.ouch_words import Terms as OuchTerms
from netfeed.proto.stack import Stack
from netfeed.sim.jsonrpc_instruments import describe
from netfeed.sim.session_gateway import Key, SessionGateway
from netfeed.sim.starbase_gateway import starbase_gateway
from netfeed.sim.switchboard import Switchboard
from netfeed.transport.loop import Loop
from netfeed.transport.task import Task
from netfeed.transport.tcp import Listener, Stream
from netfeed.units import decimal_text
from tests.sim.exchange_room import PERPETUAL, START_NS, Room

PATIENCE_S = 60.0
SECRET = "secret-of-mm"
QUICK = Reconnect(first=1_000_000, cap=2_000_000)
WS, OUCH = 3, 4
"""The ways of JSON-RPC and OUCH into the exchange."""
OUCH_REPORTS = (Accepted, Amended, Filled, Canceled, Rejected)


class Port:
    """One connection to a Starbase gateway, as a machine."""

    is_over = False

    def __init__(self, gateway: SessionGateway, port: int) -> None:
        self.gateway, self.port = gateway, port

    @property
    def deadline(self) -> int:
        return self.gateway.deadline

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        self.gateway.receive(data, now, self.port)
        return []

    def wake(self, now: int) -> list[Any]:
        self.gateway.wake(now)
        return []

    def end(self, now: int) -> list[Any]:
        self.gateway.end(self.port, now)
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        out = self.gateway.transmit(self.port)
        self.is_over = not self.gateway.is_open(self.port)
        return out


class JsonRpc:
    """One connection that speaks JSON-RPC, as a machine. `mute`: requests are done, and nobody is told."""

    is_over = mute = False

    def __init__(self, venue: "Exchange", now: int) -> None:
        self.venue, self.account = venue, ""
        self.server = websocket.Server(now, compression=False)

    @property
    def deadline(self) -> int:
        return self.server.deadline

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        return self._take(self.server.receive(data, now), now)

    def wake(self, now: int) -> list[Any]:
        return self._take(self.server.wake(now), now)

    def end(self, now: int) -> list[Any]:
        return self._take(self.server.end(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        return self.server.transmit()

    def deliver(self, orders: list[Any], trades: list[Any]) -> None:
        if self.server.is_open and (orders or trades):
            data = {"instrument_name": "", "orders": orders, "trades": trades}
            params = {"channel": "user.changes.any.any.raw", "data": data}
            self._say({"jsonrpc": "2.0", "method": "subscription", "params": params})

    def portfolio(self, currency: str) -> None:
        params = {"channel": f"user.portfolio.{currency.lower()}", "data": worth(currency)}
        self._say({"jsonrpc": "2.0", "method": "subscription", "params": params})

    def _take(self, events: Any, now: int) -> list[Any]:
        for event in events:
            if isinstance(event, websocket.Requested):
                self.server.accept(now)
            elif isinstance(event, websocket.Messages):
                for place in range(len(event)):
                    self._asked(json.loads(bytes(event[place]), parse_float=Decimal), now)
            elif isinstance(event, websocket.Closed):
                self.is_over = True
        return []

    def _asked(self, call: dict[str, Any], now: int) -> None:
        self.venue.calls.append(call["method"])
        result = self._do(call["method"], call["params"], now)
        self.venue.after_call(self, call["method"])
        kind = "error" if isinstance(result, dict) and "code" in result else "result"
        if not (self.mute or self.is_over):
            self._say({"jsonrpc": "2.0", "id": call["id"], kind: result})

    def _do(self, method: str, params: dict[str, Any], now: int) -> Any:
        name = method.partition("/")[2]
        if name == "auth":
            signed = f"{params['timestamp']}\n{params['nonce']}\n{params['data']}".encode()
            right = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
            if params["signature"] != right:
                return {"code": 13004, "message": "invalid_credentials"}
            self.account = params["client_id"]
            return {"access_token": "t"}
        if name == "subscribe":
            return params["channels"]
        if name == "get_instruments":
            return [describe(one.instrument) for one in self.venue.room.exchange.trading.markets.values()]
        if name in ("buy", "sell"):
            return self.venue.place(self.account, Side.BID if name == "buy" else Side.ASK, params, now)
        if name in ("cancel", "cancel_by_label"):
            return self.venue.cancel(self.account, params, now)
        if name == "get_open_orders":
            return [self.venue.told(live) for live in self.venue.room.exchange.trading.orders.of(self.account)]
        if name == "get_positions":
            return self.venue.positions(self.account)
        if name == "cancel_all":
            return self.venue.cancel_all(self.account, now)
        if name == "get_account_summary":
            return worth(params["currency"])
        return "ok"

    def _say(self, message: Any) -> None:
        self.server.send_text(json.dumps(message, default=lambda number: float(number)).encode())


class OuchGateway:
    """The way of OUCH into the exchange: what is told is kept for the day, and said to whoever is connected.

    `dies_after`: so many requests more, and the connection is gone before anybody is told of the last.
    """

    number = OUCH

    def __init__(self, venue: "Exchange") -> None:
        self.venue, self.past = venue, ouch_server.VenuePast()
        self.listed = Stocks([OuchTerms(PERPETUAL, "BTCP", -9)])
        self.peer: OuchPort | None = None
        self.absent = ouch_server.Server(0, self.listed, 0)
        self.absent.past = self.past
        self.dies_after: int | None = None

    def deliver(self, account: str, reports: Any, now: int) -> None:
        server = self.absent if self.peer is None or self.peer.is_over else self.peer.server
        server.report([one for one in reports if isinstance(one, OUCH_REPORTS)], now)

    def request(self, peer: "OuchPort", request: Any, now: int) -> None:
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after == 0:
                peer.is_over, self.dies_after = True, None
        self.venue.board.request("mm", request, now, self.number)


class OuchPort:
    """One connection to it, as a machine."""

    is_over = False

    def __init__(self, gateway: OuchGateway, now: int) -> None:
        self.gateway = gateway
        self.server = ouch_server.Server(1, gateway.listed, now)
        gateway.peer = self

    @property
    def deadline(self) -> int:
        return self.server.deadline

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        return self._take(self.server.receive(data, now), now)

    def wake(self, now: int) -> list[Any]:
        return self._take(self.server.wake(now), now)

    def end(self, now: int) -> list[Any]:
        return self._take(self.server.end(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        return self.server.transmit()

    def _take(self, events: Any, now: int) -> list[Any]:
        for event in events:
            if isinstance(event, soupbintcp.LoginRequested):
                if event.password.strip() == SECRET[:10]:
                    self.server.accept(self.gateway.past, now)
                else:
                    self.server.reject("A", now)
            elif isinstance(event, Down):
                self.is_over = True
            elif isinstance(event, New | Amend | Cancel) and not self.is_over:
                self.gateway.request(self, event, now)
        self.is_over = self.is_over or self.server.is_closed
        return []


class Exchange:
    """The exchange on sockets. `calls` are the methods that JSON-RPC was asked. `context`: of TLS, over all of it."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.room = Room("mm", "bob")
        self.board = Switchboard(self.room.exchange, START_NS - time.monotonic_ns())
        keys = [Key("mm", SECRET), Key("bob", "secret-of-bob")]
        self.gateways = [starbase_gateway(self.board, number, keys) for number in (0, 1)]
        self.loop = Loop()
        self.tasks: list[Task] = []
        self.calls: list[str] = []
        self.sweeps = 0
        self.after_call: Callable[[JsonRpc, str], None] = lambda peer, method: None
        self.connections = 0
        self.listeners = [Listener("127.0.0.1", 0, self._starbase(gateway)) for gateway in self.gateways]
        self.listeners.append(Listener("127.0.0.1", 0, self._jsonrpc))
        self.ouch = OuchGateway(self)
        self.board.attach(self.ouch)
        self.listeners.append(Listener("127.0.0.1", 0, self._soup))
        for one in self.listeners:
            self.loop.watch(one.fileno(), one.ready)

    @property
    def names(self) -> dict[str, int]:
        return {terms.name: number for number, terms in self.room.exchange.trading.ledger.terms.items()}

    def turn(self) -> None:
        """Turn once, and let everybody say what they have to."""
        self.loop.turn(self.loop.clock() + 1_000_000)
        for task in list(self.tasks):
            task.kick()
            if getattr(task.machine, "upper", task.machine).is_over or not task.ports:
                self.tasks.remove(task)
                task.close()

    def config(self, name: str, **more: Any) -> Session:
        """Give the configuration of a session: name is a, b, json or ouch."""
        place = {"a": 0, "b": 1, "json": 2, "ouch": 3}[name]
        scheme, protocol = {"json": ("ws", "deribit"), "ouch": ("tcp", "ouch")}.get(name, ("tcp", "starbase"))
        if self.context is not None:
            scheme = {"ws": "wss", "tcp": "tls"}[scheme]
        fields: dict[str, Any] = {
            "name": name, "venue": "sim", "protocol": protocol, "key": "mm",
            "secret_env": "SHORT" if name == "ouch" else "SECRET",
            "endpoints": [f"{scheme}://127.0.0.1:{self.listeners[place].port}"], "reconnect": QUICK,
            "instruments": [SessionInstrument(
                name="BTCP" if name == "ouch" else "BTC-PERPETUAL", id=PERPETUAL, tick="0.5", lot="10",
                payoff="perpetual", underlying="BTC", inverse=True,
            )],
        }  # fmt: skip
        return Session(**fields | more)

    def close(self) -> None:
        for one in self.listeners:
            one.close()
        self.loop.close()

    # --- Deribit's words

    def place(self, account: str, side: Side, params: dict[str, Any], now: int) -> Any:
        number = self.names[params["instrument_name"]]
        terms = self.room.exchange.trading.ledger.terms[number]
        price = int(Decimal(params["price"]).scaleb(-terms.price_exponent))
        quantity = int(Decimal(params["amount"]).scaleb(-terms.quantity_exponent))
        new = New(int(params["label"]), number, side, price, quantity)
        outcome = self.room.exchange.request(account, new, self.board.wall_ns + now, WS)
        self.board.route(outcome, now)
        mine = [report for owner, _, report in outcome.deliveries if owner == account]
        refused = [report for report in mine if isinstance(report, Rejected)]
        if refused:
            return {"code": 10009, "message": refused[0].venue_reason}
        accepted = next(report for report in mine if isinstance(report, Accepted))
        fills = [report for report in mine if isinstance(report, Filled)]
        gone = any(isinstance(report, Canceled) for report in mine)
        filled = sum(fill.quantity for fill in fills)
        state = "filled" if filled == quantity else "cancelled" if gone else "open"
        order = {
            "order_id": str(accepted.order_id), "instrument_name": params["instrument_name"], "order_state": state,
            "direction": "buy" if side is Side.BID else "sell", "amount": params["amount"], "price": params["price"],
            "filled_amount": Decimal(decimal_text(filled, terms.quantity_exponent)), "label": params["label"],
            "time_in_force": "good_til_cancelled",
        }  # fmt: skip
        return {"order": order, "trades": []}

    def cancel(self, account: str, params: dict[str, Any], now: int) -> Any:
        orders = self.room.exchange.trading.orders.of(account)
        wanted = params.get("order_id"), params.get("label")
        live = next((one for one in orders if str(one.id) == wanted[0] or str(one.client_id) == wanted[1]), None)
        if live is None:
            return 0 if wanted[0] is None else {"code": 11044, "message": "not_open_order"}
        told = self.told(live) | {"order_state": "cancelled", "cancel_reason": "user_request"}
        request = Cancel(live.client_id, live.instrument)
        self.board.route(self.room.exchange.request(account, request, self.board.wall_ns + now, WS), now)
        if wanted[0] is not None:
            return told
        for task in self.tasks:
            peer = getattr(task.machine, "upper", task.machine)
            if isinstance(peer, JsonRpc):
                peer.deliver([told], [])
        return 1

    def cancel_all(self, account: str, now: int) -> int:
        self.sweeps += 1
        request = CancelAll(self.sweeps)
        outcome = self.room.exchange.request(account, request, self.board.wall_ns + now, WS)
        self.board.route(outcome, now)
        return sum(isinstance(one.report, Canceled) for one in outcome.deliveries)

    def told(self, live: Any) -> dict[str, Any]:
        """Give an order that rests, as JSON-RPC lists it."""
        terms = self.room.exchange.trading.ledger.terms[live.instrument]
        return {
            "order_id": str(live.id), "instrument_name": terms.name, "order_state": "open",
            "label": str(live.client_id), "direction": "sell" if live.side else "buy",
            "time_in_force": "good_til_cancelled",
            "amount": Decimal(decimal_text(live.quantity, terms.quantity_exponent)),
            "filled_amount": Decimal(decimal_text(live.filled, terms.quantity_exponent)),
            "price": Decimal(decimal_text(live.price, terms.price_exponent)),
        }  # fmt: skip

    def positions(self, account: str) -> list[dict[str, Any]]:
        terms = self.room.exchange.trading.ledger.terms
        return [
            {
                "instrument_name": terms[one.instrument].name,
                "size": Decimal(decimal_text(one.quantity, terms[one.instrument].quantity_exponent)),
            }
            for one in self.room.exchange.listed(account).positions
        ]

    # --- connections

    def _starbase(self, gateway: SessionGateway) -> Callable[[Stream, int], None]:
        def accepted(stream: Stream, now: int) -> None:
            self.connections += 1
            port = 1000 * gateway.number + self.connections
            if gateway.open(port, now):
                self._add(Port(gateway, port), stream)
            else:
                stream.close()

        return accepted

    def _jsonrpc(self, stream: Stream, now: int) -> None:
        self.connections += 1
        self._add(JsonRpc(self, now), stream)

    def _soup(self, stream: Stream, now: int) -> None:
        self.connections += 1
        self._add(OuchPort(self.ouch, now), stream)

    def _add(self, machine: Any, stream: Stream) -> None:
        below = None if self.context is None else tls.server(self.context, self.loop.clock())
        whole = machine if below is None else Stack(below, machine, closed=lambda upper: bool(upper.is_over))

        def failed(endpoint: Any, error: Exception) -> None:
            machine.end(self.loop.clock())
            machine.is_over = True

        self.tasks.append(self.loop.add(whole, {0: stream}, failed=failed))


def worth(currency: str) -> dict[str, Any]:
    """Give what an account is worth, as the venue tells it."""
    names = ("equity", "balance", "available_funds", "initial_margin", "maintenance_margin")
    return {"currency": currency, **dict.fromkeys(names, 0.25)}


def pump(venue: Any, sessions: Any, until: Callable[[], bool], *, why: str = "") -> None:
    """Turn both sides until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end, why or "it did not come to that"
        venue.turn()
        sessions.loop.turn(sessions.loop.clock() + (1_000_000 if sessions.deadline != NEVER else 0))
