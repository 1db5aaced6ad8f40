"""What one clock is ahead of another, from packets that both stamped on their way past.

A packet that passes the first clock and then the second shows offset + way; one that goes back shows offset - way. The
least of the first and the greatest of the second are the quickest, so the offset lies between them; the middle is
taken, and half of the distance is the uncertainty. Which direction passes which clock first need not be known: only one
of the two readings leaves room for a way that takes no negative time.

Seen one way only, the offset cannot be told from the way: the shortest is taken as if the way took no time, and the
uncertainty is unknown. The bad case: ways that are not equally long there and back shift the middle, unseen.
"""

from typing import Any, NamedTuple


class Offset(NamedTuple):
    """Units: ns. `uncertainty_ns` is None where packets went one way only; `pairs` that were seen there and back."""

    offset_ns: int
    uncertainty_ns: int | None
    pairs: tuple[int, int]


def estimate(there_ns: Any, back_ns: Any) -> Offset | None:
    """Estimate the offset of the second clock from differences (second - first) of both directions.

    None when there is no packet in common, or the differences contradict each other: then a clock moved.
    """
    pairs = len(there_ns), len(back_ns)
    if not any(pairs):
        return None
    if not all(pairs):
        one = there_ns if pairs[0] else back_ns
        return Offset(int(one.min()), None, pairs)
    for high, low in (
        (int(there_ns.min()), int(back_ns.max())),
        (int(back_ns.min()), int(there_ns.max())),
    ):
        if high >= low:
            return Offset((high + low) // 2, (high - low + 1) // 2, pairs)
    return None
