"""How each transport asks for messages again: one table.

    requests     limit         an answer is                     no
    moldudp64    65,534        one packet, of what fits         the server is silent
    starbase     255           packets, maybe fewer than asked  a reject: why, and when to ask again
    iex          1,000         segments                         the server is silent

`encode` makes the request for `count` messages from `first` on; `tag` comes back in a reject where the transport has
one. `reject` reads such an answer. A transport that is not in the table (CME, legacy Deribit) has no server for single
packets: its losses wait for a snapshot.

Sources: MoldUDP64 1.00; Starbase's retransmit gateway; IEX-TP 1.26, gap fill over UDP. That a Starbase request is a
packet of type 0 is read off the reject's, the published text does not say it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from netfeed.errors import WireError
from netfeed.feed.framing import Kind, Packet
from netfeed.wire import iex, moldudp64, starbase


class Reason(IntEnum):
    """Why a server will not send again; Starbase's numbers."""

    TOO_LOW = 1
    TOO_HIGH = 2
    RATE = 3
    OTHER = 4


@dataclass(frozen=True, slots=True)
class Reject:
    """A server's no to the request `tag`. Units: ns."""

    tag: int
    reason: Reason
    retry_delay_ns: int


@dataclass(frozen=True, slots=True)
class Requests:
    """One row. `whole` says that an answer is one packet: what it does not hold can be asked for at once.

    `limit` is what the transport allows in one request, `encode` takes (session, channel, first, count, tag).
    """

    name: str
    limit: int
    whole: bool
    encode: Callable[[bytes, int, int, int, int], bytes]
    reject: Callable[[Packet], Reject | None]


def _moldudp64(session: bytes, channel: int, first: int, count: int, tag: int) -> bytes:
    return moldudp64.encode_request(session, first, count)


def _starbase(session: bytes, channel: int, first: int, count: int, tag: int) -> bytes:
    message = starbase.encode(starbase.TemplateId.RETRANSMIT_REQUEST, beginSeqNum=first, messageCount=count)
    return starbase.encode_packet(tag, [message], channel_id=channel, type=0)


def _iex(session: bytes, channel: int, first: int, count: int, tag: int) -> bytes:
    return iex.encode_gap_fill([(first, first + count - 1)], session_id=int.from_bytes(session), channel_id=channel)


def _starbase_reject(packet: Packet) -> Reject | None:
    if packet.kind is not Kind.REJECT or len(packet.messages) != 1:
        return None
    try:
        header, body = starbase.decode(packet.messages[0])
    except WireError:
        return None
    if header.templateId != starbase.TemplateId.RETRANSMIT_REJECT:
        return None
    reason = Reason(body.reason) if body.reason in tuple(Reason) else Reason.OTHER
    return Reject(packet.sequence, reason, body.retryDelayNanos)


def _silent(packet: Packet) -> None:
    return None


REQUESTS: Final[dict[str, Requests]] = {row.name: row for row in (
    #        name         limit                whole  encode      reject
    Requests("moldudp64", moldudp64.MAX_COUNT, True,  _moldudp64, _silent),
    Requests("starbase",  255,                 False, _starbase,  _starbase_reject),
    Requests("iex",       1000,                False, _iex,       _silent),
)}  # fmt: skip
"""The rows by the name of their framing."""
