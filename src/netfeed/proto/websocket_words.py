"""The words of a WebSocket conversation: its bounds and times, what both sides tell, and the codes that end it.

Source: RFC 6455 (sections 4, 5.5, 7.4), RFC 7692 (permessage-deflate), the IANA registry of close codes.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from netfeed.build import select
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.proto import http_words
from netfeed.proto.http_words import Headers, header

if TYPE_CHECKING:
    from netfeed.wire.websocket import Messages
else:
    Messages = select("websocket", "netfeed.wire.websocket", "Messages")

__all__ = [
    "Closed",
    "Code",
    "Event",
    "Headers",
    "Limits",
    "Malformed",
    "Messages",
    "Opened",
    "Pinged",
    "Ponged",
    "Refused",
    "Requested",
    "Statistics",
    "TimedOut",
    "Timing",
    "Who",
]


class Code(IntEnum):
    """Why a conversation ends. NO_STATUS, ABNORMAL and TLS are told to the user and never sent."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS = 1015


SENDABLE: Final = frozenset({*Code, *range(3000, 5000)} - {Code.NO_STATUS, Code.ABNORMAL, Code.TLS})
"""The codes that a close frame may carry: those that are registered, and those left to libraries and applications."""


class Who(IntEnum):
    """Which side ended the conversation first."""

    WE = 0
    PEER = 1


FRAGMENT_BYTES: Final = 16
"""What each fragment of a message brings on average where there are many."""
CONTROLS_NS: Final = 1_000_000_000
"""The time for which pings and pongs are counted."""
MAX_REASON: Final = 123
"""What fits a close frame beside the code. Units: bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may make this side keep, and what this side sends. Units: bytes, but for `pings` (a count).

    `frame_bytes` bounds a frame as it comes, `message_bytes` a message put together and inflated. `pings` bounds those
    that wait for their pong. Messages of more than `fragment_bytes` are sent in fragments of this size, and those of
    `deflate_bytes` and more are compressed where the peer agreed to it. `queued_bytes` is what a user may queue before
    somebody drains. `http` bounds the handshake.

    `fragments` of a message may be as small as they like; those beyond must bring FRAGMENT_BYTES each on average.
    `controls` bounds the pings and pongs that come within CONTROLS_NS: each costs work, and carries nothing.
    """

    frame_bytes: int = 16 * 2**20
    message_bytes: int = 16 * 2**20
    pings: int = 16
    fragment_bytes: int = 2**62
    deflate_bytes: int = 64
    queued_bytes: int = 64 * 2**20
    fragments: int = 4096
    controls: int = 4096
    http: http_words.Limits = field(default_factory=lambda: http_words.Limits(body_bytes=64 * 1024))

    def __post_init__(self) -> None:
        if min(self.frame_bytes, self.message_bytes, self.pings, self.fragment_bytes, self.queued_bytes) <= 0:
            raise MisuseError("the bounds of a WebSocket conversation are positive")
        if min(self.fragments, self.controls) <= 0:
            raise MisuseError("the bounds of fragments and of controls are positive")
        if self.deflate_bytes < 0:
            raise MisuseError("deflate_bytes is a size, 0 compresses every message")


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a conversation. Units: ns; NEVER switches one off.

    `open_ns` for the whole handshake; a ping goes out every `ping_ns`, and when no whole frame came for `pong_ns` after
    one the peer is taken for dead; `message_ns` from the first byte of a message to its last; `close_ns` from our close
    to the peer's.
    """

    open_ns: int = 10_000_000_000
    ping_ns: int = 20_000_000_000
    pong_ns: int = 20_000_000_000
    message_ns: int = 60_000_000_000
    close_ns: int = 5_000_000_000

    def __post_init__(self) -> None:
        if min(self.open_ns, self.ping_ns, self.pong_ns, self.message_ns, self.close_ns) <= 0:
            raise MisuseError(f"the times of a WebSocket conversation are positive, {NEVER} switches one off")


@dataclass(frozen=True, slots=True)
class Requested:
    """A client wants to talk; the server decides with `accept` or `refuse`. `subprotocols` as offered, best first."""

    target: str
    headers: Headers
    subprotocols: tuple[str, ...]

    def header(self, name: str) -> str | None:
        """Give the value of a header, the values of several joined by commas, None when it is absent."""
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Opened:
    """Messages may go both ways. `headers` are the peer's; `compressed` when both agreed to permessage-deflate."""

    headers: Headers
    subprotocol: str | None
    compressed: bool

    def header(self, name: str) -> str | None:
        """Give the value of a header, the values of several joined by commas, None when it is absent."""
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered with something else than a conversation, as 401, 429 or 503 do; `Closed` follows."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Give the value of a header (as Retry-After), None when it is absent."""
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Pinged:
    """The peer asked whether we live; it has been answered."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Ponged:
    """The peer answered a ping of ours, `rtt_ns` after it was queued."""

    rtt_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """The peer broke the protocol or a bound. `code` is what the conversation ends with; `Closed` follows."""

    what: str
    code: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The peer took too long; `Closed` follows. `waiting_for` says for what."""

    waiting_for: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The conversation is over; the driver drains and closes.

    `code` and `reason` are those of the side that ended it first, which `by` names. ABNORMAL (1006) says that it ended
    without the closing handshake, NO_STATUS (1005) that the peer gave no code.
    """

    code: int
    reason: str
    by: Who


Event = Requested | Opened | Refused | Messages | Pinged | Ponged | Malformed | TimedOut | Closed


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of a conversation. Units: bytes on the wire with the handshake; counts of messages and frames.

    `plain_in` of the messages came as a plain frame each, and were found in the core. `unasked` are pongs to no ping.
    """

    bytes_in: int
    bytes_out: int
    messages_in: int
    messages_out: int
    plain_in: int
    pings_in: int
    pings_out: int
    pongs_in: int
    unasked: int
    malformed: int
    timed_out: int
