"""A whole book as one number, so that two who keep it can be compared without sending it.

The number is a CRC-32 over the levels of both sides, the best first: each as price, quantity and count of orders in
three little-endian 64-bit integers, bids before asks, with the count of bid levels in front. It says whether two books
are equal level by level, not which orders stand in them.
"""

from collections.abc import Iterable
from struct import Struct
from typing import Final
from zlib import crc32

Row = tuple[int, int, int]
"""A level: price, quantity, orders."""

_LEVEL: Final = Struct("<qqq").pack


def digest(bids: Iterable[Row], asks: Iterable[Row]) -> int:
    """Give the digest of a book from its levels, the best of each side first.

    >>> digest([(101, 5, 1)], [(103, 2, 2)]), digest([], [])
    (2070079560, 558161692)
    """
    packed = [_LEVEL(*row) for row in bids]
    count = len(packed).to_bytes(4, "little")
    return crc32(b"".join([count, *packed, *(_LEVEL(*row) for row in asks)]))
