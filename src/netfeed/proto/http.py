"""HTTP/1.1 over one connection, as a client and as a server, with bounds: REST snapshots and the door to WebSocket.

Source: RFC 9110 and 9112, by h11; RFC 1952 (gzip). The client keeps its connection alive and sends one request at a
time, the others wait for their turn; the server tells one request at a time and is asked for its answer. Bodies with a
length, chunked, and until the end of the connection; gzip is inflated no further than the bound.

    client = Client("www.example.com")                 server = Server(now)
    client.request("GET", "/book", now)                Request(1, "GET", "/book", headers, b"")
    Response(1, 200, headers, body)                    server.respond(200, body, now)

A request that proposes another protocol ends in `Upgraded` (client), or is granted by `upgrade` (server): from there on
the bytes are that protocol's, `Upgraded.rest` and `Server.rest` are what came of it already, and this machine is over.

A peer that sends what is no HTTP, too much, or too slowly is told (`Malformed`, `TimedOut`), answered with the error's
status where one can be, and the conversation ends with one `Closed`.

Leaves out: HTTP/2, proxies, trailers, redirects, cookies; sending several requests ahead of their answers.
"""

import zlib
from collections import deque
from collections.abc import Sequence
from typing import Final

import h11

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.http_conversation import Conversation, names, written
from netfeed.proto.http_reader import GZIP, Switched, Whole
from netfeed.proto.http_words import (
    Closed,
    Event,
    Given,
    Headers,
    Limits,
    Malformed,
    Request,
    Response,
    Statistics,
    TimedOut,
    Timing,
    Upgraded,
    header,
    tokens,
)

__all__ = [
    "Client",
    "Closed",
    "Event",
    "Headers",
    "Limits",
    "Malformed",
    "Request",
    "Response",
    "Server",
    "Statistics",
    "TimedOut",
    "Timing",
    "Upgraded",
    "header",
    "tokens",
]

NO_BODY: Final = frozenset({204, 304})


class Client:
    """The client's side of one connection to `host` (with `:port` where it is not the scheme's own)."""

    def __init__(self, host: str, *, limits: Limits | None = None, timing: Timing | None = None) -> None:
        try:
            self._host = host.encode("idna")
        except UnicodeError:
            raise MisuseError(f"{host!r} is no host") from None
        self._timing = timing or Timing()
        self._limits = limits or Limits()
        self._talk = Conversation(h11.CLIENT, self._limits)
        self._waiting: deque[tuple[h11.Request, bytes]] = deque()
        self._asked = 0  # 1 while a response is waited for

    def request(self, method: str, target: str, now: int, headers: Given = (), body: bytes = b"") -> None:
        """Send a request, or keep it until those before it are answered. The first one has number 1.

        Raises: MisuseError when too many wait, the conversation is over, or a header cannot be.
        """
        self._talk.command("send a request")
        if len(self._waiting) >= self._limits.waiting:
            raise MisuseError(f"{len(self._waiting)} requests wait already")
        fields = written(headers)
        if b"host" not in names(fields):
            fields.insert(0, (b"host", self._host))
        if b"accept-encoding" not in names(fields):
            fields.append((b"accept-encoding", b"gzip"))
        if body or method in ("POST", "PUT", "PATCH"):
            fields.append((b"content-length", b"%d" % len(body)))
        self._waiting.append((request(method, target, fields), body))
        self._send_next(now)

    @property
    def unanswered(self) -> int:
        """Say how many requests wait for their response."""
        return self._asked + len(self._waiting)

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._talk.is_closed

    @property
    def deadline(self) -> int:
        """Say until when a response is waited for. Units: monotonic ns."""
        return self._talk.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        if self._talk.is_closed or not len(data):
            return []
        self._talk.put(data)
        events: list[Event] = []
        while not self._talk.is_closed:
            if not self._asked:
                if not self._talk.reader.is_empty:
                    return events + self._fail(Malformed("a response that nobody asked for", 400))
                break
            told = self._talk.next()
            if told is None:
                break
            events += self._told(told, now)
        return events

    def wake(self, now: int) -> Sequence[Event]:
        """Give up a response that is due. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        return self._talk.timed_out("a response") + self._close("no response in time")

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed; a response without a length ends here."""
        if self._talk.is_closed:
            return []
        told = self._talk.reader.end()
        events = self._told(told, now) if told is not None else []
        return events if self._talk.is_closed else events + self._close("the peer closed")

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.transmit()

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return self._talk.statistics()

    def _told(self, told: Whole | Switched | Malformed, now: int) -> list[Event]:
        if isinstance(told, Malformed):
            return self._fail(told)
        self._asked = 0
        self._talk.responses += 1
        if isinstance(told, Switched):
            self._talk.leave()
            return [Upgraded(told.headers, self._talk.reader.rest())]
        assert isinstance(told.head, h11.Response)
        self._talk.deadline = NEVER
        response = Response(self._talk.responses, told.head.status_code, told.headers, told.body)
        if self._talk.talk.our_state is not h11.DONE or self._talk.talk.their_state is not h11.DONE:
            return [response, *self._close("the server closes after this response")]
        self._talk.talk.start_next_cycle()
        self._send_next(now)
        return [response]

    def _send_next(self, now: int) -> None:
        if self._asked or not self._waiting:
            return
        head, body = self._waiting.popleft()
        self._talk.send(head, *([h11.Data(data=body)] if body else []), h11.EndOfMessage())
        self._talk.requests += 1
        self._asked = 1
        self._talk.deadline = min(NEVER, now + self._timing.response_ns)

    def _fail(self, found: Malformed) -> list[Event]:
        return self._talk.malformed(found) + self._close(found.what)

    def _close(self, reason: str) -> list[Event]:
        unanswered = self.unanswered
        self._waiting.clear()
        self._asked = 0
        return self._talk.close(reason, unanswered)


class Server:
    """The server's side of one connection, which begins with it at `now`."""

    def __init__(self, now: int, *, limits: Limits | None = None, timing: Timing | None = None) -> None:
        self._timing = timing or Timing()
        self._talk = Conversation(h11.SERVER, limits or Limits())
        self._owed: Whole | None = None
        self._ahead = self._last = False
        self._idle(now)

    def respond(
        self, status: int, body: bytes, now: int, headers: Given = (), *, gzip: bool = False, close: bool = False
    ) -> None:
        """Answer the request that was told. `gzip` compresses for those who accept it; `close` makes it the last.

        Raises: MisuseError when no request waits for an answer, or a header cannot be.
        """
        owed = self._owes("respond")
        fields = written(headers)
        if gzip and "gzip" in tokens(owed.headers, "accept-encoding"):
            body = compressed(body)
            fields.append((b"content-encoding", b"gzip"))
        if status not in NO_BODY:
            fields.append((b"content-length", b"%d" % len(body)))
        if close:
            fields.append((b"connection", b"close"))
        head = response(status, fields)
        assert isinstance(owed.head, h11.Request)
        empty = not body or status in NO_BODY or owed.head.method == b"HEAD"
        self._talk.send(head, *([] if empty else [h11.Data(data=body)]), h11.EndOfMessage())
        self._answered()
        if self._talk.talk.our_state is h11.DONE and self._talk.talk.their_state is h11.DONE:
            self._talk.talk.start_next_cycle()
            self._idle(now)
        else:  # told when the peer or the deadline comes: the driver must drain first
            self._talk.deadline = now
            self._last = True

    def upgrade(self, now: int, headers: Given = ()) -> None:
        """Grant the other protocol that the request proposed (status 101); the machine is over, `rest` is what came.

        Raises: MisuseError when no request waits for an answer, or it proposed nothing.
        """
        self._owes("upgrade")
        if self._talk.talk.their_state in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
            raise MisuseError("the request proposed no other protocol")
        self._talk.send(switch(written(headers)))
        self._answered()
        self._talk.leave()

    def rest(self) -> bytes:
        """Take what came after a request that was upgraded."""
        return self._talk.reader.rest()

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._talk.is_closed

    @property
    def deadline(self) -> int:
        """Say until when a request may take, or when the next one is read. Units: monotonic ns."""
        return self._talk.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        if self._talk.is_closed or self._last or not len(data):
            return []
        if self._owed is None and self._talk.reader.is_empty:
            self._talk.deadline = min(NEVER, now + self._timing.request_ns)
        self._talk.put(data)
        return self._read()

    def wake(self, now: int) -> Sequence[Event]:
        """Read the next request that has come already, or give a slow peer up. An early call does nothing."""
        if now < self.deadline:
            return []
        if self._last:
            return self._talk.close("the last response was given")
        if self._ahead:
            self._ahead = False
            self._talk.deadline = min(NEVER, now + self._timing.request_ns)
            return self._read()
        if self._talk.reader.is_empty:
            return self._talk.timed_out("a request") + self._talk.close("idle")
        self._refuse(408)
        return self._talk.timed_out("the rest of a request") + self._talk.close("a request took too long")

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed."""
        if self._talk.is_closed:
            return []
        told = None if self._owed is not None or self._last else self._talk.reader.end()
        events = self._talk.malformed(told) if isinstance(told, Malformed) else []
        return events + self._talk.close("the peer closed", int(self._owed is not None))

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.transmit()

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return self._talk.statistics()

    def _read(self) -> list[Event]:
        told = self._talk.next()
        if isinstance(told, Malformed):
            self._refuse(told.status)
            return self._talk.malformed(told) + self._talk.close(told.what, int(self._owed is not None))
        if not isinstance(told, Whole):
            return []
        assert isinstance(told.head, h11.Request)
        self._owed = told
        self._talk.deadline = NEVER
        self._talk.requests += 1
        method, target = told.head.method.decode("ascii"), told.head.target.decode("latin-1")
        return [Request(self._talk.requests, method, target, told.headers, told.body)]

    def _owes(self, what: str) -> Whole:
        self._talk.command(what)
        if self._owed is None:
            raise MisuseError(f"cannot {what}: no request waits for an answer")
        return self._owed

    def _answered(self) -> None:
        self._owed = None
        self._talk.responses += 1

    def _idle(self, now: int) -> None:
        """Wait for the next request; one that has come already is read at the next wake, which is due at once."""
        self._ahead = not self._talk.reader.is_empty
        self._talk.deadline = now if self._ahead else min(NEVER, now + self._timing.idle_ns)

    def _refuse(self, status: int) -> None:
        """Answer what cannot be answered otherwise, where the state of the conversation still allows it."""
        if self._talk.talk.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            fields = [(b"content-length", b"0"), (b"connection", b"close")]
            self._talk.send(h11.Response(status_code=status, headers=fields), h11.EndOfMessage())


def request(method: str, target: str, headers: list[tuple[bytes, bytes]]) -> h11.Request:
    """Make the head of a request. Raises: MisuseError when it cannot be."""
    try:
        return h11.Request(method=method, target=target, headers=headers)
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise MisuseError(f"no such request can be sent: {str(error).split(':')[0]}") from None


def response(status: int, headers: list[tuple[bytes, bytes]]) -> h11.Response:
    """Make the head of a response. Raises: MisuseError when it cannot be."""
    try:
        return h11.Response(status_code=status, headers=headers)
    except h11.LocalProtocolError as error:
        raise MisuseError(f"no such response can be sent: {str(error).split(':')[0]}") from None


def switch(headers: list[tuple[bytes, bytes]]) -> h11.InformationalResponse:
    """Make the head of a response that grants an upgrade. Raises: MisuseError when it cannot be."""
    try:
        return h11.InformationalResponse(status_code=101, headers=headers, reason=b"Switching Protocols")
    except h11.LocalProtocolError as error:
        raise MisuseError(f"no such response can be sent: {str(error).split(':')[0]}") from None


def compressed(body: bytes) -> bytes:
    """Give a body as gzip."""
    deflate = zlib.compressobj(wbits=GZIP)
    return deflate.compress(body) + deflate.flush()
