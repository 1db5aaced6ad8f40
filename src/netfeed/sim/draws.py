"""Random numbers that are the same on every machine and in every release: a counter, mixed.

Source: the mixing function of splitmix64 (Steele, Lea and Flood, 2014; public domain). The n-th number depends on the
seed and n alone; it is exact integer arithmetic, so a seed names one sequence for ever, which library generators
do not promise. Numbers come in blocks, because one call for thousands is what makes plain Python fast enough.

Not for secrets.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_STEP: Final = 0x9E3779B97F4A7C15
_MIX: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


class Draws:
    """A sequence of random 64-bit words."""

    def __init__(self, seed: int) -> None:
        self._next = seed & (2**64 - 1)

    def words(self, count: int) -> Words:
        """Draw `count` words of 64 random bits."""
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP) + np.uint64(self._next)
        self._next = (self._next + count * _STEP) & (2**64 - 1)
        for shift, factor in _MIX:
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        return z ^ (z >> np.uint64(31))

    def parts(self, count: int) -> NDArray[np.int64]:
        """Draw `count` times four numbers of 16 bits. Shape: (4, count)."""
        words = self.words(count)
        return np.stack([(words >> np.uint64(16 * part)) & np.uint64(0xFFFF) for part in range(4)]).astype(np.int64)

    def below(self, count: int, bound: int) -> NDArray[np.int64]:
        """Draw `count` numbers from 0 to `bound` - 1. `bound` is at most 2**32."""
        return ((self.words(count) >> np.uint64(32)) * np.uint64(bound) >> np.uint64(32)).astype(np.int64)

    def shuffled(self, items: list[Any]) -> list[Any]:
        """Give the items in a random order."""
        return [items[index] for index in np.argsort(self.words(len(items)), kind="stable")]
