"""What a host that captures a feed sees of it: packets of a sender, over lines that lose, delay and repeat them.

A sender's packet is `Sent`. A `Line` carries a list of them to the tap and gives `Seen` packets. Faults are rates,
drawn from a seed, or named by the packet's place in the list. `file_pcap` and `file_pcapng` write what was seen.

Invariant: integer nanoseconds throughout; the packets of one line keep their order but for those that are late.

Leaves out: what the packets hold (`mold_packets`, `starbase_session`), bandwidth, and a link under live traffic.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from netfeed.sim.draws import Draws
from netfeed.wire import pcap, pcapng
from netfeed.wire.headers import Endpoint, udp_frame

RATE: Final = 10_000
"""Rates of faults are out of so many packets."""
NEAR_NS: Final = 800_000
"""A packet is overtaken only when the next one follows this soon: nothing on a line waits longer for nothing."""
_STEP_NS: Final = 250
"""What separates two packets of a line at least."""
_WANDER: Final = 512
"""After so many packets the latency of a line that wanders is where it was."""


class Sent(NamedTuple):
    """A packet as it leaves: its messages are numbered from `first` up to, not including, `end`. Units: `at` in ns."""

    at: int
    payload: bytes
    first: int
    end: int


class Route(NamedTuple):
    """How a packet travels; `name` is the line's, `interface` that of a pcapng file."""

    name: str
    source: Endpoint
    destination: Endpoint
    interface: int = 0


class Seen(NamedTuple):
    """A packet at the tap. Units: `at` in ns since 1970."""

    at: int
    route: Route
    sent: Sent


@dataclass(frozen=True, slots=True)
class Line:
    """One line and its faults.

    `lost`, `late` and `twice` are rates. `without` names the packets that are lost for certain, `kept` those to which
    no fault may happen by chance, `held` a delay for some. Units: ns.
    """

    route: Route
    latency_ns: int
    wander_ns: int = 0
    lost: int = 0
    late: int = 0
    twice: int = 0
    without: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()
    held: dict[int, int] = field(default_factory=dict)

    def carry(self, packets: Sequence[Sent], draws: Draws) -> list[Seen]:
        """Carry the packets; give those that arrive, in the order in which they do."""
        losing, late, twice, jitter = (part.tolist() for part in draws.parts(len(packets)))
        times = self._times(packets, jitter)
        seen: list[Seen] = []
        for index, sent in enumerate(packets):
            chance = index not in self.kept
            if index in self.without or (chance and losing[index] % RATE < self.lost):
                continue
            at = times[index]
            if chance and late[index] % RATE < self.late and 0 < _until_next(times, index) < NEAR_NS:
                at = times[index + 1] + _STEP_NS + jitter[index] % 64
            seen.append(Seen(at, self.route, sent))
            if chance and twice[index] % RATE < self.twice:
                seen.append(Seen(at + 900 + jitter[index] % 256, self.route, sent))
        return in_order(seen)

    def _times(self, packets: Sequence[Sent], jitter: list[int]) -> list[int]:
        times: list[int] = []
        before = 0
        for index, sent in enumerate(packets):
            swing = abs(index % _WANDER * 2 - _WANDER) * self.wander_ns // _WANDER
            at = sent.at + self.latency_ns + swing + jitter[index] % 1024 + self.held.get(index, 0)
            before = max(at, before + _STEP_NS)
            times.append(before)
        return times


def _until_next(times: list[int], index: int) -> int:
    return times[index + 1] - times[index] if index + 1 < len(times) else 0


def in_order(seen: Iterable[Seen]) -> list[Seen]:
    """Sort packets by when they were seen; those of one instant stay as they are."""
    return sorted(seen, key=lambda one: one.at)


def frame(seen: Seen) -> bytes:
    """Build the Ethernet frame of a packet; a multicast one has a TTL that reaches its subscribers."""
    return udp_frame(seen.sent.payload, seen.route.source, seen.route.destination, ttl=16)


def file_pcap(seen: Iterable[Seen]) -> bytes:
    """Write a capture as pcap, with nanoseconds."""
    return pcap.file_header() + b"".join(pcap.record(one.at, frame(one)) for one in seen)


def file_pcapng(seen: Iterable[Seen], names: Sequence[str]) -> bytes:
    """Write a capture as pcapng, with interfaces of these names and their statistics at the end."""
    ethernet = 1
    writer = pcapng.Writer([pcapng.Interface(ethernet, pcap.MAX_RECORD, name=name) for name in names])
    blocks = [writer.start()]
    blocks += [writer.packet(one.at, frame(one), one.route.interface) for one in seen]
    return b"".join([*blocks, writer.close()])
