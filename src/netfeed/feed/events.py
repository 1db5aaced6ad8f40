"""What a channel tells: messages in sequence, and everything that happened to their order.

Ranges are inclusive: `first` and `last` are both part of a gap. Sequence numbers are the transport's own, except that
a counter that wraps is continued: where the wire counts modulo 2**32, the number after 2**32 - 1 is 2**32 here.
Times (`at`, `opened_at`, ...) are the driver's monotonic nanoseconds; `ts_send_ns` is the sender's own stamp.

An account of every number is kept: each one is delivered in exactly one `Messages`, or lies in exactly one `GapLost`,
or was closed by a snapshot.
"""

from dataclasses import dataclass
from typing import Literal

RecoveredBy = Literal["line", "retransmit"]
ClosedBy = Literal["line", "retransmit", "snapshot"]
LostBy = Literal["window", "bound", "session", "reset", "refused"]


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages of the stream, in sequence, each delivered once.

    Messages of an expected packet are views of the packet that was just received and live no longer; those that had
    to wait behind a gap are bytes. Where the transport counts packets, all of them bear `first_sequence`. An empty
    tuple is a packet that took a number and carried nothing.

    Units: `at` when the packet came, monotonic ns; `ts_send_ns` the sender's stamp, None where there is none.
    """

    first_sequence: int
    messages: tuple[bytes | memoryview, ...]
    port: int
    recovered_by: RecoveredBy | None = None
    at: int = 0
    ts_send_ns: int | None = None


@dataclass(frozen=True, slots=True)
class SnapshotMessages:
    """Messages of the snapshot stream; `sequence` is that stream's own and has nothing to do with the lines'."""

    sequence: int
    messages: tuple[bytes | memoryview, ...]
    port: int
    at: int = 0
    ts_send_ns: int | None = None


@dataclass(frozen=True, slots=True)
class SnapshotGap:
    """Packets of the snapshot stream were lost: a snapshot that spans them is not complete."""

    first: int
    last: int
    at: int


@dataclass(frozen=True, slots=True)
class SnapshotRestarted:
    """The snapshot stream counts anew: a new cycle, a new session, or a restart of its sender."""


@dataclass(frozen=True, slots=True)
class GapOpened:
    """Numbers are missing, and no line brought them within the reorder window."""

    first: int
    last: int
    at: int


@dataclass(frozen=True, slots=True)
class GapClosed:
    """All that was missing of an opened gap has come, or a snapshot made it needless. `by`: what brought the last.

    The range is that of its `GapOpened`, and there is one for each: a gap of which some was lost is closed, by a
    snapshot, when that has been made good.
    """

    first: int
    last: int
    by: ClosedBy
    opened_at: int
    closed_at: int


@dataclass(frozen=True, slots=True)
class GapLost:
    """These numbers will never be delivered: what follows them flows on.

    `why`: the recovery `window` passed, the `bound` on what may be held was reached, the `session` or its count
    (`reset`) began anew, or every server `refused` to send them again because they are too old. Only what is really
    missing is named; an opened gap that was filled in part gives one event for each rest.
    """

    first: int
    last: int
    why: LostBy
    opened_at: int
    lost_at: int


@dataclass(frozen=True, slots=True)
class Requested:
    """The channel asked for numbers again, of the server behind `port`."""

    first: int
    last: int
    port: int
    at: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A server will not answer the request `tag`. Units: `retry_delay_ns` is the server's wish, as it stands there."""

    port: int
    tag: int
    reason: str
    retry_delay_ns: int
    at: int


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """The sender began another session; counting starts anew. Open gaps of the old one have been declared lost.

    `whole`: it is followed from its first number on. A session that comes back goes on where it was left, and what had
    been said in it until then is forgotten.
    """

    old: bytes
    new: bytes
    whole: bool = True


@dataclass(frozen=True, slots=True)
class SequenceReset:
    """The sender counts anew under the same session: after `old_next` - 1 comes `new`. `whole` as above."""

    old_next: int
    new: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class EndOfSession:
    """The session is over and all of it has been delivered or declared lost. The last number is `next_sequence` - 1."""

    session: bytes
    next_sequence: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The sender is alive; `sequence` is the next one it will send. Each line's copy is an event of its own."""

    port: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """A packet does not fit its specification and was dropped whole. Units: `offset` in bytes of the packet."""

    port: int
    what: str
    offset: int
    found: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A sound packet that is not part of the stream, or not yet believed to be: `reason` says why."""

    reason: str
    port: int
    sequence: int


Event = (
    Messages | SnapshotMessages | SnapshotGap | SnapshotRestarted | GapOpened | GapClosed | GapLost | SessionChanged
    | SequenceReset | EndOfSession | Heartbeat | Malformed | Ignored | Requested | Rejected
)  # fmt: skip
