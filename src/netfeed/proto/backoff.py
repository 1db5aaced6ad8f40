"""When to try again: a pause that doubles, drawn at random below its cap, and a budget that all endpoints share.

    state        what is told       -> state        deadline
    IDLE         begin              WAITING         now
    WAITING      (the deadline)     TRYING          when the pause is over and the budget has a token
    TRYING       opened             OPEN            NEVER: whoever tries has a deadline of its own
    TRYING       failed             WAITING
    OPEN         failed             WAITING         the count of failures begins anew if it was open for `healthy_ns`
    any          stop               IDLE            NEVER

The pause after the n-th failure in a row is uniform between 0 and `first_ns` x 2**(n-1), at most `cap_ns` ("full
jitter": a thousand clients that lost one server do not come back in step). A connection that opens and dies at once is
a failure like any other: only one that was open for `healthy_ns` clears the count, else a server that accepts and drops
would be hammered at the shortest pause. A server's own word (`not_before`) is obeyed even beyond the cap.

The budget is a token bucket handed to every `Backoff` of a process: however many endpoints fail together, no more
attempts a second leave than it gives. Who finds it empty asks again when a token is due.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
Leaves out: how to connect, and where to: an `Attempt` says only that now is the time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.bucket import TokenBucket

MAX_DOUBLINGS: Final = 40
"""Beyond these any pause is at its cap; the exponent must not grow with the failures."""


class State(Enum):
    """Where an endpoint is."""

    IDLE = "idle"
    WAITING = "waiting"
    TRYING = "trying"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long to wait. Units: ns."""

    first_ns: int = 250_000_000
    cap_ns: int = 30_000_000_000
    healthy_ns: int = 60_000_000_000

    def __post_init__(self) -> None:
        if not 0 < self.first_ns <= self.cap_ns or self.healthy_ns < 0:
            raise MisuseError("the first pause is positive and not above the cap, a healthy time is not negative")

    def longest(self, failures: int) -> int:
        """Give the longest pause after so many failures in a row. Units: ns."""
        return min(self.cap_ns, self.first_ns << min(failures - 1, MAX_DOUBLINGS))


@dataclass(frozen=True, slots=True)
class Attempt:
    """Now is the time to try. `failures` in a row came before; `waited_ns` since the last one, or since `begin`."""

    failures: int
    waited_ns: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of one endpoint. `starved` counts the attempts that had to wait for the budget."""

    state: State
    attempts: int
    opened: int
    failed: int
    failures_in_a_row: int
    starved: int


class Backoff:
    """One endpoint. `random` gives numbers from 0 up to 1; `budget` is shared by all endpoints of a process."""

    def __init__(
        self, random: Callable[[], float], *, pauses: Pauses | None = None, budget: TokenBucket | None = None
    ) -> None:
        self.state = State.IDLE
        self.deadline = NEVER
        self._random = random
        self._pauses = pauses or Pauses()
        self._budget = budget
        self._since = 0
        self._failures = self._attempts = self._opened = self._failed = self._starved = 0

    def begin(self, now: int) -> None:
        """Want a connection from now on; the first attempt is due at once. Raises: MisuseError unless idle."""
        self._only("begin", State.IDLE)
        self._wait(now, now)

    def opened(self, now: int) -> None:
        """Take note that the attempt succeeded. Raises: MisuseError when none was made."""
        self._only("be opened", State.TRYING)
        self.state, self._since = State.OPEN, now
        self._opened += 1

    def failed(self, now: int, *, not_before: int | None = None) -> None:
        """Take note that the attempt failed or the connection was lost, and draw the pause.

        `not_before` is the server's own word about when to come back. Units: monotonic ns.
        Raises: MisuseError when nothing was tried.
        """
        self._only("fail", State.TRYING, State.OPEN)
        if self.state is State.OPEN and now - self._since >= self._pauses.healthy_ns:
            self._failures = 0
        self._failures += 1
        self._failed += 1
        pause = int(self._random() * self._pauses.longest(self._failures))
        self._wait(now, max(now + pause, now if not_before is None else not_before))

    def stop(self) -> None:
        """Want no connection any more; the failures are forgotten."""
        self.state, self.deadline, self._failures = State.IDLE, NEVER, 0

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Attempt]:
        """Take nothing: no peer speaks to this machine."""
        return []

    def wake(self, now: int) -> Sequence[Attempt]:
        """Tell that it is time, if the budget allows it. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        if self._budget is not None and not self._budget.take(now):
            self._starved += 1
            self.deadline = max(now + 1, self._budget.ready_at())
            return []
        self.state, self.deadline = State.TRYING, NEVER
        self._attempts += 1
        return [Attempt(self._failures, now - self._since)]

    def transmit(self, port: int = 0) -> list[bytes]:
        """Give nothing."""
        return []

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return Statistics(self.state, self._attempts, self._opened, self._failed, self._failures, self._starved)

    def _wait(self, now: int, due: int) -> None:
        self.state, self._since, self.deadline = State.WAITING, now, min(due, NEVER - 1)

    def _only(self, what: str, *states: State) -> None:
        if self.state not in states:
            raise MisuseError(f"an endpoint that is {self.state.value} cannot {what}")
