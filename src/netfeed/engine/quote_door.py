"""The door of the hot step: what a mandate covers goes to a session at once, and is taken down in the same call.

    the bytes leave first, then the account has it as decided and sent, and whoever journals is told

That is the one difference to the plain way, and why it is safe: nothing of ours looks at the account in between, for
this call reads nothing and gives way to nobody; what is taken down cannot be refused, for all that the account would
object to is asked before; and the limits counted these quotes as open since their mandate was granted. A process that
dies between the two leaves quotes at the venue that its journal does not have. They are what every crash may leave of
decisions whose record was not yet on the disk: the session that is gone cancels them, a list that has them names them
as nobody's, executions of them show as a position that differs, and no client id is given twice.
"""

from collections.abc import Callable
from typing import NamedTuple

from netfeed.book.execution import MassQuote
from netfeed.engine.account import Account
from netfeed.engine.mandate import Mandates
from netfeed.engine.order_events import Event
from netfeed.engine.quote_words import Array
from netfeed.errors import MisuseError

SendRows = Callable[[Array, int, int, int], object]
"""A session's own: queue a mass quote of the first so many rows, under a client id and a group; or raise MisuseError
and have done nothing."""


class Went(NamedTuple):
    """What a move of the underlying did. `request` None: nothing went. `left`: the plain path must look at these."""

    request: MassQuote | None
    events: tuple[Event, ...]
    left: list[int]


class QuoteDoor:
    """The door to the session of this number, for quotes that are covered by these mandates. `ids` as of `Differ`."""

    def __init__(
        self, account: Account, session: int, mandates: Mandates, ids: Callable[[], int], send: SendRows
    ) -> None:
        if type(mandates) is not Mandates:
            raise MisuseError(f"only what risk has mandated goes through the door, not {type(mandates).__name__}")
        self._account, self._session, self._mandates, self._ids, self._send = account, session, mandates, ids, send
        self.sent = self.unsent = 0

    def move(self, lead: float, now: int) -> Went:
        """Move the underlying: send the quotes that change, and take them down.

        What the session would not take did not happen, and is left to the plain path.
        """
        count = self._mandates.step(lead, now)
        if not count:
            return Went(None, (), self._mandates.left())
        client_id = self._ids()
        if not self._goes(client_id, count):
            self.unsent += 1
            named = [quote.instrument for quote in self._mandates.request(client_id, count).quotes]
            self._mandates.void(named)
            return Went(None, (), [*named, *self._mandates.left()])
        return self._taken_down(client_id, count, now)

    def _goes(self, client_id: int, count: int) -> bool:
        if self._account.orders.objection(MassQuote(client_id, self._mandates.group, ())) is not None:
            return False
        try:
            self._send(self._mandates.rows, count, client_id, self._mandates.group)
        except MisuseError:
            return False
        return True

    def _taken_down(self, client_id: int, count: int, now: int) -> Went:
        self.sent += 1
        request = self._mandates.request(client_id, count)
        self._mandates.spend(now, count)
        events = self._account.decide(request, now)
        events += self._account.sent(request, self._session, now)
        return Went(request, tuple(events), self._mandates.left())
