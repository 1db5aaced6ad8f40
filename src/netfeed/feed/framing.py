"""What each transport says about sequence: one table.

    framing      a number is for  session     first  wraps   send time  heartbeat  counts anew within a session
    moldudp64    a message        10 bytes    1      no      no         1 s        never: a new session says it
    starbase     a message        none        1      no      yes        5 s        yes
    iex          a message        u32         1      no      yes        1 s        yes (11 times in one recorded day)
    cme          a packet         none        1      no      yes        30 s       yes, weekly
    deribit      a packet         none        any    2**32   no         none       yes

`parse` turns a datagram into a `Packet`, whose words are the same for all of them. Where the wire does not say whether
a packet is a snapshot or was retransmitted, the port on which it came does. `quiet_ns` is the silence after which a
lower number may be a new count: more than two heartbeats, see `epoch`.

Sources: those of the codecs in `wire`; CME's heartbeat and weekly reset, and Deribit's behaviour after a restart, are
second-hand or unknown, so their rules lean to the safe side: a duplicate is never taken for a reset.

Leaves out: what the messages mean.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Protocol

from netfeed.errors import WireError
from netfeed.feed.ports import RETRANSMITS, SNAPSHOTS
from netfeed.machine import Buffer
from netfeed.wire import cme, deribit, iex, moldudp64, starbase

LAST: Final = 2**64 - 1
"""No number follows this one: what would go on beyond it is no packet."""


class Kind(Enum):
    """What a packet is to the order of a stream."""

    DATA = "data"
    HEARTBEAT = "heartbeat"
    END_OF_SESSION = "end of session"
    SNAPSHOT = "snapshot"
    RETRANSMITTED = "retransmitted"
    REJECT = "reject of a request"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Packet:
    """A datagram in the words of sequence.

    `sequence` is the number of the first message (or of the packet, where packets are counted), in a heartbeat or at
    the end of a session the next one. `count` is how many numbers it takes. Units: `ts_send_ns` since 1970.
    """

    kind: Kind
    session: bytes
    sequence: int
    count: int
    messages: tuple[bytes | memoryview, ...]
    ts_send_ns: int | None
    channel: int


class Framing(Protocol):
    """A transport: how to read its packets, and the rules of its numbers."""

    @property
    def name(self) -> str:
        """Give the name, as it stands in configuration."""

    @property
    def per_packet(self) -> bool:
        """Say whether a number counts a packet, not a message."""

    @property
    def first(self) -> int | None:
        """Give the number that an epoch begins with, None where it can be any."""

    @property
    def modulus(self) -> int | None:
        """Give where the counter wraps, None where it does not."""

    @property
    def resets(self) -> bool:
        """Say whether the count can begin anew within a session."""

    @property
    def quiet_ns(self) -> int:
        """Give the silence after which a lower number may be a new count. Units: ns."""

    def parse(self, data: Buffer, port: int = 0) -> Packet:
        """Read one datagram. Raises: WireError."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; it is a `Framing`. `read` is the codec's side of `parse`."""

    name: str
    read: Callable[[Buffer], Packet]
    per_packet: bool
    first: int | None
    modulus: int | None
    resets: bool
    quiet_ns: int

    def parse(self, data: Buffer, port: int = 0) -> Packet:
        """Read one datagram. Raises: WireError."""
        packet = self.read(data)
        if packet.sequence < 0:
            raise WireError(f"{self.name} sequence is negative", offset=0, found=packet.sequence, wanted="0 or more")
        if packet.sequence + packet.count > LAST:
            found = packet.sequence + packet.count
            raise WireError(f"{self.name} sequence goes on beyond 64 bits", offset=0, found=found, wanted=f"<= {LAST}")
        if packet.kind is Kind.DATA:
            if port in SNAPSHOTS:
                return replace(packet, kind=Kind.SNAPSHOT)
            if port in RETRANSMITS:
                return replace(packet, kind=Kind.RETRANSMITTED)
        return packet


def _moldudp64(data: Buffer) -> Packet:
    packet = moldudp64.decode(data)
    kind = Kind.DATA
    if not packet.messages:
        kind = Kind.END_OF_SESSION if packet.end_of_session else Kind.HEARTBEAT
    return Packet(kind, packet.session, packet.sequence, len(packet.messages), packet.messages, None, 0)


_INCREMENTAL, _SNAPSHOT, _RETRANSMIT = starbase.PacketType
_STARBASE_KINDS: Final = {
    _INCREMENTAL: Kind.DATA,
    _SNAPSHOT: Kind.SNAPSHOT,
    _INCREMENTAL | _RETRANSMIT: Kind.RETRANSMITTED,
}


def _starbase(data: Buffer) -> Packet:
    packet = starbase.decode_packet(data)
    kind = _STARBASE_KINDS.get(starbase.PacketType(packet.type), Kind.OTHER)
    if packet.type == 0:
        kind = Kind.REJECT
    elif packet.heartbeat and kind is not Kind.OTHER:
        kind = Kind.HEARTBEAT
    count = packet.messageCount
    return Packet(kind, b"", packet.seqNum, count, packet.messages, packet.sendingTime, packet.channelId)


def _iex(data: Buffer) -> Packet:
    segment = iex.decode_segment(data)
    kind = Kind.HEARTBEAT if segment.heartbeat else Kind.DATA
    session = segment.session_id.to_bytes(4, "big")
    sequence, messages = segment.first_message_sequence, segment.messages
    return Packet(kind, session, sequence, len(messages), messages, segment.send_time, segment.channel_id)


def _cme(data: Buffer) -> Packet:
    packet = cme.decode_packet(data)  # a heartbeat is a message like others: it takes a number
    return Packet(Kind.DATA, b"", packet.MsgSeqNum, 1, packet.messages, packet.SendingTime, 0)


def _deribit(data: Buffer) -> Packet:
    packet = deribit.decode_packet(data)
    return Packet(Kind.DATA, b"", packet.channelSeq, 1, packet.messages, None, packet.channelId)


_S: Final = 1_000_000_000

FRAMINGS: Final[dict[str, Framing]] = {row.name: row for row in (
    #   name         read         per_packet  first  modulus  resets  quiet_ns
    Row("moldudp64", _moldudp64,  False,      1,     None,    False,  0),
    Row("starbase",  _starbase,   False,      1,     None,    True,   12 * _S),
    Row("iex",       _iex,        False,      1,     None,    True,   5 * _S),
    Row("cme",       _cme,        True,       1,     None,    True,   70 * _S),
    Row("deribit",   _deribit,    True,       None,  2**32,   True,   10 * _S),
)}  # fmt: skip
"""The framings by name."""


def framing(name: str) -> Framing:
    """Give the framing of that name.

    Raises: KeyError with the known names.
    """
    if name not in FRAMINGS:
        raise KeyError(f"no framing {name!r}; there are {', '.join(FRAMINGS)}")
    return FRAMINGS[name]
