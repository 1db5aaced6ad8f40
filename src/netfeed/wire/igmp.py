"""IGMP: who on an IPv4 network wants which groups. Versions 1, 2 and 3.

Source: RFC 1112 appendix I, RFC 2236, RFC 3376 (4: messages, 7.1: how versions of a query are told apart). Every
message is checked against its checksum; bytes behind it belong to that and mean nothing (4.1.10, 4.2.11).

Leaves out: DVMRP, PIMv1, mtrace and router discovery, which share the protocol's number; `decode` gives None for them.
"""

from ipaddress import IPv4Address
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
)

PROTOCOL: Final = 2
"""Of IPv4."""
QUERY, REPORT_1, REPORT_2, LEAVE, REPORT_3 = 0x11, 0x12, 0x16, 0x17, 0x22
SHORT: Final = Layout("IgmpMessage", ">", [("type", "u8"), ("code", "u8"), ("checksum", "u16"), ("group", "b4")])
"""All of versions 1 and 2, and how a query of version 3 begins."""
QUERY_3: Final = Layout("IgmpQuery3", ">", [
    ("type", "u8"), ("code", "u8"), ("checksum", "u16"), ("group", "b4"), ("flags", "u8"), ("interval", "u8"),
    ("sources", "u16"),
])  # fmt: skip
REPORT: Final = Layout("IgmpReport3", ">", [
    ("type", "u8"), ("reserved", "x1"), ("checksum", "u16"), ("reserved", "x2"), ("records", "u16"),
])  # fmt: skip
_REPORTS: Final = {REPORT_1: 1, REPORT_2: 2}


def decode(data: Buffer) -> Message | None:
    """Decode the payload of an IPv4 packet of protocol 2; None: another protocol's message.

    Raises: WireError when a length or the checksum is wrong.
    """
    head = SHORT.decode(data)
    if checksum(bytes(data)) != 0:
        found = f"{head.checksum:#06x}"
        raise WireError("IGMP message has a wrong checksum", offset=2, found=found, wanted="the sum of its bytes")
    if head.type == QUERY:
        return _query(data, head)
    if head.type == REPORT_3:
        count = REPORT.decode(data).records
        return Report("IGMP", 3, decode_records(data, REPORT.size, count, 4))
    group = IPv4Address(head.group)
    if head.type in _REPORTS:
        return Report("IGMP", _REPORTS[head.type], (GroupRecord(RecordType.MODE_IS_EXCLUDE, group),))
    return Leave("IGMP", 2, group) if head.type == LEAVE else None


def encode(message: Message) -> bytes:
    """Encode a message of IGMP with its checksum.

    Raises: MisuseError for what its version cannot say.
    """
    if message.protocol != "IGMP":
        raise MisuseError(f"IGMP says nothing of {message.protocol}")
    bare = _encoded(message)
    return bare[:2] + checksum(bare).to_bytes(2) + bare[4:]


def _query(data: Buffer, head: Any) -> Query:
    group = IPv4Address(head.group) if any(head.group) else None
    if len(data) == SHORT.size:
        return Query("IGMP", 2 if head.code else 1, group, head.code)
    full = QUERY_3.decode(data)
    sources = decode_addresses(data, QUERY_3.size, full.sources, 4)
    return Query("IGMP", 3, group, head.code, bool(full.flags & SUPPRESS), full.flags & 7, full.interval, sources)


def _encoded(message: Message) -> bytes:
    if isinstance(message, Leave):
        return SHORT.encode(LEAVE, 0, 0, message.group.packed)
    if isinstance(message, Query):
        return _encoded_query(message)
    if message.version == 3:
        return REPORT.encode(REPORT_3, 0, len(message.records)) + encode_records(message.records)
    kind = next((kind for kind, version in _REPORTS.items() if version == message.version), 0)
    if len(message.records) != 1 or not kind:
        raise MisuseError(f"a report of IGMPv{message.version} is about one group, and the version is 1, 2 or 3")
    return SHORT.encode(kind, 0, 0, message.records[0].group.packed)


def _encoded_query(query: Query) -> bytes:
    group = query.group.packed if query.group else bytes(4)
    if query.version < 3:
        if (query.version == 1) != (query.max_response_code == 0) or query.sources:
            raise MisuseError("the response time is 0 in IGMPv1 and nowhere else, and sources need IGMPv3")
        return SHORT.encode(QUERY, query.max_response_code, 0, group)
    if not 0 <= query.robustness <= 7:
        raise MisuseError(f"robustness is 0 to 7, not {query.robustness}")
    flags = (SUPPRESS if query.suppress else 0) | query.robustness
    head = QUERY_3.encode(QUERY, query.max_response_code, 0, group, flags, query.interval_code, len(query.sources))
    return head + b"".join(one.packed for one in query.sources)
