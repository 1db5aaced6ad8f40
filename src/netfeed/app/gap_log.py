"""What an operator is told of a channel's order: gaps, how each was closed, sessions, ends; so many lines a second."""

from collections import deque
from typing import Any, Final

from netfeed.app.slots import Slot
from netfeed.feed.events import EndOfSession, Event, GapClosed, GapLost, GapOpened, SequenceReset, SessionChanged
from netfeed.units import duration_text

MOST_A_SECOND: Final = 20
KEPT: Final = 200


class Told:
    """Lines for an operator, so many a second, given to `tell`; `recent` keeps the newest for a view."""

    def __init__(self, tell: Any) -> None:
        self.recent: deque[str] = deque(maxlen=KEPT)
        self.passed_over = 0
        self._tell = tell
        self._second = 0
        self._told = 0

    def say(self, line: str, now: int) -> None:
        """Take a line. Units: monotonic ns."""
        self.recent.append(line)
        second = now // 10**9
        if second != self._second:
            if self.passed_over:
                self._tell(f"and {self.passed_over} more gaps and the like; metrics count all")
            self._second, self._told, self.passed_over = second, 0, 0
        if self._told < MOST_A_SECOND:
            self._told += 1
            self._tell(line)
        else:
            self.passed_over += 1


class GapLog:
    """Listen to slots, and tell in words what happened to their order."""

    def __init__(self, tell: Any) -> None:
        self._told = Told(tell)

    @property
    def recent(self) -> deque[str]:
        """Give the newest lines, for a view."""
        return self._told.recent

    @property
    def passed_over(self) -> int:
        """Say how many lines of this second were too many."""
        return self._told.passed_over

    def hear(self, slot: Slot, event: Event, now: int) -> None:
        """Take an event. Units: monotonic ns."""
        text = words(event)
        if text is not None:
            self._told.say(f"{slot.name}: {text}", now)


def words(event: Event) -> str | None:
    """Say an event in words; None when an operator need not know."""
    match event:
        case GapOpened(first, last):
            return f"gap: sequence {first} to {last} is missing"
        case GapClosed(first, last, by, opened_at, closed_at):
            return f"gap {first} to {last} closed by {by} after {duration_text(closed_at - opened_at)}"
        case GapLost(first, last, why):
            return f"LOST: sequence {first} to {last} ({why}); the books it can have touched are SUSPECT"
        case SessionChanged(old, new):
            return f"session {_text(old)} is over, {_text(new)} begins"
        case SequenceReset(old_next, new):
            return f"the count begins anew at {new} (it was at {old_next})"
        case EndOfSession(session, next_sequence):
            return f"end of session {_text(session)} at {next_sequence}"
    return None


def _text(session: bytes) -> str:
    return ascii(session.decode("latin-1").strip())
