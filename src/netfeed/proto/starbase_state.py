"""The words of a Starbase order session: its states, its times, and what it tells beside requests and reports.

Source: Deribit, SBE schema 2101 version 16, session messages.

                logon()             LogonConf          nothing missing
    client: START ------> LOGGING_ON ---------> RECOVERING ---------> ACTIVE     logout() -> LEAVING
                  Logon             accept()
    server: START ------> JUDGING  ---------> RECOVERING or ACTIVE

RECOVERING is: a message with a later number has come, and what is missing before it was asked for. Everything ends in
CLOSED, told by exactly one `Down`, after which nothing is told any more.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from netfeed.book.execution import Ask
from netfeed.errors import MisuseError

SECOND: Final = 1_000_000_000
LOGON_NS: Final = 10 * SECOND
RECOVERY_NS: Final = 10 * SECOND
HEARTBEAT_S: Final = 5
MIN_HEARTBEAT_S, MAX_HEARTBEAT_S = 1, 300
"""An interval beyond these is nonsense, and nobody would notice a dead peer."""
TEST_AFTER, DEAD_AFTER = 2, 1
"""Intervals of silence after which the peer is asked for a sign of life, and after that is given up."""
MAX_GAP: Final = 100_000
"""More messages than this are never missing at once; a number further ahead is nonsense."""
MAX_HELD: Final = 4096
MAX_HELD_BYTES: Final = 2**18
"""What came after a gap and waits for it. A venue says so much in seconds, and a resend takes less."""
MAX_QUEUED: Final = 2**18
"""More undrained output than this means that nobody drains, or that the peer does not read. Units: bytes."""
MAX_TEXT: Final = 200


class State(Enum):
    """Where a session is."""

    START = "start"
    LOGGING_ON = "logging on"
    JUDGING = "judging"
    RECOVERING = "recovering"
    ACTIVE = "active"
    LEAVING = "leaving"
    CLOSED = "closed"


TALKS: Final = frozenset({State.RECOVERING, State.ACTIVE})


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a session. Units: ns, `heartbeat_s` s: what a server asks of its clients."""

    logon_ns: int = LOGON_NS
    recovery_ns: int = RECOVERY_NS
    heartbeat_s: int = HEARTBEAT_S

    def __post_init__(self) -> None:
        if min(self.logon_ns, self.recovery_ns) <= 0:
            raise MisuseError("the times of a Starbase session are positive")
        if not MIN_HEARTBEAT_S <= self.heartbeat_s <= MAX_HEARTBEAT_S:
            raise MisuseError(f"a heartbeat comes every {MIN_HEARTBEAT_S} to {MAX_HEARTBEAT_S} s")


@dataclass(frozen=True, slots=True)
class Sequences:
    """The numbers of the next message out and in: what a session on a new connection goes on with."""

    next_out: int = 1
    next_in: int = 1


@dataclass(frozen=True, slots=True)
class LogonRequested:
    """A client wants in: `accept` or `refuse` it. The secret is not in its `repr`."""

    client_id: str
    secret: str = field(repr=False)
    reset: bool = False
    cancel_on_disconnect: bool = True


@dataclass(frozen=True, slots=True)
class Missing:
    """Messages with these numbers did not come, and were asked for."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class NotResent:
    """The peer misses messages of ours with these numbers. They were not sent again and never will be.

    `requests` are those among them, as far as they are remembered: the venue has not heard of them.
    """

    first: int
    last: int
    requests: tuple[tuple[Ask, int], ...]


@dataclass(frozen=True, slots=True)
class Puzzling:
    """A message that no report can say: it was counted and dropped."""

    what: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """The peer sent bytes that are no frame. Units: `offset` in bytes from the start of the stream."""

    what: str
    offset: int
    found: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of a session. Units: bytes as they came in and were queued; `last_heard` monotonic ns."""

    state: State
    next_out: int
    next_in: int
    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int
    duplicates: int
    gaps: int
    resend_requests: int
    puzzling: int
    last_heard: int


Note = LogonRequested | Missing | NotResent | Puzzling | Malformed
"""What is told beside requests (of a server) and reports (of a client)."""


def plain(text: str, secret: str = "") -> str:
    """Give a peer's text as it may be told: short, printable, without the secret that we said."""
    text = text.replace(secret, "***") if secret else text
    return "".join(sign if sign.isprintable() else "?" for sign in text[:MAX_TEXT])
