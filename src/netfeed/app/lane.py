"""A channel and its books: packets go in, what the channel tells goes to the feed, and each loss gets its place.

Invariant: every event of the channel reaches the feed exactly once and in order (`feed.delivery`).
"""

from collections import deque
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final

from netfeed.app.findings import Findings, Place
from netfeed.app.protocols import Protocol
from netfeed.feed.channel import Channel, ChannelStatistics
from netfeed.feed.delivery import Delivery
from netfeed.feed.epoch import Verdict
from netfeed.feed.events import (
    Event,
    GapLost,
    GapOpened,
    Ignored,
    Malformed,
    Messages,
    SequenceReset,
    SessionChanged,
)
from netfeed.feed.ports import LINES, MORE_LINES, Port, port_name
from netfeed.feed.sequencer import MAX_RECORDS
from netfeed.machine import NEVER, Buffer

MAX_FIRSTS: Final = 4096
"""Packets that are remembered by what they said, to find out which flow is another line of this channel."""
MAX_ASIDE: Final = 4096
"""Packets beyond a hole whose place is remembered."""


class Lane:
    """One channel, the feed that its messages go to, and the flows that are its lines."""

    def __init__(self, protocol: Protocol, channel: Channel, feed: Any, number: int, findings: Findings) -> None:
        self.protocol = protocol
        self.channel = channel
        self.feed = feed
        self.number = number
        self.identity = b""
        self.declared = self.multicast = False
        self.suffix = ""
        self.resets = 0
        self.first_sequence: int | None = None
        self.firsts: dict[int, int] = {}
        self.placed: list[tuple[int, Place]] = []
        self._findings = findings
        self._flows: dict[str, dict[str, Port]] = {"line": {}, "snapshot": {}}
        self._aside: dict[int, Place] = {}
        self._holes: deque[tuple[int, int, Place]] = deque(maxlen=MAX_RECORDS)
        self._doubt: tuple[int, Place] | None = None
        self._place = Place("", 0)
        step = 0 if protocol.framing.per_packet else 1
        self.delivery = Delivery(channel, feed, number=number, step=step, heals=protocol.heals)
        self._tell: dict[type, Callable[[Any], None]] = {
            Messages: self._messages, GapOpened: self._opened, GapLost: self._lost, Malformed: self._malformed,
            SequenceReset: self._reset, SessionChanged: self._reset, Ignored: self._ignored,
        }  # fmt: skip

    @property
    def name(self) -> str:
        """Give the name of the channel: as it was given, else the group and port of its line A."""
        if self.declared:
            return self.channel.name
        flows = self.lines or sorted(self._flows["snapshot"], key=_address) or [self.channel.name]
        return flows[0] + self.suffix

    @property
    def deadline(self) -> int:
        """Give when the channel has to be woken. Units: ns of capture time."""
        return self.channel.deadline

    def attach(self, flow: str, part: Port) -> Port:
        """Give a flow its port: the first one of lines or of snapshots is A, the next B, and so on."""
        if part == Port.RETRANSMIT:
            return part
        lines = part in LINES
        known = self._flows["line" if lines else "snapshot"]
        if flow not in known:
            known[flow] = _line_port(len(known)) if lines else Port(min(Port.SNAPSHOT_A + len(known), Port.SNAPSHOT_B))
        return known[flow]

    @property
    def lines(self) -> list[str]:
        """List the flows that are lines, A first: as they were declared, else the lowest address is A."""
        lines = list(self._flows["line"])
        return lines if self.declared else sorted(lines, key=_address)

    def label(self, port: int) -> str:
        """Name a port for people: the letter of a line does not depend on which line came first."""
        for part, first in (("line", Port.LINE_A), ("snapshot", Port.SNAPSHOT_A)):
            known = self._flows[part]
            flows = list(known) if self.declared else sorted(known, key=_address)
            for rank, flow in enumerate(flows):
                if known[flow] == port:
                    return port_name(_line_port(rank) if part == "line" else min(first + rank, Port.SNAPSHOT_B))
        return port_name(port)

    def receive(self, payload: Buffer, now: int, port: int, place: Place) -> None:
        """Take a packet."""
        self._place = place
        if port in LINES:
            self._note(payload, place)
        self._handle(self.channel.receive(payload, now, port), now)

    def wake(self, now: int, place: Place) -> None:
        """Let a deadline pass."""
        self._place = place
        self._handle(self.channel.wake(now), now)

    def finish(self, place: Place) -> None:
        """Let every deadline pass: nothing comes any more."""
        while self.channel.deadline != NEVER:
            self.wake(self.channel.deadline, place)
        self._drop_doubt()

    def heal(self, now: int) -> None:
        """Take note, once no book is SUSPECT any more, that what was lost has been made good."""
        self.delivery.heal(now)

    def hole(self, first: int) -> Place | None:
        """Say where the first packet behind a gap stands; None when that was too long ago."""
        return next((place for start, last, place in reversed(self._holes) if start <= first <= last), None)

    def statistics(self) -> ChannelStatistics:
        """Give the account of the channel."""
        return self.channel.statistics()

    def _note(self, payload: Buffer, place: Place) -> None:
        """Remember where a packet stands that lies beyond a hole, and what it says."""
        sequence = self.protocol.sequence_of(payload)
        if sequence is None:
            return
        expected = self.channel.next_sequence
        if expected is not None and sequence > expected:
            _bounded(self._aside, sequence, place, MAX_ASIDE)
        elif self._aside and self.channel.in_order:
            self._aside.clear()
        self.remember(payload)

    def remember(self, payload: Buffer) -> None:
        """Remember what a packet says: the flow that says the same of the same sequence is another line."""
        sequence = self.protocol.sequence_of(payload) if self.protocol.stays else None
        if sequence is not None and len(payload) > self.protocol.header and sequence not in self.firsts:
            _bounded(self.firsts, sequence, self.protocol.digest(payload), MAX_FIRSTS)

    def _handle(self, events: Sequence[Event], now: int) -> None:
        for event in events:
            tell = self._tell.get(type(event))
            if tell is not None:
                tell(event)
            self.delivery.take(event)
        if events:
            self.delivery.settle(now)

    def _messages(self, event: Messages) -> None:
        sequence = event.first_sequence
        if self.first_sequence is None:
            self.first_sequence = sequence
        if self._doubt is not None and self._doubt[0] == sequence:
            self._doubt = None
        self.placed.append((sequence, self._place))

    def _lost(self, event: GapLost) -> None:
        if self.first_sequence is None:
            self.first_sequence = event.first

    def _opened(self, event: GapOpened) -> None:
        self._holes.append((event.first, event.last, self._aside.get(event.last + 1, self._place)))

    def _malformed(self, event: Malformed) -> None:
        at = self._place.payload + event.offset
        self._findings.add(self._place, f"{event.what}: {event.found} (at byte {at})", event.wanted)

    def _reset(self, event: SequenceReset | SessionChanged) -> None:
        self.resets += 1
        self.firsts.clear()
        self._aside.clear()
        self._doubt = None
        if isinstance(event, SessionChanged):
            self.identity = self.identity[: -len(event.new)] + event.new

    def _ignored(self, event: Ignored) -> None:
        if event.reason == Verdict.DOUBT.value:
            self._drop_doubt()
            self._doubt = (event.sequence, self._place)

    def _drop_doubt(self) -> None:
        """Report a packet that no second one agreed with: nothing was believed of it."""
        if self._doubt is not None:
            sequence, place = self._doubt
            wanted = f"a sequence near {self.channel.next_sequence} on channel {self.name}"
            self._findings.add(place, f"sequence {sequence} that no second packet agrees with", wanted)
        self._doubt = None


def _address(flow: str) -> tuple[int, bytes, int]:
    """Give what flows are sorted by: the number of their address, then the port."""
    host, _, port = flow.rpartition(":")
    address = ip_address(host.strip("[]"))
    return address.version, address.packed, int(port)


def _line_port(index: int) -> Port:
    """Give the port of a line by its place: A, B, and from there on MORE_LINES."""
    return Port(index) if index < 2 else MORE_LINES + index - 2  # type: ignore[return-value]


def _bounded(table: dict[int, Any], key: int, value: Any, limit: int) -> None:
    table[key] = value
    if len(table) > limit:
        del table[next(iter(table))]
