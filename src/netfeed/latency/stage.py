"""The stages of a packet through netfeed, and the record that holds when it passed them.

    stage     its stamp is taken                                                            by
    HARDWARE  when the card had the packet, where it stamps                                 the card's own clock
    KERNEL    when the kernel had it: in the driver's interrupt, before it is queued        CLOCK_REALTIME
    USER      when `recvmmsg` came back with its batch: one look at the clock for a batch   CLOCK_REALTIME
    DECODED   when its header was checked and its messages stood in line for the books
    BOOK      when the changes of the books were published: one look for all that are published at once
    DECIDED   when somebody who read these changes had made up his mind
    SENT      when the order was handed to the kernel

A record is written by whoever took the stamps: the receiving thread, the loop for what goes through plain Python, and
who decides, whose records name the message that made him. `latency.trace` joins them.

Invariant: a stamp that was not taken is ABSENT, never 0.
"""

from enum import IntEnum, IntFlag
from typing import Final

import numpy as np

ABSENT: Final = -(2**63)
"""A stamp that was not taken."""


class Stage(IntEnum):
    HARDWARE = 0
    KERNEL = 1
    USER = 2
    DECODED = 3
    BOOK = 4
    DECIDED = 5
    SENT = 6


class Flag(IntFlag):
    """What is special about a record."""

    PLAIN = 1  # it went through the loop, in plain Python: what is not as expected, or all where there is no thread
    DECISION = 2  # written by who decides: only DECIDED and SENT are there
    STEPPED = 4  # the clock was seen to be set while the stamps were taken
    COUNTER = 8  # the stamps are of the processor's counter, held to CLOCK_REALTIME every millisecond


TRACE: Final = np.dtype(
    [
        ("sequence", "<u8"),  # of the packet's first message; of a decision, of the message that made it
        ("at_ns", "<i8", (len(Stage),)),  # the stamps, by Stage, in ns since 1970
        ("reference", "<u8"),  # of a decision: what its maker calls the order
        ("messages", "<u4"),  # how many the packet carried
        ("every", "<u4"),  # one packet in so many was traced
        ("channel", "<u2"),
        ("batch", "<u2"),  # packets that came from the kernel with this one
        ("line", "u1"),
        ("flags", "u1"),  # Flag
        ("reserved", "V42"),
    ]
)
assert TRACE.itemsize == 128

PAIRS: Final = tuple((before, after) for before, after in zip(list(Stage), list(Stage)[1:], strict=False))
"""From each stage to the next."""
TO_BOOK: Final = (Stage.KERNEL, Stage.BOOK)
TO_ORDER: Final = (Stage.KERNEL, Stage.SENT)
"""The two wholes: until the book is right, and until the order is out."""
MEASURED: Final = (*PAIRS[1:], TO_BOOK, TO_ORDER, PAIRS[0])
"""The durations of a report, in its order; the card's clock is another one, so what is against it stands last."""


def named(pair: tuple[Stage, Stage]) -> str:
    """Say the name of a duration."""
    return f"{pair[0].name.lower()} -> {pair[1].name.lower()}"
