"""One connection of a simulated venue, from bytes to messages: WebSocket, over TLS where there is a context for it.

What a good server never does is done here, too: a frame that ends in its middle, one that is longer than anybody takes,
a fatal alert. OpenSSL sends no alert at will: it is given a record that nobody can have sent, and complains of it.

Leaves out: what messages mean (`jsonrpc_venue`), when to do which (`stream_venue`).
"""

import contextlib
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, Final

from netfeed.errors import MisuseError
from netfeed.machine import NEVER, Buffer
from netfeed.proto import tls, websocket
from netfeed.proto.stack import Stack
from netfeed.proto.websocket_server import Pages
from netfeed.wire.websocket import FINAL, TEXT

LIMITS: Final = websocket.Limits(frame_bytes=2**20, message_bytes=2**20)
TIMING: Final = websocket.Timing(ping_ns=NEVER)
"""The venue has heartbeats of its own: it does not ping."""
OVERSIZED: Final = bytes((FINAL | TEXT, 127)) + (2**40).to_bytes(8) + b'{"jsonrpc":"2.0",'
"""The beginning of a frame of a tebibyte."""
NO_RECORD: Final = b"\x17\x03\x03\x00\x20" + bytes(32)
"""A record of data that no key has made."""


class Conversation:
    """A server's side of one connection, which begins with it at `now`."""

    def __init__(
        self, now: int, peer: str, context: ssl.SSLContext | None, pages: Pages | None = None
    ) -> None:  # fmt: skip
        self.peer = peer
        self.over = ""
        self.has_spoken = False
        """Whether the peer has sent anything."""
        self.websocket = websocket.Server(now, limits=LIMITS, timing=TIMING, pages=pages)
        self._tls = tls.server(context, now) if context is not None else None
        self._machine: Any = Stack(self._tls, self.websocket) if self._tls is not None else self.websocket
        self._raw: list[bytes] = []

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        return NEVER if self.is_over else int(self._machine.deadline)

    @property
    def is_over(self) -> bool:
        """Say whether nothing more is to be said: the driver drains and closes."""
        return bool(self.over) or bool(self._machine.is_closed)

    def receive(self, data: Buffer, now: int) -> Sequence[Any]:
        """Take bytes of the stream."""
        self.has_spoken = True
        return [] if self.is_over else list(self._machine.receive(data, now))

    def wake(self, now: int) -> Sequence[Any]:
        """Do what is due."""
        return [] if now < self.deadline else list(self._machine.wake(now))

    def end(self, now: int) -> Sequence[Any]:
        """Take note that the peer closed."""
        return [] if self.is_over else list(self._machine.end(now))

    def transmit(self) -> list[bytes]:
        """Drain what must go out."""
        raw, self._raw = self._raw, []
        return raw + (self._machine.transmit() if not self.over or self._tls is not None else [])

    def say(self, messages: Iterable[bytes]) -> None:
        """Send messages; to one who is leaving nothing more is said."""
        if self.websocket.is_open and not self.over:
            for message in messages:
                self.websocket.send_text(message)

    def close(self, code: int, reason: str, now: int) -> None:
        """Close with a code, 1006 without a word."""
        if code == websocket.Code.ABNORMAL or not self.websocket.is_open:
            self.over = reason
            return
        with contextlib.suppress(MisuseError):  # it is closing already
            self.websocket.close(now, code, reason)

    def tear(self, message: bytes) -> None:
        """Send a message whose frame ends in its middle, and nothing after it."""
        self.say([message])
        whole = b"".join(self.websocket.transmit())
        self._inject(whole[: len(whole) - len(message) // 2 - 1])
        self.over = "torn"

    def oversize(self) -> None:
        """Begin a frame that is longer than anybody takes. Raises: MisuseError when the peer is leaving."""
        self._inject(b"".join(self.websocket.transmit()) + OVERSIZED)

    def alert(self, now: int) -> Sequence[Any]:
        """End it with a fatal alert. Raises: MisuseError when there is no TLS."""
        if self._tls is None:
            raise MisuseError("an alert needs TLS")
        return self.receive(NO_RECORD, now)

    def _inject(self, data: bytes) -> None:
        if self._tls is None:
            self._raw.append(data)
        elif self._tls.is_open:
            self._tls.send(data)
