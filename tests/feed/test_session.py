"""One connection: what is asked, what is answered at once, what is told, and how it ends."""

from typing import Any

import msgspec
import pytest

from netfeed.book.state import BookState
from netfeed.feed.dialect import Limits, Liveness
from netfeed.feed.offset import Offset
from netfeed.feed.session import MAX_KINDS, MAX_UNANSWERED, NONSENSE, OPENING_NS, Session
from netfeed.feed.session_words import (
    Held,
    Last,
    Lost,
    OpeningRefused,
    Parting,
    Ready,
    Silent,
    Subscribed,
    TopicsRefused,
    Unanswered,
    Unsubscribed,
)
from netfeed.feed.subscriptions import ANSWER_NS, FIRST_REST_NS, Subscriptions
from netfeed.feed.throttle import Throttle
from netfeed.machine import NEVER
from tests.feed.plain_talk import HELLO, Plain
from tests.feed.toy_laws import frame
from tests.feed.toy_venue import KEY, LIMITS, S, ToyDialect, ToyMarket

Json = dict[str, Any]


class Talkative:
    """A session and its venue, hand-driven."""

    def __init__(
        self, *topics: str, opened: bool = True, limits: Limits = LIMITS, key: str | None = None,
        liveness: Liveness = Liveness(heartbeat_ns=5 * S, ping_ns=10 * S, silent_ns=20 * S),  # noqa: B008
    ) -> None:  # fmt: skip
        self.market = ToyMarket(("book.a", "book.b", "book.c", "trades.a"))
        self.throttle = Throttle(rate=limits.budget_rate, burst=limits.budget_burst)
        self.topics = Subscriptions(per_request=limits.topics_per_request)
        self.topics.want(topics)
        self.offset = Offset()
        self.session = Session(
            ToyDialect(limits, liveness, key), self.market, Plain(), topics=self.topics, throttle=self.throttle,
            offset=self.offset, line=0, now=0,
        )  # fmt: skip
        assert self.session.transmit() == [HELLO]
        if opened:
            assert self.session.receive(HELLO, 0) == [Ready()]

    def says(self, *told: Json | bytes, now: int = 0) -> list[Any]:
        """Let the venue say something."""
        frames = (frame(b"M", one if isinstance(one, bytes) else msgspec.json.encode(one)) for one in told)
        return self.session.receive(b"".join(frames), now)

    def heard(self) -> list[Any]:
        """Give what the venue hears."""
        messages = []
        for data in self.session.transmit():
            messages.append(msgspec.json.decode(data[5:]) if data[:1] == b"M" else data[:1])
        return messages


def test_what_is_wanted_is_asked_for_when_the_conversation_stands() -> None:
    one = Talkative("book.a", "trades.a", opened=False)
    assert one.heard() == []
    assert one.session.receive(HELLO, 1) == [Ready()]
    assert one.heard() == [{"op": "on", "id": 1, "topics": ["book.a", "trades.a"]}]
    assert one.says({"id": 1, "on": True}) == [Subscribed(("book.a", "trades.a"))]
    assert one.heard() == []


def test_the_opening_is_said_first_and_numbers_go_on_behind_it() -> None:
    one = Talkative("book.a", key=KEY)
    login, ask = one.heard()
    assert (login["op"], login["id"], ask["id"]) == ("login", 1, 2)


def test_a_refused_opening_is_told_without_its_secrets_and_the_rest_goes_on() -> None:
    one = Talkative("book.a", key=KEY)
    assert one.says({"id": 1, "error": "13", "text": f"bad {KEY} !"}) == [OpeningRefused("13", "bad *** !")]
    assert one.says({"id": 2, "on": True}) == [Subscribed(("book.a",))]


def test_an_opening_that_was_not_heard_ends_the_connection_until_the_venue_wants_to_hear() -> None:
    one = Talkative("book.a", key=KEY)
    held, lost = one.says({"wait": 3000, "id": 1})
    assert held == Held(3 * S, 3 * S, "too many")
    assert (lost.by, lost.wait_ns) == ("us", 3 * S)


def test_market_data_goes_to_the_books_and_is_told_to_nobody() -> None:
    one = Talkative("book.a")
    one.says({"id": 1, "on": True})
    assert one.says({"t": "book.a", "s": 5, "all": {"1": 2}}, {"t": "book.a", "s": 6, "p": 5, "k": 1, "v": 9}) == []
    assert (one.market.book("book.a").state, one.market.book("book.a").levels) == (BookState.LIVE, {"1": 9})


def test_a_heartbeat_is_answered_before_anything_else_is_told() -> None:
    one = Talkative()
    assert one.says({"beat": 7}) == []
    assert one.heard() == [{"op": "beat", "beat": 7}]


def test_a_heartbeat_is_answered_even_when_the_budget_is_used_up_and_is_paid_for() -> None:
    one = Talkative()
    one.throttle.spend(0, 50)
    before = one.throttle.ready_at()
    one.says({"beat": 7})
    assert one.heard() == [{"op": "beat", "beat": 7}]
    assert one.throttle.ready_at() > before


def test_requests_wait_for_the_budget() -> None:
    one = Talkative("book.a", opened=False)
    one.throttle.spend(0, LIMITS.budget_burst)
    one.session.receive(HELLO, 0)
    assert one.heard() == []
    due = one.session.deadline
    assert due == S // 20
    one.session.wake(due)
    assert len(one.heard()) == 1


def test_when_the_venue_says_too_many_nothing_is_asked_for_that_long_and_then_the_same_again() -> None:
    one = Talkative("book.a")
    one.heard()
    assert one.says({"wait": 2000, "id": 1}) == [Held(2 * S, 2 * S, "too many")]
    assert one.heard() == []
    assert one.session.deadline == 2 * S
    one.session.wake(2 * S)
    assert one.heard() == [{"op": "on", "id": 2, "topics": ["book.a"]}]


def test_a_refused_topic_rests_and_is_asked_for_again_but_never_after_a_final_no() -> None:
    one = Talkative("book.a", "book.b")
    one.heard()
    told = one.says({"id": 1, "error": "11", "text": "no", "topics": ["book.a"]})
    told += one.says({"id": 1, "error": "12", "text": "never", "topics": ["book.b"], "final": True})
    assert told == [TopicsRefused(("book.a",), "11", "no", False), TopicsRefused(("book.b",), "12", "never", True)]
    one.session.wake(FIRST_REST_NS)
    assert one.heard() == [{"op": "on", "id": 2, "topics": ["book.a"]}]


def test_what_is_not_answered_is_asked_for_again_and_the_books_are_not_told_twice() -> None:
    one = Talkative("book.a")
    one.heard()
    assert one.session.wake(ANSWER_NS) == [Unanswered(("book.a",)), Silent(True, 0)]
    one.says({"beat": 1}, now=ANSWER_NS)
    one.session.wake(ANSWER_NS + FIRST_REST_NS)
    assert {"op": "on", "id": 3, "topics": ["book.a"]} in one.heard()  # joined twice would be an error of the market


def test_a_venue_that_carries_nothing_and_answers_nothing_is_given_up() -> None:
    one = Talkative("book.a", liveness=Liveness(heartbeat_ns=3600 * S))
    told: list[Any] = []
    while not one.session.is_over:
        told += one.session.wake(one.session.deadline)
    assert [type(event) for event in told] == [Unanswered] * MAX_UNANSWERED + [Lost]
    assert told[-1].reason == "it answers nothing"


def test_a_topic_that_is_never_answered_does_not_end_a_connection_that_carries_others() -> None:
    one = Talkative("book.a", "trades.a", liveness=Liveness(heartbeat_ns=10**5 * S))
    one.says({"id": 1, "on": True, "topics": ["book.a"]})
    for _ in range(30):
        one.session.wake(one.session.deadline)
    assert not one.session.is_over


def test_a_topic_that_the_venue_ends_is_told_and_asked_for_again() -> None:
    one = Talkative("book.a")
    one.says({"id": 1, "on": True}, {"t": "book.a", "s": 5, "all": {}})
    assert one.says({"on": False, "topics": ["book.a"]}) == [Unsubscribed(("book.a",))]
    assert one.market.book("book.a").state is BookState.SUSPECT
    one.heard()
    one.session.wake(FIRST_REST_NS)
    assert one.heard() == [{"op": "on", "id": 2, "topics": ["book.a"]}]


def test_what_nobody_asked_for_changes_nothing_and_is_counted() -> None:
    one = Talkative("book.a")
    assert one.says({"id": 99, "on": True, "topics": ["x", "y"]}, {"id": 5, "on": False}) == []
    assert one.session.statistics().unasked == 2
    assert one.session.statistics().topics == {"asked": 1}


def test_it_pings_when_it_is_time_and_takes_the_venues_clock_from_the_answer() -> None:
    one = Talkative()
    one.says({"beat": 1}, now=9 * S)
    one.heard()
    assert one.session.wake(10 * S) == []
    assert one.heard() == [{"op": "time", "id": 1}]
    one.says({"id": 1, "time": 10**18}, now=10 * S + 1000)
    assert one.offset.error_ns == 500
    one.says({"id": 1, "time": 10**17}, {"id": 77, "time": 5}, {"time": 5}, now=11 * S)
    assert one.offset.error_ns == 500
    assert one.offset.best is not None
    assert one.offset.best.ahead_ns == 10**18 - 10 * S - 500


def test_without_a_ping_of_the_venues_own_the_talk_is_asked_for_a_sign_of_life() -> None:
    one = Talkative()
    one.session._dialect.ping = lambda request: None  # type: ignore[method-assign]
    one.says({"beat": 1}, now=9 * S)
    one.heard()
    one.session.wake(10 * S)
    assert one.heard() == [b"P"]
    one.session.receive(frame(b"Q", b""), 15 * S)
    assert one.session.deadline == 20 * S  # the next ping; silence would be told at 25 s


def test_silence_is_told_once_ends_with_the_next_word_and_goes_on_to_the_end() -> None:
    one = Talkative("book.a")
    one.says({"id": 1, "on": True}, {"t": "book.a", "s": 5, "all": {}})
    assert one.session.wake(10 * S) == [Silent(True, 0)]
    assert one.market.book("book.a").state is BookState.STALE
    assert one.says({"beat": 1}, now=11 * S) == [Silent(False, 0)]
    assert one.market.book("book.a").state is BookState.LIVE
    told = []
    while not one.session.is_over:
        told += one.session.wake(one.session.deadline)
    assert told == [
        Silent(True, 11 * S), Lost("us", None, "silent for 20.0 s", 31 * S, 20 * S, (Last("book.a", 5),)),
    ]  # fmt: skip


def test_a_handshake_that_takes_too_long_is_given_up() -> None:
    one = Talkative("book.a", opened=False)
    assert one.session.deadline == OPENING_NS
    (lost,) = one.session.wake(OPENING_NS)
    assert (lost.reason, lost.uptime_ns) == ("no handshake in time", 0)


def test_a_venue_that_leaves_is_told_once() -> None:
    one = Talkative()
    assert one.says({"leaving": "maintenance"}, {"leaving": "again"}) == [Parting("maintenance")]


def test_nonsense_is_counted_by_kind_within_bounds_and_too_much_of_it_ends_the_connection() -> None:
    one = Talkative()
    one.says(*[b"{{"] * (NONSENSE - 1))
    one.says({"beat": 1})
    one.says(*[b"{{"] * (NONSENSE - 1))
    assert one.session.statistics().puzzling == {"no JSON": 2 * NONSENSE - 2}
    (lost,) = one.says(b"{{")
    assert "nobody understands" in lost.reason


def test_kinds_of_nonsense_are_bounded() -> None:
    one = Talkative()
    dialect = one.session._dialect
    from netfeed.feed.dialect import Puzzling

    dialect.read = lambda message: [Puzzling(bytes(message).decode())]  # type: ignore[method-assign]
    one.says(*[b"k%d" % k for k in range(NONSENSE - 1)])
    puzzling = one.session.statistics().puzzling
    assert len(puzzling) == MAX_KINDS + 1
    assert puzzling["other"] == NONSENSE - 1 - MAX_KINDS


def test_the_end_tells_who_closed_and_what_was_last_and_nothing_follows() -> None:
    one = Talkative("book.a", "trades.a")
    one.says({"id": 1, "on": True}, {"t": "book.a", "s": 5, "all": {}}, now=S)
    (lost,) = one.session.receive(frame(b"C", (1011).to_bytes(2, "big") + b"oops"), 3 * S)
    assert lost == Lost("venue", 1011, "oops", 3 * S, 2 * S, (Last("book.a", 5), Last("trades.a", None)))
    assert one.market.book("book.a").state is BookState.SUSPECT
    assert one.session.deadline == NEVER
    assert [*one.says({"beat": 1}), *one.session.wake(10**15), *one.session.end(5), *one.session.leave("x", 5)] == []


@pytest.mark.parametrize(("reason", "told"), [("", "the stream broke off"), ("reset by peer", "reset by peer")])
def test_a_stream_that_breaks_is_the_networks(reason: str, told: str) -> None:
    one = Talkative()
    (lost,) = one.session.end(S, reason)
    assert (lost.by, lost.reason) == ("network", told)


def test_leaving_says_good_bye() -> None:
    one = Talkative("book.a")
    one.heard()
    (lost,) = one.session.leave("enough", S)
    assert (lost.by, lost.reason) == ("us", "enough")
    assert one.session.transmit() == [frame(b"C", (1000).to_bytes(2, "big") + b"enough")]


def test_another_session_goes_on_where_the_last_one_stopped() -> None:
    one = Talkative("book.a", "book.b")
    one.says({"id": 1, "on": True, "topics": ["book.a"]})
    one.session.end(S)
    again = Session(
        ToyDialect(key=None), one.market, Plain(), topics=one.topics, throttle=one.throttle, offset=one.offset, line=0,
        now=2 * S,
    )  # fmt: skip
    again.receive(HELLO, 2 * S)
    one.session = again
    assert [message for message in one.heard() if isinstance(message, dict)] == [
        {"op": "on", "id": 1, "topics": ["book.a", "book.b"]}
    ]
