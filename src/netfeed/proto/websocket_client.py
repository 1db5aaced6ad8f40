"""The client's side of a WebSocket: the handshake over `proto.http`, then the conversation that both sides share.

Source: RFC 6455 section 4.1. `proto.websocket` says what it is all for.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence

from netfeed.machine import Buffer
from netfeed.proto import http
from netfeed.proto import websocket_handshake as handshake
from netfeed.proto.http_words import Given
from netfeed.proto.websocket_conversation import GONE, Conversation, failed, utf8
from netfeed.proto.websocket_words import Code, Event, Limits, Opened, Refused, Statistics, Timing, Who
from netfeed.wire.websocket import BINARY, TEXT


class Client:
    """The client's side of one connection to `host` (with `:port` where it is not the scheme's own).

    The handshake begins at once; `headers` go with it. `random_bytes` must be hard to guess: os.urandom, but in tests.
    """

    def __init__(
        self, host: str, target: str, now: int, *, random_bytes: Callable[[int], bytes], headers: Given = (),
        subprotocols: Sequence[str] = (), compression: bool = True, limits: Limits | None = None,
        timing: Timing | None = None,
    ) -> None:  # fmt: skip
        """Raises: MisuseError for what cannot be written into a request."""
        limits, timing = limits or Limits(), timing or Timing()
        self._talk = Conversation(limits, timing, random_bytes)
        self._subprotocols, self._compression = tuple(subprotocols), compression
        self._key = b64encode(random_bytes(handshake.KEY_BYTES))
        self._http = http.Client(host, limits=limits.http, timing=http.Timing(response_ns=timing.open_ns))
        fields = handshake.proposal(self._key, subprotocols, headers, compression=compression)
        self._http.request("GET", target, now, fields)

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
    def may_ping(self) -> bool:
        """Say whether a ping may be sent: open, and not too many unanswered."""
        return self._talk.may_ping

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._talk.is_closed

    @property
    def deadline(self) -> int:
        """Say when a ping goes out, or something is due of the peer. Units: monotonic ns."""
        return self._talk.deadline if self._talk.is_open or self._talk.is_closed else self._http.deadline

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        talk = self._talk
        if talk.is_closed or not len(data):
            return []
        talk.bytes_in += len(data)
        if talk.is_open:
            return talk.receive(data if type(data) is bytes else bytes(data), now)
        return self._shake(self._http.receive(data, now), now)

    def wake(self, now: int) -> Sequence[Event]:
        """Ping, or give up a peer from whom something is due. A call before the deadline does nothing."""
        if now < self.deadline or self._talk.is_closed:
            return []
        return self._talk.wake(now) if self._talk.is_open else self._shake(self._http.wake(now), now)

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the peer closed the connection."""
        if self._talk.is_closed:
            return []
        if self._talk.is_open:
            return self._talk.end()
        refused = [event for event in self._http.end(now) if isinstance(event, http.Response)]
        return self._shake(refused, now) or self._talk.over(Code.ABNORMAL, GONE, Who.PEER)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.sender.transmit() if self._talk.is_open else self._http.transmit()

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return self._talk.statistics(self._http.statistics().bytes_out)

    def _shake(self, events: Sequence[http.Event], now: int) -> list[Event]:
        told: list[Event] = []
        for event in events:
            if self._talk.is_closed:
                break
            if isinstance(event, http.Upgraded):
                told += self._opened(event, now)
            elif isinstance(event, http.Response):
                told.append(Refused(event.status, event.headers, event.body))
                told += self._talk.over(Code.ABNORMAL, f"refused with status {event.status}", Who.PEER)
            else:
                told += failed(self._talk, event)
        return told

    def _opened(self, event: http.Upgraded, now: int) -> list[Event]:
        agreed = handshake.judge_answer(event.headers, self._key, self._subprotocols, compression=self._compression)
        if isinstance(agreed, str):
            return self._talk.malformed(agreed, Code.ABNORMAL)
        self._talk.open(agreed.deflate, now)
        opened = Opened(event.headers, agreed.subprotocol, agreed.deflate is not None)
        return [opened, *self._talk.receive(event.rest, now)]
