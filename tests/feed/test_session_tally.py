"""What a session counts, and when it asked what."""

from netfeed.feed.session_tally import MAX_KINDS, MAX_QUESTIONS, Tally
from netfeed.feed.subscriptions import Subscriptions


def test_requests_count_up_and_their_time_is_told_once() -> None:
    tally = Tally(Subscriptions(per_request=1))
    assert [tally.request(10), tally.request(20)] == [1, 2]
    assert (tally.asked_at(2), tally.asked_at(2), tally.asked_at(None), tally.asked_at(9)) == (20, None, None, None)


def test_the_times_of_the_latest_requests_are_kept() -> None:
    tally = Tally(Subscriptions(per_request=1))
    for now in range(MAX_QUESTIONS + 1):
        tally.request(now)
    assert (tally.asked_at(1), tally.asked_at(2)) == (None, 1)


def test_kinds_of_nonsense_are_bounded() -> None:
    tally = Tally(Subscriptions(per_request=1))
    for kind in range(MAX_KINDS + 5):
        tally.puzzle(str(kind))
    tally.puzzle("0")
    puzzling = tally.statistics().puzzling
    assert (len(puzzling), puzzling["other"], puzzling["0"]) == (MAX_KINDS + 1, 5, 2)


def test_what_was_counted_before_is_another_connections() -> None:
    topics = Subscriptions(per_request=1)
    topics.acknowledged(None, ["x"], on=True, now=0)
    tally = Tally(topics)
    topics.acknowledged(None, ["x"], on=True, now=0)
    assert tally.statistics().unasked == 1
