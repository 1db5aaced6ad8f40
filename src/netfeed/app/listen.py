"""Listen to groups without any configuration: join, recognise, count, compare lines, and say why nothing comes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import netfeed
from netfeed.app.listen_line import Line, Lines
from netfeed.host.arrival import counters, findings
from netfeed.latency import Histogram
from netfeed.transport import Batch
from netfeed.transport.loop import Loop
from netfeed.transport.network import endpoint_text, is_multicast
from netfeed.transport.udp import BUFFER_BYTES, UdpSocket, open_multicast, open_unicast

SECOND_NS: Final = 1_000_000_000
PATIENCE_NS: Final = 3 * SECOND_NS
"""How long a line may be silent at the beginning before it is looked into."""
ASK_NS: Final = 50_000_000
"""How often `stop`, `count` and `timeout` are asked."""
PACKETS: Final = 64
SLOT_BYTES: Final = 9_216
"""Room for a datagram: a jumbo frame. A longer one is counted as truncated."""
LAST: Final = 64
"""Turns that the end may take: a line that goes on must not keep it from coming."""
TURNS: Final = 16
"""Batches that are taken from one socket before the others get their turn."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A group (or an address of this host) and port to listen to, from one source or any, on an interface or any."""

    host: str
    port: int
    source: str | None = None
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What is listened to, and for how long. Units: ns, bytes."""

    targets: Sequence[Target]
    protocol: str | None = None
    count: int | None = None
    duration_ns: int | None = None
    timeout_ns: int | None = None
    interval_ns: int = SECOND_NS
    buffer_bytes: int = BUFFER_BYTES
    stamps: str = "software"
    busy_poll_us: int = 0
    spin: bool = False


@dataclass(slots=True)
class _Before:
    """What had been counted at the last interval."""

    packets: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Listen:
    """A run of listening. `tell` takes the report of every interval, `note` what a person should know.

    `stop` and `dump` are asked several times a second; a dump is the summary so far, as a note in JSON.
    """

    options: Options
    tell: Callable[[Json], None] = lambda report: None
    note: Callable[[str], None] = lambda text: None
    stop: Callable[[], bool] = lambda: False
    dump: Callable[[], bool] = lambda: False
    timed_out: bool = False
    elapsed_ns: int = 0
    _lines: Lines = field(default_factory=lambda: Lines([]))
    _loop: Loop = field(default_factory=Loop)
    _batch: Any = None
    _begun: int = 0
    _told: int = 0
    _heard: int = 0
    _packets: int = 0
    _before: list[_Before] = field(default_factory=list)
    _doubted: set[int] = field(default_factory=set)

    @property
    def lines(self) -> list[Line]:
        """Give the lines, in the order of the targets."""
        return self._lines.lines

    def run(self) -> Json:
        """Listen until the count, the duration, the timeout or `stop`; give the summary.

        Raises: NetworkError, ConfigurationError.
        """
        options = self.options
        self._loop = Loop(spin=options.spin)
        self._batch = Batch(PACKETS, SLOT_BYTES, hardware=options.stamps == "hardware")
        sockets: list[UdpSocket] = []
        try:
            for target in options.targets:
                sockets.append(_open(target, options))
            self._start(sockets)
            self._loop.run(self._begun + options.duration_ns if options.duration_ns else 2**63 - 1)
            self._drain()
            for line in self.lines:
                line.words.settle()
            return self._summary()
        finally:
            self._loop.close()
            for socket in sockets:
                socket.close()

    def _start(self, sockets: list[UdpSocket]) -> None:
        self._lines = Lines([Line(at, one, self.options.protocol) for at, one in enumerate(sockets)])
        self._before = [_Before() for _ in sockets]
        for line in self.lines:
            where = ", ".join(str(one) for one in line.socket.memberships) or line.text
            self.note(
                f"line {line.name}: listening to {line.text} ({where}), buffer {line.socket.granted_bytes:,} bytes"
            )
            for warning in line.socket.warnings:
                self.note(f"line {line.name}: {warning}")
            self._loop.watch(line.socket.fileno(), lambda now, line=line: self._take(line, now))  # type: ignore[misc]
        before = counters()
        self._begun = self._told = self._heard = self._loop.clock()
        self._loop.every(ASK_NS, lambda now: self._ask(now, before))
        self._loop.every(self.options.interval_ns, self._interval)

    def _take(self, line: Line, now: int) -> None:
        """Take what a socket has, but leave the others their turn; not more than was asked for."""
        for _ in range(TURNS):
            count = self._batch.receive(line.socket.fileno())
            if self.options.count is not None:
                count = min(count, self.options.count - self._packets)
            if count <= 0:
                break
            self._lines.take(line, self._batch, count)
            self._packets += count
            self._heard = now
            if count < PACKETS:
                break
        if self.options.count is not None and self._packets >= self.options.count:
            self._loop.stop()

    def _drain(self) -> None:
        """Take what had come by the end and lies in the sockets: left there, it would seem to have been missed."""
        for _ in range(LAST):
            before = self._packets
            for line in self.lines:
                self._take(line, self._loop.clock())
            if self._packets == before:
                return

    def _ask(self, now: int, before: Any) -> None:
        if self.stop():
            self._loop.stop()
        elif self.options.timeout_ns is not None and now - self._heard >= self.options.timeout_ns:
            self.timed_out = True
            self._loop.stop()
        if self.dump():
            self.note(json.dumps(self._summary()))
        if now - self._begun >= PATIENCE_NS:
            silent = [line for line in self.lines if not line.packets and line.number not in self._doubted]
            if silent:
                self._doubt(silent, before)

    def _doubt(self, silent: list[Line], before: Any) -> None:
        """Say, once for each line, what may keep it silent."""
        self._doubted.update(line.number for line in silent)
        names = ", ".join(f"line {line.name} ({line.text})" for line in silent)
        self.note(f"nothing has arrived on {names}. What to check:")
        for finding in dict.fromkeys(findings([line.socket for line in silent], before)):
            self.note(f"  {finding}")

    def _interval(self, now: int) -> None:
        elapsed = max(1, now - self._told)
        self._told = now
        lines = []
        for line, before in zip(self.lines, self._before, strict=True):
            report = line_report(line, self.lines, self._lines)
            report["packets_per_second"] = round((line.packets - before.packets) * SECOND_NS / elapsed)
            report["bits_per_second"] = round((line.bytes - before.bytes) * 8 * SECOND_NS / elapsed)
            before.packets, before.bytes = line.packets, line.bytes
            lines.append(report)
        self.tell({"type": "interval", "elapsed_ns": now - self._begun, "lines": lines})

    def _summary(self) -> Json:
        self.elapsed_ns = self._loop.clock() - self._begun
        loop = self._loop.statistics()
        return {
            "type": "summary", "netfeed": netfeed.__version__, "build": netfeed.BUILD, "elapsed_ns": self.elapsed_ns,
            "packets": self._packets, "lines": [self._with_rates(line) for line in self.lines],
            "streams": len(self._lines.together), "missed_by_all": self._lines.missed_by_all(),
            "longest_turn_ns": loop.longest_turn_ns, "timed_out": self.timed_out,
        }  # fmt: skip

    def _with_rates(self, line: Line) -> Json:
        """Add the mean rates, over the time from the first to the last packet where there are stamps."""
        report = line_report(line, self.lines, self._lines)
        span = self.elapsed_ns
        if line.first_ns is not None and line.last_ns is not None and line.last_ns > line.first_ns:
            span = line.last_ns - line.first_ns
        report["packets_per_second"] = round(max(0, line.packets - 1) * SECOND_NS / max(1, span))
        report["bits_per_second"] = round(line.bytes * 8 * SECOND_NS / max(1, span))
        return report


def line_report(line: Line, lines: list[Line], shared: Lines) -> Json:
    """Give the account of one line."""
    others = [one for one in lines if one is not line]
    only = max(0, others[0].total("lost") - shared.missed_by_all()) if len(others) == 1 and line.streams else None
    sums = ("numbers", "lost", "holes", "duplicates", "reordered", "restarts")
    return {
        "line": line.name, "group": line.text, "protocol": line.words.name, "packets": line.packets,
        "bytes": line.bytes, **{name: line.total(name) for name in sums}, "malformed": line.words.malformed,
        "unordered": line.words.unordered, "truncated": line.truncated, "first": line.first, "only": only,
        "differs": line.differs, "behind_ns": percentiles(line.behind), "one_way_ns": percentiles(line.one_way),
        "clock_behind": line.one_way.negative, "kernel_drops": line.socket.drops(),
        "buffer_bytes": line.socket.granted_bytes,
        "sources": [endpoint_text(_host(source), port) for source, port in line.sources],
    }  # fmt: skip


def percentiles(histogram: Histogram) -> Json | None:
    """Give what is told of a histogram, None of an empty one. Units: ns."""
    if not histogram.count:
        return None
    found = {f"p{percent}": histogram.percentile(percent) for percent in (50, 99)}
    return {"count": histogram.count, "min": histogram.min_ns, **found, "max": histogram.max_ns}


def is_lossy(summary: Json) -> bool:
    """Say whether a line lost something, brought what is no packet of its protocol, or was silent beside others."""
    bad = ("lost", "malformed", "truncated", "differs", "kernel_drops")
    silent = any(not line["packets"] for line in summary["lines"]) and summary["packets"] > 0
    return silent or any(line[name] for line in summary["lines"] for name in bad)


def _open(target: Target, options: Options) -> UdpSocket:
    if not is_multicast(target.host):
        return open_unicast(target.host, target.port, buffer_bytes=options.buffer_bytes, stamps=options.stamps)
    return open_multicast(
        target.host, target.port, interface=target.interface, source=target.source, buffer_bytes=options.buffer_bytes,
        stamps=options.stamps, busy_poll_us=options.busy_poll_us,
    )  # fmt: skip


def _host(packed: bytes) -> str:
    from ipaddress import IPv6Address

    one = IPv6Address(packed)
    return str(one.ipv4_mapped or one)
