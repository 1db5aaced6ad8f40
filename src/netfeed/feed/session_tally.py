"""What a session counts, and when it asked what: numbers that nothing but the account and the venue's clock depend on.

Bounds: MAX_QUESTIONS requests whose time is remembered, MAX_KINDS of nonsense; other kinds are one.
"""

from collections import Counter
from typing import Final

from netfeed.feed.session_words import Statistics
from netfeed.feed.subscriptions import Subscriptions

MAX_KINDS: Final = 64
MAX_QUESTIONS: Final = 64


class Tally:
    """The account of one connection. `topics` may have been counting before it."""

    def __init__(self, topics: Subscriptions) -> None:
        self.messages = self.answers = self.beats = self.pings = self.subscribes = self.unsubscribes = 0
        self.next_request = 1
        self._topics = topics
        self._before = topics.asked, topics.unanswered, topics.unasked
        self._asked_at: dict[int, int] = {}
        self._puzzling: Counter[str] = Counter()

    def request(self, now: int) -> int:
        """Number a request, and remember when it went out."""
        number, self.next_request = self.next_request, self.next_request + 1
        self._asked_at[number] = now
        if len(self._asked_at) > MAX_QUESTIONS:
            del self._asked_at[next(iter(self._asked_at))]
        return number

    def asked_at(self, number: int | None) -> int | None:
        """Say, once, when a request went out; None for one that did not, or so long ago that it is forgotten."""
        return None if number is None else self._asked_at.pop(number, None)

    def puzzle(self, what: str) -> None:
        """Count a message that nobody understands."""
        self._puzzling[what if what in self._puzzling or len(self._puzzling) < MAX_KINDS else "other"] += 1

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        asked, unanswered, unasked = self._before
        topics = self._topics
        return Statistics(
            messages=self.messages, answers=self.answers, beats=self.beats, pings=self.pings,
            subscribes=self.subscribes, unsubscribes=self.unsubscribes, asked_topics=topics.asked - asked,
            unanswered=topics.unanswered - unanswered, unasked=topics.unasked - unasked,
            puzzling=dict(self._puzzling), topics=topics.census(),
        )  # fmt: skip
