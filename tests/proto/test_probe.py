"""Questions at a pace that no answer changes, and each answer known by its number."""

from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.proto.bucket import TokenBucket
from netfeed.proto.probe import MAX_DUE, Pinger, Ponger
from netfeed.proto.probe_stream import Streamed
from netfeed.proto.probe_websocket import Framed
from netfeed.proto.probe_words import MAX_PEERS, Answered, Broken, Done, Missed, Plan
from netfeed.wire import probe
from netfeed.wire.capture import NO_TIME
from netfeed.wire.probe import BACKGROUND
from tests.proto import websocket_peers

MS = 1_000_000
EPOCH = 10**18


def pinger(**plan: Any) -> Pinger:
    made = Pinger(Plan(77, **plan), epoch_ns=EPOCH)
    made.start(0)
    return made


def ponger(peer: int = 5, *, rate: float = 1e6, burst: int = 100) -> Ponger:
    return Ponger(peer, 9, bucket=TokenBucket(rate=rate, burst=burst), epoch_ns=EPOCH)


def answered(question: bytes, peer: int = 5, now: int = 0) -> bytes:
    one = ponger(peer)
    one.receive(question, now)
    (answer,) = one.transmit()
    return answer


def sequences(questions: list[bytes]) -> list[int]:
    return [probe.decode(one).sequence for one in questions]


def test_questions_are_due_at_absolute_moments_whatever_became_of_the_last_one() -> None:
    one = pinger(interval_ns=MS, timeout_ns=10**9)
    told = []
    for now in (0, MS + 300, 2 * MS + 999, 3 * MS):
        assert one.wake(one.deadline - 1) == []
        one.wake(now)
        told += [(probe.decode(data).sequence, probe.decode(data).sent_ns - EPOCH) for data in one.transmit()]
    assert told == [(0, 0), (1, MS + 300), (2, 2 * MS + 999), (3, 3 * MS)]
    assert one.deadline == 4 * MS


def test_what_came_due_in_a_stall_is_asked_after_it_and_counts_from_when_it_was_due() -> None:
    one = pinger(interval_ns=MS, timeout_ns=10**9)
    one.wake(5 * MS)
    questions = one.transmit()
    assert sequences(questions) == [0, 1, 2, 3, 4, 5]
    (event,) = one.receive(answered(questions[2]), 5 * MS + 40)
    assert (event.due_ns - EPOCH, event.sent_ns - EPOCH, event.back_ns - EPOCH) == (2 * MS, 5 * MS, 5 * MS + 40)


def test_what_could_not_be_sent_in_time_is_told() -> None:
    one = pinger(interval_ns=MS, timeout_ns=10**12)
    one.wake(5000 * MS)
    assert len(one.transmit()) == MAX_DUE
    assert one.statistics().skipped == 5001 - MAX_DUE
    crowded = pinger(interval_ns=MS, timeout_ns=10**12, max_flights=3)
    crowded.wake(9 * MS)
    assert (len(crowded.transmit()), crowded.statistics().skipped) == (3, 7)


def test_without_an_interval_each_answer_brings_the_next_question() -> None:
    one = pinger(interval_ns=None, window=2, count=4)
    one.wake(0)
    questions, told = one.transmit(), []
    while questions:
        told += one.receive(answered(questions.pop(0)), 10)
        questions += one.transmit()
    assert [type(event) for event in told] == [Answered, Answered, Answered, Answered, Done]
    assert (one.statistics().asked, one.statistics().answered, one.deadline) == (4, 4, NEVER)


def test_a_lost_question_keeps_no_place_in_the_window() -> None:
    one = pinger(interval_ns=None, window=1, timeout_ns=MS)
    one.wake(0)
    one.transmit()
    assert [type(event) for event in one.wake(MS)] == [Missed]
    assert sequences(one.transmit()) == [1]


def test_an_answer_too_late_a_second_one_and_a_strangers_are_counted_and_not_told() -> None:
    one = pinger(interval_ns=None, window=1, timeout_ns=MS)
    one.wake(0)
    (first,) = one.transmit()
    one.wake(MS)
    (second,) = one.transmit()
    assert [one.receive(answered(first), MS) for _ in range(2)] == [[], []]
    assert len(one.receive(answered(second), MS)) == 1
    assert one.receive(answered(second), MS) == []
    for foreign in (b"", b"x" * 100, second, answered(probe.encode_question(78, 2, 0)), answered(
        probe.encode_question(77, 99, 0))):  # fmt: skip
        assert one.receive(foreign, MS) == []
    told = one.statistics()
    assert (told.late, told.duplicates, told.foreign, told.unanswered, told.answered) == (1, 2, 5, 1, 1)


def test_the_warm_up_is_asked_and_not_counted() -> None:
    one = pinger(interval_ns=MS, warmup_ns=3 * MS, count=2)
    events = []
    for now in range(0, 6 * MS, MS):
        one.wake(now)
        for question in one.transmit():
            events += one.receive(answered(question), now)
    assert [event.is_counted for event in events[:-1]] == [False, False, False, True, True]
    assert (events[-1], one.statistics().warmup, one.statistics().asked) == (Done(), 3, 2)


def test_background_load_is_answered_and_not_told() -> None:
    one = pinger(interval_ns=4 * MS, background_ns=MS)
    for now in range(0, 8 * MS, MS):
        one.wake(now)
    questions = one.transmit()
    assert [bool(number & BACKGROUND) for number in sequences(questions)].count(True) == 8
    told = [event for question in questions for event in one.receive(answered(question), 8 * MS)]
    assert len(told) == 2
    assert (one.statistics().background_asked, one.statistics().background_answered) == (8, 8)


def test_the_duration_ends_the_asking_and_the_last_answer_the_run() -> None:
    one = pinger(interval_ns=MS, duration_ns=2 * MS, timeout_ns=10 * MS)
    for now in (0, MS, 2 * MS):
        assert one.wake(now) == []
    first, last = one.transmit()
    assert one.deadline == 10 * MS
    one.receive(answered(first), 2 * MS)
    assert [type(event) for event in one.receive(answered(last), 3 * MS)] == [Answered, Done]
    assert (one.is_done, one.deadline) == (True, NEVER)


def test_each_of_a_group_is_one_who_answers_and_one_who_is_silent_is_named() -> None:
    one = pinger(interval_ns=10 * MS, answers=None, timeout_ns=MS)
    one.wake(0)
    (question,) = one.transmit()
    peers = [event.probe.peer for peer in (5, 6) for event in one.receive(answered(question, peer), 1)]
    assert (peers, one.peers) == ([5, 6], 2)
    assert one.wake(MS) == []
    one.wake(10 * MS)
    (question,) = one.transmit()
    one.receive(answered(question, 6), 10 * MS)
    (missed,) = one.wake(11 * MS)
    assert (missed.silent, one.statistics().missed, one.statistics().unanswered) == ((5,), 1, 0)


def test_a_question_that_has_all_its_answers_takes_no_more() -> None:
    one = pinger(interval_ns=MS, answers=2)
    one.wake(0)
    (question,) = one.transmit()
    assert [len(one.receive(answered(question, peer), 1)) for peer in (1, 2, 3)] == [1, 1, 0]
    assert one.statistics().duplicates == 1


def test_another_who_answers_in_the_place_of_the_first_is_told_apart() -> None:
    one = pinger(interval_ns=MS)
    for peer in (1, 2):
        one.wake(peer * MS)
        told = [event.probe.peer for question in one.transmit() for event in one.receive(answered(question, peer), MS)]
        assert set(told) == {peer}
    assert one.peers == 2


def test_who_answers_beside_as_many_as_are_told_apart_is_a_stranger() -> None:
    one = pinger(interval_ns=MS, answers=None)
    one.wake(0)
    (question,) = one.transmit()
    told = sum(len(one.receive(answered(question, peer), 1)) for peer in range(1, MAX_PEERS + 3))
    assert (told, one.peers, one.statistics().strangers) == (MAX_PEERS, MAX_PEERS, 2)


def test_stopped_it_gives_up_what_is_in_flight_at_once() -> None:
    one = pinger(interval_ns=MS)
    one.wake(0)
    one.stop(5)
    assert one.deadline == 5
    assert [type(event) for event in one.wake(5)] == [Missed, Done]
    assert one.receive(answered(one.transmit()[0]), 6) == []


@pytest.mark.parametrize(
    "plan",
    [
        {"size": 71}, {"size": 65_508}, {"interval_ns": 0 - 1}, {"timeout_ns": 0}, {"window": 0}, {"answers": 0},
        {"interval_ns": None, "answers": None}, {"window": 9, "max_flights": 8}, {"background_ns": -5},
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(MisuseError):
        Plan(1, **plan)
    with pytest.raises(MisuseError):
        pinger().start(1)


def test_an_answer_carries_all_four_stamps() -> None:
    one = ponger()
    one.stamp(EPOCH + 20)
    one.receive(probe.encode_question(77, 1, EPOCH + 10, 300), 30)
    (answer,) = one.transmit()
    found = probe.decode(answer)
    assert (len(answer), found.host, found.peer) == (300, 9, 5)
    assert (found.sent_ns, found.arrived_ns, found.taken_ns) == (EPOCH + 10, EPOCH + 20, EPOCH + 30)
    one.receive(probe.encode_question(77, 2, EPOCH + 10), 40)
    assert probe.decode(one.transmit()[0]).arrived_ns == NO_TIME, "a stamp holds for one input"


def test_only_questions_are_answered_and_no_more_than_the_rate() -> None:
    one = ponger(rate=1000, burst=3)
    question = probe.encode_question(77, 1, 0)
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n" * 9, answered(question), question[:-1]):
        one.receive(data, 0)
    assert one.transmit() == []
    for _ in range(10):
        one.receive(question, 0)
    assert len(one.transmit()) == 3
    one.receive(question, MS)
    assert (len(one.transmit()), one.statistics().foreign, one.statistics().refused) == (1, 4, 7)


@pytest.mark.parametrize("step", [1, 7, 71, 1000])
def test_over_a_stream_they_are_cut_where_each_ends(step: int) -> None:
    asks, answers = Streamed(pinger(interval_ns=MS)), Streamed(ponger())
    asks.wake(5 * MS)
    data = b"".join(asks.transmit())
    for at in range(0, len(data), step):
        answers.stamp(123)
        answers.receive(data[at : at + step], 0)
    back = b"".join(answers.transmit())
    told = [event for at in range(0, len(back), step) for event in asks.receive(back[at : at + step], 6 * MS)]
    assert [event.sequence for event in told] == [0, 1, 2, 3, 4, 5]
    assert {event.probe.arrived_ns for event in told} == {123}


def test_a_stream_of_something_else_ends_it() -> None:
    one = Streamed(pinger(interval_ns=MS))
    one.wake(0)
    told = one.receive(b"HTTP/1.1 400 Bad Request\r\n", 1)
    assert [type(event) for event in told] == [Broken, Missed, Done]
    assert one.is_closed


def test_over_websocket_each_is_one_binary_message() -> None:
    client, server = websocket_peers.pair(client={"compression": False})
    asks, answers = Framed(client, pinger(interval_ns=MS)), Framed(server, ponger())
    asks.wake(2 * MS)
    answers.receive(b"".join(asks.transmit()), 0)
    told = asks.receive(b"".join(answers.transmit()), 3 * MS)
    assert [event.sequence for event in told] == [0, 1, 2]
    server.send_text("no probe")
    assert asks.receive(b"".join(server.transmit()), 4 * MS) == []
    assert asks.statistics().foreign == 1
    assert [type(event).__name__ for event in asks.end(5 * MS)] == ["Closed", "Done"]
