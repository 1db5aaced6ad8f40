"""Levels by position: what each action does, what a ladder must be, and what it does with nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.book.level import Level, Side
from netfeed.venues.ladder import Ladder
from netfeed.wire.cme import MDUpdateAction

NEW, CHANGE, DELETE, THRU, FROM, OVERLAY = MDUpdateAction


@pytest.fixture
def ladder():
    one = Ladder(Side.BID, 5)
    for at, price in enumerate((100, 99, 98), 1):
        assert one.apply(NEW, at, price, at)
    return one


def prices(ladder):
    return [level.price for level in ladder.levels()]


@pytest.mark.parametrize(("entry", "left"), [
    ((NEW, 2, 97, 1), [100, 97, 99, 98]), ((CHANGE, 2, 99, 9), [100, 99, 98]), ((OVERLAY, 2, 50, 9), [100, 50, 98]),
    ((DELETE, 2, 99, None), [100, 98]), ((THRU, 2, None, None), [98]), ((FROM, 2, None, None), [100]),
])  # fmt: skip
def test_each_action_moves_the_levels_as_its_name_says(ladder, entry, left):
    assert ladder.apply(*entry)
    assert prices(ladder) == left


def test_a_level_has_its_quantity_and_orders(ladder):
    ladder.apply(CHANGE, 1, 100, 7, 3)
    assert ladder.levels()[0] == Level(100, 7, 3)
    ladder.apply(CHANGE, 1, 100, 7, -1)
    assert ladder.levels()[0] == Level(100, 7, 0)


def test_what_is_pushed_behind_the_depth_is_gone():
    ladder = Ladder(Side.ASK, 2)
    for price in (103, 102, 101):
        ladder.apply(NEW, 1, price, 1)
    assert prices(ladder) == [101, 102]


@pytest.mark.parametrize("entry", [
    (NEW, 0, 1, 1), (NEW, 6, 1, 1), (NEW, 1, None, 1), (NEW, 1, 1, None), (NEW, 1, 1, -1), (CHANGE, 1, 99, 1),
    (DELETE, 1, 99, 1), (DELETE, 4, 1, 1), (THRU, 4, 1, 1), (FROM, 4, 1, 1), (6, 1, 1, 1), (255, 1, 1, 1),
])  # fmt: skip
def test_nonsense_changes_nothing(ladder, entry):
    assert not ladder.apply(*entry)
    assert prices(ladder) == [100, 99, 98]


def test_a_ladder_is_sound_without_holes_and_in_order(ladder):
    assert ladder.sound
    ladder.apply(NEW, 5, 90, 1)
    assert not ladder.sound
    ladder.apply(OVERLAY, 4, 91, 1)
    assert ladder.sound
    ladder.apply(OVERLAY, 4, 98, 1)
    assert not ladder.sound
    assert prices(ladder) == [100, 99, 98, 90]  # a price is told once, by the better position
    ladder.clear()
    assert (ladder.sound, prices(ladder)) == (True, [])


def test_an_ask_grows_worse_upwards():
    ladder = Ladder(Side.ASK, 5)
    ladder.apply(NEW, 1, 100, 1)
    ladder.apply(NEW, 2, 101, 1)
    assert ladder.sound
    ladder.apply(NEW, 1, 102, 1)
    assert not ladder.sound


SIZES = st.none() | st.integers(-1, 9)


@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 300), st.none() | st.integers(-9, 9), SIZES, st.integers(-1, 3))
    )
)
def test_a_ladder_never_grows_beyond_its_depth(entries):
    ladder = Ladder(Side.BID, 4)
    for entry in entries:
        ladder.apply(*entry)
        levels = ladder.levels()
        assert len(levels) == len({level.price for level in levels}) <= 4
        assert all(level.quantity >= 0 and level.orders >= 0 for level in levels)
