"""Ask a venue for its instruments over WebSocket: one question on a connection of its own, before there are any books.

A machine over a `Talk`, with one end: `Found`, or `Nothing` with the reason. It waits PATIENCE_NS for the answer.

Leaves out: lists that are had over HTTP (`listing`), and the connection (`attempt`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from netfeed.errors import WireError
from netfeed.feed.talk import Ended, Heard, Opened, Talk, Word
from netfeed.machine import NEVER, Buffer
from netfeed.venues.entries import Listed

PATIENCE_NS: Final = 20_000_000_000
LATE: Final = "no answer in time: is that the venue, and does it carry its instruments there?"
ANSWERS: Final = (b'"result"', b'"instrument"')
"""What stands in an answer to the question, whatever else is wrong with it."""
HEAD: Final = 4096
"""How far an answer is looked at for that. Units: bytes."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the venue lists, something of which can be read, and the messages that said so."""

    listed: Listed
    answers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing was learnt, for this reason. `wait_ns`: the venue wants to be asked no sooner. Units: ns."""

    reason: str
    wait_ns: int = 0


class Discovery:
    """One attempt. `read` gives what a message lists, None for one that is no answer; Raises: WireError."""

    def __init__(
        self, talk: Talk, question: bytes, read: Callable[[Buffer], Listed | None], now: int
    ) -> None:  # fmt: skip
        self.is_over = False
        self._talk, self._question, self._read = talk, question, read
        self._due = now + PATIENCE_NS

    @property
    def deadline(self) -> int:
        """Say when to give up, or what is due below. Units: monotonic ns."""
        return NEVER if self.is_over else min(self._due, self._talk.deadline)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Found | Nothing]:
        """Take bytes of the stream."""
        return [] if self.is_over else self._heard(self._talk.receive(data, now), now)

    def wake(self, now: int) -> Sequence[Found | Nothing]:
        """Give up what takes too long."""
        if now < self.deadline:
            return []
        told = self._heard(self._talk.wake(now), now) if self._talk.deadline <= now else []
        if not self.is_over and now >= self._due:
            return self._end(Nothing(LATE), now)
        return told

    def end(self, now: int) -> Sequence[Found | Nothing]:
        """Take note that the stream ended."""
        if self.is_over:
            return []
        return self._heard(self._talk.end(now), now) or self._end(Nothing("the stream broke off"), now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._talk.transmit()

    def _heard(self, words: Iterable[Word], now: int) -> list[Found | Nothing]:
        for word in words:
            if isinstance(word, Opened):
                self._talk.say(self._question, now)
            elif isinstance(word, Heard):
                for place in range(len(word.batch)):
                    told = self._answer(bytes(word.batch[place]))
                    if told is not None:
                        return self._end(told, now)
            elif isinstance(word, Ended):
                return self._end(Nothing(word.reason or f"closed with {word.code}"), now)
        return []

    def _answer(self, message: bytes) -> Found | Nothing | None:
        try:
            found = self._read(message)
            return broken(message) if found is None else Found(found.some(), (message,))
        except WireError as error:
            return refusal(message) or Nothing(f"{error}: {message[:200].decode(errors='replace')}")

    def _end(self, told: Found | Nothing, now: int) -> list[Found | Nothing]:
        self._talk.leave("", now)
        self.is_over = True
        return [told]


def refusal(message: bytes) -> Nothing | None:
    """Say with what a venue refuses the question, in the words of JSON-RPC; None where it says nothing of the kind."""
    try:
        told = msgspec.json.decode(message)["error"]
        return Nothing(f"the venue refuses it: {int(told['code'])} {str(told['message'])[:200]}")
    except (msgspec.MsgspecError, ValueError, TypeError, LookupError, RecursionError):
        return None


def broken(message: bytes) -> Nothing | None:
    """Say what is wrong with an answer that is no JSON (`NaN` is none), which nobody need wait for; else None."""
    if not any(word in message[:HEAD] for word in ANSWERS):
        return None
    try:
        msgspec.json.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return Nothing(f"its answer cannot be read: {error}: {message[:200].decode(errors='replace')}")
    return None
