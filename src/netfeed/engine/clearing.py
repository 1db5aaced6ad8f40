"""After the kill switch: every session is told to cancel everything, again and again, until the venue lists nothing.

    ASKING    a CancelAll went by every session that has the word, and the venue is asked what rests
    CLEAR     a list that was asked for after the last CancelAll had no order, and our account has none either

A venue that lists nothing by any session is clear when it has answered the CancelAll and the account has no order that
is not over. What comes to life later (an order that was on its way) begins it anew. The engine sends; here is when.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from netfeed.machine import NEVER


@dataclass(slots=True)
class _Venue:
    due: int = NEVER
    clear: bool = True
    asked: int | None = None
    answered: bool = False


class Clearing:
    """When to cancel everything again. Units: monotonic ns."""

    def __init__(self, venues: Iterable[str], *, again_ns: int) -> None:
        self._again_ns = again_ns
        self._venues = {venue: _Venue() for venue in venues}
        self.sweeps = 0

    @property
    def deadline(self) -> int:
        """Say when a venue is to be asked again."""
        return min((one.due for one in self._venues.values() if not one.clear), default=NEVER)

    @property
    def is_clear(self) -> bool:
        """Say whether nothing of ours rests anywhere, as far as venues say."""
        return all(one.clear for one in self._venues.values())

    def begin(self, now: int) -> None:
        """Begin with every venue."""
        for venue in self._venues:
            self.again(venue, now)

    def again(self, venue: str, now: int) -> None:
        """Begin with a venue that was clear, or go on where it was not."""
        one = self._venues.get(venue)
        if one is not None and one.clear:
            one.clear, one.asked, one.answered, one.due = False, None, False, now

    def stop(self) -> None:
        """Ask no more: the switch was armed again."""
        for one in self._venues.values():
            one.clear, one.due = True, NEVER

    def due(self, now: int) -> list[str]:
        """Give the venues that must be asked now."""
        return [name for name, one in self._venues.items() if not one.clear and one.due <= now]

    def asked(self, venue: str, now: int) -> None:
        """Note that everything was asked to leave."""
        one = self._venues[venue]
        one.asked, one.due = now, now + self._again_ns
        self.sweeps += 1

    def canceled(self, venue: str) -> None:
        """Note that a venue answered a CancelAll."""
        if venue in self._venues:
            self._venues[venue].answered = True

    def listed(self, venue: str, count: int, asked_at: int) -> None:
        """Note what a venue lists: so many orders, as of a question at this time."""
        one = self._venues.get(venue)
        if one is not None and not one.clear and one.asked is not None and not count and asked_at >= one.asked:
            one.clear = True

    def unlisted(self, venue: str, count: int) -> None:
        """Note that a venue cannot list, and how many orders of ours are not over there."""
        one = self._venues.get(venue)
        if one is not None and not one.clear and one.answered and not count:
            one.clear = True
