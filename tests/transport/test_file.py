"""Inputs of every kind give the same bytes; torn and impossible ones say so; outputs appear whole or not at all."""

import gzip
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import zstandard

from netfeed.errors import MisuseError, NetfeedError
from netfeed.transport import expand, file
from netfeed.transport.file import EmptyError, MissingError, Sink, SinkError, SourceError, open_sink, open_source
from netfeed.transport.sink import DirectSink
from netfeed.wire.capture import PACKET, Status, Walker
from tests.data import recording
from tests.wire import capture_samples as sample

NOISE = np.random.default_rng(7).integers(0, 256, 300_000, "u1").tobytes()
PACKERS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "gzip members": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
    "zstd": zstandard.compress,
    "zstd frames": lambda data: zstandard.compress(data[:1000]) + zstandard.compress(data[1000:]),
    "zstd without length": lambda data: zstandard.ZstdCompressor(
        write_content_size=False, write_checksum=True
    ).compress(data),
}


def read(path: Path | str, keep: int = 0) -> tuple[bytes, list[int], file.Source]:
    """Read an input to its end and leave `keep` bytes unconsumed each time; give it, the bases, and the source."""
    content, bases, reading = b"", [], True
    with open_source(path) as source:
        while reading:
            bases.append(source.base)
            used = max(0, len(source.buffer) - keep)
            content += bytes(source.buffer[:used])
            tail = bytes(source.buffer[used:])
            source.release(used)
            reading = source.more(used)
        return content + tail, bases, source


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "CHUNK_BYTES", 50_000)
    monkeypatch.setattr(expand, "READ_BYTES", 20_000)


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("keep", [0, 1, 12_345])
def test_the_content_is_the_same_whatever_it_is_packed_in(tmp_path: Path, packer: str, keep: int) -> None:
    path = tmp_path / "misleading.gz.zst.pcap"
    path.write_bytes(PACKERS[packer](NOISE))
    content, bases, source = read(path, keep)
    assert content == NOISE
    assert bases == sorted(set(bases))
    assert (source.error, source.total) == (None, path.stat().st_size)
    assert source.position == (source.total if packer != "plain" else len(NOISE) - keep)


@pytest.mark.parametrize("packer", [name for name in PACKERS if name != "plain"])
def test_chunks_are_bounded(tmp_path: Path, packer: str) -> None:
    path = tmp_path / "zeros"
    path.write_bytes(PACKERS[packer](bytes(2_000_000)))
    with open_source(path) as source:
        assert 0 < len(source.buffer) <= 50_000 + expand.PIECE_BYTES // 4 * 2**17
        assert source.more(len(source.buffer)) or len(source.buffer) == 2_000_000


@pytest.mark.parametrize("packer", [name for name in PACKERS if name != "plain"])
def test_a_torn_compressed_file_gives_what_was_there_and_then_the_error(tmp_path: Path, packer: str) -> None:
    path = tmp_path / "torn"
    packed = PACKERS[packer](NOISE)
    path.write_bytes(packed[:-20_000])
    content, _, source = read(path)
    assert 200_000 < len(content) < len(NOISE)
    assert NOISE.startswith(content)
    assert source.error is not None
    assert source.error.offset == len(packed) - 20_000
    assert "cannot be read to its end" in str(source.error)


@pytest.mark.parametrize("packer", ["gzip", "zstd without length"])
def test_a_damaged_checksum_is_told_after_the_content(tmp_path: Path, packer: str) -> None:
    path = tmp_path / "damaged"
    packed = bytearray(PACKERS[packer](NOISE))
    packed[-8 if packer == "gzip" else -1] ^= 1
    path.write_bytes(packed)
    content, _, source = read(path)
    assert source.error is not None
    assert NOISE.startswith(content)
    assert len(content) > 200_000


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_bytes_that_follow_a_compressed_file_and_are_none_are_an_error_after_it(tmp_path: Path, packer: str) -> None:
    path = tmp_path / "followed"
    path.write_bytes(PACKERS[packer](NOISE) + b"something else")
    content, _, source = read(path)
    assert content == NOISE
    assert source.error is not None


def test_an_input_that_is_not_there_or_not_a_file_or_empty_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(NOISE)[:5])
    cases = [
        ("absent", MissingError, "there is no such file"),
        ("empty", EmptyError, "is empty"),
        ("empty.gz", EmptyError, "is empty"),
        ("cut.gz", SourceError, "cannot be read to its end"),
        (".", SourceError, "cannot be read: Is a directory"),
        ("x" * 300, SourceError, "cannot be read: File name too long"),
    ]
    for name, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            open_source(tmp_path / name)
        assert isinstance(caught.value, NetfeedError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"data")
    path.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        open_source(path)


@pytest.mark.parametrize("packer", ["plain", "gzip", "zstd"])
def test_standard_input_and_pipes_are_read_like_files(tmp_path: Path, packer: str) -> None:
    packed = PACKERS[packer](NOISE)
    program = (
        "import sys; from netfeed.transport.file import open_source\n"
        "with open_source('-') as source:\n"
        "    going = True\n"
        "    while going: sys.stdout.buffer.write(source.buffer); going = source.more(len(source.buffer))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=packed, capture_output=True, check=True)
    assert done.stdout == NOISE
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(packed,))
    writer.start()
    content, _, source = read(pipe)
    writer.join()
    assert (content, source.total) == (NOISE, None)


def test_a_live_pipe_is_read_before_it_ends() -> None:
    program = (
        "import sys; from netfeed.transport.file import open_source\n"
        "with open_source('-') as source: print(bytes(source.buffer).decode(), flush=True); source.more(3)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"early")
        process.stdin.flush()
        assert process.stdout.readline() == b"early\n"
        process.stdin.close()


def test_an_empty_standard_input_says_so() -> None:
    program = "from netfeed.transport.file import open_source; open_source('-')"
    done = subprocess.run([sys.executable, "-c", program], input=b"", capture_output=True, text=False, check=False)
    assert b"EmptyError: standard input is empty" in done.stderr


def test_what_is_left_over_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "TAIL_BYTES", 1000)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(NOISE))
    with open_source(path) as source:
        for consumed in (0, len(source.buffer) - 1001, len(source.buffer) + 1, -1):
            with pytest.raises(MisuseError):
                source.more(consumed)
        assert source.more(len(source.buffer) - 1000)


def test_a_mapped_file_gives_its_pages_back_behind_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "big"
    size = 48 * 2**20
    path.write_bytes(bytes(size))

    def resident() -> int:
        fields = Path("/proc/self/statm").read_text().split()
        return int(fields[2]) * resource.getpagesize()  # shared: what is mapped of files

    with open_source(path) as source:
        before = resident()
        for at in range(0, size, 2**20):
            assert not np.frombuffer(source.buffer[at : at + 2**20], "u1").any()
            source.release(at + 2**20)
            assert resident() - before < 24 * 2**20
        assert source.position == size
        assert source.buffer[0] == 0  # it can still be read


def test_views_outlive_the_source(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"content")
    with open_source(path) as source:
        view = source.buffer[3:]
    assert bytes(view) == b"tent"


def test_a_capture_is_walked_alike_from_a_map_and_from_chunks(tmp_path: Path) -> None:
    frames = [sample.FRAME4, sample.FRAME6] * 2000
    data = sample.pcap(*[(1_700_000_000, i, frame, len(frame)) for i, frame in enumerate(frames)])
    seen = []
    for packer in ("plain", "gzip", "zstd"):
        path = tmp_path / packer
        path.write_bytes(PACKERS[packer](data))
        seen.append(_walk(path))
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 4000


def test_the_real_gzip_capture_is_walked_to_its_torn_record() -> None:
    assert len(_walk(recording("iex/go-iex_DEEP10.pcap.gz"), limit=3000)) == 3000


def _walk(path: Path, limit: int = 10**9) -> list[tuple[int, int]]:
    walker, out, seen, reading = Walker(), np.zeros(1000, PACKET), [], True
    with open_source(path) as source:
        while reading and len(seen) < limit:
            at, status = 0, int(Status.MORE)
            while status == Status.MORE and len(seen) < limit:
                count, at, status = walker.walk(source.buffer, at, out, source.base)
                seen += [(int(row["record_offset"]), int(row["ts_ns"])) for row in out[:count]]
            reading = source.more(at)
    return seen[:limit]


@pytest.mark.parametrize(("suffix", "magic"), [("", NOISE[:2]), (".gz", b"\x1f\x8b"), (".zst", b"\x28\xb5")])
def test_a_sink_writes_what_a_source_reads(tmp_path: Path, suffix: str, magic: bytes) -> None:
    path = tmp_path / f"out.pcap{suffix}"
    with open_sink(path) as sink:
        for start in range(0, len(NOISE), 7000):
            sink.write(memoryview(NOISE)[start : start + 7000])
        sink.flush()
        assert not path.exists()
    assert path.read_bytes()[:2] == magic
    assert read(path)[0] == NOISE
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_sink_replaces_a_file_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.gz"
    path.write_bytes(b"old")

    def fail(sink: Sink) -> None:
        with sink:
            sink.write(b"new")
            raise RuntimeError

    sink = open_sink(path)
    with pytest.raises(RuntimeError):
        fail(sink)
    assert path.read_bytes() == b"old"
    assert gzip.decompress(Path(sink.part).read_bytes()) == b"new"
    with pytest.raises(MisuseError):
        sink.write(b"more")
    sink.close()
    assert path.read_bytes() == b"old"


def test_a_device_is_written_and_not_replaced() -> None:
    with open_sink("/dev/null") as sink:
        sink.write(b"gone")
    assert Path("/dev/null").is_char_device()


def test_a_sink_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="No such file or directory"):
        open_sink(tmp_path / "absent" / "out")
    sink = open_sink("/dev/full")
    sink.write(b"x")
    with pytest.raises(SinkError, match="No space left"):
        sink.close()
    sink.abandon()


def test_standard_output_is_a_sink() -> None:
    program = "from netfeed.transport.file import open_sink\nwith open_sink('-') as sink: sink.write(b'bytes')"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"bytes"


# --- without a buffer


def test_a_direct_sink_writes_bytes_as_they_are_whatever_its_name_says_and_can_be_cut(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    sink = DirectSink(path)
    sink.write(memoryview(b"abcdef"))
    assert (sink.written, Path(sink.part).read_bytes(), path.exists()) == (6, b"abcdef", False)
    assert sink.cut(4)
    sink.write(b"XY")
    sink.close()
    sink.close()
    assert (sink.written, path.read_bytes()) == (6, b"abcdXY")
    assert [one.name for one in tmp_path.iterdir()] == ["x.gz"]


def test_a_direct_sink_that_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    sink = DirectSink(tmp_path / "x")
    sink.write(b"abc")
    sink.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_device_cannot_be_cut() -> None:
    sink = DirectSink("/dev/null")
    sink.write(b"abc")
    assert not sink.cut(1)
    sink.close()
    full = DirectSink("/dev/full")
    with pytest.raises(SinkError, match="No space left"):
        full.write(b"abc")
    full.discard()
    assert Path("/dev/full").is_char_device()
