"""A capture: what a source brings is in the files, each file is whole, and what is not there is said."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.app.capture.account import exit_code, lost, summary_text
from netfeed.app.capture.capture import Capture, Limits
from netfeed.app.capture.files import Plan
from netfeed.app.capture.format import format_of, head, whole
from netfeed.errors import ConfigurationError
from netfeed.transport import sink
from netfeed.transport.file import open_source
from netfeed.transport.network import IFF_UP
from netfeed.transport.raw.source import Form
from netfeed.wire import pcap, pcapng
from tests.app.capture_source import INTERFACES, SECOND, FrameQueue, frame

PERIOD = 100 * SECOND
"""So long that the moment at which a run begins does not matter: files end by stamps."""
NOW = time.time_ns() // SECOND * SECOND


def plan(path: Path, interfaces: int = 1, **more) -> Plan:
    return Plan(str(path), format_of(str(path)), INTERFACES[:interfaces], **more)


def captured(sources, files: Plan, **limits):
    limits.setdefault("count", sum(len(source._waiting) for source in sources))
    return Capture(sources, files, Limits(**limits), flags=lambda name: IFF_UP).run()


def frames(count: int, start_ns: int = NOW, step_ns: int = 1000):
    return [frame(start_ns + k * step_ns, f"frame {k}".encode()) for k in range(count)]


def read(path) -> list[pcap.Record]:
    with open_source(path) as source:
        while source.more(0):
            pass
        data = bytes(source.buffer)
    decode = pcapng.records if data[:4] == b"\n\r\r\n" else pcap.records
    return [(record.ts_ns, bytes(record.data)) for record in decode(data)]


def drops(path) -> list[int | None]:
    with open_source(path) as source:
        while source.more(0):
            pass
        decoder, at = pcapng.Decoder(), 0
        while at < len(source.buffer):
            _, at = decoder.step(source.buffer, at)
    return [interface.drops for interface in decoder.interfaces]


@pytest.mark.parametrize("ending", ["pcap", "pcapng", "pcap.gz", "pcapng.gz", "pcap.zst", "pcapng.zst"])
def test_what_came_is_in_the_file_byte_for_byte_and_to_the_nanosecond(tmp_path: Path, ending: str) -> None:
    wanted = frames(1000, NOW + 7)
    path = tmp_path / f"x.{ending}"
    summary = captured([FrameQueue(frames=wanted)], plan(path))
    assert read(path) == [(one.ts_ns, one.data) for one in wanted]
    assert (summary["captured"], summary["received"], summary["ended"]) == (1000, 1000, "count")
    assert summary["files"] == [str(path)]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert exit_code(summary, 0) == 0


def test_a_count_is_exact(tmp_path: Path) -> None:
    source = FrameQueue(frames=frames(10))
    assert captured([source], plan(tmp_path / "x.pcap"), count=7)["captured"] == 7
    assert len(source.take()) == 3


def test_several_interfaces_have_their_numbers_in_one_file(tmp_path: Path) -> None:
    sources = [FrameQueue("eth0", frames(3)), FrameQueue("eth1", frames(2))]
    sources[1].drops = 5
    summary = captured(sources, plan(tmp_path / "x.pcapng", 2))
    assert len(read(tmp_path / "x.pcapng")) == 5
    assert drops(tmp_path / "x.pcapng") == [0, 5]
    assert [one["frames"] for one in summary["interfaces"]] == [3, 2]
    assert lost(summary) == 5
    assert exit_code(summary, 0) == 3
    assert any("5 frames dropped by kernel" in line for line in summary_text(summary))


def test_a_pcap_file_with_holes_has_a_file_beside_it_that_says_so(tmp_path: Path) -> None:
    source = FrameQueue(frames=frames(2))
    source.drops = 3
    captured([source], plan(tmp_path / "x.pcap"))
    told = json.loads((tmp_path / "x.pcap.drops.json").read_text())
    assert told["interfaces"] == [{"interface": "eth0", "received": 5, "dropped": 3}]


def test_what_is_beside_a_pcap_file_speaks_of_that_file_and_of_none_before_it(tmp_path: Path) -> None:
    source = FrameQueue(frames=frames(2))
    source.drops = 3
    captured([source], plan(tmp_path / "x.pcap"))
    captured([FrameQueue(frames=frames(2))], plan(tmp_path / "x.pcap"))
    assert [one.name for one in tmp_path.iterdir()] == ["x.pcap"]


def test_what_is_beside_a_pcap_file_goes_with_it(tmp_path: Path) -> None:
    source = FrameQueue(frames=frames(500))
    source.drops = 3
    summary = captured([source], plan(tmp_path / "x.pcap", size=3000, keep=2))
    assert sorted(str(one) for one in tmp_path.iterdir()) == summary["files"]


@pytest.mark.parametrize("ending", ["pcap", "pcapng", "pcapng.zst"])
def test_files_end_between_two_frames_and_none_is_longer_than_was_asked(tmp_path: Path, ending: str) -> None:
    wanted = frames(500)
    summary = captured([FrameQueue(frames=wanted)], plan(tmp_path / f"x.{ending}", size=3000))
    names = sorted(tmp_path.iterdir())
    assert [str(name) for name in names] == summary["files"]
    assert names[0].name == f"x-00000.{ending}"
    assert len(names) > 5
    assert [row for name in names for row in read(name)] == [(one.ts_ns, one.data) for one in wanted]
    assert all(name.stat().st_size <= 3000 for name in names)


def test_a_frame_that_is_longer_than_a_file_may_be_has_one_of_its_own(tmp_path: Path) -> None:
    wanted = [frame(NOW + k, bytes(1000)) for k in range(3)]
    captured([FrameQueue(frames=wanted)], plan(tmp_path / "x.pcap", size=500))
    assert [len(read(name)) for name in sorted(tmp_path.iterdir())] == [1, 1, 1]


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    summary = captured([FrameQueue(frames=frames(500))], plan(tmp_path / "x.pcap", size=3000, keep=3))
    assert summary["files"] == [str(name) for name in sorted(tmp_path.iterdir())]
    assert len(summary["files"]) == 3 < summary["files_begun"]
    assert f"{summary['files_begun']} files written, 3 kept: " in summary_text(summary)[-1]


def test_files_end_by_the_stamps_of_frames_and_bear_the_time_at_which_they_begin(tmp_path: Path) -> None:
    soon = time.time_ns() + PERIOD // 8
    wanted = [frame(soon + k * PERIOD // 4) for k in range(20)]
    captured([FrameQueue(frames=wanted)], plan(tmp_path / "x-%H%M%S.pcapng", every_ns=PERIOD))
    found = [read(name) for name in sorted(tmp_path.iterdir(), key=lambda one: read(one)[0])]
    assert sum(map(len, found)) == 20
    assert len(found) in (5, 6)
    for rows in found:
        assert rows[-1][0] - rows[0][0] < PERIOD


def test_a_source_that_is_ahead_waits_for_the_others(tmp_path: Path) -> None:
    soon = time.time_ns()
    sources = [
        FrameQueue("eth0", [frame(soon), frame(soon + 3 * PERIOD // 2)]),
        FrameQueue("eth1", [frame(soon + k * PERIOD // 10) for k in range(8)] + [frame(soon + 8 * PERIOD // 5)]),
    ]
    captured(sources, plan(tmp_path / "x.pcapng", 2, every_ns=PERIOD))
    assert [len(read(name)) for name in sorted(tmp_path.iterdir())] == [9, 2]


def test_what_came_before_the_end_is_in_the_file_and_what_came_after_is_not(tmp_path: Path) -> None:
    start = time.time_ns()
    source = FrameQueue(frames=[frame(start), frame(start + SECOND // 100), frame(start + 60 * SECOND)])
    summary = captured([source], plan(tmp_path / "x.pcap"), count=None, duration_ns=SECOND // 2)
    assert len(read(tmp_path / "x.pcap")) == 2
    assert summary["ended"] == "duration"
    assert len(source.take()) == 1


def test_a_run_that_is_behind_takes_everything_that_came_before_its_end(tmp_path: Path) -> None:
    one = frame(NOW - PERIOD, bytes(60_000))
    source = FrameQueue(frames=[replace(one, ts_ns=NOW - PERIOD + k) for k in range(900)])
    limits = Limits(duration_ns=1, grace_ns=0)
    summary = Capture([source], plan(tmp_path / "x.pcap"), limits, flags=lambda name: IFF_UP).run()
    assert summary["captured"] == 900
    assert source.take() == []


def test_a_capture_of_nothing_is_a_file_nevertheless(tmp_path: Path) -> None:
    summary = captured([FrameQueue()], plan(tmp_path / "x.pcapng"), count=None, duration_ns=1)
    assert read(tmp_path / "x.pcapng") == []
    assert summary["files"] == [str(tmp_path / "x.pcapng")]
    assert drops(tmp_path / "x.pcapng") == [0]


def test_an_interface_that_is_gone_ends_the_run_with_a_whole_file(tmp_path: Path) -> None:
    source = FrameQueue(frames=frames(5))
    source.gone = "the interface was removed"
    told = []
    summary = Capture([source], plan(tmp_path / "x.pcapng"), Limits(), note=told.append, flags=lambda name: 0).run()
    assert len(read(tmp_path / "x.pcapng")) == 5
    assert exit_code(summary, 0) == 1
    assert told == ["eth0: the interface was removed"]
    assert summary["ended"] == "failed: eth0: the interface was removed"


def test_an_interface_that_is_down_is_told_once_and_again_when_it_is_up(tmp_path: Path) -> None:
    answers, told = iter([IFF_UP, 0, 0, IFF_UP, IFF_UP]), []
    run = Capture([FrameQueue()], plan(tmp_path / "x.pcap"), Limits(), flags=lambda name: next(answers))
    for _ in range(4):
        told += run.taps[0].changes()
    assert told == ["eth0 is down: nothing comes until it is up", "eth0 is up"]


class Unread(FrameQueue):
    """Its frames come when whoever reads the file goes."""

    def __init__(self, reader: int) -> None:
        super().__init__(frames=frames(9))
        self._reader = reader

    def write_into(self, *given, **named):
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
        return super().write_into(*given, **named)


@pytest.mark.parametrize(("dropped", "code"), [(0, 0), (2, 3)])
def test_whoever_reads_a_pipe_may_go_but_what_the_kernel_dropped_is_lost_all_the_same(
    tmp_path: Path, dropped: int, code: int
) -> None:
    os.mkfifo(tmp_path / "x.pcapng")
    source = Unread(os.open(tmp_path / "x.pcapng", os.O_RDONLY | os.O_NONBLOCK))
    source.drops = dropped
    summary = captured([source], plan(tmp_path / "x.pcapng"), count=None)
    assert (summary["ended"], summary["unwritten"], summary["captured"]) == ("whoever read it has gone", 9, 0)
    assert exit_code(summary, 0) == code


# --- a disk that is full


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch):
    """Make a disk of a few KiB: what does not fit is refused by `os.write`, in the words of the kernel."""
    real = os.write

    def limit(size: int) -> None:
        def write(fd: int, data) -> int:
            room = size - os.lseek(fd, 0, os.SEEK_CUR)
            if room <= 0:
                raise OSError(28, "No space left on device")
            return real(fd, memoryview(data)[:room])

        monkeypatch.setattr(sink.os, "write", write)

    return limit


@pytest.mark.parametrize("ending", ["pcap", "pcapng", "pcapng.zst", "pcap.gz"])
@pytest.mark.parametrize("size", [2000, 2001, 2047, 2100])
def test_a_disk_that_is_full_leaves_a_whole_file_that_says_what_is_missing(
    tmp_path: Path, small_disk, ending: str, size: int
) -> None:
    small_disk(size)
    path = tmp_path / f"x.{ending}"
    wanted = [frame(NOW + k, os.urandom(40)) for k in range(200)]
    summary = captured([FrameQueue(frames=wanted)], plan(path))
    found = read(path)
    assert found == [(one.ts_ns, one.data) for one in wanted[: len(found)]]
    assert summary["captured"] == len(found)
    assert summary["unwritten"] == 200 - len(found)
    assert "No space left" in summary["ended"]
    assert exit_code(summary, 0) == 1
    if ending == "pcapng":
        assert len(found) > 10
        assert drops(path) == [200 - len(found)]
    if ending.startswith("pcap."):
        told = json.loads((tmp_path / f"x.{ending}.drops.json").read_text())
        assert told["interfaces"] == [{"interface": "eth0", "received": 200, "dropped": 200 - len(found)}]
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(sink.SinkError, match="No such file or directory"):
        captured([FrameQueue(frames=frames(1))], plan(tmp_path / "no" / "x.pcap"))


class Vanishing(FrameQueue):
    """Its frames come when the folder of the files goes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(frames=frames(100))
        self._folder = folder

    def write_into(self, *given, **named):
        self._folder.rename(self._folder.with_name("moved"))
        return super().write_into(*given, **named)


def test_a_file_that_cannot_be_begun_ends_the_run_and_what_was_not_written_is_counted(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    summary = captured([Vanishing(tmp_path / "day")], plan(tmp_path / "day" / "x.pcap", size=1000))
    assert summary["ended"].startswith("failed: ")
    assert "No such file or directory" in summary["ended"]
    assert 0 < summary["unwritten"] <= 100
    assert summary["captured"] == 100 - summary["unwritten"]
    assert exit_code(summary, 0) == 1


def test_packing_that_is_too_slow_drops_and_counts(tmp_path: Path) -> None:
    one = frame(NOW, os.urandom(60_000))
    source = FrameQueue(frames=[replace(one, ts_ns=NOW + k) for k in range(400)])
    summary = captured([source], plan(tmp_path / "x.pcapng.gz", queue_bytes=1))
    found = read(tmp_path / "x.pcapng.gz")
    assert summary["captured"] == len(found) < 400
    assert summary["dropped_by_queue"] == 400 - len(found)
    assert drops(tmp_path / "x.pcapng.gz") == [400 - len(found)]


# --- names, and records


def test_a_name_says_what_the_file_is() -> None:
    assert format_of("-") == (Form.PCAPNG, None)
    assert format_of("day.pcap")[0] is Form.PCAP
    assert format_of("day.pcapng.zst")[1] is not None
    for name in ("day.txt", "day", "pcap", "day.zst"):
        with pytest.raises(ConfigurationError, match=r"\.pcap or \.pcapng"):
            format_of(name)


@given(st.lists(st.binary(max_size=60), max_size=12), st.integers(0, 900), st.sampled_from(Form))
def test_records_are_cut_where_one_ends(payloads: list[bytes], room: int, form: Form) -> None:
    source = FrameQueue(frames=[frame(NOW + k, one) for k, one in enumerate(payloads)])
    out = bytearray(4096)
    written = source.write_into(out, form)
    source.close()
    length, count = whole(memoryview(out)[: written.bytes], form, room)
    assert length <= room
    data = head(form, INTERFACES[:1]) + out[:length]
    records = list((pcap if form is Form.PCAP else pcapng).records(data))
    assert len(records) == count
    if count < written.frames:
        rest = memoryview(out)[length : written.bytes]
        assert length + whole(rest, form, 4096)[0] == written.bytes
        assert whole(rest, form, room - length) == (0, 0)
