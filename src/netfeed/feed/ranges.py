"""Sets of sequence numbers, kept as half-open ranges.

A stream with a few holes is a few ranges, however long the holes are: a forged number cannot cost memory, because a
range of 10**18 numbers is two integers. All numbers are Python integers without an upper end; where a transport's
own counter wraps, the caller unwraps it first.

Invariant: the ranges are not empty, in rising order, and do not touch each other. With a `limit` there are never
more than `limit` of them; when one more would be needed, the lowest are forgotten.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from netfeed.errors import MisuseError

Range = tuple[int, int]
"""The numbers from the first up to, not including, the second."""


class RangeSet:
    """A set of integers as disjoint half-open ranges; adding and subtracting cost the ranges that are touched."""

    __slots__ = ("_ends", "_starts", "limit")

    def __init__(self, ranges: Iterable[Range] = (), *, limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise MisuseError(f"a RangeSet holds at least one range, not {limit}")
        self.limit = limit
        self._starts: list[int] = []
        self._ends: list[int] = []
        for first, end in ranges:
            self.add(first, end)

    def add(self, first: int, end: int) -> None:
        """Add the numbers from `first` up to, not including, `end`. An empty range adds nothing."""
        if first >= end:
            return
        low = bisect_left(self._ends, first)  # the first range that reaches `first` or touches it
        high = bisect_right(self._starts, end)  # the ranges before this one start at `end` or before it
        if low < high:
            first = min(first, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [first]
        self._ends[low:high] = [end]
        if self.limit is not None and len(self._starts) > self.limit:
            del self._starts[: -self.limit], self._ends[: -self.limit]

    def subtract(self, first: int, end: int) -> None:
        """Remove the numbers from `first` up to, not including, `end`; those that are not there do not matter.

        Splitting the one range of a full set forgets the lowest, as `add` does.
        """
        if first >= end:
            return
        low, high = self._touched(first, end)
        if low >= high:
            return
        rests = [(self._starts[low], first), (end, self._ends[high - 1])]
        kept = [(start, stop) for start, stop in rests if start < stop]
        self._starts[low:high] = [start for start, _ in kept]
        self._ends[low:high] = [stop for _, stop in kept]
        if self.limit is not None and len(self._starts) > self.limit:
            del self._starts[: -self.limit], self._ends[: -self.limit]

    def overlap(self, first: int, end: int) -> list[Range]:
        """Give the parts of the set that lie between `first` and `end`, in rising order."""
        if first >= end:
            return []
        low, high = self._touched(first, end)
        return [(max(first, self._starts[at]), min(end, self._ends[at])) for at in range(low, high)]

    def clear(self) -> None:
        """Remove everything."""
        self._starts.clear()
        self._ends.clear()

    @property
    def lowest(self) -> int | None:
        """Give the lowest number, None when the set is empty."""
        return self._starts[0] if self._starts else None

    @property
    def total(self) -> int:
        """Count the numbers in the set."""
        return sum(self._ends) - sum(self._starts)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number) - 1
        return at >= 0 and number < self._ends[at]

    def __iter__(self) -> Iterator[Range]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def __len__(self) -> int:
        """Count the ranges, not the numbers."""
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # a set that changes has no hash

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    def _touched(self, first: int, end: int) -> Range:
        return bisect_right(self._ends, first), bisect_left(self._starts, end)
