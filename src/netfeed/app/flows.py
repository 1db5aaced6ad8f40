"""Flows and channels: which group and port is which line of which channel, learned as packets come.

    a flow                       a destination address and port
    is recognised                by its first packets, which are held until it is, or by name
    is a line of a channel       whose packets bear the same identity (session, channel id) and do not contradict it;
                                 CME's bear none: then, when the same sequence said the same on both
    is where copies come         when it is unicast and a multicast channel has its session: what was asked for again
    is ignored                   when MAX_HELD packets told nothing, or there is no room for its channel

What is held is bounded by MAX_HELD packets a flow and MAX_HELD_BYTES in all; flows by MAX_FLOWS, channels by
MAX_LANES. Beyond that packets are counted and not looked at.

The bad case: two streams of one session and one numbering on two groups (a generator that gives every channel the same
session) are told apart by what they say, as long as a copy of the sequence is remembered; `--channel` says it for sure.
"""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv6Address
from typing import Any, Final, NamedTuple

from netfeed.app.findings import Findings, Place
from netfeed.app.lane import Lane
from netfeed.app.protocols import PROTOCOLS, Protocol
from netfeed.app.recognise import Match, match, protocol_of
from netfeed.feed.channel import Channel
from netfeed.feed.ports import LINES, SNAPSHOTS, Port
from netfeed.feed.splice import Splice
from netfeed.machine import Buffer

MAX_FLOWS: Final = 4096
MAX_LANES: Final = 1024
MAX_HELD: Final = 64
MAX_HELD_BYTES: Final = 16 * 2**20
MAX_ROUTES: Final = 1024
NEAR: Final = 10_000
"""How far a flow may be from a channel of the same identity to be a line of it."""
LATE_START: Final = 32
"""A stream that is first seen this near to its first number is followed from there: packets may only be reordered."""

Route = tuple[Lane, int]


class Held(NamedTuple):
    """A packet that waits until its flow is known."""

    payload: bytes
    place: Place


class Declared(NamedTuple):
    """A channel that the user named, and its lines in order."""

    name: str
    flows: tuple[str, ...]


class Flow:
    """One destination: what it speaks, where its packets go, and those that wait for the answer."""

    __slots__ = (
        "asks", "held", "ignored", "likely", "multicast", "passed", "protocol", "route", "routes", "settled", "text",
    )  # fmt: skip

    def __init__(self, text: str, multicast: bool) -> None:
        self.text = text
        self.multicast = multicast
        self.protocol: Protocol | None = None
        self.likely: str | None = None
        self.route: Route | None = None  # of all packets, where a flow belongs to one channel
        self.routes: dict[tuple[bytes, int], Route] = {}
        self.held: list[Held] = []
        self.asks = False  # for packets to be sent again
        self.ignored = False  # nothing in it was recognised, or there is no room for its channel
        self.settled = False  # waiting longer would tell nothing more
        self.passed = 0  # packets that were not even held

    @property
    def packets(self) -> int:
        """Count the packets of a flow that was not recognised."""
        return self.passed + len(self.held)


class Flows:
    """All flows of a run, and the channels that were made of them.

    `late`: what came before was passed over on purpose, so that no stream is expected to begin at its first number.
    """

    def __init__(
        self,
        findings: Findings,
        *,
        new_feed: Callable[[Protocol], Any] | None = None,
        protocol: str | None = None,
        declared: Sequence[Declared] = (),
        wanted: Callable[[str, int], bool] = lambda group, port: True,
        late: bool = False,
    ) -> None:
        self.lanes: list[Lane] = []
        self.feeds: list[Any] = []
        self.overflowed = 0
        self._findings = findings
        self._new_feed = new_feed or (lambda row: row.new_feed())
        self._protocol = PROTOCOLS[protocol] if protocol else None
        self._declared = {flow: (one, Port.LINE_A) for one in declared for flow in one.flows}
        self._order = {one.name: one.flows for one in declared}
        self._wanted = wanted
        self._late = late
        self._flows: dict[tuple[bytes, int], Flow | None] = {}
        self._by_identity: dict[tuple[str, bytes, bool], Lane] = {}
        self._named: dict[str, Lane] = {}
        self._shared: dict[str, Any] = {}
        self._held_bytes = 0

    def meet(self, destination: bytes, port: int) -> Flow | None:
        """Give the flow of a destination; None when it is not wanted, or one too many."""
        key = (destination, port)
        if key not in self._flows:
            if len(self._flows) >= MAX_FLOWS:
                self.overflowed += 1
                return None
            address = IPv6Address(destination)
            real = address.ipv4_mapped or address
            group = str(real)
            text = f"{group}:{port}" if real.version == 4 else f"[{group}]:{port}"
            self._flows[key] = Flow(text, real.is_multicast) if self._wanted(group, port) else None
        return self._flows[key]

    def route(self, flow: Flow, payload: Buffer) -> Route | None:
        """Say which channel and port a packet belongs to; None when that is not known yet, or never will be."""
        if flow.ignored and flow.settled:  # there is no room for its channel, and looking for one is not free
            self.overflowed += 1
            return None
        if flow.protocol is None and not self._recognise(flow, payload):
            return None
        protocol = flow.protocol
        assert protocol is not None
        if not protocol.stays:
            return self._by_packet(flow, protocol, payload)
        if len(payload) >= protocol.header and flow.route is None:
            flow.route = self._join(flow, protocol, payload)
        return flow.route

    def hold(self, flow: Flow, payload: Buffer, place: Place) -> None:
        """Keep a packet of a flow that is not known yet; give the flow up when it has told nothing for too long."""
        full = self._held_bytes + len(payload) > MAX_HELD_BYTES
        if full or len(flow.held) >= MAX_HELD:
            hopeless = flow.settled  # what could be told of it was told by an earlier packet, and it found no channel
            if not self._settle(flow) or (hopeless and len(self.lanes) >= MAX_LANES):
                flow.ignored = True
            if full or flow.ignored or hopeless:
                self.overflowed += full or hopeless
                return
        flow.held.append(Held(bytes(payload), place))
        self._held_bytes += len(payload)

    def release(self, flow: Flow) -> list[Held]:
        """Take the packets that waited for their flow to be known."""
        held, flow.held = flow.held, []
        self._held_bytes -= sum(len(one.payload) for one in held)
        return held

    def settle(self) -> Iterator[tuple[Flow, Held]]:
        """At the end, take flows for what they most likely are, and give the packets that they held."""
        for flow in list(self._flows.values()):
            if flow is not None and flow.held and self._settle(flow):
                yield from ((flow, held) for held in self.release(flow))

    def unknown(self) -> list[Flow]:
        """List the flows of which nothing was recognised."""
        return [
            flow
            for flow in self._flows.values()
            if flow is not None and flow.protocol is None and flow.packets and not flow.asks
        ]

    # --- recognising

    def _recognise(self, flow: Flow, payload: Buffer) -> bool:
        if self._protocol is not None:
            if flow.text in self._declared or match(self._protocol.name, payload) is not Match.NO:
                flow.protocol = self._protocol
            return flow.protocol is not None
        name, sure = protocol_of(payload)
        if name is not None and (sure is Match.YES or self._is_known(PROTOCOLS[name], payload)):
            flow.protocol = PROTOCOLS[name]
        flow.likely = flow.likely or name
        return flow.protocol is not None

    def _is_known(self, protocol: Protocol, payload: Buffer) -> bool:
        identity = protocol.identity(payload)
        return any(lane.protocol is protocol and lane.identity == identity for lane in self.lanes)

    def _settle(self, flow: Flow) -> bool:
        """Decide on a flow that stayed in doubt: its own channel, of what it most likely speaks."""
        if flow.protocol is None and flow.likely is not None:
            flow.protocol = PROTOCOLS[flow.likely]
        protocol = flow.protocol
        if protocol is None:
            return False
        first = next((one.payload for one in flow.held if len(one.payload) >= protocol.header), None)
        flow.settled = True
        if protocol.stays and flow.route is None and first is not None:
            flow.route = self._join(flow, protocol, first)
        return True

    # --- a flow that belongs to one channel

    def _join(self, flow: Flow, protocol: Protocol, payload: Buffer) -> Route | None:
        if flow.text in self._declared:
            return self._declare(flow, protocol, payload)
        identity, part = protocol.identity(payload), protocol.part(payload)
        doubtful = False
        for lane in self.lanes:
            if lane.protocol is not protocol or lane.identity != identity or lane.declared:
                continue
            said = self._compare(lane, flow, payload)
            near = said is None and _is_near(lane, protocol, payload)
            if said or (near and identity):
                return self._attach(lane, flow, part)
            doubtful |= near and part in LINES and not flow.settled
        return None if doubtful else self._open(flow, protocol, payload)

    def _compare(self, lane: Lane, flow: Flow, payload: Buffer) -> bool | None:
        """Say whether a flow said what the channel says; None when they have nothing in common yet."""
        for one in (*(held.payload for held in flow.held), payload):
            sequence = lane.protocol.sequence_of(one)
            if sequence in lane.firsts and len(one) > lane.protocol.header:
                return lane.firsts[sequence] == lane.protocol.digest(one)
        return None

    def _attach(self, lane: Lane, flow: Flow, part: Port) -> Route:
        if part in LINES and not flow.multicast and lane.multicast:
            part = Port.RETRANSMIT
        lane.multicast |= flow.multicast
        return lane, lane.attach(flow.text, part)

    def _declare(self, flow: Flow, protocol: Protocol, payload: Buffer) -> Route | None:
        declared, _ = self._declared[flow.text]
        lane = self._named.get(declared.name)
        if lane is None:
            made = self._new_lane(declared.name, protocol, payload, flow)
            if made is None:
                return None
            lane = self._named[declared.name] = made
            lane.declared = True
            for text in declared.flows:
                lane.attach(text, Port.LINE_A)
        return lane, lane.attach(flow.text, Port.LINE_A)

    def _open(self, flow: Flow, protocol: Protocol, payload: Buffer) -> Route | None:
        lane = self._new_lane(flow.text, protocol, payload, flow)
        return self._attach(lane, flow, protocol.part(payload)) if lane is not None else None

    # --- a flow whose packets say to which channel they belong

    def _by_packet(self, flow: Flow, protocol: Protocol, payload: Buffer) -> Route | None:
        if len(payload) < protocol.header:
            return flow.route
        key = (protocol.identity(payload), protocol.part(payload))
        known = flow.routes.get(key)
        if known is not None:
            return known
        if match(protocol.name, payload) is Match.NO or len(flow.routes) >= MAX_ROUTES:
            return flow.route  # its channel may be nonsense too: the one that was heard last refuses it
        snapshot = key[1] in SNAPSHOTS
        lane = self._by_identity.get((protocol.name, key[0], snapshot))
        if lane is None and snapshot and flow.text not in self._declared:
            lane = self._told_of(protocol, payload)
            if lane is None and not flow.settled:
                return None
        if lane is None:
            declared = self._declared.get(flow.text)
            lane = self._new_lane(declared[0].name if declared else flow.text, protocol, payload, flow)
            if lane is None:
                return None
        self._by_identity[protocol.name, key[0], snapshot] = lane
        if flow.text in self._declared and not lane.declared:
            lane.declared = True
            for text in self._declared[flow.text][0].flows:
                lane.attach(text, Port.LINE_A)
        flow.route = flow.routes[key] = (lane, lane.attach(flow.text, key[1]))
        return flow.route

    def _told_of(self, protocol: Protocol, payload: Buffer) -> Lane | None:
        """Find the channel whose books a snapshot channel tells, which may have another number: the one of the same
        number, else the only one, else the one that has the instrument."""
        lanes = [lane for lane in self.lanes if lane.protocol is protocol and lane.lines]
        lanes = [lane for lane in lanes if lane.identity == protocol.identity(payload)] or lanes
        if len(lanes) > 1:
            instrument = protocol.instrument_of(payload)
            lanes = [lane for lane in lanes if instrument is not None and lane.feed.knows(instrument)]
        return lanes[0] if len(lanes) == 1 else None

    # --- channels

    def _new_lane(self, name: str, protocol: Protocol, payload: Buffer, flow: Flow) -> Lane | None:
        if len(self.lanes) >= MAX_LANES:
            self.overflowed += 1
            return None
        first, sequence = protocol.framing.first, protocol.sequence_of(payload)
        near = first is not None and sequence is not None and first <= sequence <= first + LATE_START
        whole = near and protocol.part(payload) in LINES and not self._late
        channel = Channel(
            protocol.framing, name=name, start=first if whole else None,
            channel_id=None if protocol.stays else protocol.number(payload),
            splice=Splice() if protocol.name == "starbase" else None,
        )  # fmt: skip
        shared = protocol.shared and not protocol.stays
        number = protocol.number(payload) if shared else len(self.lanes)  # as the feed tells its channels apart
        lane = Lane(protocol, channel, self._feed(protocol, whole), number, self._findings)
        lane.identity = protocol.identity(payload)
        if flow.route is not None:  # several channels on one group and port
            lane.suffix = f"#{protocol.number(payload)}"
        self.lanes.append(lane)
        return lane

    def _feed(self, protocol: Protocol, whole: bool) -> Any:
        if protocol.shared and protocol.name in self._shared:
            return self._shared[protocol.name]
        feed = self._new_feed(protocol)
        begin = getattr(feed, "begin", None)
        if begin is not None:
            begin(whole)
        self.feeds.append(feed)
        if protocol.shared:
            self._shared[protocol.name] = feed
        return feed


def _is_near(lane: Lane, protocol: Protocol, payload: Buffer) -> bool:
    sequence, expected = protocol.sequence_of(payload), lane.channel.next_sequence
    return sequence is not None and (expected is None or abs(sequence - expected) <= NEAR)
