"""Messages over a stream in the plainest way, both sides: a `Talk` for tests of what does not care how they are framed.

A hello of one byte each way, then frames: a letter, four bytes of length, the content.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from netfeed.feed.talk import Ended, Heard, Lively, Opened, Word
from netfeed.machine import NEVER

HELLO = b"!"


class Plain:
    """One side. The client says hello at once, the server when it was greeted."""

    def __init__(self, *, server: bool = False) -> None:
        self.deadline = NEVER
        self.is_open = self.is_over = False
        self._server = server
        self._inbox = b""
        self._outbox: list[bytes] = [] if server else [HELLO]

    def say(self, message: bytes, now: int) -> None:
        self._frame(b"M", message)

    def ping(self, now: int) -> None:
        self._frame(b"P", b"")

    def leave(self, reason: str, now: int) -> None:
        self.close(1000, reason)

    def close(self, code: int, reason: str) -> None:
        if self.is_open and not self.is_over:
            self._frame(b"C", code.to_bytes(2, "big") + reason.encode()[:123])
        self.is_over, self._inbox = True, b""

    def receive(self, data: Any, now: int, port: int = 0) -> Iterator[Word]:
        self._inbox += b"" if self.is_over else bytes(data)
        return self._read()

    def _read(self) -> Iterator[Word]:
        """Tell one word at a time, so that each is answered before the next is read."""
        if not self.is_open and self._inbox:
            if self._inbox[:1] != HELLO:
                yield from self._ended("us", None, "that is no hello")
                return
            self.is_open, self._inbox = True, self._inbox[1:]
            if self._server:
                self._outbox.append(HELLO)
            yield Opened()
        while not self.is_over and len(self._inbox) >= 5:
            kind, size = self._inbox[:1], int.from_bytes(self._inbox[1:5], "big")
            if kind not in (b"M", b"P", b"Q", b"C") or size > 2**20:
                yield from self._ended("us", 1002, "that is no frame")
            elif len(self._inbox) < 5 + size:
                return
            else:
                content, self._inbox = self._inbox[5 : 5 + size], self._inbox[5 + size :]
                yield from self._meant(kind, content)

    def wake(self, now: int) -> Sequence[Word]:
        return []

    def end(self, now: int) -> Sequence[Word]:
        return [] if self.is_over else self._ended("network", 1006, "the stream broke off")

    def transmit(self, port: int = 0) -> list[bytes]:
        outbox, self._outbox = self._outbox, []
        return outbox

    def _meant(self, kind: bytes, content: bytes) -> list[Word]:
        if kind == b"M":
            return [Heard([content])]
        if kind == b"P":
            self._frame(b"Q", content)
            return [Lively()]
        if kind == b"Q":
            return [Lively()]
        return self._ended("venue", int.from_bytes(content[:2], "big"), content[2:].decode("utf-8", "replace"))

    def _ended(self, by: Any, code: int | None, reason: str) -> list[Word]:
        self.is_over = True
        self._inbox = b""
        return [Ended(by, code, reason)]

    def _frame(self, kind: bytes, content: bytes) -> None:
        self._outbox.append(kind + len(content).to_bytes(4, "big") + content)


def plain(endpoint: str, now: int) -> Plain:
    """Make a client's side."""
    return Plain()
