"""Stamps of packets and of decisions, into rings in shared memory. This twin defines `netfeed.transport.trace`.

    Tracer(ring)     the receiver's: user, decoded and book of packets that the path takes
    Decider(ring)    of whoever decides: decided and sent, into a ring of his own

A receiver calls `received` for each batch, `decoded` for each packet of it that is the next one, and `told` when the
changes are published; only then is a record put. Copies and heartbeats change no book and leave none.

Overload: a ring never waits for its readers, and wakes none: they come by, and count what they lost.
"""

import time
from typing import Any, Final

import numpy as np

from netfeed.latency.stage import ABSENT, TRACE, Flag, Stage

MAX_EVERY: Final = 1 << 20
OPEN: Final = 64
"""Decisions that were not sent yet and whose record waits for it; the oldest gives way, without."""


class Tracer:
    """Keeps the stamps of the packets of one batch, and puts their records: of one packet in `every`.

    Raises: ValueError for a ring of other records, or for the processor's counter (`tsc`): the interpreter has none.
    """

    def __init__(self, ring: Any, *, every: int = 1, tsc: bool = False) -> None:
        if not 1 <= every <= MAX_EVERY:
            raise ValueError(f"one packet in 1 to {MAX_EVERY} is traced")
        self._ring = _fitting(ring, tsc)
        self.every = self._left = every
        self.traced = self.steps = 0
        """Records that were put; and how often the clock was seen to be set, by who has a second clock."""
        self.user_ns = ABSENT
        self._batch = 0
        self._rows: list[Any] = []

    def received(self, count: int) -> None:
        """Note that a batch came from the kernel."""
        self.user_ns, self._batch = time.time_ns(), count

    def decoded(
        self, channel: int, line: int, ts_ns: int, kernel_ns: int, sequence: int, messages: int
    ) -> None:  # fmt: skip
        """Note that a packet was found to be the next one, and its messages stand in line for the books."""
        self._left -= 1
        if self._left:
            return
        self._left = self.every
        row = _blank()
        row["at_ns"][: Stage.BOOK] = (
            ABSENT if ts_ns == kernel_ns else ts_ns, kernel_ns, self.user_ns, time.time_ns(),
        )  # fmt: skip
        for name, value in (
            ("channel", channel), ("line", line), ("sequence", sequence), ("messages", messages),
            ("every", self.every), ("batch", self._batch),
        ):  # fmt: skip
            row[name] = value
        self._rows.append(row)

    def told(self) -> None:
        """Note that the books have their messages, and that the changes are published."""
        at_ns, rows, self._rows = time.time_ns(), self._rows, []
        for row in rows:
            row["at_ns"][Stage.BOOK] = at_ns
        if rows:
            self._ring.write(np.array(rows, TRACE))
            self.traced += len(rows)


class Decider:
    """Stamps decisions and orders. `sequence` is that of the message that made him decide, as it stands in a change.

    Raises: ValueError as a `Tracer`.
    """

    def __init__(self, ring: Any, *, tsc: bool = False) -> None:
        self._ring = _fitting(ring, tsc)
        self._open: dict[int, Any] = {}
        self._last = 0

    def decided(self, channel: int, sequence: int, *, reference: int = 0, at_ns: int | None = None) -> int:
        """Note a decision, now or when it was made, and give a handle to complete it by.

        Units: `at_ns` since 1970.
        """
        self._last += 1
        self._put(self._last - OPEN)
        row = _blank()
        row["channel"], row["sequence"], row["reference"] = channel, sequence, reference
        row["flags"], row["every"] = Flag.DECISION, 1
        row["at_ns"][Stage.DECIDED] = time.time_ns() if at_ns is None else at_ns
        self._open[self._last] = row
        return self._last

    def sent(self, handle: int, *, at_ns: int | None = None) -> bool:
        """Note that the order went out; False when so many were decided since that the record was put without."""
        if handle not in self._open:
            return False
        self._open[handle]["at_ns"][Stage.SENT] = time.time_ns() if at_ns is None else at_ns
        self._put(handle)
        return True

    def flush(self) -> None:
        """Put the decisions that no order followed."""
        for handle in list(self._open):
            self._put(handle)

    def _put(self, handle: int) -> None:
        row = self._open.pop(handle, None)
        if row is not None:
            self._ring.write(np.array([row], TRACE))


def cost(ring: Any, times: int, *, tsc: bool = False) -> float:
    """Take a packet through all stages so many times, into a ring that nobody reads; give ns a packet.

    Raises: ValueError for no times.
    """
    tracer, decider = Tracer(ring, tsc=tsc), Decider(ring, tsc=tsc)
    if times < 1:
        raise ValueError("once at least")
    start = time.monotonic_ns()
    for k in range(times):
        tracer.received(1)
        tracer.decoded(0, 0, 0, 0, k, 1)
        tracer.told()
        decider.sent(decider.decided(0, k))
    return (time.monotonic_ns() - start) / times


def _fitting(ring: Any, tsc: bool) -> Any:
    writer = getattr(ring, "writer", ring)
    if writer.record != TRACE.itemsize:
        raise ValueError(f"a trace has {TRACE.itemsize} bytes, and the ring's records {writer.record}")
    if tsc:
        raise ValueError("plain Python cannot read the processor's counter: use the kernel's clock")
    return writer


def _blank() -> Any:
    row = np.zeros(1, TRACE)[0]
    row["at_ns"] = ABSENT
    return row
