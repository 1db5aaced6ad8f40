"""Snapshots over HTTP: once each, paid for, and never a storm."""

from random import Random
from typing import Any

import pytest

from netfeed.book.state import BookState
from netfeed.errors import MisuseError
from netfeed.feed.dialect import Fetch
from netfeed.feed.fetcher import Fetcher
from netfeed.feed.gateway_words import Connect, Disconnect, FetchFailed
from netfeed.feed.session import Skew
from netfeed.feed.venue import LastWords, Ports, Shared, Venue
from netfeed.machine import NEVER
from netfeed.proto import http
from netfeed.proto.bucket import TokenBucket
from tests.feed.plain_talk import plain
from tests.feed.toy_laws import half
from tests.feed.toy_venue import Exchange, Snapshots, ToyDialect, ToyMarket, fetch

S = 1_000_000_000
TOPICS = tuple(f"diff.{letter}" for letter in "abcdefghij")


class Bench:
    """A fetcher and its server, side by side."""

    def __init__(self, *, fetches: bool = True) -> None:
        self.market = ToyMarket(TOPICS)
        more: Any = {"fetch_endpoint": "http://toys", "fetch": fetch} if fetches else {}
        venue = Venue("toys", ("a",), ToyDialect(), self.market, plain, **more)
        self.shared = Shared(
            venue, random=half, budget=TokenBucket(rate=100, burst=100), skew=Skew(), ports=Ports(), words=LastWords()
        )
        self.fetcher = Fetcher(self.shared)
        self.exchange = Exchange(TOPICS)
        self.server: Any = None
        self.now = 0
        self.told: list[Any] = []

    def want(self, *topics: str) -> None:
        for topic in topics:
            self.fetcher.want(Fetch(topic, f"/{topic}"), self.now)

    def run(self, until: int) -> None:
        while self.fetcher.deadline <= until:
            self.now = max(self.now, self.fetcher.deadline)
            self.hear(self.fetcher.wake(self.now))
        self.now = until

    def hear(self, events: list[Any]) -> None:
        self.told += events
        for event in events:
            if isinstance(event, Connect):
                self.server = Snapshots(self.exchange, Random(1), self.now)
                self.fetcher.opened(self.now)
        self.pump()

    def pump(self) -> None:
        while out := b"".join(self.fetcher.transmit()):
            self.server.receive(out, self.now)
            self.hear(self.fetcher.receive(b"".join(self.server.transmit()), self.now))

    def answer(self, status: int, **headers: str) -> None:
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        server = self.server._http
        self.server._answer = lambda events, now: [
            server.respond(status, b"", now, fields) for one in events if isinstance(one, http.Request)
        ]


def test_what_is_wanted_is_fetched_over_one_connection_and_paid_for() -> None:
    bench = Bench()
    bench.want(*TOPICS)
    bench.run(0)
    assert bench.fetcher.statistics().fetched == 5  # the burst of the budget
    bench.run(10 * S)
    assert {bench.market.book(topic).state for topic in TOPICS} == {BookState.LIVE}
    assert [type(event) for event in bench.told] == [Connect]
    assert (bench.fetcher.statistics().fetched, bench.fetcher.statistics().waiting) == (10, 0)
    assert bench.fetcher.deadline == NEVER


def test_ten_thousand_cries_for_a_snapshot_fetch_it_once() -> None:
    bench = Bench()
    for _ in range(10_000):
        bench.want("diff.a")
    bench.run(0)
    assert bench.server.asked == 1
    assert bench.fetcher.statistics().repeated == 9_999


@pytest.mark.parametrize("status", [429, 418, 503])
def test_a_server_that_wants_to_be_asked_later_is_asked_later_for_the_same(status: int) -> None:
    bench = Bench()
    bench.want("diff.a")
    bench.run(0)
    answers, answer = bench.server._answer, bench.server
    bench.answer(status, retry_after="7")
    bench.want("diff.b")
    bench.run(0)
    answer._answer = answers
    bench.run(7 * S - 1)
    assert bench.fetcher.statistics().fetched == 1
    bench.run(7 * S)
    assert bench.fetcher.statistics().fetched == 2
    assert [event for event in bench.told if isinstance(event, FetchFailed)] == []


def test_another_status_fails_and_the_same_cry_waits_longer_each_time() -> None:
    bench = Bench()
    bench.want("diff.a")
    bench.run(0)
    bench.answer(500)
    for _ in range(100):
        bench.want("diff.b")
        bench.run(bench.now + S)
    failed = [event for event in bench.told if isinstance(event, FetchFailed)]
    assert failed[0] == FetchFailed("toys", "diff.b", 500, "refused")
    assert 4 <= len(failed) <= 8


def test_a_lost_connection_fails_what_was_asked_and_is_opened_again_when_something_is_wanted() -> None:
    bench = Bench()
    bench.want("diff.a")
    bench.run(0)
    assert bench.fetcher.end(S, "") == [Disconnect("toys", 0)]
    assert bench.fetcher.deadline == NEVER
    bench.now = S
    bench.want("diff.b")
    bench.run(S)
    assert bench.fetcher.statistics().connections == 2
    assert bench.fetcher.statistics().fetched == 2


def test_a_server_that_never_takes_the_connection_is_tried_ever_more_rarely() -> None:
    bench = Bench()
    bench.want("diff.a")
    attempts = []
    while bench.now < 300 * S:
        bench.now = max(bench.now, bench.fetcher.deadline)
        for event in bench.fetcher.wake(bench.now):
            if isinstance(event, Connect):
                attempts.append(bench.now)
                assert bench.fetcher.end(bench.now, "refused") == [Disconnect("toys", event.port)]
    assert 5 < len(attempts) < 40


def test_a_connection_that_does_not_come_is_given_up() -> None:
    bench = Bench()
    bench.want("diff.a")
    (order,) = bench.fetcher.wake(0)
    assert bench.fetcher.deadline == 10 * S
    assert bench.fetcher.wake(10 * S) == [Disconnect("toys", order.port)]


def test_a_topic_that_nobody_wants_is_not_fetched() -> None:
    bench = Bench()
    bench.want("diff.a")
    bench.fetcher.forget("diff.a")
    assert bench.fetcher.deadline == NEVER
    bench.want("diff.a")
    assert bench.fetcher.is_open("diff.a")
    bench.fetcher.stop()
    assert (bench.fetcher.deadline, bench.fetcher.is_open("diff.a")) == (NEVER, False)


def test_a_venue_without_an_endpoint_for_snapshots_cannot_fetch() -> None:
    with pytest.raises(MisuseError, match="no endpoint for snapshots"):
        Bench(fetches=False).want("diff.a")
