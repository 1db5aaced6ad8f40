"""Both builds of the order books, whichever of them the rest of the run uses."""

from typing import Any

import pytest

from netfeed.book.change import CHANGE, Refusal
from netfeed.book.l3 import BooksStatistics, OrderBooks
from netfeed.book.level import Level, Order
from netfeed.errors import MisuseError

try:
    from netfeed._core import l3 as core
except ImportError:
    core = None  # type: ignore[assignment]
else:
    names = {int(reason): reason.name for reason in Refusal}
    core.adopt(Level, Order, BooksStatistics, MisuseError, names, CHANGE)

needs_core = pytest.mark.skipif(core is None, reason="the compiled core is not built")

BOTH: list[Any] = [
    pytest.param(OrderBooks, id="twin"),
    pytest.param(core.OrderBooks if core else None, id="core", marks=needs_core),
]
