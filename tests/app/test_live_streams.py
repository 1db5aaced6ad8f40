"""`netfeed run` against a simulated venue on TLS and WebSocket: books are exact after every change, whatever happens.

Every book that is LIVE is held against the truth of its change id after each turn of the loop.
"""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from netfeed.app.account import account, summary
from netfeed.app.config import parse
from netfeed.app.run import Options, Run
from netfeed.app.venue_account import sequence_of
from netfeed.book.digest import digest
from netfeed.book.level import Side
from netfeed.book.state import BookState
from tests.app.stream_sockets import PATIENCE_S, Venue, running

pytestmark = pytest.mark.net
MS = 10**6


class Handler:
    """A run that the test turns by hand, and how often a book was compared with the truth."""

    def __init__(self, venue: Venue, more: str = "", **flags: str) -> None:
        listener = venue.sim.stream_listener
        assert listener is not None
        text = f"""
schema_version = 1
[[venues]]
name = "sim"
venue = "deribit"
endpoints = ["{listener.url}"]
instruments = ["BTC-PERPETUAL", "BTC-27MAR26", "BTC-27MAR26-*"]
tls = {{ ca = "{venue.ca}" }}
{more}
[endpoints]
listen = "127.0.0.1:0"
"""
        self.venue = venue
        self.said: list[str] = []
        self.run = Run(parse(text.encode(), "run.toml", {}, flags), Options("run.toml", {}, quiet=True), lambda: False)
        self.run.tell = self.said.append  # type: ignore[method-assign]
        self.run.live.tell = self.run.live.say = self.said.append
        self.live = self.run.live
        self.link = self.live.venues.links[0]
        self.compared = 0
        self.run._open()

    def turn_until(self, done: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Turn, and compare, until something is so."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            self.live.turn(self.live.now + 20 * MS)
            self.run.tell_closed()
            self.compare()
            if done():
                return
        raise AssertionError("\n".join(["it did not come", *self.said[-20:]]))

    def compare(self) -> None:
        for number, book in enumerate(self.link.feed.books):
            if int(book.state) != BookState.LIVE:
                continue
            truth = self.venue.truth.get(sequence_of(self.link, number) or 0)
            if truth is None:  # told before anybody listened
                continue
            scales = [10 ** (exponent + 9) for exponent in self.link.feed.exponents[number]]
            sides = ([(one.price * scales[0], one.quantity * scales[1], 0) for one in book.depth(side, 1000)]
                     for side in Side)  # fmt: skip
            assert digest(*sides) == truth.digest, (truth.instrument, truth.change_id)
            self.compared += 1

    @property
    def counts(self) -> dict[str, int]:
        return {name: count for reasons in self.link.reconnects.values() for name, count in reasons.items()}

    @property
    def all_live(self) -> bool:
        return self.link.is_ready

    def moved(self) -> Callable[[], bool]:
        """Say whether all books are LIVE and have gone on from where they are now."""
        before = [sequence_of(self.link, number) for number in range(len(self.link.feed.books))]

        def done() -> bool:
            now = [sequence_of(self.link, number) for number in range(len(self.link.feed.books))]
            told = self.link.statistics()
            assert told is not None
            return self.all_live and not told.open_gaps and sum(a != b for a, b in zip(before, now, strict=True)) > 3

        return done


@contextmanager
def handled(folder: Path, more: str = "", **flags: Any) -> Iterator[Handler]:
    with running(folder, **{"rate": 400, **flags}) as venue:
        one = Handler(venue, more)
        try:
            one.turn_until(lambda: one.all_live)
            yield one
        finally:
            one.run._close()


def test_books_are_exact_from_the_first_snapshot_on(tmp_path: Path) -> None:
    with handled(tmp_path, 'trades = true\ntickers = true\ninterval = "100ms"') as one:
        assert (one.link.listed, one.link.passed) == (22, ())
        assert len(one.link.feed.books) == 12
        one.turn_until(lambda: one.compared > 300)
        told = one.link.statistics()
        assert told is not None
        assert told.gaps_opened == 0
        assert told.offset_ns is not None
        assert abs(told.offset_ns) < 5 * 10**9


def test_a_run_that_ends_in_order_lost_nothing_and_knows_what_it_had(tmp_path: Path) -> None:
    with handled(tmp_path) as one:
        one.said.clear()
        one.live.venues.hang_up()
        told = account(one.live)
        (venue,) = told["venues"]
        assert (venue["topics"], venue["disconnected"], venue["open_gaps"]) == (12, 0, 0)
        assert [(line["ready"], line["topics"]) for line in venue["connections"]] == [(True, {"on": 12})]
        assert told["books"]["LIVE"] == 12
        words = summary(told)
        assert "0 connections lost" in words
        assert "packets" not in words
        assert one.said == []


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("stream close 1012", "code 1012"),
        ("stream close 1011", "code 1011"),
        ("stream close 1006", "network"),
        ("stream once torn", "network"),
        ("stream once oversized", "protocol"),
        ("stream once alert", "alert"),
    ],
)
def test_books_are_exact_again_after_a_lost_connection(tmp_path: Path, command: str, reason: str) -> None:
    with handled(tmp_path) as one:
        one.turn_until(one.moved())
        one.venue.tell(command)
        one.turn_until(lambda: bool(one.counts))
        assert one.counts == {reason: 1}
        assert not one.all_live
        one.turn_until(one.moved())
        told = one.link.statistics()
        assert told is not None
        assert told.gaps_opened == len(one.link.feed.books)
        assert {gap.by for gap in told.gaps} == {"snapshot"}


def test_ten_lost_connections_ask_for_each_topic_once_each(tmp_path: Path) -> None:
    more = 'reconnect = { first = "50ms", healthy = "0s" }'
    with handled(tmp_path, more, stream={"credits": False}) as one:
        for _ in range(10):
            one.venue.tell("stream close 1012")
            before = one.counts.get("code 1012", 0)
            one.turn_until(lambda before=before: one.counts.get("code 1012", 0) > before)  # type: ignore[misc]
            one.turn_until(lambda: one.all_live)
        assert one.counts == {"code 1012": 10}
        assert one.venue.sim.streams is not None
        counts = one.venue.sim.streams.inner.counts
        # the instruments; then heartbeats, time and one subscription on each of 11 connections
        assert counts.requests == 1 + 11 * 3
        one.turn_until(one.moved())


def test_a_skipped_change_makes_one_topic_be_had_anew_and_no_other(tmp_path: Path) -> None:
    with handled(tmp_path) as one:
        one.venue.tell("stream once skip")
        told = one.link.statistics()
        one.turn_until(lambda: (one.link.statistics() or told).resyncs == 1)  # type: ignore[union-attr]
        one.turn_until(one.moved())
        told = one.link.statistics()
        assert told is not None
        assert (told.gaps_opened, told.resyncs, told.disconnected) == (1, 1, 0)


def test_duplicates_and_skips_by_chance_leave_every_live_book_exact(tmp_path: Path) -> None:
    with handled(tmp_path, stream={"credits": False}) as one:
        one.venue.tell("stream skip 2% duplicate 5%")
        told = one.link.statistics()
        one.turn_until(lambda: (one.link.statistics() or told).resyncs >= 3)  # type: ignore[union-attr]
        one.venue.tell("stream ok")
        one.turn_until(one.moved())
        assert one.counts == {}


RAW = 'interval = "raw"\ntrades = true\nclient_id = "me"\nclient_secret_env = "VENUE_SECRET"'
KNOWN = {"client_id": "me", "client_secret_env": "VENUE_SECRET", "credits": False}


def test_who_logs_in_has_exact_books_after_every_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_SECRET", "hush-hush")
    with handled(tmp_path, RAW, stream=KNOWN) as one:
        one.turn_until(lambda: one.compared > 300)
        one.venue.tell("stream close 1012")
        one.turn_until(lambda: bool(one.counts))
        one.turn_until(one.moved())
        assert not any("hush" in line for line in one.said)


def test_who_does_not_know_the_secret_is_told_why_and_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_SECRET", "hush-hush")
    with running(tmp_path, stream=KNOWN) as venue:
        monkeypatch.setenv("VENUE_SECRET", "guess-guess")
        one = Handler(venue, RAW)
        try:
            one.turn_until(lambda: any("refused its opening: 13004" in line for line in one.said))
            one.turn_until(lambda: any("13778" in line for line in one.said))
            assert not one.all_live
            assert not any("guess" in line for line in one.said)
        finally:
            one.run._close()


def test_a_throttled_handler_comes_back_when_it_may(tmp_path: Path) -> None:
    with handled(tmp_path) as one:
        one.venue.tell("stream throttle 2s")
        one.venue.tell("stream close 1012")
        one.turn_until(lambda: any("is to ask nothing" in line for line in one.said))
        one.turn_until(one.moved(), patience_s=60)


def test_a_venue_that_refuses_is_tried_until_it_does_not(tmp_path: Path) -> None:
    with handled(tmp_path) as one:
        one.venue.tell("stream refuse 503 for 1s")
        one.venue.tell("stream close 1012")
        one.turn_until(lambda: one.counts.get("refused 503", 0) > 0)
        one.turn_until(one.moved(), patience_s=60)


def test_what_was_said_while_a_venue_hung_is_missed_and_mended(tmp_path: Path) -> None:
    with handled(tmp_path) as one:
        one.venue.tell("stream silent 1500ms")
        told = one.link.statistics()
        one.turn_until(lambda: (one.link.statistics() or told).resyncs > 0)  # type: ignore[union-attr]
        one.turn_until(one.moved(), patience_s=60)
        assert one.counts == {}


def test_two_lines_lose_nothing_when_one_of_them_is_lost(tmp_path: Path) -> None:
    with handled(tmp_path, "lines = 2") as one:
        told = one.link.statistics()
        assert told is not None
        one.turn_until(lambda: sum(c.ready for c in (one.link.statistics() or told).connections) == 2)  # type: ignore[union-attr]
        one.turn_until(one.moved())
        one.venue.tell("stream 1 close 1006")
        one.turn_until(lambda: bool(one.counts))
        assert all(int(book.state) == BookState.LIVE for book in one.link.feed.books)
        one.turn_until(one.moved())
        told = one.link.statistics()
        assert told is not None
        assert told.gaps_opened == 0


@pytest.mark.slow
def test_a_silent_peer_is_stale_then_given_up_and_the_books_are_exact_again(tmp_path: Path) -> None:
    with handled(tmp_path) as one:
        one.venue.tell("stream silent for 40s")
        one.turn_until(lambda: all(int(book.state) == BookState.STALE for book in one.link.feed.books), 60)
        one.turn_until(lambda: one.counts.get("silent", 0) > 0, 60)
        one.turn_until(one.moved(), patience_s=90)


# -- beside it: what is asked over HTTP, and what is told


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def asked(one: Handler, path: str) -> tuple[int, str]:
    """Ask while the handler turns."""
    found: list[tuple[int, str]] = []
    ports = [close.__self__.port for close in one.run._closing if hasattr(getattr(close, "__self__", None), "port")]
    thread = threading.Thread(target=lambda: found.append(get(ports[0], path)))
    thread.start()
    one.turn_until(lambda: bool(found))
    thread.join()
    return found[0]


def test_metrics_and_readiness_tell_of_venues(tmp_path: Path) -> None:
    with handled(tmp_path) as one:
        assert asked(one, "/readyz")[0] == 200
        one.venue.tell("stream refuse 503")
        one.venue.tell("stream close 1012")
        one.turn_until(lambda: bool(one.counts))
        status, why = asked(one, "/readyz")
        assert status == 503
        assert "sim: no connection stands" in why
        one.venue.tell("stream ok")
        one.turn_until(one.moved(), patience_s=60)
        text = asked(one, "/metrics")[1]
        listener = one.venue.sim.stream_listener
        assert listener is not None
        assert f'netfeed_reconnects_total{{endpoint="wss://{listener.address}",reason="code 1012"}} 1.0' in text
        assert 'netfeed_clock_offset_seconds{venue="sim"}' in text
        assert 'netfeed_books{state="LIVE"} 12.0' in text
        assert 'netfeed_topic_gaps_total{venue="sim"} 12.0' in text
        account = json.loads(asked(one, "/account")[1])["venues"][0]
        assert account["gap_records"][0]["closed_by"] == "snapshot"
        assert account["connections"][0]["topics"] == {"on": 12}


def test_a_venue_that_is_not_there_is_asked_again_and_told(tmp_path: Path) -> None:
    with running(tmp_path, faults={"stream": "refuse 503"}) as venue:
        one = Handler(venue)
        try:
            one.turn_until(lambda: sum("no instruments" in line for line in one.said) >= 2)
            assert asked(one, "/readyz") == (503, "sim: its instruments are not known yet\nbooks: none\n")
            venue.tell("stream ok")
            one.turn_until(lambda: one.all_live, patience_s=60)
        finally:
            one.run._close()
        assert one.run.exit_code() == 0


def test_plain_talk_to_a_port_of_tls_is_told_with_the_likely_cause(tmp_path: Path) -> None:
    with running(tmp_path) as venue:
        listener = venue.sim.stream_listener
        assert listener is not None
        one = Handler(venue)
        one.link.config = replace(one.link.config, endpoints=[listener.url.replace("wss", "ws")])
        try:
            one.turn_until(lambda: any("no instruments" in said for said in one.said))
            assert "wss://" in next(said for said in one.said if "no instruments" in said)
        finally:
            one.run._close()
