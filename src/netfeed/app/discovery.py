"""Ask a venue for its instruments: one question on a connection of its own, before there are any books.

A machine over a `Talk`, with one end: `Found`, or `Nothing` with the reason. It waits PATIENCE_NS for the answer. An
`Attempt` is that machine on a loop, from the name of the host to the end of the connection.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from netfeed.app.resolve import Resolution, ResolveError
from netfeed.app.venue_drive import PORTS
from netfeed.errors import MisuseError, WireError
from netfeed.feed.talk import Ended, Heard, Opened, Talk, Word
from netfeed.machine import NEVER, Buffer
from netfeed.transport.dial import dial
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.race import Address
from netfeed.transport.task import Task
from netfeed.transport.tcp import Stream
from netfeed.venues.instrument import Instrument

PATIENCE_NS: Final = 20_000_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """What the venue lists, and the message that said so."""

    instruments: tuple[Instrument, ...]
    answer: bytes


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing was learnt, for this reason."""

    reason: str


class Discovery:
    """One attempt. `read` gives the instruments of a message, None for one that is no answer; Raises: WireError."""

    def __init__(
        self, talk: Talk, question: bytes, read: Callable[[Buffer], list[Instrument] | None], now: int
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
            return self._end(Nothing("no answer in time"), now)
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
        except WireError as error:
            return Nothing(f"{error}: {message[:200].decode(errors='replace')}")
        return None if found is None else Found(tuple(found), message)

    def _end(self, told: Found | Nothing, now: int) -> list[Found | Nothing]:
        self._talk.leave("", now)
        self.is_over = True
        return [told]


class Attempt:
    """One attempt on a loop. `opened` is told when the stream stands, `told` how it ended: once, after this returned.

    Nothing is told after `give_up`.
    """

    def __init__(
        self, loop: Loop, endpoint: str, talk: Callable[[str, int], Talk], question: bytes,
        read: Callable[[Buffer], list[Instrument] | None], *, opened: Callable[[int], None],
        told: Callable[[Found | Nothing, int], None],
    ) -> None:  # fmt: skip
        self._loop, self._endpoint, self._talk, self._question, self._read = loop, endpoint, talk, question, read
        self._opened, self._told = opened, told
        self._undo: Callable[[], None] = lambda: None
        self._task: Task | None = None
        self._over = False
        url = urlsplit(endpoint)
        try:
            lookup = Resolution(url.hostname or "", url.port or PORTS[url.scheme], loop.post, self._resolved)
            self._undo = lookup.give_up
        except MisuseError as error:
            reason = str(error)
            loop.post(lambda: self._end(Nothing(reason)))

    def give_up(self) -> None:
        """End it: nothing more is told."""
        self._over = True
        self._undo()
        if self._task is not None:
            self._task.close()

    def _resolved(self, answer: list[Address] | ResolveError) -> None:
        if isinstance(answer, ResolveError):
            self._end(Nothing(str(answer)))
        else:
            self._undo = dial(self._loop, answer, opened=self._stands, failed=self._fell)

    def _stands(self, stream: Stream, now: int) -> None:
        self._undo = lambda: None
        self._opened(now)
        machine = Discovery(self._talk(self._endpoint, now), self._question, self._read, now)
        self._task = self._loop.add(machine, {0: stream}, events=self._take, failed=self._broke)

    def _fell(self, error: NetworkError, now: int) -> None:
        self._undo = lambda: None
        self._end(Nothing(str(error)))

    def _broke(self, endpoint: Any, error: NetworkError) -> None:
        self._end(Nothing(str(error)))

    def _take(self, told: Sequence[Found | Nothing], now: int) -> None:
        self._loop.post(lambda: self._end(told[0]))  # after its last words are out

    def _end(self, told: Found | Nothing) -> None:
        if not self._over:
            self.give_up()
            self._told(told, self._loop.clock())
