"""The ring of changes: what was read and what was lost add up, whoever is slow, and what is read is whole."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.book.change import CHANGE
from netfeed.build import PURE
from netfeed.transport import records as plain
from netfeed.transport import ring as rings
from netfeed.transport.ring import BookName, Reader, Ring, RingError

TWINS: list[Any] = [plain]
if not PURE:
    from netfeed.transport import shared

    TWINS.append(shared)


@pytest.fixture(params=TWINS, ids=lambda one: one.__name__.rpartition(".")[2])
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(rings, "Writer", request.param.Writer)
    monkeypatch.setattr(rings, "Cursor", request.param.Cursor)
    return request.param


@pytest.fixture
def make(tmp_path: Path, twin: Any) -> Iterator[Callable[..., Ring]]:
    made: list[Ring] = []

    def one(capacity: int = 16, **more: Any) -> Ring:
        made.append(Ring(tmp_path / "ring", CHANGE, capacity=capacity, names=more.pop("names", 4), **more))
        return made[-1]

    yield one
    for ring in made:
        ring.close()


def changes(first: int, count: int) -> Any:
    rows = np.zeros(count, CHANGE)
    rows["sequence"] = rows["reference"] = np.arange(first, first + count)
    return rows


def test_a_reader_sees_what_is_written_after_it_came(make: Callable[..., Ring]) -> None:
    ring = make()
    ring.write(changes(0, 3))
    with Reader(ring.path) as reader:
        assert len(reader.read()) == 0
        ring.write(changes(3, 2))
        assert reader.read().tolist() == changes(3, 2).tolist()
        assert reader.dtype == CHANGE
        assert (reader.at, reader.lost, reader.published) == (5, 0, 5)


def test_a_reader_can_begin_with_what_lies_there(make: Callable[..., Ring]) -> None:
    ring = make()
    ring.write(changes(0, 30))
    with Reader(ring.path, newest=False) as reader:
        assert reader.read()["sequence"].tolist() == list(range(22, 30))


def test_a_slow_reader_loses_with_evidence_and_goes_on(make: Callable[..., Ring]) -> None:
    ring = make()
    with Reader(ring.path) as reader:
        for k in range(10):
            ring.write(changes(10 * k, 10))
        found = reader.read()
        assert reader.lost + len(found) == 100
        assert found["sequence"].tolist() == list(range(92, 100))
        ring.write(changes(100, 1))
        assert reader.read()["sequence"].tolist() == [100]
        assert reader.lost == 92


def test_more_than_fits_can_be_written_at_once(make: Callable[..., Ring]) -> None:
    ring = make()
    with Reader(ring.path) as reader:
        ring.write(changes(0, 100))
        assert reader.read()["sequence"].tolist() == list(range(92, 100))


@given(st.lists(st.one_of(st.integers(-8, -1), st.integers(0, 20)), max_size=40))
def test_the_twins_lose_the_same(steps: list[int]) -> None:
    """A positive step writes so many, a negative one reads at most so many; read and lost add up at every step."""
    told = []
    for twin in TWINS:
        memory, log = memory_of(8), []
        writer, cursor, written, seen = twin.Writer(memory), twin.Cursor(memory), 0, 0
        for step in steps:
            if step >= 0:
                writer.write(changes(written, step))
                written += step
                continue
            out = np.zeros(-step, CHANGE)
            at = cursor.at
            first, end = cursor.read(out)
            seen += end - first
            assert seen + cursor.lost == cursor.at >= at
            log.append((out[first:end].tolist(), cursor.at, cursor.lost, cursor.published))
        told.append(log)
    assert all(log == told[0] for log in told)


def memory_of(capacity: int) -> bytearray:
    memory = bytearray(plain.HEADER + capacity * CHANGE.itemsize)
    memory[8:12] = CHANGE.itemsize.to_bytes(4, "little")
    memory[16:24], memory[40:48] = capacity.to_bytes(8, "little"), plain.HEADER.to_bytes(8, "little")
    return memory


@pytest.mark.parametrize(
    ("record", "capacity", "records", "size"),
    [
        (64, 0, 4096, 8192),
        (64, 3, 4096, 8192),
        (64, 128, 4096, 8192),
        (64, 1, 64, 8192),
        (64, 1, 4097, 8192),
        (64, 1, 2**63, 8192),
        (64, 1, 0, 100),
        (0, 1, 4096, 8192),
        (63, 1, 4096, 8192),
        (128, 64, 4096, 8192),
        (2**31, 1, 4096, 8192),
        (8192, 1, 4096, 16384),
    ],
)
def test_a_header_that_lies_is_not_believed(twin: Any, record: int, capacity: int, records: int, size: int) -> None:
    memory = bytearray(max(size, 8192))
    memory[8:12] = record.to_bytes(4, "little")
    memory[16:24], memory[40:48] = capacity.to_bytes(8, "little"), records.to_bytes(8, "little")
    for one in (twin.Writer, twin.Cursor):
        with pytest.raises(ValueError, match="ring"):
            one(memory[:size])


def test_names_stand_beside_the_records(make: Callable[..., Ring]) -> None:
    ring = make()
    with Reader(ring.path) as reader:
        assert reader.names == {}
        ring.name(1, 7, "BTC-27JUN26-100000-C", -4, -1)
        ring.name(1, 7, "another", 0, 0)
        ring.name(0, 7, "ETH-€", -2)
        assert reader.names == {(1, 7): BookName("BTC-27JUN26-100000-C", -4, -1), (0, 7): BookName("ETH-€", -2, 0)}
        ring.name(0, 8, "X")
        ring.name(0, 9, "Y" * 55)
        assert reader.names[0, 9].text == "Y" * 55
    with pytest.raises(RingError, match="room for 4 names"):
        ring.name(0, 10, "Z")
    with pytest.raises(ValueError, match="longer than 55"):
        ring.name(0, 11, "Y" * 56)


def test_the_end_is_told(make: Callable[..., Ring]) -> None:
    ring = make()
    with Reader(ring.path) as reader:
        ring.write(changes(0, 2))
        assert not reader.closed
        assert not reader.replaced
        ring.close()
        ring.close()
        assert reader.closed
        assert reader.replaced
        assert [len(batch) for batch in reader.batches()] == [2]
    with pytest.raises(ValueError, match="closed"):
        ring.write(changes(0, 1))
    with pytest.raises(ValueError, match="closed"):
        reader.read()


def test_another_ring_under_the_name_is_noticed(make: Callable[..., Ring]) -> None:
    old = make()
    with Reader(old.path) as reader:
        new = make()
        assert reader.replaced
        old.close()
        assert new.path.exists()


def test_waiting_ends_with_the_time_with_a_record_or_with_the_ring(make: Callable[..., Ring]) -> None:
    ring = make()
    with Reader(ring.path) as reader:
        assert reader.wait(0) is False
        assert reader.wait(1000) is False
        ring.write(changes(0, 1))
        assert reader.wait(10**12) is True
        reader.read()
        ring.close()
        assert reader.wait(10**12) is False


def test_what_is_no_ring_says_so(tmp_path: Path, twin: Any) -> None:
    path = tmp_path / "other"
    for content in (
        b"",
        b"x" * 5000,
        plain.MAGIC + bytes(5000),
        plain.MAGIC + bytes(1016) + b'[["a","<u4"]]' + bytes(5000),
    ):
        path.write_bytes(content)
        with pytest.raises(RingError):
            Reader(path)
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path / "absent")
    with pytest.raises(ValueError, match="64 bytes"):
        Ring(path, np.dtype("<u4"))


WIDE = np.dtype([("sequence", "<u8"), ("at_ns", "<i8", (7,)), ("more", "V64")])


def test_records_can_be_of_several_lines(tmp_path: Path, twin: Any) -> None:
    rows = np.zeros(3, WIDE)
    rows["at_ns"] = np.arange(21).reshape(3, 7)
    with Ring(tmp_path / "ring", WIDE, capacity=4) as ring, Reader(ring.path) as reader:
        assert ring.writer.record == 128
        ring.write(rows)
        ring.write(rows)
        assert reader.dtype == WIDE
        assert reader.read()["at_ns"].tolist() == rows["at_ns"][1:].tolist()
        assert reader.lost == 4
        with pytest.raises(ValueError, match="128 bytes"):
            ring.write(changes(0, 1))


def test_a_writer_that_was_killed_is_told_from_one_that_is_quiet(make: Callable[..., Ring]) -> None:
    ring = make()
    with Reader(ring.path) as reader:
        assert reader.made_ns > 1_700_000_000 * 10**9
        assert not reader.abandoned
        ring.writer = None  # nobody writes through the memory any more, and it can go
        ring._memory.close()
        assert reader.abandoned
        ring.path.unlink()
        assert reader.replaced
        assert not reader.abandoned


def test_a_bare_name_lies_in_memory() -> None:
    assert rings.located("feed") == Path("/dev/shm/feed")
    assert rings.located("./feed") == Path("feed")


def test_who_may_only_read_can_read(make: Callable[..., Ring]) -> None:
    ring = make()
    if os.geteuid() == 0:
        ring.write(changes(0, 3))
        cursor = rings.Cursor(memoryview(bytes(ring._memory)), False, False)
        out = np.zeros(8, CHANGE)
        assert cursor.read(out) == (0, 3)
        assert cursor.wait(0) is False
    else:
        ring.path.chmod(0o444)
        with Reader(ring.path) as reader:
            ring.write(changes(0, 3))
            assert len(reader.read()) == 3
            assert reader.wait(0) is False


WRITE = """
import sys, numpy as np
from netfeed.transport import shared
import netfeed.transport.ring as rings
ring = rings.Ring.__new__(rings.Ring)
memory, _, _ = rings.mapped(rings.Path(sys.argv[1]))
writer = shared.Writer(memory)
rows = np.zeros(97, rings.described(memory, sys.argv[1]))
for k in range(0, 97 * 3000, 97):
    for name in ("sequence", "ts_event_ns", "ts_recv_ns", "price", "quantity", "reference"):
        rows[name] = np.arange(k, k + 97)
    writer.write(rows)
writer.close()
"""


@pytest.mark.skipif(PURE, reason="the twin leaves memory barriers out")
def test_across_processes_no_record_is_torn_and_none_is_uncounted(tmp_path: Path) -> None:
    with Ring(tmp_path / "ring", CHANGE, capacity=512) as ring, Reader(tmp_path / "ring") as reader:
        command = [sys.executable, "-c", WRITE, str(ring.path)]
        with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}) as writing:
            seen, last = 0, -1
            while reader.wait(10**9) or not reader.closed:
                rows = reader.read(200)
                seen += len(rows)
                if len(rows):
                    for name in ("ts_event_ns", "ts_recv_ns", "price", "quantity", "reference"):
                        assert (rows[name] == rows["sequence"]).all()
                    assert int(rows["sequence"][0]) > last
                    assert (np.diff(rows["sequence"].astype(np.int64)) == 1).all()
                    last = int(rows["sequence"][-1])
                assert seen + reader.lost == reader.at
                assert writing.poll() in (None, 0)
        assert seen + reader.lost == 97 * 3000
