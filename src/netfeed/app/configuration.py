"""What a configuration of `netfeed run` may say: the sections, their keys, defaults and bounds, as types.

A key is a field here and nowhere else; `reads` names how a text becomes a value (`app.config`). `RELOADED` names the
keys that SIGHUP changes while the handler runs; all others need a restart.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from netfeed.app.engine_configuration import Engine

SCHEMA_VERSION: Final = 1

Duration = Annotated[int, Meta(ge=0, extra={"reads": "duration"})]
Size = Annotated[int, Meta(ge=0, extra={"reads": "size"})]
Endpoint = Annotated[str, Meta(extra={"reads": "endpoint"})]
Url = Annotated[
    str, Meta(pattern=r"^wss?://[^/@?#\s]+(/[^@#\s]*)?$", extra={"example": "wss://www.deribit.com/ws/api/v2"})
]
Web = Annotated[str, Meta(pattern=r"^https?://[^/@?#\s]+(/[^@#\s]*)?$", extra={"example": "https://api.binance.com"})]
Gateway = Annotated[
    str, Meta(pattern=r"^(tcp|tls|wss?)://[^/@?#\s]+(/[^@#\s]*)?$", extra={"example": "tcp://192.0.2.1:9002"})
]
Decimal = Annotated[str, Meta(pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})?$", extra={"example": "0.0005"})]
Currency = Annotated[str, Meta(pattern=r"^[a-z]{2,8}$", extra={"example": "btc"})]
Network = Annotated[str, Meta(extra={"reads": "network"})]
Count = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Policy = Literal["drop", "coalesce", "block", "halt"]

_S: Final = 10**9
_MS: Final = 10**6


class Line(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One group (or unicast address) that carries the whole stream. `source` makes the join source-specific."""

    group: Endpoint
    interface: str | None = None
    source: Annotated[str, Meta(extra={"reads": "host"})] | None = None


class Retransmit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One server that sends again what is asked for, over unicast UDP."""

    address: Endpoint
    bind: Endpoint | None = None
    max_messages: Annotated[int, Meta(ge=1, le=65535)] | None = None


class Glimpse(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The GLIMPSE server of an ITCH channel. The password stands in a file or in a variable, never here."""

    address: Endpoint
    username: Annotated[str, Meta(max_length=6)] = ""
    password_file: str | None = None
    password_env: str | None = None
    timeout: Duration = 5 * _S


class Recovery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long what is missing is waited for, and how often it is asked for."""

    reorder_window: Duration = 1 * _MS
    window: Duration = 1 * _S
    retry: Duration = 20 * _MS
    max_held: Size = 16 * 2**20
    requests_per_second: Count = 200
    burst: Count = 32
    natural_refresh: bool = False


class Channel(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One sequenced stream: its lines, its snapshots, and whom to ask for what is missing."""

    name: Name
    protocol: Literal["itch50", "starbase", "deribit", "cme", "iex"]
    id: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    start: Annotated[int, Meta(ge=0)] | None = None
    interface: str | None = None
    sources: list[Network] = []
    lines: Annotated[list[Line], Meta(min_length=1, max_length=16)]
    snapshots: Annotated[list[Line], Meta(max_length=2)] = []
    snapshot_join: Literal["always", "needed"] = "always"
    retransmit: Annotated[list[Retransmit], Meta(max_length=4)] = []
    glimpse: Glimpse | None = None
    recovery: Recovery = Recovery()
    heartbeat: Duration | None = None
    stale_after: Annotated[int, Meta(ge=1, le=1000)] = 3


class VenueTls(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose certificates are believed (`ca`, else the system's), and who we are where a venue wants to know."""

    ca: str | None = None
    verify: bool = True
    certificate: str | None = None
    key: str | None = None


class VenueLimits(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a venue allows, where that is not what it publishes."""

    topics_per_connection: Count | None = None
    topics_per_request: Count | None = None
    connections: Count | None = None
    budget_rate: Annotated[float, Meta(gt=0, le=1e9)] | None = None
    budget_burst: Count | None = None


class Reconnect(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long is waited before a connection is tried again: at random up to `first`, twice that, ... up to `cap`.

    A connection that stood for `healthy` begins anew with `first`.
    """

    first: Duration = 250 * _MS
    cap: Duration = 30 * _S
    healthy: Duration = 60 * _S


class Venue(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One venue that talks over WebSocket: where, which instruments, which topics of them, over how many lines."""

    name: Name
    venue: Literal["deribit", "kraken", "binance", "okx", "bybit", "coinbase"]
    endpoints: Annotated[list[Url], Meta(max_length=16)] = []
    instruments: Annotated[list[str], Meta(min_length=1)]
    category: str = ""
    depth: Count | None = None
    currency: str = "any"
    interval: Literal["100ms", "agg2", "raw"] = "100ms"
    client_id: str | None = None
    client_secret_env: str | None = None
    trades: bool = False
    tickers: bool = False
    lines: Annotated[int, Meta(ge=1, le=2)] = 1
    compression: bool = True
    max_message: Size = 16 * 2**20
    listing: Web | None = None
    fetch: Web | None = None
    tls: VenueTls = VenueTls()
    limits: VenueLimits = VenueLimits()
    reconnect: Reconnect = Reconnect()


class SessionInstrument(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One instrument that orders may be sent for: its name, the venue's number, the steps of its prices and lots."""

    name: Name
    id: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    pair: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    tick: Decimal
    lot: Decimal = "1"
    payoff: Literal["perpetual", "future", "spot", "call", "put"] = "future"
    underlying: str = ""
    inverse: bool = False
    multiplier: Annotated[float, Meta(gt=0)] = 1.0


class SessionGroup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A protection group of Deribit's: our number of it, the venue's name, the index that it is of."""

    number: Annotated[int, Meta(ge=0, lt=2**32)]
    name: Name
    index: Name


class Session(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One order session: a way to a venue by one of its gateways. Its secret stands in a file or a variable, not here.

    Sessions of the same `venue` see the same account. `rate` messages a second, `burst` at once; `fee` is what an order
    costs by this one and not by the others, a share; `queue` is what may wait for a peer that does not read.
    """

    name: Name
    venue: Name
    protocol: Literal["starbase", "ouch", "deribit"]
    endpoints: Annotated[list[Gateway], Meta(min_length=1, max_length=16)]
    key: Annotated[str, Meta(min_length=1, max_length=256)]
    secret_file: str | None = None
    secret_env: str | None = None
    cancel_on_disconnect: bool = True
    rate: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    burst: Count = 1
    fee: Annotated[float, Meta(ge=-1, le=1)] = 0.0
    queue: Annotated[int, Meta(ge=4096, le=2**30, extra={"reads": "size"})] = 2**20
    self_match_id: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    firm: Annotated[str, Meta(max_length=4)] = ""
    groups: Annotated[list[SessionGroup], Meta(max_length=64)] = []
    portfolios: Annotated[list[Currency], Meta(max_length=16)] = []
    instruments: Annotated[list[SessionInstrument], Meta(max_length=10_000)] = []
    tls: VenueTls = VenueTls()
    reconnect: Reconnect = Reconnect()


class Receive(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How packets are taken from the kernel."""

    how: Literal["thread", "loop"] = "thread"
    spin: bool = False
    cpu: Annotated[int, Meta(ge=0, lt=4096)] | None = None
    priority: Annotated[int, Meta(ge=1, le=99)] | None = None
    buffer: Size = 8 * 2**20
    batch: Annotated[int, Meta(ge=1, le=1024)] = 64
    packet_size: Annotated[int, Meta(ge=64, le=65535)] = 2048
    hardware_stamps: bool = False
    busy_poll: Duration = 0


class Process(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the process itself runs (the receiving thread: [receive]) and its memory. What is refused is told."""

    cpus: Annotated[list[Annotated[int, Meta(ge=0, lt=4096)]], Meta(max_length=4096)] = []
    lock_memory: bool = False
    prefault: Annotated[int, Meta(ge=0, le=2**36, extra={"reads": "size"})] = 0
    timer_slack: Duration | None = None
    huge_pages: bool = True


class Books(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which books are shown, streamed and published."""

    instruments: list[str] = []


class Stream(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The JSON Lines of every change, and what happens when their reader is slow."""

    path: str | None = None
    queue: Annotated[int, Meta(ge=1, le=2**24)] = 65_536
    policy: Policy = "drop"


class Journal(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The pcapng file of every packet that was received."""

    path: str | None = None
    queue: Size = 64 * 2**20
    policy: Literal["drop", "halt"] = "drop"
    rotate_size: Size | None = None
    rotate_every: Duration | None = None
    files: Count | None = None


class Recording(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The files of everything that venues over connections and we said to each other."""

    path: str | None = None
    queue: Size = 64 * 2**20
    policy: Literal["drop", "halt"] = "drop"
    rotate_size: Size | None = None
    rotate_every: Duration | None = None
    files: Count | None = None


class Ring(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The shared memory through which other processes read changes; a slow reader loses with evidence."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$", extra={"example": "netfeed-1"})] | None = None
    changes: Annotated[int, Meta(ge=1024, le=2**26)] = 2**17


class Trace(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The stamps of packets on their way to the books, in shared memory; without a `ring` none are taken."""

    ring: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$", extra={"example": "netfeed-trace"})] | None = None
    every: Annotated[int, Meta(ge=1, le=2**20)] = 1
    records: Annotated[int, Meta(ge=1024, le=2**24)] = 2**16
    clock: Literal["auto", "tsc", "system"] = "auto"


class Endpoints(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where /metrics, /healthz and /readyz are served; the empty text serves none."""

    listen: Annotated[str, Meta(extra={"reads": "endpoint"})] = "127.0.0.1:9464"


class Configuration(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it."""

    schema_version: Literal[1]
    name: Name = "netfeed"
    channels: Annotated[list[Channel], Meta(max_length=64)] = []
    venues: Annotated[list[Venue], Meta(max_length=64)] = []
    engine: Engine | None = None
    sessions: Annotated[list[Session], Meta(max_length=64)] = []
    receive: Receive = Receive()
    process: Process = Process()
    books: Books = Books()
    stream: Stream = Stream()
    journal: Journal = Journal()
    recording: Recording = Recording()
    ring: Ring = Ring()
    trace: Trace = Trace()
    endpoints: Endpoints = Endpoints()


RELOADED: Final = frozenset({"books.instruments", "channels.sources", "channels.heartbeat", "channels.stale_after"})
"""What SIGHUP changes while the handler runs."""

HEARTBEATS: Final = {"itch50": 1 * _S, "starbase": 5 * _S, "deribit": 10 * _S, "cme": 30 * _S, "iex": 1 * _S}
"""How often each protocol's sender says that it is alive; Deribit's legacy feed does not, there it is a guess."""
