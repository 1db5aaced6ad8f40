"""What a gateway tells: what its driver is to do, and what became of each connection, topic and gap.

Every word names the venue; `port` is a connection, numbered anew each time, `line` the number under which the books
know it, `endpoint` its scheme, host and port: paths hold keys at some venues, and are never told. Times are monotonic
ns, durations end in `_ns`.

    Connect, Disconnect    orders to the driver. Its answers: `opened`, `end`; bytes; a drained `transmit`
    Connected              a connection is ready; Disconnected: it is over, and what was last heard on it
    GapOpened, GapClosed   what was missed of a topic (`topic_gaps`)
    FetchFailed            a snapshot over HTTP came to nothing
    Told                   anything else that a session tells (`session_words`)
"""

from dataclasses import dataclass

from netfeed.feed import session_words
from netfeed.feed.session_words import Last
from netfeed.feed.talk import EndedBy
from netfeed.feed.throttle import Statistics as ThrottleStatistics
from netfeed.feed.topic_gaps import ClosedBy, OpenGap, TopicGap


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a stream to this endpoint and say `opened`, or `end` with the reason. `failures` in a row came before."""

    venue: str
    port: int
    endpoint: str
    failures: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Drain the port a last time and close its stream."""

    venue: str
    port: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is ready, and asks for `topics`."""

    venue: str
    port: int
    line: int
    endpoint: str
    topics: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection is over, or never came to be. `planned`: another one had taken over, or nothing is wanted any more.

    `by`: who closed first. `last`: its topics with the last sequence that was applied. `retry_at`: NEVER when planned.
    """

    venue: str
    port: int
    line: int
    endpoint: str
    by: EndedBy
    code: int | None
    reason: str
    uptime_ns: int
    quiet_ns: int
    last: tuple[Last, ...]
    planned: bool
    retry_at: int


@dataclass(frozen=True, slots=True)
class GapOpened:
    """Something of a topic is being missed, after the number `after`."""

    venue: str
    topic: str
    after: int | None
    why: str
    at: int


@dataclass(frozen=True, slots=True)
class GapClosed:
    """The topic is right again from the number `until` on."""

    venue: str
    topic: str
    after: int | None
    until: int | None
    why: str
    opened_at: int
    closed_at: int
    by: ClosedBy


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """A snapshot could not be had over HTTP. `status` is the server's, None where there was none."""

    venue: str
    topic: str
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """A session's own word about its connection."""

    venue: str
    port: int
    line: int
    what: session_words.Event


Event = Connect | Disconnect | Connected | Disconnected | GapOpened | GapClosed | FetchFailed | Told


@dataclass(frozen=True, slots=True)
class ConnectionStatistics:
    """One connection as it is now. `session` None before its stream stands."""

    port: int
    line: int
    shard: int
    endpoint: str
    ready: bool
    silent: bool
    session: session_words.Statistics | None


@dataclass(frozen=True, slots=True)
class FetchStatistics:
    """The account of snapshots over HTTP."""

    wanted: int
    repeated: int
    fetched: int
    failed: int
    connections: int
    waiting: int


@dataclass(frozen=True, slots=True)
class VenueStatistics:
    """The account of one venue. `offset_ns`: its clock less ours, wrong by `error_ns` at most; None when unknown.

    `resyncs` topics were had anew, `resyncs_repeated` cries were the same need. `books` counts them by state.
    """

    name: str
    topics: int
    shards: int
    attempts: int
    connected: int
    disconnected: int
    takeovers: int
    resyncs: int
    resyncs_repeated: int
    messages: int
    gaps_opened: int
    gaps_closed: int
    open_gaps: tuple[OpenGap, ...]
    gaps: tuple[TopicGap, ...]
    books: dict[str, int]
    offset_ns: int | None
    error_ns: int | None
    budget: ThrottleStatistics
    fetches: FetchStatistics
    connections: tuple[ConnectionStatistics, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of a gateway. `strays`: input for ports that are closed, `undrained`: last words nobody took."""

    venues: tuple[VenueStatistics, ...]
    strays: int
    undrained: int
