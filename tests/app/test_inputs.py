"""Captures in order of time, whatever they are packed in and however they are damaged."""

from pathlib import Path

import pytest

from netfeed.app.findings import Findings
from netfeed.app.inputs import Inputs
from netfeed.transport.file import MissingError
from netfeed.wire import pcap
from tests.cli.captures import BEGIN_NS, A, Datagram, orders, write

SIZE = 16 + 42 + 20 + 38
"""What one packet of one order takes in a file."""


def times(names: list[Path], batch: int = 2048) -> tuple[list[tuple[str, int]], Findings]:
    """Read files and give (file, time after BEGIN_NS) of each packet."""
    findings = Findings()
    with Inputs([str(name) for name in names], findings, batch) as inputs:
        found = [
            (Path(capture.name).name, int(ts) - BEGIN_NS)
            for capture, packets in inputs.captures()
            for ts in packets["ts_ns"]
        ]
    return found, findings


def capture(path: Path, at: list[int]) -> Path:
    return write(path, [Datagram(one, A, orders(1 + number, 1)) for number, one in enumerate(at)])


@pytest.mark.parametrize("batch", [1, 3, 2048])
def test_captures_of_one_time_are_merged(batch: int, tmp_path: Path) -> None:
    one, two = capture(tmp_path / "a", [0, 20, 40, 60]), capture(tmp_path / "b", [10, 30, 31, 70])
    found, findings = times([two, one], batch)
    assert [ts for _, ts in found] == [0, 10, 20, 30, 31, 40, 60, 70]
    assert findings.count == 0


def test_rotated_captures_come_in_their_order_whatever_their_names(tmp_path: Path) -> None:
    parts = [capture(tmp_path / name, [start, start + 5]) for name, start in (("c", 0), ("a", 10), ("b", 20))]
    found, _ = times([parts[1], parts[2], parts[0]])
    assert found == [("c", 0), ("c", 5), ("a", 10), ("a", 15), ("b", 20), ("b", 25)]


def test_captures_of_the_same_time_come_in_the_order_of_the_command_line(tmp_path: Path) -> None:
    one, two = capture(tmp_path / "a", [0, 0]), capture(tmp_path / "b", [0, 0])
    assert [name for name, _ in times([two, one])[0]] == ["b", "b", "a", "a"]


def test_times_that_fall_within_a_capture_do_not_stop_it(tmp_path: Path) -> None:
    one, two = capture(tmp_path / "a", [0, 50, 20, 60]), capture(tmp_path / "b", [30, 40])
    found, _ = times([one, two])
    assert sorted(found) == [("a", 0), ("a", 20), ("a", 50), ("a", 60), ("b", 30), ("b", 40)]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    one = capture(tmp_path / "a", [0, 1])
    assert len(times([one, one])[0]) == 2


def test_an_empty_capture_among_others_does_not_matter(tmp_path: Path) -> None:
    one, two = capture(tmp_path / "a", []), capture(tmp_path / "b", [1, 2])
    assert times([one, two])[0] == [("b", 1), ("b", 2)]


def test_a_missing_file_is_told_before_any_is_read(tmp_path: Path) -> None:
    one = capture(tmp_path / "a", [0])
    with pytest.raises(MissingError), Inputs([str(one), str(tmp_path / "b")], Findings()):
        raise AssertionError("it was entered")


def test_a_torn_tail_is_a_finding_with_its_offset(tmp_path: Path) -> None:
    one = capture(tmp_path / "a", [0, 1, 2])
    one.write_bytes(one.read_bytes()[:-5])
    found, findings = times([one])
    assert [ts for _, ts in found] == [0, 1]
    assert [entry.offset for entry in findings.entries] == [24 + 2 * SIZE]
    assert findings.torn == findings.entries[0]


def test_reading_goes_on_behind_a_record_that_is_none(tmp_path: Path) -> None:
    one = capture(tmp_path / "a", list(range(10)))
    data = bytearray(one.read_bytes())
    data[24 + 3 * SIZE + 8 : 24 + 3 * SIZE + 16] = b"\xff" * 8
    one.write_bytes(data)
    found, findings = times([one])
    assert [ts for _, ts in found] == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert [entry.offset for entry in findings.entries] == [24 + 3 * SIZE]
    assert findings.torn is None


def test_a_header_alone_and_a_torn_header(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(pcap.file_header())
    assert times([path])[1].count == 0
    path.write_bytes(pcap.file_header()[:10])
    found, findings = times([path])
    assert (found, findings.count) == ([], 1)
