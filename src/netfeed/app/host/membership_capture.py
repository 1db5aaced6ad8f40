"""The messages of IGMP and MLD in captures: the walker finds what is no UDP, and the frame is read where it stands."""

from collections.abc import Iterator
from typing import Any, Final

from netfeed.app.inputs import Capture, Packets
from netfeed.errors import WireError
from netfeed.wire.capture import Kind
from netfeed.wire.membership import Heard, hear

_PCAP_HEAD: Final = 16
_BLOCK_HEADS: Final = {6: 28, 3: 12, 2: 28}
"""Where a frame begins in a block of pcapng, by the block's type: enhanced, simple, obsolete. Units: bytes."""


def messages(capture: Capture, packets: Packets) -> Iterator[tuple[int, Heard | None]]:
    """Give the messages among the packets of a walk with their times, None for one that is damaged or cut."""
    interfaces = capture.walker.interfaces
    for row in packets[(packets["kind"] == Kind.NOT_UDP) & (packets["ip_version"] != 0)]:
        number = int(row["interface"])
        if number < len(interfaces):
            try:
                heard = hear(_frame(capture, row), interfaces[number][0])
            except WireError:
                yield int(row["ts_ns"]), None
                continue
            if heard is not None:
                yield int(row["ts_ns"]), heard


def _frame(capture: Capture, row: Any) -> memoryview:
    buffer, at = capture.source.buffer, int(row["record_offset"]) - capture.source.base
    if capture.walker.format == "pcap":
        head = _PCAP_HEAD
    else:
        kind = min(int.from_bytes(buffer[at : at + 4], order) for order in ("little", "big"))
        head = _BLOCK_HEADS.get(kind, 0)
    return buffer[at + head : at + head + int(row["captured_length"])]
