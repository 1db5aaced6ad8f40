"""What a receiver says: who owns a channel, what is left to plain Python, and its account. See `receiver`."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from netfeed.wire.capture import NO_TIME

MAX_SOURCES: Final = 8
"""Senders that the thread compares a packet with; who admits more judges by itself."""


class Owner(IntEnum):
    """Who may touch a channel; see the module."""

    PLAIN = 0
    OFFERED = 1
    ARMED = 2
    RECALLED = 3


class Diverted(NamedTuple):
    """A packet for plain Python. `source` has 16 bytes, IPv4 as ::ffff:a.b.c.d; one that was cut is not `whole`.

    While the receiver has the channel, it asks the kernel who sent a packet only where the socket has `sources` or
    there is a journal: without, `source` and `source_port` are zeros. `user_ns` is when its batch came from the kernel,
    NO_TIME where nobody traces; `kernel_ns` the kernel's own stamp, where `ts_ns` may be the card's.
    """

    socket: int
    ts_ns: int
    payload: bytes
    source: bytes
    source_port: int
    whole: bool
    user_ns: int = NO_TIME
    kernel_ns: int = NO_TIME


@dataclass(frozen=True, slots=True)
class SocketStatistics:
    """The account of a socket. `drops` are the kernel's for want of room in the socket (SO_RXQ_OVFL).

    `taken` went to the books, `diverted` to the queue, `overflow` nowhere, for the queue was full; `foreign` came from
    a source that is not allowed. `last_ts_ns` is the stamp of the last packet, None before the first.
    """

    socket: int
    packets: int
    bytes: int
    taken: int
    diverted: int
    overflow: int
    foreign: int
    truncated: int
    drops: int
    errors: int
    error: str | None
    last_ts_ns: int | None


@dataclass(frozen=True, slots=True)
class ReceiverStatistics:
    """The account of a receiver. `turns` brought packets; `longest_turn_ns` is that of one, from wake-up to wait."""

    running: bool
    turns: int
    longest_turn_ns: int
    published: int
    queue_bytes: int
    queue_most: int
    journal_bytes: int
    journal_overflow: int
    error: str | None
    sockets: tuple[SocketStatistics, ...]


def checked(sources: Iterable[bytes]) -> frozenset[bytes]:
    """Give the senders that a socket is to admit. Raises: ValueError for too many, or for what is no address."""
    allowed = frozenset(sources)
    if len(allowed) > MAX_SOURCES or any(len(source) != 16 for source in allowed):
        raise ValueError(f"a socket allows at most {MAX_SOURCES} sources of 16 bytes")
    return allowed
