"""The chain of one instrument's messages: how a message joins, how a snapshot does, and what may be held."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.venues.chain import MAX_MESSAGES, OVERHEAD, Chain, Link, Room


@pytest.fixture
def chain():
    return Chain(Room())


def test_a_message_joins_by_the_number_that_it_names(chain):
    assert chain.link(4, 5) is Link.FIRST
    chain.follow(4, 5)
    assert chain.link(5, 9) is Link.NEXT
    assert chain.link(6, 9) is Link.BROKEN
    assert chain.link(3, 5) is Link.OLD


def test_parts_of_one_message_follow_each_other(chain):
    chain.follow(4, 5, whole=False)
    assert chain.link(4, 5) is Link.NEXT
    chain.follow(4, 5)
    assert chain.link(4, 5) is Link.OLD


def test_a_snapshot_is_followed_by_what_is_held_after_it(chain):
    for before, number in ((3, 4), (4, 6), (6, 7)):
        chain.hold(before, number, f"m{number}", 10)
    assert chain.splice(2) is None
    assert chain.splice(5) is None  # 6 says that 4 is before it: a snapshot as of 5 is of another history
    assert chain.splice(4) == ["m6", "m7"]
    assert (chain.last, chain.holding) == (7, False)


def test_a_hole_in_what_is_held_asks_for_a_newer_snapshot(chain):
    chain.hold(1, 2, "a", 10)
    chain.hold(3, 4, "b", 10)
    assert chain.splice(1) is None
    assert chain.splice(3) == ["b"]


def test_a_snapshot_newer_than_all_needs_nothing_and_an_older_one_is_passed(chain):
    chain.follow(4, 5)
    assert chain.splice(4) is None
    assert chain.splice(8) == []
    assert chain.link(8, 9) is Link.NEXT


def test_held_parts_of_one_message_stay_together(chain):
    chain.hold(1, 2, "a1", 10)
    chain.hold(1, 2, "a2", 10)
    chain.hold(2, 3, "b", 10)
    assert chain.splice(1) == ["a1", "a2", "b"]


def test_an_instrument_that_waits_too_long_begins_to_hold_anew(chain):
    for number in range(1, MAX_MESSAGES + 2):
        chain.hold(number - 1, number, number, 1)
    assert chain.splice(0) is None
    assert chain.splice(MAX_MESSAGES) == [MAX_MESSAGES + 1]


def test_all_chains_of_a_feed_share_one_room():
    room = Room(3 * (OVERHEAD + 100))
    one, other = Chain(room), Chain(room)
    one.hold(0, 1, "a", 100)
    other.hold(0, 1, "b", 100)
    other.hold(1, 2, "c", 101)  # does not fit any more: what `other` holds is of no use either
    assert (one.holding, other.splice(1)) == (True, ["c"])
    assert room.free == 2 * (OVERHEAD + 100)
    other.hold(0, 1, "too large", 10**9)
    assert not other.holding
    one.reset()
    assert (room.free, one.last) == (3 * (OVERHEAD + 100), None)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20), st.integers(0, 9))
def test_what_a_splice_gives_is_a_chain_from_the_snapshot_on(messages, at):
    room = Room()
    chain = Chain(room)
    for before, number in messages:
        chain.hold(before, number, (before, number), 5)
    items = chain.splice(at)
    if items is None:
        assert room.free < Room().free
        return
    assert room.free == Room().free
    assert items == [(before, number) for before, number in messages if number > at]
    newest = at
    for index, (before, number) in enumerate(items):
        assert before == newest or items[index - 1] == (before, number)
        newest = number
    assert chain.last == newest
