"""The seam between snapshot and stream."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError
from netfeed.feed.splice import MESSAGE_OVERHEAD, Splice

ROOM = MESSAGE_OVERHEAD + 1


def filled(numbers: range, **bounds: int) -> Splice:
    splice = Splice(**bounds)
    for number in numbers:
        splice.remember(number, b"x", now=number)
    return splice


def test_it_gives_what_came_after_the_snapshot() -> None:
    splice = filled(range(10, 15))
    assert splice.since(12) == [(13, b"x"), (14, b"x")]
    assert splice.since(9) == [(number, b"x") for number in range(10, 15)]


def test_it_looks_only_at_what_it_gives_and_one_more() -> None:
    class Seen(deque[Any]):
        def __reversed__(self) -> Iterator[Any]:
            for entry in super().__reversed__():
                looked.append(entry.sequence)
                yield entry

    looked: list[int] = []
    splice = filled(range(1, 1000))
    splice._entries = Seen(splice._entries)
    assert splice.since(997) == [(998, b"x"), (999, b"x")]
    assert looked == [999, 998, 997]


def test_it_says_when_it_does_not_reach_back() -> None:
    splice = filled(range(10, 15))
    assert splice.reach == 9
    assert splice.since(8) is None


def test_a_snapshot_newer_than_all_that_came_needs_nothing() -> None:
    assert filled(range(10, 15)).since(99) == []


def test_nothing_is_served_before_it_began_and_after_it_forgot() -> None:
    splice = Splice()
    assert (splice.since(0), splice.reach) == (None, None)
    splice.begin(4)
    assert (splice.since(4), splice.since(3)) == ([], None)
    splice.remember(5, b"x")
    splice.forget()
    assert (splice.since(4), splice.held_bytes, splice.recording) == (None, 0, False)


def test_a_hole_begins_anew_behind_it() -> None:
    splice = filled(range(10, 12))
    splice.remember(20, b"y")
    assert (splice.since(19), splice.since(11), splice.since(18)) == ([(20, b"y")], None, None)


def test_a_number_that_carries_nothing_is_no_hole() -> None:
    splice = filled(range(10, 12))
    splice.pass_over(12)
    splice.remember(13, b"y")
    assert splice.since(10) == [(11, b"x"), (13, b"y")]


def test_the_bound_on_bytes_moves_the_reach() -> None:
    splice = filled(range(1, 11), max_bytes=3 * ROOM)
    assert (splice.held_bytes, splice.reach, splice.overflows) == (3 * ROOM, 7, 7)
    assert splice.since(7) == [(8, b"x"), (9, b"x"), (10, b"x")]
    assert splice.since(6) is None


def test_the_bound_on_age_moves_the_reach() -> None:
    splice = Splice(max_age_ns=100)
    splice.remember(1, b"x", now=0)
    splice.remember(2, b"x", now=100)
    assert splice.since(0) is not None
    splice.remember(3, b"x", now=101)
    assert splice.since(0) is None
    assert splice.since(1) == [(2, b"x"), (3, b"x")]


def test_messages_of_one_number_are_pushed_out_together() -> None:
    splice = Splice(max_bytes=3 * ROOM)
    for number in (5, 5, 6, 6):
        splice.remember(number, b"x")
    assert (splice.since(5), splice.since(4)) == ([(6, b"x"), (6, b"x")], None)
    splice = Splice(max_bytes=ROOM)
    for _ in range(4):
        splice.remember(5, b"x")
    assert splice.since(4) is None, "a number that does not fit is not there in part"


def test_it_owns_its_bytes() -> None:
    splice, buffer = Splice(), bytearray(b"abc")
    splice.remember(1, memoryview(buffer))
    buffer[:] = b"???"
    assert splice.since(0) == [(1, b"abc")]


def test_a_number_that_falls_is_a_mistake() -> None:
    splice = filled(range(10, 12))
    with pytest.raises(MisuseError, match="10 does not follow 11"):
        splice.remember(10, b"x")
    with pytest.raises(MisuseError, match="bounds"):
        Splice(max_bytes=-1)


@given(
    steps=st.lists(st.tuples(st.sampled_from([0, 1, 1, 1, 2]), st.integers(0, 9), st.integers(0, 3)), max_size=40),
    room=st.integers(0, 8 * ROOM),
)
def test_what_it_serves_is_all_of_it_or_none(steps: list[tuple[int, int, int]], room: int) -> None:
    splice = Splice(max_bytes=room, max_age_ns=20)
    stream: list[tuple[int, bytes]] = []
    number, now = 100, 0
    for step, size, pause in steps:
        number, now = number + step, now + pause
        splice.remember(number, bytes(size), now)
        stream.append((number, bytes(size)))
        assert splice.held_bytes <= room
    known = {number for number, _ in stream}
    for since in range(98, number + 2):
        served = splice.since(since)
        if served is None:
            continue
        assert served == [entry for entry in stream if entry[0] > since]
        assert known.issuperset(range(since + 1, number + 1)), "nothing is served across a hole"
