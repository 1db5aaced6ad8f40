"""The channels that a configuration names, as lanes with sockets and servers.

A slot keeps its place for the whole run; its lane is made before the first packet, and once more with the first one
when that stands at the beginning of the stream: then nothing has been missed and no snapshot is needed.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from netfeed.app import configuration as conf
from netfeed.app.findings import Findings
from netfeed.app.flows import LATE_START
from netfeed.app.inlet import Inlet, sources_of
from netfeed.app.lane import Lane
from netfeed.app.protocols import PROTOCOLS
from netfeed.feed.channel import Channel
from netfeed.feed.events import Event, GapClosed
from netfeed.feed.ports import LINES, MORE_LINES, SERVERS, Port, port_name
from netfeed.feed.recovery import Pace, Recovery
from netfeed.feed.requests import REQUESTS
from netfeed.feed.splice import Splice
from netfeed.machine import Buffer

_SPLICED: Final = frozenset({"starbase"})
"""Whose snapshots have to be joined to the stream by its numbers; other feeds chain per instrument."""
_TIMED: Final = {"gap": 2, "doubt": 2, "trust": 0, "snapshot": 2, "adopt": 3}
"""What else of a feed takes a time of arrival, and in which place."""


class StampedFeed:
    """A feed whose channel lives in monotonic time, while its changes bear the kernel's stamps."""

    def __init__(self, feed: Any) -> None:
        self.feed = feed
        self.skew_ns = 0
        for name, place in _TIMED.items():
            call = getattr(feed, name, None)
            if call is not None:
                setattr(self, name, self._stamped(call, place))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.feed, name)

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int = 0) -> None:
        """Apply one message."""
        self.feed.apply(message, sequence, ts_recv_ns + self.skew_ns, channel)

    def _stamped(self, call: Callable[..., Any], place: int) -> Callable[..., Any]:
        def stamped(*given: Any) -> Any:
            return call(*given[:place], given[place] + self.skew_ns, *given[place + 1 :])

        return stamped


class Overheard:
    """A channel whose events somebody else hears too."""

    def __init__(self, channel: Channel, hear: Callable[[Event], None]) -> None:
        self.channel = channel
        self.hear = hear

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel, name)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take a packet."""
        return self._heard(self.channel.receive(data, now, port))

    def wake(self, now: int) -> Sequence[Event]:
        """Let a deadline pass."""
        return self._heard(self.channel.wake(now))

    def excuse(self, sequence: int, now: int) -> Sequence[Event]:
        """Take note that a snapshot covers what is missing."""
        return self._heard(self.channel.excuse(sequence, now))

    def heal(self, now: int) -> Sequence[Event]:
        """Take note that snapshots have mended everything."""
        return self._heard(self.channel.heal(now))

    def _heard(self, events: Sequence[Event]) -> Sequence[Event]:
        for event in events:
            self.hear(event)
        return events


class Slot:
    """One configured channel: its lane, its inlets, and the sockets to its servers by their ports."""

    def __init__(self, config: conf.Channel, index: int, findings: Findings) -> None:
        self.config = config
        self.index = index
        self.protocol = PROTOCOLS[config.protocol]
        options = {"natural_refresh": True} if config.recovery.natural_refresh else {}
        self.feed = StampedFeed(self.protocol.new_feed(**options))
        self.inlets: list[Inlet] = []
        self.servers: dict[int, Any] = {}
        self.recovered: Counter[str] = Counter()
        self.heartbeat_ns = config.heartbeat or conf.HEARTBEATS[config.protocol]
        self.listeners: list[Callable[[Slot, Event], None]] = []
        self._findings = findings
        self._waits = config.start is None
        self.lane = self._make(config.start)

    @property
    def name(self) -> str:
        """Give the channel's name."""
        return self.config.name

    def begins(self, payload: Buffer, port: int) -> bool:
        """Take the first packet of a line; make the lane anew when it stands at the beginning of the stream."""
        if not self._waits or port not in LINES:
            return False
        sequence, first = self.protocol.sequence_of(payload), self.protocol.framing.first
        try:
            self.protocol.framing.parse(payload, port)
        except ValueError:
            return False
        self._waits = False
        if sequence is None or first is None or not first <= sequence <= first + LATE_START:
            return False
        self.lane = self._make(first)
        return True

    def reload(self, config: conf.Channel) -> None:
        """Take what may change while the channel runs."""
        self.config = config
        self.heartbeat_ns = config.heartbeat or conf.HEARTBEATS[config.protocol]
        for inlet, line in zip(self.inlets, (*config.lines, *config.snapshots), strict=True):
            inlet.admit(sources_of(line.source, config.sources))

    def identify(self) -> None:
        """Tell the lane by what its packets are known, once its channel knows."""
        channel = self.lane.channel
        if self.protocol.name == "itch50":
            self.lane.identity = channel.session or b""
        elif self.protocol.name == "starbase" and channel.channel_id is not None:
            self.lane.identity = channel.channel_id.to_bytes(4, "little")

    def _hear(self, event: Event) -> None:
        if isinstance(event, GapClosed):
            self.recovered[event.by] += 1
        for listener in self.listeners:
            listener(self, event)

    def _make(self, start: int | None) -> Lane:
        config, recovery = self.config, self.config.recovery
        spliced = config.protocol in _SPLICED or config.glimpse is not None
        channel = Channel(
            self.protocol.framing, name=config.name, start=start, channel_id=config.id,
            reorder_window_ns=recovery.reorder_window, recovery_window_ns=recovery.window,
            max_held_bytes=recovery.max_held, splice=Splice() if spliced else None,
            recovery=recovery_of(config, self.protocol.framing.name),
        )  # fmt: skip
        begin = getattr(self.feed.feed, "begin", None)
        if begin is not None:
            begin(start is not None and start == self.protocol.framing.first)
        heard: Any = Overheard(channel, self._hear)
        lane = Lane(self.protocol, heard, self.feed, self.index, self._findings)
        lane.declared = True
        for line in config.lines:
            lane.attach(line.group, Port.LINE_A)
        return lane


def recovery_of(config: conf.Channel, framing: str) -> Recovery | None:
    """Make what asks a channel's servers; None when it has none."""
    if not config.retransmit:
        return None
    pages = [server.max_messages for server in config.retransmit if server.max_messages is not None]
    wanted = config.recovery
    pace = Pace(
        retry_ns=max(wanted.retry, 1), max_retry_ns=max(wanted.retry, 1) * 10, rate=float(wanted.requests_per_second),
        burst=wanted.burst, page=min(pages, default=None),
    )  # fmt: skip
    return Recovery(REQUESTS[framing], servers=SERVERS[: len(config.retransmit)], pace=pace, jitter=random.random)


def line_port(index: int) -> int:
    """Give the port of the line at a place: A, B, and from there on MORE_LINES."""
    return index if index < 2 else MORE_LINES + index - 2


def make_inlets(slots: Sequence[Slot]) -> list[tuple[Inlet, conf.Line, conf.Channel]]:
    """Give every line and snapshot group its inlet, with what its socket has to be."""
    made: list[tuple[Inlet, conf.Line, conf.Channel]] = []
    for slot in slots:
        config = slot.config
        places = [(line_port(index), line) for index, line in enumerate(config.lines)]
        places += [(Port.SNAPSHOT_A + index, line) for index, line in enumerate(config.snapshots)]
        for port, line in places:
            allowed = sources_of(line.source, config.sources)
            inlet = Inlet(len(made), slot, port, line.group, port_name(port), allowed)
            slot.inlets.append(inlet)
            made.append((inlet, line, config))
    return made
