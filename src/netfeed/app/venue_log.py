"""What an operator is told of venues over connections: who closed first, why, what was missed; so many lines a second.

Events of a gateway have been cleaned of secrets and of what could forge a line (`feed.veil`) before they come here.
"""

from collections import deque
from typing import Any

from netfeed.app.gap_log import Told as Lines
from netfeed.app.venue_words import hinted
from netfeed.feed import session_words as session
from netfeed.feed.gateway_words import (
    Connected,
    Disconnected,
    Event,
    FetchFailed,
    GapClosed,
    GapOpened,
    Told,
)
from netfeed.machine import NEVER
from netfeed.units import duration_text


class VenueLog:
    """Listen to a gateway."""

    def __init__(self, tell: Any) -> None:
        self._lines = Lines(tell)

    @property
    def recent(self) -> deque[str]:
        """Give the newest lines, for a view."""
        return self._lines.recent

    def hear(self, event: Event, now: int) -> None:
        """Take an event. Units: monotonic ns."""
        text = words(event, now)
        if text is not None:
            self._lines.say(f"{event.venue}: {text}", now)


def words(event: Event, now: int) -> str | None:
    """Say an event in words; None when an operator need not know."""
    match event:
        case Connected(_, _, line, endpoint, topics):
            return f"line {line} connected to {endpoint}, {topics} topics are asked for"
        case Disconnected():
            return _lost(event, now)
        case GapOpened(_, topic, after, why):
            return f"{topic}: missing from {'the beginning' if after is None else after} on ({why})"
        case GapClosed(_, topic, _, until, _, opened_at, closed_at, by):
            at = "" if until is None else f" at {until}"
            return f"{topic}: right again{at} by {by} after {duration_text(closed_at - opened_at)}"
        case FetchFailed(_, topic, status, reason):
            return f"{topic}: no snapshot over HTTP: {reason}{'' if status is None else f', status {status}'}"
        case Told(_, _, line, what):
            text = _session(what)
            return None if text is None else f"line {line} {text}"
    return None


def _lost(event: Disconnected, now: int) -> str:
    code = "" if event.code is None else f" {event.code}"
    again = "" if event.retry_at == NEVER else f"; again in {duration_text(max(0, event.retry_at - now))}"
    if event.uptime_ns == 0:
        reason = hinted(event.reason, event.endpoint)
        return f"line {event.line} did not connect to {event.endpoint}: {reason}{again}"
    lived = f"after {duration_text(event.uptime_ns)}, last heard {duration_text(event.quiet_ns)} before"
    return f"line {event.line} closed by {event.by}{code}: {event.reason}; {lived}; {len(event.last)} topics{again}"


def _session(what: session.Event) -> str | None:
    match what:
        case session.TopicsRefused(topics, code, text, final):
            return f"was refused {_some(topics)}: {code} {text}{'; that is final' if final else ''}"
        case session.OpeningRefused(code, text):
            return f"was refused its opening: {code} {text}"
        case session.Unanswered(topics):
            return f"got no answer for {_some(topics)}; asked again later"
        case session.Silent(silent, _):
            return "is silent beyond its heartbeat" if silent else "speaks again"
        case session.Held(_, wait_ns, code):
            return f"is to ask nothing for {duration_text(max(0, wait_ns))}: {code}"
        case session.Parting(reason):
            return f"will be closed by the venue ({reason}): another connection takes over"
        case session.Unsubscribed(topics):
            return f"carries {_some(topics)} no longer"
    return None


def _some(topics: tuple[str, ...]) -> str:
    return topics[0] if len(topics) == 1 else f"{topics[0]} and {len(topics) - 1} more"
