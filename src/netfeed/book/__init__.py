"""Order books: levels, orders and the state that says whether they can be trusted."""

from importlib import import_module
from typing import TYPE_CHECKING

from netfeed.book.l2 import LevelBookStatistics
from netfeed.book.level import Level
from netfeed.book.state import BookState
from netfeed.build import PURE, select
from netfeed.errors import MisuseError

if TYPE_CHECKING:
    from netfeed.book.l2 import LevelBook
else:
    LevelBook = select("l2", "netfeed.book.l2", "LevelBook")
    if not PURE:
        import_module("netfeed._core.l2").adopt(Level, LevelBookStatistics, BookState, MisuseError)

__all__ = ["LevelBook"]
