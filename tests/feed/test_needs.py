"""Needs: done once, however often they are told; slower and slower when they come back; at once after a calm time."""

from netfeed.feed.needs import CALM_NS, FIRST_WAIT_NS, MAX_WAIT_NS, Needs
from netfeed.machine import NEVER


def test_ten_thousand_cries_are_one_need() -> None:
    needs: Needs[str] = Needs()
    done = 0
    for now in range(10_000):
        needs.need("a", now)
        done += len(needs.due(now))
    assert (done, needs.repeated, needs.deadline) == (1, 9_999, NEVER)


def test_a_need_that_comes_back_waits_twice_as_long_each_time() -> None:
    needs: Needs[str] = Needs()
    now, waits = 0, []
    for _ in range(10):
        needs.need("a", now)
        waits.append(needs.deadline - now)
        now = needs.deadline
        assert needs.due(now - 1) == []
        assert needs.due(now) == ["a"]
        needs.met("a", now)
    assert waits[:4] == [0, FIRST_WAIT_NS, 2 * FIRST_WAIT_NS, 4 * FIRST_WAIT_NS]
    assert max(waits) == MAX_WAIT_NS


def test_after_a_calm_time_a_need_is_met_at_once_again() -> None:
    needs: Needs[str] = Needs()
    for now in (0, CALM_NS, 2 * CALM_NS):
        needs.need("a", now)
        assert needs.due(now) == ["a"]
        needs.met("a", now)


def test_what_is_met_without_need_is_nothing_and_what_is_forgotten_begins_anew() -> None:
    needs: Needs[str] = Needs()
    needs.met("a", 0)
    needs.need("a", 0)
    needs.forget("a")
    assert (needs.due(0), needs.is_open("a"), needs.deadline) == ([], False, NEVER)
    needs.need("a", 1)
    assert needs.due(1) == ["a"]
    assert needs.is_open("a")
