"""The words of an HTTP/1.1 conversation: its bounds and times, and what both sides tell.

Source: RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 1952 (gzip).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from netfeed.errors import MisuseError

Headers = tuple[tuple[bytes, bytes], ...]
"""Header fields as they came, names in lower case."""
Given = Iterable[tuple[str | bytes, str | bytes]]
"""Header fields as a caller gives them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may make this side keep. Units: bytes, but for `headers` and `waiting` (counts).

    `body_bytes` bounds a body both as it comes and as it is after gzip; `waiting` the requests of a client that wait
    for their turn; `ahead_bytes` what may come before it can be read: requests that were not waited for.
    """

    header_bytes: int = 16 * 1024
    headers: int = 100
    body_bytes: int = 16 * 2**20
    waiting: int = 64
    ahead_bytes: int = 64 * 1024

    def __post_init__(self) -> None:
        if min(self.header_bytes, self.headers, self.body_bytes, self.waiting, self.ahead_bytes) <= 0:
            raise MisuseError("the bounds of an HTTP conversation are positive")


@dataclass(frozen=True, slots=True)
class Timing:
    """The times of a conversation. Units: ns.

    `request_ns` from the first byte of a request to its last (who sends a byte a minute is cut off), `response_ns` from
    the request to the last byte of its response, `idle_ns` how long a server keeps a connection that says nothing.
    """

    request_ns: int = 10_000_000_000
    response_ns: int = 30_000_000_000
    idle_ns: int = 75_000_000_000

    def __post_init__(self) -> None:
        if min(self.request_ns, self.response_ns, self.idle_ns) <= 0:
            raise MisuseError("the times of an HTTP conversation are positive")


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request came in; the server answers it with `respond` or `upgrade`. `body` is after gzip."""

    number: int
    method: str
    target: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Give the value of a header, the values of several joined by commas, None when it is absent."""
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response came in, to the request of this number. `body` is after gzip."""

    number: int
    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Give the value of a header, the values of several joined by commas, None when it is absent."""
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The server speaks another protocol from here on (status 101). `rest` is what already came of it."""

    headers: Headers
    rest: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """The peer sent what is no HTTP, or more than the bounds allow. `status` is the error that it amounts to."""

    what: str
    status: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The peer took too long. `waiting_for` says for what."""

    waiting_for: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The conversation is over; the driver drains and closes. `unanswered` requests got no response."""

    reason: str
    unanswered: int = 0


Event = Request | Response | Upgraded | Malformed | TimedOut | Closed


@dataclass(frozen=True, slots=True)
class Statistics:
    """The account of a conversation. Units: bytes on the wire; `body_bytes` after gzip."""

    requests: int
    responses: int
    bytes_in: int
    bytes_out: int
    body_bytes: int
    malformed: int
    timed_out: int


TOO_LONG: Final = 431
TOO_BIG: Final = 413


def header(headers: Headers, name: str) -> str | None:
    """Give the value of a header, the values of several joined by commas, None when it is absent."""
    wanted = name.lower().encode("ascii")
    values = [value for found, value in headers if found == wanted]
    return b", ".join(values).decode("latin-1") if values else None


def tokens(headers: Headers, name: str) -> list[str]:
    """Give the members of a header that is a list, in lower case."""
    return [part.strip().lower() for part in (header(headers, name) or "").split(",") if part.strip()]
