"""Receive in the loop itself: sockets that are ready are read in batches, and the fast path takes what it can.

Packets of several sockets are handed on in the order of their stamps, and no deadline passes while packets wait that
came before it: a handler that lags takes the other line's copy for what it is, and loses nothing by being late. Sockets
that never run dry are left after MAX_ROUNDS batches each, so that they starve nobody.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from netfeed.app.changes import Rows
from netfeed.app.fast import Fast
from netfeed.app.inlet import Inlet, joined
from netfeed.app.traces import Stamps, Traces
from netfeed.feed.path import Status
from netfeed.latency.stage import ABSENT
from netfeed.machine import NEVER
from netfeed.transport import Batch
from netfeed.wire.capture import NO_TIME, Kind

MAX_ROUNDS: Final = 8
_TS, _AT, _LENGTH, _KIND, _NUMBER = 1, 2, 3, 7, 11


class LoopReceiver:
    """Read sockets on the loop of `live`."""

    def __init__(self, live: Any) -> None:
        self.fast = Fast()
        self._live = live
        config = live.config.trace
        self.traces = Traces(config, live.slots) if config.ring is not None else None
        self._numbered: dict[int, Inlet] = {}
        self._active: list[Inlet] = []

    def start(self) -> None:
        """There is nothing to start."""

    def attach(self, inlet: Inlet) -> None:
        """Receive from an inlet's socket."""
        receive = self._live.config.receive
        inlet.batch = Batch(receive.batch, receive.packet_size, hardware=receive.hardware_stamps)
        self._numbered[inlet.number] = inlet
        self._live.watch(inlet.socket.fileno(), lambda: self._activate(inlet))

    def detach(self, inlet: Inlet) -> None:
        """Receive no more from an inlet's socket."""
        self._live.forget(inlet.socket.fileno())
        inlet.dry, inlet.waiting = True, None

    @property
    def busy(self) -> bool:
        """Say whether packets wait."""
        return bool(self._active)

    @property
    def deadline(self) -> int:
        """Say when to look without being called: never."""
        return NEVER

    @contextmanager
    def held(self) -> Iterator[None]:
        """Books may be read in between: here they always may."""
        yield

    def gather(self) -> int:
        """Read the sockets that are ready and hand their packets on in the order in which they came.

        Gives the time up to which all that came has been handled: real time, NEVER when the sockets ran dry.
        """
        now_ns, until_ns = time.time_ns(), NEVER
        for _ in range(MAX_ROUNDS):
            for inlet in self._active:
                if inlet.waiting is None and not inlet.dry:
                    self._read(inlet, now_ns)
            until_ns = min((inlet.newest_ns for inlet in self._active if not inlet.dry), default=NEVER)
            parts = [part for inlet in self._active if (part := inlet.up_to(until_ns)) is not None]
            if parts:
                self._take(*joined(parts))
            if until_ns == NEVER:
                self._active.clear()
                break
        return until_ns

    def settle(self) -> None:
        """Nothing waits for the end of a turn."""

    def collect(self) -> None:
        """Hand on what changed."""
        self._live.drive.collect(self._live.now)
        if self.traces is not None:
            for slot in self._live.slots:
                self.traces.published(slot, self.fast.following(slot.lane))

    def catch_up(self, slot: Any) -> None:
        """Work off what came in before a channel admits others: nothing waits here unjudged."""

    def admitted(self, inlet: Inlet) -> None:
        """Take note that an inlet admits other senders: it asks itself."""

    def account(self) -> dict[str, Any]:
        """Say how packets come in."""
        return {"how": "loop", **(self.traces.account() if self.traces is not None else {})}

    def heartbeats(self, slot: Any) -> int:
        """Count the heartbeats that the channel did not see: none."""
        return 0

    def add_latencies(self, histogram: Any) -> None:
        """There are none but the loop's own."""

    def close(self) -> None:
        """Close the traces; sockets are others'."""
        if self.traces is not None:
            self.traces.close()

    def _activate(self, inlet: Inlet) -> None:
        inlet.dry = False
        if inlet not in self._active:
            self._active.append(inlet)

    def _read(self, inlet: Inlet, now_ns: int) -> None:
        inlet.dry = True
        if inlet.socket is None:
            return
        batch = inlet.batch
        try:
            count = batch.receive(inlet.socket.fileno())
        except OSError as error:
            self._live.failed(inlet, error.strerror or str(error))
            return
        if not count:
            return
        if self.traces is not None:
            inlet.user_ns = time.time_ns()
        inlet.dry = count < batch.capacity
        inlet.kernel_drops = max(inlet.kernel_drops, batch.drops)
        packets = inlet.take(batch.packets[:count], now_ns)
        if self._live.journal is not None:
            self._live.journal.take(inlet, batch.data, packets)
        inlet.wait(packets)

    def _take(self, data: Any, packets: Rows) -> None:
        """Hand packets on, the path what is expected, the lane the rest, and collect what changed."""
        live, drive = self._live, self._live.drive
        at, count = 0, len(packets)
        before = {slot.index: self.fast.following(slot.lane) for slot in live.slots} if self.traces is not None else {}
        rows: list[tuple[Any, ...]] = []
        while at < count:
            if not self.fast.idle:
                at, status = drive.expected(data, packets, at, NO_TIME)
                if status == Status.FULL:
                    self.collect()
                    continue
                if at == count:
                    break
                if status == Status.LATE:
                    live.wake_lanes(int(packets["ts_ns"][at]) - drive.skew_ns)
            rows = rows or packets.tolist()
            self._plain(data, rows[at])
            at += 1
        if self.traces is not None:
            self._trace(self.traces, data, packets, before)
        self.collect()
        live.latencies.record_all(time.time_ns() - packets["ts_ns"])

    def _trace(self, traces: Traces, data: Any, packets: Rows, following: dict[int, int | None]) -> None:
        """Trace packets that were handled: nobody looked at the clock when each was decoded."""
        for row in packets.tolist():
            inlet = self._numbered[row[_NUMBER]]
            slot, payload = inlet.slot, data[row[_AT] : row[_AT] + row[_LENGTH]]
            kernel_ns = ABSENT if inlet.batch.hardware else row[_TS]
            stamps = Stamps(row[_TS], kernel_ns, inlet.user_ns, ABSENT)
            following[slot.index] = traces.came(inlet, payload, stamps, following[slot.index])

    def _plain(self, data: Any, row: tuple[Any, ...]) -> None:
        inlet = self._numbered[row[_NUMBER]]
        payload = data[row[_AT] : row[_AT] + row[_LENGTH]]
        if row[_KIND] != Kind.UDP:
            inlet.cut += 1
        else:
            self._live.plain(inlet, payload, row[_TS])
