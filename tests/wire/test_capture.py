"""The walker: the twin and the compiled core side by side, and facts about real captures."""

import ctypes
import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netfeed.wire.capture import NO_TIME, PACKET, Kind, Status, Walker
from netfeed.wire.headers import udp_frame
from netfeed.wire.pcap import MAX_RECORD, RESYNC_BYTES
from tests.data import recording
from tests.wire import capture_samples as sample

try:
    from netfeed._core.capture import Walker as CoreWalker
except ImportError:
    CoreWalker = None

WALKERS = [
    pytest.param(Walker, id="twin"),
    pytest.param(CoreWalker, id="core", marks=pytest.mark.skipif(CoreWalker is None, reason="the core is not built")),
]
both = pytest.mark.parametrize("walker_class", WALKERS)
needs_core = pytest.mark.skipif(CoreWalker is None, reason="the compiled core is not built")
COUNTERS = ("records", "udp", "fragments", "not_udp", "bad", "truncated", "dropped", "format", "interfaces", "error")
TIME = 1_700_000_000


def walk(
    walker: Any, data: bytes, capacity: int = 100, *, offset: int = 0, base: int = 0
) -> tuple[list[Any], int, int]:
    """Walk to the first status that is not MORE; give the packets, the next offset and the status."""
    packets, status = [], 0
    while status == Status.MORE:
        out = np.zeros(capacity, PACKET)
        count, offset, status = walker.walk(data, offset, out, base)
        packets += out[:count].tolist()
    return packets, offset, status


def rows(packets: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(PACKET.names, packet, strict=True)) for packet in packets]


def journey(walker: Any, data: bytes, capacity: int, chunk: int) -> list[Any]:
    """Walk a capture that comes in chunks, past every error; log all that can be seen from outside."""
    log: list[Any] = []
    start, end = 0, 0
    while True:
        end = min(len(data), end + chunk)
        buffer, at = data[start:end], 0
        while at >= 0:
            out = np.zeros(capacity, PACKET)
            count, at, status = walker.walk(buffer, at, out, start)
            log.append((count, at, int(status), out.tobytes(), [getattr(walker, name) for name in COUNTERS]))
            if status == Status.BAD or (status == Status.PARTIAL and end == len(data)):
                at = walker.resync(buffer, at)
                log.append(at)
            elif status != Status.MORE:
                break
        if at < 0 or end == len(data):
            return log
        start += at


@needs_core
@settings(max_examples=250)
@given(sample.damaged(sample.CAPTURES), st.integers(1, 4), st.sampled_from([1, 90, 300, 1000, 10_000]))
@example(sample.pcap((TIME, 5, sample.FRAME4, 100)), 1, 1000)
def test_twin_and_core_see_the_same_in_any_capture(data: bytes, capacity: int, chunk: int) -> None:
    assert journey(CoreWalker(), data, capacity, chunk) == journey(Walker(), data, capacity, chunk)


@needs_core
@given(sample.cut_frames(), st.sampled_from(sample.LINKS), st.integers(0, 150), st.integers(0, 255))
def test_twin_and_core_see_the_same_in_a_frame_with_any_byte_changed(
    frame: tuple[bytes, int], link: int, at: int, value: int
) -> None:
    changed = bytearray(frame[0])
    changed[at : at + 1] = bytes([value])
    data = sample.pcap((TIME, 0, bytes(changed), frame[1]), link=link)
    assert journey(CoreWalker(), data, 2, 10_000) == journey(Walker(), data, 2, 10_000)


@needs_core
def test_twin_and_core_agree_on_every_sample_frame_cut_at_every_byte() -> None:
    for link, frame in sample.FRAMES:
        cuts = [(TIME, 0, frame[:size], original) for size in range(len(frame) + 1) for original in (size, len(frame))]
        data = sample.pcap(*cuts, link=link)
        assert walk(CoreWalker(), data) == walk(Walker(), data)


@needs_core
@given(st.binary(max_size=200))
def test_twin_and_core_see_the_same_in_any_bytes(data: bytes) -> None:
    assert journey(CoreWalker(), data, 3, 50) == journey(Walker(), data, 3, 50)


def test_the_record_of_numpy_is_the_c_struct() -> None:
    u8, u16, u32, i64 = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_int64

    class Packet(ctypes.Structure):  # as capture.pxd declares it
        _fields_ = [
            ("record_offset", i64), ("ts_ns", i64), ("payload_offset", i64), ("payload_length", u32),
            ("captured_length", u32), ("original_length", u32), ("interface", u32), ("kind", u8), ("ip_version", u8),
            ("vlan", u16), ("source_port", u16), ("destination_port", u16), ("source", u8 * 16),
            ("destination", u8 * 16),
        ]  # fmt: skip

    fields = PACKET.fields
    assert fields is not None
    assert [(name, getattr(Packet, name).offset) for name, _ in Packet._fields_] == [
        (n, fields[n][1]) for n in PACKET.names or ()
    ]
    assert ctypes.sizeof(Packet) == PACKET.itemsize <= 96


def test_the_declared_struct_is_the_one_that_the_core_was_built_from() -> None:
    declared = Path(__file__).parents[2] / "src/netfeed/_core/capture.pxd"
    body = declared.read_text().split("cdef struct Packet:")[1].split("cdef struct")[0]
    names = [line.split("#")[0].split()[-1].split("[")[0] for line in body.splitlines()[1:] if line.strip()]
    assert tuple(names) == PACKET.names


@both
def test_a_packet_has_all_its_fields(walker_class: Any) -> None:
    frame = udp_frame(b"abc", ("10.1.2.3", 1111), ("239.1.2.3", 2222), vlan=300)
    packets, offset, status = walk(walker_class(), sample.pcap((TIME, 123_456_789, frame, len(frame))), base=1000)
    (packet,) = rows(packets)
    assert (status, offset) == (Status.END, 24 + 16 + len(frame))
    assert packet == {
        "record_offset": 1024, "ts_ns": TIME * 10**9 + 123_456_789, "payload_offset": 24 + 16 + 14 + 4 + 20 + 8,
        "payload_length": 3, "captured_length": len(frame), "original_length": len(frame), "interface": 0,
        "kind": Kind.UDP, "ip_version": 4, "vlan": 300, "source_port": 1111, "destination_port": 2222,
        "source": bytes(10) + b"\xff\xff\x0a\x01\x02\x03", "destination": bytes(10) + b"\xff\xff\xef\x01\x02\x03",
    }  # fmt: skip


@both
@pytest.mark.parametrize(
    ("order", "nano", "ns"), [("<", True, 999), (">", True, 999), ("<", False, 999_000), (">", False, 999_000)]
)
def test_both_magics_in_both_orders_give_integer_nanoseconds(
    walker_class: Any, order: str, nano: bool, ns: int
) -> None:
    data = sample.pcap((2**32 - 1, 999, sample.FRAME4, 60), order=order, nano=nano)
    packets, _, _ = walk(walker_class(), data)
    assert rows(packets)[0]["ts_ns"] == (2**32 - 1) * 10**9 + ns


@both
def test_a_full_array_says_more_and_the_walk_goes_on_where_it_stopped(walker_class: Any) -> None:
    data = sample.pcap(*[(TIME, i, sample.FRAME4, len(sample.FRAME4)) for i in range(5)])
    walker, out = walker_class(), np.zeros(2, PACKET)
    first = walker.walk(data, 0, out)
    assert first == (2, 24 + 2 * (16 + len(sample.FRAME4)), Status.MORE)
    assert walker.walk(data, first[1], np.zeros(0, PACKET)) == (0, first[1], Status.MORE)
    packets, _, status = walk(walker, data, offset=first[1])
    assert [packet["ts_ns"] % 10 for packet in rows(packets)] == [2, 3, 4]
    assert (status, walker.records, walker.udp) == (Status.END, 5, 5)


@both
def test_a_torn_last_record_is_reported_with_what_was_read(walker_class: Any) -> None:
    data = sample.pcap((TIME, 0, sample.FRAME4, 49), (TIME, 1, sample.FRAME4, 49))[:-10]
    walker = walker_class()
    packets, offset, status = walk(walker, data)
    assert (len(packets), status) == (1, Status.PARTIAL)
    assert offset == 24 + 16 + len(sample.FRAME4)
    assert walker.error == (
        "pcap record is cut short",
        f"{16 + len(sample.FRAME4) - 10} bytes",
        f"{16 + len(sample.FRAME4)} bytes",
    )


@both
def test_after_a_length_that_cannot_be_the_rest_of_the_file_is_read(walker_class: Any) -> None:
    good = [(TIME + i, i, sample.FRAME4, len(sample.FRAME4)) for i in range(3)]
    insane = struct.pack("<4I", TIME, 0, MAX_RECORD + 1, MAX_RECORD + 1) + bytes(50)
    data = sample.pcap(good[0], insane, *good[1:])
    walker = walker_class()
    packets, offset, status = walk(walker, data)
    assert (len(packets), offset, status) == (1, 24 + 16 + len(sample.FRAME4), Status.BAD)
    assert walker.error == ("pcap record is longer than a capture can hold", "262145 bytes", "at most 262144 bytes")
    again = walker.resync(data, offset)
    assert again == offset + len(insane)
    packets, _, status = walk(walker, data, offset=again)
    assert ([packet["ts_ns"] % 10 for packet in rows(packets)], status) == ([1, 2], Status.END)


@both
def test_a_damaged_block_is_passed_and_the_rest_of_the_file_is_read(walker_class: Any) -> None:
    blocks = [sample.enhanced(0, i, sample.FRAME4) for i in range(4)]
    blocks[1] = blocks[1][:-4] + b"\0\0\0\0"
    head = sample.section() + sample.interface()
    data = head + b"".join(blocks)
    walker = walker_class()
    packets, offset, status = walk(walker, data)
    assert (len(packets), offset, status) == (1, len(head) + len(blocks[0]), Status.BAD)
    again = walker.resync(data, offset)
    assert again == offset + len(blocks[1])
    assert [packet["ts_ns"] for packet in rows(walk(walker, data, offset=again)[0])] == [2000, 3000]


@both
def test_nothing_plausible_gives_no_offset(walker_class: Any) -> None:
    walker = walker_class()
    assert walker.resync(b"anything", 0) == -1
    data = sample.pcap((TIME, 0, sample.FRAME4, 49)) + bytes(96)
    assert walk(walker, data)[2] == Status.END  # zeros are a record of no bytes
    assert walker.resync(data, len(data) - 50) == -1


SHORT, VERSION = "pcap file header is cut short", "pcap file header has an unknown version"
FOREIGN, MAGICS = "not a capture file", "a pcap or pcapng magic number"
ORDER, ORDERS = "pcapng section has an unknown byte order", "1a2b3c4d or 4d3c2b1a"


@both
@pytest.mark.parametrize(
    ("data", "status", "error"),
    [
        (b"", Status.END, None),
        (b"\x0a\x0d", Status.PARTIAL, ("capture file header is cut short", "2 bytes", "4 bytes")),
        (b"\x4d\x3c\xb2\xa1", Status.PARTIAL, (SHORT, "4 bytes", "24 bytes")),
        (b"\x0a\x0d\x0d\x0a", Status.PARTIAL, ("pcapng block is cut short", "4 bytes", "12 bytes")),
        (b"\x1f\x8b\x08\x00" + bytes(40), Status.BAD, (FOREIGN, "1f8b0800", MAGICS)),
        (b"\xd4\xc3\xb2\xa1\x01\x00\x04" + bytes(40), Status.BAD, (VERSION, "1.4", "2.x")),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\1\2\3\4" + bytes(40), Status.BAD, (ORDER, "01020304", ORDERS)),
        (
            sample.block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 2, 7, -1)),
            Status.BAD,
            ("pcapng section has an unknown version", "2.7", "1.x"),
        ),
    ],
)
def test_a_file_that_does_not_begin_as_a_capture_says_why(
    walker_class: Any, data: bytes, status: Status, error: Any
) -> None:
    walker = walker_class()
    assert walker.walk(data, 0, np.zeros(4, PACKET)) == (0, 0, status)
    assert (walker.error, walker.format, walker.interfaces) == (error, None, [])


HEAD = sample.section() + sample.interface()
LENGTH, TRAILER = "pcapng block has an impossible length", "pcapng block does not repeat its length at its end"
STRANGER, LONG = "pcapng block names an unknown interface", "pcapng packet is longer than its block"
OPTION, SIZE = "pcapng option runs past its block", "pcapng option has a wrong length"


@needs_core
def test_the_search_of_the_core_is_bounded_as_the_twin_is() -> None:
    record = sample.pcap_record(TIME, 0, b"data", 4)
    for gap, found in ((RESYNC_BYTES - 1, 24 + RESYNC_BYTES), (RESYNC_BYTES, -1)):
        walker = CoreWalker()
        data = sample.pcap() + b"\xff" * (1 + gap) + record
        assert walk(walker, data)[1:] == (24, Status.BAD)
        assert walker.resync(data, 24) == found


@both
@pytest.mark.parametrize(
    ("block", "error"),
    [
        (struct.pack("<III", 6, 30, 30), (LENGTH, "30 bytes", "a multiple of 4 from 32 to 16777216 bytes")),
        (struct.pack("<III", 9, 2**24 + 4, 0), (LENGTH, "16777220 bytes", "a multiple of 4 from 12 to 16777216 bytes")),
        (struct.pack("<III", 9, 12, 16), (TRAILER, "16 bytes", "12 bytes")),
        (sample.enhanced(1, 0, b""), (STRANGER, "1", "below 1")),
        (sample.statistics(7), (STRANGER, "7", "below 1")),
        (sample.block(6, struct.pack("<5I", 0, 0, 0, 5, 5) + b"four"), (LONG, "5 bytes", "at most 4 bytes")),
        (sample.simple(b"four", 5), (LONG, "5 bytes", "at most 4 bytes")),
        (sample.block(1, struct.pack("<HHIHH", 1, 0, 0, 9, 40)), (OPTION, "40 bytes", "at most 0 bytes")),
        (sample.interface(1, 0, (9, b"\x09\x00")), (SIZE, "2 bytes", "1 bytes")),
        (sample.interface(1, 0, (14, bytes(4))), (SIZE, "4 bytes", "8 bytes")),
        (sample.statistics(0, (5, bytes(4))), (SIZE, "4 bytes", "8 bytes")),
        (sample.interface() * 256, ("pcapng section has too many interfaces", "257", "at most 256")),
    ],
)
def test_a_block_that_cannot_be_is_refused_with_the_reason(walker_class: Any, block: bytes, error: Any) -> None:
    walker = walker_class()
    _, offset, status = walk(walker, HEAD + block)
    assert (status, walker.error) == (Status.BAD, error)
    assert offset >= len(HEAD)


@both
def test_a_record_over_a_small_snap_length_is_believed_up_to_what_ip_can_make(walker_class: Any) -> None:
    frame = bytes(65_535)
    assert len(walk(walker_class(), sample.pcap((TIME, 0, frame, len(frame)), snaplen=64))[0]) == 1
    walker = walker_class()
    assert walk(walker, sample.pcap((TIME, 0, frame + b"x", 65_536), snaplen=64))[2] == Status.BAD
    assert walker.error[2] == "at most 65535 bytes"


@both
def test_kinds_are_counted(walker_class: Any) -> None:
    walker = walker_class()
    tcp, fragment, broken = (sample.MACS + b"\x08\x00" + ip for ip in (sample.IPS[5], sample.IPS[3], sample.IPS[7]))
    cut = (TIME, 0, sample.FRAME4[:-3], len(sample.FRAME4))
    whole = [(TIME, 0, frame, len(frame)) for frame in (sample.FRAME4, tcp, fragment, broken)]
    packets, _, _ = walk(walker, sample.pcap(*whole, cut))
    kinds = [packet["kind"] for packet in rows(packets)]
    assert kinds == [Kind.UDP, Kind.NOT_UDP, Kind.FRAGMENT, Kind.BAD, Kind.TRUNCATED]
    assert (walker.records, walker.udp, walker.not_udp, walker.fragments, walker.bad, walker.truncated) == (
        5,
        1,
        1,
        1,
        1,
        1,
    )
    assert (rows(packets)[4]["payload_length"], rows(packets)[4]["payload_offset"]) == (4, packets[4][0] + 16 + 42)
    assert all(packet["payload_offset"] == packet["payload_length"] == 0 for packet in rows(packets)[1:4])


@both
def test_sections_have_their_own_interfaces_and_drops_add_up(walker_class: Any) -> None:
    counter = struct.pack("<Q", 7)
    little = sample.section() + sample.interface(1, 96) + sample.enhanced(0, 5, sample.FRAME4)
    little += sample.statistics(0, (5, struct.pack("<Q", 3))) + sample.statistics(0, (5, counter), (7, counter))
    big = sample.section(">") + sample.interface(101, order=">") + sample.interface(229, order=">")
    big += sample.enhanced(1, 6, sample.IP6, order=">") + sample.statistics(1, (5, struct.pack(">Q", 1)), order=">")
    walker = walker_class()
    packets, _, status = walk(walker, little + big)
    assert [(packet["interface"], packet["ts_ns"], packet["ip_version"]) for packet in rows(packets)] == [
        (0, 5000, 4),
        (1, 6000, 6),
    ]
    assert (status, walker.format) == (Status.END, "pcapng")
    assert walker.interfaces == [(101, 0, None), (229, 0, 1)]
    assert walker.dropped == 14 + 1


@both
def test_a_simple_packet_has_no_time_and_the_length_that_the_snap_length_leaves(walker_class: Any) -> None:
    data = sample.section() + sample.interface(1, 44) + sample.simple(sample.FRAME4[:44], len(sample.FRAME4))
    (packet,) = rows(walk(walker_class(), data)[0])
    assert (packet["ts_ns"], packet["captured_length"], packet["original_length"]) == (NO_TIME, 44, len(sample.FRAME4))
    assert (packet["kind"], packet["payload_length"]) == (Kind.TRUNCATED, 2)


@both
def test_a_walk_refuses_what_it_cannot_use(walker_class: Any) -> None:
    out = np.zeros(1, PACKET)
    for offset in (-1, 5):
        with pytest.raises(ValueError, match="outside the buffer"):
            walker_class().walk(b"four", offset, out)
        with pytest.raises(ValueError, match="outside the buffer"):
            walker_class().resync(b"four", offset)
    with pytest.raises(ValueError, match="PACKET"):
        walker_class().walk(b"four", 0, np.zeros(1, "u8"))


@both
def test_any_chunking_gives_the_packets_of_the_whole(walker_class: Any) -> None:
    data = sample.section() + sample.interface() + b"".join(sample.enhanced(0, i, sample.FRAME4) for i in range(5))
    whole = walk(walker_class(), data)[0]
    for chunk in (1, 7, 60, 100):
        walker, packets, start = walker_class(), [], 0
        for end in range(chunk, len(data) + chunk, chunk):
            part, offset, status = walk(walker, data[start:end], base=start)
            packets += [(*packet[:2], packet[2] + start, *packet[3:]) for packet in part]
            start += offset
        assert (packets, status) == (whole, Status.END)


# ---- real captures: the numbers are those of the README beside them ------------------------------------------------


def journal(walker: Any, data: bytes) -> tuple[Any, int]:
    out = np.zeros(200_000, PACKET)
    count, _, status = walker.walk(data, 0, out)
    return out[:count], status


@both
def test_deribit_multicast_is_all_udp_on_event_and_snapshot_groups(walker_class: Any) -> None:
    walker = walker_class()
    data = recording("deribit_multicast/sample_capture_v1_6.pcapng").read_bytes()
    packets, status = journal(walker, data)
    assert (len(packets), status, walker.udp, walker.dropped) == (5066, Status.END, 5066, 0)
    assert set(packets["destination_port"].tolist()) <= {6100, 6101}
    assert {address[12:15] for address in packets["destination"].tolist()} == {b"\xef\x6f\x6f"}
    assert packets["ts_ns"][0] == 1686858149957011749  # capinfos
    assert packets["ts_ns"][-1] == 1686858230688954258


@both
def test_cme_lines_carry_the_same_payloads(walker_class: Any) -> None:
    data = recording("cme/Cme.Mdp3.Sbe.v6.1.pcap").read_bytes()
    packets, status = journal(walker_class(), data)
    lines: dict[int, list[bytes]] = {14340: [], 15340: []}
    for packet in packets:
        at = int(packet["payload_offset"])
        lines[int(packet["destination_port"])].append(data[at : at + int(packet["payload_length"])])
    assert status == Status.END
    assert len(lines[14340]) == 5000
    assert lines[14340] == lines[15340]
    assert struct.unpack_from("<I", lines[14340][0])[0] == 5615


@both
def test_iex_is_read_up_to_its_torn_record(walker_class: Any) -> None:
    if walker_class is Walker:
        pytest.skip("121,314 packets: the core only")
    walker = walker_class()
    data = gzip.decompress(recording("iex/go-iex_DEEP10.pcap.gz").read_bytes())
    packets, status = journal(walker, data)
    assert (len(packets), status) == (121_314, Status.PARTIAL)
    assert (packets["destination"] == np.void(bytes(10) + b"\xff\xff\xe0\x02\x03\x0a")).all()
    assert set(packets["destination_port"].tolist()) == {16_648}


@both
def test_nasdaq_packets_are_found_behind_their_vlan_tag(walker_class: Any) -> None:
    for path in sorted(recording("nasdaq_packets/itch50").glob("*.pcap")):
        packets, status = journal(walker_class(), path.read_bytes())
        assert status == Status.END
        assert {(int(p["kind"]), int(p["destination_port"]), p["vlan"] != 0xFFFF) for p in packets} == {
            (Kind.UDP, 26477, True)
        }
        assert {p["destination"].tobytes()[12:] for p in packets} == {bytes([233, 54, 12, 111])}
