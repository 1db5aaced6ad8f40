"""How the kernel shares the frames of an interface among several sockets: PACKET_FANOUT.

Sockets of one group, which all name the same interface and mode, get each frame once between them.

    hash        by flow: all of a flow goes to one socket
    lb          one after another
    cpu         by the processor that received it
    rollover    the first that has room
    random      by chance
    qm          by the queue of the card
    cbpf        by what a program returns, modulo their number; its offsets begin at the network header

Source: packet(7), linux/if_packet.h.
"""

import ctypes
import socket
import struct
from dataclasses import dataclass
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.transport.raw.bpf import Program

MODES: Final = {"hash": 0, "lb": 1, "cpu": 2, "rollover": 3, "random": 4, "qm": 5, "cbpf": 6}
SOL_PACKET: Final = 263
_PACKET_FANOUT, _PACKET_FANOUT_DATA = 18, 22


@dataclass(frozen=True, slots=True)
class Fanout:
    """A share of an interface's frames. `group` is a number that its sockets agree on; `program` is for cbpf.

    Raises: ConfigurationError.
    """

    group: int
    mode: str = "hash"
    program: Program | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.group < 65536:
            raise ConfigurationError(f"a fanout group is a number from 0 to 65535, not {self.group}")
        if self.mode not in MODES:
            raise ConfigurationError(f"there is no fanout mode {self.mode!r}; there are: {', '.join(MODES)}")
        if (self.program is not None) != (self.mode == "cbpf"):
            raise ConfigurationError("fanout mode cbpf needs a program, and no other takes one")

    def join(self, one: socket.socket) -> None:
        """Make a socket, which is bound, one of the group.

        Raises: OSError.
        """
        one.setsockopt(SOL_PACKET, _PACKET_FANOUT, struct.pack("=HH", self.group, MODES[self.mode]))
        if self.program is not None:
            held, pointer = kernel_program(self.program)
            one.setsockopt(SOL_PACKET, _PACKET_FANOUT_DATA, pointer)
            del held


def kernel_program(program: Program) -> tuple[ctypes.Array[ctypes.c_char], bytes]:
    """Give the instructions as bytes that must be kept while the second, the kernel's sock_fprog, is used."""
    code = b"".join(struct.pack("=HBBI", *one) for one in program)
    held = ctypes.create_string_buffer(code, len(code))
    return held, struct.pack("@HP", len(program), ctypes.addressof(held))
