"""The two sides of a round trip: who asks at a pace and knows each answer by its number, and who answers.

    pinger = Pinger(Plan(run, interval_ns=1_000_000, count=1000), epoch_ns=...)      ponger = Ponger(peer, host, ...)
    pinger.start(now)
    pinger.wake(now)                 what is due is asked                            -> question
    Answered(due, sent, back, ...)   each answer                                     <- answer, as long as the question
    Missed(...)                      nothing came within `timeout_ns`
    Done()                           all is asked, and answered or missed

**Nothing is omitted.** With an interval the moments at which questions are due are absolute: a peer that stalls does
not slow the asking down, and what was sent late is told with the moment at which it was due. What could not be sent at
all - too many were due at once, or unanswered - is `skipped`, and counted. Without an interval `window` questions are
in flight, and each answer brings the next one: that measures how fast, and not how late.

Several may answer (a group is asked): each is a peer of its own, by the number in its answers.

`now` moves deadlines and is what durations are made of; stamps on the wire are `now + epoch_ns`, which is the real time
as long as the driver gives the difference of both clocks. The kernel's receive stamp of what comes next is told by
`stamp`, and holds for one input.

Bounded: questions in flight, peers, answers that nobody drains; an answerer's rate. Leaves out: what the durations say
(`latency.round_trip`), how bytes become probes (`probe_stream`, `probe_websocket`).
"""

from collections.abc import Sequence
from typing import Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.bucket import TokenBucket
from netfeed.proto.probe_words import (
    MAX_PEERS,
    Answered,
    Done,
    Event,
    Flight,
    Missed,
    PingerStatistics,
    Plan,
    PongerStatistics,
    Schedule,
)
from netfeed.wire import probe
from netfeed.wire.capture import NO_TIME
from netfeed.wire.probe import BACKGROUND, Kind

MAX_DUE: Final = 1024
"""Questions that are asked in one wake; more that were due at once are skipped."""
MAX_QUEUED: Final = 2**20
"""What may wait to be drained. Units: bytes."""


class Pinger:
    """Who asks. `start` begins, `stop` asks no more and waits for nothing."""

    def __init__(self, plan: Plan, *, epoch_ns: int = 0) -> None:
        self.plan = plan
        self.epoch_ns = epoch_ns
        self._flights: dict[int, Flight] = {}
        self._expired: dict[int, None] = {}
        self._peers: dict[int, tuple[int, int]] = {}
        self._schedule: Schedule | None = None
        self._background: Schedule | None = None
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._sequence = self._counted = 0
        self._counted_from = self._sends_until = self._over_at = NEVER
        self._is_sending = self._is_done = False
        self._kernel_ns = NO_TIME
        self._asked = self._warmup = self._answered = self._unanswered = self._missed = 0
        self._duplicates = self._late = self._foreign = self._strangers = self._skipped = 0
        self._background_asked = self._background_answered = 0

    @property
    def deadline(self) -> int:
        """Say when something is due: a question, or the end of the wait for an answer. Units: monotonic ns."""
        due = self._over_at
        if self._is_sending:
            due = min(due, self._sends_until, self._schedule.due_ns if self._schedule else NEVER)
            due = min(due, self._background.due_ns if self._background else NEVER)
        if self._flights:
            due = min(due, next(iter(self._flights.values())).sent_ns + self.plan.timeout_ns)
        return due

    @property
    def is_done(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._is_done

    @property
    def peers(self) -> int:
        """Count those who have answered at all."""
        return len(self._peers)

    def start(self, now: int) -> None:
        """Begin: the first question is due now.

        Raises: MisuseError when it has begun already.
        """
        if self._sends_until != NEVER or self._is_sending or self._is_done:
            raise MisuseError("the pinger has begun already")
        plan = self.plan
        self._is_sending = True
        self._counted_from = now + plan.warmup_ns
        if plan.duration_ns is not None:
            self._sends_until = self._counted_from + plan.duration_ns
        self._schedule = Schedule(now, plan.interval_ns or NEVER)
        if plan.background_ns is not None:
            self._background = Schedule(now, plan.background_ns)

    def stop(self, now: int) -> None:
        """Ask no more; what is in flight is missed. Told at the next wake, which is due at once."""
        self._is_sending = False
        if not self._is_done:
            self._over_at = now

    def stamp(self, kernel_ns: int) -> None:
        """Tell the kernel's receive stamp of what comes next. Units: ns since 1970, NO_TIME without."""
        self._kernel_ns = kernel_ns

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take one probe and tell which question it answers."""
        kernel_ns, self._kernel_ns = self._kernel_ns, NO_TIME
        if self._is_done:
            return []
        try:
            answer = probe.decode(data)
        except WireError:
            self._foreign += 1
            return []
        if answer.run != self.plan.run or answer.kind != Kind.ANSWER:
            self._foreign += 1
            return []
        if answer.sequence & BACKGROUND:
            self._background_answered += 1
            return []
        flight = self._flights.get(answer.sequence)
        if flight is None:
            self._unexpected(answer.sequence)
            return []
        index = self._index(answer.peer, answer.sequence)
        if index is None:
            return []
        if flight.answered >> index & 1:
            self._duplicates += 1
            return []
        return self._take(flight, index, Answered(
            answer.sequence, flight.due_ns + self.epoch_ns, flight.sent_ns + self.epoch_ns, now + self.epoch_ns,
            kernel_ns, flight.is_counted, answer, not flight.answered,
        ), now)  # fmt: skip

    def wake(self, now: int) -> Sequence[Event]:
        """Ask what is due, and give up what was not answered in time. A call before the deadline does nothing."""
        if now < self.deadline or self._is_done:
            return []
        told = self._expire(now)
        if self._is_sending and now >= self._sends_until:
            self._is_sending = False
        if self._is_sending and self._schedule is not None:
            self._ask_due(self._schedule, now)
        if self._is_sending and self._background is not None:
            self._load(self._background, now)
        return [*told, *self._end()]

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain the questions that must go out."""
        out, self._out, self._out_bytes = self._out, [], 0
        return out

    def statistics(self) -> PingerStatistics:
        """Give the account."""
        return PingerStatistics(
            self._asked, self._warmup, self._answered, self._unanswered, self._missed, self._duplicates, self._late,
            self._foreign, self._strangers, self._skipped, self._background_asked, self._background_answered,
            len(self._peers),
        )  # fmt: skip

    def _take(self, flight: Flight, index: int, answered: Answered, now: int) -> list[Event]:
        flight.answered |= 1 << index
        self._answered += flight.is_counted
        told: list[Event] = [answered]
        if self.plan.answers is not None and flight.answered.bit_count() >= self.plan.answers:
            del self._flights[answered.sequence]
            if self._is_sending and self.plan.interval_ns is None and now < self._sends_until:
                self._ask(now, now)
        return told + self._end()

    def _ask_due(self, schedule: Schedule, now: int) -> None:
        """Ask what is due: one, or after a stall all that came due in it, each with its own moment."""
        if self.plan.interval_ns is None:
            schedule.due_ns = NEVER
        while schedule.due_ns <= now and self._is_sending:
            if schedule.overdue(now) > MAX_DUE:
                self._skipped += schedule.skip(now, MAX_DUE)
            if not self._ask(schedule.due_ns, now):
                self._skipped += 1
            schedule.advance()
        while self.plan.interval_ns is None and len(self._flights) < self.plan.window and self._ask(now, now):
            pass

    def _load(self, schedule: Schedule, now: int) -> None:
        """Send the background load that is due; what is due after a stall is not made up for."""
        for _ in range(min(schedule.overdue(now), MAX_DUE)):
            self._background_asked += self._put(BACKGROUND | self._background_asked, now)
        schedule.skip(now, 0)

    def _ask(self, due_ns: int, now: int) -> bool:
        """Ask one question; False when too many are unanswered, or too much waits to be sent."""
        if not self._is_sending or len(self._flights) >= self.plan.max_flights or not self._put(self._sequence, now):
            return False
        is_counted = due_ns >= self._counted_from
        self._flights[self._sequence] = Flight(due_ns, now, is_counted)
        self._sequence += 1
        self._asked += is_counted
        self._warmup += not is_counted
        if self.plan.count is not None and self._asked >= self.plan.count:
            self._is_sending = False
        return True

    def _put(self, sequence: int, now: int) -> bool:
        if self._out_bytes + self.plan.size > max(MAX_QUEUED, self.plan.size):
            return False
        self._out.append(probe.encode_question(self.plan.run, sequence, now + self.epoch_ns, self.plan.size))
        self._out_bytes += self.plan.size
        return True

    def _index(self, peer: int, sequence: int) -> int | None:
        """Give which of those who answer this is; None when there are too many of them."""
        known = self._peers.get(peer)
        if known is None:
            if len(self._peers) >= MAX_PEERS:
                self._strangers += 1
                return None
            known = self._peers[peer] = len(self._peers), sequence
        return known[0]

    def _unexpected(self, sequence: int) -> None:
        """An answer to what is not in flight: too late, a second one, or to no question of ours."""
        if sequence in self._expired:
            del self._expired[sequence]
            self._late += 1
        elif sequence < self._sequence:
            self._duplicates += 1
        else:
            self._foreign += 1

    def _expire(self, now: int) -> list[Event]:
        told: list[Event] = []
        latest = NEVER if now >= self._over_at else now - self.plan.timeout_ns
        while self._flights:
            sequence, flight = next(iter(self._flights.items()))
            if flight.sent_ns > latest:
                break
            del self._flights[sequence]
            told += self._miss(sequence, flight)
        return told

    def _miss(self, sequence: int, flight: Flight) -> list[Event]:
        """Say who did not answer: nobody did, or not all of those who answer at all."""
        silent = tuple(
            peer
            for peer, (index, first) in self._peers.items()
            if first < sequence and not flight.answered >> index & 1
        )
        if flight.answered and not silent:
            return []
        if not flight.answered:
            self._expired[sequence] = None
            while len(self._expired) > self.plan.max_flights:
                del self._expired[next(iter(self._expired))]
        self._unanswered += flight.is_counted and not flight.answered
        self._missed += len(silent) if flight.is_counted else 0
        return [Missed(
            sequence, flight.due_ns + self.epoch_ns, flight.sent_ns + self.epoch_ns, flight.is_counted, silent,
            not flight.answered,
        )]  # fmt: skip

    def _end(self) -> list[Event]:
        """Say that it is over, once: when all was asked and nothing is in flight, or when it was stopped."""
        is_over = self._over_at != NEVER or (self._schedule is not None and not self._is_sending)
        if self._is_done or self._flights or not is_over:
            return []
        self._is_done, self._is_sending, self._over_at = True, False, NEVER
        return [Done()]


class Ponger:
    """Who answers. `peer` and `host` are its own numbers; `bucket` bounds its answers, with others' that share it."""

    deadline: Final = NEVER

    def __init__(
        self, peer: int, host: int = 0, *, bucket: TokenBucket, epoch_ns: int = 0, max_queued: int = MAX_QUEUED
    ) -> None:
        self.peer, self.host, self.epoch_ns = peer, host, epoch_ns
        self._bucket = bucket
        self._max_queued = max_queued
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._kernel_ns = NO_TIME
        self._answered = self._foreign = self._refused = 0

    def stamp(self, kernel_ns: int) -> None:
        """Tell the kernel's receive stamp of what comes next. Units: ns since 1970, NO_TIME without."""
        self._kernel_ns = kernel_ns

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Answer a question, and nothing else: not an answer, not what is no probe."""
        kernel_ns, self._kernel_ns = self._kernel_ns, NO_TIME
        try:
            question = probe.decode(data)
        except WireError:
            self._foreign += 1
            return []
        if question.kind != Kind.QUESTION:
            self._foreign += 1
        elif self._out_bytes + question.size > self._max_queued or not self._bucket.take(now):
            self._refused += 1
        else:
            self._answer(data, now + self.epoch_ns, kernel_ns)
        return []

    def wake(self, now: int) -> Sequence[Event]:
        """Do nothing: it waits for nothing."""
        return []

    def stop(self, now: int) -> None:
        """Do nothing: what was not drained can be."""

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain the answers."""
        out, self._out, self._out_bytes = self._out, [], 0
        return out

    def statistics(self) -> PongerStatistics:
        """Give the account."""
        return PongerStatistics(self._answered, self._foreign, self._refused)

    def _answer(self, data: Buffer, taken_ns: int, kernel_ns: int) -> None:
        answer = probe.encode_answer(data, self.host, self.peer, kernel_ns, taken_ns, taken_ns)
        self._out.append(answer)
        self._out_bytes += len(answer)
        self._answered += 1
