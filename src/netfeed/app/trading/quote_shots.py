"""The hot step on sockets: a turn of the transport, armed by the engine's door and a Starbase session, one shot a time.

    shots.aim(now)                arm the turn, where risk, account and session would take a quote now
    turn.receive(fd, until)       the transport's: packets in, and out what they move
    shots.took(now)               take down what left: in the account, in the session

Nothing else may run between `aim` and `took`: what the turn was armed with (client id, sequence, room) holds until
then. Before the first packet of a turn nothing can have changed, so `aim` stands in front of every `receive`.
"""

from typing import Any

from netfeed.engine.mandate import Mandates
from netfeed.engine.quote_door import QuoteDoor, Went
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_rows import QuoteRows


class QuoteShots:
    """One turn, and whose quotes it moves. `fd` is the session's socket; `turn` a `transport.QuoteTurn`."""

    def __init__(
        self, turn: Any, fd: int, client: Client, quotes: QuoteRows, door: QuoteDoor, mandates: Mandates
    ) -> None:
        self._turn, self._fd, self._client = turn, fd, client
        self._quotes, self._door, self._mandates = quotes, door, mandates
        self._client_id = -1

    def aim(self, now: int) -> bool:
        """Arm the turn for one shot; say whether it is. Units: monotonic ns."""
        self._turn.disarm()
        aim, bears = self._door.aim(now), self._client.next_rows(now)
        if aim is None or bears is None:
            return False
        self._client_id = aim.client_id
        self._turn.arm(self._fd, aim.client_id, aim.group, *bears, aim.most)
        return True

    def took(self, now: int) -> Went:
        """Take down what the last turn has sent, or would have. Units: monotonic ns."""
        turn = self._turn
        turn.disarm()
        if not turn.quoted:
            return Went(None, (), self._mandates.left())
        if not turn.sent:
            return self._door.fell(turn.quoted)
        self._client.rows_went(self._quotes, self._mandates.rows, turn.quoted, self._client_id, turn.size, turn.rest)
        return self._door.went(turn.quoted, now)
