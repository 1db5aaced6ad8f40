"""Blocks of a ring as the kernel fills them, and as it never would."""

import struct
from typing import Any, NamedTuple

from hypothesis import strategies as st

BLOCK = 1024
HEAD = 82
"""Where the kernel puts the bytes of an Ethernet frame, from the beginning of its header."""
USER, VLAN_VALID, TPID_VALID, HARDWARE = 1, 1 << 4, 1 << 6, 1 << 31
SECOND = 1_700_000_000


class Sample(NamedTuple):
    """A frame, and what the kernel says of it."""

    data: bytes = b"\1" * 60
    ts: tuple[int, int] = (SECOND, 7)
    length: int | None = None
    status: int = 0
    tci: int = 0
    tpid: int = 0
    kind: int = 0
    interface: int = 2
    protocol: int = 0x0800
    step: int | None = None
    offset: int = HEAD
    captured: int | None = None


def frame(one: Sample, last: bool) -> bytes:
    """Encode tpacket3_hdr, sockaddr_ll, a gap, the bytes."""
    size = HEAD + len(one.data) + 15 & ~15
    step = one.step if one.step is not None else 0 if last else size
    captured = len(one.data) if one.captured is None else one.captured
    length = captured if one.length is None else one.length
    head = struct.pack("=6IHHIIHH8x", step, *one.ts, captured, length, one.status, one.offset, 0, 0,
                       one.tci, one.tpid, 0)  # fmt: skip
    address = struct.pack("=HHiHBB8s", 17, int.from_bytes(one.protocol.to_bytes(2, "big"), "little"), one.interface, 1,
                          one.kind, 6, b"\2\0\0\0\0\1")  # fmt: skip
    return (head + address).ljust(HEAD, b"\xee") + one.data.ljust(size - HEAD, b"\xee")


def block(*samples: Sample, status: int = USER, count: int | None = None, first: int = 48, size: int = BLOCK) -> bytes:
    """Encode a block of frames."""
    frames = b"".join(frame(one, at == len(samples) - 1) for at, one in enumerate(samples))
    head = struct.pack("=IIIIII", 1, 0, status, len(samples) if count is None else count, first, 48 + len(frames))
    return (head.ljust(48, b"\0") + frames).ljust(size, b"\xdd")[:size]


_U32 = st.one_of(st.integers(0, 200), st.integers(BLOCK - 100, BLOCK + 20), st.integers(0, 2**32 - 1))


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Draw a frame that is mostly sound."""
    wild = draw(st.integers(0, 4)) == 0
    return Sample(
        data=draw(st.binary(max_size=120)),
        ts=(draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 999_999_999 + 2 * wild))),
        length=draw(st.integers(0, 2**32 - 1)) if wild else None,
        status=draw(st.sampled_from([0, VLAN_VALID, VLAN_VALID | TPID_VALID, HARDWARE, 2**32 - 1])),
        tci=draw(st.sampled_from([0, 0, 5, 0xFFFF, 0x12345])),
        tpid=draw(st.sampled_from([0, 0x8100, 0x88A8])),
        kind=draw(st.integers(0, 6)), interface=draw(st.sampled_from([0, 1, 2, -1])),
        protocol=draw(st.sampled_from([0x0800, 0x86DD])),
        step=draw(_U32) if wild else None, captured=draw(_U32) if wild else None,
        offset=draw(st.sampled_from([HEAD, 68, 1000, 65535])) if wild else HEAD,
    )  # fmt: skip


@st.composite
def rings(draw: st.DrawFn) -> bytes:
    """Draw a ring of one to three blocks, of which some are the kernel's."""
    found = [
        block(
            *draw(st.lists(samples(), max_size=6)), status=draw(st.sampled_from([USER, USER, 0, 0xFFFFFFFF])),
            count=draw(st.one_of(st.none(), _U32)), first=draw(st.one_of(st.just(48), _U32)),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]  # fmt: skip
    return b"".join(found)


def state(reader: Any) -> tuple[int, ...]:
    """Give the counters of a reader."""
    return reader.frames, reader.bytes, reader.invalid, reader.hardware
