"""Read HTTP/1.1 messages of a peer, bounded: bytes in, whole heads and bodies out. h11 does the reading.

Source: RFC 9112; h11's `Connection`, whose other half (what may be sent when) stays with the sides in `http`.

Invariant: however a stream is cut up, the same messages are told, and the same error. So h11 is never given more than
its bound at once: a head of one byte too much is too long whether it came in one piece or in a thousand.

Leaves out: trailers, which are read and dropped; every content coding but gzip, whose bodies are handed on as they are.
"""

import zlib
from dataclasses import dataclass
from typing import Final

import h11

from netfeed.machine import Buffer
from netfeed.proto.http_words import TOO_BIG, TOO_LONG, Headers, Limits, Malformed, tokens

GZIP: Final = 16 + zlib.MAX_WBITS
READS: Final = (h11.IDLE, h11.SEND_RESPONSE, h11.SEND_BODY)
"""States of the peer in which more of it is read."""
MAX_WHAT: Final = 100
"""What is repeated of an error. h11 quotes the peer after a colon, which may be a secret: that part is left out."""
FIRST_LINE: Final = frozenset(
    {"illegal request line", "illegal status line", "no request line received", "no response line received"}
)
"""One fault, which h11 names by how much of the line had come when it was seen."""

NO_FIRST_LINE: Final = "illegal first line"
TLS_RECORDS: Final = (b"\x15", b"\x16")
"""An alert and a handshake: what a peer begins with that speaks TLS."""
TLS: Final = "it speaks TLS where plain HTTP was to come: is wss:// or https:// meant?"
CLOSED: Final = "can't handle event type ConnectionClosed"


@dataclass(frozen=True, slots=True)
class Whole:
    """A message with its body."""

    head: h11.Request | h11.Response
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Switched:
    """The peer agreed to another protocol; nothing more is HTTP."""

    headers: Headers


class Reader:
    """The reading half of one connection."""

    def __init__(self, talk: h11.Connection, limits: Limits) -> None:
        self.limits = limits
        self._talk = talk
        self._ahead = bytearray()
        self._head: h11.Request | h11.Response | None = None
        self._headers: Headers = ()
        self._body = Body(limits.body_bytes)
        self._first = b""
        """The first byte that ever came."""

    @property
    def is_empty(self) -> bool:
        """Say whether no message has begun."""
        return self._head is None and not self._ahead and not self._talk.trailing_data[0]

    def rest(self) -> bytes:
        """Take what was not read: bytes of the protocol that both sides switch to."""
        rest = self._talk.trailing_data[0] + bytes(self._ahead)
        self._ahead.clear()
        return rest

    def put(self, data: Buffer) -> None:
        """Take bytes that came in; `next` reads them."""
        self._ahead += data
        self._first = self._first or bytes(self._ahead[:1])

    def end(self) -> Whole | Switched | Malformed | None:
        """Take note that nothing more comes: a body without a length ends here."""
        try:
            self._talk.receive_data(b"")
            return self._told()
        except h11.RemoteProtocolError as error:
            return self._malformed(error)

    def next(self) -> Whole | Switched | Malformed | None:
        """Read the next message, None when more bytes or a response of ours must come first."""
        try:
            while not self._is_paused:
                told = self._told()
                if told is not None or not self._ahead:
                    return told
                room = self.limits.header_bytes + 1 - len(self._talk.trailing_data[0])
                self._talk.receive_data(bytes(self._ahead[:room]))
                del self._ahead[:room]
            return self._judge_ahead()
        except h11.RemoteProtocolError as error:
            return self._malformed(error)

    def _malformed(self, error: h11.RemoteProtocolError) -> Malformed:
        told = malformed(error)
        return Malformed(TLS, told.status) if told.what == NO_FIRST_LINE and self._first in TLS_RECORDS else told

    @property
    def _is_paused(self) -> bool:
        """A request waits for its response, or both sides have switched: what follows is kept."""
        return self._talk.their_state not in READS

    def _judge_ahead(self) -> Malformed | None:
        if len(self._ahead) + len(self._talk.trailing_data[0]) <= self.limits.ahead_bytes + self.limits.header_bytes:
            return None
        return Malformed("more was sent ahead than is kept", TOO_BIG)

    def _told(self) -> Whole | Switched | Malformed | None:
        while True:
            event = self._talk.next_event()
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return Switched(tuple(event.headers))
            elif isinstance(event, h11.Request | h11.Response):
                self._head, self._headers = event, tuple(event.headers)
                if len(self._headers) > self.limits.headers:
                    return Malformed("too many headers", TOO_LONG)
                self._body = Body(self.limits.body_bytes, gzip=tokens(self._headers, "content-encoding") == ["gzip"])
            elif isinstance(event, h11.Data):
                wrong = self._body.add(bytes(event.data))
                if wrong is not None:
                    return wrong
            elif isinstance(event, h11.EndOfMessage):
                return self._whole()
            else:
                return None

    def _whole(self) -> Whole | Malformed:
        assert self._head is not None, "h11 tells of a head before it tells of an end"
        if self._body.is_torn:
            return Malformed("a gzip body is cut short", 400)
        whole = Whole(self._head, self._headers, self._body.take())
        self._head = None
        return whole


class Body:
    """A body as it comes in, inflated where it is gzip, and never more than its bound."""

    def __init__(self, max_bytes: int, *, gzip: bool = False) -> None:
        self._max = max_bytes
        self._data = bytearray()
        self._came = 0
        self._inflate = zlib.decompressobj(GZIP) if gzip else None

    @property
    def is_torn(self) -> bool:
        """Say whether gzip has begun and not come to its end."""
        return self._inflate is not None and self._came > 0 and not self._inflate.eof

    def add(self, data: bytes) -> Malformed | None:
        """Take a part; a bomb is not inflated beyond the bound."""
        self._came += len(data)
        if self._inflate is not None:
            try:
                data = self._inflate.decompress(data, self._max + 1 - len(self._data))
            except zlib.error:
                return Malformed("a gzip body does not inflate", 400)
        self._data += data
        if max(self._came, len(self._data)) > self._max:
            return Malformed("the body is too big", TOO_BIG)
        return None

    def take(self) -> bytes:
        """Give the whole body, and keep nothing of it."""
        body, self._data = bytes(self._data), bytearray()
        return body


def malformed(error: h11.RemoteProtocolError) -> Malformed:
    """Say what h11 found wrong, without the bytes that it quotes."""
    what = str(error).split(":")[0][:MAX_WHAT]
    if what.startswith(CLOSED):
        what = f"the peer closed before its {'response' if 'SERVER' in what else 'request'} was whole"
    return Malformed(NO_FIRST_LINE if what in FIRST_LINE else what, error.error_status_hint)
