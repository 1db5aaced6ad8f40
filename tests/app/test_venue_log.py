"""What an operator reads of venues over connections."""

import pytest

from netfeed.app.venue_log import VenueLog, words
from netfeed.feed import session_words as session
from netfeed.feed.gateway_words import (
    Connect,
    Connected,
    Disconnected,
    Event,
    FetchFailed,
    GapClosed,
    GapOpened,
    Told,
)
from netfeed.feed.session_words import Last
from netfeed.machine import NEVER

S = 1_000_000_000
LOST = Disconnected(
    "v", 3, 0, "wss://v", "venue", 1012, "restart", 90 * S, 2 * S, (Last("book.a", 5), Last("book.b", None)), False,
    12 * S,
)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Connected("v", 3, 0, "wss://v", 4), "line 0 connected to wss://v, 4 topics are asked for"),
        (LOST, "line 0 closed by venue 1012: restart; after 90 s, last heard 2 s before; 2 topics; again in 2 s"),
        (
            Disconnected("v", 3, 1, "wss://v", "network", None, "refused", 0, 0, (), False, NEVER),
            "line 1 did not connect to wss://v: refused",
        ),
        (
            Disconnected("v", 3, 1, "ws://v", "network", None, "connection reset by peer", 0, 0, (), False, NEVER),
            "line 1 did not connect to ws://v: connection reset by peer; does it speak TLS (wss://)?",
        ),
        (
            Disconnected("v", 3, 1, "wss://v", "network", None, "connection reset by peer", 0, 0, (), False, NEVER),
            "line 1 did not connect to wss://v: connection reset by peer",
        ),
        (GapOpened("v", "book.a", 5, "sequence", 1), "book.a: missing from 5 on (sequence)"),
        (
            GapClosed("v", "book.a", 5, 9, "sequence", 1, 1 + S, "snapshot"),
            "book.a: right again at 9 by snapshot after 1 s",
        ),
        (FetchFailed("v", "book.a", 500, "refused"), "book.a: no snapshot over HTTP: refused, status 500"),
        (Told("v", 3, 0, session.Silent(True, 0)), "line 0 is silent beyond its heartbeat"),
        (Told("v", 3, 0, session.Silent(False, 0)), "line 0 speaks again"),
        (Told("v", 3, 0, session.Held(5, 2 * S, "429")), "line 0 is to ask nothing for 2 s: 429"),
        (
            Told("v", 3, 0, session.TopicsRefused(("a", "b", "c"), "11", "no", True)),
            "line 0 was refused a and 2 more: 11 no; that is final",
        ),
        (Told("v", 3, 0, session.OpeningRefused("13", "who?")), "line 0 was refused its opening: 13 who?"),
        (Told("v", 3, 0, session.Unanswered(("a",))), "line 0 got no answer for a; asked again later"),
        (
            Told("v", 3, 0, session.Parting("soon")),
            "line 0 will be closed by the venue (soon): another connection takes over",
        ),
        (Told("v", 3, 0, session.Unsubscribed(("a", "b"))), "line 0 carries a and 1 more no longer"),
        (Told("v", 3, 0, session.Subscribed(("a",))), None),
        (Connect("v", 3, "wss://v", 0), None),
    ],
)  # fmt: skip
def test_events_in_words(event: Event, line: str | None) -> None:
    assert words(event, 10 * S) == line


def test_lines_name_the_venue_and_are_so_many_a_second() -> None:
    lines: list[str] = []
    log = VenueLog(lines.append)
    for _ in range(100):
        log.hear(LOST, 10 * S)
    assert lines[0].startswith("v: line 0 closed by venue 1012")
    assert len(lines) == 20
    log.hear(LOST, 11 * S)
    assert lines[20] == "and 80 more gaps and the like; metrics count all"
    assert len(log.recent) == 101
