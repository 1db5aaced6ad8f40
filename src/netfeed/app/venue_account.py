"""The account of a venue, as plain numbers; `venue_metrics` makes metrics of what the gateway counts.

Counters are since the start; `books` counts books by state. Times and counts are integers; absent is None.
"""

from collections import Counter
from typing import Any, Final

from netfeed.app.venue_link import VenueLink
from netfeed.book.state import BookState
from netfeed.feed.gateway_words import ConnectionStatistics
from netfeed.feed.topic_gaps import OpenGap, TopicGap

Json = dict[str, Any]


def venue_account(link: VenueLink) -> Json:
    """Give the account of one venue."""
    told = link.statistics()
    base = {"venue": link.name, "kind": link.config.venue, "listed": link.listed,
            "passed_over": [one._asdict() for one in link.passed]}  # fmt: skip
    books = {state.name: 0 for state in BookState} | Counter(BookState(book.state).name for book in link.feed.books)
    if told is None:
        return base | {**dict.fromkeys(_COUNTED, 0), "offset_ns": None, "error_ns": None, "open_gaps": 0,
                       "recovered": {}, "books": books, "reconnects": _reasons(link), "connections": []}  # fmt: skip
    by = Counter(gap.by for gap in told.gaps)
    return base | {
        **{name: getattr(told, name) for name in _COUNTED}, "offset_ns": told.offset_ns, "error_ns": told.error_ns,
        "open_gaps": len(told.open_gaps), "recovered": dict(by), "books": books, "reconnects": _reasons(link),
        "connections": [_connection(one) for one in told.connections],
    }  # fmt: skip


def gap_records(link: VenueLink) -> list[Json]:
    """List the gaps of a venue, those that are open last. Units: ns since 1970, `open_ns` a duration."""
    told = link.statistics()
    if told is None:
        return []
    ended = [_closed(gap, link.skew_ns) for gap in told.gaps]
    return ended + [_open(gap, link.skew_ns) for gap in told.open_gaps]


def sequence_of(link: VenueLink, number: int) -> int | None:
    """Give the venue's own number of the last update of a book."""
    topic = link.topic_of(number)
    standing = None if topic is None else link.feed.standing(topic)
    return None if standing is None else standing.sequence


def why_not_ready(link: VenueLink) -> str | None:
    """Say why a venue is not ready; None when it is."""
    if link.is_ready:
        return None
    told = link.statistics()
    if told is None:
        return f"{link.name}: its instruments are not known yet"
    if not any(one.ready for one in told.connections):
        return f"{link.name}: no connection stands"
    states = Counter(BookState(book.state).name for book in link.feed.books)
    return f"{link.name}: " + ", ".join(f"{count} {state}" for state, count in states.items() if state != "LIVE")


_COUNTED: Final = (
    "topics", "attempts", "connected", "disconnected", "takeovers", "resyncs", "resyncs_repeated", "messages",
    "gaps_opened", "gaps_closed",
)  # fmt: skip


def _reasons(link: VenueLink) -> Json:
    return {endpoint: dict(reasons) for endpoint, reasons in link.reconnects.items()}


def _connection(one: ConnectionStatistics) -> Json:
    session = one.session
    return {
        "port": one.port, "line": one.line, "endpoint": one.endpoint, "ready": one.ready, "silent": one.silent,
        "messages": 0 if session is None else session.messages,
        "topics": {} if session is None else dict(session.topics),
    }  # fmt: skip


def _open(gap: OpenGap, skew_ns: int) -> Json:
    return {
        "topic": gap.topic, "after": gap.after, "until": None, "why": gap.why, "state": "open", "closed_by": None,
        "opened_ns": gap.opened_at + skew_ns, "ended_ns": None, "open_ns": None,
    }  # fmt: skip


def _closed(gap: TopicGap, skew_ns: int) -> Json:
    return {
        "topic": gap.topic, "after": gap.after, "until": gap.until, "why": gap.why, "state": "closed",
        "closed_by": gap.by, "opened_ns": gap.opened_at + skew_ns, "ended_ns": gap.closed_at + skew_ns,
        "open_ns": gap.closed_at - gap.opened_at,
    }  # fmt: skip
