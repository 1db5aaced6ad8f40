"""The opening handshake of a WebSocket: what a client proposes, what a server answers, and whether each is in order.

Source: RFC 6455 section 4 (and 11.3 for the headers); HTTP itself is `proto.http`.
Leaves out: cookies, authentication, the check of Origin, which is the user's decision (`Requested.header("origin")`).
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from netfeed.errors import MisuseError
from netfeed.proto import http
from netfeed.proto.http_conversation import names, written
from netfeed.proto.http_words import Given
from netfeed.proto.websocket_deflate import OFFER, Agreement, agreed, answer
from netfeed.proto.websocket_words import Headers

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY_BYTES: Final = 16
OURS: Final = frozenset({
    b"connection", b"upgrade", b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-key",
    b"sec-websocket-protocol", b"sec-websocket-version",
})  # fmt: skip
"""Headers that are written here, and that no user gives."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a handshake ended with."""

    subprotocol: str | None
    deflate: Agreement | None


@dataclass(frozen=True, slots=True)
class Unfit:
    """A request that asks for no WebSocket, and the status that it is refused with."""

    what: str
    status: int
    headers: Given = ()


def accepted(key: bytes) -> bytes:
    """Give the Sec-WebSocket-Accept that proves that the server has read this key."""
    return b64encode(sha1(key + GUID, usedforsecurity=False).digest())


def given(headers: Given) -> list[tuple[bytes, bytes]]:
    """Take a user's headers. Raises: MisuseError for those that the handshake writes."""
    fields = written(headers)
    if taken := names(fields) & OURS:
        raise MisuseError(f"the handshake writes {', '.join(sorted(name.decode() for name in taken))} itself")
    return fields


def proposal(
    key: bytes, subprotocols: Iterable[str], headers: Given, *, compression: bool
) -> list[tuple[bytes, bytes]]:
    """Write the headers of a client's request, but for Host."""
    fields = [
        (b"upgrade", b"websocket"), (b"connection", b"Upgrade"), (b"sec-websocket-key", key),
        (b"sec-websocket-version", b"13"),
    ]  # fmt: skip
    offered = ", ".join(subprotocols)
    if offered:
        fields += written([("sec-websocket-protocol", offered)])
    if compression:
        fields.append((b"sec-websocket-extensions", OFFER))
    return fields + given(headers)


def judge_answer(headers: Headers, key: bytes, subprotocols: Sequence[str], *, compression: bool) -> Agreed | str:
    """Judge the headers of a server's 101: what was agreed, or what is wrong."""
    if http.tokens(headers, "upgrade") != ["websocket"] or "upgrade" not in http.tokens(headers, "connection"):
        return "the server switched to something else than a WebSocket"
    if http.header(headers, "sec-websocket-accept") != accepted(key).decode():
        return "the server did not read the key of the handshake"
    subprotocol = http.header(headers, "sec-websocket-protocol")
    if subprotocol is not None and subprotocol not in subprotocols:
        return "the server chose a subprotocol that was not offered"
    value = http.header(headers, "sec-websocket-extensions")
    if value is not None and not compression:
        return "an extension that was not offered"
    deflate = agreed(value)
    return deflate if isinstance(deflate, str) else Agreed(subprotocol, deflate)


def judge_request(request: http.Request) -> Unfit | None:
    """Judge a client's request: None when it is in order."""
    upgrades = "websocket" in http.tokens(request.headers, "upgrade")
    if request.method != "GET" or not upgrades or "upgrade" not in http.tokens(request.headers, "connection"):
        return Unfit("a request for something else than a WebSocket", 426, [("upgrade", "websocket")])
    if request.header("sec-websocket-version") != "13":
        return Unfit("a version of WebSocket that is not 13", 426, [("sec-websocket-version", "13")])
    try:
        key = b64decode(key_of(request), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        return Unfit("a handshake without a key of 16 bytes", 400)
    if request.body:
        return Unfit("a handshake with a body", 400)
    return None


def key_of(request: http.Request) -> bytes:
    """Give the key of a client's request."""
    return (request.header("sec-websocket-key") or "").encode("latin-1")


def offers(request: http.Request) -> tuple[str, ...]:
    """Give the subprotocols that a client offers, best first."""
    return tuple(part.strip() for part in (request.header("sec-websocket-protocol") or "").split(",") if part.strip())


def grant(
    request: http.Request, subprotocol: str | None, headers: Given, *, compression: bool
) -> tuple[Agreed, list[tuple[bytes, bytes]]]:
    """Choose from what a client offers, and write the headers of the 101."""
    fields = [
        (b"upgrade", b"websocket"), (b"connection", b"Upgrade"), (b"sec-websocket-accept", accepted(key_of(request))),
    ]  # fmt: skip
    if subprotocol is not None:
        if subprotocol not in offers(request):
            raise MisuseError(f"the client did not offer the subprotocol {subprotocol!r}")
        fields += written([("sec-websocket-protocol", subprotocol)])
    chosen = answer(request.header("sec-websocket-extensions")) if compression else None
    if chosen is not None:
        fields.append((b"sec-websocket-extensions", chosen[1]))
    return Agreed(subprotocol, chosen[0] if chosen else None), fields + given(headers)
