"""Ask a venue for its instruments on a loop: from the name of the host to the end of the connection.

The machine that asks is a `Discovery` or a `Listing`. Leaves out: when it is tried again (`venue_link`).
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from netfeed.app.discovery import Discovery, Found, Nothing
from netfeed.app.listing import Listing
from netfeed.app.resolve import Resolution, ResolveError
from netfeed.app.venue_drive import PORTS
from netfeed.errors import MisuseError
from netfeed.transport.dial import dial
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.race import Address
from netfeed.transport.task import Task
from netfeed.transport.tcp import Stream


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
