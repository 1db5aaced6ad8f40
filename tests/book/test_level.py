"""The words of a book."""

from netfeed.book.level import Level, Order, Side


def test_a_level_and_an_order_are_plain_tuples() -> None:
    assert Level(price=1, quantity=2, orders=3) == (1, 2, 3)
    order = Order(order_id=7, side=Side.ASK, price=1, quantity=2, priority=9)
    assert order == (7, 1, 1, 2, 9)


def test_the_numbers_of_the_sides_are_those_that_changes_carry() -> None:
    assert (int(Side.BID), int(Side.ASK)) == (0, 1)
