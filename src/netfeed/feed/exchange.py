"""Questions over HTTP as a gateway asks them, over TLS or plain: `https://host[:port]` or `http://host[:port]`."""

import ssl
from collections.abc import Sequence
from typing import Any, Protocol

from netfeed.feed.websocket_talk import parsed, tls_context
from netfeed.machine import Buffer
from netfeed.proto import http, tls
from netfeed.proto.http_words import Given
from netfeed.proto.stack import Stack


class Exchange(Protocol):
    """A client of HTTP, one request at a time; its events are those of `proto.http`, others are passed over."""

    @property
    def deadline(self) -> int:
        """Say until when the driver may sleep. Units: monotonic ns."""

    def request(self, method: str, target: str, now: int, headers: Given = (), body: bytes = b"") -> None:
        """Send a request."""

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Any]:
        """Take bytes of the stream."""

    def wake(self, now: int) -> Sequence[Any]:
        """Act on a deadline that has passed."""

    def end(self, now: int) -> Sequence[Any]:
        """Take note that the stream has ended."""

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""


class _OverTls:
    """A client of HTTP on a stack with TLS below."""

    def __init__(self, stack: Stack[tls.Tls, http.Client], client: http.Client) -> None:
        self._stack, self._client = stack, client

    @property
    def deadline(self) -> int:
        return self._stack.deadline

    def request(self, method: str, target: str, now: int, headers: Given = (), body: bytes = b"") -> None:
        self._client.request(method, target, now, headers, body)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Any]:
        return self._stack.receive(data, now)

    def wake(self, now: int) -> Sequence[Any]:
        return self._stack.wake(now)

    def end(self, now: int) -> Sequence[Any]:
        return self._stack.end(now)

    def transmit(self, port: int = 0) -> list[bytes]:
        return self._stack.transmit()


class Exchanges:
    """Makes the exchanges of a venue."""

    def __init__(self, *, context: ssl.SSLContext | None = None, limits: http.Limits | None = None) -> None:
        self._context, self._limits = context, limits

    def __call__(self, endpoint: str, now: int) -> Exchange:
        """Begin over a stream that stands. Raises: MisuseError for what is no such endpoint."""
        url = parsed(endpoint, "http", "https")
        client = http.Client(url.netloc, limits=self._limits)
        if url.scheme == "http":
            return client
        return _OverTls(Stack(tls.client(tls_context(self._context), url.hostname or "", now), client), client)
