"""The simulated venue's JSON-RPC on real sockets: a client of another make reads it, and sees each fault as what it is.

The venue turns in a thread of its own; the client is the package `websockets`, unmodified.
"""

import json
import ssl
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from tests.app.stream_sockets import running
from tests.app.websockets_client import PATIENCE_S, WebsocketsClient
from tests.sim.jsonrpc_driver import Reader

pytestmark = pytest.mark.net
BOOK, TRADES, TICKER = "book.BTC-PERPETUAL.raw", "trades.BTC-PERPETUAL.raw", "ticker.BTC-27MAR26-80000-C.100ms"


def told(client: WebsocketsClient) -> Any:
    return json.loads(client.recv(timeout=PATIENCE_S), parse_float=Decimal)


def ask(client: WebsocketsClient, method: str, **params: Any) -> Any:
    client.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    while True:
        answer = told(client)
        if "id" in answer:
            return answer["result"] if "result" in answer else answer["error"]


def listening(client: WebsocketsClient, *channels: str) -> None:
    ask(client, "public/auth", grant_type="client_credentials", client_id="me", client_secret="mine")
    assert ask(client, "public/subscribe", channels=list(channels)) == list(channels)


def changes(client: WebsocketsClient, count: int) -> list[Any]:
    """Read so many messages of books."""
    found: list[Any] = []
    while len(found) < count:
        message = told(client)
        if message.get("method") == "subscription" and message["params"]["channel"].startswith("book"):
            found.append(message["params"]["data"])
    return found


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_an_unmodified_client_reads_books_that_agree_with_the_truth(tmp_path: Path, tls: bool) -> None:
    with running(tmp_path, stream={"tls": tls}) as venue, venue.client() as client:
        instruments = ask(client, "public/get_instruments", currency="BTC")
        assert len(instruments) == 22
        listening(client, BOOK, TRADES, TICKER)
        reader, compared = Reader(), 0
        for data in changes(client, 200):
            reader.read(data)
            truth = venue.truth.get(data["change_id"])
            if data["type"] == "change":
                assert truth is not None
                assert reader.digest() == truth.digest
                compared += 1
        assert compared == 199
        assert reader.breaks == 0
        report = venue.sim.report()["stream"]
        assert (report["clients"], report["connections"]["handshakes"]) == (1, 1)


def test_who_does_not_trust_the_authority_is_not_fooled(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        listener = venue.sim.stream_listener
        assert listener is not None
        with pytest.raises(ssl.SSLCertVerificationError):
            WebsocketsClient(listener.url, ssl.create_default_context())


def test_certificates_stay_as_long_as_they_are_good(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        before = Path(venue.ca).read_bytes()
        assert (Path(venue.ca).parent / "server.key").stat().st_mode & 0o777 == 0o600
    with running(tmp_path) as venue, venue.client() as client:
        assert ask(client, "public/test")["version"]
        assert Path(venue.ca).read_bytes() == before
    with running(tmp_path, stream={"names": ["127.0.0.1", "venue.example"]}) as venue, venue.client() as client:
        assert ask(client, "public/test")["version"]
        assert Path(venue.ca).read_bytes() != before


# -- faults, as this client names them


@pytest.mark.parametrize(
    ("command", "code", "sent"),
    [
        ("stream close 1011", 1011, True),
        ("stream close 1012", 1012, True),
        ("stream close 1006", 1006, False),
        ("stream once torn", 1006, False),
        ("stream once oversized", 1009, False),
        ("stream once alert", 1006, False),
        ("session restart 60s", 1012, True),
    ],
)
def test_a_connection_ends_as_it_was_commanded(tmp_path: Path, command: str, code: int, sent: bool) -> None:
    with running(tmp_path) as venue, venue.client() as client:
        listening(client, BOOK)
        venue.tell(command)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                client.recv(timeout=PATIENCE_S)
        assert (closed.value.rcvd.code if closed.value.rcvd else None) == (code if sent else None)
        ended = closed.value.rcvd or closed.value.sent
        assert (ended.code if ended else 1006) == code


def test_a_refused_handshake_is_seen_with_its_status(tmp_path: Path) -> None:
    with running(tmp_path, faults={"stream": "refuse 429"}) as venue:
        with pytest.raises(InvalidStatus) as refused:
            venue.client()
        assert refused.value.response.status_code == 429
        venue.tell("stream ok")
        with venue.client() as client:
            assert ask(client, "public/test")["version"]


def test_a_throttled_client_is_told_so_and_hung_up(tmp_path: Path) -> None:
    with running(tmp_path) as venue, venue.client() as client:
        venue.tell("stream once throttle")
        assert ask(client, "public/test")["code"] == 10028
        with pytest.raises(ConnectionClosed) as closed:
            told(client)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize("fault", ["skip", "duplicate"])
def test_a_break_of_the_chain_is_seen_in_the_change_ids(tmp_path: Path, fault: str) -> None:
    with running(tmp_path) as venue, venue.client() as client:
        listening(client, BOOK)
        data = changes(client, 5)
        venue.tell(f"stream once {fault}")
        data += changes(client, 100)
        assert sum(two["prev_change_id"] != one["change_id"] for one, two in pairwise(data)) == 1


def test_a_silent_venue_keeps_the_connection_open(tmp_path: Path) -> None:
    with running(tmp_path) as venue, venue.client(ping_interval=None) as client:
        listening(client, BOOK)
        venue.tell("stream silent")
        with pytest.raises(TimeoutError):
            while True:
                client.recv(timeout=0.5)
        venue.tell("stream ok")
        assert ask(client, "public/test")["version"]


def test_a_slow_venue_is_slow_and_whole(tmp_path: Path) -> None:
    with running(tmp_path) as venue, venue.client() as client:
        venue.tell("stream slow 20000")
        listening(client, "book.BTC-PERPETUAL.100ms")
        reader = Reader()
        for data in changes(client, 5):
            reader.read(data)
        assert reader.breaks == 0


def test_a_clock_that_is_wrong_is_read_from_its_answers(tmp_path: Path) -> None:
    with running(tmp_path) as venue, venue.client() as client:
        before = ask(client, "public/get_time")
        venue.tell("stream skew 1h")
        assert 3_600_000 <= ask(client, "public/get_time") - before < 3_660_000


def test_credits_are_asked_for_by_address(tmp_path: Path) -> None:
    with running(tmp_path) as venue, venue.client() as one, venue.client() as two:
        answers = [ask(one, "public/get_instruments", currency="BTC") for _ in range(5)]
        assert all(isinstance(answer, list) for answer in answers)
        assert ask(two, "public/get_instruments", currency="BTC")["code"] == 10028


def test_only_who_knows_the_secret_hears_raw_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_SECRET", "hush")
    stream = {"client_id": "me", "client_secret_env": "VENUE_SECRET"}
    with running(tmp_path, stream=stream) as venue, venue.client() as client:
        assert ask(client, "public/subscribe", channels=[BOOK])["code"] == 13778
        grant = {"grant_type": "client_credentials", "client_id": "me"}
        assert ask(client, "public/auth", **grant, client_secret="guess")["code"] == 13004
        assert ask(client, "public/auth", **grant, client_secret="hush")["token_type"] == "bearer"
        assert ask(client, "public/subscribe", channels=[BOOK]) == [BOOK]


def test_a_client_without_tls_is_hung_up(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        listener = venue.sim.stream_listener
        assert listener is not None
        with pytest.raises((InvalidMessage, ConnectionClosed, OSError)):
            WebsocketsClient(listener.url.replace("wss", "ws"))
        with venue.client() as client:
            assert ask(client, "public/test")["version"]
