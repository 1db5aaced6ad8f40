"""The ports of a channel: through which of its sockets a packet came.

Every line carries the whole stream; which one a copy comes from matters only for statistics. More than two lines
count from MORE_LINES upwards, so a venue with A, B and C uses 0, 1 and 8. What comes through RETRANSMIT and its
siblings, one port for each server that can be asked, was asked for: it can fill a hole, but it never begins a session
and never moves the high-water mark.
"""

from enum import IntEnum
from typing import Final

MORE_LINES: Final = 8
MAX_LINES: Final = 64
"""More lines than this is a programming error: every line has its own statistics."""


class Port(IntEnum):
    """The named ports; the numbers from MORE_LINES up to MORE_LINES + MAX_LINES are further lines."""

    LINE_A = 0
    LINE_B = 1
    SNAPSHOT_A = 2
    SNAPSHOT_B = 3
    RETRANSMIT = 4
    RETRANSMIT_B = 5
    RETRANSMIT_C = 6
    RETRANSMIT_D = 7


SNAPSHOTS: Final = frozenset({Port.SNAPSHOT_A, Port.SNAPSHOT_B})
LINES: Final = frozenset({Port.LINE_A, Port.LINE_B, *range(MORE_LINES, MORE_LINES + MAX_LINES)})
SERVERS: Final = (Port.RETRANSMIT, Port.RETRANSMIT_B, Port.RETRANSMIT_C, Port.RETRANSMIT_D)
"""The ports of the servers that lost messages are asked from, in the order in which they are tried."""
RETRANSMITS: Final = frozenset(SERVERS)
PORTS: Final = LINES | SNAPSHOTS | RETRANSMITS


def port_name(port: int) -> str:
    """Name a port for people: A, B, SNAPSHOT_A, LINE_8.

    >>> port_name(0), port_name(2), port_name(9)
    ('A', 'SNAPSHOT_A', 'LINE_9')
    """
    if port in (Port.LINE_A, Port.LINE_B):
        return "AB"[port]
    return Port(port).name if port < MORE_LINES else f"LINE_{port}"
