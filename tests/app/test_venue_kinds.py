"""The table of venues: what is asked is read back, what does not fit is named, and a recorded Binance is read live."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from netfeed.app.configuration import Venue
from netfeed.app.recording_replay import RecordingReplay, report
from netfeed.app.venue_kind import credentials_of
from netfeed.app.venue_kinds import KINDS
from netfeed.app.venue_places import endpoints, listing, misfits
from netfeed.cli.main import main
from netfeed.errors import ConfigurationError
from netfeed.venues import binance, bybit, coinbase, deribit_json, kraken, okx
from tests.data import recording
from tests.venues.crypto_recordings import CRYPTO, answer, frames, put

TOPICS = {
    "deribit": (deribit_json.Dialect(), ["book.BTC-PERPETUAL.100ms", "trades.BTC-PERPETUAL.100ms"]),
    "kraken": (kraken.Dialect(), [kraken.topic("BTC/USD"), kraken.topic("ETH/USD")]),
    "binance": (binance.Dialect(), [binance.topic("BTCUSDT"), binance.topic("ETHUSDT")]),
    "okx": (okx.Dialect(), [okx.topic("BTC-USDT"), okx.topic("ETH-USDT")]),
    "bybit": (bybit.Dialect(), [bybit.topic("BTCUSDT"), bybit.topic("ETHUSDT")]),
    "coinbase": (coinbase.Dialect(frozenset({"BTC-USD", "ETH-USD"})), ["level2:BTC-USD", "level2:ETH-USD"]),
}  # fmt: skip


def venue(**given: Any) -> Venue:
    return Venue(**({"name": "x", "venue": "binance", "instruments": ["*"]} | given))


def test_every_venue_is_in_the_table_of_tests() -> None:
    assert set(TOPICS) == set(KINDS)


def test_who_names_no_depth_to_kraken_asks_for_its_usual_one() -> None:
    request = b'{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}'
    assert KINDS["kraken"].asked(request) == (True, ["book.10.BTC/USD"])


@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_is_asked_for_is_read_back_from_the_request(name: str) -> None:
    dialect, topics = TOPICS[name]
    asked = KINDS[name].asked
    assert asked(dialect.subscribe(topics, 5)) == (True, topics)  # type: ignore[attr-defined]
    assert asked(dialect.unsubscribe(topics, 6)) == (False, topics)  # type: ignore[attr-defined]
    for message in (b"", b"{", b"5", b"[]", b"ping", b'{"method":"public/test"}', b'{"op":"subscribe","args":5}'):
        assert asked(message) is None


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_venue_is_somewhere_and_lists_its_instruments(name: str) -> None:
    config, kind = venue(venue=name), KINDS[name]
    assert endpoints(config)[0].startswith("wss://")
    assert (listing(config) is None) is (kind.question is not None)
    assert kind.question is None or kind.question(config)
    assert misfits(config) == []


def test_a_secret_comes_from_the_environment() -> None:
    config = venue(venue="deribit", interval="raw", client_id="me", client_secret_env="VENUE_SECRET")
    assert misfits(config) == []
    assert credentials_of(config, {"VENUE_SECRET": "hush"}) == ("me", "hush")
    with pytest.raises(ConfigurationError, match="VENUE_SECRET is not set"):
        credentials_of(config, {"VENUE_SECRET": ""})
    assert credentials_of(venue(venue="deribit"), {}) is None


# -- Binance, as it was recorded, on servers of another make


class Rest(BaseHTTPRequestHandler):
    """What was had over HTTP."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.partition("symbol=")[2].partition("&")[0]
        body = answer("BINANCE.http.0.0", f"symbol={name}&") if name else answer("BINANCE.0", "exchangeInfo")
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def speak(connection: ServerConnection) -> None:
    """Answer requests; say all that was recorded after the first."""
    said = False
    for message in connection:
        request = json.loads(message)
        connection.send(json.dumps({"result": None, "id": request["id"]}))
        if request["method"] == "SUBSCRIBE" and not said:
            said = True
            for frame in frames("BINANCE.ws.1.0"):
                connection.send(frame.decode())


@contextmanager
def recorded_binance() -> Iterator[tuple[str, str]]:
    rest = ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    stream = serve(speak, "127.0.0.1", 0)
    threads = [threading.Thread(target=one.serve_forever) for one in (rest, stream)]
    for thread in threads:
        thread.start()
    try:
        yield f"http://127.0.0.1:{rest.server_address[1]}", f"ws://127.0.0.1:{stream.socket.getsockname()[1]}/stream"
    finally:
        rest.shutdown()
        stream.shutdown()
        for thread in threads:
            thread.join()
        rest.server_close()


def expected(symbol: str) -> tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]:
    """Read a book in the plainest way."""
    body = json.loads(answer("BINANCE.http.0.0", f"symbol={symbol}&"))
    sides: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
    put(sides[0], body["bids"])
    put(sides[1], body["asks"])
    for frame in map(json.loads, frames("BINANCE.ws.1.0")):
        data = frame["data"]
        if frame["stream"] == f"{symbol.lower()}@depth@100ms" and data["u"] > body["lastUpdateId"]:
            put(sides[0], data["b"])
            put(sides[1], data["a"])
    return sides


@pytest.mark.net
def test_a_recorded_binance_is_read_from_servers_of_another_make_and_recorded_again(tmp_path: Path) -> None:
    for name in ("BINANCE.0", "BINANCE.http.0.0", "BINANCE.ws.1.0"):
        recording(f"{CRYPTO}/cryptofeed/{name}")  # skips here, where a skip is one: the servers read in threads
    symbols = ["NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"]
    config, left, file = tmp_path / "run.toml", tmp_path / "report.json", tmp_path / "day.jsonl"
    with recorded_binance() as (rest, stream):
        config.write_text(
            f'schema_version = 1\n[[venues]]\nname = "b"\nvenue = "binance"\nendpoints = ["{stream}"]\n'
            f'listing = "{rest}/api/v3/exchangeInfo"\nfetch = "{rest}"\ninstruments = {json.dumps(symbols)}\n'
            '[endpoints]\nlisten = ""\n'
        )
        flags = ["--set", f"recording.path='{file}'"]
        assert main(["run", str(config), "--duration", "6s", "--report", str(left), "-q", "--no-view", *flags]) == 0
    live = json.loads(left.read_text())["final_books"]
    assert sorted(book["instrument"] for book in live) == sorted(symbols)
    replay = RecordingReplay([str(file)])
    replay.run()
    told = report(replay, depth=5000)
    assert {book["instrument"]: book["digest"] for book in told["books"]} == {
        book["instrument"]: book["digest"] for book in live
    }
    for book in told["books"]:
        assert book["state"] == "LIVE"
        for levels, side in zip((book["bids"], book["asks"]), expected(book["instrument"]), strict=True):
            assert {Decimal(one["price"]): Decimal(one["quantity"]) for one in levels} == side
