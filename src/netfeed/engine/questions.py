"""When to ask a venue what rests and what we hold: after a session has come up, in doubt, and now and then.

    a session came up, or an order is in doubt       at once
    a list did not agree, was refused, or no session takes the question      `again_ns` later
    a list agreed                                    `every_ns` later, unless something happens before

One question is open at a time; one that nobody answers is given up after `patience_ns`. Asking too often is rude and
costs messages, so doubt never asks sooner than `again_ns` after the last question. A venue that leaves UNHEARD of them
in a row without a list is `silent`: what it said before is too old to be believed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from netfeed.machine import NEVER

UNHEARD: Final = 3
"""Questions in a row that were refused, or that nobody answered: one may be lost, three are no accident."""


@dataclass(slots=True)
class _Venue:
    due: int = NEVER
    asked: int | None = None
    last: int = -NEVER
    unheard: int = 0
    is_told: bool = True


class Questions:
    """The questions to each venue. Units: monotonic ns."""

    def __init__(self, venues: Iterable[str], *, every_ns: int, again_ns: int, patience_ns: int) -> None:
        self._every_ns, self._again_ns, self._patience_ns = every_ns, again_ns, patience_ns
        self._venues = {venue: _Venue() for venue in venues}
        self.asked_count = 0

    @property
    def deadline(self) -> int:
        """Say when the next question is due, or an open one given up."""
        return min((self._due(one) for one in self._venues.values()), default=NEVER)

    def up(self, venue: str, now: int) -> None:
        """Note that a session came up: what it missed must be asked for, whatever was asked before."""
        one = self._venues[venue]
        one.due, one.asked = now, None

    def doubt(self, venue: str, now: int) -> None:
        """Note that something is in doubt."""
        one = self._venues.get(venue)
        if one is not None:
            one.due = min(one.due, max(now, one.last + self._again_ns))

    def due(self, now: int) -> list[str]:
        """Give the venues to ask now."""
        for one in self._venues.values():
            if one.asked is not None and now - one.asked >= self._patience_ns:
                one.asked, one.due = None, now
                self._unheard(one)
        return [name for name, one in self._venues.items() if one.asked is None and one.due <= now]

    def silent(self) -> list[str]:
        """Give the venues that have left one question more without a list, and too many before; each time once."""
        found = [name for name, one in self._venues.items() if not one.is_told]
        for name in found:
            self._venues[name].is_told = True
        return found

    def is_silent(self, venue: str) -> bool:
        """Say whether a venue does not answer any more."""
        return self._venues[venue].unheard >= UNHEARD

    def asked(self, venue: str, now: int) -> None:
        """Note that a venue was asked."""
        one = self._venues[venue]
        one.asked = one.last = now
        one.due = NEVER
        self.asked_count += 1

    def last(self, venue: str) -> int:
        """Say when a venue was asked last."""
        return self._venues[venue].last if venue in self._venues else -NEVER

    def later(self, venue: str, now: int) -> None:
        """Note that nobody could ask."""
        one = self._venues.get(venue)
        if one is not None:
            one.asked, one.due = None, now + self._again_ns

    def refused(self, venue: str, now: int) -> None:
        """Note that the question was refused."""
        self.later(venue, now)
        if venue in self._venues:
            self._unheard(self._venues[venue])

    def answered(self, venue: str, now: int, *, agreed: bool) -> None:
        """Note that a venue has answered."""
        one = self._venues.get(venue)
        if one is not None:
            one.asked, one.unheard, one.is_told = None, 0, True
            one.due = now + (self._every_ns if agreed else self._again_ns)

    def _unheard(self, one: _Venue) -> None:
        one.unheard += 1
        one.is_told = one.unheard < UNHEARD

    def _due(self, one: _Venue) -> int:
        return one.due if one.asked is None else one.asked + self._patience_ns
