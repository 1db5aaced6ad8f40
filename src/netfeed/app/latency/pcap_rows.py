"""Packets of captures as columns, in the order of time: what the sections of a measurement are computed from.

    a batch of the walker (a row a packet) -> which channel and line, sequence, stamps -> Block -> sections

A block gathers BLOCK packets or more, over batches and captures: two captures of two lines come in batches of one
packet, and numpy would cost more than it saves. Payloads are read before their buffer is given up; only columns stay.

`origin` of a packet is its capture's index and its number in it, from 1, as Wireshark counts; `Origins.place` tells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from netfeed.app.changes import Rows
from netfeed.app.flows import Flow, Flows
from netfeed.app.inputs import Capture
from netfeed.app.lane import Lane
from netfeed.app.latency.pcap_fields import FIELDS, Fields, Payloads, counts, stamps
from netfeed.feed.ports import LINES
from netfeed.wire.capture import NO_TIME, Kind

BLOCK: Final = 8192
MAX_STAMPS: Final = 2
MAX_SESSIONS: Final = 1 << 16
NO_LINE: Final = -1
PREAMBLE: Final = 24
"""What Ethernet adds to a captured frame: preamble 8, check sequence 4, gap 12. Units: bytes."""
LEAST_FRAME: Final = 60

COLUMNS: Final = np.dtype(
    [
        ("ts_ns", "<i8"),
        ("origin", "<i8"),  # file << 40 | number of the record, from 1
        ("bits", "<i8"),  # on an Ethernet wire
        ("line", "<i4"),  # index in `lines`; NO_LINE
        ("session", "<i4"),
        ("sequence", "<i8"),
        ("count", "<i8"),
        ("sent_ns", "<i8", (MAX_STAMPS,)),
    ]
)
NUMBER_BITS: Final = 40


@dataclass(slots=True)
class Line:
    """One line of a channel, or another flow that belongs to it (snapshots, retransmissions)."""

    lane: Lane
    port: int
    index: int

    @property
    def is_line(self) -> bool:
        """Say whether it carries the stream itself."""
        return self.port in LINES

    @property
    def fields(self) -> Fields:
        """Give the fields of its protocol."""
        return FIELDS[self.lane.protocol.name]

    @property
    def name(self) -> str:
        """Name it by its channel and its letter, as they are known by now."""
        return f"{self.lane.name} {self.lane.label(self.port)}"


class Origins:
    """The captures of a run, and how many packets of each were read."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self._read: dict[str, int] = {}

    def of(self, file: str, packets: Rows, wanted: Rows) -> Any:
        """Count a batch; give the origin of each wanted packet of it. Shape: int64."""
        if file not in self._read:
            self.files.append(file)
            self._read[file] = 0
        first = self.files.index(file) << NUMBER_BITS | self._read[file] + 1
        self._read[file] += len(packets)
        return first + np.searchsorted(packets["record_offset"], wanted["record_offset"])

    def place(self, origin: int) -> tuple[str, int]:
        """Give the file and the number of a packet."""
        return self.files[origin >> NUMBER_BITS], origin & ((1 << NUMBER_BITS) - 1)


class Gatherer:
    """Turns batches into blocks. `take` is called with each block, an array of COLUMNS in the order of the capture."""

    def __init__(self, flows: Flows, take: Callable[[Any], None], *, datagrams_only: bool = False) -> None:
        self.lines: list[Line] = []
        self.timeless = 0
        self.of_no_channel = 0
        self._flows = flows
        self._datagrams_only = datagrams_only
        self._take = take
        self._index: dict[tuple[int, int], int] = {}
        self._sessions: dict[bytes, int] = {}
        self._waiting: list[Any] = []
        self._count = 0

    def see(self, capture: Capture, wanted: Rows, origins: Any) -> None:
        """Take a batch of the walker, whose buffer is still there."""
        rows = np.zeros(len(wanted), COLUMNS)
        rows["ts_ns"] = wanted["ts_ns"]
        rows["origin"] = origins
        rows["bits"] = (np.maximum(wanted["original_length"].astype(np.int64), LEAST_FRAME) + PREAMBLE) * 8
        rows["line"] = NO_LINE
        rows["sent_ns"] = NO_TIME
        keep = wanted["ts_ns"] != NO_TIME
        self.timeless += int((~keep).sum())
        if self._datagrams_only:
            keep &= wanted["kind"] == Kind.UDP
        self._assign(capture, wanted, rows, keep)
        rows = rows[keep]
        self._waiting.append(rows)
        self._count += len(rows)
        if self._count >= BLOCK:
            self.flush()

    def flush(self) -> None:
        """Hand over what was gathered."""
        waiting, self._waiting, self._count = self._waiting, [], 0
        if waiting:
            block = np.concatenate(waiting)
            if len(block):
                self._take(block)

    def _assign(self, capture: Capture, wanted: Rows, rows: Any, keep: Any) -> None:
        """Find the line of each datagram, and read what its protocol tells; flows that nobody wants are left out."""
        datagrams = np.flatnonzero(wanted["kind"] == Kind.UDP)
        if not len(datagrams):
            return
        some = wanted[datagrams]
        keys = np.empty((len(some), 18), np.uint8)
        keys[:, :16] = np.frombuffer(some["destination"].tobytes(), np.uint8).reshape(-1, 16)
        keys[:, 16:] = some["destination_port"].astype(">u2").view(np.uint8).reshape(-1, 2)
        texts = np.ascontiguousarray(keys).view("S18").reshape(-1)
        _, heads, inverse = np.unique(texts, return_index=True, return_inverse=True)
        payloads = Payloads(
            capture.source.buffer, some["payload_offset"].astype(np.int64), some["payload_length"].astype(np.int64)
        )
        for number, head in enumerate(heads):
            which = np.flatnonzero(inverse == number)
            flow = self._flows.meet(some["destination"][head].tobytes(), int(some["destination_port"][head]))
            if flow is None:
                keep[datagrams[which]] = False
            elif flow.protocol is not None:
                self._read(flow, payloads.some(which), rows, datagrams[which])
            else:
                self.of_no_channel += len(which)

    def _read(self, flow: Flow, payloads: Payloads, rows: Any, at: Any) -> None:
        assert flow.protocol is not None
        fields = FIELDS[flow.protocol.name]
        rows["line"][at] = self._lines(flow, fields, payloads)
        count = counts(payloads, fields)
        rows["count"][at] = count
        rows["sequence"][at] = payloads.numbers(fields.sequence, 0)
        for number, stamp in enumerate(fields.stamps):
            rows["sent_ns"][at, number] = stamps(payloads, stamp, count)
        if fields.session is not None:
            texts, inverse = np.unique(payloads.texts(fields.session.start, fields.session.stop), return_inverse=True)
            codes = np.array([self._session(bytes(text)) for text in texts], np.int32)
            rows["session"][at] = codes[inverse]

    def _session(self, text: bytes) -> int:
        if len(self._sessions) >= MAX_SESSIONS:
            return self._sessions.get(text, MAX_SESSIONS)
        return self._sessions.setdefault(text, len(self._sessions))

    def _lines(self, flow: Flow, fields: Fields, payloads: Payloads) -> Any:
        if flow.protocol is None or fields.distinct is None or flow.protocol.stays:
            return self._line(flow.route)
        texts = payloads.texts(fields.distinct.start, fields.distinct.stop)
        _, heads, inverse = np.unique(texts, return_index=True, return_inverse=True)
        codes = []
        for head in heads:
            payload = payloads.one(int(head))
            known = len(payload) >= flow.protocol.header
            key = (flow.protocol.identity(payload), flow.protocol.part(payload)) if known else None
            codes.append(self._line(flow.routes.get(key) if key is not None else None))
        return np.array(codes, np.int32)[inverse]

    def _line(self, route: tuple[Lane, int] | None) -> int:
        if route is None:
            return NO_LINE
        lane, port = route
        key = id(lane), int(port)
        if key not in self._index:
            self._index[key] = len(self.lines)
            self.lines.append(Line(lane, int(port), len(self.lines)))
        return self._index[key]
