"""Frames and captures for the tests of the capture modules: built here with struct, on purpose not with the package."""

import struct
from typing import Literal

from hypothesis import strategies as st

from netfeed.wire.headers import udp_frame

HOST, GROUP = ("10.0.0.1", 1234), ("233.252.0.1", 26400)
HOST6, GROUP6 = ("2001:db8::1", 1234), ("ff3e::8000:1", 26400)


def pcap(
    *records: tuple[int, int, bytes, int] | bytes,
    order: str = "<",
    nano: bool = True,
    link: int = 1,
    snaplen: int = 262144,
) -> bytes:
    """Build a pcap file from (seconds, fraction, frame, original length); raw bytes are put in as they are."""
    data = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snaplen, link)
    return data + b"".join(one if isinstance(one, bytes) else pcap_record(*one, order=order) for one in records)


def pcap_record(seconds: int, fraction: int, frame: bytes, original: int, *, order: str = "<") -> bytes:
    return struct.pack(order + "4I", seconds, fraction, len(frame), original) + frame


def block(type_: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", type_) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def options(*pairs: tuple[int, bytes], order: str = "<") -> bytes:
    coded = b"".join(
        struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in pairs
    )
    return coded + bytes(4) if pairs else b""


def interface(link: int = 1, snaplen: int = 0, *pairs: tuple[int, bytes], order: str = "<") -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options(*pairs, order=order), order)


def enhanced(index: int, ticks: int, frame: bytes, original: int | None = None, *, order: str = "<") -> bytes:
    size = len(frame) if original is None else original
    head = struct.pack(order + "5I", index, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), size)
    return block(6, head + frame, order)


def simple(frame: bytes, original: int | None = None, *, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(frame) if original is None else original) + frame, order)


def obsolete(index: int, ticks: int, frame: bytes, original: int | None = None, *, order: str = "<") -> bytes:
    size = len(frame) if original is None else original
    head = struct.pack(order + "HHIIII", index, 3, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), size)
    return block(2, head + frame, order)


def statistics(index: int, *pairs: tuple[int, bytes], order: str = "<") -> bytes:
    return block(5, struct.pack(order + "III", index, 0, 0) + options(*pairs, order=order), order)


# ---- packets of every kind -----------------------------------------------------------------------------------------

FRAME4 = udp_frame(b"payload", HOST, GROUP)
FRAME6 = udp_frame(b"payload", HOST6, GROUP6)
IP4, IP6 = FRAME4[14:], FRAME6[14:]
MACS = FRAME4[:12]


def extended(*headers: tuple[int, bytes], last: int = 17) -> bytes:
    """Put extension headers (own protocol number, bytes behind the next-header byte) between IPv6 and UDP."""
    numbers = [number for number, _ in headers] + [last]
    chain = b"".join(bytes([following]) + rest for following, (_, rest) in zip(numbers[1:], headers, strict=True))
    length = struct.pack(">H", len(chain) + len(IP6) - 40)
    return IP6[:4] + length + bytes([numbers[0]]) + IP6[7:40] + chain + IP6[40:]


IPS = [
    IP4,
    IP6,
    b"\x46" + IP4[1:2] + struct.pack(">H", len(IP4) + 4) + IP4[4:20] + b"\x94\x04\0\0" + IP4[20:],  # router alert
    IP4[:6] + b"\x20\x00" + IP4[8:],  # first fragment
    IP4[:6] + b"\x00\x10" + IP4[8:],  # a later one
    IP4[:9] + b"\x06" + IP4[10:],  # TCP
    IP4[:6] + b"\x20\x00" + IP4[8:9] + b"\x06" + IP4[10:],  # a fragment of TCP
    b"\x44" + IP4[1:],
    IP4[:2] + b"\0\0" + IP4[4:],
    IP4[:24] + b"\0\0" + IP4[26:],  # UDP length 0
    IP4 + bytes(18),  # Ethernet padding
    extended((0, b"\0" + bytes(6))),
    extended((0, b"\0" + bytes(6)), (43, b"\1" + bytes(14)), (60, b"\0" + bytes(6))),
    extended((51, b"\4" + bytes(22))),
    extended((44, b"\0\0\0\0\0\0\1")),  # atomic
    extended((44, b"\0\0\1\0\0\0\1")),
    extended((44, b"\0\0\x08\0\0\0\1")),
    extended((44, b"\0\0\x08\0\0\0\1"), last=6),
    extended(*[(60, b"\0" + bytes(6))] * 9),
    extended((0, b"\xff" + bytes(6))),
    extended((59, b"\0" * 7)),
]


def linked(ip: bytes) -> list[tuple[int, bytes]]:
    """Put an IP packet under every link type; give (link type, frame)."""
    ethertype = b"\x86\xdd" if ip[0] >> 4 == 6 else b"\x08\x00"
    family = 10 if ip[0] >> 4 == 6 else 2
    return [
        (1, MACS + ethertype + ip),
        (1, MACS + b"\x81\x00\x01\x2c" + ethertype + ip),
        (1, MACS + b"\x88\xa8\x60\x07\x91\x00\x00\x08\x81\x00\x01\x2c" + ethertype + ip),
        (1, MACS + b"\x81\x00\x00\x01" * 9 + ethertype + ip),
        (1, MACS + b"\x08\x06" + ip),
        (113, b"\0\0\0\x01\0\x06" + bytes(8) + ethertype + ip),
        (276, ethertype + bytes(18) + ip),
        (101, ip),
        (228, ip),
        (229, ip),
        (0, struct.pack("<I", family) + ip),
        (0, struct.pack(">I", family) + ip),
        (108, struct.pack(">I", 30 if family == 10 else 2) + ip),
        (147, ip),
    ]


FRAMES = [pair for ip in IPS for pair in linked(ip)]
LINKS = sorted({link for link, _ in FRAMES})
ORDERS = st.sampled_from("<>")


@st.composite
def cut_frames(draw: st.DrawFn, link: int | None = None) -> tuple[bytes, int]:
    """Draw a frame, perhaps cut by a snap length, and its length on the wire."""
    frame = draw(st.sampled_from([frame for kind, frame in FRAMES if link in (None, kind)]))
    size = len(frame)
    if draw(st.integers(0, 3)) == 0:
        frame = frame[: draw(st.integers(0, size))]
    return frame, draw(st.sampled_from([size, len(frame), size + 5]))


@st.composite
def pcaps(draw: st.DrawFn) -> bytes:
    order, link = draw(ORDERS), draw(st.sampled_from(LINKS))
    snaplen = draw(st.sampled_from([0, 64, 65535, 262144, 2**32 - 1]))
    times = st.integers(1_700_000_000, 1_700_000_100) | st.integers(0, 2**32 - 1)
    rows = draw(
        st.lists(st.tuples(times, st.integers(0, 2**32 - 1) | st.integers(0, 999_999), cut_frames(link)), max_size=8)
    )
    records = [(seconds, fraction, *frame) for seconds, fraction, frame in rows]
    return pcap(*records, order=order, nano=draw(st.booleans()), link=link, snaplen=snaplen)


@st.composite
def pcapngs(draw: st.DrawFn) -> bytes:
    return b"".join(draw(st.lists(_sections(), min_size=1, max_size=2)))


@st.composite
def _sections(draw: st.DrawFn) -> bytes:
    order = draw(ORDERS)
    name: Literal["little", "big"] = "little" if order == "<" else "big"
    data = section(order)
    for link in draw(st.lists(st.sampled_from(LINKS), max_size=3)):
        pairs = []
        if draw(st.booleans()):
            pairs.append((9, bytes([draw(st.sampled_from([0, 3, 6, 9, 12, 28, 29, 127, 128, 137, 158, 190, 255]))])))
        if draw(st.booleans()):
            pairs.append(
                (14, draw(st.integers(-(2**63), 2**63 - 1) | st.integers(-10, 10)).to_bytes(8, name, signed=True))
            )
        data += interface(link, draw(st.sampled_from([0, 40, 65535])), (2, b"eth0"), *pairs, order=order)
    for _ in range(draw(st.integers(0, 6))):
        data += draw(_blocks(order))
    return data


@st.composite
def _blocks(draw: st.DrawFn, order: str) -> bytes:
    frame, original = draw(cut_frames())
    index = draw(st.sampled_from([0, 0, 0, 1, 2, 3]))
    ticks = draw(st.integers(0, 2**64 - 1) | st.just(1_700_000_000_123_456_789))
    counter = struct.pack(order + "Q", draw(st.integers(0, 100) | st.just(2**64 - 1)))
    makers = (
        enhanced(index, ticks, frame, original, order=order),
        simple(frame, original, order=order),
        obsolete(index, ticks, frame, original, order=order),
        statistics(index, (4, counter), (5, counter), (7, counter), order=order),
        statistics(index, (2, counter), order=order),
        block(4, frame, order),
        block(0x12345, frame, order),
    )
    return makers[draw(st.integers(0, len(makers) - 1))]


@st.composite
def damaged(draw: st.DrawFn, captures: st.SearchStrategy[bytes]) -> bytes:
    """Draw a capture and change, cut out or put in a few bytes, or cut off its tail."""
    data = bytearray(draw(captures))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case 1:
                del data[at : at + draw(st.integers(1, 30))]
            case 2:
                data[at:at] = draw(st.binary(max_size=30))
            case _:
                data[at : at + 4] = struct.pack(
                    "<I", draw(st.sampled_from([0, 1, 12, 65536, 262145, 2**24, 2**32 - 1]))
                )
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


CAPTURES = pcaps() | pcapngs()
