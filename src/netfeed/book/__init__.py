"""Order books: levels, orders and the state that says whether they can be trusted."""

from importlib import import_module
from typing import TYPE_CHECKING

from netfeed.book.change import CHANGE, Refusal
from netfeed.book.l2 import LevelBookStatistics
from netfeed.book.l3 import BooksStatistics
from netfeed.book.level import Level, Order
from netfeed.book.state import BookState
from netfeed.build import PURE, select
from netfeed.errors import MisuseError

if TYPE_CHECKING:
    from netfeed.book.l2 import LevelBook
    from netfeed.book.l3 import OrderBooks
else:
    LevelBook = select("l2", "netfeed.book.l2", "LevelBook")
    OrderBooks = select("l3", "netfeed.book.l3", "OrderBooks")
    if not PURE:
        names = {int(reason): reason.name for reason in Refusal}
        import_module("netfeed._core.l3").adopt(Level, Order, BooksStatistics, MisuseError, names, CHANGE)
        import_module("netfeed._core.l2").adopt(Level, LevelBookStatistics, BookState, MisuseError)

__all__ = ["LevelBook", "OrderBooks"]
