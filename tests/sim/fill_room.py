"""A record under a fill model: one book of single orders or of levels, moved by hand, and what reached us of it."""

from collections.abc import Callable
from typing import Any

from netfeed.book.change import ChangeLog, Kind
from netfeed.book.execution import Filled, New, Report, Request
from netfeed.book.handle import OrderBook
from netfeed.book.l2 import LevelBook
from netfeed.book.l3 import OrderBooks
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.contract import Contract, Payoff
from netfeed.sim.fill_delay import Delay, Fixed
from netfeed.sim.fill_model import FillModel
from netfeed.sim.fill_tape import read

BID, ASK = Side.BID, Side.ASK
SOON, AT_ONCE = Fixed(10), Fixed(1)
CONTRACT = Contract(7, "AAA", Payoff.SPOT, "AAA", False, -2, 0, 1, 1, maker_fee=-0.0001, taker_fee=0.0005)


class Room:
    """The record. `packet(...)` moves the book, then lets the model look; a request takes `request` to arrive."""

    def __init__(self, *, delay: Delay = SOON, report: Delay = AT_ONCE, seed: int = 1) -> None:
        self.books = OrderBooks()
        self.books.add_book(BookState.LIVE)
        self.now = 1_000
        self.ids = 0
        self.heard: list[Report] = []
        self.model = FillModel(
            {7: CONTRACT}, {7: OrderBook(self.books, 0)}, seed=seed, request=delay, report=report
        )  # fmt: skip

    def packet(self, *moves: Callable[[OrderBooks], Any]) -> list[Report]:
        """Let a packet move the book 100 ns later; give what was told by 50 ns after it."""
        self.now += 100
        told = self.model.wake(self.now - 1)
        for move in moves:
            move(self.books)
            self.books.end()
        self.model.market(read(self.books.take(), {0: 7}), None, self.now)
        told += self.model.wake(self.now + 50)
        self.heard += told
        return told

    def ask(self, request: Request) -> list[Report]:
        """Send a request and wait for what comes of it, without a packet."""
        self.model.send(request, self.now)
        self.now += 40
        told = self.model.wake(self.now)
        self.heard += told
        return told

    def new(self, side: Side, price: int | None, quantity: int, **more: Any) -> list[Report]:
        """Send an order of the next name."""
        self.ids += 1
        return self.ask(New(self.ids, 7, side, price, quantity, **more))

    def fills(self, client_id: int = 0) -> list[tuple[int, int, bool | None]]:
        """List (price, quantity, maker) of all fills so far."""
        of = [one for one in self.heard if isinstance(one, Filled) and client_id in (0, one.client_id)]
        return [(one.price, one.quantity, one.maker) for one in of]


def rests(order: int, side: Side, price: int, quantity: int) -> Callable[[OrderBooks], Any]:
    """An order of somebody else's comes to rest."""
    return lambda books: books.add(0, order, side, price, quantity)


def leaves(order: int, by: int | None = None) -> Callable[[OrderBooks], Any]:
    """An order of somebody else's is cancelled, all of it or in part."""
    return lambda books: books.delete(0, order) if by is None else books.reduce(0, order, by)


def trades(order: int, quantity: int, *, price: int | None = None, flags: int = 0) -> Callable[[OrderBooks], Any]:
    """An order of somebody else's is executed."""

    def move(books: OrderBooks) -> None:
        found = books.order(order)
        assert found is not None
        books.trade(0, found[1].side, found[1].price if price is None else price, quantity, 1, flags)
        books.reduce(0, order, quantity)

    return move


class LevelRoom:
    """The same with levels alone."""

    def __init__(self, bids: dict[int, int], asks: dict[int, int]) -> None:
        self.book = LevelBook()
        self.book.to(BookState.LIVE)
        self.now = 1_000
        self.model = FillModel({7: CONTRACT}, {7: self.book}, request=Fixed(10), report=Fixed(1))
        self.packet({**{(BID, p): q for p, q in bids.items()}, **{(ASK, p): q for p, q in asks.items()}})

    def packet(self, levels: dict[tuple[Side, int], int], *traded: tuple[Side, int, int]) -> list[Report]:
        """Set levels to new quantities, after these executions."""
        self.now += 100
        log = ChangeLog()
        for side, price, quantity in traded:
            log.append(Kind.TRADE, 0, side=side, price=price, quantity=quantity)
        for (side, price), quantity in levels.items():
            self.book.update(side, price, quantity)
        told = self.model.wake(self.now - 1)
        self.model.market(read(log.take(), {0: 7}), {7}, self.now)
        return told + self.model.wake(self.now + 50)
