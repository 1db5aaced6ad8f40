"""Print messages in the manner of tcpdump: one line for each, in the order of the capture.

Nothing is arbitrated and nothing is held back: what both lines carried is printed twice. A packet of a flow that was
never recognised is one line too; bytes that do not fit their specification are an error, with where they stand.

The bytes of a payload stand below the last of its messages. What is no UDP packet has none to show.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from netfeed.app.clock import Moment, time_text
from netfeed.app.datagram import Datagram, dump, line_of, source_text
from netfeed.app.describe import Described, Describer, fields_text, packet_name
from netfeed.app.findings import Findings, Place
from netfeed.app.flows import Flow, Flows
from netfeed.app.inputs import Capture, Inputs
from netfeed.app.itch_file import ItchFile
from netfeed.app.protocols import Protocol
from netfeed.app.recognise import Match, match, protocol_of
from netfeed.app.replay import Options
from netfeed.app.verify import Checker
from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire.capture import NO_TIME, Kind

_RECORD, _TS, _AT, _LENGTH, _CAPTURED, _ORIGINAL, _KIND, _VERSION = 0, 1, 2, 3, 4, 5, 7, 8
_SOURCE_PORT, _PORT, _SOURCE, _GROUP = 10, 11, 12, 13
_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a message, a packet without any, or an error. `sequence` is the message's own.

    `packet` is the one that brought it; `payload` has the bytes on the last line of a packet, else it is empty.
    """

    place: Place
    group: str | None
    protocol: str | None
    sequence: int | None
    name: str
    fields: dict[str, Any]
    error: WireError | None = None
    packet: Datagram | None = None
    payload: bytes = b""

    def json(self) -> dict[str, Any]:
        """Give the line as an object."""
        source, length, line = (self.packet.source, self.packet.length, self.packet.line) if self.packet else [None] * 3
        found: dict[str, Any] = {
            "ts_ns": self.place.ts_ns, "file": self.place.file, "offset": self.place.offset, "source": source,
            "group": self.group, "line": line, "length": length, "protocol": self.protocol, "sequence": self.sequence,
            "message": self.name, "fields": self.fields, "error": None,
        }  # fmt: skip
        if self.error is not None:
            found["error"] = {"what": self.error.what, "offset": self.place.payload + self.error.offset,
                              "found": self.error.found, "wanted": self.error.wanted}  # fmt: skip
        return found

    def text(self, *, packet: bool = False, dumped: bool = False) -> str:
        """Write the line: with more of its packet, with its bytes below."""
        below = "\n" + dump(self.payload) if dumped and self.payload else ""
        return self._words(self.packet.text() if packet and self.packet is not None else self.group) + below

    def _words(self, way: str | None) -> str:
        head = [time_text(self.place.ts_ns, date=False)] if self.place.ts_ns is not None else []
        head += [part for part in (way, self.protocol) if part is not None]
        head += [f"seq {self.sequence}"] if self.sequence is not None else []
        if self.error is not None:
            at = self.place.payload + self.error.offset
            return " ".join([*head, f"ERROR {self.error.what} at byte {at} of {self.place.file}:",
                             f"found {self.error.found}, wanted {self.error.wanted}"])  # fmt: skip
        return " ".join([*head, self.name, fields_text(self.fields)]).rstrip()


class Decode:
    """One run: iterate over `lines`; `findings` has what was wrong, `in_time` and `shown` count records."""

    def __init__(self, options: Options, *, count: int | None = None, stop: Callable[[], bool] = lambda: False) -> None:
        self.findings = Findings()
        self.options = options
        self.in_time = self.shown = 0
        self._left = count
        self._stop = stop
        self._describer = Describer()
        self._protocols: dict[str, Protocol] = {}
        self._flows = Flows(self.findings, protocol=options.protocol, declared=options.channels,
                            new_feed=Checker, wanted=self._wanted)  # fmt: skip
        self._first_ns: int | None = None

    def lines(self) -> Iterator[Line]:
        """Give the lines of all files.

        Raises: SourceError when a file cannot be opened.
        """
        with Inputs(self.options.files, self.findings, _BATCH) as inputs:
            told = 0
            for capture, packets in inputs.captures():
                yield from self._faults(told)
                for row in packets.tolist():
                    yield from self._record(capture, row)
                    if self._left == 0 or self._stop():
                        return
                told = len(self.findings.entries)
            yield from self._faults(told)
            for name, kind, source in inputs.itch_files():
                told = len(self.findings.entries)
                reader = _Collector()
                file = ItchFile(name, kind, source, reader, self.findings)
                while not file.done:
                    file.step(1 << 16)
                    yield from self._messages(file, reader)
                    if self._left == 0 or self._stop():
                        return
                yield from self._faults(told)

    def _faults(self, since: int) -> Iterator[Line]:
        """Show what the reading of files found."""
        for entry in self.findings.entries[since:]:
            at = entry.offset or 0
            error = WireError("the file", offset=0, found=entry.found, wanted=entry.wanted)
            yield Line(Place(entry.file, at, None, at), None, None, None, "error", {}, error)

    def _record(self, capture: Capture, row: tuple[Any, ...]) -> Iterator[Line]:
        base = capture.source.base
        ts_ns = None if row[_TS] == NO_TIME else row[_TS]
        place = Place(capture.name, row[_RECORD], ts_ns, base + row[_AT])
        if not self._in_time(ts_ns):
            return
        if row[_KIND] != Kind.UDP:
            if not self.options.groups:
                self._count()
                yield self._odd(row, place)
            return
        flow = self._flows.meet(row[_GROUP], row[_PORT])
        if flow is not None:
            self._count()
            payload = capture.source.buffer[row[_AT] : row[_AT] + row[_LENGTH]]
            lines = list(self._packet(flow, payload, place))
            packet = Datagram(
                source_text(row[_SOURCE], row[_SOURCE_PORT]), flow.text, len(payload),
                line_of(self._flows, flow, payload, place),
            )  # fmt: skip
            yield from (replace(line, packet=packet) for line in lines[:-1])
            yield replace(lines[-1], packet=packet, payload=bytes(payload))

    def _odd(self, row: tuple[Any, ...], place: Place) -> Line:
        kind = Kind(row[_KIND])
        if kind in (Kind.BAD, Kind.TRUNCATED):
            found, wanted = f"{row[_CAPTURED]} bytes", f"a sound frame of {row[_ORIGINAL]} bytes"
            error = WireError(f"{kind.name.lower()} frame", offset=0, found=found, wanted=wanted)
            self.findings.add(place, found, wanted)
            return Line(place._replace(payload=place.offset), None, None, None, "error", {}, error)
        return Line(place, None, None, None, kind.name, {"ip": row[_VERSION] or None, "length": row[_ORIGINAL]})

    def _packet(self, flow: Flow, payload: memoryview, place: Place) -> Iterator[Line]:
        protocol = self._recognise(flow, payload)
        if protocol is None:
            yield Line(place, flow.text, None, None, "UDP", {"length": len(payload)})
            return
        try:
            packet = protocol.framing.parse(payload)
        except WireError as error:
            self.findings.add(place._replace(offset=place.payload + error.offset), error.found, error.wanted)
            yield Line(place, flow.text, protocol.label, None, "error", {}, error)
            return
        if not packet.messages:
            yield Line(place, flow.text, protocol.label, packet.sequence, packet_name(packet), {})
        step = 0 if protocol.framing.per_packet else 1
        for index, message in enumerate(packet.messages):
            sequence = packet.sequence + index * step
            yield self._message(protocol, message, place, flow.text, sequence, payload)

    def _message(
        self, protocol: Protocol, message: Buffer, place: Place, group: str, sequence: int, payload: memoryview
    ) -> Line:
        try:
            name, fields = self._describer.message(protocol.name, message)
        except WireError as error:
            if not _is_unknown(error):
                self.findings.add(place, f"{error.what}: {error.found}", error.wanted)
                return Line(place, group, protocol.label, sequence, "error", {}, error)
            name, fields = _unknown(message, error)
        return Line(place, group, protocol.label, sequence, name, fields)

    def _messages(self, file: ItchFile, reader: "_Collector") -> Iterator[Line]:
        """Show the messages of a file that were read since the last time."""
        place = file.locate(file.sequence - len(reader.messages))
        at = place.offset
        for sequence, message in enumerate(reader.messages, file.sequence - len(reader.messages)):
            ts_ns = int.from_bytes(message[5:11], "big") if len(message) >= 11 else None
            here = Place(file.name, at, ts_ns, at + 2)
            at += 2 + len(message)
            if not self._in_time(ts_ns):
                continue
            self._count()
            try:
                name, fields = self._describer.message("itch50", message)
                yield Line(here, None, None, sequence, name, fields, payload=message)
            except WireError as error:
                if _is_unknown(error):
                    yield Line(here, None, None, sequence, *_unknown(message, error), payload=message)
                else:
                    self.findings.add(here, f"{error.what}: {error.found}", error.wanted)
                    yield Line(here, None, None, sequence, "error", {}, error, payload=message)
            if self._left == 0:
                break
        reader.messages.clear()

    def _recognise(self, flow: Flow, payload: memoryview) -> Protocol | None:
        """Take a flow for what its first telling packet speaks; a heartbeat tells enough for one line."""
        from netfeed.app.protocols import PROTOCOLS

        if flow.protocol is None:
            if self.options.protocol is not None:
                if self.options.groups or match(self.options.protocol, payload) is not Match.NO:
                    flow.protocol = PROTOCOLS[self.options.protocol]
                return flow.protocol
            name, sure = protocol_of(payload)
            if name is not None and sure is Match.YES:
                flow.protocol = PROTOCOLS[name]
            elif name is not None:
                return PROTOCOLS[name]
        return flow.protocol

    def _in_time(self, ts_ns: int | None) -> bool:
        within = self._is_within(ts_ns)
        self.in_time += within
        return within

    def _is_within(self, ts_ns: int | None) -> bool:
        since, until = self.options.since, self.options.until
        if ts_ns is None or (since is None and until is None):
            return True
        if self._first_ns is None:
            self._first_ns = ts_ns
        return _at(since, self._first_ns, ts_ns) <= ts_ns <= _at(until, self._first_ns, ts_ns)

    def _wanted(self, group: str, port: int) -> bool:
        wanted = self.options.groups
        return not wanted or any(group == one and number in (None, port) for one, number in wanted)

    def _count(self) -> None:
        self.shown += 1
        if self._left is not None:
            self._left -= 1


class _Collector:
    """Stands where a feed stands, and keeps the messages of one window."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Keep a message."""
        self.messages.append(bytes(message))


def _at(moment: Moment | None, reference_ns: int, otherwise: int) -> int:
    return otherwise if moment is None else moment.at(reference_ns)


def _is_unknown(error: WireError) -> bool:
    return type(error).__name__ in ("UnknownTemplate", "UnknownType")


def _unknown(message: Buffer, error: WireError) -> Described:
    return f"Unknown({error.found})", {"length": len(message)}
