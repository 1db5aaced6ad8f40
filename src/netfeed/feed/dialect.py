"""What a venue that talks over a connection must say of itself, so that a session can hold the talk for it.

The multicast rooms know packets and numbers; a venue on WebSocket has topics that are asked for, acknowledged and
refused, a budget of requests, its own heartbeats, and a sequence per instrument inside the messages. Two halves meet
here, and neither knows the other:

    feed/session, feed/gateway    connections, subscriptions, budgets, silence, reconnects: no venue's name
    venues/*                      a `Dialect` (what is sent, what an answer means) and a `Market` (books)

The way of one batch, always the same: frames -> `Market.apply`, which takes the market data (in the core where there is
one) and hands back the places of messages that are none -> `Dialect.read` for those -> what the market wants now
(`Market.wants`): another snapshot of one instrument, never of all.

A *line* is one connection that carries a topic; two redundant connections of one feed are lines 0 and 1, arbitrated by
the market's own sequence rule: first copy wins, the other is a duplicate. A connection that takes over from an old one
(before the venue ends that) has a number of its own while both live, so numbers are small but not only 0 and 1.

Leaves out: bytes of frames (proto/websocket), sockets, and how long to wait after a failure (proto/backoff).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from netfeed.book.state import BookState
from netfeed.machine import NEVER, Buffer

# -- what a venue publishes about itself ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """What one endpoint allows.

    Units: `budget_rate` weight a second, `budget_burst` weight, `*_ns` ns; `fetch_*` as `budget_*`, over HTTP.
    """

    topics_per_connection: int
    topics_per_request: int
    connections: int
    budget_rate: float
    budget_burst: int
    request_weight: int = 1
    subscribe_weight: int = 1
    lifetime_ns: int = NEVER
    """The venue ends a connection after this long; a session moves over to a new one before."""
    fetch_rate: float = 10.0
    fetch_burst: int = 100


@dataclass(frozen=True, slots=True)
class Liveness:
    """How a living connection shows itself. A quiet topic is not a dead one; a missed heartbeat is.

    Units: ns. `heartbeat_ns` the interval that the venue declares, NEVER when it has none; `ping_ns` how often the
    client must speak up, NEVER when it need not; `silent_ns` after which a connection that said nothing is given up.
    """

    heartbeat_ns: int = NEVER
    ping_ns: int = NEVER
    silent_ns: int = NEVER


# -- what a message of the conversation means ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The venue carries these topics now (`on`), or no longer. `topics` None: all that the request named."""

    request: int | None
    topics: tuple[str, ...] | None
    on: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue will not do what was asked. `topics` as in `Acknowledged`; `final` when asking again is no use."""

    request: int | None
    topics: tuple[str, ...] | None
    code: str
    text: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Beat:
    """The connection lives; `answer` is what must be sent back at once, before anything else."""

    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """The venue's own time when it wrote this. `request` names the question, for half the round trip. Units: ns."""

    ts_event_ns: int
    request: int | None = None


@dataclass(frozen=True, slots=True)
class Throttled:
    """The budget is used up: ask nothing more for `wait_ns`. `request`: the one that was not heard."""

    wait_ns: int
    code: str
    request: int | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """The venue will close this connection: move over to another one now."""

    reason: str


@dataclass(frozen=True, slots=True)
class Puzzling:
    """A message that nothing here understands; it is counted by `what`."""

    what: str


Said = Acknowledged | Refused | Beat | Clock | Throttled | Leaving | Puzzling


class Dialect(Protocol):
    """What is sent to a venue, and what its answers mean. It keeps no state: request ids are the session's."""

    @property
    def limits(self) -> Limits:
        """Give what the endpoint allows."""

    @property
    def liveness(self) -> Liveness:
        """Give how a living connection shows itself."""

    def opening(self, request: int) -> Sequence[bytes]:
        """Give what is said first on a new connection; its requests count up from `request`."""

    def subscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics."""

    def unsubscribe(self, topics: Sequence[str], request: int) -> bytes:
        """Ask for topics no longer."""

    def ping(self, request: int) -> bytes | None:
        """Give the client's own heartbeat, None where a WebSocket ping is what the venue wants."""

    def read(self, message: Buffer) -> Sequence[Said]:
        """Say what a message that is no market data means. Any bytes whatever: never raises."""


# -- the books behind it -------------------------------------------------------------------------------------------


Why = Literal["sequence", "checksum", "crossed", "refused", "overflow"]


@dataclass(frozen=True, slots=True)
class Resync:
    """Subscribe to this topic anew, for its snapshot: `why` is the rule that was broken."""

    topic: str
    line: int
    why: Why


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get a snapshot of this topic over HTTP: the answer goes to `Market.fetched`. `weight` counts against a budget.

    `why` is the rule that was broken, where something was.
    """

    topic: str
    target: str
    weight: int = 1
    why: Why = "sequence"


Want = Resync | Fetch


class Batch(Protocol):
    """Messages that came in one piece, by their place; the frames of one `receive`."""

    def __len__(self) -> int:
        """Count the messages."""

    def __getitem__(self, place: int) -> Buffer:
        """Give the payload of one message; it lives no longer than the batch."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the book of a topic is. `sequence` is the venue's own number of its last update, None before the first."""

    state: BookState
    sequence: int | None


class Market(Protocol):
    """The books of one venue, whatever connections feed them.

    `books`, `names` and `exponents` (of price and quantity) are as long as each other, as with every feed of the house.
    """

    @property
    def books(self) -> Sequence[Any]:
        """Give the books in the order in which they were opened."""

    @property
    def names(self) -> Sequence[str]:
        """Name the instrument of each book."""

    @property
    def exponents(self) -> Sequence[tuple[int, int]]:
        """Give the decimal exponents of price and quantity of each book."""

    def standing(self, topic: str) -> Standing | None:
        """Say where the book of a topic is; None for a topic without one (trades, tickers)."""

    def apply(self, batch: Batch, ts_recv_ns: int, line: int = 0) -> Sequence[int]:
        """Apply the market data of a batch; give the places of the messages that are none."""

    def wants(self) -> Sequence[Want]:
        """Drain what the books need to become right again; each need is told once."""

    def fetched(self, topic: str, body: Buffer, ts_recv_ns: int) -> None:
        """Take the snapshot that was fetched."""

    def failed(self, topic: str) -> None:
        """Take note that a `Fetch` came to nothing; the market may want it again."""

    def joined(self, line: int, topic: str) -> None:
        """Take note that a line was asked for a topic: what comes on it begins with a snapshot."""

    def left(self, line: int, topics: Sequence[str]) -> None:
        """Take note that a line carries these topics no more; books that no other line carries become SUSPECT."""

    def silent(self, line: int, topics: Sequence[str], *, silent: bool) -> None:
        """Take note that a line has missed its heartbeat (books go STALE if no other speaks), or speaks again."""

    def changes(self) -> Any:
        """Drain the changes, as an array of `book.change.CHANGE`, valid until the next call."""
