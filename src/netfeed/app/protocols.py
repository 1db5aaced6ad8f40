"""The protocols that a replay knows, one row each: how packets are framed, whose books they fill, how flows differ.

identity   what names the channel in a packet: two flows with the same one are lines of one channel
stays      a flow belongs to one channel for good (its session may change); else every packet says to which
evidence   the part of a payload that is the same on both lines, and bound to the sequence
shared     one set of books for all channels, because instruments are numbered across them
heals      snapshots can make good what was lost
new_feed   where the protocol offers natural refresh (CME), it takes `natural_refresh`
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, Literal

from netfeed.feed.framing import FRAMINGS, Framing
from netfeed.feed.ports import Port
from netfeed.machine import Buffer
from netfeed.wire import cme, starbase

END_OF_SESSION: Final = 0xFFFF
COUNTS: Final[dict[str, tuple[slice, Literal["big", "little"]]]] = {
    "itch50": (slice(18, 20), "big"), "starbase": (slice(22, 24), "little"),
}  # fmt: skip
"""Where a packet says how many messages it has; END_OF_SESSION is no count."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One row. `header` is the least that a packet has, `number` the channel's number for its feed."""

    name: str
    label: str
    framing: Framing
    new_feed: Callable[..., Any]
    shared: bool
    stays: bool
    heals: bool
    header: int
    identity: Callable[[Buffer], bytes]
    number: Callable[[Buffer], int]
    sequence: Struct
    sequence_at: int
    evidence: slice
    part: Callable[[Buffer], Port]

    def sequence_of(self, payload: Buffer) -> int | None:
        """Read the sequence of a packet without decoding it; None when it is too short to have one."""
        if len(payload) < self.header:
            return None
        value: int = self.sequence.unpack_from(payload, self.sequence_at)[0]
        return value

    def instrument_of(self, payload: Buffer) -> int | None:
        """Read the instrument that a Starbase packet of snapshots begins with; None when it begins with none."""
        first = self.header + starbase.MESSAGE_HEADER.size
        template = int.from_bytes(payload[self.header + 2 : self.header + 4], "little")
        if template != starbase.TemplateId.SNAPSHOT_HEADER or len(payload) < first + 8:
            return None
        return int.from_bytes(payload[first : first + 8], "little", signed=True)

    def digest(self, payload: Buffer) -> int:
        """Give a fingerprint of what a packet says, equal on both lines."""
        return hash(bytes(payload[self.evidence]))


def _itch_feed() -> Any:
    from netfeed.venues.itch import ItchFeed

    return ItchFeed()


def _starbase_feed() -> Any:
    from netfeed.venues.starbase import StarbaseFeed

    return StarbaseFeed()


def _deribit_feed() -> Any:
    from netfeed.venues.deribit_multicast import DeribitMulticastFeed

    return DeribitMulticastFeed()


def _cme_feed(*, natural_refresh: bool = False) -> Any:
    from netfeed.venues.cme import CmeFeed

    return CmeFeed(natural_refresh=natural_refresh)


def _iex_feed() -> Any:
    from netfeed.venues.iex import IexDeepFeed

    return IexDeepFeed()


def _slice(first: int, last: int) -> Callable[[Buffer], bytes]:
    return lambda payload: bytes(payload[first:last])


def _little(first: int, last: int) -> Callable[[Buffer], int]:
    return lambda payload: int.from_bytes(payload[first:last], "little")


def _iex_identity(payload: Buffer) -> bytes:
    """Give protocol, channel and session; the session as a `SessionChanged` tells it."""
    return bytes(payload[2:8]) + bytes(payload[8:12])[::-1]


def _nothing(payload: Buffer) -> bytes:
    return b""


def _zero(payload: Buffer) -> int:
    return 0


def _line(payload: Buffer) -> Port:
    return Port.LINE_A


def _starbase_part(payload: Buffer) -> Port:
    kind = int.from_bytes(payload[20:22], "little")
    if kind & starbase.PacketType.SNAPSHOT:
        return Port.SNAPSHOT_A
    return Port.LINE_A if kind == starbase.PacketType.INCREMENTAL else Port.RETRANSMIT


_CME_SNAPSHOTS: Final = frozenset({38, 52, 53})
_CME_DEFINITIONS: Final = frozenset({27, 29, 41, 54, 55, 56})


def _cme_part(payload: Buffer) -> Port:
    """Say whether the first message of a flow is one of a loop: a snapshot, or a definition that counts its loop."""
    at = cme.PACKET_HEADER.size + cme.MSG_SIZE.size
    template = int.from_bytes(payload[at + 2 : at + 4], "little")
    if template in _CME_SNAPSHOTS:
        return Port.SNAPSHOT_A
    if template in _CME_DEFINITIONS:
        body = at + cme.MESSAGE_HEADER.size
        total = int.from_bytes(payload[body + 1 : body + 5], "little")  # TotNumReports: only in the loop
        return Port.SNAPSHOT_A if total != 2**32 - 1 else Port.LINE_A
    return Port.LINE_A


_U32, _U64, _BIG64 = Struct("<I"), Struct("<Q"), Struct(">Q")

PROTOCOLS: Final[dict[str, Protocol]] = {row.name: row for row in (
    #        name        label               framing                feed            shared stays  heals  header
    Protocol("itch50",   "itch50/moldudp64", FRAMINGS["moldudp64"], _itch_feed,     False, True,  False, 20,
             _slice(0, 10), _zero,            _BIG64, 10, slice(20, 34),   _line),
    Protocol("starbase", "starbase",         FRAMINGS["starbase"],  _starbase_feed, False, False, True,  24,
             _slice(16, 20), _little(16, 20), _U64,   8,  slice(24, 64),   _starbase_part),
    Protocol("deribit",  "deribit/sbe",      FRAMINGS["deribit"],   _deribit_feed,  True,  False, True,  8,
             _slice(2, 4),  _little(2, 4),    _U32,   4,  slice(8, None),  _line),
    Protocol("cme",      "cme/mdp3",         FRAMINGS["cme"],       _cme_feed,      True,  True,  True,  12,
             _nothing,      _zero,            _U32,   0,  slice(0, None),  _cme_part),
    Protocol("iex",      "iex/deep",         FRAMINGS["iex"],       _iex_feed,      True,  True,  False, 40,
             _iex_identity, _zero,            _U64,   24, slice(40, 52),   _line),
)}  # fmt: skip
"""The rows by name. `itch50` is also what a file of ITCH messages holds."""

ITCH_FILE: Final = "itch50/file"
"""The protocol that a report names for a file of ITCH messages."""
