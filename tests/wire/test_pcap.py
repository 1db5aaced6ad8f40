"""Classic pcap: hand-written vectors, both magics and orders, damage, and scapy, dpkt and tshark as readers."""

import gzip
import io
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import pcap
from netfeed.wire.pcap import MAX_RECORD, Torn
from tests.data import recording
from tests.wire import capture_samples as sample
from tests.wire.oracles import nanoseconds, tshark

VECTORS = {
    # magic, version 2.4, zone, sigfigs, snaplen 65535, link type 1; then seconds, fraction 7, captured 2, original 60
    ("<", True): "4d3cb2a1 0200 0400 00000000 00000000 ffff0000 0100000000f15365 07000000 02000000 3c000000 abcd",
    (">", True): "a1b23c4d 0002 0004 00000000 00000000 0000ffff 000000016553f100 00000007 00000002 0000003c abcd",
    ("<", False): "d4c3b2a1 0200 0400 00000000 00000000 ffff0000 0100000000f15365 07000000 02000000 3c000000 abcd",
    (">", False): "a1b2c3d4 0002 0004 00000000 00000000 0000ffff 000000016553f100 00000007 00000002 0000003c abcd",
}
TIME = 1_700_000_000
RECORDS = st.lists(
    st.tuples(st.integers(0, 2**32 * 10**9 - 1), st.binary(max_size=100), st.integers(0, 2**32 - 1)), max_size=6
)


@pytest.mark.parametrize(("order", "nano"), VECTORS)
def test_a_file_of_its_specification_is_read_and_written(order: str, nano: bool) -> None:
    data = bytes.fromhex(VECTORS[order, nano])
    ts_ns = TIME * 10**9 + (7 if nano else 7000)
    (record,) = pcap.records(data)
    assert (record.offset, record.ts_ns, bytes(record.data), record.original_length) == (24, ts_ns, b"\xab\xcd", 60)
    assert (record.linktype, record.data_offset) == (1, 40)
    assert pcap.read_header(data) == (order, 1 if nano else 1000, 65535, 1)
    written = pcap.file_header(1, 65535, nanoseconds=nano, order=order)
    assert written + pcap.record(ts_ns + (0 if nano else 999), b"\xab\xcd", 60, nanoseconds=nano, order=order) == data


def test_files_are_written_with_nanoseconds() -> None:
    assert pcap.file_header()[:4] == struct.pack("<I", 0xA1B23C4D)


@given(RECORDS, st.sampled_from("<>"))
def test_what_is_written_is_read(rows: list[tuple[int, bytes, int]], order: str) -> None:
    data = pcap.file_header(order=order) + b"".join(pcap.record(*row, order=order) for row in rows)
    assert [(record.ts_ns, bytes(record.data), record.original_length) for record in pcap.records(data)] == rows


@given(RECORDS.filter(bool), st.integers(1, 50))
def test_a_torn_tail_is_reported_with_what_was_read_before_it(rows: list[tuple[int, bytes, int]], cut: int) -> None:
    parts = [pcap.file_header(), *(pcap.record(*row) for row in rows)]
    cut = min(cut, len(parts[-1]) - 1)
    errors: list[WireError] = []
    whole = list(pcap.records(b"".join(parts)[:-cut], errors))
    assert len(whole) == len(rows) - 1
    (error,) = errors
    assert isinstance(error, Torn)
    assert error.offset == sum(map(len, parts[:-1]))
    left = len(parts[-1]) - cut
    assert error.found == f"{left} bytes"
    assert error.wanted == ("16 bytes" if left < 16 else f"{len(parts[-1])} bytes")


def test_without_a_list_for_errors_the_first_is_raised_after_what_was_read() -> None:
    data = sample.pcap((TIME, 0, b"one", 3), (TIME, 1, b"two", 3))[:-1]
    reader = pcap.records(data)
    assert bytes(next(reader).data) == b"one"
    with pytest.raises(Torn, match="pcap record is cut short at byte 43: found 18 bytes, wanted 19 bytes"):
        next(reader)


def test_the_high_bits_of_the_link_type_are_the_frame_check_sequence() -> None:
    data = bytearray(pcap.file_header())
    data[20:24] = struct.pack("<I", 0x24000001)
    assert pcap.read_header(bytes(data)).linktype == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "not a capture file at byte 0: found , wanted a pcap or pcapng magic number"),
        (b"\x34\xcd\xb2\xa1" + bytes(30), "not a capture file at byte 0: found 34cdb2a1"),
        (b"\x4d\x3c\xb2\xa1" + bytes(10), "pcap file header is cut short at byte 0: found 14 bytes, wanted 24 bytes"),
        (b"\x4d\x3c\xb2\xa1\x03\0\x04\0" + bytes(16), "unknown version at byte 0: found 3.4, wanted 2.x"),
    ],
)
def test_a_header_that_cannot_be_read_says_why(data: bytes, error: str) -> None:
    with pytest.raises(WireError, match=error):
        pcap.read_header(data)


def bad_record(length: int = MAX_RECORD + 1) -> bytes:
    return struct.pack("<4I", TIME, 0, length, length) + b"\xff" * 60


def test_reading_goes_on_behind_every_record_that_is_too_long() -> None:
    good = [(TIME + i, i, sample.FRAME4, len(sample.FRAME4)) for i in range(6)]
    data = sample.pcap(good[0], bad_record(), *good[1:3], bad_record(2**32 - 1), *good[3:])
    errors: list[WireError] = []
    assert [record.ts_ns % 10 for record in pcap.records(data, errors)] == list(range(6))
    assert [error.found for error in errors] == ["262145 bytes", "4294967295 bytes"]
    assert [error.offset for error in errors] == [24 + 65, 24 + 65 + 76 + 130]


def test_a_first_record_that_is_too_long_is_passed_too() -> None:
    errors: list[WireError] = []
    data = sample.pcap(bad_record(), (TIME, 1, b"a", 1), (TIME, 2, b"b", 1))
    assert [bytes(record.data) for record in pcap.records(data, errors)] == [b"a", b"b"]
    assert len(errors) == 1


@pytest.mark.parametrize("follower", [b"", pcap.record((TIME + 1) * 10**9, b"next")])
def test_the_last_record_is_believed_by_its_neighbour_or_its_time(follower: bytes) -> None:
    near = pcap.record((TIME + 86_400) * 10**9, b"data") + follower
    far = pcap.record((TIME + 86_402) * 10**9, b"data") + follower
    for record, believed in ((near, True), (far, False)):
        decoder = pcap.Decoder()
        data = memoryview(sample.pcap((TIME, 0, b"first", 5), bad_record(), record))
        for _ in range(2):
            _, at = decoder.step(data, 24 if decoder.header else 0)
        found = decoder.resync(data, at)
        expected = at + 76 if believed else len(data) - len(follower) if follower else -1
        assert found == expected


@pytest.mark.parametrize(
    ("seconds", "fraction", "captured", "original"),
    [(TIME, 10**9, 4, 4), (TIME, 0, 0, 4), (TIME, 0, 4, 3), (TIME, 0, 4, MAX_RECORD + 1), (TIME, 0, 5, 5)],
)
def test_a_record_that_is_not_plausible_is_not_taken_up(
    seconds: int, fraction: int, captured: int, original: int
) -> None:
    unlikely = struct.pack("<4I", seconds, fraction, captured, original) + b"data"
    data = memoryview(sample.pcap((TIME, 0, b"first", 5), bad_record(), unlikely))
    decoder = pcap.Decoder()
    _, at = decoder.step(data, 0)
    _, at = decoder.step(data, at)
    assert decoder.resync(data, at) == -1


def test_a_single_record_between_two_bad_ones_is_passed_over_with_them() -> None:
    errors: list[WireError] = []
    good = [(TIME + i, i, b"x", 1) for i in range(3)]
    data = sample.pcap(bad_record(), good[0], bad_record(), *good[1:])
    assert [record.ts_ns % 10 for record in pcap.records(data, errors)] == [1, 2]
    assert len(errors) == 1


def test_the_search_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcap, "RESYNC_BYTES", 1000)
    record = sample.pcap_record(TIME, 0, b"data", 4)
    for gap, found in ((999, True), (1000, False)):
        data = memoryview(sample.pcap() + bytes(1 + gap) + record)
        decoder = pcap.Decoder()
        _, at = decoder.step(data, 0)
        assert (decoder.resync(data, at) > 0) == found


def test_a_file_with_too_much_damage_is_given_up() -> None:
    errors: list[WireError] = []
    pairs = [one for _ in range(pcap.MAX_ERRORS + 5) for one in (*[(TIME, 0, b"x", 1)] * 2, bad_record())]
    assert len(list(pcap.records(sample.pcap(*pairs), errors))) == 2 * pcap.MAX_ERRORS
    assert len(errors) == pcap.MAX_ERRORS


@given(st.binary(max_size=200) | sample.damaged(sample.pcaps()))
def test_any_bytes_give_records_inside_the_file_or_errors(data: bytes) -> None:
    errors: list[WireError] = []
    for record in pcap.records(data, errors):
        assert 24 <= record.offset < record.offset + 16 + len(record.data) <= len(data)
        assert -1 < record.ts_ns < 2**63


@pytest.mark.parametrize(
    ("ts_ns", "frame", "original"),
    [(-1, b"", 0), (2**32 * 10**9, b"", 0), (0, b"", 2**32), (0, bytes(MAX_RECORD + 1), None)],
)
def test_what_a_record_cannot_hold_is_misuse(ts_ns: int, frame: bytes, original: int | None) -> None:
    with pytest.raises(MisuseError):
        pcap.record(ts_ns, frame, original)


# ---- other readers -------------------------------------------------------------------------------------------------

STAMPS = [TIME * 10**9 + ns for ns in (0, 1, 72, 999_999_999, 123_456_789)]  # a double cannot tell 72 ns apart


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nano", [True, False])
def test_scapy_and_dpkt_read_what_is_written(tmp_path: Path, order: str, nano: bool) -> None:
    utils = pytest.importorskip("scapy.utils", reason="scapy is not installed")
    reader = pytest.importorskip("dpkt.pcap", reason="dpkt is not installed")
    frames = [sample.FRAME4, sample.FRAME6]
    data = pcap.file_header(nanoseconds=nano, order=order)
    data += b"".join(pcap.record(ts, frame, 99, nanoseconds=nano, order=order) for ts in STAMPS for frame in frames)
    tick = 1 if nano else 1000
    expected = [(ts // 10**9, ts % 10**9 // tick, frame) for ts in STAMPS for frame in frames]
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    with utils.RawPcapReader(str(path)) as raw:
        assert [(meta.sec, meta.usec, frame) for frame, meta in raw] == expected
    assert [frame for _, frame in reader.Reader(io.BytesIO(data))] == [frame for *_, frame in expected]


def test_tshark_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap.file_header() + b"".join(pcap.record(ts, sample.FRAME4, 99) for ts in STAMPS))
    rows = tshark(path, "frame.time_epoch", "frame.cap_len", "frame.len", "udp.payload")
    assert [(nanoseconds(row[0]), *row[1:]) for row in rows] == [
        (ts, str(len(sample.FRAME4)), "99", b"payload".hex()) for ts in STAMPS
    ]


def test_capinfos_takes_what_is_written_for_a_nanosecond_pcap(tmp_path: Path) -> None:
    if shutil.which("capinfos") is None:
        pytest.skip("capinfos is not installed")
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap.file_header() + b"".join(pcap.record(ts, sample.FRAME4) for ts in STAMPS))
    text = subprocess.run(["capinfos", str(path)], capture_output=True, text=True, check=True).stdout
    assert "nanosecond pcap" in text or "nanosecond libpcap" in text or "nanoseconds (9)" in text
    assert "Number of packets:   5" in text


def test_real_nasdaq_captures_are_read_as_struct_reads_them() -> None:
    for path in sorted(recording("nasdaq_packets").rglob("*.pcap")):
        data, at, expected = path.read_bytes(), 24, []
        order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        tick = 1 if data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1000
        while at < len(data):
            seconds, fraction, captured, original = struct.unpack_from(order + "4I", data, at)
            expected.append((seconds * 10**9 + fraction * tick, data[at + 16 : at + 16 + captured], original))
            at += 16 + captured
        assert [(record.ts_ns, bytes(record.data), record.original_length) for record in pcap.records(data)] == expected


def test_the_real_torn_capture_is_read_to_its_last_whole_record() -> None:
    with gzip.open(recording("iex/go-iex_DEEP10.pcap.gz")) as file:
        data = file.read()
    errors: list[WireError] = []
    assert sum(1 for _ in pcap.records(data, errors)) == 121_314
    (error,) = errors
    assert isinstance(error, Torn)
    assert error.offset + 476 == len(data)
