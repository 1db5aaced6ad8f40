"""A source of frames that tests fill: it keeps the law of `FrameSource`, and needs no privileges."""

import os
from collections import deque
from collections.abc import Iterable

from netfeed.machine import NEVER
from netfeed.transport.raw.source import ALL, Form, Frame, FrameKind, SourceStatistics, Why, Written
from netfeed.wire import pcap, pcapng
from netfeed.wire.headers import udp_frame

SECOND = 1_000_000_000
INTERFACES = [pcapng.Interface(1, 65535, name=f"eth{k}") for k in range(4)]


def frame(ts_ns: int, payload: bytes = b"payload", group: str = "233.252.0.1", port: int = 26400) -> Frame:
    data = udp_frame(payload, ("10.0.0.1", 5000), (group, port))
    return Frame(ts_ns, data, len(data), FrameKind.MULTICAST)


class FrameQueue:
    """Frames that wait, in order; readable while there are any."""

    def __init__(self, interface: str = "eth0", frames: Iterable[Frame] = ()) -> None:
        self.interface, self.stamps, self.gone = interface, "software", None
        self.warnings: list[str] = []
        self.drops = self.read = self.size = 0
        self._waiting: deque[Frame] = deque()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.put(frames)

    def put(self, frames: Iterable[Frame]) -> None:
        self._waiting.extend(frames)
        if self._waiting:
            os.eventfd_write(self._fd, 1)

    def fileno(self) -> int:
        return self._fd

    def write_into(
        self, out: bytearray, form: Form, interface: int = 0, *, frames: int = ALL, until_ns: int = NEVER
    ) -> Written:
        used, stamps, why = 0, list[int](), Why.COUNT
        while len(stamps) < frames:
            if not self._waiting:
                why = Why.EMPTY
                break
            record = self._record(form, interface, self._waiting[0])
            if self._waiting[0].ts_ns >= until_ns or used + len(record) > len(out):
                why = Why.TIME if self._waiting[0].ts_ns >= until_ns else Why.ROOM
                break
            out[used : used + len(record)] = record
            used += len(record)
            stamps.append(self._waiting.popleft().ts_ns)
        self.read += len(stamps)
        self.size += used
        self._quieten()
        return Written(used, len(stamps), stamps[0] if stamps else None, stamps[-1] if stamps else None, why)

    def take(self, limit: int = 1024) -> list[Frame]:
        taken = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        self._quieten()
        return taken

    def statistics(self) -> SourceStatistics:
        return SourceStatistics(self.read, self.size, self.drops, 0, 0)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _quieten(self) -> None:
        if not self._waiting:
            try:
                os.eventfd_read(self._fd)
            except BlockingIOError:
                return

    def _record(self, form: Form, interface: int, one: Frame) -> bytes:
        if form is Form.PCAP:
            return pcap.record(one.ts_ns, one.data, one.length)
        return pcapng.Writer(INTERFACES).packet(one.ts_ns, one.data, interface, one.length)
