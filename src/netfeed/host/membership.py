"""Memberships of the networks that a listener hears: who asks, who answers, and what became of it. Sends nothing.

A machine without I/O: messages of IGMP and MLD go in with their time, events come out; `deadline` says when `wake` has
something to tell although nobody spoke. Each pair of protocol and VLAN is a network of its own.

Units: times are ns of one clock, that of the stamps of the frames.
Invariant: what anybody can make grow is bounded (here, and in `queriers`, `members`, `membership_network`).
Source: RFC 3376, RFC 3810, RFC 4541 (switches that snoop).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from netfeed.host import members
from netfeed.host.members import Room
from netfeed.host.membership_events import Event
from netfeed.host.membership_network import Network
from netfeed.machine import NEVER
from netfeed.wire.frame import NO_VLAN
from netfeed.wire.membership import Heard
from netfeed.wire.membership_words import DEFAULT_INTERVAL_NS, DEFAULT_RESPONSE_NS, Address, Protocol, protocol_of

MAX_NETWORKS: Final = 64
PATIENCE_NS: Final = DEFAULT_INTERVAL_NS + DEFAULT_RESPONSE_NS
"""Who has heard no query for so long hears none: there is no querier, unless its interval is longer than usual."""


class Wanted(NamedTuple):
    """A group that should be reported, from one source or any."""

    group: Address
    source: Address | None = None

    def __str__(self) -> str:
        return f"{self.source},{self.group}" if self.source else str(self.group)


class Memberships:
    """All networks that are heard. `wanted` are groups that somebody should report.

    `complete`: all that is sent is heard. In a capture where no message stands, somebody may have left them out.
    Units: `patience_ns` is how long a network without a query may be watched before it has no querier.
    """

    def __init__(
        self, wanted: Sequence[Wanted] = (), *, patience_ns: int = PATIENCE_NS, complete: bool = True
    ) -> None:  # fmt: skip
        self.wanted = tuple(wanted)
        self.patience_ns = patience_ns
        self.complete = complete
        self.networks: dict[tuple[Protocol, int], Network] = {}
        self._room = Room(members.MAX_REMEMBERED)
        self.begun_ns: int | None = None
        self.now_ns = 0
        self.messages = self.overflow = 0
        self.damaged = 0
        """Messages that whoever drives this could not read."""

    def begin(self, now: int) -> None:
        """Begin to watch; the networks of what is wanted, or IPv4's, are there from now on."""
        self.begun_ns = self.now_ns = now
        protocols: set[Protocol] = {protocol_of(one.group) for one in self.wanted} or {"IGMP"}
        for protocol in sorted(protocols):
            self._network(protocol, NO_VLAN, now)

    def hear(self, heard: Heard, now: int) -> list[Event]:
        """Take a message, and tell what it changed; before it, what silence until then means."""
        events = self.wake(now)
        network = self._network(heard.message.protocol, heard.vlan, self.now_ns)
        self.messages += 1
        if network is None:
            self.overflow += 1
            return events
        return events + network.hear(heard, self.now_ns)

    def wake(self, now: int) -> list[Event]:
        """Tell what silence means; a clock that goes back stands still."""
        if self.begun_ns is None:
            self.begin(now)
        self.now_ns = max(self.now_ns, now)
        return [event for one in list(self.networks.values()) for event in one.wake(self.now_ns)]

    @property
    def deadline(self) -> int:
        """Give the time at which `wake` has something to tell, NEVER when it has not."""
        return min((one.deadline for one in self.networks.values()), default=NEVER)

    def _network(self, protocol: Protocol, vlan: int, now: int) -> Network | None:
        one = self.networks.get((protocol, vlan))
        if one is None and len(self.networks) < MAX_NETWORKS:
            one = self.networks[protocol, vlan] = Network(protocol, vlan, now, self._room)
            one.be_patient_until(now + self.patience_ns)
        return one
