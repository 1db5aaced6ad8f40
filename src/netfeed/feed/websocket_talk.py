"""A WebSocket as a `Talk`, over TLS or plain: the conversation that venues hold with the world.

    endpoint                          what is spoken
    wss://host[:port]/path            WebSocket over TLS, with the context that `WebSockets` was given
    ws://host[:port]/path             WebSocket

Frames of a piece of the stream come as one `Heard`, without an object for each. Pings of the venue are answered by the
WebSocket itself, before anything is told; ours are the session's, who knows what the venue declares.

What ended it is told with the cause that lies deepest: a certificate that is not believed, an alert, a status of HTTP,
a breach of the protocol, and only then the close code. Bounds are those of `proto`.
"""

import ssl
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from netfeed.errors import MisuseError
from netfeed.feed.talk import Ended, EndedBy, Heard, Lively, Opened, Talk, Word
from netfeed.machine import NEVER, Buffer
from netfeed.proto import tls, websocket
from netfeed.proto.http_words import Given
from netfeed.proto.stack import Stack
from netfeed.proto.tls_words import Session
from netfeed.proto.websocket import Closed, Code, Malformed, Messages, Pinged, Ponged, Refused, TimedOut, Who

TIMING: Final = websocket.Timing(ping_ns=NEVER, pong_ns=NEVER)
"""Signs of life are the session's business."""
MAX_WAIT_S: Final = 10**6
SecureClient = Stack[tls.Tls, websocket.Client]


class WebSocketTalk:
    """One conversation: `client` speaks, `stream` is what its bytes go through: itself, or a stack with TLS below.

    `remember` is given the TLS session at the end, for the next conversation to go on with.
    """

    def __init__(
        self, client: websocket.Client, stream: websocket.Client | SecureClient,
        remember: Callable[[Session], None] | None = None,
    ) -> None:  # fmt: skip
        self._client, self._stream, self._remember = client, stream, remember
        self._why = ""
        self._was_us = self._was_open = False
        self._wait_ns = 0
        self._last: list[bytes] = []
        self._is_over = False

    @property
    def deadline(self) -> int:
        """Say until when the driver may sleep. Units: monotonic ns."""
        return NEVER if self._is_over else self._stream.deadline

    def say(self, message: bytes, now: int) -> None:
        """Send a text; what is said to a peer that has just closed is dropped."""
        if self._client.is_open:
            self._client.send_text(message)

    def ping(self, now: int) -> None:
        """Ping, unless as many as a peer may owe us are unanswered."""
        if self._client.is_open and self._client.may_ping:
            self._client.ping(now)

    def leave(self, reason: str, now: int) -> None:
        """Say a close frame and, below it, that nothing follows; then it is over for us."""
        if self._is_over:
            return
        if self._client.is_open:
            self._client.close(now, Code.NORMAL, reason.encode()[:100].decode("utf-8", "ignore"))
        self._last = self._stream.transmit()
        if isinstance(self._stream, Stack):
            self._stream.lower.close(now)
            self._last += self._stream.lower.transmit()
        self._close()

    def receive(self, data: Buffer, now: int, port: int = 0) -> Iterable[Word]:
        """Take bytes of the stream."""
        return [] if self._is_over else self._meant(self._stream.receive(data, now))

    def wake(self, now: int) -> list[Word]:
        """Act on a deadline that has passed."""
        return [] if self._is_over else self._meant(self._stream.wake(now))

    def end(self, now: int) -> list[Word]:
        """Take note that the stream has ended."""
        return [] if self._is_over else self._meant(self._stream.end(now))

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        last, self._last = self._last, []
        return last if self._is_over else self._stream.transmit()

    def _meant(self, events: Iterable[Any]) -> list[Word]:
        words: list[Word] = []
        for event in events:
            kind = type(event)
            if kind is Messages:
                words.append(Heard(event))
            elif kind in (Pinged, Ponged):
                words.append(Lively())
            elif kind is websocket.Opened:
                self._was_open = True
                words.append(Opened())
            elif kind is Closed:
                words.append(self._ended(event))
            else:
                self._note(event)
        return words

    def _note(self, event: Any) -> None:
        """Remember what explains the end that follows."""
        if isinstance(event, Refused):
            wait = event.header("retry-after") or ""
            if wait.isascii() and wait.isdigit():
                self._wait_ns = min(int(wait[:9]), MAX_WAIT_S) * 1_000_000_000
        why = WHY.get(type(event))
        if why is not None and not self._why:
            self._why = why(event)
            self._was_us = isinstance(event, tls.Unverified | tls.Malformed | tls.TimedOut)

    def _ended(self, event: Closed) -> Ended:
        self._last = self._stream.transmit()
        self._close()
        by: EndedBy = "us" if event.by is Who.WE or self._was_us else "venue"
        if event.by is Who.PEER and event.code == Code.ABNORMAL and not self._why:
            by = "network"
        return Ended(by, event.code, self._why or event.reason, self._wait_ns)

    def _close(self) -> None:
        self._is_over = True
        lower = self._stream.lower if isinstance(self._stream, Stack) else None
        session = lower.session if lower is not None and self._was_open else None
        if self._remember is not None and session is not None:
            self._remember(session)


WHY: Final[dict[type, Callable[[Any], str]]] = {
    Refused: lambda event: f"the handshake was refused with status {event.status}",
    Malformed: lambda event: event.what,
    TimedOut: lambda event: f"waited in vain for {event.waiting_for}",
    tls.Unverified: lambda event: (
        f"its certificate is not believed (`tls.ca` names whom to believe): {event.what} ({event.certificate})"
    ),
    tls.AlertReceived: lambda event: f"TLS alert {event.alert}",
    tls.Malformed: lambda event: f"no TLS: {event.what}",
    tls.TimedOut: lambda event: f"waited in vain for {event.waiting_for}",
}
"""Why a conversation ended, by the event that tells so."""


class WebSockets:
    """Makes the talks of a venue. `headers` go with each handshake and are never told.

    An endpoint's TLS session is gone on with by its next connection, which saves a round trip and the certificates.
    """

    def __init__(
        self, random_bytes: Callable[[int], bytes], *, context: ssl.SSLContext | None = None, headers: Given = (),
        limits: websocket.Limits | None = None, compression: bool = True,
    ) -> None:  # fmt: skip
        self._random_bytes, self._context, self._headers = random_bytes, context, tuple(headers)
        self._limits, self._compression = limits, compression
        self._sessions: dict[str, Session] = {}  # one for each endpoint that is configured

    def __call__(self, endpoint: str, now: int) -> Talk:
        """Begin to talk over a stream that stands. Raises: MisuseError for what is no such endpoint."""
        url = parsed(endpoint, "ws", "wss")
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        client = websocket.Client(
            url.netloc, target, now, random_bytes=self._random_bytes, headers=self._headers, limits=self._limits,
            compression=self._compression, timing=TIMING,
        )  # fmt: skip
        if url.scheme == "ws":
            return WebSocketTalk(client, client)
        known = self._sessions.pop(endpoint, None)
        below = tls.client(tls_context(self._context), url.hostname or "", now, session=known)
        return WebSocketTalk(client, Stack(below, client), partial(self._sessions.__setitem__, endpoint))


def parsed(endpoint: str, *schemes: str) -> SplitResult:
    """Take an endpoint apart. Raises: MisuseError for what is none."""
    try:
        url = urlsplit(endpoint)
        known = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        known = False
    if not known or url.username or url.fragment:
        raise MisuseError(f"an endpoint is {schemes[-1]}://host:port/path, without a user or a fragment")
    return url


def tls_context(context: ssl.SSLContext | None) -> ssl.SSLContext:
    """Give the context. Raises: MisuseError when none was given."""
    if context is None:
        raise MisuseError("an endpoint with TLS wants a context: proto.tls.client_context(Trust())")
    return context
