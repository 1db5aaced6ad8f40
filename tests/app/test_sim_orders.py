"""Orders over real sockets to a simulated venue that runs inside of this process, and its ledger."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.sim_accounts import AccountConfig
from netfeed.app.sim_control import ask
from netfeed.app.sim_embedded import EmbeddedVenue, embedded
from netfeed.book.execution import Accepted, Cancel, Canceled, Down, Filled, New, TimeInForce, Up
from netfeed.book.level import Side
from netfeed.errors import ConfigurationError, MisuseError
from netfeed.proto.ouch_orders import Client as OuchClient
from netfeed.proto.ouch_words import Stocks
from netfeed.proto.ouch_words import Terms as StockTerms
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_terms import Instruments, Terms
from netfeed.sim.ouch_gateway import PASSWORD
from netfeed.sim.venue_ports import MAX_ORDER_CONNECTIONS
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import connect

pytestmark = pytest.mark.net
TURNS = 2_000
USD = 10**9
PERPETUAL = 1001


class Trader:
    """Sessions of one account on a loop, and what they were told."""

    def __init__(self, venue: EmbeddedVenue) -> None:
        self.venue, self.loop = venue, Loop()
        self.told: dict[str, list[Any]] = {}
        self._tasks: dict[str, Any] = {}

    def log_on(self, gateway: str, name: str = "mm") -> Any:
        client: Any
        if gateway == "OUCH":
            client = OuchClient(1, Stocks([StockTerms(PERPETUAL, "1001", -9)]))
            client.login(name, self.venue.secrets[name][:PASSWORD], self.loop.clock())
        else:
            client = Client(1, Instruments([Terms(PERPETUAL, PERPETUAL, -9, 0)]), self.loop.clock())
            client.logon(name, self.venue.secrets[name], self.loop.clock())
        host, port = self.venue.addresses["orders"][gateway].split(":")
        told = self.told[gateway] = []
        self._tasks[gateway] = self.loop.add(
            client, {0: connect(host, int(port))}, events=lambda events, now: told.extend(events),
            failed=lambda endpoint, error: told.append(error),
        )  # fmt: skip
        self.until(lambda: bool(told))
        assert told == [Up(1)]
        return client

    def send(self, gateway: str, request: Any) -> None:
        self._tasks[gateway].machine.send(request, self.loop.clock())
        self._tasks[gateway].kick()

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(TURNS):
            if done():
                return
            self.loop.turn(self.loop.clock() + 20_000_000)
        raise AssertionError(f"it did not come: {self.told}")


@pytest.fixture
def venue() -> Iterator[EmbeddedVenue]:
    try:
        one = EmbeddedVenue(embedded(seed=7, rate=200, instruments=2, accounts=[AccountConfig(name="mm")]))
    except NetworkError as error:
        pytest.skip(f"no multicast on the loopback here: {error}")
    with one:
        yield one
    assert one.failure is None


@pytest.fixture
def trader(venue: EmbeddedVenue) -> Iterator[Trader]:
    one = Trader(venue)
    yield one
    one.loop.close()


@pytest.mark.parametrize("gateway", ["A", "B", "OUCH"])
def test_an_order_goes_over_tcp_and_is_in_the_ledger(trader: Trader, gateway: str) -> None:
    trader.log_on(gateway)
    trader.send(gateway, New(1, PERPETUAL, Side.BID, 85_000 * USD, 10, TimeInForce.DAY))
    trader.until(lambda: any(isinstance(one, Accepted) for one in trader.told[gateway]))
    (order,) = trader.venue.ledger("mm")["orders"]
    assert (order["client_id"], order["price"], order["quantity"], order["side"]) == (1, "85000", "10", "bid")
    trader.send(gateway, Cancel(1, PERPETUAL))
    trader.until(lambda: any(isinstance(one, Canceled) for one in trader.told[gateway]))
    assert trader.venue.ledger("mm")["orders"] == []


def test_what_is_filled_is_in_the_positions_of_the_venue_and_it_all_adds_up(trader: Trader) -> None:
    trader.log_on("A")
    for number in range(1, 6):
        trader.send("A", New(number, PERPETUAL, Side.BID, 95_000 * USD, 20, TimeInForce.IOC))
    trader.until(lambda: sum(one.quantity for one in trader.told["A"] if isinstance(one, Filled)) == 100)
    facts = trader.venue.do("ledger")
    (account,) = facts["ledger"]
    assert facts["complaints"] == []
    assert [(one["instrument"], one["quantity"]) for one in account["positions"]] == [("BTC-PERPETUAL", "100")]
    assert account["fills"] == sum(isinstance(one, Filled) for one in trader.told["A"])


def test_a_gateway_is_killed_while_it_runs_and_the_other_goes_on(trader: Trader) -> None:
    trader.log_on("A")
    trader.log_on("B")
    trader.venue.do("orders A kill after 1")
    trader.send("A", New(1, PERPETUAL, Side.BID, 85_000 * USD, 10))
    trader.until(lambda: isinstance(trader.told["A"][-1], Down))
    assert trader.venue.ledger("mm")["orders"] == []
    trader.send("B", New(2, PERPETUAL, Side.BID, 85_000 * USD, 10))
    trader.until(lambda: isinstance(trader.told["B"][-1], Accepted))
    status = trader.venue.do("status")["orders"]
    assert (status["A"]["dead"], status["B"]["dead"], status["A"]["connections"]) == (True, False, 0)


def test_too_many_clients_are_turned_away_and_counted(venue: EmbeddedVenue) -> None:
    host, port = venue.addresses["orders"]["A"].split(":")
    clients = [socket.create_connection((host, int(port))) for _ in range(MAX_ORDER_CONNECTIONS + 3)]
    for one in clients:
        one.settimeout(20)
    assert [one.recv(1) for one in clients[-3:]] == [b""] * 3
    status = venue.do("status")["orders"]["A"]
    assert (status["connections"], status["turned_away"]) == (MAX_ORDER_CONNECTIONS, {"full": 3, "dead": 0})
    clients.pop(0).close()
    again = socket.create_connection((host, int(port)))
    for one in [*clients, again]:
        one.close()


def test_it_is_asked_for_its_ledger_through_its_control_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    accounts = [AccountConfig(name="mm", deposit={"BTC": "1.5", "USD": "7"})]
    with EmbeddedVenue(embedded(seed=7, rate=10, instruments=2, accounts=accounts, control=path)) as venue:
        answer = ask(path, "ledger mm")
        assert answer["ok"]
        assert answer["ledger"][0]["balances"] == {"BTC": "1.5", "USD": "7"}
        assert "there is no account 'bob'" in ask(path, "ledger bob")["error"]
        assert not ask(path, "orders Q kill")["ok"]
        with pytest.raises(ConfigurationError):
            venue.do("orders Q kill")
    with pytest.raises(MisuseError, match="does not run"):
        venue.do("status")


def test_an_answer_that_is_longer_than_a_socket_holds_comes_whole(tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    accounts = [AccountConfig(name="mm")]
    with EmbeddedVenue(embedded(seed=7, rate=10, instruments=2, accounts=accounts, control=path)) as venue:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(path)
            client.sendall(b"status\n" * 4)
            client.sendall(b"ledger\n" * 2_000)
            held = b""
            while held.count(b"\n") < 2_004:
                held += client.recv(65_536)
        assert all(json.loads(line)["ok"] for line in held.splitlines())
        assert venue.failure is None
