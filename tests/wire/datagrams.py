"""Datagrams of a recording, by a reader that shares nothing with netfeed's: what tests of real data count with."""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Datagram(NamedTuple):
    ts_ns: int
    group: str
    port: int
    payload: bytes


def datagrams(path: Path, limit: int | None = None) -> Iterator[Datagram]:
    """Give the UDP datagrams of a pcap or pcapng file of Ethernet frames; a torn last record ends it."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    frames = _pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else _pcap(data)
    for count, (ts_ns, frame) in enumerate(frames):
        if count == limit:
            return
        yield _udp(ts_ns, frame)


def _pcap(data: bytes) -> Iterator[tuple[int, bytes]]:
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    at = 24
    while at + 16 <= len(data):
        seconds, micros, length, _ = struct.unpack_from("<IIII", data, at)
        if at + 16 + length > len(data):
            return
        yield seconds * 10**9 + micros * 1000, data[at + 16 : at + 16 + length]
        at += 16 + length


def _pcapng(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, unit = 0, 1000
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 1 and b"\x09\x00\x01\x00\x09" in data[at : at + size]:  # if_tsresol: 1e-9
            unit = 1
        if kind == 6:
            high, low, length = struct.unpack_from("<III", data, at + 12)
            yield (high << 32 | low) * unit, data[at + 28 : at + 28 + length]
        at += size


def _udp(ts_ns: int, frame: bytes) -> Datagram:
    at = 18 if frame[12:14] == b"\x81\x00" else 14
    assert frame[at - 2 : at] == b"\x08\x00"
    assert frame[at + 9] == 17
    group = ".".join(map(str, frame[at + 16 : at + 20]))
    at += (frame[at] & 15) * 4
    port, length = struct.unpack_from(">HH", frame, at + 2)
    return Datagram(ts_ns, group, port, frame[at + 8 : at + length])
