"""Drive captures through channels into books: the clock is the file's.

    packet of a capture -> flow -> lane: Channel.receive -> events -> feed -> changes -> consumers
    file of ITCH messages -> feed -> changes -> consumers

The driver's law is kept in capture time: a deadline that a packet's time has passed is woken before the packet is
handed over, and at the end the rest of them expire. A time that falls is counted, and `now` stays where it was.

Memory is bounded by live orders and the named bounds of channels and flows, not by the size of a file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from netfeed.app.changes import NO_LANE, Catalogue, Changes, Rows, Selection
from netfeed.app.clock import Moment
from netfeed.app.fault import fault_in, fault_of
from netfeed.app.findings import MAX_FINDINGS, NOWHERE, Findings, Place
from netfeed.app.flows import Declared, Flow, Flows
from netfeed.app.inputs import BATCH, Capture, Inputs
from netfeed.app.itch_file import WINDOW, ItchFile
from netfeed.app.lane import Lane
from netfeed.app.lanes import Lanes
from netfeed.app.protocols import PROTOCOLS, Protocol
from netfeed.app.recognise import FileKind, is_request
from netfeed.app.span import Span
from netfeed.book.change import Refusal
from netfeed.errors import WireError
from netfeed.feed.path import Status
from netfeed.transport.file import Source
from netfeed.wire import itch
from netfeed.wire.capture import NO_TIME, Kind

_RECORD, _TS, _AT, _LENGTH, _CAPTURED, _ORIGINAL, _KIND = 0, 1, 2, 3, 4, 5, 7
_PORT, _GROUP = 11, 13  # fields of a PACKET


_NEVER_CROSSED = frozenset({"itch50", "starbase"})
"""Where a crossed book is damage. IEX's recorded books do cross; there the book's state says it, and no error."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to read and what of it is asked for."""

    files: Sequence[str]
    protocol: str | None = None
    channels: Sequence[Declared] = ()
    groups: Sequence[tuple[str, int | None]] = ()
    instruments: Sequence[str] = ()
    since: Moment | None = None
    until: Moment | None = None


@dataclass(slots=True)
class Falls:
    """How often and how far the times of a capture fell. Units: ns."""

    count: int = 0
    most_ns: int = 0
    place: Place | None = None


@dataclass(slots=True)
class Tally:
    """What was read. `packets` are those of channels, requests, and those that are damaged."""

    packets: int = 0
    records: int = 0
    fragments: int = 0
    not_udp: int = 0
    cut: int = 0
    requests: int = 0
    falls: dict[str, Falls] = field(default_factory=dict)
    first_ns: int | None = None
    last_ns: int | None = None


class Replay:
    """One run over files. `stop` is asked after every batch; what stands in `after` is called then too.

    A batch is `batch_packets` of a capture, or `batch_bytes` of a file of messages; who watches makes them small.
    Books need all that came before `since`, so that time limits only what is announced; who keeps none `skips` it.
    """

    def __init__(
        self,
        options: Options,
        *,
        new_feed: Callable[[Protocol], Any] | None = None,
        stop: Callable[[], bool] = lambda: False,
        skips: bool = False,
    ) -> None:
        self.options = options
        self.findings = Findings()
        self.catalogue = Catalogue(Selection(options.instruments))
        self.changes = Changes(self.catalogue)
        self.tally = Tally()
        self.itch_files: list[ItchFile] = []
        self.after: list[Callable[[Inputs], None]] = []
        self.before: list[Callable[[int], None]] = []
        """Called with the time of the first packet of a batch, or of a message of a file, before the books have it."""
        self.stepped: list[Callable[[], None]] = []
        """Called with nothing when the books have had a batch of a file of messages."""
        self.seen: list[Callable[[Capture, Rows, Rows], None]] = []
        """Called with each batch of a capture when its channels have had it: all packets, and those asked for."""
        self.batch_packets = BATCH
        self.batch_bytes = WINDOW
        self.elapsed_ns = 0
        self.stopped = False
        self.paced = False  # its time is that of whoever watches
        self.flows = Flows(
            self.findings, new_feed=new_feed, protocol=options.protocol, declared=options.channels, wanted=self._wanted,
            late=skips and options.since is not None,
        )  # fmt: skip
        self._new_feed = new_feed or (lambda row: row.new_feed())
        self._stop = stop
        self._skips = skips
        self._span = Span(options.since if skips else None, options.until)
        self._now = NO_TIME
        self._last: dict[str, int] = {}
        self._file: ItchFile | None = None
        self._drive = Lanes(self.flows.lanes, self.feeds, self.changes, self._refused)
        self._walked: tuple[Capture, Rows] | None = None

    @property
    def lanes(self) -> list[Lane]:
        """List the channels, in the order in which they were found."""
        return self.flows.lanes

    @property
    def now_ns(self) -> int | None:
        """Give the time of the capture, None before its first packet."""
        return None if self._now == NO_TIME else self._now

    @property
    def deadline(self) -> int:
        """Say when a channel is to be woken. Units: ns of capture time."""
        return self._drive.soonest

    @property
    def position(self) -> tuple[int | None, ...]:
        """Say how far each stream has come: where this stays, no message was new."""
        lanes = [self._drive.fast.following(lane) for lane in self.lanes]
        return (*lanes, *(file.sequence for file in self.itch_files))

    def wake(self, now: int) -> None:
        """Let the deadlines of channels pass up to `now`, between two packets."""
        self._drive.wake(now + 1, Place("", NOWHERE, now))
        self._now = max(self._now, now)
        self._collect()

    def run(self) -> None:
        """Read all files to their ends, or until `stop`.

        Raises: SourceError when a file cannot be opened.
        """
        began = perf_counter_ns()
        try:
            with Inputs(self.options.files, self.findings, self.batch_packets) as inputs:
                self._captures(inputs)
                for name, kind, source in inputs.itch_files():
                    if self.stopped:
                        break
                    self._itch(inputs, self._itch_file(name, kind, source))
        finally:  # a run that is broken off has its report too
            self._account()
            self._report_unknown_types()
        self.elapsed_ns = perf_counter_ns() - began

    def _report_unknown_types(self) -> None:
        """Report ITCH types that the specification does not have: a new revision, or bytes that are no messages."""
        holders = [(lane.name, lane.feed) for lane in self.lanes] + [(file.name, file.feed) for file in self.itch_files]
        for name, feed in holders:
            types: dict[str, int] = feed.by_type if getattr(feed, "protocol", "") == "itch50" else {}
            for kind, count in sorted(types.items()):
                if kind not in itch.LAYOUTS:
                    where = Place(self.options.files[0] if len(self.options.files) == 1 else "", NOWHERE)
                    self.findings.add(where, f"{count} messages of type {kind!r} on {name}", "a type of ITCH 5.0")

    # --- captures

    def _captures(self, inputs: Inputs) -> None:
        place = Place("", 0)
        for capture, packets in inputs.captures():
            wanted = self._span.cut(packets)
            if len(wanted) and int(wanted["ts_ns"][0]) != NO_TIME:
                for call in self.before:
                    call(int(wanted["ts_ns"][0]))
            place = self._batch(capture, wanted)
            self._collect()
            for see in self.seen:
                see(capture, packets, wanted)
            self._call_after(inputs)
            if self._ask() or self._span.over:
                break
        self._walked = None  # what is delivered from here on comes from memory: its buffer may be gone
        if not self.stopped:
            for flow, held in self.flows.settle():
                self._deliver(flow, held.payload, held.place)
            for lane in self.lanes:
                lane.finish(place)
        self._collect()
        self._call_after(inputs)

    def _batch(self, capture: Capture, packets: Rows) -> Place:
        """Hand each packet to its channel: the path takes what is expected, the rest is looked at one by one."""
        name, buffer, base = capture.name, capture.source.buffer, capture.source.base
        self._walked = capture, packets
        rows: list[tuple[Any, ...]] = []
        place = Place(name, base)
        at, count = 0, len(packets)
        while at < count:
            if not self._drive.fast.idle:
                at, status = self._expected(name, buffer, packets, at)
                if status == Status.FULL:
                    self._collect()
                    continue
                if at == count:
                    place = Place(name, int(packets[-1]["record_offset"]), int(packets[-1]["ts_ns"]))
                    break
            rows = rows or packets.tolist()
            place = self._unexpected(name, buffer, base, rows[at])
            at += 1
        self.tally.records += count
        return place

    def _expected(self, name: str, buffer: memoryview, packets: Rows, at: int) -> tuple[int, int]:
        """Let the path take what it can, and move the time on."""
        end, status = self._drive.expected(buffer, packets, at, self._last.get(name, NO_TIME))
        if end > at:
            last = int(packets["ts_ns"][end - 1])
            if self.tally.first_ns is None:
                self._begin(int(packets["ts_ns"][at]))
            self._last[name] = last
            if last > self._now:
                self._now = self.tally.last_ns = last
        return end, status

    def _unexpected(self, name: str, buffer: memoryview, base: int, row: tuple[Any, ...]) -> Place:
        """Hand one packet to its channel, in plain Python."""
        place = Place(name, row[_RECORD], self._clock(row[_TS], name, row[_RECORD]), base + row[_AT])
        if row[_KIND] != Kind.UDP:
            self._odd(row, place)
            return place
        flow = self.flows.meet(row[_GROUP], row[_PORT])
        if flow is not None:
            self._deliver(flow, buffer[row[_AT] : row[_AT] + row[_LENGTH]], place)
            if flow.route is not None:
                lane, port = flow.route
                self._drive.fast.take_over(lane, port, row[_GROUP], row[_PORT])
        return place

    def _deliver(self, flow: Flow, payload: memoryview | bytes, place: Place) -> None:
        """Hand a packet to the channel of its flow; one whose flow is not known yet waits."""
        if not flow.multicast and is_request(payload):
            self.tally.requests += 1
            self.tally.packets += 1
            flow.asks = True
            return
        route = self.flows.route(flow, payload)
        if route is None:
            flow.passed += flow.ignored
            if not flow.ignored:
                self.flows.hold(flow, payload, place)
            return
        if flow.held:
            for held in self.flows.release(flow):
                self._deliver(flow, held.payload, held.place)
        lane, port = route
        self._drive.deliver(lane, payload, self._now if place.ts_ns is None else place.ts_ns, port, place)

    def _clock(self, ts_ns: int, file: str, offset: int) -> int | None:
        """Move the time on, and wake the channels whose deadlines it has passed."""
        if ts_ns == NO_TIME:
            return self.now_ns
        last = self._last.get(file, ts_ns)
        self._last[file] = ts_ns
        if ts_ns < last:
            self._fell(last - ts_ns, Place(file, offset, ts_ns))
        if ts_ns > self._now:
            if ts_ns > self._drive.soonest:
                self._drive.wake(ts_ns, Place(file, offset, ts_ns))
            self._now = ts_ns
            if self.tally.first_ns is None:
                self._begin(ts_ns)
            self.tally.last_ns = ts_ns
        return ts_ns

    def _begin(self, ts_ns: int) -> None:
        """Turn times of day into times, now that the day is known."""
        self.tally.first_ns = ts_ns
        since, until = self.options.since, self.options.until
        self.changes.since_ns = since.at(ts_ns) if since else None
        self.changes.until_ns = until.at(ts_ns) if until else None

    def _fell(self, by_ns: int, place: Place) -> None:
        falls = self.tally.falls.setdefault(place.file, Falls())
        falls.count += 1
        if by_ns > falls.most_ns:
            falls.most_ns, falls.place = by_ns, place

    def _odd(self, row: tuple[Any, ...], place: Place) -> None:
        """Account for a record that holds no whole UDP datagram."""
        kind = row[_KIND]
        if kind == Kind.FRAGMENT:
            self.tally.fragments += 1
        elif kind == Kind.NOT_UDP:
            self.tally.not_udp += 1
        elif kind == Kind.BAD:
            self.tally.packets += 1
            self.findings.add(place, f"a frame of {row[_CAPTURED]} bytes that contradicts itself", "a sound frame")
        else:
            self.tally.cut += 1
            self.tally.packets += 1
            cut = f"{row[_CAPTURED]} bytes, cut by the snap length of the capture"
            self.findings.add(place, cut, f"{row[_ORIGINAL]} bytes")

    def _wanted(self, group: str, port: int) -> bool:
        wanted = self.options.groups
        return not wanted or any(group == one and number in (None, port) for one, number in wanted)

    # --- files of ITCH messages

    def _itch_file(self, name: str, kind: FileKind, source: Source) -> ItchFile:
        since, until = self.options.since if self._skips else None, self.options.until
        return ItchFile(
            name, kind, source, self._new_feed(PROTOCOLS["itch50"]), self.findings,
            since_ns=since.at(0) if since else None, until_ns=until.at(0) if until else None,
        )  # fmt: skip

    def _itch(self, inputs: Inputs, file: ItchFile) -> None:
        begin = getattr(file.feed, "begin", None)
        if begin is not None:
            begin(True)
        self._file = file
        self.itch_files.append(file)
        since, until = self.options.since, self.options.until
        self.changes.since_ns = since.at(0) if since else None
        self.changes.until_ns = until.at(0) if until else None
        while not file.done:
            self._step(file)
            self._collect()
            for see in self.stepped:
                see()
            self._call_after(inputs)
            if self._ask():
                return

    def _step(self, file: ItchFile) -> None:
        """Apply a window; where somebody must know of the time before, one message."""
        since = self.changes.since_ns or 0
        found = file.next(since) if self.before else None
        if found is None:
            file.step(self.batch_bytes)
            return
        window, at_ns = found
        self._now = max(self._now, at_ns)
        if at_ns >= since:
            for call in self.before:
                call(at_ns)
        file.step(window)

    # --- after each batch

    def feeds(self) -> list[Any]:
        """List the feeds: those of channels, then those of files."""
        return [*self.flows.feeds, *(file.feed for file in self.itch_files)]

    def _collect(self) -> None:
        self._drive.collect(self._now)
        self._count()

    def _account(self) -> None:
        """Write what the path did into the channels."""
        self._drive.account()
        self._count()

    def _count(self) -> None:
        self.tally.packets += self._drive.packets
        self._drive.packets = 0

    def _call_after(self, inputs: Inputs) -> None:
        for call in self.after:
            call(inputs)

    def _refused(self, index: int, sequence: int, reason: Refusal, order_id: int) -> None:
        """Report a message that was refused, where it stands."""
        lane = self.lanes[index] if index != NO_LANE else None
        if reason is Refusal.CROSSED and lane is not None and lane.protocol.name not in _NEVER_CROSSED:
            return
        known = self.findings.count < MAX_FINDINGS  # beyond that they are only counted, and not looked for
        if reason is not Refusal.BAD_LENGTH:
            name = f"channel {lane.name}" if lane is not None else "the file"
            found, wanted = (
                f"message {sequence} on {name}: {reason.name}, order {order_id}",
                "a message that makes sense",
            )
            place = Place("", 0)
            if known and lane is not None:
                place = self._locate(lane, sequence)
            elif known and self._file is not None:
                place = self._file.locate(sequence)
            self.findings.add(place, found, wanted)
        elif lane is not None:
            place = self._locate(lane, sequence) if known else Place("", 0)
            payload = self._payload(place)
            fault = None if payload is None else fault_in(lane.protocol, payload, sequence)
            self._malformed(place, f"message {sequence} on channel {lane.name}", fault)
        elif self._file is not None:
            place = self._file.locate(sequence) if known else Place("", 0)
            fault = fault_of("itch50", self._file.message(sequence)) if known else None
            self._malformed(place, f"message {sequence}", fault)

    def _malformed(self, place: Place, which: str, fault: WireError | None) -> None:
        if fault is None:
            self.findings.add(place, f"{which} does not decode", "its specification")
        else:
            self.findings.add(place, f"{which}, {fault.what}: {fault.found}", fault.wanted)

    def _payload(self, place: Place) -> memoryview | None:
        """Give what the packet of the last batch that stands at a place carries; None when it is not there."""
        if self._walked is None or self._walked[0].name != place.file:
            return None
        capture, packets = self._walked
        for packet in packets[packets["record_offset"] == place.offset]:
            at = int(packet["payload_offset"])
            return capture.source.buffer[at : at + int(packet["payload_length"])]
        return None

    def _locate(self, lane: Lane, sequence: int) -> Place:
        """Find where a message of the last batch stands."""
        known = next((place for first, place in reversed(lane.placed) if first <= sequence), None)
        if self._walked is None:
            return known or Place("", 0)
        capture, packets = self._walked
        packet = self._drive.fast.locate(lane, capture.source.buffer, packets, sequence)
        if packet is None:
            return known or Place("", 0)
        offset, at = int(packet["record_offset"]), int(packet["payload_offset"])
        return Place(capture.name, offset, int(packet["ts_ns"]), capture.source.base + at)

    def _ask(self) -> bool:
        self.stopped = self.stopped or self._stop()
        return self.stopped
