"""Recordings of venues become the books that were, whatever happened on the way; what is broken in them is found."""

import json
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.recording_replay import RecordingReplay, is_recording, report
from netfeed.cli.main import main
from netfeed.wire import recording
from tests.sim.jsonrpc_driver import S
from tests.sim.recordings import CHANNELS, NAMES, Recorded, usual


def replayed(*files: str, **options: Any) -> RecordingReplay:
    replay = RecordingReplay(list(files), **options)
    replay.run()
    return replay


def agrees(replay: RecordingReplay, recorded: Recorded) -> bool:
    """Say whether every book is LIVE, and has the digest of the truth at its own sequence."""
    told = report(replay)
    for number, book in enumerate(told["books"]):
        truth = recorded.truths[book["sequence"]]
        scales = [10 ** (exponent + 9) for exponent in replay.catalogue.books[number].exponents]
        view = replay.catalogue.books[number].view
        assert book["state"] == "LIVE", book
        assert truth.instrument == book["instrument"]
        assert view.bid.price * scales[0] == truth.bid[0]  # type: ignore[index]
        assert view.ask.quantity * scales[1] == truth.ask[1] * 10 ** (truth.exponents[1] + 9)  # type: ignore[index]
    return len(told["books"]) == len(NAMES)


def test_a_recording_makes_the_books_that_were(tmp_path: Path) -> None:
    recorded = usual()
    file = recorded.write(tmp_path / "day.jsonl")
    assert is_recording(file)
    replay = replayed(file)
    assert agrees(replay, recorded)
    told = report(replay, depth=3)
    assert told["errors"] == []
    assert told["messages"] == sum(b'"<"' in line[:60] for line in recorded.lines)
    assert told["elapsed_ns"] == 3 * S
    assert len(told["books"][0]["bids"]) == 3


def test_a_connection_that_came_after_another_goes_on_with_its_snapshots(tmp_path: Path) -> None:
    recorded = usual(2 * S).end().go(S).open().listen().go(2 * S)
    assert agrees(replayed(recorded.write(tmp_path / "day.jsonl")), recorded)


def test_books_are_in_doubt_while_nobody_carries_them(tmp_path: Path) -> None:
    recorded = usual(2 * S).end().go(S).open().ask("public/test")
    told = report(replayed(recorded.write(tmp_path / "day.jsonl")))
    assert {book["state"] for book in told["books"]} == {"SUSPECT"}


def test_the_end_of_a_recording_leaves_the_books_as_they_were(tmp_path: Path) -> None:
    recorded = usual(2 * S)
    recorded.note(recording.OUT, json.dumps({"method": "public/unsubscribe", "params": {"channels": CHANNELS}}))
    assert agrees(replayed(recorded.end().write(tmp_path / "day.jsonl")), recorded)


def test_a_topic_that_was_had_anew_is_right_again_and_no_other_is_touched(tmp_path: Path) -> None:
    recorded = usual(S)
    recorded.run.venue.once("skip", [1000], recorded.run.now)
    recorded.go(S)
    told = report(replayed(recorded.write(tmp_path / "one.jsonl")))
    assert [book["state"] for book in told["books"]].count("LIVE") >= len(NAMES) - 1
    for name in NAMES:
        recorded.ask("public/unsubscribe", channels=[f"book.{name}.100ms"])
        recorded.listen([f"book.{name}.100ms"])
    assert agrees(replayed(recorded.go(S).write(tmp_path / "two.jsonl")), recorded)


def test_a_recording_in_several_files_is_one(tmp_path: Path) -> None:
    recorded = usual(3 * S)
    half = len(recorded.lines) // 2
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    first.write_bytes(b"".join(recorded.lines[:half]))
    again = [recorded.lines[0], recording.encode(1, 0, 1, recording.OPENED, "ws://venue")]
    second.write_bytes(b"".join([*again, *recorded.lines[half:]]))
    assert agrees(replayed(str(first), str(second)), recorded)


def test_what_is_broken_is_found_and_the_rest_is_read(tmp_path: Path) -> None:
    recorded = usual(S)
    at = sum(map(len, recorded.lines[:7]))
    recorded.lines[7:7] = [b"not a line\n", recording.encode(5, 9, 0, "<", "x"), recording.encode(5, 0, 1, "!", "3")]
    recorded.lines.append(b'[1,0,0,"<","torn')
    told = report(replayed(recorded.write(tmp_path / "day.jsonl")))
    assert next(error["offset"] for error in told["errors"]) == at
    assert len(told["errors"]) == 4
    assert told["lost"] == 3


def test_the_same_books_from_compressed_files_and_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import gzip

    recorded = usual(2 * S)
    file = tmp_path / "day.jsonl.gz"
    file.write_bytes(gzip.compress(b"".join(recorded.lines)))
    events = tmp_path / "events.jsonl"
    assert main(["replay", str(file), "--json", "--events", str(events), "--instrument", "BTC-27*"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [book["instrument"] for book in told["books"]] == [name for name in NAMES if name.startswith("BTC-27")]
    changes = [json.loads(line) for line in events.read_text().splitlines()]
    assert {one["channel"] for one in changes} == {"sim"}
    assert {one["kind"] for one in changes} >= {"BBO", "STATE"}
    assert main(["replay", str(file)]) == 0
    assert "BTC-PERPETUAL" in capsys.readouterr().out


def test_captures_and_recordings_do_not_mix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = usual(S).write(tmp_path / "day.jsonl")
    other = tmp_path / "other.bin"
    other.write_bytes(b"something else")
    assert main(["replay", file, str(other)]) == 2
    assert main(["replay", str(other), "--serve", "ws://127.0.0.1:0"]) == 2
    assert main(["replay", file, "--serve", "wss://127.0.0.1:0"]) == 2
    assert "--serve" in capsys.readouterr().err


@pytest.mark.parametrize("options", [
    ["--from", "14:00"], ["--to", "14:00"], ["--group", "233.252.0.1:1"], ["--protocol", "itch50"], ["--watch"],
    ["--channel", "a=233.252.0.1:1"], ["--serve", "ws://127.0.0.1:0", "--instrument", "X"],
    ["--serve", "ws://127.0.0.1:0", "--depth", "3"], ["--serve", "ws://127.0.0.1:0", "--events", "x.jsonl"],
])  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", usual(S).write(tmp_path / "day.jsonl"), *options]) == 2
    assert options[-1 if len(options) == 1 else -2] in capsys.readouterr().err


def test_a_line_that_is_too_deep_is_an_error_of_the_recording(tmp_path: Path) -> None:
    recorded = usual(S)
    recorded.lines.append(b"[" * 200_000 + b"\n")
    assert len(report(replayed(recorded.write(tmp_path / "day.jsonl")))["errors"]) == 1


def test_an_odd_instrument_of_the_list_costs_no_other_its_book(tmp_path: Path) -> None:
    recorded = usual(S)
    place = next(n for n, line in enumerate(recorded.lines) if b"tick_size_steps" in line)
    record = recording.decode(recorded.lines[place])
    told = json.loads(record.text)
    told["result"].insert(1, told["result"][0] | {"instrument_name": "ODD", "kind": "dated_spread"})
    recorded.lines[place] = recording.encode(record.ts_ns, 0, record.connection, record.kind, json.dumps(told))
    replay = replayed(recorded.write(tmp_path / "day.jsonl"))
    assert agrees(replay, recorded)
    (venue,) = report(replay)["venues"]
    assert venue["passed_over"] == [{"reason": "kind dated_spread", "times": 1, "first": "ODD"}]
    for one in told["result"]:
        one["kind"] = "dated_spread"
    recorded.lines[place] = recording.encode(record.ts_ns, 0, record.connection, record.kind, json.dumps(told))
    report_of_none = report(replayed(recorded.write(tmp_path / "none.jsonl")))
    assert report_of_none["books"] == []
    assert any("that cannot be read: kind dated_spread" in one["found"] for one in report_of_none["errors"])
