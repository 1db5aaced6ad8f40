"""The words of a round trip: what is asked for, what is told, the schedule of the questions, and the accounts."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.wire.probe import MAX_SIZE, SIZE

MAX_PEERS: Final = 64
"""Who may answer one question; answers of others are counted and not measured."""
MAX_FLIGHTS: Final = 65_536
"""Questions that may be unanswered at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be asked. Units: ns and bytes; None is without a bound.

    `interval_ns` None: as fast as the answers come, with `window` in flight. `background_ns` is the interval of load
    that is answered and not measured. What is due within `warmup_ns` is not counted; `count` and `duration_ns` begin
    after it. `answers` says how many answer each question, None: whoever does, within `timeout_ns`.
    """

    run: int
    size: int = 100
    interval_ns: int | None = 1_000_000
    window: int = 1
    background_ns: int | None = None
    count: int | None = None
    duration_ns: int | None = None
    warmup_ns: int = 0
    timeout_ns: int = 1_000_000_000
    answers: int | None = 1
    max_flights: int = MAX_FLIGHTS

    def __post_init__(self) -> None:
        if not SIZE <= self.size <= MAX_SIZE:
            raise MisuseError(f"a probe has {SIZE} to {MAX_SIZE} bytes, not {self.size}")
        times = [self.interval_ns or 1, self.background_ns or 1, self.timeout_ns, self.warmup_ns + 1]
        if min(*times, self.window, self.max_flights, 1 if self.answers is None else self.answers) <= 0:
            raise MisuseError("intervals, windows and times of a plan are positive")
        if self.interval_ns is None and self.answers is None:
            raise MisuseError("without an interval it must be known how many answer: the last one brings the next")
        if self.window > self.max_flights:
            raise MisuseError(f"at most {self.max_flights} questions can be in flight, not {self.window}")


class Answered(NamedTuple):
    """A question was answered. Units: ns since 1970, by the clock of who asked; `kernel_ns` NO_TIME without a stamp.

    `due_ns` by the schedule, `sent_ns` really, `back_ns` when the program had the answer. `probe` is the answer, whose
    stamps are by the clock of who answered. `is_first`: nobody has answered this question before.
    """

    sequence: int
    due_ns: int
    sent_ns: int
    back_ns: int
    kernel_ns: int
    is_counted: bool
    probe: Any
    is_first: bool = True


class Missed(NamedTuple):
    """A question had no answer in time; `silent` are the peers that had answered before and did not now. `is_first`:
    nobody has answered this one at all.
    """

    sequence: int
    due_ns: int
    sent_ns: int
    is_counted: bool
    silent: tuple[int, ...]
    is_first: bool = True


class Done(NamedTuple):
    """All was asked, and answered or missed."""


class Broken(NamedTuple):
    """A stream brought what is no probe: nothing behind it can be read."""

    what: str


Event = Answered | Missed | Done | Broken


class Flight:
    """A question that waits for answers; `answered` has a bit for each peer. Units: monotonic ns."""

    __slots__ = ("answered", "due_ns", "is_counted", "sent_ns")

    def __init__(self, due_ns: int, sent_ns: int, is_counted: bool) -> None:
        self.due_ns, self.sent_ns, self.is_counted, self.answered = due_ns, sent_ns, is_counted, 0


class Schedule:
    """Absolute moments, one interval apart: none moves because another one was late. Units: monotonic ns."""

    __slots__ = ("due_ns", "interval_ns")

    def __init__(self, due_ns: int, interval_ns: int) -> None:
        self.due_ns, self.interval_ns = due_ns, interval_ns

    def advance(self) -> None:
        """Go on to the next moment."""
        self.due_ns = min(NEVER, self.due_ns + self.interval_ns)

    def overdue(self, now: int) -> int:
        """Count the moments that have come and were not passed yet."""
        return 0 if now < self.due_ns else 1 + (now - self.due_ns) // self.interval_ns

    def skip(self, now: int, left: int) -> int:
        """Pass all that have come but the last `left`, and say how many."""
        skipped = max(0, self.overdue(now) - left)
        self.due_ns = min(NEVER, self.due_ns + skipped * self.interval_ns)
        return skipped


@dataclass(frozen=True, slots=True)
class PingerStatistics:
    """The account of who asks. `asked`, `answered`, `unanswered` and `missed` without the warm-up.

    `unanswered` questions had no answer from anybody in time, `missed` counts peers that did not answer one; of the
    former, `late` ones came after all. `duplicates` came when a question had all its answers. `skipped` were due and
    never sent. `foreign` was no answer to this run, `strangers` are answers of more peers than are told apart.
    """

    asked: int
    warmup: int
    answered: int
    unanswered: int
    missed: int
    duplicates: int
    late: int
    foreign: int
    strangers: int
    skipped: int
    background_asked: int
    background_answered: int
    peers: int


@dataclass(frozen=True, slots=True)
class PongerStatistics:
    """The account of who answers. `foreign` was no question; `refused` would have broken the bound of rate or queue."""

    answered: int
    foreign: int
    refused: int
