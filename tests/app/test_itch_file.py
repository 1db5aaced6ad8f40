"""Files of ITCH messages: how far each step goes, and where what is wrong stands."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.findings import Findings
from netfeed.app.itch_file import ItchFile
from netfeed.app.recognise import FileKind
from netfeed.app.replay import Options, Replay
from netfeed.transport.file import open_source
from netfeed.venues.itch import ItchFeed
from netfeed.wire import itch
from tests.cli.captures import add


def record(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


class Counted:
    """A buffer that counts how often it is looked at."""

    def __init__(self, data: bytes) -> None:
        self.data, self.looks = data, 0

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, at: Any) -> Any:
        self.looks += 1
        return self.data[at]


class Held:
    """A source of one buffer."""

    def __init__(self, buffer: Any) -> None:
        self.buffer, self.base = buffer, 100


def test_places_that_are_asked_for_in_rising_order_are_walked_to_once() -> None:
    buffer = Counted(record(b"A") * 5_000)
    source: Any = Held(buffer)
    file = ItchFile("f", FileKind.ITCH, source, ItchFeed(), Findings())
    assert [file.locate(number).offset for number in range(1, 5_001)] == [100 + 3 * k for k in range(5_000)]
    assert buffer.looks <= 4 * 5_000
    assert file.locate(2).offset == 103


def test_a_fault_of_a_compressed_file_has_its_place_also_where_its_bytes_have_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netfeed.transport.file.CHUNK_BYTES", 1000)
    event = {"stock_locate": 0, "tracking_number": 0, "event_code": "O"}
    good = [record(itch.encode("S", timestamp=number**3, **event)) for number in range(40_000)]
    parts = [*good[:20_000], record(b"A"), *good[20_000:]]
    path = tmp_path / "day.itch.gz"
    path.write_bytes(gzip.compress(b"".join(parts)))
    with open_source(path) as source:
        assert len(source.buffer) < len(b"".join(parts))  # or there is nothing to test
    replay = Replay(Options(files=[str(path)]))
    replay.run()
    assert [finding.offset for finding in replay.findings.entries] == [sum(map(len, good[:20_000]))]


def test_types_that_are_unknown_are_reported_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "day.itch"
    path.write_bytes(b"".join(map(record, (add(1, 10_000), b"z".ljust(12), b"y".ljust(12), b"z".ljust(12)))))
    replay = Replay(Options(files=[str(path)]))
    replay.run()
    found = [finding.found.split(" on ")[0] for finding in replay.findings.entries]
    assert found == ["1 messages of type 'y'", "2 messages of type 'z'"]
