"""The frames of a batch: the bytes of records that the walker says nothing more about."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from netfeed.app.changes import Rows
from netfeed.app.inputs import Capture

_SIMPLE, _RECORD, _ENHANCED = 12, 16, 28
"""What stands before the frame: in a simple packet block, a record of pcap, an enhanced (or obsolete) packet block."""


class Frame(NamedTuple):
    """One captured frame. Units: ns, bytes."""

    ts_ns: int
    origin: int
    linktype: int
    original_length: int
    data: memoryview


def frames(capture: Capture, rows: Rows, origins: Any) -> Iterator[Frame]:
    """Give the frames of records, while the buffer that they were walked in is there."""
    buffer, base = capture.source.buffer, capture.source.base
    links = [interface[0] for interface in capture.walker.interfaces]
    pcapng = capture.walker.format == "pcapng"
    names = ("record_offset", "ts_ns", "captured_length", "original_length", "interface")
    columns = [rows[name].tolist() for name in names]
    for offset, ts_ns, captured, original, interface, origin in zip(*columns, origins.tolist(), strict=True):
        at = offset - base
        if interface >= len(links) or at < 0:
            continue  # of a section that has ended
        at += _before(buffer[at : at + 4]) if pcapng else _RECORD
        yield Frame(ts_ns, origin, links[interface], original, buffer[at : at + captured])


def _before(kind: memoryview) -> int:
    return _SIMPLE if bytes(kind) in (b"\x03\0\0\0", b"\0\0\0\x03") else _ENHANCED
