"""Both builds of the level book, whichever of them the rest of the run uses."""

from typing import Any

import pytest

from netfeed.book.l2 import LevelBook, LevelBookStatistics
from netfeed.book.level import Level
from netfeed.book.state import BookState
from netfeed.errors import MisuseError

try:
    from netfeed._core import l2 as core
except ImportError:
    core = None  # type: ignore[assignment]
else:
    core.adopt(Level, LevelBookStatistics, BookState, MisuseError)

needs_core = pytest.mark.skipif(core is None, reason="the compiled core is not built")

BOTH: list[Any] = [
    pytest.param(LevelBook, id="twin"),
    pytest.param(core.LevelBook if core else None, id="core", marks=needs_core),
]
