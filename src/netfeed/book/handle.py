"""One book of an `OrderBooks`, with the same reading interface as a `LevelBook`."""

from netfeed.book.l3 import OrderBooks
from netfeed.book.level import Level, Order, Side
from netfeed.book.state import BookState


class OrderBook:
    """A view of one book; it keeps nothing and is always up to date."""

    __slots__ = ("_books", "index")

    def __init__(self, books: OrderBooks, index: int) -> None:
        self._books = books
        self.index = index

    @property
    def bid(self) -> Level | None:
        """Give the best bid, None on an empty side."""
        return self.best(Side.BID)

    @property
    def ask(self) -> Level | None:
        """Give the best ask, None on an empty side."""
        return self.best(Side.ASK)

    @property
    def state(self) -> BookState:
        """Tell what the book knows of itself."""
        return BookState(self._books.state(self.index))

    @property
    def quotable(self) -> bool:
        """Say whether a quote may rest on this book: only a LIVE one is right."""
        return self.state is BookState.LIVE

    def best(self, side: int) -> Level | None:
        """Give the best level of a side, None when it is empty."""
        levels = self._books.depth(self.index, side, 1)
        return levels[0] if levels else None

    def depth(self, side: int, count: int) -> list[Level]:
        """List up to `count` levels of a side, best first."""
        return self._books.depth(self.index, side, count)

    def levels(self, side: int) -> int:
        """Count the levels of a side."""
        return self._books.levels(self.index, side)

    def queue(self, side: int, price: int) -> list[Order]:
        """List the orders at one price, the next to be filled first."""
        return self._books.queue(self.index, side, price)

    def ahead(self, side: int, price: int, order_id: int) -> int | None:
        """Give how much is filled before an order that rests at this price, without a list; None when it does not."""
        return self._books.ahead(self.index, side, price, order_id)

    def order(self, order_id: int) -> Order | None:
        """Find an order that rests in this book, without a walk through its queue."""
        found = self._books.order(order_id)
        return found[1] if found is not None and found[0] == self.index else None
