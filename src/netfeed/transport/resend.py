"""Send a capture again, as multicast: to where its packets went, or to somewhere else.

    as recorded   `speed` times as fast as it happened; packets that were recorded together leave together
    pps           so many a second, evenly
    top speed     as fast as the kernel takes them

Every packet has an absolute deadline, so that nothing drifts: a packet that is late does not make the next ones late.
How late they were is in the result. Of a capture with faults everything that can be read is sent, and the faults are
counted. Several captures are merged by time. Only UDP is sent, and without a map only what went to groups: a re-sent
capture should not reach strangers' hosts.

Leaves out: other headers than addresses and ports (TTL, source address, VLAN), TCP: `transport.raw.resend` sends frames
as they are.
"""

import heapq
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from netfeed.build import select
from netfeed.errors import MisuseError
from netfeed.transport.file import Source, open_source
from netfeed.transport.send import Pacer, Punctuality
from netfeed.wire.capture import NO_TIME, PACKET, Kind, Status

BATCH: Final = 1024
MAX_DESTINATIONS: Final = 1024
"""Sockets; a capture of more groups is refused packet by packet, and counted."""
SECOND_NS: Final = 1_000_000_000
_MAPPED: Final = bytes(10) + b"\xff\xff"

Destination = tuple[str, int]
"""An address as text, and a port."""


class Recorded(NamedTuple):
    """A UDP payload of a capture, or its whole frame (`transport.raw.resend`), and where it went.

    Units: `ts_ns` since 1970, NO_TIME: the file does not say.
    """

    ts_ns: int
    destination: Destination
    payload: memoryview


class Outlet(Protocol):
    """Where packets leave: a `Sender`, or an interface (port 0) that takes whole frames."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    def send(self, data: memoryview) -> bool: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast: exactly one of `speed` (times as recorded), `pps` (packets a second), and neither: top speed."""

    speed: float | None = 1.0
    pps: float | None = None

    def __post_init__(self) -> None:
        if self.speed is not None and self.pps is not None:
            raise MisuseError("a capture is sent at a speed or at a rate, not both")


@dataclass(slots=True)
class Resent:
    """What was read, sent and left out. Units: ns."""

    read: int = 0
    sent: int = 0
    bytes: int = 0
    left_out: int = 0  # no UDP, not to a group, not wanted
    not_taken: int = 0  # by the kernel
    faults: int = 0  # of the files
    rounds: int = 0
    elapsed_ns: int = 0
    stopped: bool = False
    punctuality: Punctuality | None = None
    destinations: dict[Destination, int] = field(default_factory=dict)


def read_capture(path: str, result: Resent) -> Iterator[Recorded]:
    """Give every UDP payload of a capture, in its order; count what is no UDP and what cannot be read.

    Raises: SourceError.
    """
    walker = select("capture", "netfeed.wire.capture", "Walker")()
    packets = np.zeros(BATCH, PACKET)
    with open_source(path) as source:
        at, reading = 0, True
        while reading:
            count, at, status = walker.walk(source.buffer, at, packets, source.base)
            yield from _payloads(packets[:count], source.buffer, result)
            at, reading = _go_on(walker, source, at, Status(status), result)


def _go_on(walker: Any, source: Source, at: int, status: Status, result: Resent) -> tuple[int, bool]:
    """Get more bytes, or step over a fault; give where to read on, and whether to."""
    if status is Status.MORE:
        source.release(at)
        return at, True
    if status is not Status.BAD and source.more(at):
        return 0, True
    if status is Status.END:
        result.faults += source.error is not None
        return at, False
    result.faults += 1
    found = walker.resync(source.buffer, at)
    return (found, True) if found >= 0 else (at, False)


def _payloads(packets: Any, buffer: memoryview, result: Resent) -> Iterator[Recorded]:
    names = ("kind", "ts_ns", "payload_offset", "payload_length", "destination", "destination_port")
    for kind, ts_ns, offset, length, address, port in zip(*(packets[name].tolist() for name in names), strict=True):
        if kind == Kind.UDP:
            yield Recorded(ts_ns, (address_text(address), port), buffer[offset : offset + length])
        else:
            result.left_out += 1


class Resend:
    """A capture, or several, on their way out. `run` returns at the end, or when `stop` says so."""

    def __init__(
        self, paths: Sequence[str], opened: Callable[[str, int], Outlet], *, pace: Pace | None = None, rounds: int = 1,
        moved: Mapping[Destination, Destination] | None = None, everything_to: Destination | None = None,
        wanted: Callable[[str, int], bool] = lambda group, port: True, count: int | None = None,
        duration_ns: int | None = None, pacer: Pacer | None = None, stop: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Prepare. `opened` makes the sender of a destination; `moved` maps recorded destinations to others.

        `rounds` is how often all is sent, 0: without end. `everything_to` takes what is not moved.
        """
        self.result = Resent()
        self._paths, self._opened, self._pace, self._rounds = list(paths), opened, pace or Pace(), rounds
        self._moved, self._everything_to, self._wanted = dict(moved or {}), everything_to, wanted
        self._count, self._duration_ns, self._stop = count, duration_ns, stop
        self._pacer = pacer or Pacer(stop=stop)
        self._senders: dict[Destination, Outlet | None] = {}
        self._begun = self._last = self._gap = 0
        self._first_ts: int | None = None

    def run(self) -> Resent:
        """Send everything.

        Raises: SourceError, NetworkError.
        """
        self._begun = self._last = self._pacer.now()
        try:
            while self._rounds == 0 or self.result.rounds < self._rounds:
                before = self.result.sent + self.result.not_taken
                if not self._round() or self.result.sent + self.result.not_taken == before:
                    break
                self.result.rounds += 1
        finally:
            self.result.elapsed_ns = self._pacer.now() - self._begun
            self.result.punctuality = self._pacer.statistics()
            self.close()
        return self.result

    def close(self) -> None:
        """Close the senders."""
        for sender in self._senders.values():
            if sender is not None:
                sender.close()

    def _read(self, path: str) -> Iterator[Recorded]:
        return read_capture(path, self.result)

    def _round(self) -> bool:
        """Send the files once; False when it was ended before."""
        self._first_ts, origin = None, self._last + self._gap
        files = [self._read(path) for path in self._paths]
        records = heapq.merge(*files, key=lambda one: one.ts_ns) if len(files) > 1 else files[0]
        try:
            for record in records:
                self.result.read += 1
                sender = self._sender(record.destination)
                if sender is None:
                    self.result.left_out += 1
                    continue
                if not self._send(record, sender, origin):
                    return False
        finally:
            for file in files:
                file.close()  # type: ignore[attr-defined]
        return True

    def _send(self, record: Recorded, sender: Outlet, origin: int) -> bool:
        """Wait for the moment of a packet and send it; False when it is time to end."""
        result = self.result
        done = result.sent + result.not_taken
        deadline = self._deadline(record.ts_ns, origin, done)
        over = self._count is not None and done >= self._count
        over |= self._duration_ns is not None and max(deadline, self._pacer.now()) >= self._begun + self._duration_ns
        if over or self._stop() or not (self._is_top() or self._pacer.wait(deadline)):
            result.stopped = not over
            return False
        if sender.send(record.payload):
            result.sent += 1
            result.bytes += len(record.payload)
            key = (sender.host, sender.port)
            result.destinations[key] = result.destinations.get(key, 0) + 1
        else:
            result.not_taken += 1
        return True

    def _is_top(self) -> bool:
        return self._pace.speed is None and self._pace.pps is None

    def _deadline(self, ts_ns: int, origin: int, done: int) -> int:
        """Give the moment of a packet; a round follows the last one at its last interval. Units: monotonic ns."""
        if self._pace.pps is not None:
            return self._begun + int(done * SECOND_NS / self._pace.pps)
        if self._pace.speed is None or ts_ns == NO_TIME:
            return self._last
        if self._first_ts is None:
            self._first_ts = ts_ns
        deadline = max(self._last, origin + int((ts_ns - self._first_ts) / self._pace.speed))
        if deadline > self._last:
            self._gap, self._last = deadline - self._last, deadline
        return deadline

    def _sender(self, recorded: Destination) -> Outlet | None:
        """Give the sender for what went to a destination; None: it is left out."""
        if recorded not in self._senders:
            if len(self._senders) >= MAX_DESTINATIONS:
                return None
            to = self._moved.get(recorded, self._everything_to)
            group = to is not None or _is_group(recorded[0])
            send = group and recorded[1] > 0 and self._wanted(*recorded)
            self._senders[recorded] = self._opened(*(to or recorded)) if send else None
        return self._senders[recorded]


def address_text(address: bytes) -> str:
    """Write an address of 16 bytes, IPv4 as ::ffff:a.b.c.d, as people do."""
    if address[:12] == _MAPPED:
        return socket.inet_ntoa(address[12:])
    return socket.inet_ntop(socket.AF_INET6, address)


def _is_group(host: str) -> bool:
    return host.lower().startswith("ff") if ":" in host else 224 <= int(host.split(".")[0]) < 240
