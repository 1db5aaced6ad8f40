"""The door to one order session: what is Cleared goes through, once; there is no other way out of the engine.

`send` is the session's own (`proto`, `venues`): it queues the request's bytes, or raises MisuseError and has done
nothing. What it refuses is taken back in the account, so that no order is left between decided and sent.
"""

from collections.abc import Callable

from netfeed.book.execution import Request
from netfeed.engine.account import Account
from netfeed.engine.cleared import Cleared
from netfeed.engine.order_events import Event
from netfeed.errors import MisuseError


class Door:
    """The door to the session of this number."""

    def __init__(self, account: Account, session: int, send: Callable[[Request], object]) -> None:
        self._account, self._session, self._send = account, session, send
        self.sent = self.unsent = 0

    def send(self, cleared: Cleared, now: int) -> list[Event]:
        """Hand a request to the session.

        Raises: MisuseError when it was not cleared, was sent before, or waited too long; nothing was sent. One that the
        session refuses is told as an order that is REJECTED, or as it was before.
        """
        if type(cleared) is not Cleared:
            raise MisuseError(f"only what risk has cleared goes through the door, not {type(cleared).__name__}")
        request = cleared.spend(now)
        if not self._account.orders.may_send(request):
            raise MisuseError(f"{request.client_id} was withdrawn or given up before it was sent")
        try:
            self._send(request)
        except MisuseError:
            self.unsent += 1
            return self._account.unsent(request, now)
        self.sent += 1
        return self._account.sent(request, self._session, now)
