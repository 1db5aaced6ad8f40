"""Tell what a file is from its first bytes, and what protocol a UDP payload speaks from all of it.

A payload is recognised strictly: every length has to add up to the last byte and the types have to be known, so that
one protocol is not taken for another. A heartbeat carries too little for that: it is only `likely`, and a flow that has
sent nothing but heartbeats is decided when something better comes, or at the end.

    protocol   what must hold
    iex        transport version 1, DEEP's protocol id, lengths add up, known types have at least their size
    deribit    the framing's length, then SBE messages of schema 1 with the templates 1000 to 1010
    starbase   a known packet type, messages of known templates, lengths add up
    itch50     MoldUDP64: a printable session, blocks add up, every known type has its own size
    cme        message sizes add up, SBE messages of schema 1 with known templates

Leaves out: TCP (SoupBinTCP), and protocols that nothing here turns into books (IEX TOPS, OUCH).
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire import cme, deribit, iex, itch, moldudp64, starbase


class FileKind(Enum):
    """What a file holds."""

    CAPTURE = "a pcap or pcapng capture"
    ITCH = "a file of ITCH messages behind their lengths"
    ITCH_ZERO = "a file of ITCH messages behind lengths of zero"
    UNKNOWN = "nothing that is known here"


class Match(Enum):
    """How sure it is that a payload speaks a protocol."""

    NO = 0
    LIKELY = 1
    YES = 2


CAPTURE_MAGIC: Final = tuple(
    bytes.fromhex(magic) for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "0a0d0d0a")
)
LOOK: Final = 8
"""Records of an ITCH file that are looked at."""


def file_kind(data: Buffer) -> FileKind:
    """Recognise a file from its first bytes."""
    head = bytes(data[:4])
    if head in CAPTURE_MAGIC:
        return FileKind.CAPTURE
    for kind, zero in ((FileKind.ITCH_ZERO, True), (FileKind.ITCH, False)):
        if _is_itch(memoryview(data), zero):
            return kind
    return FileKind.UNKNOWN


def _is_itch(view: memoryview, zero: bool) -> bool:
    """Look at the first records: each has the size of its type, and at least one type is known."""
    at = known = 0
    for _ in range(LOOK):
        if at + 3 > len(view):
            break
        length, size = int.from_bytes(view[at : at + 2], "big"), itch.SIZES[view[at + 2]]
        if zero and (length or not size):
            return False
        if not zero and (not length or (size and length != size)):
            return False
        known += size != 0
        at += 2 + (size if zero else length)
    return known > 0


def _itch50(data: Buffer) -> Match:
    if not all(0x20 <= byte < 0x7F for byte in bytes(data[: moldudp64.SESSION_SIZE])):
        return Match.NO
    packet = moldudp64.decode(data)
    if not packet.messages:
        return Match.LIKELY if packet.count in (moldudp64.HEARTBEAT, moldudp64.END_OF_SESSION) else Match.NO
    sizes = [(len(message), itch.SIZES[message[0]] if len(message) else 0) for message in packet.messages]
    if any(size and size != length for length, size in sizes):
        return Match.NO
    return Match.YES if any(size for _, size in sizes) else Match.NO


_STARBASE_TYPES: Final = (1, 2, 5, 0)  # incremental, snapshot, retransmitted; a request and its reject have none


def _starbase(data: Buffer) -> Match:
    packet = starbase.decode_packet(data)
    if packet.type not in _STARBASE_TYPES or packet.sendingTime < 0 or packet.seqNum < 0:
        return Match.NO
    if packet.heartbeat:
        return Match.LIKELY if packet.type and 0 <= packet.channelId < 2**16 else Match.NO
    templates = (starbase.MESSAGE_HEADER.decode(message).templateId for message in packet.messages)
    return Match.YES if all(template in starbase.SCHEMA.templates for template in templates) else Match.NO


def _deribit(data: Buffer) -> Match:
    packet = deribit.decode_packet(data)
    templates = [deribit.MESSAGE_HEADER.decode(message).templateId for message in packet.messages]
    return Match.YES if templates and all(one in deribit.SCHEMA.templates for one in templates) else Match.NO


def _cme(data: Buffer) -> Match:
    packet = cme.decode_packet(data)
    headers = [cme.MESSAGE_HEADER.decode(message) for message in packet.messages]
    if not headers or any(header.schemaId != cme.SCHEMA_ID or not 0 < header.version < 64 for header in headers):
        return Match.NO
    return Match.YES if any(header.templateId in cme.SCHEMA.templates for header in headers) else Match.NO


def _iex(data: Buffer) -> Match:
    segment = iex.decode_segment(data)
    if segment.message_protocol_id != iex.DEEP_1_0:
        return Match.NO
    for message in segment.messages:
        layout = iex.LAYOUTS.get(chr(message[0])) if len(message) else None
        if layout is not None and len(message) < layout.size:
            return Match.NO
    return Match.YES


SNIFFERS: Final[dict[str, Callable[[Buffer], Match]]] = {
    "iex": _iex,
    "deribit": _deribit,
    "starbase": _starbase,
    "itch50": _itch50,
    "cme": _cme,
}
"""How each protocol is recognised, the most telling first."""


def is_request(payload: Buffer) -> bool:
    """Say whether a unicast payload asks for packets to be sent again: it is no part of any stream."""
    return any(ask(payload) for ask in (_asks_mold, _asks_starbase, _asks_iex))


def _asks_mold(data: Buffer) -> bool:
    if len(data) != moldudp64.HEADER_SIZE or not all(0x20 <= byte < 0x7F for byte in bytes(data[:10])):
        return False
    return moldudp64.decode_request(data).count not in (moldudp64.HEARTBEAT, moldudp64.END_OF_SESSION)


def _asks_starbase(data: Buffer) -> bool:
    at = starbase.PACKET_HEADER.size
    if len(data) < at + starbase.MESSAGE_HEADER.size or any(data[20:22]):
        return False
    header = starbase.MESSAGE_HEADER.decode(data, at)
    known: bool = header.templateId == starbase.TemplateId.RETRANSMIT_REQUEST
    return known and header.messageLength == len(data) - at


def _asks_iex(data: Buffer) -> bool:
    try:
        return iex.decode_gap_fill(data).message_protocol_id == iex.DEEP_1_0
    except WireError:
        return False


def match(protocol: str, payload: Buffer) -> Match:
    """Say whether a payload speaks a protocol."""
    try:
        return SNIFFERS[protocol](payload)
    except WireError:
        return Match.NO


def protocol_of(payload: Buffer) -> tuple[str | None, Match]:
    """Name the protocol of a payload, None when it is none that is known, and how sure that is."""
    likely: str | None = None
    for protocol in SNIFFERS:
        found = match(protocol, payload)
        if found is Match.YES:
            return protocol, found
        if found is Match.LIKELY and likely is None:
            likely = protocol
    return likely, Match.LIKELY if likely else Match.NO
