"""Order sessions with a simulated Deribit venue, message by message: the client that trades for real, and the time."""

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

from netfeed.book.execution import Filled, Listed
from netfeed.book.level import Side
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_log import audit
from netfeed.sim.exchange_trading import Permit
from netfeed.sim.jsonrpc_venue import JsonRpcVenue, StreamSettings
from netfeed.sim.order_venue import OrderVenue, order_venue
from netfeed.sim.protection import Limits
from netfeed.sim.session_gateway import Key
from netfeed.sim.terms import MONEY, Fees
from netfeed.sim.venue import Settings
from netfeed.sim.venue_events import HungUp
from netfeed.sim.venue_ports import STREAM
from netfeed.sim.wired_venue import WiredVenue
from netfeed.venues.deribit_order_words import Listing, Terms
from netfeed.venues.deribit_orders import Session

S = 10**9
MS = 10**6
GROUPS = {1: ("mm", "btc_usd")}
SECRET = b"s3cret"


def sign(data: bytes) -> str:
    return hmac.new(SECRET, data, hashlib.sha256).hexdigest()


class Trading:
    """A venue, sessions by port, what they were told, and a plain client for what has no session."""

    def __init__(
        self, *, rate: int = 1, instruments: int = 4, limit: int | None = None, coins: int = 1_000, **more: Any
    ) -> None:  # fmt: skip
        settings = Settings(seed=3, rate=rate, instruments=instruments, truth=False)
        keys = [Key(name, SECRET.decode()) for name in ("mm", "bob")]
        self.inner: OrderVenue = order_venue(settings, keys, **more)
        self.exchange = self.inner.exchange
        groups = {1: Limits(S, 0, quantity=limit)}
        permit = Permit(fees=Fees(-100, 500), groups=groups, group_names={1: "mm"})
        for name in ("mm", "bob"):
            self.exchange.join(name, permit, coins * MONEY)
        free = StreamSettings(pools=None, truth=False)
        self.venue = JsonRpcVenue(WiredVenue(self.inner), free, random_bytes=bytes)
        self.now = 0
        self.sessions: dict[int, Session] = {}
        self.told: dict[int, list[Any]] = {}
        self.hung_up: list[HungUp] = []
        self.heard: dict[int, list[Any]] = {}
        self.run(MS)

    @property
    def listing(self) -> Listing:
        markets = self.exchange.trading.markets.values()
        return Listing(Terms(one.instrument.id, one.instrument.name, *one.instrument.exponents) for one in markets)

    def log_on(self, port: int = STREAM, name: str = "mm", *, cancels: bool = True, **options: Any) -> int:
        """Connect a session, and let it come up."""
        assert self.venue.open(port, self.now, peer="192.0.2.1")
        options = {"groups": GROUPS, "orders": (10_000.0, 10_000)} | options
        epoch_ns = self.inner.settings.wall_ns
        session = Session(port, self.listing, self.now, epoch_ns=epoch_ns, **options)
        self.sessions[port], self.told[port] = session, []
        session.logon(name, sign, "nonce", self.now, cancel_on_disconnect=cancels)
        self.pump()
        return port

    def send(self, port: int, request: Any) -> list[Any]:
        """Ask for something; give what is told at once."""
        before = len(self.told[port])
        self.sessions[port].send(request, self.now)
        self.pump()
        return self.told[port][before:]

    def plain(self, port: int = STREAM + 9, name: str = "mm") -> int:
        """Connect somebody who says what he likes."""
        assert self.venue.open(port, self.now, peer="192.0.2.2")
        self.heard[port] = []
        answer = self.ask(port, "public/auth", grant_type="client_credentials", client_id=name, client_secret="s3cret")
        assert "access_token" in answer
        return port

    def ask(self, port: int, method: str, **params: Any) -> Any:
        """Ask as a plain client; give the result, or the error. What comes besides is in `heard`."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self._take(self.venue.receive(json.dumps(request).encode(), self.now, port))
        said = [json.loads(one, parse_float=Decimal) for one in self.venue.transmit(port)]
        self.heard[port] += [one for one in said if "id" not in one]
        answers = [one for one in said if "id" in one]
        self.pump()
        return answers[0].get("result", answers[0].get("error")) if answers else None

    def pump(self) -> None:
        """Carry what waits, until nobody says anything more at this moment."""
        moved = True
        while moved:
            moved = False
            for port, session in list(self.sessions.items()):
                for data in session.transmit():
                    moved = True
                    self._take(self.venue.receive(data, self.now, port))
                for data in self.venue.transmit(port):
                    moved = True
                    self.told[port] += session.receive(data, self.now)
            if self.venue.deadline <= self.now:
                moved = True
                self._take(self.venue.wake(self.now))
            for port, heard in self.heard.items():
                heard += [json.loads(one, parse_float=Decimal) for one in self.venue.transmit(port)]
            for port in range(8):
                self.venue.transmit(port)

    def run(self, ns: int) -> None:
        """Let time pass."""
        until = self.now + ns
        while (due := min([self.venue.deadline, *(one.deadline for one in self.sessions.values())])) <= until:
            self.now = max(self.now, due)
            for port, session in self.sessions.items():
                if session.deadline <= self.now:
                    self.told[port] += session.wake(self.now)
            self.pump()
        self.now = until

    def leave(self, port: int) -> None:
        """Let a connection be lost."""
        self.told[port] += self.sessions.pop(port).lost(self.now)
        self._take(self.venue.end(self.now, port))
        self.pump()

    def resting(self, name: str = "mm") -> list[tuple[Any, ...]]:
        """Give what rests of an account, as the exchange has it."""
        listed = self.exchange.listed(name).orders
        return sorted(
            (one.client_id, one.instrument, str(one.order_id), one.side, one.price, one.quantity, one.filled, one.quote)
            for one in listed
        )

    def agrees(self, port: int, listed: Listed, name: str = "mm") -> None:
        """Hold a list that a session was told, and its fills, against the exchange."""
        said = sorted(
            (one.client_id, one.instrument, one.order_id, one.side, one.price, one.quantity, one.filled, one.quote)
            for one in listed.orders
        )
        held = {one.instrument: one.quantity for one in self.exchange.listed(name).positions}
        filled: dict[int, int] = {}
        fees = 0
        for one in [one for one in self.told[port] if isinstance(one, Filled)]:
            signed = one.quantity if one.side is Side.BID else -one.quantity
            filled[one.instrument] = filled.get(one.instrument, 0) + signed
            fees += (one.fee or 0) * 10 ** (24 + one.fee_exponent)
        assert said == self.resting(name)
        assert {one.instrument: one.quantity for one in listed.positions} == held
        assert {instrument: quantity for instrument, quantity in filled.items() if quantity} == held
        assert fees == self.exchange.trading.ledger.accounts[name].fees.get("BTC", 0)
        assert check(self.exchange.trading) == []
        assert audit(self.exchange.log.steps) == []

    def _take(self, events: Any) -> None:
        for event in events:
            if isinstance(event, HungUp):
                self.hung_up.append(event)
                session = self.sessions.pop(event.port, None)
                if session is not None:
                    for data in self.venue.transmit(event.port):
                        self.told[event.port] += session.receive(data, self.now)
                    self.told[event.port] += session.lost(self.now)
