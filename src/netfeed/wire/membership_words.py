"""The words of IGMP and MLD, which say the same of IPv4 and IPv6: who asks, who wants which group, who leaves.

Both code times in a byte or two: small ones as they are, larger ones as a mantissa and an exponent.
Source: RFC 1112, RFC 2236, RFC 3376 (IGMP 1, 2, 3), RFC 2710, RFC 3810 (MLD 1, 2).
"""

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final, Literal

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer

Address = IPv4Address | IPv6Address
Protocol = Literal["IGMP", "MLD"]

SECOND_NS: Final = 1_000_000_000
DEFAULT_INTERVAL_NS: Final = 125 * SECOND_NS
"""Between general queries, where nobody says otherwise (RFC 3376, 8.2)."""
DEFAULT_RESPONSE_NS: Final = 10 * SECOND_NS
"""Within which hosts answer (8.3); also what IGMPv1 means by 0."""
DEFAULT_ROBUSTNESS: Final = 2
SUPPRESS: Final = 0x08
_RECORD: Final = Struct(">BBH")
MAX_AUXILIARY: Final = 255 * 4


class RecordType(IntEnum):
    """What a record of version 3 (of MLD: 2) says about a group and sources."""

    MODE_IS_INCLUDE = 1
    MODE_IS_EXCLUDE = 2
    CHANGE_TO_INCLUDE = 3
    CHANGE_TO_EXCLUDE = 4
    ALLOW_NEW_SOURCES = 5
    BLOCK_OLD_SOURCES = 6


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """What a host says of one group. `type` may be one that nobody knows: such a record says nothing."""

    type: int
    group: Address
    sources: tuple[Address, ...] = ()
    auxiliary: bytes = b""


@dataclass(frozen=True, slots=True)
class Query:
    """A question: of all groups (`group` None), of one, or of sources of one. Codes are the wire's own numbers."""

    protocol: Protocol
    version: int
    group: Address | None = None
    max_response_code: int = 100
    suppress: bool = False
    robustness: int = 0
    interval_code: int = 0
    sources: tuple[Address, ...] = ()

    @property
    def full(self) -> bool:
        """Say whether it is in the form that has robustness, interval and sources: IGMPv3, MLDv2."""
        return self.version == (3 if self.protocol == "IGMP" else 2)

    @property
    def max_response_ns(self) -> int:
        """Within what time hosts answer."""
        if self.protocol == "MLD":
            value = time_of(self.max_response_code, 16) if self.full else self.max_response_code
            return value * 1_000_000
        if self.version == 1:
            return DEFAULT_RESPONSE_NS
        value = time_of(self.max_response_code, 8) if self.full else self.max_response_code
        return value * 100_000_000

    @property
    def interval_ns(self) -> int | None:
        """Give the querier's interval, None where the version does not tell it."""
        return time_of(self.interval_code, 8) * SECOND_NS if self.full and self.interval_code else None


@dataclass(frozen=True, slots=True)
class Report:
    """What a host wants; versions that know no records have one, that excludes nothing."""

    protocol: Protocol
    version: int
    records: tuple[GroupRecord, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """A host leaves a group: IGMPv2's Leave, MLDv1's Done."""

    protocol: Protocol
    version: int
    group: Address


Message = Query | Report | Leave


def protocol_of(address: Address) -> Protocol:
    """Say which protocol tells of an address."""
    return "IGMP" if address.version == 4 else "MLD"


def time_of(code: int, bits: int) -> int:
    """Read a code of 8 or 16 bits: the value, or with the first bit set three bits of exponent and a mantissa."""
    mantissa = bits - 4
    if code < 1 << bits - 1:
        return code
    return (code & (1 << mantissa) - 1 | 1 << mantissa) << (code >> mantissa & 7) + 3


def code_of(value: int, bits: int) -> int:
    """Code a value; one that cannot be coded becomes the next smaller one that can."""
    mantissa = bits - 4
    if value < 1 << bits - 1:
        return max(0, value)
    exponent = min(7, value.bit_length() - mantissa - 4)
    kept = min(value >> exponent + 3, (2 << mantissa) - 1)
    return 1 << bits - 1 | exponent << mantissa | kept & (1 << mantissa) - 1


def decode_addresses(data: Buffer, at: int, count: int, size: int) -> tuple[Address, ...]:
    """Decode so many addresses of 4 or 16 bytes.

    Raises: WireError when they reach beyond the end.
    """
    need(data, at, count * size, "addresses")
    make = IPv4Address if size == 4 else IPv6Address
    return tuple(make(bytes(data[at + one * size : at + (one + 1) * size])) for one in range(count))


def decode_records(data: Buffer, at: int, count: int, size: int) -> tuple[GroupRecord, ...]:
    """Decode so many group records, whose addresses have 4 or 16 bytes; bytes behind them are not looked at.

    Raises: WireError when one reaches beyond the end.
    """
    found = []
    for _ in range(count):
        need(data, at, _RECORD.size + size, "group record")
        kind, words, sources = _RECORD.unpack_from(data, at)
        addresses = decode_addresses(data, at + _RECORD.size, 1 + sources, size)
        at += _RECORD.size + (1 + sources) * size
        need(data, at, words * 4, "auxiliary data")
        found.append(GroupRecord(kind, addresses[0], addresses[1:], bytes(data[at : at + words * 4])))
        at += words * 4
    return tuple(found)


def encode_records(records: tuple[GroupRecord, ...]) -> bytes:
    """Encode group records.

    Raises: MisuseError for what does not fit a field.
    """
    return b"".join(_encoded(one) for one in records)


def need(data: Buffer, at: int, length: int, what: str) -> None:
    """Refuse what ends before `length` bytes from `at` on.

    Raises: WireError.
    """
    if len(data) - at < length:
        found = f"{max(0, len(data) - at)} bytes"
        raise WireError(f"the {what} end too early", offset=at, found=found, wanted=f"{length} bytes")


def _encoded(record: GroupRecord) -> bytes:
    if not 0 <= record.type <= 255 or len(record.sources) > 0xFFFF or len(record.auxiliary) > MAX_AUXILIARY:
        raise MisuseError(f"no record has type {record.type} and {len(record.sources)} sources")
    if len(record.auxiliary) % 4:
        raise MisuseError("auxiliary data is whole words of 4 bytes")
    head = _RECORD.pack(record.type, len(record.auxiliary) // 4, len(record.sources))
    return head + b"".join(one.packed for one in (record.group, *record.sources)) + record.auxiliary
