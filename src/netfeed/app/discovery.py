"""Ask a venue for its instruments: one question on a connection of its own, before there are any books.

A machine over a `Talk` (`Discovery`) or an `Exchange` of HTTP (`Listing`), with one end: `Found`, or `Nothing` with the
reason. It waits PATIENCE_NS for the answer. An `Attempt` is such a machine on a loop, from the name of the host to the
end of the connection.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from netfeed.app.resolve import Resolution, ResolveError
from netfeed.app.venue_drive import PORTS
from netfeed.errors import MisuseError, WireError
from netfeed.feed.exchange import Exchange
from netfeed.feed.talk import Ended, Heard, Opened, Talk, Word
from netfeed.machine import NEVER, Buffer
from netfeed.proto import http, tls
from netfeed.transport.dial import dial
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.race import Address
from netfeed.transport.task import Task
from netfeed.transport.tcp import Stream
from netfeed.venues.instrument import Instrument

PATIENCE_NS: Final = 20_000_000_000
OK: Final = 200
ANSWERS: Final = (b'"result"', b'"instrument"')
"""What stands in an answer to the question, whatever else is wrong with it."""
HEAD: Final = 4096
"""How far an answer is looked at for that. Units: bytes."""


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
        if found is None:
            return broken(message)
        return Found(tuple(found), message)

    def _end(self, told: Found | Nothing, now: int) -> list[Found | Nothing]:
        self._talk.leave("", now)
        self.is_over = True
        return [told]


def broken(message: bytes) -> Nothing | None:
    """Say what is wrong with an answer that is no JSON (`NaN` is none), which nobody need wait for; else None."""
    if not any(word in message[:HEAD] for word in ANSWERS):
        return None
    try:
        msgspec.json.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return Nothing(f"its answer cannot be read: {error}: {message[:200].decode(errors='replace')}")
    return None


class Listing:
    """One attempt over HTTP. `read` as for `Discovery`."""

    def __init__(
        self, exchange: Exchange, target: str, read: Callable[[Buffer], list[Instrument] | None], now: int
    ) -> None:  # fmt: skip
        self.is_over = False
        self._exchange, self._read = exchange, read
        self._due = now + PATIENCE_NS
        exchange.request("GET", target, now)

    @property
    def deadline(self) -> int:
        """Say when to give up, or what is due below. Units: monotonic ns."""
        return NEVER if self.is_over else min(self._due, self._exchange.deadline)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Found | Nothing]:
        """Take bytes of the stream."""
        return [] if self.is_over else self._heard(self._exchange.receive(data, now))

    def wake(self, now: int) -> Sequence[Found | Nothing]:
        """Give up what takes too long."""
        if now < self.deadline:
            return []
        told = self._heard(self._exchange.wake(now)) if self._exchange.deadline <= now else []
        return told if self.is_over or now < self._due else self._end(Nothing("no answer in time"))

    def end(self, now: int) -> Sequence[Found | Nothing]:
        """Take note that the stream ended."""
        if self.is_over:
            return []
        return self._heard(self._exchange.end(now)) or self._end(Nothing("the stream broke off"))

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        return self._exchange.transmit()

    def _heard(self, events: Sequence[Any]) -> list[Found | Nothing]:
        for event in events:
            if isinstance(event, http.Response):
                return self._end(self._answer(event))
            if isinstance(event, http.Closed | http.Malformed | http.TimedOut | tls.Unverified | tls.AlertReceived):
                return self._end(Nothing(str(event)[:200]))
        return []

    def _answer(self, response: http.Response) -> Found | Nothing:
        if response.status != OK:
            return Nothing(f"status {response.status}")
        try:
            return Found(tuple(self._read(response.body) or ()), response.body)
        except WireError as error:
            return Nothing(str(error))

    def _end(self, told: Found | Nothing) -> list[Found | Nothing]:
        self.is_over = True
        return [told]


class Attempt:
    """One attempt on a loop. `opened` is told when the stream stands, `told` how it ended: once, after this returned.

    Nothing is told after `give_up`.
    """

    def __init__(
        self, loop: Loop, endpoint: str, machine: Callable[[int], Discovery | Listing], *,
        opened: Callable[[int], None], told: Callable[[Found | Nothing, int], None],
    ) -> None:  # fmt: skip
        self._loop, self._machine, self._opened, self._told = loop, machine, opened, told
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
        self._task = self._loop.add(self._machine(now), {0: stream}, events=self._take, failed=self._broke)

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
