"""Natural refresh: what each action tells of the positions since a loss."""

import pytest

from netfeed.book.level import Side
from netfeed.venues.refresh import Refresh
from netfeed.wire.cme import MDUpdateAction

NEW, CHANGE, DELETE, THRU, FROM, OVERLAY = MDUpdateAction


def told(*entries: tuple[int, int, int | None]) -> Refresh:
    """Tell a refresh of depth 2 all of the offers, then entries of (action, position, price) for the bids."""
    one = Refresh((2, 2))
    one.apply(0, Side.ASK, FROM, 1, None, None, 0)
    for action, position, price in entries:
        one.apply(0, Side.BID, action, position, price, 5, 1)
    return one


@pytest.mark.parametrize(("entries", "prices"), [
    ([(NEW, 1, 100), (NEW, 1, 101)], [101, 100]),
    ([(OVERLAY, 1, 101), (CHANGE, 2, 100)], [101, 100]),
    ([(NEW, 1, 101), (FROM, 2, None)], [101]),
    ([(DELETE, 1, 99), (DELETE, 1, 98)], []),
    ([(THRU, 2, None)], []),
    ([(DELETE, 2, None), (NEW, 1, 100)], None),
    ([(NEW, 1, 101)], None),
    ([(FROM, 1, None), (NEW, 2, 100)], None),
    ([(NEW, 1, 100), (NEW, 1, 101), (CHANGE, 1, 102)], None),
    ([(FROM, 1, None), (DELETE, 1, None)], None),
    ([(FROM, 1, None), (NEW, 3, 100)], None),
    ([(NEW, 1, 100), (NEW, 1, None)], None),
])  # fmt: skip
def test_a_side_is_whole_when_every_position_is_told_or_empty(
    entries: list[tuple[int, int, int | None]], prices: list[int] | None
) -> None:
    one = told(*entries)
    assert one.whole is (prices is not None)
    if prices is not None:
        ladders = one.ladders()
        assert ladders is not None
        assert [level.price for level in ladders[0][Side.BID].levels()] == prices


def test_an_outright_book_whose_prices_do_not_fall_is_none() -> None:
    assert told((NEW, 1, 101), (NEW, 1, 100)).ladders() is None


def test_implied_levels_that_were_not_told_are_holes() -> None:
    one = told((FROM, 1, None))
    one.apply(1, Side.BID, OVERLAY, 2, 99, 5, 0)
    ladders = one.ladders()
    assert ladders is not None
    assert [level.price for level in ladders[1][Side.BID].levels()] == [99]
    assert not ladders[1][Side.BID].sound
