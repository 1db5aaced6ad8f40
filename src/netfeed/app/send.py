"""Numbered packets to one or more destinations, at a rate, with the account of how punctual they were.

The same packet - the same number - goes to every destination, so that two groups are two lines of one stream. A packet
that the kernel does not take at once is sent as soon as it does: the number of what was sent has no holes, and what a
receiver misses was lost on the way.
"""

import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import netfeed
from netfeed.transport.network import endpoint_text
from netfeed.transport.resend import Resent
from netfeed.transport.send import Pacer, Punctuality, Sender
from netfeed.wire import numbered

ENDS: Final = 3
"""END packets at the end: one alone could be lost."""
MAX_BURST: Final = 64
SEGMENT_BYTES: Final = 1400
"""The largest packet that is handed to the kernel in bursts: it must fit the link."""
ROOM_S: Final = 0.1
SECOND_NS: Final = 1_000_000_000

Json = dict[str, Any]


@dataclass(slots=True)
class Sent:
    """The account of a run. Units: ns, bytes of payload."""

    packets: int = 0
    elapsed_ns: int = 0
    waited: int = 0  # times that the kernel had no room
    refused: int = 0
    stopped: bool = False
    punctuality: Punctuality | None = None


class Numbered:
    """A stream of numbered packets on its way out."""

    def __init__(
        self, senders: list[Sender], *, stream: int, size: int, pps: float | None, burst: int = 1,
        count: int | None = None, duration_ns: int | None = None, stop: Callable[[], bool] = lambda: False,
        pacer: Pacer | None = None, clock: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        """Prepare; `pps` None is as fast as the kernel takes them, `burst` packets leave together."""
        self.result = Sent()
        self.size = max(size, numbered.HEADER.size)
        self._senders, self._stream, self._pps = senders, stream, pps
        self._burst = min(burst, MAX_BURST, max(1, 65_000 // self.size))
        self._count, self._duration_ns, self._stop, self._clock = count, duration_ns, stop, clock
        self._pacer = pacer or Pacer(stop=stop)

    def run(self) -> Sent:
        """Send until the count, the duration, or `stop`; then say that this is the end."""
        begun, result = self._pacer.now(), self.result
        while self._count is None or result.packets < self._count:
            due = begun + int(result.packets * SECOND_NS / self._pps) if self._pps else self._pacer.now()
            if self._duration_ns is not None and due >= begun + self._duration_ns:
                break
            if self._stop() or (self._pps and not self._pacer.wait(due)):
                result.stopped = True
                break
            self._send_next()
        result.elapsed_ns = self._pacer.now() - begun
        result.punctuality = self._pacer.statistics() if self._pps else None
        self._say_end()
        result.refused = sum(sender.refused for sender in self._senders)
        return result

    def _send_next(self) -> None:
        count = self._burst if self._count is None else min(self._burst, self._count - self.result.packets)
        first, sent_ns = self.result.packets + 1, self._clock()
        packets = [numbered.encode(self._stream, first + index, sent_ns, size=self.size) for index in range(count)]
        together = count > 1 and self.size <= SEGMENT_BYTES
        for sender in self._senders:
            for data in (b"".join(packets),) if together else packets:
                self._insist(sender, data)
        self.result.packets += count

    def _insist(self, sender: Sender, data: bytes) -> None:
        """Send, and again when there was no room; what the kernel refuses for another reason stays unsent."""
        refused = sender.refused
        while not (sender.burst(data, self.size) if len(data) > self.size else sender.send(data)):
            if sender.refused != refused or self._stop():
                break
            self.result.waited += 1
            select.select([], [sender], [], ROOM_S)

    def _say_end(self) -> None:
        for _ in range(ENDS):
            packet = numbered.encode(
                self._stream, self.result.packets + 1, self._clock(), kind=numbered.Kind.END, size=self.size
            )
            for sender in self._senders:
                sender.send(packet)


def sent_report(sent: Sent, senders: list[Sender], stream: int, size: int) -> Json:
    """Give the report of numbered packets."""
    return {
        "netfeed": netfeed.__version__, "stream": stream, "size": size, "packets": sent.packets,
        "destinations": [
            {"to": endpoint_text(one.host, one.port), "from": endpoint_text(*one.local), "datagrams": one.sent,
             "bytes": one.bytes, "refused": one.refused}
            for one in senders
        ],
        "waited": sent.waited, "elapsed_ns": sent.elapsed_ns, "late_ns": late(sent.punctuality),
    }  # fmt: skip


def resent_report(resent: Resent, files: list[str]) -> Json:
    """Give the report of captures that were sent again."""
    return {
        "netfeed": netfeed.__version__, "files": files, "read": resent.read, "packets": resent.sent,
        "bytes": resent.bytes, "left_out": resent.left_out, "not_taken": resent.not_taken, "faults": resent.faults,
        "rounds": resent.rounds,
        "destinations": [
            {"to": endpoint_text(*to) if to[1] else to[0], "datagrams": count}  # an interface has no port
            for to, count in resent.destinations.items()
        ],
        "elapsed_ns": resent.elapsed_ns, "late_ns": late(resent.punctuality),
    }  # fmt: skip


def late(punctuality: Punctuality | None) -> Json | None:
    """Give the percentiles of lateness; None when nothing was to be punctual."""
    if punctuality is None or not punctuality.count:
        return None
    return {
        "p50": punctuality.p50_ns, "p90": punctuality.p90_ns, "p99": punctuality.p99_ns, "max": punctuality.max_ns,
    }  # fmt: skip
