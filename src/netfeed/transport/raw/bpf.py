"""Classic BPF: the little machine by which the kernel asks a filter whether to keep a frame, and how much of it.

A program is a tuple of instructions. It returns a number of bytes: 0 is to drop the frame. `matches` runs one as the
kernel does, so that a filter can be tried on bytes; `text` writes one as `tcpdump -d` does.

    A, X        registers of 32 bits      M[0..15]    memory of the program
    k           the number in an instruction; jumps go forward only, at most 255 when they are conditional

At offsets from ANCILLARY on stands what the kernel knows about a frame beside its bytes: a VLAN tag is one of these,
because the kernel has taken it off before any filter runs.

Source: linux/filter.h, Documentation/networking/filter.rst; McCanne and Jacobson, USENIX winter 1993.
"""

from enum import IntEnum
from typing import Final, NamedTuple

RETURN: Final = 0x06
MAX_INSTRUCTIONS: Final = 4096
KEEP: Final = 262_144
"""What a filter returns for a frame that it wants whole."""
ANCILLARY: Final = 2**32 - 0x1000
WORDS: Final = 16
_WORD: Final = 2**32 - 1


class Instruction(NamedTuple):
    """One step: an operation, how many instructions to skip when it holds and when not, and a number."""

    code: int
    if_true: int = 0
    if_false: int = 0
    k: int = 0


Program = tuple[Instruction, ...]


class Known(IntEnum):
    """What the kernel knows about a frame, as offsets from ANCILLARY."""

    PROTOCOL = 0
    KIND = 4
    INTERFACE = 8
    VLAN_TAG = 44
    VLAN_PRESENT = 48
    VLAN_PROTOCOL = 60


def snapped(program: Program | None, snap: int) -> Program | None:
    """Give a program that keeps at most `snap` bytes, so that the kernel copies no more; None when it keeps all."""
    if snap >= KEEP:
        return program
    if program is None:
        return (Instruction(RETURN, k=snap),)
    return tuple(one._replace(k=min(one.k, snap)) if one.code == RETURN else one for one in program)
