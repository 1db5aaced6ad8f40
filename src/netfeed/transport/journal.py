"""A received datagram as an enhanced packet block of pcapng, with headers of IP and UDP made up around it.

Source: draft-ietf-opsawg-pcapng; IPv4 RFC 791, IPv6 RFC 8200, UDP RFC 768. The link type is RAW (101): the packet
begins with the IP header. What the socket does not tell is made up: TTL 1, no identification, and over IPv4 no UDP
checksum.
This defines what `netfeed.transport.thread` writes.
"""

from typing import Any, Final

from netfeed.wire.headers import checksum
from netfeed.wire.pcap import NO_TIME

_ENHANCED: Final = 6
_UDP: Final = 17
_FRAGMENT_FREE: Final = 0x4000


def block(interface: int, row: Any, payload: bytes | memoryview) -> bytes:
    """Encode one datagram; `row` is the PACKET that describes it. One that was cut says how long it was."""
    source, destination = bytes(row["source"].tobytes()), bytes(row["destination"].tobytes())
    whole, ports = 8 + int(row["original_length"]), (int(row["source_port"]), int(row["destination_port"]))
    udp = ports[0].to_bytes(2) + ports[1].to_bytes(2) + _u16(whole)
    if row["ip_version"] == 6:
        head = b"\x60\0\0\0" + _u16(whole) + bytes([_UDP, 1]) + source + destination
        pseudo = source + destination + whole.to_bytes(4) + _UDP.to_bytes(4)
        sum_ = checksum(pseudo + udp + bytes(2) + bytes(payload)) or 0xFFFF
    else:
        bare = b"\x45\0" + _u16(20 + whole) + bytes(2) + _FRAGMENT_FREE.to_bytes(2) + bytes([1, _UDP, 0, 0])
        bare += source[12:] + destination[12:]
        head, sum_ = bare[:10] + checksum(bare).to_bytes(2) + bare[12:], 0
    frame = head + udp + sum_.to_bytes(2) + bytes(payload)
    original = len(frame) - len(payload) + int(row["original_length"])
    padded = frame + bytes(-len(frame) % 4)
    ts_ns = int(row["ts_ns"])
    ticks = 0 if ts_ns == NO_TIME else ts_ns
    length = len(padded) + 32
    words = (_ENHANCED, length, interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), original)
    return b"".join(word.to_bytes(4, "little") for word in words) + padded + length.to_bytes(4, "little")


def _u16(value: int) -> bytes:
    return min(value, 0xFFFF).to_bytes(2)
