"""`netfeed replay`: the shape of the report, the shipped captures against their truth, and the real recordings."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from struct import unpack_from
from typing import Any

import numpy as np
import pytest
import zstandard

import netfeed
from netfeed.book.change import CHANGE, NO_BOOK, Kind
from netfeed.cli.main import main
from netfeed.units import decimal_text
from netfeed.wire import binaryfile
from tests.cli.captures import A, B, Datagram, add, mold, orders, write
from tests.cli.test_main import environment
from tests.data import PCAPS, recording
from tests.wire.datagrams import datagrams

MS = 1_000_000
KEYS = {"netfeed", "build", "files", "packets", "messages", "by_type", "channels", "books", "errors", "elapsed_ns"}
CHANNEL = {"channel", "protocol", "first_sequence", "next_sequence", "lines", "gaps", "duplicates"}
LINE = {"line", "packets", "first", "duplicates"}
GAP = {"first", "last", "closed_by", "open_ns"}
BOOK = {"instrument", "state", "bid", "ask"}
TRUTH: dict[str, Any] = json.loads((PCAPS / "truth.json").read_text())["files"]


def replay(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = main(["replay", "--json", *map(str, arguments)])
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    report = json.loads(captured.out)
    check_shape(report)
    return code, report


def check_shape(report: dict[str, Any]) -> None:
    """Hold a report against the published form: all keys, their types, and nothing where nothing is."""
    assert set(report) == KEYS
    assert (report["netfeed"], report["build"]) == (netfeed.__version__, netfeed.BUILD)
    assert all(isinstance(report[key], int) for key in ("packets", "messages", "elapsed_ns"))
    assert all(isinstance(kind, str) and isinstance(count, int) for kind, count in report["by_type"].items())
    for channel in report["channels"]:
        assert set(channel) == CHANNEL
        for line in channel["lines"]:
            assert set(line) == LINE
        for gap in channel["gaps"]:
            assert set(gap) >= GAP
            assert gap["closed_by"] in ("line", "retransmit", "snapshot", None)
    for book in report["books"]:
        assert set(book) >= BOOK
        for level in filter(None, (book["bid"], book["ask"])):
            assert set(level) == {"price", "quantity", "orders"}
            assert isinstance(level["price"], str)
            assert isinstance(level["quantity"], str)
            assert level["orders"] is None or level["orders"] > 0
    for error in report["errors"]:
        assert set(error) == {"file", "offset", "found", "wanted"}


# --- the shipped captures: what the simulation that sent the packets says of them


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_a_shipped_capture_is_replayed_as_it_was_sent(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    truth = TRUTH[name]
    code, report = replay(capsys, PCAPS / name)
    assert code == (truth["exit"] if truth["exit"] is not None else code)
    assert code in (0, 3)
    segments = truth.get("tick_to_trade", {}).get("segments", 0)  # TCP is a record of the file, and no packet of a feed
    assert report["packets"] == (truth["packets"] or 0) - segments
    for found, wanted in zip(report["channels"], truth["channels"], strict=True):
        assert {key: found[key] for key in CHANNEL - {"lines", "gaps"}} == {
            key: wanted[key] for key in CHANNEL - {"lines", "gaps"}
        }
        gaps = [{key: gap[key] for key in ("first", "last", "closed_by")} for gap in found["gaps"]]
        assert gaps == wanted["gaps"]
        for line, told in zip(found["lines"], wanted["lines"], strict=True):
            assert {key: line[key] for key in LINE if key in told} == {key: told[key] for key in LINE if key in told}
    snapshots = Counter(
        {kind: count for one in truth["channels"] for kind, count in one.get("snapshot_by_type", {}).items()}
    )
    assert Counter(report["by_type"]) == Counter(truth["by_type"]) + snapshots
    assert report["messages"] == truth["messages"] + snapshots.total()
    books = {book["instrument"]: book for book in truth["books"]}
    assert {book["instrument"] for book in report["books"]} == set(books)
    for book in report["books"]:
        assert book == {key: books[book["instrument"]][key] for key in BOOK}
    offsets = {error["offset"] for error in report["errors"]}
    assert {error["offset"] for error in truth["errors"] if "offset" in error} <= offsets
    if not truth.get("ignored"):
        assert len(report["errors"]) == len(truth["errors"])


def test_the_depth_of_a_book_adds_up_to_its_truth(capsys: pytest.CaptureFixture[str]) -> None:
    _, report = replay(capsys, PCAPS / "itch-ab.pcap", "--depth", "1000")
    totals = {book["instrument"]: book["totals"] for book in TRUTH["itch-ab.pcap"]["books"]}
    for book in report["books"]:
        for side in ("bid", "ask"):
            levels = book[f"{side}s"]
            told = totals[book["instrument"]][side]
            assert len(levels) == told["levels"]
            assert sum(int(level["quantity"]) for level in levels) == int(told["quantity"])
            assert sum(level["orders"] for level in levels) == told["orders"]
            assert levels[:1] == ([book[side]] if book[side] else [])


@pytest.mark.skipif(netfeed.BUILD == "pure", reason="the compiled run compares the same two")
def test_the_twins_give_the_same_report(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("itch-gap.pcapng", "starbase.pcap", "bad-lengths.pcap"):
        done = subprocess.run(
            [sys.executable, "-m", "netfeed.cli.main", "replay", "--json", str(PCAPS / name)],
            env=environment(NETFEED_PURE="1"), capture_output=True, check=False,
        )  # fmt: skip
        twin = json.loads(done.stdout)
        _, report = replay(capsys, PCAPS / name)
        assert twin["build"] != report["build"]
        for key in KEYS - {"build", "elapsed_ns"}:
            assert twin[key] == report[key], key


# --- the real recordings: what independent readers found in them


def test_the_real_pair_of_lines_gives_each_sequence_once(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = replay(capsys, recording("cme/Cme.Mdp3.Sbe.v6.1.pcap"))
    assert code == 0
    (channel,) = report["channels"]
    assert (channel["channel"], channel["protocol"]) == ("224.0.31.64:14340", "cme/mdp3")
    assert (channel["first_sequence"], channel["next_sequence"]) == (5615, 10615)
    assert channel["lines"] == [
        {"line": "A", "packets": 5000, "first": 750, "duplicates": 4250},
        {"line": "B", "packets": 5000, "first": 4250, "duplicates": 750},
    ]
    assert (report["packets"], channel["duplicates"], channel["gaps"]) == (10_000, 5_000, [])
    assert report["by_type"] == {"32": 9569, "35": 307, "42": 194, "37": 194, "12": 9}
    assert (report["messages"], len(report["books"])) == (10_273, 127)


def test_lines_that_were_recorded_apart_are_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = {"224.0.31.64": tmp_path / "a.pcap", "224.0.32.64": tmp_path / "b.pcap"}
    path = recording("cme/Cme.Mdp3.Sbe.v6.1.pcap")
    for group, file in lines.items():
        from netfeed.wire import pcap
        from netfeed.wire.headers import udp_frame

        records = [
            pcap.record(one.ts_ns, udp_frame(one.payload, ("10.0.0.1", 1), (one.group, one.port)))
            for one in datagrams(path)
            if one.group == group
        ]
        file.write_bytes(pcap.file_header() + b"".join(records))
    _, both = replay(capsys, *lines.values())
    _, together = replay(capsys, path)
    for key in KEYS - {"files", "channels", "elapsed_ns"}:
        assert both[key] == together[key], key
    (channel,) = both["channels"]
    assert (channel["gaps"], channel["duplicates"]) == ([], 5_000)
    assert sum(line["first"] for line in channel["lines"]) == 5_000


def test_a_channel_can_be_declared(capsys: pytest.CaptureFixture[str]) -> None:
    path = recording("cme/Cme.Mdp3.Sbe.v6.1.pcap")
    code, report = replay(capsys, path, "--channel", "310=224.0.32.64:15340,224.0.31.64:14340", "--protocol", "cme")
    assert code == 0
    (channel,) = report["channels"]
    assert channel["channel"] == "310"
    assert [(line["line"], line["first"]) for line in channel["lines"]] == [("A", 4250), ("B", 750)]


def test_a_group_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = replay(capsys, recording("cme/Cme.Mdp3.Sbe.v6.1.pcap"), "--group", "224.0.31.64")
    assert (code, report["packets"], report["messages"]) == (0, 5_000, 10_273)
    assert [line["first"] for line in report["channels"][0]["lines"]] == [5_000]


def test_the_real_deribit_capture_has_29_channels_and_84_books(capsys: pytest.CaptureFixture[str]) -> None:
    path = recording("deribit_multicast/sample_capture_v1_6.pcapng")
    code, report = replay(capsys, path)
    assert (code, report["packets"], len(report["channels"]), len(report["books"])) == (0, 5_066, 29, 84)
    assert report["by_type"] == {
        "1003": 4211, "1008": 468, "1005": 60, "1006": 60, "1000": 194, "1010": 194, "1004": 197, "1001": 1064,
        "1002": 332,
    }  # fmt: skip
    assert {book["state"] for book in report["books"]} == {"LIVE"}
    first: dict[str, tuple[int, int]] = {}
    for one in datagrams(path):
        number = unpack_from("<I", one.payload, 4)[0]
        name = f"{one.group}:{one.port}"
        first[name] = (first.get(name, (number, 0))[0], number + 1)
    found = {one["channel"]: (one["first_sequence"], one["next_sequence"]) for one in report["channels"]}
    assert found == first


def test_the_real_itch_file_reports_its_torn_tail(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = replay(capsys, recording("itch/sephorah_sample_1mb.itch"))
    assert (code, len(report["errors"]), report["channels"]) == (3, 1, [])
    assert report["by_type"] == {"S": 1, "R": 8915, "H": 8903, "Y": 8903, "L": 8814}
    assert len(report["books"]) == 8915


def test_a_file_whose_lengths_are_zero_is_read_by_its_types(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = replay(capsys, recording("itch/RITCH_ex20101224.TEST_ITCH_50.gz"))
    assert code == 3  # it is artificial: its books cross, each is told once
    assert {error["found"].split(": ")[1].split(",")[0] for error in report["errors"]} == {"CROSSED"}
    assert report["by_type"] == {
        "S": 6, "R": 3, "H": 3, "A": 4997, "F": 3, "E": 198, "X": 45, "D": 1745, "U": 12, "P": 5000,
    }  # fmt: skip
    assert report["messages"] == 12_012


@pytest.mark.slow
def test_the_real_day_of_iex_restarts_eleven_times_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = replay(capsys, recording("iex/go-iex_DEEP10.pcap.gz"))
    assert (code, len(report["errors"]), report["packets"]) == (3, 1, 121_314)  # its last record is torn
    assert report["by_type"] == {
        "S": 44, "H": 93638, "O": 93638, "P": 93636, "5": 14627, "8": 12941, "T": 83343, "E": 59, "B": 73,
    }  # fmt: skip
    (channel,) = report["channels"]
    assert (channel["gaps"], channel["duplicates"]) == ([], 0)


# --- what is asked for


def test_instruments_are_chosen_by_name_and_glob(capsys: pytest.CaptureFixture[str]) -> None:
    _, report = replay(capsys, PCAPS / "itch-ab.pcap", "--instrument", "AA[AB]", "--instrument", "AAF")
    assert [book["instrument"] for book in report["books"]] == ["AAA", "AAB", "AAF"]


def test_up_to_a_time_the_books_are_as_they_were_then(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(10)])
    for until in ("2023-11-14T22:13:20.003Z", "22:13:20.003", "1700000000003000000"):
        code, report = replay(capsys, path, "--to", until)
        assert (code, report["messages"], report["books"][0]["bid"]["price"]) == (0, 4, "1.0004")


@pytest.mark.parametrize("zero", [False, True])
def test_up_to_a_time_the_books_of_a_file_are_as_they_were_then(
    zero: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = [add(number, 10_000 + number) for number in range(1, 11)]  # message n comes n us after midnight
    data = binaryfile.encode(messages)
    if zero:
        data = b"".join(b"\0\0" + message for message in messages)
    path = tmp_path / "day.itch"
    path.write_bytes(data)
    for until, count in (("0:00:00.000004", 4), ("4999", 4), ("0:00:01", 10)):
        code, report = replay(capsys, path, "--to", until)
        price = report["books"][0]["bid"]["price"]
        assert (code, report["messages"], price) == (0, count, f"1.{count:04}")
    path.write_bytes(data[:-1])  # what is torn behind the time is not looked at
    assert replay(capsys, path, "--to", "4000")[0] == 0


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress, bytes])
def test_compressed_files_and_standard_input_are_read_alike(
    pack: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = PCAPS / "itch-gap.pcapng"
    path = tmp_path / "packed"
    path.write_bytes(pack(plain.read_bytes()))
    _, wanted = replay(capsys, plain)
    _, found = replay(capsys, path)
    with path.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "netfeed.cli.main", "replay", "--json", "-"],
            stdin=file, env=environment(), capture_output=True, check=False,
        )  # fmt: skip
    piped = json.loads(done.stdout)
    for report in (found, piped):
        assert (report["by_type"], report["books"]) == (wanted["by_type"], wanted["books"])
        assert [gap["offset"] for gap in report["channels"][0]["gaps"]] == [
            gap["offset"] for gap in wanted["channels"][0]["gaps"]
        ]


def test_noise_is_passed_over_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(10)]
    noise = [Datagram(k * MS + 1, ("10.1.1.1", 53), b"a question") for k in range(3)]
    path = write(tmp_path / "a.pcap", sorted([*sent, *noise]))
    assert main(["replay", "--json", str(path)]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["packets"] == 10
    assert "10.1.1.1:53 (3 packets)" in captured.err
    path = write(tmp_path / "b.pcap", noise)
    assert main(["replay", "--json", str(path)]) == 1
    assert "--protocol" in capsys.readouterr().err


def test_a_capture_without_packets_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = replay(capsys, write(tmp_path / "a.pcap", []))
    assert (code, report["packets"], report["channels"], report["books"]) == (0, 0, [], [])


def test_several_files_of_which_one_is_nonsense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write(tmp_path / "a.pcap", [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(5)])
    two = write(tmp_path / "b.pcap", [Datagram(k * MS, A, orders(1 + k, 1)) for k in range(5, 10)])
    bad = tmp_path / "notes.txt"
    bad.write_text("this is no capture at all")
    code, report = replay(capsys, two, bad, one)
    assert (code, report["messages"]) == (3, 10)
    assert [error["file"] for error in report["errors"]] == [str(bad)]


def test_the_text_says_what_the_json_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(PCAPS / "itch-gap.pcapng"), "--depth", "2"]) == 3
    out = capsys.readouterr().out
    words = " ".join(out.split())
    assert "sequence 1607 to 1644, never closed" in words
    assert "sequence 961 to 1049, closed by retransmit" in words
    assert "380 │ 211.5200 │ 211.5300 │ 3471" in words
    assert "\x1b" not in out


def test_the_table_says_how_far_a_line_is_behind_the_other_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = []
    for k in range(10):  # B leads by 3 us, but twice A does, by 5 us
        first, second, by = (A, B, 5_000) if k in (4, 7) else (B, A, 3_000)
        sent += [Datagram(k * MS, first, orders(1 + k, 1)), Datagram(k * MS + by, second, orders(1 + k, 1))]
    for verb in ("replay", "verify"):
        assert main([verb, str(write(tmp_path / "a.pcap", sent))]) == 0
        rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert any("A │ 10 │ 2 │ 8 │ 3 us, to 3 us" in row for row in rows)
        assert any("B │ 10 │ 8 │ 2 │ 5 us, to 5 us" in row for row in rows)


# --- changes


def test_changes_end_where_the_books_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last BBO of each side is the book of the report; the three kinds of files hold the same changes."""
    path = PCAPS / "starbase.pcap"
    lines_file, numpy_file, parquet_file = (tmp_path / f"e.{kind}" for kind in ("jsonl.gz", "npy", "parquet"))
    _, report = replay(capsys, path, "--events", lines_file)
    replay(capsys, path, "--events", numpy_file)
    replay(capsys, path, "--events", parquet_file)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["e.jsonl.gz", "e.npy", "e.npy.json", "e.parquet"]
    rows = [json.loads(line) for line in gzip.decompress(lines_file.read_bytes()).splitlines()]
    last = {(row["instrument"], row["side"]): row for row in rows if row["kind"] == "BBO"}
    for book in report["books"]:
        for side in ("bid", "ask"):
            row = last.get((book["instrument"], side.upper()))
            level = (
                None
                if row is None or row["price"] is None
                else {key: row[key] for key in ("price", "quantity", "orders")}
            )
            assert level == book[side]
    states = {row["instrument"]: row["state"] for row in rows if row["kind"] == "STATE"}
    assert {book["instrument"]: book["state"] for book in report["books"]}.items() >= states.items()
    gaps = [(row["sequence"], row["reference"]) for row in rows if row["kind"] == "GAP"]
    assert gaps == [(1376, 1404)]

    array = np.load(numpy_file)
    meaning = json.loads(Path(f"{numpy_file}.json").read_text())
    assert array.dtype == CHANGE
    assert len(array) == len(rows)
    for row, change in zip(rows, array, strict=True):
        assert row["kind"] == Kind(change["kind"]).name
        assert row["channel"] == meaning["channels"][change["channel"]]
        if change["book"] != NO_BOOK:
            book = meaning["books"][change["book"]]
            assert row["instrument"] == book["instrument"]
            if row["price"] is not None:
                assert row["price"] == decimal_text(int(change["price"]), book["price_exponent"])

    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(parquet_file).to_pylist()
    assert len(table) == len(rows)
    for row, told in zip(rows, table, strict=True):
        for key in (
            "kind",
            "ts_recv_ns",
            "ts_event_ns",
            "channel",
            "sequence",
            "instrument",
            "side",
            "orders",
            "state",
            "reference",
        ):
            assert row[key] == told[key], key
        price = None if told["price"] is None else decimal_text(told["price"], told["price_exponent"])
        assert price == row["price"]


def test_changes_are_limited_to_what_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "e.jsonl"
    replay(capsys, PCAPS / "itch-ab.pcap", "--events", file)
    every = [json.loads(line) for line in file.read_text().splitlines()]
    middle = every[len(every) // 2]["ts_recv_ns"]
    replay(capsys, PCAPS / "itch-ab.pcap", "--events", file, "--instrument", "AAC", "--from", middle)
    some = [json.loads(line) for line in file.read_text().splitlines()]
    assert some == [row for row in every if row["instrument"] in ("AAC", None) and row["ts_recv_ns"] >= middle]
    assert some


def test_changes_on_standard_output_stand_alone_there(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netfeed.cli.main", "replay", str(PCAPS / "itch-gap.pcapng"), "--events", "-"],
        env=environment(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["kind"] for row in rows} == {"BBO", "TRADE", "STATE", "GAP", "REFUSED"}
    assert b"2,962 messages" in done.stderr


def test_a_file_of_changes_that_cannot_be_written_is_said_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("e.jsonl", "e.npy", "e.parquet"):
        assert main(["replay", str(PCAPS / "itch-gap.pcapng"), "--events", str(tmp_path / "absent" / name)]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "cannot be written" in captured.err


def test_a_missing_package_names_its_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["replay", str(PCAPS / "itch-gap.pcapng"), "--events", str(tmp_path / "e.parquet")]) == 2
    assert "netfeed[parquet]" in capsys.readouterr().err


# --- watching


def test_watching_without_a_terminal_prints_lines_and_then_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--watch", str(PCAPS / "itch-ab.pcap")]) == 0
    out = capsys.readouterr().out
    watched, report = out.split("3,153 packets")
    lines = watched.splitlines()
    assert 10 < len(lines) <= 202
    assert all(" @ " in line or line.startswith("(") for line in lines)
    assert "Books" in report


def test_watching_on_a_terminal_draws_the_books(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("netfeed.app.watch.FRAME_S", 0.0)
    assert main(["replay", "--watch", "--topspeed", str(PCAPS / "itch-ab.pcap")]) == 0
    out = capsys.readouterr().out
    assert "2,048 packets" in out.split("Channels")[0]
    assert "LIVE 12" in out
    assert "206.3700" in out


def test_a_pace_waits_for_the_time_of_the_capture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("netfeed.app.pace.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("netfeed.app.pace.time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    path = write(tmp_path / "a.pcap", [Datagram(k * 1000 * MS, A, orders(1 + k, 1)) for k in range(61)])
    assert main(["replay", str(path), "--speed", "10"]) == 0
    assert clock[0] - 100 <= 6.0
    assert clock[0] - 100 >= 6.0 - 1.6  # a batch comes at once


def test_a_hostile_name_cannot_steer_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.pcap", [Datagram(0, A, mold(1, add(1, 10_000, stock="\x1b[2Jx")))])
    assert main(["replay", "--watch", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_two_lines_of_one_session_are_one_channel_and_two_sessions_are_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ("233.252.0.9", 26400)
    sent = [
        datagram
        for k in range(20)
        for datagram in (
            Datagram(k * MS, B, orders(1 + 2 * k, 2)),
            Datagram(k * MS + 10, A, orders(1 + 2 * k, 2)),
            Datagram(k * MS + 20, other, mold(1 + k, add(1 + k, 500, stock="ZZZ", locate=9), session=b"T000000001")),
        )
    ]
    code, report = replay(capsys, write(tmp_path / "a.pcap", sent))
    assert code == 0
    found = {one["channel"]: [(line["line"], line["first"]) for line in one["lines"]] for one in report["channels"]}
    assert found == {"233.252.0.1:26400": [("A", 0), ("B", 20)], "233.252.0.9:26400": [("A", 20)]}
    assert [book["instrument"] for book in report["books"]] == ["AAA", "ZZZ"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--instrument", "NOPE"], "no book matches --instrument NOPE (12 books were seen)"),
        (["--group", "233.252.0.77:1"], "no packet that was recognised went to --group 233.252.0.77:1"),
        (["--to", "10:00"], "nothing lies between --from and --to"),
    ],
)
def test_a_filter_that_nothing_matches_is_said(
    capsys: pytest.CaptureFixture[str], option: list[str], said: str
) -> None:
    main(["replay", str(PCAPS / "itch-ab.pcap"), "--json", *option])
    assert said in capsys.readouterr().err


def test_the_headline_counts_the_changes_that_were_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, file = str(PCAPS / "itch-ab.pcap"), tmp_path / "e.jsonl"

    def headline(*options: str) -> str:
        main(["replay", path, *options])
        return capsys.readouterr().out.splitlines()[0]

    assert " messages, 7,438 changes " in headline()
    for options in (["--instrument", "AAC"], ["--from", "14:30:05", "--instrument", "AAB"]):
        said = headline(*options)
        headline(*options, "--events", str(file))
        count = len(file.read_text().splitlines())
        assert 0 < count < 7438
        assert f" messages, {count:,} of 7,438 changes " in said


def test_a_file_that_is_not_there_is_no_recording_to_serve(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "nothere.jsonl", "--serve", "ws://127.0.0.1:0"]) == 2
    assert "nothere.jsonl: there is no such file" in capsys.readouterr().err


def test_an_empty_part_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = tmp_path / "day.jsonl.77.part"
    part.touch()
    main(["replay", str(part)])
    said = capsys.readouterr()
    assert "whoever wrote it was ended before anything of it was on disk" in said.out + said.err
