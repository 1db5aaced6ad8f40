"""Messages over a stream in the plainest way, both sides: a `Talk` for tests of what does not care how they are framed.

A hello of one byte each way, then frames: a letter, four bytes of length, the content.
"""

from collections.abc import Sequence
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
        self.is_over = True

    def receive(self, data: Any, now: int, port: int = 0) -> Sequence[Word]:
        words: list[Word] = []
        self._inbox += bytes(data)
        if not self.is_open and self._inbox and not self.is_over:
            if self._inbox[:1] != HELLO:
                return self._ended("us", None, "that is no hello")
            self.is_open, self._inbox = True, self._inbox[1:]
            if self._server:
                self._outbox.append(HELLO)
            words.append(Opened())
        while not self.is_over and len(self._inbox) >= 5:
            kind, size = self._inbox[:1], int.from_bytes(self._inbox[1:5], "big")
            if kind not in (b"M", b"P", b"Q", b"C") or size > 2**20:
                return words + self._ended("us", 1002, "that is no frame")
            if len(self._inbox) < 5 + size:
                break
            content, self._inbox = self._inbox[5 : 5 + size], self._inbox[5 + size :]
            words += self._meant(kind, content)
        if self.is_over:
            self._inbox = b""
        return words

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
