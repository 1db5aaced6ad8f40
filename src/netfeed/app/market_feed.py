"""The books of a venue over connections as a feed among the others: named, numbered, and with changes to be taken.

So `Changes` collects them as it does those of multicast, and whoever consumes them - the JSON stream, the ring - meets
the same bounded queue with the same named policy (`queue`): drop, coalesce, block or halt.
"""

from collections.abc import Sequence
from typing import Any

from netfeed.feed.dialect import Market


class MarketFeed:
    """One market as a feed."""

    def __init__(self, market: Market) -> None:
        self._market = market

    @property
    def books(self) -> Sequence[Any]:
        """Give the books."""
        return self._market.books

    @property
    def names(self) -> Sequence[str]:
        """Name the instrument of each book."""
        return self._market.names

    @property
    def exponents(self) -> Sequence[tuple[int, int]]:
        """Give the decimal exponents of each book."""
        return self._market.exponents

    def take(self) -> Any:
        """Drain the changes; the array is valid until the next call."""
        return self._market.changes()
