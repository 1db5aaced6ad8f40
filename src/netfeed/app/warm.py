"""Let the interpreter have in advance the memory that bounded tables will need, so that a run's size is flat.

Records of gaps, first arrivals of packets, the books that a gap touched: all of it is bounded, but it fills in the
course of minutes or hours, and until then a run grows by some ten KiB a minute and looks like one that leaks. Here that
much is allocated as small objects and let go again. CPython gives an arena (1 MiB since 3.10, 256 KiB before) back to
the system only when all of it is free; so one object stays in each.

Leaves out: what is larger than 512 bytes, which the C library allocates; the memory of books and queues, which they
touch themselves (`OrderBooks.warm`, `Receiver.start`).
"""

import sys
from typing import Final

RESERVE: Final = 6 << 20
"""What the bounded tables of a channel come to; with the half of it a run of six minutes still grew. Units: bytes."""
MOST: Final = 64 << 20
"""No run of many channels reserves more than this: few of them lose so much. Units: bytes."""
ARENA: Final = 1 << 18
_SIZE: Final = 512
_HEAD: Final = sys.getsizeof(b"")


def reserve(size: int = RESERVE) -> list[bytes]:
    """Allocate and free `size` bytes of small objects; give what must be kept so that they stay. Units: bytes."""
    every = [bytes(_SIZE - _HEAD) for _ in range(size // _SIZE)]
    return every[:: ARENA // _SIZE]
