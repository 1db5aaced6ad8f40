"""Executions count once, however often they come and from wherever: another session, a list, a journal.

What names one is its match, side and client id; a venue that numbers its matches on one way may write the same number
as text on another. The last `kept` are remembered, across sessions and runs of a journal; one that comes again after so
many others would count twice, so the bound is far above what a venue sends again.
"""

from enum import Enum
from typing import Final

from netfeed.book.execution import Filled
from netfeed.book.level import Side

KEPT: Final = 65_536


class Seen(Enum):
    """What is known of an execution."""

    NEW = "not seen before"
    REPEATED = "seen before"
    CHANGED = "seen before, and told otherwise"


class FillMemory:
    """The executions that were counted."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._fills: dict[tuple[str, Side, int], tuple[int, int, int]] = {}

    def see(self, fill: Filled) -> Seen:
        """Say what is known of an execution, and remember it."""
        key, said = (str(fill.match_id), fill.side, fill.client_id), (fill.instrument, fill.price, fill.quantity)
        known = self._fills.get(key)
        if known is not None:
            return Seen.REPEATED if known == said else Seen.CHANGED
        if len(self._fills) >= self._kept:
            del self._fills[next(iter(self._fills))]
        self._fills[key] = said
        return Seen.NEW

    def __len__(self) -> int:
        return len(self._fills)
