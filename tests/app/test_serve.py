"""A day on real sockets, recorded through faults, replayed to the same books, served again to two kinds of client."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.final import final_book
from netfeed.app.recording_replay import RecordingReplay, report
from netfeed.app.serve import Serving
from netfeed.cli.main import main
from tests.app import crypto_server
from tests.app.crypto_words import VENUES
from tests.app.stream_sockets import Venue, running
from tests.app.test_live_crypto import handled, section
from tests.app.websockets_client import PATIENCE_S, WebsocketsClient
from tests.sim import pasts
from tests.sim.jsonrpc_driver import Reader, S
from tests.sim.recordings import NAMES, usual
from tests.sim.test_past_streams import is_of, plain

pytestmark = pytest.mark.net


def written(venue: Venue, folder: Path, more: str = "") -> str:
    listener = venue.sim.stream_listener
    assert listener is not None
    path = folder / "run.toml"
    path.write_text(f"""
schema_version = 1
[[venues]]
name = "sim"
venue = "deribit"
endpoints = ["{listener.url}"]
instruments = ["BTC-PERPETUAL", "BTC-27MAR26*"]
trades = true
tls = {{ ca = "{venue.ca}" }}
reconnect = {{ first = "50ms" }}
{more}
[endpoints]
listen = ""
""")
    return str(path)


def test_what_was_recorded_through_faults_makes_the_books_that_were(tmp_path: Path) -> None:
    file = str(tmp_path / "day.jsonl.zst")
    schedule = [{"at": "1500ms", "do": "stream close 1012"}, {"at": "2s", "do": "stream once skip"},
                {"at": "2500ms", "do": "stream once torn"}]  # fmt: skip
    with running(tmp_path, rate=400, schedule=schedule) as venue:
        assert main(["record", written(venue, tmp_path), "-w", file, "--duration", "4s", "-q"]) == 0
        replay = RecordingReplay([file])
        replay.run()
        told = report(replay)
        assert told["errors"] == []
        assert told["venues"][0]["lines"]["+"] == 4
        assert len(told["books"]) == 12
        for book in told["books"]:
            truth = venue.truth[book["sequence"]]
            assert (book["instrument"], book["state"]) == (truth.instrument, "LIVE")
            expected = truth.record()
            for side in ("bid", "ask"):
                for what in ("price", "quantity"):
                    assert Decimal(book[side][what]) == Decimal(expected[side][what])


def test_who_logged_in_is_not_in_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_SECRET", "hush-hush")
    who = {"client_id": "me-myself", "client_secret_env": "VENUE_SECRET"}
    more = "\n".join(['interval = "raw"', *(f'{name} = "{value}"' for name, value in who.items())])
    file = tmp_path / "day.jsonl"
    with running(tmp_path, stream=who) as venue:
        config = written(venue, tmp_path, more)
        assert main(["record", config, "-w", str(file), "--duration", "2s", "-q"]) == 0
        replay = RecordingReplay([str(file)])
        replay.run()
        books = report(replay)["books"]
        assert len(books) == 12
        assert all(Decimal(one["bid"]["price"]) == Decimal(venue.truth[one["sequence"]].record()["bid"]["price"])
                   for one in books)  # fmt: skip
    text = file.read_text()
    assert "public/auth" in text
    assert not any(secret in text for secret in ("hush-hush", "me-myself", "VENUE_SECRET"))


@contextmanager
def serving(folder: Path, **options: Any) -> Iterator[Serving]:
    file = usual(3 * S).write(folder / "day.jsonl")
    over = threading.Event()
    one = Serving([file], "ws://127.0.0.1:0", stop=over.is_set, **options)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one
    finally:
        over.set()
        thread.join()
        one.close()


def test_a_client_of_another_make_reads_the_past_as_it_was(tmp_path: Path) -> None:
    with serving(tmp_path, speed=20.0) as one, WebsocketsClient(one.url) as client:
        channel = f"book.{NAMES[0]}.100ms"
        request = {"jsonrpc": "2.0", "id": 7, "method": "public/subscribe", "params": {"channels": [channel]}}
        client.send(json.dumps(request))
        assert json.loads(client.recv(timeout=PATIENCE_S))["result"] == [channel]
        places = one._past.channels[channel]
        reader = Reader()
        for place in places:
            assert client.recv(timeout=PATIENCE_S) == one._past.frames[place].payload.decode()
            reader.read(json.loads(one._past.frames[place].payload, parse_float=Decimal)["params"]["data"])
        assert reader.breaks == 0
    assert one.report()["said"] == len(places)


def test_our_own_handler_keeps_the_same_books_of_it(tmp_path: Path) -> None:
    with serving(tmp_path, speed=None) as one:
        config, left = tmp_path / "run.toml", tmp_path / "report.json"
        config.write_text(
            f'schema_version = 1\n[[venues]]\nname = "past"\nvenue = "deribit"\nendpoints = ["{one.url}"]\n'
            'instruments = ["*"]\n[endpoints]\nlisten = ""\n'
        )
        assert main(["run", str(config), "--duration", "3s", "--report", str(left), "-q", "--no-view"]) == 0
        live = {book["instrument"]: book["digest"] for book in json.loads(left.read_text())["final_books"]}
    replay = RecordingReplay([str(tmp_path / "day.jsonl")])
    replay.run()
    assert live == {book["instrument"]: book["digest"] for book in report(replay)["books"]}
    assert len(live) == len(NAMES)


def test_what_is_no_configuration_to_record_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "run.toml"
    config.write_text('schema_version = 1\n[[channels]]\nname = "a"\nprotocol = "itch50"\ninterface = "lo"\n'
                      'lines = [{ group = "233.252.0.1:26400" }]\n')  # fmt: skip
    assert main(["record", str(config), "-w", str(tmp_path / "x.jsonl")]) == 2
    assert "no venue over connections" in capsys.readouterr().err


def recorded(name: str, folder: Path, *, loses: bool = False) -> str:
    """Record a venue of the words of `crypto_words` for a while, and give the file."""
    path = folder / "day.jsonl"
    with crypto_server.serving(VENUES[name]) as venue, handled(section(venue), path=path) as one:
        one.turn_until(lambda: one.links[0].is_ready)
        one.turn_until_moved(venue)
        if loses:
            venue.do(lambda: venue.lose(VENUES[name].names[1]))
            one.turn_until(lambda: one.told().gaps_opened > 0)
            one.turn_until_moved(venue)
        one.turn_until_equal(venue)
    return str(path)


@contextmanager
def served(file: str, speed: float | None) -> Iterator[Serving]:
    over = threading.Event()
    one = Serving([file], "ws://127.0.0.1:0", stop=over.is_set, speed=speed)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one
    finally:
        over.set()
        thread.join()
        one.close()


@pytest.mark.parametrize("name", sorted(VENUES))
def test_recordings_of_all_venues_are_heard_as_they_were_and_make_the_same_books(name: str, tmp_path: Path) -> None:
    file, words = recorded(name, tmp_path), VENUES[name]
    with served(file, None) as one:
        topic, instrument = pasts.topic(name, words.names[0]), words.names[0]
        expected = [plain(one._past.frames[place].payload) for place in one._past.channels[topic]]
        assert len(expected) > 3
        with WebsocketsClient(one.url) as client:
            client.send(pasts.request(name, True, instrument).decode())
            heard: list[Any] = []
            while len(heard) < len(expected):
                message = client.recv(timeout=PATIENCE_S)
                assert isinstance(message, str)
                heard += [plain(message.encode())] if is_of(name, message.encode()) == topic else []
            assert heard == expected
        web = one.web or ""
        again = section(crypto_server.Elsewhere(words, one.url, web))
        with handled(again) as handler:
            handler.turn_until(lambda: handler.links[0].is_ready)
            replay = RecordingReplay([file])
            replay.run()
            books = {book["instrument"]: book["digest"] for book in report(replay)["books"]}
            handler.turn_until(
                lambda: {book.name: final_book(book)["digest"] for book in handler.live.catalogue.books} == books
            )
            assert len(books) == 4
            assert handler.told().gaps_opened == 0


@pytest.mark.parametrize("name", sorted(VENUES))
def test_a_hole_of_a_recording_is_found_again_and_healed_by_what_healed_it(name: str, tmp_path: Path) -> None:
    file, words = recorded(name, tmp_path, loses=True), VENUES[name]
    replay = RecordingReplay([file])
    replay.run()
    books = {book["instrument"]: book["digest"] for book in report(replay)["books"]}
    with served(file, None) as one:
        web = one.web or ""
        with handled(section(crypto_server.Elsewhere(words, one.url, web))) as handler:
            handler.turn_until(
                lambda: (
                    {book.name: final_book(book)["digest"] for book in handler.live.catalogue.books} == books
                    and handler.told().open_gaps == ()
                )
            )
            assert handler.told().gaps_opened > 0 or words.kind == "binance"  # its last snapshot is behind the hole
