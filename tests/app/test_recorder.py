"""What venues and we say to each other, recorded: in order, without secrets, in files that rotate, within bounds."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.configuration import Recording, Venue
from netfeed.app.recorder import Recorder, masked
from netfeed.errors import NetfeedError
from netfeed.feed.talk import Ended, Heard, Lively, Opened, Word

SKEW = 10**18
VENUES = [Venue(name="a", venue="deribit", instruments=["*"]), Venue(name="b", venue="deribit", instruments=["X"])]


class Scripted:
    """A talk that tells what it is given."""

    deadline = 7

    def __init__(self) -> None:
        self.said: list[Any] = []

    def say(self, message: bytes, now: int) -> None:
        self.said.append(message)

    def ping(self, now: int) -> None:
        self.said.append("ping")

    def leave(self, reason: str, now: int) -> None:
        self.said.append(reason)

    def receive(self, data: Any, now: int, port: int = 0) -> Sequence[Word]:
        return data  # type: ignore[no-any-return]

    def wake(self, now: int) -> Sequence[Word]:
        return [Lively()]

    def end(self, now: int) -> Sequence[Word]:
        return [Ended("network", 1006, "")]

    def transmit(self, port: int = 0) -> list[bytes]:
        return [b"out"]


def recorder(path: Path, **config: Any) -> Recorder:
    return Recorder(Recording(**config), str(path), VENUES, skew_ns=lambda: SKEW)


def lines(path: str | Path) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_both_ways_are_recorded_with_integer_stamps(tmp_path: Path) -> None:
    one = recorder(tmp_path / "day.jsonl")
    inner = Scripted()
    talk = one.talk(inner, "b", "wss://venue/ws?key=secret")  # type: ignore[arg-type]
    words = [Opened(), Heard([b"one", b"\xff"]), Lively()]
    assert list(talk.receive(words, 5)) == words  # type: ignore[arg-type]
    talk.say(b'{"id":1}', 6)
    talk.ping(7)
    assert talk.end(8) == [Ended("network", 1006, "")]
    talk.leave("after the end", 9)
    assert (talk.deadline, talk.transmit(), talk.wake(9)) == (7, [b"out"], [Lively()])
    assert inner.said == [b'{"id":1}', "ping", "after the end"]
    assert one.close()
    header, *told = lines(tmp_path / "day.jsonl")
    assert [venue["name"] for venue in header["venues"]] == ["a", "b"]
    assert told == [
        [SKEW + 5, 1, 0, "+", "wss://venue/ws"], [SKEW + 5, 1, 0, "<", "one"], [SKEW + 5, 1, 0, "<b", "/w=="],
        [SKEW + 6, 1, 0, ">", '{"id":1}'], [SKEW + 8, 1, 0, "-", "closed with 1006"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (b'{"p":{"client_id":"me","client_secret":"hush"}}', b'{"p":{"client_id":"***","client_secret":"***"}}'),
        (b'{"result":{"access_token":"hush","expires_in":5}}', b'{"result":{"access_token":"***","expires_in":5}}'),
        (b'{"args":[{"apiKey":"hush","passphrase":["hush"],"sign":"hush"}]}',
         b'{"args":[{"apiKey":"***","passphrase":"***","sign":"***"}]}'),
        (b'"signature" hush', b"***"),
        (b'{"price": 5.50}', b'{"price": 5.50}'),
    ],
)  # fmt: skip
def test_secrets_are_not_written(message: bytes, kept: bytes) -> None:
    assert masked(message) == kept


def test_a_secret_is_in_no_file(tmp_path: Path) -> None:
    one = recorder(tmp_path / "day.jsonl")
    talk = one.talk(Scripted(), "a", "wss://venue/?token=hush")  # type: ignore[arg-type]
    talk.say(b'{"method":"public/auth","params":{"client_secret":"hush"}}', 1)
    list(talk.receive([Opened(), Heard([b'{"result":{"refresh_token":"hush"}}'])], 2))  # type: ignore[arg-type]
    one.close()
    assert "hush" not in (tmp_path / "day.jsonl").read_text()


def test_files_rotate_and_each_begins_with_what_it_needs(tmp_path: Path) -> None:
    one = recorder(tmp_path / "day.jsonl", rotate_size=600, files=2)
    one.listed("a", [b'{"id":1,"result":[]}'], True)
    talk = one.talk(Scripted(), "a", "wss://venue")  # type: ignore[arg-type]
    list(talk.receive([Opened()], 1))  # type: ignore[arg-type]
    for number in range(40):
        list(talk.receive([Heard([b"message %d" % number])], number))  # type: ignore[arg-type]
    one.close()
    assert len(one.files) == 2
    assert sorted(str(path) for path in tmp_path.iterdir()) == sorted(one.files)
    for file in one.files:
        header, listing, opened, *rest = lines(file)
        assert header["netfeed_recording"] == 1
        assert listing[3:] == ["=", '\n{"id":1,"result":[]}']
        assert opened[2:] == [0, "+", "wss://venue"]
        assert all(line[3] == "<" for line in rest)
    numbers = [int(line[4].split()[1]) for file in one.files for line in lines(file)[3:]]
    assert numbers == list(range(numbers[0], 40))


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    one = recorder(tmp_path / "day.jsonl")
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    one.close()
    assert [path.name for path in tmp_path.iterdir()] == ["day.jsonl"]


def test_what_a_slow_disk_costs_is_a_line_of_its_own(tmp_path: Path) -> None:
    one = recorder(tmp_path / "day.jsonl", queue=2_000)
    talk = one.talk(Scripted(), "a", "wss://venue")  # type: ignore[arg-type]
    gate, write = threading.Event(), one.queue._write

    def slow(batch: Any, lost: int) -> None:
        assert gate.wait(20)
        write(batch, lost)

    one.queue._write = slow
    for number in range(100):
        list(talk.receive([Heard([b"a" * 200])], number))  # type: ignore[arg-type]
    gate.set()
    deadline = time.monotonic() + 60
    while one.queue.account()["depth"] and time.monotonic() < deadline:
        time.sleep(0.001)
    list(talk.receive([Heard([b"late"])], 1000))  # type: ignore[arg-type]
    assert one.close()
    told = lines(tmp_path / "day.jsonl")[1:]
    assert [line[3] for line in told[-2:]] == ["!", "<"]
    assert int(told[-2][4]) == one.queue.overflow > 0
    assert len(told) < 12


def test_a_policy_of_halt_ends_the_run(tmp_path: Path) -> None:
    one = recorder(tmp_path / "day.jsonl", queue=100, policy="halt")
    talk = one.talk(Scripted(), "a", "wss://venue")  # type: ignore[arg-type]
    with pytest.raises(NetfeedError, match="halt"):
        for number in range(10_000):
            list(talk.receive([Heard([bytes(5_000)])], number))  # type: ignore[arg-type]


def test_a_file_that_nobody_ended_has_what_was_said_before_the_last_second(tmp_path: Path) -> None:
    one = recorder(tmp_path / "day.jsonl")
    (part,) = tmp_path.iterdir()
    assert lines(part)[0]["netfeed_recording"] == 1
    one._flush_at = 0.0  # the second is over
    one.put((5, 0, 0, "<", b"{}"))
    assert one.queue.close()
    assert lines(part)[1] == [5, 0, 0, "<", "{}"]
    one.close()


def test_a_secret_is_found_under_a_name_with_escapes_and_other_text_stays_as_it_was() -> None:
    assert b"hidden" not in masked(b'{"client_\\u0073ecret":"hidden"}')
    for message in (b'{"a": "\\u00fc"}', b"no json \\u0073"):
        assert masked(message) == message


def test_what_is_lost_at_the_very_end_is_told_too(tmp_path: Path) -> None:
    one = recorder(tmp_path / "day.jsonl", queue=2_000)
    talk = one.talk(Scripted(), "b", "wss://venue")  # type: ignore[arg-type]
    gate, write = threading.Event(), one.queue._write

    def slow(batch: Any, lost: int) -> None:
        assert gate.wait(20)
        write(batch, lost)

    one.queue._write = slow
    for number in range(100):
        list(talk.receive([Heard([b"a" * 200])], number))  # type: ignore[arg-type]
    gate.set()
    assert one.close()
    told = lines(tmp_path / "day.jsonl")[1:]
    assert told[-1] == [SKEW + 99, 1, 0, "!", str(one.queue.overflow)]
    assert one.queue.overflow > 0
    assert [line[3] for line in told].count("!") == 1
