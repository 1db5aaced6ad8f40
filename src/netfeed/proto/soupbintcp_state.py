"""The words of a SoupBinTCP conversation: its states, its behaviour as two tables, and what it tells.

Source: Nasdaq SoupBinTCP 3.00 (revision of 22 February 2017), and from 4.00 unsequenced data of the server.

    state x packet -> state

A packet that the table of a side does not have for its state is a violation. What is told of each packet is in
`soupbintcp`, the machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from netfeed.wire import soupbintcp as wire


class State(Enum):
    """Where a conversation is."""

    START = "start"
    LOGGING_IN = "logging in"
    JUDGING = "judging"
    ACTIVE = "active"
    ENDED = "ended"
    LEAVING = "leaving"
    CLOSED = "closed"


Table = Mapping[State, Mapping[type[wire.Packet], State]]

CLIENT: Final[Table] = {
    State.LOGGING_IN: {
        wire.Debug: State.LOGGING_IN,
        wire.ServerHeartbeat: State.LOGGING_IN,
        wire.LoginAccepted: State.ACTIVE,
        wire.LoginRejected: State.CLOSED,
    },
    State.ACTIVE: {
        wire.Debug: State.ACTIVE,
        wire.ServerHeartbeat: State.ACTIVE,
        wire.SequencedData: State.ACTIVE,
        wire.UnsequencedData: State.ACTIVE,  # version 4.00
        wire.EndOfSession: State.ENDED,
    },
    State.ENDED: {
        wire.Debug: State.ENDED,
        wire.ServerHeartbeat: State.ENDED,
        wire.EndOfSession: State.ENDED,
    },
    State.LEAVING: {  # what was on its way is still good
        wire.Debug: State.LEAVING,
        wire.ServerHeartbeat: State.LEAVING,
        wire.SequencedData: State.LEAVING,
        wire.UnsequencedData: State.LEAVING,
        wire.EndOfSession: State.ENDED,
    },
}
SERVER: Final[Table] = {
    State.LOGGING_IN: {
        wire.Debug: State.LOGGING_IN,
        wire.ClientHeartbeat: State.LOGGING_IN,
        wire.LoginRequest: State.JUDGING,
        wire.LogoutRequest: State.CLOSED,
    },
    State.JUDGING: {
        wire.Debug: State.JUDGING,
        wire.ClientHeartbeat: State.JUDGING,
        wire.LogoutRequest: State.CLOSED,
    },
    State.ACTIVE: {
        wire.Debug: State.ACTIVE,
        wire.ClientHeartbeat: State.ACTIVE,
        wire.UnsequencedData: State.ACTIVE,
        wire.LogoutRequest: State.CLOSED,
    },
    State.ENDED: {
        wire.Debug: State.ENDED,
        wire.ClientHeartbeat: State.ENDED,
        wire.UnsequencedData: State.ENDED,
        wire.LogoutRequest: State.CLOSED,
    },
}

BEATS: Final = frozenset({State.ACTIVE, State.ENDED})
"""The states in which a silence of our own is filled with heartbeats."""
LISTENS: Final = frozenset({State.ACTIVE, State.ENDED, State.LEAVING})
"""The states in which a silence of the peer is its end."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The server said yes: the next sequenced message is `sequence`. `requested` is what was asked for."""

    session: str
    sequence: int
    requested: int


@dataclass(frozen=True, slots=True)
class LoginRejected:
    """The server said no: A not authorised, S session not available."""

    reason: str


@dataclass(frozen=True, slots=True)
class LoginRequested:
    """A client wants in. A blank session is the current one, sequence 0 begins with the newest message."""

    username: str
    password: str = field(repr=False)
    session: str
    sequence: int
    heartbeat_timeout_ms: int | None


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A message of the session, with its number."""

    sequence: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Unsequenced:
    """A message outside the session's count."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The peer is alive and has nothing to say."""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session is over: there is no message `next_sequence`, and the next login must not name this session."""

    next_sequence: int


@dataclass(frozen=True, slots=True)
class Silent:
    """The peer was not heard for too long. Units: monotonic ns."""

    last_heard: int


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer sent a packet that the state does not allow."""

    packet: str
    state: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """The peer sent bytes that are no packet. Units: `offset` in bytes from the start of the stream."""

    what: str
    offset: int
    found: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The conversation is over, for this reason; the driver drains and closes the connection."""

    reason: str


Event = (
    LoggedIn | LoginRejected | LoginRequested | Sequenced | Unsequenced | Heartbeat | SessionEnded | Silent | Violation
    | Malformed | Closed
)  # fmt: skip
