"""What both sides of a WebSocket share once it is open: messages both ways, pings, bounds, and how it ends.

Source: RFC 6455 sections 5 to 7.

Invariant: nothing is told after `Closed`, and nothing is sent after a close frame. The end, in all its forms:

    the peer closes       its code is sent back                          Closed(its code, its reason, PEER)
    we close              the peer has `close_ns` to close as well       Closed(our code, our reason, WE)
    the peer does wrong   a close frame with the code of the mistake     Malformed or TimedOut, Closed(code, what, WE)
    the stream ends       nothing can be sent                            Closed(ABNORMAL, ..., whoever closed first)
"""

from collections.abc import Callable
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.proto import http_words as http
from netfeed.proto.websocket_alive import Alive
from netfeed.proto.websocket_deflate import Agreement, Deflater, Inflater
from netfeed.proto.websocket_reader import Close, Ping, Pong, Reader
from netfeed.proto.websocket_sender import Sender
from netfeed.proto.websocket_words import (
    CONTROLS_NS,
    MAX_REASON,
    SENDABLE,
    Closed,
    Code,
    Event,
    Limits,
    Malformed,
    Pinged,
    Ponged,
    Statistics,
    TimedOut,
    Timing,
    Who,
)
from netfeed.wire.websocket import CLOSE, FINAL, PING, PONG

GONE: Final = "the peer closed in the handshake"


class Conversation:
    """One open WebSocket as either side sees it. `random_bytes` makes the masks of a client; a server has none."""

    def __init__(self, limits: Limits, timing: Timing, random_bytes: Callable[[int], bytes] | None) -> None:
        self._limits, self._timing, self._random_bytes = limits, timing, random_bytes
        self._reader = Reader(limits, is_client=random_bytes is not None)
        self.sender = Sender(limits, random_bytes)
        self._alive = Alive(timing, limits.pings)
        self._closing: tuple[int, str] | None = None
        self._close_due = self._message_due = NEVER
        self.deadline = NEVER
        """When the next ping goes out, or something is due of the peer."""
        self._begun_after = -1
        self._is_midway = False
        self.is_open = self.is_closed = self.is_talking = False
        """Open from the handshake on for ever; talking while messages may be sent: open, and nobody closes."""
        self.bytes_in = 0
        self._pings_in = self._pings_out = self._pongs_in = self._unasked = 0
        self._malformed = self._timed_out = 0
        self._controls_until = 0

    @property
    def may_ping(self) -> bool:
        """Say whether a ping may be sent: open, and not too many unanswered."""
        return self.is_talking and not self._alive.is_full

    def open(self, deflate: Agreement | None, now: int) -> None:
        """Begin, with what the handshake agreed."""
        self.is_open = self.is_talking = True
        self._alive.start(now)
        self._plan()
        if deflate is None:
            return
        ours, theirs = (deflate.client_bits, deflate.client_takeover), deflate.server_takeover
        if self._random_bytes is None:
            ours, theirs = (deflate.server_bits, deflate.server_takeover), deflate.client_takeover
        self._reader.inflate_with(Inflater(takeover=theirs))
        if ours[0] > 8:  # zlib has no smaller window to deflate with
            self.sender.deflate_with(Deflater(ours[0], takeover=ours[1]))

    # --- what comes in

    def receive(self, data: bytes, now: int) -> list[Event]:
        """Take bytes of the stream and return what they mean."""
        if not self._is_midway:
            batch = self._reader.read_plain(data)
            if batch is not None:
                if self._alive.is_asking:
                    self._alive.heard()
                    self._plan()
                return [batch]
        return self._read(data, now)

    def _read(self, data: bytes, now: int) -> list[Event]:
        reader = self._reader
        frames = reader.frames
        if now >= self._controls_until:
            reader.controls_left, self._controls_until = self._limits.controls, now + CONTROLS_NS
        events: list[Event] = []
        for told in reader.read(data):
            if isinstance(told, Ping | Pong | Close | Malformed):
                events += self._react(told, now)
            else:
                events.append(told)
        if self.is_closed:
            return events
        if reader.frames != frames:
            self._alive.heard()
        self._is_midway = reader.is_midway
        if not self._is_midway:
            self._message_due = NEVER
        elif self._message_due == NEVER or self._begun_after != reader.messages:
            self._begun_after = reader.messages
            self._message_due = min(NEVER, now + self._timing.message_ns)
        self._plan()
        return events

    def _plan(self) -> None:
        self.deadline = min(self._alive.deadline, self._message_due, self._close_due)

    def wake(self, now: int) -> list[Event]:
        """Act on what is due."""
        if now >= self._close_due:
            return self._timeout("the peer's close", Code.ABNORMAL)
        if now >= self._message_due:
            return self._timeout("the rest of a message", Code.POLICY_VIOLATION)
        if self._alive.is_dead(now):
            return self._timeout("a pong", Code.INTERNAL_ERROR)
        if self._alive.wants_ping(now):
            self._ping(now, b"")
        self._plan()
        return []

    def end(self) -> list[Event]:
        """Take note that the stream has ended."""
        if self._closing is not None:
            return self.over(Code.ABNORMAL, "the stream ended before the peer's close", Who.WE)
        return self.over(Code.ABNORMAL, "the stream ended without a close", Who.PEER)

    def over(self, code: int, reason: str, by: Who) -> list[Event]:
        """End the conversation."""
        self.is_closed, self.is_talking = True, False
        self._alive.stop()
        self._close_due = self._message_due = self.deadline = NEVER
        self._reader.stop()
        self.sender.deflate_with(None)
        return [Closed(int(code), reason, by)]

    def malformed(self, what: str, code: int) -> list[Event]:
        """Tell what the peer did wrong, close with its code where one can be sent, and end."""
        self._malformed += 1
        return [Malformed(what, int(code)), *self._give_up(code, what)]

    def timed_out(self, waiting_for: str) -> list[Event]:
        """Tell that the peer took too long."""
        self._timed_out += 1
        return [TimedOut(waiting_for)]

    def _timeout(self, waiting_for: str, code: int) -> list[Event]:
        return self.timed_out(waiting_for) + self._give_up(code, f"{waiting_for} did not come in time")

    def _give_up(self, code: int, what: str) -> list[Event]:
        if self.is_open and code in SENDABLE and self._closing is None:
            self._send_close(code, what)
        return self.over(code, what, Who.WE)

    def _react(self, told: Ping | Pong | Close | Malformed, now: int) -> list[Event]:
        if isinstance(told, Ping):
            self._pings_in += 1
            if self._closing is None:
                self.sender.frame(FINAL | PONG, told.payload)
            return [Pinged(told.payload)]
        if isinstance(told, Pong):
            return self._ponged(told.payload, now)
        if isinstance(told, Close):
            if self._closing is not None:
                return self.over(*self._closing, Who.WE)
            self._send_close(told.code, "")
            return self.over(told.code, told.reason, Who.PEER)
        return self.malformed(told.what, told.code)

    def _ponged(self, payload: bytes, now: int) -> list[Event]:
        self._pongs_in += 1
        rtt_ns = self._alive.pong(payload, now)
        self._unasked += rtt_ns is None
        return [] if rtt_ns is None else [Ponged(rtt_ns, payload)]

    # --- what goes out

    def send(self, opcode: int, payload: bytes) -> None:
        """Queue a message."""
        if not self.is_talking or self.sender.queued_bytes > self._limits.queued_bytes:
            self._may("send a message")
        self.sender.message(opcode, payload)

    def ping(self, now: int, payload: bytes) -> None:
        """Queue a ping."""
        self._may("ping")
        if len(payload) > 125:
            raise MisuseError(f"a ping carries 125 bytes at most, not {len(payload)}")
        if self._alive.is_full:
            raise MisuseError(f"{self._limits.pings} pings wait for their pong already")
        self._ping(now, payload)
        self._plan()

    def close(self, now: int, code: int, reason: str) -> None:
        """Queue our close, and wait for the peer's."""
        self._may("close")
        if code not in SENDABLE:
            raise MisuseError(f"{code} is no code that may be sent: 1000 is the normal one, 3000 to 4999 are free")
        if len(reason.encode()) > MAX_REASON:
            raise MisuseError(f"the reason of a close has {MAX_REASON} bytes at most")
        self._send_close(code, reason)
        self._alive.stop()
        self._close_due = min(NEVER, now + self._timing.close_ns)
        self._plan()

    def statistics(self, handshake_bytes: int) -> Statistics:
        """Give the account as it is now."""
        reader = self._reader
        return Statistics(
            self.bytes_in, self.sender.bytes + handshake_bytes, reader.messages, self.sender.messages, reader.plain,
            self._pings_in, self._pings_out, self._pongs_in, self._unasked, self._malformed, self._timed_out,
        )  # fmt: skip

    def _may(self, what: str) -> None:
        if not self.is_talking:
            state = "over" if self.is_closed else "closing" if self.is_open else "not open yet"
            raise MisuseError(f"cannot {what}: the conversation is {state}")
        if self.sender.queued_bytes > self._limits.queued_bytes:
            raise MisuseError(f"{self.sender.queued_bytes} bytes wait to be drained")

    def _ping(self, now: int, payload: bytes) -> None:
        self._pings_out += 1
        self.sender.frame(FINAL | PING, self._alive.ping(now, payload))

    def _send_close(self, code: int, reason: str) -> None:
        self._closing, self.is_talking = (code, reason), False
        payload = b"" if code == Code.NO_STATUS else code.to_bytes(2) + reason.encode()[:MAX_REASON]
        self.sender.frame(FINAL | CLOSE, payload)


def failed(talk: Conversation, event: http.Event) -> list[Event]:
    """Tell why a handshake fails."""
    if isinstance(event, http.Malformed):
        return talk.malformed(event.what, Code.ABNORMAL)
    if isinstance(event, http.TimedOut):
        return talk.timed_out("the handshake")
    assert isinstance(event, http.Closed)
    return talk.over(Code.ABNORMAL, f"{event.reason} in the handshake", Who.WE)


def utf8(text: str | bytes) -> bytes:
    """Give a text as bytes. Raises: MisuseError for what is no text."""
    try:
        if isinstance(text, str):
            return text.encode()
        text.decode()
    except UnicodeError:
        raise MisuseError("a text must be UTF-8: send other bytes as binary") from None
    return text
