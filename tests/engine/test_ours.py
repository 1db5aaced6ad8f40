"""What of our own orders the board shows: what may not rest is under way until its end is told, and how much is filled
before each is asked of the book, and not walked.
"""

import pytest

from netfeed.book import OrderBooks
from netfeed.book.execution import Accepted, List, Listed, New, TimeInForce, VenueId
from netfeed.book.handle import OrderBook
from netfeed.book.level import Order, Side
from netfeed.book.state import BookState
from netfeed.engine.account import Account
from netfeed.engine.board import Board
from netfeed.engine.ours import Ours
from netfeed.engine.strategy import Phase
from tests.engine.stage import CALL, CONTRACTS, PERPETUAL


@pytest.mark.parametrize(
    ("force", "phase"),
    [(TimeInForce.GTC, Phase.RESTS), (TimeInForce.IOC, Phase.SENT), (TimeInForce.FOK, Phase.SENT)],
)
def test_an_order_at_once_that_waits_in_a_speed_bump_is_under_way_and_does_not_rest(
    force: TimeInForce, phase: Phase
) -> None:
    """It was taken for one that rests, cancelled, and sent anew: no hedge ever left the speed bump."""
    contracts = {one.index: one for one in CONTRACTS}
    account, board = Account(contracts), Board(CONTRACTS)
    order = New(1, PERPETUAL, Side.BID, 1_000_000, 10, force)
    account.decide(order, 0)
    account.sent(order, 1, 0)
    account.apply(Accepted(1, PERPETUAL, "v", 1_000_000, 10, 0, True, None), 1)
    Ours(account, board, queues=False).refresh([PERPETUAL], 1)
    assert [one.phase for one in board.working(PERPETUAL)] == [phase]


class Asked(OrderBook):
    """A book that counts who has it list a whole queue."""

    lists = 0

    def queue(self, side: int, price: int) -> list[Order]:
        self.lists += 1
        return super().queue(side, price)


def shown(order_id: VenueId) -> tuple[list[int | None], int]:
    """Rest one order of ours, the last of three at its price; give what the board shows before it, and lists made."""
    books = OrderBooks()
    for _ in CONTRACTS:
        books.add_book(BookState.LIVE)
    for number, quantity in ((11, 5), (12, 7), (13, 9)):
        books.add(CALL, number, Side.BID, 290, quantity)
    account, board, book = Account({one.index: one for one in CONTRACTS}), Board(CONTRACTS), Asked(books, CALL)
    board.set_book(CALL, book)
    for request in (List(1), New(2, CALL, Side.BID, 290, 9)):
        account.decide(request, 0)
        account.sent(request, 1, 0)
        if isinstance(request, List):
            account.apply(Listed(1, (), (), None), 0)
    account.apply(Accepted(2, 1, order_id, 290, 9, 0, True, None), 0)
    Ours(account, board).refresh([CALL], 0)
    return [one.ahead for one in board.working(CALL)], book.lists


def test_a_book_of_single_orders_is_asked_for_what_is_before_ours_and_lists_nothing() -> None:
    assert shown(13) == ([12], 0)


def test_an_order_that_the_book_does_not_have_yet_stands_behind_nothing_that_is_known() -> None:
    assert shown(14) == ([None], 0)


def test_a_venue_that_names_its_orders_by_text_is_looked_for_in_the_queue() -> None:
    assert shown("v-13") == ([None], 1)
