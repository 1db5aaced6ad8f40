"""Round trips from the moment of being due and of being sent, split by the stamps of both kernels."""

from typing import Any

import pytest

from netfeed.latency import round_trip
from netfeed.latency.round_trip import COLUMN_NS, COLUMNS, RoundTrips
from netfeed.proto.probe_words import Answered
from netfeed.wire import probe
from netfeed.wire.capture import NO_TIME

ABSENT = NO_TIME
T = 1_700_000_000_000_000_000


def exchange(
    due: int = 0, sent: int = 100, arrived: int = 150, taken: int = 170, answered: int = 200, kernel: int = 240,
    back: int = 300, *, peer: int = 5, offset: int = 0,
) -> Answered:  # fmt: skip
    stamps = (T + one + offset if one != ABSENT else ABSENT for one in (arrived, taken, answered))
    answer = probe.decode(probe.encode_answer(probe.encode_question(1, 1, T + sent), 9, peer, *stamps))
    return Answered(1, T + due, T + sent, T + back, T + kernel if kernel != ABSENT else ABSENT, True, answer)


def trips(*found: Answered, interval_ns: int | None = 100) -> RoundTrips:
    made = RoundTrips(absent=ABSENT, interval_ns=interval_ns)
    for one in found:
        made.answered(one)
    return made


def only(histogram: Any) -> int | None:
    assert histogram.count == 1
    least: int | None = histogram.min_ns
    return least


def test_a_round_trip_counts_from_when_it_was_due_and_from_when_it_was_sent() -> None:
    made = trips(exchange())
    assert (only(made.from_due), only(made.from_sent), only(made.lateness), made.late) == (300, 200, 100, 1)
    assert trips(exchange(sent=99)).late == 0
    assert trips(exchange(), interval_ns=None).late == 0


def test_stamps_of_both_kernels_split_it() -> None:
    made = trips(exchange())
    assert (only(made.woken_there), only(made.held), only(made.woken_here), only(made.wire)) == (20, 50, 60, 90)
    assert only(made.worked_there) == 30
    assert trips(exchange(answered=170)).worked_there.count == 0, "a connection cannot stamp the moment of sending"


def test_without_stamps_of_the_kernel_the_programs_are_used() -> None:
    made = trips(exchange(arrived=ABSENT, kernel=ABSENT))
    assert (made.woken_here.count, made.woken_there.count, made.wire.count, only(made.held)) == (0, 0, 0, 30)
    ways = made.answerers[5].ways(same_clock=True)
    assert ways is not None
    assert (only(ways[0]), only(ways[1])) == (70, 100)


def test_each_way_is_told_by_one_clock_or_by_an_estimate() -> None:
    ways = trips(exchange()).answerers[5].ways(same_clock=True)
    assert ways is not None
    assert (only(ways[0]), only(ways[1]), ways[2].uncertainty_ns) == (50, 40, 0)
    shifted = trips(exchange(offset=10**9)).answerers[5].ways(same_clock=False)
    assert shifted is not None
    assert (only(shifted[0]), only(shifted[1])) == (45, 45)
    assert (shifted[2].offset_ns, shifted[2].uncertainty_ns) == (10**9 + 5, 45)


def test_who_ran_on_this_kernel_says_so_and_has_stamps_that_agree() -> None:
    here = trips(exchange()).answerers[5]
    assert [here.is_on(host) for host in (9, 8)] == [True, False]
    restored = trips(exchange(offset=10**6)).answerers[5]
    assert not restored.is_on(9), "a guest from the same snapshot has a clock of its own"
    nameless = exchange()
    nameless = nameless._replace(probe=nameless.probe._replace(host=0))
    assert not trips(nameless).answerers[5].is_on(0)


def test_stamps_that_no_clock_had_are_not_believed() -> None:
    made = trips(*[exchange(offset=offset) for offset in (-2 * T, 2**62)], exchange(answered=ABSENT))
    assert (made.from_sent.count, made.implausible, made.held.count) == (3, 3, 0)
    assert made.answerers[5].ways(same_clock=False) is None


@pytest.mark.parametrize(
    "stamps",
    [
        {"arrived": 10**6}, {"arrived": -(10**6)}, {"kernel": 10**6}, {"kernel": -(10**6)}, {"answered": 10**6},
        {"arrived": ABSENT, "kernel": 10**6},
    ],
    ids=str,
)  # fmt: skip
def test_stamps_of_a_clock_that_was_set_between_them_split_nothing(stamps: dict[str, int]) -> None:
    made = trips(exchange(**stamps))
    assert (made.from_sent.count, made.implausible) == (1, 1)
    assert {one.count for one in (made.held, made.wire, made.woken_here, made.woken_there)} == {0}
    assert made.answerers[5].ways(same_clock=True) is None


def test_a_question_that_many_answer_was_sent_late_once() -> None:
    made = trips(exchange(), exchange(peer=6)._replace(is_first=False))
    made.missed(T, T + 100, [7], is_first=False)
    assert (made.from_due.count, made.lateness.count, made.late) == (2, 1, 1)


def test_the_ways_of_a_second_in_which_a_clock_was_set_are_not_told() -> None:
    second = 10**9
    made = trips()
    for at, offset in ((0, 0), (5, 0), (1 * second, 7_000_000), (1 * second + 5, 7_000_000)):
        late = 30 if at % second else 0
        made.answered(exchange(
            at, at + 100, at + 150, at + 170, at + 200, at + 240 + late, at + 300 + late, offset=offset
        ))  # fmt: skip
    ways = made.answerers[5].ways(same_clock=False)
    assert ways is not None
    assert ways[0].count == 3, "the one behind the best of the first second has no offset"
    assert ways[0].negative == ways[1].negative == 0


@pytest.mark.parametrize("by_ns", [3_600 * 10**9, -7 * 10**9])
def test_after_the_askers_clock_was_set_it_is_as_if_it_had_always_been_so(by_ns: int) -> None:
    made = trips()
    for second in range(10):
        if second == 5:
            made.clock_set(by_ns)
        at = second * COLUMN_NS + (by_ns if second >= 5 else 0)
        there = at - (by_ns if second >= 5 else 0)  # the answerer's clock was not touched
        made.answered(exchange(at, at + 100, there + 150, there + 170, there + 200, at + 240, at + 300))
    assert made.columns is not None
    assert [column.count for column in made.columns.columns] == [1] * 10
    ways = made.answerers[5].ways(same_clock=False)
    assert ways is not None
    assert (ways[0].count, ways[0].min_ns, ways[0].max_ns, ways[1].count) == (10, 45, 45, 10)
    assert made.answerers[5].offset.steps() == []


def test_each_who_answers_has_an_account_of_his_own() -> None:
    made = trips(exchange(), exchange(peer=6, back=400), exchange(peer=6, back=500))
    made.missed(T, T + 3, [6, 7])
    assert {peer: (one.rtt.count, one.missed) for peer, one in made.answerers.items()} == {5: (1, 0), 6: (2, 1)}
    assert made.lateness.count == 4


def test_a_long_run_is_thinned_out_and_none_of_its_round_trips_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = 1024
    monkeypatch.setattr(round_trip, "KEPT", kept)
    made = trips()
    step = 50 * COLUMN_NS * COLUMNS // kept
    for number in range(kept + 10):
        at = number * step
        made.answered(exchange(at, at + 100, at + 150, at + 170, at + 200, at + 240, at + 300))
    ways = made.answerers[5].ways(same_clock=True)
    assert ways is not None
    assert ways[0].count == kept // 2 + 5
    assert made.columns is not None
    assert made.from_due.count == kept + 10 == sum(column.count for column in made.columns.columns)
    assert len(made.columns.columns) <= COLUMNS
    assert made.columns.interval_ns == 64 * COLUMN_NS
