"""One side of a TLS conversation: where it stands, its times, its bounds. What it is all for, `tls` says.

What OpenSSL does and what its errors mean, is `tls_engine`'s.
"""

import ssl
from collections.abc import Sequence
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto.tls_engine import Engine
from netfeed.proto.tls_words import (
    AlertReceived,
    Closed,
    Ending,
    Event,
    Limits,
    Malformed,
    Received,
    Session,
    State,
    Statistics,
    TimedOut,
    Timing,
    Unverified,
)

FAILED: Final = Ending.FAILED


class Tls:
    """One side of a conversation; made by `tls.client` and `tls.server`."""

    def __init__(self, engine: Engine, now: int, limits: Limits, timing: Timing) -> None:
        self.state = State.HANDSHAKE
        self.deadline = min(NEVER, now + timing.handshake_ns)
        self._engine, self._limits, self._timing = engine, limits, timing
        self._early: list[bytes] = []
        self._queue: list[bytes] = []
        self._early_bytes = self._queue_bytes = 0
        self._wire_in = self._wire_out = self._plain_in = self._plain_out = self._replies = 0
        self._established = False

    def begin(self) -> None:
        """Say the client's first word."""
        self._engine.shake()
        self._drain()

    def send(self, data: Buffer) -> None:
        """Send plaintext; what is said before the handshake is over waits for it.

        Raises: MisuseError when it is closed, or too much waits.
        """
        if self.state not in (State.HANDSHAKE, State.OPEN):
            raise MisuseError(f"cannot send: the conversation is {self.state.value}")
        if not self.has_room:
            raise MisuseError(f"{self.queued_bytes} bytes wait already: send less until they are drained")
        if self.state is State.HANDSHAKE:
            self._early.append(bytes(data))
            self._early_bytes += len(data)
        else:
            self._write(data)

    def close(self, now: int) -> None:
        """Say close_notify, and wait for the peer's; a handshake is given up. A second call does nothing."""
        if self.state is State.HANDSHAKE:
            self.state, self.deadline = State.CLOSING, now
        elif self.state is State.OPEN:
            self.state, self.deadline = State.CLOSING, min(NEVER, now + self._timing.close_ns)
            self._engine.notify()
            self._drain()

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self.state is State.CLOSED

    @property
    def is_open(self) -> bool:
        """Say whether `send` would be heard, now or after the handshake."""
        return self.state in (State.HANDSHAKE, State.OPEN)

    @property
    def has_room(self) -> bool:
        """Say whether `send` may be called: no more waits than may."""
        return self.queued_bytes <= self._limits.queued_bytes

    @property
    def queued_bytes(self) -> int:
        """Say how much waits: plaintext for the handshake, records to be drained."""
        return self._early_bytes + self._queue_bytes

    @property
    def session(self) -> Session | None:
        """Give what a later `client` of the same context can go on with; None while there is nothing.

        A TLS 1.3 server sends it after the handshake, and RFC 8446 C.4 wants each to be used once.
        """
        return self._engine.session()

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        if self.state is State.CLOSED or not len(data):
            return []
        if self.state is State.HANDSHAKE:
            return self._shake(memoryview(data))
        return self._read(data) if self._established else []

    def wake(self, now: int) -> Sequence[Event]:
        """Give up what takes too long. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        if self.state is State.HANDSHAKE:
            return [TimedOut("the handshake"), *self._close("no handshake in time", Ending.FAILED)]
        if not self._established:
            return self._close("the handshake was given up", Ending.FAILED)
        return [TimedOut("close_notify"), *self._close("the peer did not say close_notify", Ending.UNANSWERED)]

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the stream ended: without close_notify it is cut short."""
        if self.state is State.CLOSED:
            return []
        if self.state is State.CLOSING:
            return self._close("the peer closed without close_notify", Ending.UNANSWERED)
        during = "during the handshake" if self.state is State.HANDSHAKE else "without close_notify"
        return self._close(f"the peer closed {during}", Ending.TRUNCATED)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        queue, self._queue, self._queue_bytes = self._queue, [], 0
        return queue

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        return Statistics(
            self.state, self._wire_in, self._wire_out, self._plain_in, self._plain_out, self._replies,
            self.queued_bytes,
        )  # fmt: skip

    def _shake(self, data: memoryview) -> list[Event]:
        """Go on with the handshake, within its bytes; what comes behind its last word is read as plaintext."""
        room = self._limits.handshake_bytes - self._wire_in
        self._put(data[:room])
        try:
            over = self._engine.shake()
        except ssl.SSLError as error:
            return self._fail(error)
        self._drain()
        if over:
            return [self._open(), *self._read(data[room:])]
        if self._wire_in < self._limits.handshake_bytes:
            return []
        return [Malformed(f"a handshake of more than {self._wire_in} bytes", ""), *self._close("too long", FAILED)]

    def _open(self) -> Event:
        self.state, self.deadline, self._established = State.OPEN, NEVER, True
        early, self._early, self._early_bytes = self._early, [], 0
        told = self._engine.established()
        for data in early:
            self._write(data)
        return told

    def _read(self, data: Buffer) -> list[Event]:
        self._put(data)
        plain, ended = self._engine.read()
        self._plain_in += len(plain)
        events: list[Event] = [Received(plain)] if plain else []
        if isinstance(ended, ssl.SSLZeroReturnError):
            return events + self._closed_by_peer()
        if ended is not None:
            return events + self._fail(ended)
        self._replies += self._drain()
        if self._replies > self._limits.reply_bytes:
            flood = Malformed(f"{self._replies} bytes of answers were asked for, and no data", "")
            return [*events, flood, *self._close("a flood of renegotiations", FAILED)]
        return events

    def _closed_by_peer(self) -> list[Event]:
        if self.state is State.OPEN:
            self._engine.notify()
            self._drain()
            return self._close("the peer closed", Ending.CLEAN)
        return self._close("we closed", Ending.CLEAN)

    def _fail(self, error: ssl.SSLError) -> list[Event]:
        before = len(self._queue)
        self._drain()
        told = self._engine.failure(error, b"".join(self._queue[before:]))
        return [told, *self._close(_reason(told), FAILED)]

    def _close(self, reason: str, ending: Ending) -> list[Event]:
        self.state, self.deadline = State.CLOSED, NEVER
        self._early, self._early_bytes = [], 0
        return [Closed(reason, ending)]

    def _put(self, data: Buffer) -> None:
        self._wire_in += len(data)
        self._engine.put(data)

    def _write(self, data: Buffer) -> None:
        if len(data):
            self._engine.talk.write(data)
            self._plain_out += len(data)
            self._drain()

    def _drain(self) -> int:
        """Take the records that were made; give how many bytes."""
        size = self._engine.outgoing.pending
        if size:
            self._queue.append(self._engine.outgoing.read())
            self._queue_bytes += size
            self._wire_out += size
        return size


def _reason(told: Event) -> str:
    """Say why a conversation failed, in a few words: the event before has the rest."""
    if isinstance(told, Unverified):
        return f"the peer's certificate is not believed: {told.reason.value}"
    if isinstance(told, AlertReceived):
        return f"the peer gave up: {told.alert}"
    assert isinstance(told, Malformed)
    return told.what
