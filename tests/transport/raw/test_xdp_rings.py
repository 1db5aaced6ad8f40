"""The rings of AF_XDP on memory of our own: both readers against each other, and whatever stands in a descriptor."""

import mmap
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.build import PURE
from netfeed.machine import NEVER
from netfeed.transport.raw import xdp_rings
from netfeed.transport.raw.source import Form, FrameKind, Why
from netfeed.transport.raw.xdp_rings import Ring
from netfeed.wire import pcap, pcapng

if PURE:
    BOTH = [xdp_rings.Rings]
else:
    from netfeed.transport.raw import xdp_walk

    BOTH = [xdp_rings.Rings, xdp_walk.Rings]

CHUNK, CHUNKS, ENTRIES = 128, 8, 8
RX = Ring(0, 64, 128, ENTRIES)
FILL = Ring(8, 16, 64, ENTRIES)
NOW = 1_700_000_000_123_456_789
WRAP = 2**32


class Memory:
    """What a socket shares with the kernel, and what the kernel does there."""

    def __init__(self, rx_at: int = 0, fill_at: int = 0) -> None:
        self.rx, self.fill = mmap.mmap(-1, 256), mmap.mmap(-1, 128)
        self.area = mmap.mmap(-1, CHUNK * CHUNKS)
        self.area[:] = bytes(number % 251 for number in range(len(self.area)))
        struct.pack_into("=I60xI", self.rx, 0, rx_at, rx_at)
        struct.pack_into("=I4xI", self.fill, 8, fill_at, fill_at)

    def deliver(self, address: int, length: int, options: int = 0) -> None:
        (at,) = struct.unpack_from("=I", self.rx, RX.producer)
        struct.pack_into("=QII", self.rx, RX.entries_at + at % ENTRIES * 16, address, length, options)
        struct.pack_into("=I", self.rx, RX.producer, (at + 1) % WRAP)

    def given_back(self) -> list[int]:
        """Take what was given back, as the kernel does."""
        end, at = struct.unpack_from("=I4xI", self.fill, FILL.producer)
        found = []
        while at != end:
            found += struct.unpack_from("=Q", self.fill, FILL.entries_at + at % ENTRIES * 8)
            at = (at + 1) % WRAP
        struct.pack_into("=I", self.fill, FILL.consumer, end)
        return found

    def reader(self, kind: type[Any], snap: int = 4096) -> Any:
        return kind(self.rx, self.fill, self.area, RX, FILL, CHUNK, snap)


@pytest.fixture(params=BOTH, ids=lambda kind: kind.__module__.rpartition(".")[2])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_frames_become_records_and_their_chunks_go_back(kind: Any) -> None:
    memory = Memory(rx_at=WRAP - 1, fill_at=WRAP - 1)  # the counters wrap on the way
    rings = memory.reader(kind)
    memory.deliver(256 + 32, 60)
    memory.deliver(16, 77)
    out = bytearray(1000)
    written = rings.write_into(out, Form.PCAP, now_ns=NOW)
    assert written == (16 + 60 + 16 + 77, 2, NOW, NOW, Why.EMPTY)
    found = list(pcap.records(pcap.file_header() + bytes(out[: written.bytes])))
    assert [(one.ts_ns, bytes(one.data), one.original_length) for one in found] == [
        (NOW, memory.area[288 : 288 + 60], 60), (NOW, memory.area[16 : 16 + 77], 77),
    ]  # fmt: skip
    assert memory.given_back() == [256, 0]
    assert (rings.frames, rings.bytes, rings.invalid) == (2, 137, 0)
    assert rings.write_into(out, Form.PCAP) == (0, 0, None, None, Why.EMPTY)


def test_blocks_of_pcapng_are_padded_and_name_their_interface(kind: Any) -> None:
    memory = Memory()
    rings = memory.reader(kind, snap=61)
    memory.deliver(0, 100)
    memory.deliver(128, 61)
    out = bytearray(b"\xee" * 1000)
    written = rings.write_into(out, Form.PCAPNG, 1, now_ns=NOW)
    head = pcapng.Writer([pcapng.Interface(linktype=1, snaplen=61)] * 2).start()
    found = list(pcapng.records(head + bytes(out[: written.bytes])))
    assert [(one.ts_ns, one.interface, len(one.data), one.original_length) for one in found] == [
        (NOW, 1, 61, 100), (NOW, 1, 61, 61),
    ]  # fmt: skip
    assert bytes(out[28 + 61 : 28 + 64]) == bytes(3)


def test_it_stops_for_room_for_a_count_and_for_a_time(kind: Any) -> None:
    memory = Memory()
    rings = memory.reader(kind)
    for number in range(4):
        memory.deliver(number * CHUNK, 50)
    out = bytearray(2 * 66 + 65)
    assert rings.write_into(out, Form.PCAP, now_ns=NOW, until_ns=NOW) == (0, 0, None, None, Why.TIME)
    assert rings.write_into(out, Form.PCAP, frames=1, now_ns=NOW) == (66, 1, NOW, NOW, Why.COUNT)
    assert rings.write_into(out, Form.PCAP, now_ns=NOW, until_ns=NOW + 1) == (132, 2, NOW, NOW, Why.ROOM)
    assert rings.write_into(out, Form.PCAP, now_ns=NOW) == (66, 1, NOW, NOW, Why.EMPTY)


def test_frames_as_objects_say_to_whom_they_went(kind: Any) -> None:
    memory = Memory()
    for number, first in enumerate((b"\xff" * 6, b"\x01\x00\x5e\x01\x02\x03", b"\x02\x00\x00\x00\x00\x01")):
        memory.area[number * CHUNK : number * CHUNK + 6] = first
        memory.deliver(number * CHUNK, 60)
    rings = memory.reader(kind, snap=20)
    found = rings.take(2, NOW) + rings.take(now_ns=NOW)
    assert [one.kind for one in found] == [FrameKind.BROADCAST, FrameKind.MULTICAST, FrameKind.HOST]
    assert all((one.ts_ns, len(one.data), one.length) == (NOW, 20, 60) for one in found)
    assert rings.take() == []


def test_the_clock_is_read_where_nobody_gives_a_time(kind: Any) -> None:
    memory = Memory()
    rings = memory.reader(kind)
    memory.deliver(0, 50)
    memory.deliver(128, 50)
    (one,) = rings.take(1)
    written = rings.write_into(bytearray(100), Form.PCAP)
    assert NOW < one.ts_ns <= written.first_ns


@pytest.mark.parametrize(
    ("address", "length", "options", "back"),
    [
        (0, 0, 0, [0]),  # no frame at all
        (100, 29, 0, [0]),  # reaches into the next chunk
        (128, 60, 1, [128]),  # goes on in another descriptor, which nobody asked for
        (CHUNK * CHUNKS, 1, 0, []),  # behind the memory
        (2**64 - 1, 60, 0, []),
        (2**63, 2**32 - 1, 2**32 - 1, []),
    ],
)
def test_no_descriptor_is_believed(kind: Any, address: int, length: int, options: int, back: list[int]) -> None:
    memory = Memory()
    rings = memory.reader(kind)
    memory.deliver(address, length, options)
    memory.deliver(256, 40)
    assert [one.length for one in rings.take()] == [40]
    assert rings.invalid == 1
    assert memory.given_back() == [*back, 256]


def test_a_full_fill_ring_is_not_overrun(kind: Any) -> None:
    memory = Memory()
    struct.pack_into("=I", memory.fill, FILL.producer, ENTRIES)
    before = bytes(memory.fill)
    rings = memory.reader(kind)
    memory.deliver(0, 40)
    assert len(rings.take()) == 1
    assert bytes(memory.fill) == before


@pytest.mark.parametrize(
    ("rx", "fill", "chunk", "snap"),
    [
        (Ring(0, 64, 136, ENTRIES), FILL, CHUNK, 60),
        (Ring(0, 64, 128, 7), FILL, CHUNK, 60),
        (Ring(0, 64, 128, 0), FILL, CHUNK, 60),
        (Ring(0, 64, 128, 2**31), FILL, CHUNK, 60),
        (Ring(253, 64, 128, ENTRIES), FILL, CHUNK, 60),
        (Ring(-4, 64, 128, ENTRIES), FILL, CHUNK, 60),
        (Ring(0, 256, 128, ENTRIES), FILL, CHUNK, 60),
        (Ring(0, 64, -8, ENTRIES), FILL, CHUNK, 60),
        (RX, Ring(8, 16, 72, ENTRIES), CHUNK, 60),
        (RX, FILL, 100, 60),
        (RX, FILL, 32, 60),
        (RX, FILL, 2048, 60),
        (RX, FILL, CHUNK, 0),
    ],
)
def test_rings_that_do_not_lie_in_their_memory_are_refused(
    kind: Any, rx: Ring, fill: Ring, chunk: int, snap: int
) -> None:
    memory = Memory()
    with pytest.raises(ValueError, match=r"do not lie|does not lie|are no chunks"):
        kind(memory.rx, memory.fill, memory.area, rx, fill, chunk, snap)


def test_closed_rings_read_nothing_and_hold_nothing(kind: Any) -> None:
    memory = Memory()
    rings = memory.reader(kind)
    memory.deliver(0, 40)
    rings.close()
    rings.close()
    for read in (rings.take, lambda: rings.write_into(bytearray(100), Form.PCAP)):
        with pytest.raises(ValueError, match=r"released|closed"):
            read()
    for one in (memory.rx, memory.fill, memory.area):
        one.close()  # raises as long as somebody holds it


WORDS = st.one_of(st.integers(0, CHUNK * CHUNKS + 64), st.integers(0, WRAP - 1), st.integers(0, 2**64 - 1))
DELIVERIES = st.lists(
    st.tuples(WORDS, st.one_of(st.integers(0, 160), st.integers(0, WRAP - 1)), st.sampled_from([0, 0, 0, 1, WRAP - 1])),
    max_size=ENTRIES,
)
STEPS = st.lists(
    st.one_of(
        DELIVERIES,
        st.tuples(st.just("write"), st.integers(0, 600), st.sampled_from(list(Form)), st.integers(0, 3)),
        st.tuples(st.just("take"), st.integers(-1, 4)),
    ),
    max_size=8,
)


@given(steps=STEPS, rx_at=st.integers(0, WRAP - 1), fill_at=st.integers(0, WRAP - 1), torn=st.integers(0, WRAP - 1))
def test_both_readers_do_the_same_to_any_memory(steps: list[Any], rx_at: int, fill_at: int, torn: int) -> None:
    """`torn` is a place of the kernel's that nobody can trust: what follows stays inside the memory."""
    logs = []
    for kind in (BOTH[0], BOTH[-1]):
        memory = Memory(rx_at, fill_at)
        struct.pack_into("=I", memory.fill, FILL.consumer, torn)
        rings = memory.reader(kind, snap=70)
        log: list[object] = []
        for step in steps:
            if isinstance(step, list):
                for one in step:
                    address, length, options = one
                    memory.deliver(address, length, options)
            elif step[0] == "write":
                out = bytearray(step[1])
                log.append((rings.write_into(out, step[2], 7, step[3], NEVER, NOW), bytes(out)))
            else:
                log.append(rings.take(step[1], NOW))
            log.append((bytes(memory.rx), bytes(memory.fill), rings.frames, rings.bytes, rings.invalid))
        logs.append(log)
    assert logs[0] == logs[1]
