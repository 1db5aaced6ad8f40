"""What a source of raw frames is, whatever the kernel's way: a ring of AF_PACKET, a ring of AF_XDP, or a test's own.

Two ways to read, and a reader keeps to one of them: `write_into` puts whole records of a capture file into a buffer,
without a Python object for each frame; `take` gives frames as objects, for what looks into them.

Source: linux/if_packet.h (the kinds of frames).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from netfeed.machine import NEVER

ALL = 1 << 62
"""More frames than anybody counts."""


class FrameKind(IntEnum):
    """To whom a frame was sent, as the kernel sees it."""

    HOST = 0
    BROADCAST = 1
    MULTICAST = 2
    OTHER = 3  # seen because the interface is promiscuous
    OUTGOING = 4


class Form(IntEnum):
    """How records are written: pcap's with nanoseconds, or pcapng's enhanced packet blocks with `if_tsresol` 9."""

    PCAP = 0
    PCAPNG = 1


class Why(IntEnum):
    """Why `write_into` came back."""

    EMPTY = 0  # nothing waits in the kernel
    ROOM = 1  # the next record does not fit any more
    COUNT = 2  # as many as were asked for
    TIME = 3  # the next frame's stamp is at or after `until_ns`


class Written(NamedTuple):
    """What `write_into` did. Units: bytes of whole records; stamps of the first and last frame, ns since 1970."""

    bytes: int
    frames: int
    first_ns: int | None
    last_ns: int | None
    why: Why


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. Units: `ts_ns` since 1970; `data` as captured; `length` in bytes on the wire."""

    ts_ns: int
    data: bytes
    length: int
    kind: FrameKind


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """Counters since the source was opened. `drops`: the ring had no room, as the kernel counted; `freezes`: how often
    that began; `invalid`: what the kernel handed over and nobody could read.
    """

    frames: int
    bytes: int
    drops: int
    freezes: int
    invalid: int


class FrameSource(Protocol):
    """A source of frames of one interface.

    `stamps` says who stamps them: "hardware", "software" (the kernel), or "user" (nobody earlier than this process).
    `gone` says why no more frames can come (the interface was removed, or went down for good); None while they can.
    """

    interface: str
    stamps: str
    warnings: list[str]
    gone: str | None

    def fileno(self) -> int:
        """Give the descriptor that is readable when frames wait."""

    def write_into(
        self, out: bytearray, form: Form, interface: int = 0, *, frames: int = ALL, until_ns: int = NEVER
    ) -> Written:
        """Write the records of frames that wait from the beginning of `out`, at least 256 KiB; never half a record.

        `interface` is the number of the interface in a pcapng section. Stops before a frame of `until_ns` or later.
        """

    def take(self, limit: int = 1024) -> list[Frame]:
        """Take at most `limit` frames that wait."""

    def statistics(self) -> SourceStatistics:
        """Give the counters; drops are asked of the kernel."""

    def close(self) -> None:
        """Leave the ring; safe to do twice."""
