"""MLD: who on an IPv6 network wants which groups. Versions 1 and 2, messages of ICMPv6.

Source: RFC 2710, RFC 3810 (5: messages, 8.1: how versions of a query are told apart). The checksum is taken over the
addresses of the packet, too.

Leaves out: all other messages of ICMPv6; `decode` gives None for them.
"""

from ipaddress import IPv6Address
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.headers import checksum
from netfeed.wire.layout import Layout
from netfeed.wire.membership_words import (
    SUPPRESS,
    GroupRecord,
    Leave,
    Message,
    Query,
    RecordType,
    Report,
    decode_addresses,
    decode_records,
    encode_records,
    need,
)

PROTOCOL: Final = 58
"""ICMPv6 as the next header of IPv6."""
QUERY, REPORT_1, DONE, REPORT_2 = 130, 131, 132, 143
KINDS: Final = frozenset({QUERY, REPORT_1, DONE, REPORT_2})
SHORT: Final = Layout("MldMessage", ">", [
    ("type", "u8"), ("code", "u8"), ("checksum", "u16"), ("response", "u16"), ("reserved", "x2"), ("group", "b16"),
])  # fmt: skip
"""All of version 1, and how a query of version 2 begins."""
QUERY_2: Final = Layout("MldQuery2", ">", [
    ("type", "u8"), ("code", "u8"), ("checksum", "u16"), ("response", "u16"), ("reserved", "x2"), ("group", "b16"),
    ("flags", "u8"), ("interval", "u8"), ("sources", "u16"),
])  # fmt: skip
REPORT: Final = Layout("MldReport2", ">", [
    ("type", "u8"), ("reserved", "x1"), ("checksum", "u16"), ("reserved", "x2"), ("records", "u16"),
])  # fmt: skip


def decode(data: Buffer, source: IPv6Address, destination: IPv6Address) -> Message | None:
    """Decode a message of ICMPv6 between two addresses; None: it is about something else.

    Raises: WireError when a length or the checksum is wrong.
    """
    need(data, 0, 4, "ICMPv6 message")
    if data[0] not in KINDS:
        return None
    if checksum(_pseudo(len(data), source, destination) + bytes(data)) != 0:
        found = bytes(data[2:4]).hex()
        raise WireError("MLD message has a wrong checksum", offset=2, found=found, wanted="the sum of its bytes")
    if data[0] == REPORT_2:
        return Report("MLD", 2, decode_records(data, REPORT.size, REPORT.decode(data).records, 16))
    head = SHORT.decode(data)
    if head.type == QUERY:
        return _query(data, head)
    group = IPv6Address(head.group)
    if head.type == DONE:
        return Leave("MLD", 1, group)
    return Report("MLD", 1, (GroupRecord(RecordType.MODE_IS_EXCLUDE, group),))


def encode(message: Message, source: IPv6Address, destination: IPv6Address) -> bytes:
    """Encode a message of MLD with the checksum that it has between two addresses.

    Raises: MisuseError for what its version cannot say.
    """
    if message.protocol != "MLD":
        raise MisuseError(f"MLD says nothing of {message.protocol}")
    bare = _encoded(message)
    return bare[:2] + checksum(_pseudo(len(bare), source, destination) + bare).to_bytes(2) + bare[4:]


def _query(data: Buffer, head: Any) -> Query:
    group = IPv6Address(head.group) if any(head.group) else None
    if len(data) == SHORT.size:
        return Query("MLD", 1, group, head.response)
    full = QUERY_2.decode(data)
    sources = decode_addresses(data, QUERY_2.size, full.sources, 16)
    return Query("MLD", 2, group, head.response, bool(full.flags & SUPPRESS), full.flags & 7, full.interval, sources)


def _encoded(message: Message) -> bytes:
    if isinstance(message, Leave):
        return SHORT.encode(DONE, 0, 0, 0, message.group.packed)
    if isinstance(message, Query):
        return _encoded_query(message)
    if message.version == 2:
        return REPORT.encode(REPORT_2, 0, len(message.records)) + encode_records(message.records)
    if len(message.records) != 1 or message.version != 1:
        raise MisuseError(f"a report of MLDv{message.version} is about one group, and the version is 1 or 2")
    return SHORT.encode(REPORT_1, 0, 0, 0, message.records[0].group.packed)


def _encoded_query(query: Query) -> bytes:
    group = query.group.packed if query.group else bytes(16)
    if query.version == 1:
        if query.sources:
            raise MisuseError("sources need MLDv2")
        return SHORT.encode(QUERY, 0, 0, query.max_response_code, group)
    if not 0 <= query.robustness <= 7:
        raise MisuseError(f"robustness is 0 to 7, not {query.robustness}")
    flags = (SUPPRESS if query.suppress else 0) | query.robustness
    head = QUERY_2.encode(QUERY, 0, 0, query.max_response_code, group, flags, query.interval_code, len(query.sources))
    return head + b"".join(one.packed for one in query.sources)


def _pseudo(length: int, source: IPv6Address, destination: IPv6Address) -> bytes:
    return source.packed + destination.packed + length.to_bytes(4) + PROTOCOL.to_bytes(4)
