"""What the Nasdaq tests share: a pcap reader of ten lines, and messages drawn from the layout tables."""

import struct
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from netfeed.wire.itch import LAYOUTS

_INTEGERS = {kind: st.integers(0, 2 ** int(kind[1:]) - 1) for kind in ("u16", "u32", "u48", "u64")}


def frames(path: Path) -> list[bytes]:
    """Read the frames of a little-endian pcap file."""
    data, at, found = path.read_bytes(), 24, []
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 8)
        found.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return found


def payload(frame: bytes) -> bytes:
    """Give what UDP or TCP carries in an Ethernet frame, with or without a VLAN tag."""
    ip = 18 if frame[12:14] == b"\x81\x00" else 14
    (total,) = struct.unpack_from(">H", frame, ip + 2)
    start = ip + 4 * (frame[ip] & 15)
    start += 8 if frame[ip + 9] == 17 else 4 * (frame[start + 12] >> 4)
    return frame[start : ip + total]


def payloads(path: Path) -> list[bytes]:
    """Give the payload of every frame of a pcap file."""
    return [payload(frame) for frame in frames(path)]


def _values(field: str, kind: str, code: str) -> st.SearchStrategy[Any]:
    if field == "message_type":
        return st.just(code)
    if kind[0] == "c":
        letters = st.characters(min_codepoint=0x20, max_codepoint=0xFF)
        return st.text(letters, max_size=int(kind[1:])).map(lambda text: text.rstrip(" "))
    return _INTEGERS[kind]


def itch_fields(code: str) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the fields of one ITCH message type."""
    return st.fixed_dictionaries({field: _values(field, kind, code) for field, kind in LAYOUTS[code].rows})


def itch_messages() -> st.SearchStrategy[bytes]:
    """Draw ITCH messages of any type."""

    def encoded(code: str) -> st.SearchStrategy[bytes]:
        return itch_fields(code).map(lambda fields: LAYOUTS[code].encode(**fields))

    return st.sampled_from(sorted(LAYOUTS)).flatmap(encoded)
