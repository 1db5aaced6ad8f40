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
"""A session's own: have a mass quote of the first so many rows leave, under a client id and a group; or raise
MisuseError and have done nothing."""


class Went(NamedTuple):
    """What a move of the underlying did. `request` None: nothing went. `left`: the plain path must look at these."""

    request: MassQuote | None
    events: tuple[Event, ...]
    left: list[int]


class Aim(NamedTuple):
    """What a shot may be: under this client id and group, so many quotes at most."""

    client_id: int
    group: int
    most: int


class QuoteDoor:
    """The door to the session of this number, for quotes that are covered by these mandates.

    `ids` as of `Differ`; `room` says how many messages the session takes now, without it any number.

    `move` does it all. Who has a faster way to step and to send takes it between `aim` and `went`, gives way to nobody
    in between, and aims anew after each; `fell` says that the session would not have it.
    """

    def __init__(
        self, account: Account, session: int, mandates: Mandates, ids: Callable[[], int], send: SendRows,
        room: Callable[[int], int] | None = None,
    ) -> None:  # fmt: skip
        if type(mandates) is not Mandates:
            raise MisuseError(f"only what risk has mandated goes through the door, not {type(mandates).__name__}")
        self._account, self._session, self._mandates, self._ids, self._send = account, session, mandates, ids, send
        self._client_id, self._room = -1, room
        self.sent = self.unsent = 0

    def move(self, lead: float, now: int) -> Went:
        """Move the underlying: send the quotes that change, and take them down.

        What the session would not take did not happen, and is left to the plain path.
        """
        aim = self.aim(now)
        count = 0 if aim is None else self._mandates.step(lead, now, aim.most)
        if aim is None or not count:
            return Went(None, (), self._mandates.left() if aim else [])
        try:
            self._send(self._mandates.rows, count, aim.client_id, aim.group)
        except MisuseError:
            return self.fell(count)
        return self.went(count, now)

    def aim(self, now: int) -> Aim | None:
        """Say what may be sent now; None where nothing may."""
        most = self._mandates.room(now)
        if self._room is not None:
            most = min(most, self._room(now))
        if not most:
            return None
        if self._objects():
            self._client_id = self._ids()
        return None if self._objects() else Aim(self._client_id, self._mandates.group, most)

    def _objects(self) -> bool:
        """Say whether the account would not take a quote under the client id that is next."""
        request = MassQuote(self._client_id, self._mandates.group, ())
        return self._client_id < 0 or self._account.orders.objection(request) is not None

    def went(self, count: int, now: int) -> Went:
        """Take down what was sent as it was aimed: the first rows of the last step."""
        self.sent += 1
        request = self._mandates.request(self._client_id, count)
        self._mandates.spend(now, count)
        events = self._account.decide(request, now)
        events += self._account.sent(request, self._session, now)
        return Went(request, tuple(events), self._mandates.left())

    def fell(self, count: int) -> Went:
        """Take note that nothing of the first rows of the last step was sent."""
        self.unsent += 1
        named = [quote.instrument for quote in self._mandates.request(self._client_id, count).quotes]
        self._mandates.void(named)
        return Went(None, (), [*named, *self._mandates.left()])
