"""What a TLS conversation tells, and its bounds: events, certificates, limits, times, the account.

Every event is frozen. `Received` is the only one with the peer's bytes; all others are about the conversation itself.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from netfeed.errors import MisuseError

HANDSHAKE_NS: Final = 10_000_000_000
"""From the beginning to the last word of the handshake: a slow certificate chain over two round trips fits thrice."""
CLOSE_NS: Final = 3_000_000_000
"""How long the peer's close_notify is waited for after ours."""
HANDSHAKE_BYTES: Final = 128 * 2**10
"""OpenSSL takes chains of 100 KiB; nothing else of a handshake is long."""
QUEUED_BYTES: Final = 4 * 2**20
"""What may wait: plaintext before the handshake is over, records that nobody drains after it."""
REPLY_BYTES: Final = 16 * 2**10
"""What a peer may make us answer without our saying anything: some five hundred refused renegotiations."""


class Reason(Enum):
    """Why a certificate is not believed."""

    WRONG_NAME = "it is for another name"
    EXPIRED = "it has expired"
    NOT_YET_VALID = "it is not valid yet"
    SELF_SIGNED = "nobody but itself vouches for it"
    UNKNOWN_AUTHORITY = "its issuer is not trusted"
    REVOKED = "it was revoked"
    WRONG_PURPOSE = "it is for another purpose"
    BAD_SIGNATURE = "its signature is wrong"
    WEAK = "its key or signature is too weak"
    OTHER = "it cannot be verified"


class Ending(Enum):
    """How a conversation ended."""

    CLEAN = "both said so"
    TRUNCATED = "the stream ended without the peer's close_notify: what came may be cut short"
    UNANSWERED = "we closed, and the peer did not say close_notify"
    FAILED = "it failed"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. Units: ns since 1970. `names` are those it is for: DNS names and addresses."""

    subject: str
    issuer: str
    not_before_ns: int
    not_after_ns: int
    names: tuple[str, ...]
    serial: str

    def __str__(self) -> str:
        until = datetime.fromtimestamp(self.not_after_ns // 10**9, UTC).isoformat()
        names = ", ".join(self.names) or "no name"
        return f"{self.subject or 'no subject'}, issued by {self.issuer}, for {names}, valid until {until}"


@dataclass(frozen=True, slots=True)
class Established:
    """The handshake is over. `verified`: the peer's certificate was asked for and is good.

    `server_name` is whom the client asked for (SNI; None at a server without `names`), `alpn` what both chose,
    `certificate` the peer's.
    """

    version: str
    cipher: str
    alpn: str | None
    server_name: str | None
    session_reused: bool
    verified: bool
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class Received:
    """Plaintext, all of it that one input held."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Unverified:
    """The peer's certificate is not believed: why, which, and the alert that the peer was sent."""

    reason: Reason
    what: str
    certificate: Certificate | None
    alert: str


@dataclass(frozen=True, slots=True)
class AlertReceived:
    """The peer gave the conversation up and said why, by the name of RFC 8446, section 6."""

    alert: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """The peer does not keep to the protocol; `alert` is what it was sent, "" where that is not known."""

    what: str
    alert: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The peer took too long."""

    waiting_for: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing is told after this."""

    reason: str
    ending: Ending


Event = Established | Received | Unverified | AlertReceived | Malformed | TimedOut | Closed


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of a conversation. Units: bytes."""

    handshake_bytes: int = HANDSHAKE_BYTES
    queued_bytes: int = QUEUED_BYTES
    reply_bytes: int = REPLY_BYTES

    def __post_init__(self) -> None:
        if min(self.handshake_bytes, self.queued_bytes, self.reply_bytes) <= 0:
            raise MisuseError("the limits of a TLS conversation are positive")


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a conversation. Units: ns."""

    handshake_ns: int = HANDSHAKE_NS
    close_ns: int = CLOSE_NS

    def __post_init__(self) -> None:
        if min(self.handshake_ns, self.close_ns) <= 0:
            raise MisuseError("the times of a TLS conversation are positive")


@dataclass(frozen=True, slots=True)
class Session:
    """What a later conversation with the same server goes on with. OpenSSL verifies no name again when it does."""

    server_name: str
    ticket: ssl.SSLSession


class State(Enum):
    """Where a conversation stands."""

    HANDSHAKE = "shaking hands"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of a conversation. Units: bytes; `wire` are records, `plain` what they held.

    `reply_bytes` are answers to what was no data, counted in `wire_out_bytes` as well.
    """

    state: State
    wire_in_bytes: int
    wire_out_bytes: int
    plain_in_bytes: int
    plain_out_bytes: int
    reply_bytes: int
    queued_bytes: int


NAMES: Final = frozenset({"DNS", "IP Address", "email", "URI"})
"""The kinds of names that are text; others (a directory's, any other) are left out."""


def certificate_of(told: Mapping[str, Any]) -> Certificate:
    """Make a certificate of what `ssl` tells about one (SSLObject.getpeercert).

    A time that is none is 0: whoever shows a certificate may have written anything into it.
    """
    names = tuple(str(value) for kind, value in told.get("subjectAltName", ()) if kind in NAMES)
    return Certificate(
        _name(told.get("subject", ())), _name(told.get("issuer", ())), _time(told.get("notBefore")),
        _time(told.get("notAfter")), names, str(told.get("serialNumber", "")),
    )  # fmt: skip


_SHORT: Final = {
    "commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU", "countryName": "C",
    "stateOrProvinceName": "ST", "localityName": "L",
}  # fmt: skip
"""RFC 4514, section 3."""


def _name(parts: Any) -> str:
    return ", ".join(f"{_SHORT.get(key, key)}={value}" for part in parts for key, value in part)


def _time(text: str | None) -> int:
    try:
        return ssl.cert_time_to_seconds(text or "") * 10**9
    except ValueError:
        return 0
