"""An order session with Deribit on a stream of bytes: the session over whatever conversation carries its messages.

    stream = OrderStream(talk, session, logon)      `logon` says the first words, once the talk is open
    session.send(New(...), now)                     the session's own commands; the driver is kicked after them
    stream.receive(data, now)                       what the session tells; Down with the reason that the talk gives

One input, then all that the session has to say goes into the talk. When the session is over the talk is left, and when
the talk ends the session is lost: whichever is first, there is exactly one Down.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from netfeed.book.execution import Down
from netfeed.feed.talk import Ended, Heard, Opened, Talk, Word
from netfeed.machine import NEVER, Buffer
from netfeed.venues.deribit_orders import Event, Session


class OrderStream:
    """One connection. `logon(now)` is called once, when messages can be said."""

    def __init__(self, talk: Talk, session: Session, logon: Callable[[int], None]) -> None:
        self._talk, self._session, self._logon = talk, session, logon
        self._is_open = self._is_left = False
        self._now = 0

    @property
    def is_closed(self) -> bool:
        """Say whether nothing will be told any more."""
        return self._session.is_closed

    @property
    def deadline(self) -> int:
        """Say when either of the two is due. Units: monotonic ns."""
        if self._is_left:
            return NEVER
        if self._session.is_closed:
            return self._now
        return min(self._talk.deadline, self._session.deadline)

    def receive(self, data: Buffer, now: int, port: int = 0) -> Sequence[Event]:
        """Take bytes of the stream and return what they mean."""
        return self._meant(self._talk.receive(data, now), now)

    def wake(self, now: int) -> Sequence[Event]:
        """Act on a deadline that has passed. A call before it does nothing."""
        if now < self.deadline:
            return []
        told = [] if self._session.is_closed else [*self._meant(self._talk.wake(now), now), *self._session.wake(now)]
        if self._session.is_closed:
            self.leave("the session is over", now)
        return told

    def end(self, now: int) -> Sequence[Event]:
        """Take note that the stream has ended."""
        told = self._meant(self._talk.end(now), now)
        return [*told, *self._session.lost(now)]

    def leave(self, reason: str, now: int) -> None:
        """Say a close frame; what `transmit` gives next is the last."""
        if not self._is_left:
            self._say(now)
            self._is_left = True
            self._talk.leave(reason, now)

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out."""
        self._say(self._now)
        return self._talk.transmit()

    def _say(self, now: int) -> None:
        for message in self._session.transmit():
            if self._is_open:
                self._talk.say(message, now)

    def _meant(self, words: Iterable[Word], now: int) -> list[Event]:
        self._now = max(self._now, now)
        told: list[Event] = []
        for word in words:
            if isinstance(word, Opened):
                self._is_open = True
                self._logon(now)
            elif isinstance(word, Heard):
                for place in range(len(word.batch)):
                    told += self._session.receive(word.batch[place], now)
            elif isinstance(word, Ended):
                self._is_open, self._is_left = False, True
                told += _because(self._session.lost(now), word.reason)
        return told


def _because(told: Sequence[Event], reason: str) -> list[Event]:
    return [replace(one, reason=reason) if isinstance(one, Down) and reason else one for one in told]
