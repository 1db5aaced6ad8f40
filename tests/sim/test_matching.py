"""The matching book against the plainest one that could be written."""

from hypothesis import given
from hypothesis import strategies as st

from netfeed.book.digest import digest
from netfeed.sim.matching import ASK, BID, Fill, MatchingBook, Resting

ORDERS = st.lists(st.tuples(st.sampled_from([BID, ASK]), st.integers(1, 9), st.integers(1, 20)), max_size=40)


def plain(orders: list[tuple[int, int, int]]) -> tuple[list[list[int]], list[tuple[int, int, int]]]:
    """Match orders one after another: [side, price, quantity, id] that rest, and (maker, taker, quantity)."""
    resting: list[list[int]] = []
    fills = []
    for id_, (side, price, left) in enumerate(orders):
        others = [one for one in resting if one[0] != side and (one[1] <= price if side == BID else one[1] >= price)]
        for one in sorted(others, key=lambda one: (one[1] if side == BID else -one[1], one[3])):
            filled = min(left, one[2])
            if filled:
                fills.append((one[3], id_, filled))
                one[2] -= filled
                left -= filled
        resting = [one for one in resting if one[2]] + ([[side, price, left, id_]] if left else [])
    return resting, fills


@given(ORDERS)
def test_orders_are_filled_by_price_then_time(orders: list[tuple[int, int, int]]) -> None:
    book = MatchingBook()
    filled = []
    for id_, (side, price, quantity) in enumerate(orders):
        filled += [(fill.maker.id, id_, fill.quantity) for fill in book.enter(Resting(id_, side, price, quantity, id_))]
    resting, fills = plain(orders)
    assert filled == fills
    assert sorted([one.side, one.price, one.quantity, one.id] for one in book.orders.values()) == sorted(resting)
    bid, ask = book.best(BID), book.best(ASK)
    assert bid is None or ask is None or bid < ask
    assert sum(row[1] for side in (BID, ASK) for row in book.rows(side)) == sum(one[2] for one in resting)


def test_an_amend_takes_another_place_and_a_reduction_keeps_it() -> None:
    book = MatchingBook()
    for id_ in (1, 2, 3):
        book.put(Resting(id_, BID, 50, 10, id_))
    book.put(Resting(1, BID, 50, 10, 4))
    assert [order.id for order in book.queue(BID)] == [2, 3, 1]
    book.shrink(2, 4)
    assert [(order.id, order.quantity) for order in book.queue(BID)] == [(2, 4), (3, 10), (1, 10)]
    assert book.shrink(3, 0).id == 3
    assert book.rows(BID) == ((50, 14, 2),)
    assert book.digest() == digest([(50, 14, 2)], [])
    assert book.digest() != digest([], [(50, 14, 2)])
    assert book.matched(Resting(9, ASK, 50, 5, 9)) == [Fill(book.orders[2], 4), Fill(book.orders[1], 1)]
    assert book.depth(BID) == 2
