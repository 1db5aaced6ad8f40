"""The server's side of a WebSocket: a request is told and judged by the user, then the conversation both sides share.

Source: RFC 6455 section 4.2. `proto.websocket` says what it is all for.
"""

from collections.abc import Callable, Sequence
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto import http
from netfeed.proto import websocket_handshake as handshake
from netfeed.proto.http_words import Given
from netfeed.proto.websocket_conversation import GONE, Conversation, failed, utf8
from netfeed.proto.websocket_words import Code, Event, Limits, Opened, Requested, Statistics, Timing, Who
from netfeed.wire.websocket import BINARY, TEXT

Pages = Callable[[str], tuple[int, bytes]]
"""Status and JSON for the target of a plain GET."""
JSON: Final = [("content-type", "application/json")]


class Server:
    """The server's side of one connection, which begins with it at `now`: `accept` or `refuse` who asks.

    `pages` answers who wants pages and no WebSocket, one after the other.
    """

    def __init__(
        self, now: int, *, compression: bool = True, limits: Limits | None = None, timing: Timing | None = None,
        pages: Pages | None = None,
    ) -> None:  # fmt: skip
        self._pages = pages
        limits, timing = limits or Limits(), timing or Timing()
        self._talk = Conversation(limits, timing, None)
        self._compression = compression
        times = http.Timing(request_ns=timing.open_ns, idle_ns=timing.open_ns)
        self._http = http.Server(now, limits=limits.http, timing=times)
        self._request: http.Request | None = None
        self._owed: list[Event] = []  # by a command, which returns nothing: told at the next wake, which is due at once
        self._owed_due = NEVER
        self._rest = b""

    def accept(self, now: int, subprotocol: str | None = None, headers: Given = ()) -> None:
        """Agree to talk; `Opened` is told at the next wake, which is due at once, and messages may be sent now.

        Raises: MisuseError when nobody asks, or for a subprotocol that was not offered.
        """
        request = self._asked("accept")
        agreed, fields = handshake.grant(request, subprotocol, headers, compression=self._compression)
        self._http.upgrade(now, fields)
        self._rest = self._http.rest()
        self._talk.open(agreed.deflate, now)
        self._owe([Opened(request.headers, agreed.subprotocol, agreed.deflate is not None)], now)

    def refuse(self, now: int, status: int = 403, body: bytes = b"", headers: Given = ()) -> None:
        """Do not agree to talk, and say so with a status of HTTP. Raises: MisuseError when nobody asks."""
        self._asked("refuse")
        self._http.respond(status, body, now, headers, close=True)
        self._owe(self._talk.over(Code.ABNORMAL, f"refused with status {status}", Who.WE), now)

    def send_text(self, text: str | bytes) -> None:
        """Send a text; bytes must be UTF-8. Raises: MisuseError unless open."""
        self._talk.send(TEXT, utf8(text))

    def send_binary(self, data: Buffer) -> None:
        """Send a binary message. Raises: MisuseError unless open."""
        self._talk.send(BINARY, bytes(data))

    def ping(self, now: int, payload: bytes = b"") -> None:
        """Ping now, and not only when it is time; an empty payload becomes a number. Raises: MisuseError."""
        self._talk.ping(now, payload)

    def close(self, now: int, code: int = Code.NORMAL, reason: str = "") -> None:
        """Begin to close; what is on its way is still told. Raises: MisuseError unless open, or for a bad code."""
        self._talk.close(now, code, reason)

    @property
    def is_open(self) -> bool:
        """Say whether messages may be sent."""
        return self._talk.is_talking

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._talk.is_closed and not self._owed

    @property
    def deadline(self) -> int:
        """Say when a ping goes out, or something is due of the peer. Units: monotonic ns."""
        if self._owed:
            return self._owed_due
        return self._talk.deadline if self._talk.is_open or self._talk.is_closed else self._http.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        talk = self._talk
        owed = self._pay(now) if self._owed else []
        if talk.is_closed or not len(data):
            return owed
        talk.bytes_in += len(data)
        if talk.is_open:
            return owed + talk.receive(data if type(data) is bytes else bytes(data), now)
        return owed + self._shake(self._http.receive(data, now), now)

    def wake(self, now: int) -> Sequence[Event]:
        """Tell what a command owes, ping, or give up a peer from whom something is due. An early call does nothing."""
        if now < self.deadline or self.is_closed:
            return []
        if self._owed:
            return self._pay(now)
        return self._talk.wake(now) if self._talk.is_open else self._shake(self._http.wake(now), now)

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed the connection."""
        owed = self._pay(now) if self._owed else []
        if self._talk.is_closed:
            return owed
        return owed + (self._talk.end() if self._talk.is_open else self._talk.over(Code.ABNORMAL, GONE, Who.PEER))

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._http.transmit() + self._talk.sender.transmit()

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return self._talk.statistics(self._http.statistics().bytes_out)

    def _asked(self, what: str) -> http.Request:
        if self._request is None or self._talk.is_open or self._talk.is_closed:
            raise MisuseError(f"cannot {what}: nobody asks")
        return self._request

    def _owe(self, events: list[Event], now: int) -> None:
        self._owed, self._owed_due, self._request = events, now, None

    def _pay(self, now: int) -> list[Event]:
        owed, self._owed = self._owed, []
        rest, self._rest = self._rest, b""
        return owed + self._talk.receive(rest, now) if rest else owed

    def _shake(self, events: Sequence[http.Event], now: int) -> list[Event]:
        told: list[Event] = []
        for event in events:
            if self._talk.is_closed:
                break
            if isinstance(event, http.Request):
                told += self._requested(event, now)
            else:
                told += failed(self._talk, event)
        return told

    def _requested(self, request: http.Request, now: int) -> list[Event]:
        unfit = handshake.judge_request(request)
        if unfit is None:
            self._request = request
            return [Requested(request.target, request.headers, handshake.offers(request))]
        if self._pages is not None and request.method == "GET" and request.header("upgrade") is None:
            self._http.respond(*self._pages(request.target), now, JSON, gzip=True)
            return []
        self._http.respond(unfit.status, unfit.what.encode(), now, unfit.headers, close=True)
        return self._talk.malformed(unfit.what, Code.ABNORMAL)
