"""pcapng: a hand-written section, time resolutions, every packet block, damage, and scapy and tshark as readers."""

import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import pcapng
from netfeed.wire.frame import LinkType
from netfeed.wire.pcap import MAX_RECORD, NO_TIME, Record, Torn
from netfeed.wire.pcapng import Decoder, Interface, Writer
from tests.data import recording
from tests.wire import capture_samples as sample
from tests.wire.oracles import nanoseconds, tshark

# A section of little-endian blocks, byte by byte: section header, Ethernet with snap length 65535 called "eth0" and
# counting nanoseconds, one enhanced packet of 3 bytes (60 on the wire) at 2023-11-14 22:13:20.000000007.
VECTOR = bytes.fromhex(
    "0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000"
    "01000000 28000000 0100 0000 ffff0000 0200 0400 65746830 0900 0100 09000000 0000 0000 28000000"
    "06000000 24000000 00000000 fe9c9717 07002a36 03000000 3c000000 616263 00 24000000"
)
TIME_NS = 1_700_000_000_123_456_789


def read(data: bytes) -> tuple[list[Record], list[WireError]]:
    errors: list[WireError] = []
    return list(pcapng.records(data, errors)), errors


def test_a_section_of_its_specification_is_read() -> None:
    (record,) = pcapng.records(VECTOR)
    assert (record.offset, record.ts_ns, bytes(record.data), record.original_length) == (
        68,
        1_700_000_000_000_000_007,
        b"abc",
        60,
    )
    assert (record.linktype, record.interface, VECTOR[record.data_offset :][:3]) == (1, 0, b"abc")
    decoder, at, view = Decoder(), 0, memoryview(VECTOR)
    while at < len(VECTOR):
        _, at = decoder.step(view, at)
    assert decoder.interfaces == [Interface(1, 65535, resolution=9, name="eth0")]


@pytest.mark.parametrize(
    ("resolution", "offset", "ticks", "ns"),
    [
        (6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, 0, TIME_NS, TIME_NS),
        (0, 0, 1_700_000_000, 1_700_000_000 * 10**9),
        (3, 0, 1_700_000_000_123, 1_700_000_000_123 * 10**6),
        (12, 0, 1_700_000_000_123_456, 1_700_000_000_123),  # picoseconds, rounded down
        (28, 0, 2**64 - 1, 1),  # 1.8 of 10**-9
        (29, 0, 2**64 - 1, 0),
        (127, 0, 2**64 - 1, 0),
        (0x80, 0, 5, 5 * 10**9),
        (0x80 | 10, 0, 1024 + 512, 1_500_000_000),
        (0x80 | 30, 0, 2**30 + 1, 1_000_000_000),
        (0x80 | 32, 0, (1_700_000_000 << 32) + 2**31, 1_700_000_000_500_000_000),  # NTP
        (0x80 | 63, 0, 2**63 + 2**62, 1_500_000_000),
        (0x80 | 127, 0, 2**64 - 1, 0),
        (9, 1_700_000_000, 7, 1_700_000_000 * 10**9 + 7),
        (9, -1, 7, 7 - 10**9),
        (9, 0, 2**63 - 1, 2**63 - 1),
        (9, 0, 2**63, NO_TIME),  # 2262
        (0, 0, 2**64 - 1, NO_TIME),
        (9, 2**63 - 1, 0, NO_TIME),
        (9, -(2**63), 0, NO_TIME),
    ],
)
def test_ticks_become_integer_nanoseconds(resolution: int, offset: int, ticks: int, ns: int) -> None:
    described = sample.interface(1, 0, (9, bytes([resolution])), (14, struct.pack("<q", offset)))
    for block in (sample.enhanced(0, ticks, b"x"), sample.obsolete(0, ticks, b"x")):
        (record,) = pcapng.records(sample.section() + described + block)
        assert record.ts_ns == ns


def test_microseconds_are_assumed_without_a_resolution() -> None:
    (record,) = pcapng.records(sample.section() + sample.interface() + sample.enhanced(0, 7, b"x"))
    assert record.ts_ns == 7000


@pytest.mark.parametrize(
    ("snaplen", "original", "captured"), [(0, 4, 4), (10, 4, 4), (4, 4, 4), (3, 4, 3), (3, 2**32 - 1, 3)]
)
def test_a_simple_packet_has_the_length_that_the_snap_length_leaves(snaplen: int, original: int, captured: int) -> None:
    (record,) = pcapng.records(sample.section() + sample.interface(1, snaplen) + sample.simple(b"four", original))
    assert (record.ts_ns, bytes(record.data), record.original_length) == (NO_TIME, b"four"[:captured], original)


def test_an_obsolete_packet_names_its_interface_in_16_bits() -> None:
    for order in "<>":
        head = sample.section(order) + sample.interface(order=order) + sample.interface(101, order=order)
        (record,) = pcapng.records(head + sample.obsolete(1, 5, b"abc", 9, order=order))
        assert (record.interface, record.linktype, record.ts_ns, bytes(record.data), record.original_length) == (
            1,
            101,
            5000,
            b"abc",
            9,
        )


def test_several_sections_of_both_orders_have_their_own_interfaces() -> None:
    data = b"".join(
        sample.section(order) + sample.interface(link, order=order) + sample.enhanced(0, 1, b"x", order=order)
        for order, link in (("<", 1), (">", 101), ("<", 228))
    )
    assert [record.linktype for record in pcapng.records(data)] == [1, 101, 228]


def test_unknown_blocks_and_options_are_skipped() -> None:
    described = sample.interface(1, 0, (4711, b"unknown"), (1, b"comment"), (9, b"\x09"))
    data = (
        sample.section()
        + sample.block(0x99, b"unknown!")
        + described
        + sample.block(0x80000001, b"local")
        + sample.enhanced(0, 5, b"x")
    )
    (record,) = pcapng.records(data)
    assert record.ts_ns == 5


def test_options_end_with_the_block_when_nothing_else_ends_them() -> None:
    body = struct.pack("<HHI", 1, 0, 0) + struct.pack("<HH", 9, 1) + b"\x09\0\0\0"
    (record,) = pcapng.records(sample.section() + sample.block(1, body) + sample.enhanced(0, 5, b"x"))
    assert record.ts_ns == 5


def test_drops_are_the_last_statistics_of_each_interface() -> None:
    decoder, at = Decoder(), 0
    counts = [(0, 5, 3), (0, 5, 9), (1, 7, 2), (0, 4, 100)]
    data = sample.section() + sample.interface() + sample.interface()
    data += b"".join(sample.statistics(index, (code, struct.pack("<Q", count))) for index, code, count in counts)
    while at < len(data):
        _, at = decoder.step(memoryview(data), at)
    assert [interface.drops for interface in decoder.interfaces] == [9, 2]
    assert decoder.dropped == 11


def test_a_torn_tail_is_reported_with_what_was_read_before_it() -> None:
    head = sample.section() + sample.interface() + sample.enhanced(0, 1, b"one")
    last = sample.enhanced(0, 2, b"two")
    for size in range(1, len(last)):
        records, (error,) = read(head + last[:size])
        assert len(records) == 1
        assert isinstance(error, Torn)
        assert (error.offset, error.found) == (len(head), f"{size} bytes")
        assert error.wanted == ("12 bytes" if size < 12 else f"{len(last)} bytes")


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (struct.pack("<III", 6, 33, 33), "impossible length"),
        (struct.pack("<III", 6, 28, 28), "impossible length"),
        (struct.pack("<III", 9, 2**32 - 4, 0), "impossible length"),
        (sample.block(9, b"four")[:-4] + b"\x11\0\0\0", "does not repeat its length"),
        (sample.enhanced(3, 0, b""), "unknown interface"),
        (sample.block(6, struct.pack("<5I", 0, 0, 0, 2**32 - 1, 0)), "longer than its block"),
        (sample.block(1, struct.pack("<HHIHH", 1, 0, 0, 2, 1)), "option runs past its block"),
        (sample.interface(1, 0, (9, b"")), "option has a wrong length"),
        (sample.section()[:8] + b"\0\0\0\0" + sample.section()[12:], "unknown byte order"),
        (sample.section()[:12] + b"\x09" + sample.section()[13:], "unknown version"),
    ],
)
def test_reading_goes_on_behind_a_block_that_cannot_be(block: bytes, what: str) -> None:
    head = sample.section() + sample.interface() + sample.enhanced(0, 1, b"x")
    records, (error,) = read(head + block + sample.enhanced(0, 2, b"y") + sample.enhanced(0, 3, b"z"))
    assert [record.ts_ns for record in records] == [1000, 2000, 3000]
    assert what in error.what
    assert error.offset == len(head)


def test_interfaces_are_bounded() -> None:
    data = sample.section() + sample.interface() * 256 + sample.enhanced(255, 1, b"x")
    assert len(read(data)[0]) == 1
    records, (error,) = read(sample.section() + sample.interface() * 257 + sample.enhanced(255, 1, b"x"))
    assert (len(records), error.what) == (1, "pcapng section has too many interfaces")


def test_another_format_is_refused() -> None:
    with pytest.raises(WireError, match="not a pcapng file at byte 0: found 4d3cb2a1, wanted 0a0d0d0a"):
        list(pcapng.records(sample.pcap()))


@given(st.binary(max_size=200) | sample.damaged(sample.pcapngs()))
def test_any_bytes_give_records_inside_the_file_or_errors(data: bytes) -> None:
    try:
        records, errors = read(data)
    except WireError:
        return
    for record in records:
        assert 0 < record.offset < record.data_offset <= record.data_offset + len(record.data) <= len(data) - 4
        assert -(2**63) <= record.ts_ns < 2**63
    assert all(0 <= error.offset <= len(data) for error in errors)


# ---- writing -------------------------------------------------------------------------------------------------------

INTERFACES = [Interface(LinkType.ETHERNET, 65535, name="A"), Interface(LinkType.RAW, name="line B")]
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**63 - 1), st.binary(max_size=70), st.integers(0, 1), st.none() | st.integers(0, 2**32 - 1)
    ),
    max_size=6,
)


@given(ROWS, st.sampled_from("<>"), st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)))
def test_what_is_written_is_read(rows: list[tuple[int, bytes, int, Any]], order: str, drops: tuple[int, int]) -> None:
    writer = Writer(INTERFACES, order=order)
    data = writer.start() + b"".join(writer.packet(*row) for row in rows) + writer.close(drops)
    decoder, at, seen = Decoder(), 0, []
    while at < len(data):
        record, at = decoder.step(memoryview(data), at)
        if record:
            seen.append((record.ts_ns, bytes(record.data), record.interface, record.original_length))
    assert seen == [(*row[:3], len(row[1]) if row[3] is None else row[3]) for row in rows]
    assert [interface.drops for interface in decoder.interfaces] == list(drops)
    assert [(one.linktype, one.snaplen, one.resolution, one.name) for one in decoder.interfaces] == [
        (1, 65535, 9, "A"), (101, 0, 9, "line B"),
    ]  # fmt: skip


def test_a_filter_and_the_statistics_of_packets_that_somebody_else_wrote_are_read() -> None:
    writer = Writer([Interface(LinkType.ETHERNET, name="A", filter="udp port 5"), *INTERFACES[1:]])
    data = memoryview(writer.start() + writer.statistics(1, 7, received=10, dropped=3))
    decoder, at = Decoder(), 0
    while at < len(data):
        _, at = decoder.step(data, at)
    assert [(one.filter, one.drops) for one in decoder.interfaces] == [("udp port 5", None), ("", 3)]
    assert decoder.dropped == 3


@pytest.mark.parametrize(
    ("ts_ns", "frame", "interface"),
    [(-1, b"", 0), (2**64, b"", 0), (0, b"", 2), (0, b"", -1), (0, bytes(MAX_RECORD + 1), 0)],
)
def test_what_a_packet_block_cannot_hold_is_misuse(ts_ns: int, frame: bytes, interface: int) -> None:
    with pytest.raises(MisuseError):
        Writer(INTERFACES).packet(ts_ns, frame, interface)


def test_a_section_needs_interfaces() -> None:
    for interfaces in ([], [Interface(1)] * 257):
        with pytest.raises(MisuseError):
            Writer(interfaces)


# ---- other readers -------------------------------------------------------------------------------------------------

STAMPS = [1_700_000_000 * 10**9 + ns for ns in (0, 1, 72, 999_999_999, 123_456_789)]  # a double cannot tell 72 ns apart


def written(tmp_path: Path, drops: list[int], order: str = "<") -> Path:
    writer = Writer(INTERFACES, order=order)
    packets = [writer.packet(ts, frame, i, 99) for ts in STAMPS for i, frame in enumerate((sample.FRAME4, sample.IP6))]
    path = tmp_path / "x.pcapng"
    path.write_bytes(writer.start() + b"".join(packets) + writer.close(drops))
    return path


@pytest.mark.parametrize("order", "<>")
def test_scapy_reads_what_is_written(tmp_path: Path, order: str) -> None:
    utils = pytest.importorskip("scapy.utils", reason="scapy is not installed")
    with utils.RawPcapNgReader(str(written(tmp_path, [0, 0], order))) as reader:
        rows = [
            (meta.tshigh << 32 | meta.tslow, meta.tsresol, meta.linktype, meta.wirelen, frame) for frame, meta in reader
        ]
    assert rows == [
        (ts, 10**9, link, 99, frame) for ts in STAMPS for link, frame in ((1, sample.FRAME4), (101, sample.IP6))
    ]


@pytest.mark.parametrize("order", "<>")
def test_tshark_reads_what_is_written(tmp_path: Path, order: str) -> None:
    fields = ("frame.time_epoch", "frame.interface_id", "frame.interface_name", "frame.len", "udp.payload")
    rows = tshark(written(tmp_path, [5, 0], order), *fields)
    expected = [(ts, str(i), name, "99", b"payload".hex()) for ts in STAMPS for i, name in enumerate(("A", "line B"))]
    assert [(nanoseconds(row[0]), *row[1:]) for row in rows] == expected


def test_capinfos_sees_the_statistics(tmp_path: Path) -> None:
    if shutil.which("capinfos") is None:
        pytest.skip("capinfos is not installed")
    text = subprocess.run(
        ["capinfos", str(written(tmp_path, [5, 0]))], capture_output=True, text=True, check=True
    ).stdout
    assert "Number of packets:   10" in text
    assert text.count("Number of stat entries = 1") == 2
    assert "nanoseconds (9)" in text


@pytest.mark.parametrize(
    ("name", "count"), [("deribit_multicast/sample_capture_v1_6.pcapng", 5066), ("cme/Cme.Mdp3.Sbe.v6.1.pcap", 10_000)]
)
def test_real_captures_are_read_as_tshark_reads_them(name: str, count: int) -> None:
    path = recording(name)
    rows = tshark(path, "frame.time_epoch", "frame.cap_len", "frame.len", "frame.interface_id")
    records = [(r.ts_ns, len(r.data), r.original_length, r.interface) for r in pcapng.records(path.read_bytes())]
    assert len(records) == count
    assert records == [(nanoseconds(row[0]), *map(int, row[1:])) for row in rows]
