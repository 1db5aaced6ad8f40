"""From an endpoint to a stream that stands: the name is looked up away from the loop, all its addresses are raced.

Leaves out: what is spoken over it, and when it is tried again (`session_link`).
"""

from collections.abc import Callable

from netfeed.app.resolve import Resolution, ResolveError, Resolver, system_resolver
from netfeed.app.trading.session_places import Place
from netfeed.errors import MisuseError
from netfeed.transport.dial import dial
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.race import Address
from netfeed.transport.tcp import Options, Stream


class Reach:
    """One attempt. `opened` or `failed` is called once, by the loop, after this returned; neither after `give_up`."""

    def __init__(
        self, loop: Loop, place: Place, options: Options, *, opened: Callable[[Stream, int], None],
        failed: Callable[[str, int], None], resolver: Resolver = system_resolver,
    ) -> None:  # fmt: skip
        self._loop, self._options, self._opened, self._failed = loop, options, opened, failed
        self._over = False
        self._undo: Callable[[], None] = lambda: None
        try:
            lookup = Resolution(place.host, place.port, loop.post, self._resolved, resolver=resolver)
            self._undo = lookup.give_up
        except MisuseError as error:
            reason = str(error)
            loop.post(lambda: self._fail(reason))

    def give_up(self) -> None:
        """End it: nothing more is told."""
        self._over = True
        self._undo()

    def _resolved(self, answer: list[Address] | ResolveError) -> None:
        if isinstance(answer, ResolveError):
            self._fail(str(answer))
        else:
            self._undo = dial(self._loop, answer, opened=self._stands, failed=self._fell, options=self._options)

    def _stands(self, stream: Stream, now: int) -> None:
        if self._over:
            stream.close()
            return
        self._over = True
        self._opened(stream, now)

    def _fell(self, error: NetworkError, now: int) -> None:
        self._fail(str(error))

    def _fail(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._failed(reason, self._loop.clock())
