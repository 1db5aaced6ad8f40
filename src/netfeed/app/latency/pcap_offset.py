"""Find the packets that two capture points have in common, and what their clocks differ by.

A packet is known by what no router changes: ports, and all of the UDP payload, or of the TCP header's numbers and data.
What is there twice in a capture (a segment that was sent again word by word) tells nothing and is left out. The first
LOOK packets of each point are looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from netfeed.app.changes import Rows
from netfeed.app.findings import Findings
from netfeed.app.inputs import Capture, Inputs
from netfeed.app.latency.pcap_frames import frames
from netfeed.errors import WireError
from netfeed.latency.capture_offset import Offset, estimate
from netfeed.transport.file import SourceError
from netfeed.wire.capture import NO_TIME, Kind
from netfeed.wire.segment import Segment, read_segment

LOOK: Final = 200_000
Print = tuple[int, bool]
"""A fingerprint, and whether the packet goes to the gateway."""


def measure(market: Sequence[str], orders: Sequence[str], to_gateway: Callable[[Segment], bool]) -> Offset | None:
    """Estimate what the clock of `orders` is ahead of that of `market`. Raises: SourceError."""
    first, second = (_stamps(files, to_gateway) for files in (market, orders))
    shared = first.keys() & second.keys()
    there, back = ([second[one] - first[one] for one in shared if one[1] is way] for way in (True, False))
    return estimate(np.array(there, np.int64), np.array(back, np.int64))


def _stamps(files: Sequence[str], to_gateway: Callable[[Segment], bool]) -> dict[Print, int]:
    found: dict[Print, int] = {}
    twice: set[Print] = set()
    left = LOOK
    findings = Findings()
    with Inputs(files, findings) as inputs:
        for capture, rows in inputs.captures():
            for ts_ns, one in _prints(capture, rows, to_gateway):
                if one in found:
                    twice.add(one)
                found[one] = ts_ns
            left -= len(rows)
            if left <= 0:
                break
    if left == LOOK and findings.count:  # it is not the clock that is wrong
        fault = findings.listed()[0]
        raise SourceError(f"{fault.file}: {fault.found} (wanted: {fault.wanted})")
    return {one: ts_ns for one, ts_ns in found.items() if one not in twice}


def _prints(capture: Capture, rows: Rows, to_gateway: Callable[[Segment], bool]) -> Iterator[tuple[int, Print]]:
    timed = rows[rows["ts_ns"] != NO_TIME]
    udp = timed[timed["kind"] == Kind.UDP]
    columns = [udp[name].tolist() for name in ("ts_ns", "payload_offset", "payload_length", "destination_port")]
    for ts_ns, at, length, port in zip(*columns, strict=True):
        yield ts_ns, (hash((port, bytes(capture.source.buffer[at : at + length]))), False)
    other = timed[(timed["kind"] == Kind.NOT_UDP) & (timed["ip_version"] != 0)]
    for frame in frames(capture, other, np.zeros(len(other), np.int64)):
        try:
            segment = read_segment(frame.data, frame.linktype, frame.original_length)
        except WireError:
            continue
        if segment is not None:
            numbers = segment.source_port, segment.destination_port, segment.sequence, segment.acknowledgment
            one = hash((numbers, segment.flags, segment.window, segment.length, bytes(segment.payload)))
            yield frame.ts_ns, (one, to_gateway(segment))
