"""Numbered, time-stamped packets: netfeed's own, so that two hosts can measure loss and one-way latency.

A stream is one run of a sender on one destination, named by a random number; its packets count from 1. The last ones
say END: they carry no number of their own but the next one, so that a receiver knows of a lost tail. What follows the
header is padding up to the size that was asked for.

    magic     "NFNP"        sequence  of this packet; in an END packet the next one
    version   1             sent_ns   CLOCK_REALTIME of the sender just before the system call
    kind      DATA, END     stream    any number, the same in all packets of a run

Source: this file defines it. Big-endian.
"""

from enum import IntEnum
from typing import Any, Final

from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout

MAGIC: Final = b"NFNP"
VERSION: Final = 1

HEADER: Final = Layout("Numbered", ">", [
    ("magic", "b4"),
    ("version", "u8"),
    ("kind", "u8"),       # Kind
    ("", "x2"),
    ("stream", "u64"),
    ("sequence", "u64"),
    ("sent_ns", "i64"),
])  # fmt: skip


class Kind(IntEnum):
    """What a numbered packet is."""

    DATA = 0
    END = 1


def encode(stream: int, sequence: int, sent_ns: int, *, size: int = HEADER.size, kind: Kind = Kind.DATA) -> bytes:
    """Build a packet of `size` bytes, at least the header.

    Raises: MisuseError for what does not fit.
    """
    return HEADER.encode(MAGIC, VERSION, kind, stream, sequence, sent_ns).ljust(size, b"\0")


def decode(data: Buffer) -> Any:
    """Read the header of a packet.

    Raises: WireError when it is none, or of a version that is not known.
    """
    header = HEADER.decode(data)
    if header.magic != MAGIC or header.version != VERSION:
        raise WireError("numbered packet", offset=0, found=f"{header.magic!r} {header.version}", wanted="NFNP 1")
    return header


def is_numbered(data: Buffer) -> bool:
    """Say whether a payload is a numbered packet."""
    return len(data) >= HEADER.size and bytes(data[:5]) == MAGIC + bytes([VERSION])
