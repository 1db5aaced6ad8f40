"""Blocks of a ring, made up: frames in order, tags put back, cooked headers, and lengths that lead out of a block."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.build import PURE
from netfeed.machine import NEVER
from netfeed.transport.raw import blocks as plain
from netfeed.transport.raw.source import ALL, Form, Frame, FrameKind, Why
from netfeed.wire import pcap, pcapng
from tests.transport.raw.block_samples import (
    BLOCK,
    HARDWARE,
    SECOND,
    TPID_VALID,
    USER,
    VLAN_VALID,
    Sample,
    block,
    rings,
    state,
)

CLASSES: list[Any] = [plain.BlockReader]
if not PURE:
    from netfeed.transport.raw.ring import BlockReader as CoreReader

    CLASSES.append(CoreReader)

NS = SECOND * 10**9


@pytest.fixture(params=CLASSES, ids=lambda one: one.__module__.rpartition(".")[2])
def reader_class(request: pytest.FixtureRequest) -> Any:
    return request.param


def numbered(*numbers: int) -> list[Sample]:
    return [Sample(bytes([k]) * 60, (SECOND, k)) for k in numbers]


def test_frames_come_in_order_and_their_blocks_are_given_back(reader_class: Any) -> None:
    ring = bytearray(block(*numbered(1, 2)) + block(*numbered(3)) + block(status=0))
    reader = reader_class(ring, BLOCK)
    assert reader.take() == [Frame(NS + k, bytes([k]) * 60, 60, FrameKind.HOST) for k in (1, 2, 3)]
    assert [struct.unpack_from("=I", ring, at * BLOCK + 8)[0] for at in range(3)] == [0, 0, 0]
    assert reader.take() == []
    assert state(reader) == (3, 180, 0, 0)


def test_a_block_is_given_back_with_its_last_frame_and_not_before(reader_class: Any) -> None:
    ring = bytearray(block(*numbered(1, 2)))
    reader = reader_class(ring, BLOCK)
    assert [one.ts_ns - NS for one in reader.take(1)] == [1]
    assert struct.unpack_from("=I", ring, 8) == (USER,)
    assert [one.ts_ns - NS for one in reader.take(1)] == [2]
    assert struct.unpack_from("=I", ring, 8) == (0,)
    ring[:BLOCK] = block(*numbered(7))  # the ring goes round
    assert [one.ts_ns - NS for one in reader.take()] == [7]


def test_pcap_records_are_those_of_the_writer(reader_class: Any) -> None:
    out = bytearray(4096)
    reader = reader_class(bytearray(block(*numbered(1, 2), Sample(b"\3" * 40, length=1500))), BLOCK)
    written = reader.write_into(out, Form.PCAP)
    wanted = [(1, b"\1" * 60, 60), (2, b"\2" * 60, 60), (7, b"\3" * 40, 1500)]
    assert bytes(out[: written.bytes]) == b"".join(pcap.record(NS + ns, data, size) for ns, data, size in wanted)
    assert written == (written.bytes, 3, NS + 1, NS + 7, Why.EMPTY)
    assert state(reader) == (3, 160, 0, 0)


def test_pcapng_blocks_are_those_of_the_writer(reader_class: Any) -> None:
    writer = pcapng.Writer([pcapng.Interface(1), pcapng.Interface(1)])
    out = bytearray(b"\xff" * 4096)
    reader = reader_class(bytearray(block(*numbered(1), Sample(b"\3" * 41, length=1500))), BLOCK)
    written = reader.write_into(out, Form.PCAPNG, 1)
    wanted = writer.packet(NS + 1, b"\1" * 60, 1) + writer.packet(NS + 7, b"\3" * 41, 1, 1500)
    assert bytes(out[: written.bytes]) == wanted


def test_a_record_that_does_not_fit_is_not_begun(reader_class: Any) -> None:
    reader = reader_class(bytearray(block(*numbered(1, 2, 3))), BLOCK)
    out = bytearray(b"\xff" * (2 * 76 + 75))
    written = reader.write_into(out, Form.PCAP)
    assert (written.frames, written.bytes, written.why) == (2, 152, Why.ROOM)
    assert out[152:] == b"\xff" * 75
    assert reader.write_into(bytearray(0), Form.PCAP) == (0, 0, None, None, Why.ROOM)
    assert reader.write_into(out, Form.PCAP)[1:3] == (1, NS + 3)


def test_writing_stops_at_a_count_and_before_a_time(reader_class: Any) -> None:
    reader, out = reader_class(bytearray(block(*numbered(1, 2, 3, 4))), BLOCK), bytearray(4096)
    assert reader.write_into(out, Form.PCAP, 0, 1)[1:] == (1, NS + 1, NS + 1, Why.COUNT)
    assert reader.write_into(out, Form.PCAP, 0, ALL, NS + 4)[1:] == (2, NS + 2, NS + 3, Why.TIME)
    assert reader.write_into(out, Form.PCAP, 0, ALL, NS + 4)[1:] == (0, None, None, Why.TIME)
    assert reader.write_into(out, Form.PCAP, 0, ALL, NEVER)[1:] == (1, NS + 4, NS + 4, Why.EMPTY)


def test_a_tag_that_the_kernel_took_off_is_put_back(reader_class: Any) -> None:
    data = bytes(range(60))
    ring = block(
        Sample(data, tci=0x2005),
        Sample(data, status=VLAN_VALID),
        Sample(data, status=VLAN_VALID | TPID_VALID, tci=7, tpid=0x88A8),
        Sample(data[:11], tci=5),
    )
    tags = [bytes.fromhex(one) for one in ("81002005", "81000000", "88a80007")]
    frames = reader_class(bytearray(ring), BLOCK).take()
    assert [one.data for one in frames] == [*(data[:12] + tag + data[12:] for tag in tags), data[:11]]
    assert [one.length for one in frames] == [64, 64, 64, 11]


def test_cooked_frames_begin_with_where_they_were_seen(reader_class: Any) -> None:
    ring = block(Sample(b"\x45" * 20, kind=4, interface=9), Sample(b"\x60" * 40, tci=5, protocol=0x86DD))
    plain_head = bytes.fromhex("0800 0000 00000009 0001 04 06 0200000000010000")
    tagged = bytes.fromhex("8100 0000 00000002 0001 00 06 0200000000010000 0005 86dd")
    first, second = reader_class(bytearray(ring), BLOCK, cooked=True).take()
    assert (first.data, first.length, first.kind) == (plain_head + b"\x45" * 20, 40, FrameKind.OUTGOING)
    assert (second.data, second.length) == (tagged + b"\x60" * 40, 64)


def test_what_a_loopback_sends_is_left_out_because_it_comes_back(reader_class: Any) -> None:
    ring = block(Sample(kind=4, interface=1), Sample(kind=0, interface=1), Sample(kind=4, interface=2))
    reader = reader_class(bytearray(ring), BLOCK, loopback=1)
    assert [one.kind for one in reader.take()] == [FrameKind.HOST, FrameKind.OUTGOING]
    assert state(reader) == (2, 120, 0, 0)


def test_frames_are_cut_to_the_snap_length_with_the_tag_counted(reader_class: Any) -> None:
    ring = block(Sample(bytes(60), tci=5), Sample(bytes(10)), size=BLOCK)
    reader = reader_class(bytearray(ring), BLOCK, snap=14)
    assert [(one.data, one.length) for one in reader.take()] == [(bytes(12) + b"\x81\x00", 64), (bytes(10), 10)]
    assert reader.bytes == 24


def test_frames_that_the_card_stamped_are_counted(reader_class: Any) -> None:
    reader = reader_class(bytearray(block(Sample(status=HARDWARE), Sample())), BLOCK)
    assert len(reader.take()) == 2
    assert reader.hardware == 1


@pytest.mark.parametrize(
    ("broken", "invalid", "read"),
    [
        (block(Sample(captured=BLOCK, length=BLOCK), *numbered(1)), 1, 1),  # data that end outside
        (block(Sample(offset=65535, captured=10), *numbered(1)), 1, 1),
        (block(Sample(length=2**32 - 1), *numbered(1)), 1, 1),
        (block(Sample(captured=61, length=60), *numbered(1)), 1, 1),  # more captured than there was
        (block(Sample(ts=(SECOND, 10**9)), *numbered(1)), 1, 1),  # a second of more than a second
        (block(Sample(step=0), *numbered(1, 2)), 2, 1),  # on the spot
        (block(Sample(step=67), *numbered(1, 2)), 2, 1),  # into itself
        (block(Sample(step=2**32 - 1), *numbered(1, 2)), 2, 1),
        (block(Sample(step=BLOCK - 48 - 67), *numbered(1)), 1, 1),  # a head that ends outside
        (block(*numbered(1, 2), first=47), 2, 0),
        (block(*numbered(1, 2), first=BLOCK - 67), 2, 0),
        (block(*numbered(1, 2), first=2**32 - 1), 2, 0),
        (block(first=2**32 - 1, count=0), 0, 0),
    ],
)
def test_a_length_that_leads_out_of_its_block_is_counted_and_not_followed(
    reader_class: Any, broken: bytes, invalid: int, read: int
) -> None:
    reader = reader_class(bytearray(broken + block(*numbered(9))), BLOCK)
    assert len(reader.take()) == read + 1
    assert (reader.frames, reader.invalid) == (read + 1, invalid)


def test_what_is_no_ring_is_refused(reader_class: Any) -> None:
    for ring, size in (
        (bytearray(100), 64),
        (bytearray(0), 64),
        (bytearray(96), 32),
        (bytearray(200), 100),
        (bytes(64), 64),
    ):
        with pytest.raises(ValueError, match="writable buffer of whole blocks"):
            reader_class(ring, size)
    with pytest.raises(ValueError, match="snap length"):
        reader_class(bytearray(64), 64, snap=0)


def test_a_closed_ring_gives_nothing_and_is_let_go(reader_class: Any) -> None:
    ring = bytearray(block(*numbered(1)))
    reader = reader_class(ring, BLOCK)
    reader.close()
    reader.close()
    ring.clear()  # nobody holds it
    for use in (reader.take, lambda: reader.write_into(bytearray(100), Form.PCAP)):
        with pytest.raises(ValueError, match="closed"):
            use()


@pytest.mark.skipif(PURE, reason="there is one build")
@given(
    rings(), st.booleans(), st.sampled_from([0, 1, 2]), st.integers(1, 200),
    st.lists(st.tuples(st.sampled_from(Form), st.integers(0, 400), st.integers(0, 4), st.booleans()), max_size=6),
)  # fmt: skip
def test_the_core_does_what_its_twin_does(
    ring: bytes, cooked: bool, loopback: int, snap: int, steps: list[tuple[Form, int, int, bool]]
) -> None:
    images = [bytearray(ring), bytearray(ring)]
    one, other = (
        kind(image, BLOCK, snap=snap, cooked=cooked, loopback=loopback)
        for kind, image in zip(CLASSES, images, strict=True)
    )
    for form, room, limit, taking in steps:
        if taking:
            assert one.take(limit) == other.take(limit)
        else:
            outs = [bytearray(room), bytearray(room)]
            until = 2**31 * 10**9 if limit else NEVER
            written = [
                kind.write_into(out, form, 3, limit or ALL, until) for kind, out in zip((one, other), outs, strict=True)
            ]
            assert written[0] == written[1]
            assert outs[0] == outs[1]
        assert state(one) == state(other)
        assert images[0] == images[1]
    assert one.take(10**6) == other.take(10**6)
    assert state(one) == state(other)
    assert images[0] == images[1]
