"""Fuzz targets of the capture readers: any bytes give packets inside the buffer, and an end."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from netfeed.build import select
from netfeed.errors import WireError
from netfeed.wire import capture, pcap, pcapng
from netfeed.wire.capture import PACKET, Status
from netfeed.wire.frame import LinkType, locate
from tests.wire import capture_samples as sample

Walker = select("capture", "netfeed.wire.capture", "Walker")
LINKS = [*LinkType, 147]


def pcap_file(data: bytes) -> None:
    """Read a pcap file past its errors; every record lies inside it."""
    errors: list[WireError] = []
    for record in pcap.records(data, errors):
        assert record.data_offset + len(record.data) <= len(data)


def pcapng_file(data: bytes) -> None:
    """Read a pcapng file past its errors; every packet lies inside it."""
    with suppress(WireError):
        for record in pcapng.records(data, []):
            assert record.data_offset + len(record.data) <= len(data)


def frame(data: bytes) -> None:
    """Look for a payload in a frame of the link type that the first byte chooses; it lies inside the frame."""
    if data:
        packet = locate(data[1:], LINKS[data[0] % len(LINKS)], len(data) * 2)
        assert packet.payload_offset + packet.payload_length < len(data)


def walk(data: bytes) -> None:
    """Walk a file in both builds' way, past its errors; they see the same."""
    assert _journey(Walker(), data) == _journey(capture.Walker(), data)


def _journey(walker: capture.Walker, data: bytes) -> list[object]:
    log: list[object] = []
    out = np.zeros(3, PACKET)
    at = 0
    while at >= 0:
        count, at, status = walker.walk(data, at, out)
        packets = out[:count]
        assert (packets["payload_offset"] + packets["payload_length"] <= len(data)).all()
        log.append((count, at, int(status), walker.error, packets.tobytes()))
        if status == Status.END:
            break
        if status != Status.MORE:
            at = walker.resync(data, at)
    return [*log, walker.records, walker.udp, walker.bad, walker.dropped, walker.interfaces]


TARGETS: dict[str, Callable[[bytes], None]] = {"pcap": pcap_file, "pcapng": pcapng_file, "frame": frame, "walk": walk}

_PCAPS = [
    sample.pcap((1_700_000_000, 7, one, 99), (1_700_000_001, 8, one, len(one)), order=order, nano=nano, link=link)
    for order, nano, (link, one) in zip("<><>", (True, True, False, False), sample.FRAMES[::60], strict=False)
]
_PCAPNGS = [
    sample.section(order)
    + sample.interface(1, 96, (9, b"\x09"), (14, bytes(8)), order=order)
    + sample.enhanced(0, 7, sample.FRAME4, order=order)
    + sample.simple(sample.FRAME6, order=order)
    + sample.obsolete(0, 8, sample.FRAME6, order=order)
    + sample.statistics(0, (5, bytes(8)), order=order)
    for order in "<>"
]
CORPUS: dict[str, list[bytes]] = {
    "pcap": _PCAPS,
    "pcapng": _PCAPNGS,
    "frame": [bytes([LINKS.index(link)]) + one for link, one in sample.FRAMES[::7]],
    "walk": [*_PCAPS, *_PCAPNGS],
}
