"""Names of files that follow each other: told apart, in order, and only so many."""

from pathlib import Path

import pytest

from netfeed.app.rotation import Rotation, numbered


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("day.pcap", "day-00003.pcap"),
        ("a.b/day", "a.b/day-00003"),
        ("day.pcapng.zst", "day-00003.pcapng.zst"),
        ("day.gz", "day-00003.gz"),
        (".hidden", ".hidden-00003"),
    ],
)
def test_a_number_stands_before_what_says_the_kind(name: str, wanted: str) -> None:
    assert numbered(name, 3) == wanted


def test_a_file_that_nothing_follows_has_its_own_name() -> None:
    assert Rotation("day.pcap").next() == "day.pcap"
    rotation = Rotation("day.pcap", size=10)
    assert [rotation.next(), rotation.next()] == ["day-00000.pcap", "day-00001.pcap"]


def test_the_time_tells_files_apart_and_a_number_those_of_one_time() -> None:
    rotation = Rotation("x-%S.pcap", size=10, every_ns=10**9)
    names = [rotation.next(seconds) for seconds in (5, 5.5, 6, 65)]
    assert names == ["x-05.pcap", "x-05-00001.pcap", "x-06.pcap", "x-05.pcap"]


def test_the_oldest_files_go_and_one_that_somebody_took_away_is_no_error(tmp_path: Path) -> None:
    rotation = Rotation(str(tmp_path / "x.pcap"), size=10, files=2)
    names = [rotation.next() for _ in range(4)]
    for name in names[1:]:
        Path(name).write_bytes(b"")
    for name in names:
        rotation.completed(name)
    assert rotation.files == names[2:]
    assert sorted(map(str, tmp_path.iterdir())) == names[2:]


def test_a_name_that_comes_round_again_is_one_file() -> None:
    rotation = Rotation("x.pcap", files=3)
    rotation.completed("x-1.pcap")
    rotation.completed("x-2.pcap")
    rotation.completed("x-1.pcap")
    assert rotation.files == ["x-2.pcap", "x-1.pcap"]


def test_full_is_what_is_as_long_as_was_said() -> None:
    assert [Rotation("x", size=10).is_full(size) for size in (9, 10, 11)] == [False, True, True]
    assert not Rotation("x").is_full(10**12)
