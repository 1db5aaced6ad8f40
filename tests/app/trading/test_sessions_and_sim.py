"""The sessions that trade for real against a simulated venue on sockets: JSON-RPC, Starbase and OUCH, one ledger."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.config import load as load_run
from netfeed.app.sim_accounts import AccountConfig, FeesConfig, GroupConfig
from netfeed.app.sim_embedded import EmbeddedVenue, embedded
from netfeed.app.trading.session_driver import Sessions
from netfeed.app.trading.traded import Traded
from netfeed.book.execution import (
    Accepted,
    Cancel,
    CancelAll,
    Canceled,
    Down,
    Filled,
    List,
    Listed,
    MassQuote,
    New,
    Quote,
    Quoted,
    TimeInForce,
    Up,
)  # fmt: skip
from netfeed.book.level import Side
from netfeed.transport.network import NetworkError

pytestmark = pytest.mark.net
TURNS = 4_000
USD = 10**9
DAY, IOC = TimeInForce.DAY, TimeInForce.IOC


class Desk:
    """All sessions of an account, by the number of the gateway: 0 A, 1 B, 2 OUCH, 3 JSON-RPC."""

    def __init__(self, venue: EmbeddedVenue, path: Path) -> None:
        file = path / "run.toml"
        file.write_text(venue.run_config + venue.sessions_config("mm"))
        self.venue, configs = venue, load_run(str(file), {}).sessions
        self.told: list[Any] = []
        self.sides: dict[int, list[Any]] = {number: [] for number in range(1, len(configs) + 1)}
        markets = venue._simulation.venue.floor.exchange.trading.markets.values()  # type: ignore[attr-defined]
        listed = [one.instrument for one in markets]
        traded = [Traded(one.id, one.name, *one.exponents, one.id, 0) for one in listed]
        ouch = [Traded(1001, "1001", -9, 0)]
        self.sessions = Sessions(configs, {"sim": traded, "sim-ouch": ouch}, {}, hear=self._hear, tell=self.told.append)
        self.links = self.sessions.links

    def _hear(self, number: int, report: Any, now: int) -> None:
        self.sides[number].append(report)

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(TURNS):
            if done():
                return
            self.sessions.loop.turn(self.sessions.loop.clock() + 10_000_000)
        raise AssertionError(f"it did not come: {self.sides} {self.told}")

    def send(self, number: int, request: Any) -> None:
        self.links[number - 1].send(request)
        self.links[number - 1].flush()

    def wait(self, number: int, kind: type[Any], count: int = 1) -> Any:
        found: list[Any] = []

        def came() -> bool:
            found[:] = [one for one in self.sides[number] if isinstance(one, kind)]
            return len(found) >= count

        self.until(came)
        return found[count - 1]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    groups = [GroupConfig(number=1, name="mm", quantity="100")]
    account = AccountConfig(name="mm", groups=groups, fees=FeesConfig(maker="-0.01%", taker="0.05%"))
    stream = {"listen": "127.0.0.1:0", "tls": False, "credits": False}
    try:
        venue = EmbeddedVenue(embedded(seed=7, rate=100, instruments=2, accounts=[account], stream=stream))
    except NetworkError as error:
        pytest.skip(f"no multicast on the loopback here: {error}")
    with venue:
        one = Desk(venue, tmp_path)
        one.sessions.open()
        yield one
        one.sessions.close()
    assert venue.failure is None


def test_all_ways_of_an_account_lead_to_one_ledger(desk: Desk) -> None:
    desk.until(lambda: all(link.is_up for link in desk.links))
    for number in range(1, 5):
        desk.send(number, New(number, 1001, Side.BID, 85_000 * USD, 10, DAY))
    for number in range(1, 5):
        desk.wait(number, Accepted)
    assert sorted(one["client_id"] for one in desk.venue.ledger("mm")["orders"]) == [1, 2, 3, 4]
    desk.send(4, List(9))
    listed = desk.wait(4, Listed)
    assert sorted(one.client_id for one in listed.orders) == [1, 2, 3, 4]
    desk.send(4, CancelAll(10))
    for number in range(1, 5):
        desk.wait(number, Canceled)
    assert desk.venue.ledger("mm")["orders"] == []


def test_quotes_and_fills_over_json_rpc_are_those_of_the_ledger(desk: Desk) -> None:
    json = len(desk.links)
    desk.until(lambda: desk.links[json - 1].is_up)
    desk.send(json, MassQuote(1, 1, (Quote(1001, 85_000 * USD, 10, 95_000 * USD, 20),)))
    desk.wait(json, Quoted)
    for number in range(2, 6):
        desk.send(json, New(number, 1001, Side.BID, 95_000 * USD - USD, 20, IOC))
    desk.until(lambda: sum(one.quantity for one in desk.sides[json] if isinstance(one, Filled)) == 80)
    facts = desk.venue.ledger("mm")
    assert [(one["instrument"], one["quantity"]) for one in facts["positions"]] == [("BTC-PERPETUAL", "80")]
    assert len(facts["orders"]) == 2
    fees = sum((one.fee or 0) * 10 ** (24 + one.fee_exponent) for one in desk.sides[json] if isinstance(one, Filled))
    assert fees == _units(facts["fees"]["BTC"])
    assert desk.venue.do("ledger")["complaints"] == []


def test_a_session_that_is_hung_up_comes_back_and_its_orders_have_left(desk: Desk) -> None:
    json = len(desk.links)
    desk.until(lambda: desk.links[json - 1].is_up)
    desk.send(json, New(1, 1001, Side.BID, 85_000 * USD, 10))
    desk.wait(json, Accepted)
    desk.venue.do("stream close 1006")
    desk.wait(json, Down)
    desk.wait(json, Up, 2)
    assert desk.venue.ledger("mm")["orders"] == []
    desk.send(json, New(2, 1001, Side.BID, 85_000 * USD, 10))
    desk.wait(json, Accepted, 2)
    desk.send(json, Cancel(2, 1001))
    desk.wait(json, Canceled)


def _units(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole.lstrip("-") + part.ljust(24, "0")) * (-1 if text.startswith("-") else 1)
