"""The eight laws of `netfeed.machine`, held by every machine: a new one is one line in MACHINES.

pure      the same inputs give the same events, output, deadlines and state
split     (streams) how the bytes were cut up does not change what they mean
lent      what was handed in may be overwritten once `receive` has returned
tame      no bytes raise
honest    a wake before the deadline does nothing; one at the deadline moves it on
drained   a second transmit gives nothing
bounded   whatever a peer sends, the state stays below a bound
final     (machines that close) nothing is told after the end
"""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.app.discovery import Discovery
from netfeed.app.listing import Listing
from netfeed.feed.channel import Channel
from netfeed.feed.delivery import Delivery
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.glimpse import Glimpse
from netfeed.feed.ports import Port
from netfeed.feed.recovery import Pace, Recovery
from netfeed.feed.requests import REQUESTS
from netfeed.feed.splice import Splice
from netfeed.machine import NEVER, Buffer, Machine, StreamMachine
from netfeed.proto import http, jsonrpc, soupbintcp, websocket
from netfeed.proto.backoff import Backoff, State
from netfeed.proto.bucket import TokenBucket
from netfeed.sim.faults import RATE, Faults
from netfeed.sim.jsonrpc_venue import JsonRpcVenue, StreamSettings
from netfeed.sim.order_venue import OrderVenue
from netfeed.sim.past import Past
from netfeed.sim.past_streams import PastStreams
from netfeed.sim.past_venue import PastVenue
from netfeed.sim.stream_faults import StreamFaults
from netfeed.sim.stream_venue import StreamVenue
from netfeed.sim.venue import Settings, Venue, itch_venue, starbase_venue
from netfeed.sim.venue_ports import GLIMPSE, INWARD, STREAM
from netfeed.sim.wired_venue import WiredVenue
from netfeed.transport.race import Race, outcome
from netfeed.venues.entries import Listed
from netfeed.wire import moldudp64, starbase
from netfeed.wire import soupbintcp as soup_wire
from netfeed.wire.glimpse import encode_end_of_snapshot
from netfeed.wire.websocket import encode
from tests.app.crypto_words import VENUES
from tests.feed import toy_laws
from tests.feed.packets import BUILD
from tests.feed.plain_talk import Plain
from tests.picture import fingerprint, picture, weight
from tests.proto import opposite, order_laws, probing, websocket_peers
from tests.sim import order_venue_laws, pasts


class Step(NamedTuple):
    """One input: after `pause` ns, `data` on `port`, or a wake where it is None."""

    pause: int
    port: int
    data: bytes | None


@dataclass(frozen=True)
class Law:
    """A machine to hold to the laws.

    `packet` draws what a peer may send: mostly sense, some of it nonsense. `bound` is what the whole machine may weigh,
    in bytes. `is_closed` where a machine can close. `joined` gives the events of a stream without how it was cut up,
    where a machine hands on bytes as they come. `entropy` where it draws some itself: its state is then not compared.
    `endless` is how a long packet begins.
    """

    name: str
    make: Callable[[], Machine]
    packet: Callable[[Random], bytes]
    ports: Sequence[int] = (0,)
    bound: int = 2**20
    is_closed: Callable[[Any], bool] | None = None
    joined: Callable[[Sequence[Any]], list[Any]] = list
    entropy: bool = False
    endless: bytes = b"\xff\xff"

    def steps(self, random: Random, count: int) -> list[Step]:
        """Draw a conversation."""
        steps = []
        for _ in range(count):
            pause = random.choice([0, 0, 1, 1_000, 300_000, 1_000_000, 400_000_000, 9_000_000_000])
            data = None if random.random() < 0.1 else damaged(self.packet(random), random)
            steps.append(Step(pause, random.choice(self.ports), data))
        return steps


def damaged(data: bytes, random: Random) -> bytes:
    """Damage one packet in eight: a byte, a cut, or something else altogether."""
    if random.random() > 0.125 or not data:
        return data
    at = random.randrange(len(data))
    other = [data[:at] + bytes([random.randrange(256)]) + data[at + 1 :], data[:at], random.randbytes(at), b""]
    return random.choice(other)


# --- the machines


def channel(framing: str, *, asks: bool = False) -> Law:
    """Give the law of a channel over one framing: two packets in three go on, the others jump about."""

    def make() -> Channel:
        servers = (Port.RETRANSMIT, Port.RETRANSMIT_B)
        recovery = Recovery(REQUESTS[framing], servers=servers, pace=Pace(page=20, burst=3)) if asks else None
        return Channel(
            FRAMINGS[framing], name=framing, max_held_bytes=50_000, splice=Splice(max_bytes=50_000), recovery=recovery
        )

    def packet(random: Random) -> bytes:
        number = random.choice([random.randrange(1, 60), random.randrange(1, 4), 2**31, 10**5 + random.randrange(9)])
        messages = [bytes(random.choice([8, 16, 400])) for _ in range(random.randrange(4))]
        session = random.choice([b"S000000001"] * 9 + [b"S000000002"])
        session = session[-1:] if framing == "iex" else session
        if framing == "starbase" and asks and random.random() < 0.2:
            delay = random.choice([0, 10**7, 2**62, -5])
            no = starbase.encode(202, retryDelayNanos=delay, details="no", reason=random.randrange(-1, 6))
            return starbase.encode_packet(random.randrange(9), [no], channel_id=7, type=0)
        return BUILD[framing](number, messages, session=session, ts=random.choice([1, 2, 10**10, 10**11]))

    ports = (*[Port.LINE_A, Port.LINE_B] * 3, Port.RETRANSMIT, Port.SNAPSHOT_A, Port.SNAPSHOT_B, 8)
    if asks:
        ports = (*ports, Port.RETRANSMIT, Port.RETRANSMIT_B)
    return Law(f"channel/{framing}" + " asking" * asks, make, packet, ports, bound=1_500_000)


def soup_client() -> soupbintcp.Client:
    client = soupbintcp.Client()
    client.login("user", "password", 0)
    return client


def soup_server() -> soupbintcp.Server:
    server = soupbintcp.Server(0)
    server.receive(soup_wire.encode(soup_wire.LoginRequest("user", "password", "", 1)), 0)
    server.accept("SESSION", 1, 0)
    return server


def soup_packet(*kinds: soup_wire.Packet) -> Callable[[Random], bytes]:
    return lambda random: soup_wire.encode(random.choice(kinds))


def soup_over(machine: Any) -> bool:
    return bool(machine.state is soupbintcp.State.CLOSED)


FROM_SERVER = soup_packet(
    soup_wire.LoginAccepted("SESSION", 5), *[soup_wire.SequencedData(b"abc")] * 6, soup_wire.UnsequencedData(b""),
    soup_wire.ServerHeartbeat(), soup_wire.Debug("hello"), soup_wire.EndOfSession(), soup_wire.LoginRejected("A"),
)  # fmt: skip
FROM_CLIENT = soup_packet(
    *[soup_wire.UnsequencedData(b"abc")] * 6, soup_wire.ClientHeartbeat(), soup_wire.Debug("hello"),
    soup_wire.LogoutRequest(),
)  # fmt: skip
LOGIN = soup_packet(
    soup_wire.ClientHeartbeat(), soup_wire.Debug("hello"), soup_wire.LoginRequest("user", "password", "", 1, 3000)
)


def glimpse() -> Glimpse:
    client = Glimpse("user", "password", max_bytes=10_000)
    client.want(0)
    client.opened(0)
    return client


FROM_GLIMPSE = soup_packet(
    soup_wire.LoginAccepted("SESSION", 1), *[soup_wire.SequencedData(b"abc")] * 9, soup_wire.ServerHeartbeat(),
    soup_wire.SequencedData(encode_end_of_snapshot(7)), soup_wire.SequencedData(b"G"), soup_wire.EndOfSession(),
)  # fmt: skip


class Answering:
    """An HTTP server that answers: the next request is read when the one before has its answer."""

    def __init__(self) -> None:
        self.server = http.Server(0, limits=http.Limits(header_bytes=2000, body_bytes=2000, ahead_bytes=2000))

    @property
    def deadline(self) -> int:
        return self.server.deadline

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        return self.answered(self.server.receive(data, now, port), now)

    def wake(self, now: int) -> list[Any]:
        return self.answered(self.server.wake(now), now)

    def end(self, now: int) -> list[Any]:
        return self.answered(self.server.end(now), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        return self.server.transmit(port)

    def answered(self, events: Sequence[Any], now: int) -> list[Any]:
        told = list(events)
        while events:
            if isinstance(events[-1], http.Request):
                self.server.respond(200, events[-1].body, now, gzip=True)
            events = self.server.wake(now) if self.server.deadline <= now else []
            told += events
        return told


def http_client() -> http.Client:
    client = http.Client("venue", limits=http.Limits(header_bytes=2000, body_bytes=2000))
    for _ in range(20):
        client.request("GET", "/", 0)
    return client


def from_http_server(random: Random) -> bytes:
    body = bytes(random.randrange(100))
    body = gzip.compress(body, mtime=0) if random.random() < 0.3 else body
    head = b"HTTP/1.1 200 OK\r\n" + b"content-encoding: gzip\r\n" * (body[:2] == b"\x1f\x8b")
    return random.choice([
        head + b"content-length: %d\r\n\r\n" % len(body) + body,
        head + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % (len(body) + 1) + body + b"x\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
    ])  # fmt: skip


def from_http_client(random: Random) -> bytes:
    body = bytes(random.randrange(100))
    return random.choice([
        b"GET /a HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip\r\n\r\n",
        b"POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body,
        b"PUT /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"GET /d HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n" if random.random() < 0.2 else b"",
    ])  # fmt: skip


class Unbatched:
    """A WebSocket whose batches are taken apart: how messages are batched is the one thing that cuts may change."""

    def __init__(self, side: websocket.Client | websocket.Server) -> None:
        self.side = side

    @property
    def deadline(self) -> int:
        return self.side.deadline

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        return websocket_peers.unbatched(self.side.receive(data, now, port))

    def wake(self, now: int) -> list[Any]:
        return websocket_peers.unbatched(self.side.wake(now))

    def end(self, now: int) -> list[Any]:
        return websocket_peers.unbatched(self.side.end(now))

    def transmit(self, port: int = 0) -> list[bytes]:
        return self.side.transmit(port)


def websocket_over(one: Any) -> bool:
    return bool(one.side.is_closed)


SMALL = websocket.Limits(frame_bytes=5000, message_bytes=5000, http=http.Limits(header_bytes=2000, body_bytes=2000))


def half() -> float:
    return 0.5


class Retrying(Backoff):
    """An endpoint whose attempts open or fail as each byte says."""

    def __init__(self) -> None:
        super().__init__(half, budget=TokenBucket(rate=1, burst=1))
        self.begin(0)

    def receive(self, data: Any, now: int, port: int = 0) -> list[Any]:
        for byte in bytes(data):
            if byte % 2 and self.state is State.TRYING:
                self.opened(now)
            elif self.state in (State.TRYING, State.OPEN):
                self.failed(now, not_before=byte << 30)
        return []


RACERS = [(f"2001:db8::{number}", 443) for number in range(4)] + [(f"192.0.2.{number}", 443) for number in range(4)]


def rpc_peer() -> jsonrpc.Peer:
    peer = jsonrpc.Peer(max_bytes=2000)
    for number in range(20):
        peer.request("m", {}, 0, timeout_ns=(number + 1) * 1_000_000_000)
    return peer


def from_rpc_peer(random: Random) -> bytes:
    number = random.randrange(25)
    return random.choice([
        b'{"id":%d,"result":[1]}' % number, b'{"id":%d,"error":{"code":5,"message":"no"}}' % number,
        b'{"id":%d,"method":"m","params":{}}' % number, b'{"method":"subscription","params":{"a":1.5}}',
    ])  # fmt: skip


class PlainFeed:
    """Books that count: a feed whose whole state can be looked into."""

    def __init__(self) -> None:
        self.books: list[Any] = []
        self.told: dict[str, int] = {}

    def apply(self, message: Any, sequence: int, ts_recv_ns: int = 0, channel: int = 0) -> None:
        self.told["apply"] = sequence

    def gap(self, first: int, last: int, ts_recv_ns: int = 0, channel: int = 0) -> None:
        self.told["gap"] = last

    def reset(self, channel: int = 0) -> None:
        self.told.clear()


def delivery() -> Delivery:
    made = channel("moldudp64", asks=True).make()
    assert isinstance(made, Channel)
    return Delivery(made, PlainFeed())


def venue(make: Callable[[Settings], Venue]) -> Law:
    """Give the law of a simulated venue: requests good and bad, and clients of its snapshot server."""
    settings = Settings(
        rate=20, transactions=8, cycle_ns=20_000_000_000, instruments=2, live_orders=10, gateways=2, retain=300,
        max_queued=50_000,
    )  # fmt: skip

    def packet(random: Random) -> bytes:
        first, count = random.choice([1, random.randrange(1, 400), 2**40]), random.randrange(255)
        request = starbase.encode(200, beginSeqNum=first, messageCount=count)
        return random.choice([
            starbase.encode_packet(random.randrange(9), [request], type=0),
            moldudp64.encode_request(b"NETFEED001", first, count),
            LOGIN(random), FROM_CLIENT(random),
        ])  # fmt: skip

    def wired() -> WiredVenue:
        faults = Faults(duplicate=RATE // 10, reorder=RATE // 10, jitter_ns=10_000)
        ways = [0, 1, 2, 3, 4, INWARD + 4, INWARD + 5]
        return WiredVenue(
            make(settings), faults=dict.fromkeys(ways, faults) | {INWARD + GLIMPSE: Faults(loss=RATE // 3)}
        )

    return Law(make.__name__, wired, packet, (0, 4, 4, 5, 7, 100, 101), bound=5_000_000)


def jsonrpc_venue() -> JsonRpcVenue:
    """A venue with two clients, of which one has authenticated and listens, over faults."""
    settings = Settings(rate=20, transactions=4, cycle_ns=20_000_000_000, instruments=1, retain=50, max_queued=50_000)
    made = JsonRpcVenue(WiredVenue(starbase_venue(settings)), StreamSettings(max_queued=50_000), random_bytes=bytes)
    made.faults.change(StreamFaults(skip=RATE // 10, duplicate=RATE // 10))
    made.wake(0)
    for port in (STREAM, STREAM + 1):
        made.open(port, 0, peer="a")
    made.receive(b'{"id":1,"method":"public/auth","params":{"grant_type":"client_credentials",'
                 b'"client_id":"a","client_secret":"b"}}', 0, STREAM)  # fmt: skip
    made.transmit(STREAM)
    return made


def stream_venue() -> StreamVenue:
    """The same as bytes, without TLS: two clients shake hands."""
    made = StreamVenue(jsonrpc_venue())
    for port in (STREAM + 2, STREAM + 3):
        made.open(port, 0, "a")
    return made


def from_stream_client(random: Random) -> bytes:
    if random.random() < 0.3:
        return websocket_peers.requests(random).replace(b"/ws", b"/ws/api/v2")
    return encode(0x81, from_jsonrpc_client(random), websocket_peers.KEY)


def past_venue() -> PastVenue:
    """A venue that says again what was said, with two clients."""
    past = Past()
    for number in range(20):
        data = {
            "type": "change",
            "prev_change_id": 1,
            "change_id": number,
            "bids": [["new", number + 0.5, 1]],
            "asks": [],
        }
        params = {"channel": "book.BTC-PERPETUAL.raw", "data": data}
        past.add(number * 100_000_000, json.dumps({"method": "subscription", "params": params}).encode())
    made = PastVenue(past)
    for port in (STREAM, STREAM + 1):
        made.open(port, 0)
    return made


def past_streams(name: str) -> Callable[[], PastStreams]:
    """Make another venue of whom a recording is served, with two clients."""

    def make() -> PastStreams:
        made = pasts.venue(name)
        for port in (STREAM, STREAM + 1):
            made.open(port, 0)
        return made

    return make


def from_topic_client(name: str) -> Callable[[Random], bytes]:
    names = (*VENUES[name].names[:2], "X")

    def said(random: Random) -> bytes:
        odd = [b"ping", b'{"op":"ping"}', b'{"method":"ping"}', b'{"type":"subscribe","channel":"heartbeats"}', b"{}"]
        if random.random() < 0.2:
            return random.choice(odd)
        return pasts.request(name, random.random() < 0.7, *random.sample(names, random.randrange(1, 4)))

    return said


def discovery() -> Discovery:
    """Ask a venue for its instruments over the plainest talk."""
    return Discovery(Plain(), b"which?", nothing_listed, 0)


def listing() -> Listing:
    """Ask a venue for its instruments over HTTP."""
    return Listing(http.Client("venue"), "/", nothing_listed, no_page_behind, 0)


def paged_listing() -> Listing:
    """Ask a venue for its instruments over HTTP; an x leads to another page."""
    return Listing(http.Client("venue"), "/", nothing_listed, page_behind, 0)


def no_page_behind(target: str, page: Buffer) -> str | None:
    return None


def page_behind(target: str, page: Buffer) -> str | None:
    return "/more" if bytes(page[:1]) == b"x" else None


def from_listing(random: Random) -> bytes:
    body = random.choice([b"none", b"x", b"xx", b""])
    status = random.choice([200, 200, 429, 500])
    wait = random.choice([b"", b"retry-after: 5\r\n"])
    whole = b"HTTP/1.1 %d x\r\n%scontent-length: %d\r\n\r\n%s" % (status, wait, len(body), body)
    return random.choice([whole, whole, whole[:9], b"\0"])


def nothing_listed(message: Buffer) -> Listed | None:
    return Listed() if bytes(message) == b"none" else None


def from_discovered(random: Random) -> bytes:
    said = random.choice([b"other", b"none", b"x" * 50])
    return random.choice([b"!", b"M" + len(said).to_bytes(4, "big") + said, b"C\0\0\0\2\3\xe8"])


STREAM_PORTS = (0, 4, STREAM, *[STREAM + 2, STREAM + 3] * 3)
JSONRPC_PORTS = (0, 4, STREAM, STREAM, STREAM + 1, STREAM + 2)
WITH_PORTS = (OrderVenue, WiredVenue, JsonRpcVenue, StreamVenue, PastVenue, PastStreams)
"""Their `end` is that of one connection, and no stream comes in on port 0."""


def from_jsonrpc_client(random: Random) -> bytes:
    kind, interval = random.choice(["book", "trades", "ticker"]), random.choice(["raw", "100ms", "agg2"])
    name = random.choice(["BTC-PERPETUAL", "BTC-27MAR26", "X"])
    method, params = random.choice([
        ("subscribe", f'{{"channels":["{kind}.{name}.{interval}"]}}'),
        ("unsubscribe", f'{{"channels":["{kind}.{name}.{interval}"]}}'),
        ("set_heartbeat", '{"interval":10}'), ("test", "{}"), ("get_order_book", f'{{"instrument_name":"{name}"}}'),
        ("get_instruments", '{"currency":"BTC"}'), ("unsubscribe_all", "{}"),
    ])  # fmt: skip
    return f'{{"jsonrpc":"2.0","id":{random.randrange(9)},"method":"public/{method}","params":{params}}}'.encode()


def over_tls(name: str, make: Callable[[], Machine], packet: Callable[[Random], bytes]) -> Law:
    """Give the law of a machine over TLS: OpenSSL draws its own entropy."""
    return Law(name, make, packet, is_closed=lambda one: one.is_closed, joined=opposite.joined, entropy=True)


MACHINES = [
    *[channel(name) for name in FRAMINGS],
    *[channel(name, asks=True) for name in REQUESTS],
    replace(channel("moldudp64", asks=True), name="delivery", make=delivery),
    Law("jsonrpc", rpc_peer, from_rpc_peer),
    Law("glimpse", glimpse, FROM_GLIMPSE),
    Law("soupbintcp client", soup_client, FROM_SERVER, is_closed=soup_over),
    Law("soupbintcp server", soup_server, FROM_CLIENT, is_closed=soup_over),
    Law("soupbintcp server at login", lambda: soupbintcp.Server(0), LOGIN, is_closed=soup_over),
    *[
        Law(name, make, packet, is_closed=lambda one: one.is_closed, bound=2**23, endless=order_laws.endless(name))
        for name, make, packet in order_laws.MACHINES
    ],
    Law("http client", http_client, from_http_server, is_closed=lambda client: client.is_closed),
    Law("http server", lambda: http.Server(0), from_http_client, is_closed=lambda server: server.is_closed),
    Law("http server that answers", Answering, from_http_client, is_closed=lambda one: one.server.is_closed),
    Law(
        "websocket client", lambda: Unbatched(websocket_peers.client(limits=SMALL)), websocket_peers.from_server,
        is_closed=websocket_over,
    ),
    Law(
        "websocket server", lambda: Unbatched(websocket_peers.server(limits=SMALL)), websocket_peers.from_client,
        is_closed=websocket_over,
    ),
    Law(
        "websocket client in the handshake", lambda: Unbatched(websocket_peers.new_client(limits=SMALL)),
        websocket_peers.answers, is_closed=websocket_over,
    ),
    Law(
        "websocket server in the handshake", lambda: Unbatched(websocket.Server(0, limits=SMALL)),
        websocket_peers.requests, is_closed=websocket_over,
    ),
    over_tls("tls client", opposite.client, opposite.said),
    over_tls("tls server", opposite.server, opposite.said),
    over_tls("tls client in its handshake", opposite.shaking_client, opposite.of_a_handshake),
    over_tls("tls server in its handshake", opposite.shaking_server, opposite.of_a_handshake),
    over_tls("http client over tls", opposite.http_over_tls, from_http_server),
    over_tls("http client over tls in its handshake", opposite.shaking_stack, opposite.of_a_handshake),
    Law("race", lambda: Race(RACERS, 0), lambda random: outcome(random.randrange(9), random.choice([0, 111, 111]))),
    Law("backoff", Retrying, lambda random: random.randbytes(3)),
    Law("session", toy_laws.session, toy_laws.from_venue, is_closed=lambda session: session.is_over),
    Law("gateway", toy_laws.Wired, toy_laws.from_venue, ports=range(5)),
    venue(starbase_venue),
    venue(itch_venue),
    Law(
        "order venue over ouch", order_venue_laws.over_ouch, order_laws.from_ouch_client, order_venue_laws.OUCH_PORTS,
        bound=10**7,
    ),
    Law(
        "order venue behind wires", order_venue_laws.wired, order_venue_laws.said, order_venue_laws.WIRED_PORTS,
        bound=10**7,
    ),
    Law(
        "order venue over jsonrpc", order_venue_laws.told_json, order_venue_laws.said_in_json,
        order_venue_laws.JSON_PORTS, bound=10**7,
    ),
    Law("jsonrpc venue", jsonrpc_venue, from_jsonrpc_client, JSONRPC_PORTS, bound=10**7),
    Law("past venue", past_venue, from_jsonrpc_client, JSONRPC_PORTS, bound=10**6),
    *[
        Law(f"past venue of {name}", past_streams(name), from_topic_client(name), JSONRPC_PORTS, bound=10**6)
        for name in ("kraken", "okx", "bybit", "coinbase")
    ],
    Law("pinger", probing.pinger, probing.answers),
    Law("pinger as fast as can be", probing.eager, probing.answers),
    Law("pinger of a group", probing.of_a_group, probing.answers),
    Law("ponger", probing.ponger, probing.questions),
    Law("pinger over a stream", probing.streamed_pinger, probing.answers, is_closed=lambda one: one.is_closed),
    Law("ponger over a stream", probing.streamed_ponger, probing.questions, is_closed=lambda one: one.is_closed),
    Law(
        "pinger over websocket", probing.framed_pinger, websocket_peers.from_server, is_closed=lambda one: one.is_closed
    ),
    Law(
        "ponger over websocket", probing.framed_ponger, probing.framed_questions, is_closed=lambda one: one.is_closed
    ),
    Law("discovery", discovery, from_discovered, is_closed=lambda one: one.is_over),
    Law("listing", listing, from_listing, is_closed=lambda one: one.is_over),
    Law("listing of pages", paged_listing, from_listing, is_closed=lambda one: one.is_over),
    Law("stream venue", stream_venue, from_stream_client, STREAM_PORTS, bound=10**7),
]  # fmt: skip
SPLIT_SHOWS = {"listing of pages"}
"""Where a page that comes before it was asked for is no page: in one piece with the page before, or a moment later."""
STREAMS = [
    law for law in MACHINES
    if isinstance(law.make(), StreamMachine) and not isinstance(law.make(), WITH_PORTS) and law.name not in SPLIT_SHOWS
]  # fmt: skip
CLOSING = [law for law in MACHINES if law.is_closed is not None]
SEED = st.integers(0, 2**32)
some = settings(max_examples=15)


def run(
    machine: Machine, steps: Sequence[Step], ports: Sequence[int], given: Callable[[bytes], Buffer] = bytes
) -> list[Any]:
    """Drive a machine by its law: input, events, drain every port, deadline. Give all that could be seen.

    That a second transmit gives nothing is law here, after every input of every conversation.
    """
    told, now = [], 0
    for pause, port, data in steps:
        now += pause
        events = machine.wake(now) if data is None else machine.receive(given(data), now, port)
        told.append((now, picture(events), [machine.transmit(out) for out in ports], machine.deadline))
        assert all(machine.transmit(out) == [] for out in ports), "a second transmit gave something"
    return told


each = pytest.mark.parametrize("law", MACHINES, ids=lambda law: law.name)


@each
@some
@given(seed=SEED)
def test_pure_and_lent(law: Law, seed: int) -> None:
    """Two do the same by what they were told, although one finds every input overwritten as soon as it has returned."""
    steps, lent = law.steps(Random(seed), 30), bytearray(2**16)

    def lend(data: bytes) -> memoryview:
        lent[:] = b"\xaa" * len(lent)
        lent[: len(data)] = data
        return memoryview(lent)[: len(data)]

    one, two = law.make(), law.make()
    assert run(one, steps, law.ports) == run(two, steps, law.ports, lend)
    lend(b"")
    assert law.entropy or picture(one) == picture(two)


@pytest.mark.parametrize("law", STREAMS, ids=lambda law: law.name)
@some
@given(seed=SEED)
def test_split(law: Law, seed: int) -> None:
    random = Random(seed)
    data = b"".join(step.data or b"" for step in law.steps(random, 20))
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice([1, 3, 50])))
    whole, parts = law.make(), law.make()
    assert isinstance(whole, StreamMachine)
    assert isinstance(parts, StreamMachine)
    expected = law.joined([*whole.receive(data, 5), *whole.end(6)])
    told: list[Any] = []
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        told += parts.receive(data[start:stop], 5)
    assert law.joined([*told, *parts.end(6)]) == expected
    assert b"".join(parts.transmit()) == b"".join(whole.transmit())


@each
@some
@given(data=st.binary(max_size=120), seed=SEED)
def test_tame(law: Law, data: bytes, seed: int) -> None:
    machine, steps = law.make(), law.steps(Random(seed), 10)
    for port in law.ports:
        machine.receive(data, 0, port)
    run(machine, steps, law.ports)
    for kind in (bytes, bytearray, memoryview):
        machine.receive(kind(data), 10**10)


@each
@some
@given(seed=SEED)
def test_honest_deadline(law: Law, seed: int) -> None:
    random = Random(seed)
    machine, now = law.make(), 0
    for pause, port, data in law.steps(random, 25):
        now += pause
        if data is not None:
            machine.receive(data, now, port)
        due = machine.deadline
        if due == NEVER or random.random() < 0.8:  # a look at all of a venue's state costs more than its step
            continue
        before = fingerprint(machine)
        assert list(machine.wake(due - 1)) == []
        assert fingerprint(machine) == before, "a wake before the deadline changed something"
        if random.random() < 0.6:
            now = max(now, due)
            machine.wake(now)
            assert machine.deadline > now, "the deadline did not move on: a driver would spin"


@each
def test_bounded(law: Law) -> None:
    """What closes is made anew, and in one life of five gets long packets: it closes on them before it has grown."""
    random = Random(1)
    machine, now, lives, long = law.make(), 0, 0, True
    for turn in range(5000):
        if law.is_closed is not None and law.is_closed(machine):
            assert lives % 5 or weight(machine) < law.bound
            machine, lives, long = law.make(), lives + 1, random.random() < 0.2
        data = damaged(law.packet(random), random)
        if law in STREAMS and turn % 2 and long:
            data = law.endless + law.packet(random)[2:3] + bytes(1000)  # a long packet that never ends
        now += random.randrange(1000)
        machine.receive(data, now, random.choice(law.ports))
        if turn % 500 == 499:
            assert weight(machine) < law.bound, f"after {turn + 1} inputs"


@pytest.mark.parametrize("law", CLOSING, ids=lambda law: law.name)
@some
@given(seed=SEED)
def test_final(law: Law, seed: int) -> None:
    random = Random(seed)
    machine = law.make()
    assert isinstance(machine, StreamMachine)
    assert law.is_closed is not None
    now = 0
    for pause, port, data in law.steps(random, 30):
        now += pause
        machine.receive(data or b"", now, port)
        if law.is_closed(machine):
            break
    machine.end(now)
    assert law.is_closed(machine)
    machine.transmit()
    assert machine.deadline == NEVER
    closed = weight(machine)
    for data in (law.packet(random), random.randbytes(500)):
        assert [*machine.receive(data, now + 1), *machine.wake(now + 10**12), *machine.end(now + 2)] == []
    assert (machine.transmit(), machine.deadline) == ([], NEVER)
    assert weight(machine) < closed + 200, "what comes after the end is kept"
