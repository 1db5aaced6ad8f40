"""Round trips as distributions: from the moment at which a question was due, and from the moment at which it was sent.

The first one is what a caller would have waited who does not care why his question was late; the second one leaves out
how late this program was. Both are told, as one alone hides something.

    rtt from due     back - due          nothing is omitted: a stall is in every question that was due in it
    rtt from sent    back - sent
    lateness         sent - due          of all questions, the missed ones too
    wake-up here     back - kernel's receive stamp of the answer: softirq to program
    wake-up there    the same at who answers
    work there       from having the question until the answer is sent: the answering program, for datagrams only
    held there       from the question's arrival until the answer was sent
    wire             (back by the kernel's stamp - sent) - held: both ways, and the kernels' sending sides

One way needs both clocks: an offset is estimated (`clock_offset`), or none is needed where both ran on one kernel.
Bounded: of a very long run only every second, fourth, ... exchange is kept for the two ways, and neighbours in the heat
map are put together.
"""

from array import array
from collections.abc import Iterable
from typing import Any, Final, Protocol

import numpy as np

from netfeed.latency import Histogram
from netfeed.latency.clock_offset import SAME_CLOCK, ClockOffset, Offset
from netfeed.latency.over_time import Columns

KEPT: Final = 2**17
"""Exchanges of one answerer that are kept for the two ways."""
COLUMNS: Final = 60
"""Columns of the heat map: put together in pairs beyond."""
COLUMN_NS: Final = 100_000_000
_LATEST_NS: Final = 2**62
"""A stamp beyond (the year 2116) is no time that a clock had: such an answer is not believed."""

_EXACT_NS: Final = 1_000
"""How exactly the stamps of one clock fit each other: it is read by two ways."""


class Exchange(Protocol):
    """A question with its answer, as `proto.probe` tells it."""

    @property
    def due_ns(self) -> int:
        """When it was due."""

    @property
    def sent_ns(self) -> int:
        """When it was sent."""

    @property
    def back_ns(self) -> int:
        """When the program had the answer."""

    @property
    def kernel_ns(self) -> int:
        """The kernel's receive stamp."""

    @property
    def probe(self) -> Any:
        """The answer."""

    @property
    def is_first(self) -> bool:
        """Whether nobody has answered this question before."""


class Answerer:
    """One of those who answer: its round trips from the moment of sending, and the two ways of each."""

    def __init__(self, host: int) -> None:
        self.host = host
        self.rtt = Histogram()
        self.missed = 0
        self.offset = ClockOffset()
        self._stride, self._skip = 1, 0
        self._sent, self._arrived, self._answered, self._back = (array("q") for _ in range(4))

    def take(self, sent_ns: int, arrived_ns: int, answered_ns: int, back_ns: int) -> None:
        """Take the four stamps of an exchange."""
        self.offset.take(sent_ns, arrived_ns, answered_ns, back_ns)
        self._skip += 1
        if self._skip < self._stride:
            return
        self._skip = 0
        for kept, value in zip(self._kept, (sent_ns, arrived_ns, answered_ns, back_ns), strict=True):
            kept.append(value)
        if len(self._sent) >= KEPT:
            self._sent, self._arrived, self._answered, self._back = (kept[::2] for kept in self._kept)
            self._stride *= 2

    def clock_set(self, by_ns: int) -> None:
        """Take the asker's earlier stamps as if his clock had always been what it was set to. Units: ns."""
        self.offset.clock_set(by_ns)
        for kept in (self._sent, self._back):
            np.frombuffer(kept, np.int64)[:] += by_ns

    def is_on(self, host: int) -> bool:
        """Say whether it ran on the kernel `host`, and so by its clock: if it says so, and its stamps agree.

        Guests that were restored from one snapshot say so, too; but by one clock, the offset cannot be more than its
        uncertainty.
        """
        estimate = self.offset.estimate()
        agrees = estimate is None or abs(estimate.offset_ns) <= estimate.uncertainty_ns + _EXACT_NS
        return self.host == host != 0 and agrees

    def ways(self, *, same_clock: bool) -> tuple[Histogram, Histogram, Offset] | None:
        """Give how long the way there and the way back took, and by which offset; None without an exchange."""
        estimate = SAME_CLOCK if same_clock else self.offset.estimate()
        if estimate is None or not self._sent:
            return None
        sent, arrived, answered, back = (np.array(kept, np.int64) for kept in self._kept)
        offset = 0 if same_clock else self.offset.at(sent)
        known = np.ones(len(sent), bool) if same_clock else self.offset.known(sent)
        there, home = Histogram(), Histogram()
        there.record_all(np.ascontiguousarray((arrived - sent - offset)[known]))
        home.record_all(np.ascontiguousarray((back - answered + offset)[known]))
        return there, home, estimate

    @property
    def _kept(self) -> tuple["array[int]", ...]:
        return self._sent, self._arrived, self._answered, self._back


class RoundTrips:
    """The account of all exchanges; `absent` is what a stamp is that was not taken."""

    def __init__(self, *, absent: int, interval_ns: int | None = None) -> None:
        self._absent, self._interval_ns = absent, interval_ns
        self.from_due, self.from_sent, self.lateness = Histogram(), Histogram(), Histogram()
        self.woken_here, self.woken_there, self.worked_there, self.held, self.wire = (Histogram() for _ in range(5))
        self.late = 0
        """Questions that were sent an interval after they were due, or later."""
        self.implausible = 0
        """Answers with stamps that no clock had, or that was set in between: only their round trip counts."""
        self.answerers: dict[int, Answerer] = {}
        self.columns: Columns | None = None
        """Round trips from due over time, from the first one on."""

    def answered(self, one: Exchange) -> None:
        """Take an exchange."""
        rtt = one.back_ns - one.sent_ns
        if one.is_first:
            self._sent(one.due_ns, one.sent_ns)
        self.from_due.record(one.back_ns - one.due_ns)
        self.from_sent.record(rtt)
        if self.columns is None:
            self.columns = Columns(one.due_ns, most=COLUMNS, interval_ns=COLUMN_NS)
        self.columns.column(one.due_ns).record(one.back_ns - one.due_ns)
        answer = one.probe
        peer = self.answerers.get(answer.peer)
        if peer is None:
            peer = self.answerers[answer.peer] = Answerer(answer.host)
        peer.rtt.record(rtt)
        if self._is_time(answer.taken_ns, answer.answered_ns) and self._fits(one, rtt):
            self._split(one, peer)
        else:
            self.implausible += 1

    def missed(self, due_ns: int, sent_ns: int, silent: Iterable[int], *, is_first: bool = True) -> None:
        """Take a question that some, or all (`is_first`), did not answer."""
        if is_first:
            self._sent(due_ns, sent_ns)
        for peer in silent:
            if peer in self.answerers:
                self.answerers[peer].missed += 1

    def clock_set(self, by_ns: int) -> None:
        """Go on after the asker's clock was set: what was before is told by the clock as it is now. Units: ns."""
        if self.columns is not None:
            self.columns.clock_set(by_ns)
        for one in self.answerers.values():
            one.clock_set(by_ns)

    def _sent(self, due_ns: int, sent_ns: int) -> None:
        self.lateness.record(sent_ns - due_ns)
        self.late += self._interval_ns is not None and sent_ns - due_ns >= self._interval_ns

    def _is_time(self, *stamps: int) -> bool:
        return all(0 <= stamp < _LATEST_NS for stamp in stamps)

    def _fits(self, one: Exchange, rtt: int) -> bool:
        """Say whether the stamps of each side can be of one clock: none was set between the first and the last."""
        arrived, answered = one.probe.arrived_ns, one.probe.answered_ns
        held = answered - arrived if self._is_time(arrived) else 0
        here = one.kernel_ns == self._absent or one.sent_ns - _EXACT_NS <= one.kernel_ns <= one.back_ns + _EXACT_NS
        return here and -_EXACT_NS <= held <= rtt + _EXACT_NS

    def _split(self, one: Exchange, peer: Answerer) -> None:
        answer, arrived, back = one.probe, one.probe.arrived_ns, one.kernel_ns
        if not self._is_time(arrived):
            arrived = answer.taken_ns
        else:
            self.woken_there.record(answer.taken_ns - arrived)
        if back == self._absent:
            back = one.back_ns
        else:
            self.woken_here.record(one.back_ns - back)
            self.wire.record(back - one.sent_ns - (answer.answered_ns - arrived))
        self.held.record(answer.answered_ns - arrived)
        if answer.answered_ns != answer.taken_ns:
            self.worked_there.record(answer.answered_ns - answer.taken_ns)
        peer.take(one.sent_ns, arrived, answer.answered_ns, back)
