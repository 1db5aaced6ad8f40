"""What a card lets in: frames for others, or of all groups, as long as somebody holds the socket that asks for it.

Source: packet(7), PACKET_ADD_MEMBERSHIP. The kernel counts who asks, and the card is as before when the last one ends.
"""

import socket
import struct
from enum import IntEnum

from netfeed.transport.raw.fanout import SOL_PACKET


class Let(IntEnum):
    """What is let in beside what the host asked for."""

    EVERYTHING = 1
    ALL_GROUPS = 2


_ADD_MEMBERSHIP = 1


def let_in(index: int, what: Let) -> socket.socket:
    """Have a card let in more, as long as the socket that is given is open; nothing is received on it.

    Raises: OSError.
    """
    one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    try:
        one.setsockopt(SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("=iHH8x", index, what, 0))
    except BaseException:
        one.close()
        raise
    return one
