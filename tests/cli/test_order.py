"""`netfeed order` against an exchange on real sockets: what it prints, what it ends with, and what the venue saw."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.sim_accounts import AccountConfig
from netfeed.app.sim_embedded import EmbeddedVenue, embedded
from netfeed.book.execution import New
from netfeed.cli.main import main
from netfeed.transport.network import NetworkError
from tests.app.trading.order_sockets import SECRET, Exchange

pytestmark = pytest.mark.net

FILE = """schema_version = 1
[[sessions]]
name = "a"
venue = "sim"
protocol = "starbase"
endpoints = ["tcp://127.0.0.1:{a}"]
key = "mm"
secret_env = "SIM_SECRET"
reconnect = {{ first = "1ms", cap = "2ms" }}
[[sessions.instruments]]
name = "BTC-PERPETUAL"
id = 1001
tick = "0.5"
lot = "10"
payoff = "perpetual"
underlying = "BTC"
inverse = true
[[sessions]]
name = "json"
venue = "sim"
protocol = "deribit"
endpoints = ["ws://127.0.0.1:{json}"]
key = "mm"
secret_env = "SIM_SECRET"
reconnect = {{ first = "1ms", cap = "2ms" }}
[[sessions]]
name = "ouch"
venue = "stocks"
protocol = "ouch"
endpoints = ["tcp://127.0.0.1:{ouch}"]
key = "mm"
secret_env = "SHORT_SECRET"
reconnect = {{ first = "1ms", cap = "2ms" }}
[[sessions.instruments]]
name = "BTCP"
tick = "0.5"
lot = "10"
"""


class Served:
    """An exchange that turns in a thread of its own, and a configuration that leads to it."""

    def __init__(self, folder: Path) -> None:
        self.venue = Exchange()
        self.path = str(folder / "mm.toml")
        ports = [one.port for one in self.venue.listeners]
        Path(self.path).write_text(FILE.format(a=ports[0], json=ports[2], ouch=ports[3]))
        self.over = False
        self.thread = threading.Thread(target=self._turn)
        self.thread.start()

    def _turn(self) -> None:
        while not self.over:
            self.venue.turn()

    def close(self) -> None:
        self.over = True
        self.thread.join()
        self.venue.close()

    def order(self, action: str, *words: str, session: str = "a") -> int:
        return main(["order", action, "--config", self.path, "--session", session, *words])

    def send(self, *words: str, price: str = "80000", quantity: str = "10", session: str = "a") -> int:
        asked = ["BTC-PERPETUAL", "--side", "buy", "--quantity", quantity, "--price", price]
        return self.order("send", *asked, *words, session=session)

    @property
    def resting(self) -> list[Any]:
        return list(self.venue.room.exchange.listed("mm").orders)

    @property
    def taken(self) -> int:
        return sum(isinstance(step.what, New) for step in self.venue.room.exchange.log.steps)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("SIM_SECRET", SECRET)
    monkeypatch.setenv("SHORT_SECRET", SECRET[:10])
    one = Served(tmp_path)
    yield one
    one.close()


Out = Callable[[], Any]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[], tuple[str, str]]:
    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return captured.out, captured.err

    return read


@pytest.mark.parametrize("session", ["a", "json"])
def test_an_order_rests_after_the_command_and_is_cancelled_by_another(served: Served, told: Out, session: str) -> None:
    assert served.send("--json", session=session) == 0
    said = json.loads(told()[0])
    assert said["fate"] == ["DONE"]
    accepted = next(one for one in said["reports"] if one["report"] == "Accepted")
    assert (accepted["instrument"], accepted["price"], accepted["quantity"]) == ("BTC-PERPETUAL", "80000.0", "10")
    assert [str(order.client_id) for order in served.resting] == [accepted["client_id"]]
    assert served.order("list", session=session) == 0
    assert told()[0] == f"order {accepted['client_id']}  BTC-PERPETUAL  buy 10 @ 80000.0\n"
    assert served.send("--fair", "81000", price="80500.5", session=session) == 0  # with one that rests already
    assert len(served.resting) == 2
    told()
    assert served.order("cancel", accepted["client_id"], session=session) == 0
    assert "Canceled" in told()[0]
    assert [str(order.client_id) for order in served.resting] != [accepted["client_id"]]
    assert served.order("cancel-all", session=session) == 0
    assert served.resting == []
    told()
    assert served.order("list", "--json", session=session) == 0
    assert json.loads(told()[0]) == {"session": session, "orders": [], "positions": []}


def test_the_connection_dies_between_order_and_answer(served: Served, told: Out) -> None:
    served.venue.gateways[0].kill_after(1)
    assert served.send() == 5
    _, err = told()
    assert "UNCERTAIN" in err
    assert "not sent again" in err
    assert f"netfeed order list --config {served.path} --session a" in err
    served.venue.gateways[0].revive()
    assert served.order("list") == 0
    assert "buy 10 @ 80000.0" in told()[0]
    assert (len(served.resting), served.taken) == (1, 1)


def test_the_connection_dies_behind_an_order_over_websocket(served: Served, told: Out) -> None:
    def die(peer: Any, method: str) -> None:
        peer.is_over = peer.is_over or method == "private/buy"

    served.venue.after_call = die
    assert served.send(session="json") == 5
    assert "UNCERTAIN" in told()[1]
    assert served.order("list", session="json") == 0
    assert "buy 10 @ 80000.0" in told()[0]
    assert served.taken == 1


def test_a_venue_that_says_nothing_leaves_it_uncertain(served: Served, told: Out) -> None:
    def hush(peer: Any, method: str) -> None:
        peer.mute = peer.mute or method == "private/buy"

    served.venue.after_call = hush
    assert served.send("--timeout", "300ms", session="json") == 5
    assert "UNCERTAIN: no answer in time" in told()[1]
    assert served.taken == 1


def test_over_ouch_the_day_is_read_before_an_order_is_sent(served: Served, told: Out) -> None:
    words = ["BTCP", "--side", "buy", "--quantity", "10", "--price"]
    assert served.order("send", *words, "80000", session="ouch") == 0
    assert served.order("send", *words, "80001", "--json", session="ouch") == 0
    first, second = (str(one.client_id) for one in served.resting)
    told()
    assert served.order("list", session="ouch") == 0
    assert told()[0] == f"order {first}  BTCP  buy 10 @ 80000.0\norder {second}  BTCP  buy 10 @ 80001.0\n"
    assert served.order("cancel", first, session="ouch") == 0
    assert served.order("cancel-all", session="ouch") == 0
    assert served.resting == []


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ({"quantity": "2000"}, "size: 2000 of at most 1000"),
        ({"price": "80000.3"}, None),
        ({"price": "80000.5", "quantity": "15"}, "contract: 15 is not in lots of 10"),
        ({"fair": "70000"}, "fair: 800000 is 100000 worse than the fair value"),
    ],
)
def test_what_risk_refuses_is_not_sent(served: Served, told: Out, words: dict[str, str], rule: str | None) -> None:
    fair = ["--fair", words.pop("fair")] if "fair" in words else []
    assert served.send(*fair, **words) == 3
    assert (rule or "contract: 800003 is not on a tick of 5") in told()[1]
    assert served.taken == 0


def test_what_the_venue_refuses_is_said_in_its_words(served: Served, told: Out) -> None:
    assert served.send(price="999999", quantity="10") == 1  # beyond the venue's band
    assert "the venue refused it" in told()[1]
    assert served.resting == []


def test_a_venue_that_is_not_there_is_69(served: Served, told: Out) -> None:
    for gateway in served.venue.gateways:
        gateway.kill(served.venue.loop.clock())
    assert served.send("--timeout", "200ms") == 69
    assert "not up within 0.2 s: a:" in told()[1]


def test_a_session_that_lists_nothing_wants_one_that_does(served: Served, told: Out) -> None:
    text = Path(served.path).read_text()
    Path(served.path).write_text(text[: text.index('[[sessions]]\nname = "json"')])
    assert served.send() == 4
    assert "does not list what rests" in told()[1]
    assert served.order("cancel-all") == 0  # needs no list


def test_where_no_session_names_instruments_the_venue_is_asked(served: Served, told: Out) -> None:
    text = Path(served.path).read_text()
    Path(served.path).write_text("schema_version = 1\n" + text[text.index('[[sessions]]\nname = "json"') :])
    call = "BTC-27MAR26-90000-C"
    words = [call, "--side", "buy", "--quantity", "0.1", "--price", "0.0205", "--json"]
    assert served.order("send", *words, session="json") == 0
    said = json.loads(told()[0])
    assert [(one["instrument"], one["price"]) for one in said["reports"] if one["report"] == "Accepted"] == [
        (call, "0.0205")
    ]
    assert served.order("list", session="json") == 0
    assert f"{call}  buy 0.1 @ 0.0205" in told()[0]


def test_the_sessions_that_the_simulated_venue_writes_are_enough(tmp_path: Path, told: Out) -> None:
    stream = {"listen": "127.0.0.1:0", "tls": False, "credits": False}
    account = AccountConfig(name="mm")
    try:
        venue = EmbeddedVenue(embedded(seed=7, rate=100, instruments=2, accounts=[account], stream=stream))
    except NetworkError as error:
        pytest.skip(f"no multicast on the loopback here: {error}")
    path = tmp_path / "run.toml"
    with venue:
        path.write_text(venue.run_config + venue.sessions_config("mm"))
        for session, name in (("sim-json", "BTC-PERPETUAL"), ("sim-ouch", "1001")):
            asked = ["--config", str(path), "--session", session]
            words = [name, "--side", "buy", "--quantity", "10", "--price", "80000"]
            assert main(["order", "send", *asked, *words]) == 0
            out, err = told()
            assert "Accepted" in out
            assert ("this port cancels what rests" in err) == (session == "sim-ouch")
        assert [one["instrument"] for one in venue.ledger("mm")["orders"]] == ["BTC-PERPETUAL"]
        assert main(["order", "list", "--config", str(path), "--session", "sim-json", "--json"]) == 0
        assert [one["price"] for one in json.loads(told()[0].splitlines()[-1])["orders"]] == ["80000.0"]
    assert venue.failure is None


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["list", "--session", "b"], 2, "no session 'b' in the configuration; there are a, json, ouch"),
        (["cancel", "--session", "a", "x"], 2, ""),
        (["cancel-all", "--session", "a", "--instrument", "ETH"], 2, "no instrument 'ETH'"),
    ],
)
def test_what_cannot_be_is_said(served: Served, told: Out, words: list[str], code: int, says: str) -> None:
    assert main(["order", words[0], "--config", served.path, *words[1:]]) == code
    assert says in told()[1]


def test_the_secret_is_nowhere(served: Served, told: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    assert served.send("-v", "--json") == 0
    assert SECRET not in "".join(told())
    monkeypatch.delenv("SIM_SECRET")
    assert served.send() == 4
    assert "the variable SIM_SECRET, which should hold the secret, is not set" in told()[1]
