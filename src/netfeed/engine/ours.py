"""Our own orders as the board shows them: the account's word for each, in the few phases that a decision depends on.

What was sent is shown before anybody is asked again, so that no want is ever sent twice. Nothing is written where
nothing is different: what is written is looked at.
"""

from collections.abc import Iterable
from typing import Final

from netfeed.book.execution import TimeInForce
from netfeed.book.level import Level, Order, Side
from netfeed.engine.account import Account
from netfeed.engine.board import Board, ahead
from netfeed.engine.order import Key, State
from netfeed.engine.order import Order as Ordered
from netfeed.engine.strategy import Book, Phase, Working

PHASES: Final[dict[State, Phase]] = {
    State.NEW: Phase.SENT,
    State.PENDING: Phase.SENT,
    State.LIVE: Phase.RESTS,
    State.PARTIAL: Phase.RESTS,
    State.AMENDING: Phase.SENT,
    State.CANCELING: Phase.LEAVING,
    State.UNCERTAIN: Phase.UNCERTAIN,
}
"""Of every state that is not over."""
_AT_ONCE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class Ours:
    """Bring the board's orders up to the account's. `queues` False: what rests before them is not looked for."""

    def __init__(self, account: Account, board: Board, *, queues: bool = True) -> None:
        self._account, self._board, self._queues = account, board, queues
        self._placed: dict[int, dict[Key, tuple[int | None, int]]] = {}

    def refresh(self, instruments: Iterable[int], now: int) -> None:
        """Show the orders of these instruments as they are now."""
        for instrument in instruments:
            if instrument not in self._board.contracts:
                continue  # a venue speaks of what nobody listed: the account keeps it, no strategy sees it
            orders = [order for side in Side for order in self._account.orders.at(instrument, side)]
            before = self._board.working(instrument)
            if orders or before:
                working = tuple(self._working(instrument, orders, now))
                if working != before:
                    self._board.set_working(instrument, working)

    def resting(self, instruments: Iterable[int]) -> list[int]:
        """Give those of the instruments in which an order of ours is not over."""
        at = self._account.orders.at
        return [one for one in instruments if at(one, Side.BID) or at(one, Side.ASK)]

    def _working(self, instrument: int, orders: list[Ordered], now: int) -> Iterable[Working]:
        placed, self._placed[instrument] = self._placed.get(instrument, {}), {}
        for order in orders:
            price, since = placed.get(order.key, (None, now))
            since = since if order.key in placed and price == order.price else now
            self._placed[instrument][order.key] = (order.price, since)
            yield Working(
                order.client_id, instrument, order.side, order.price, max(0, order.quantity - order.filled),
                _phase(order), order.filled, since, self._ahead(instrument, order),
                None if order.asked is None else order.asked[0], order.group is not None,
            )  # fmt: skip
        if not self._placed[instrument]:
            del self._placed[instrument]

    def _ahead(self, instrument: int, order: Ordered) -> int | None:
        """Give what is filled before an order, where the book knows single orders."""
        if not self._queues or order.order_id is None or order.price is None:
            return None
        book: Book = self._board.book(instrument)
        asked = getattr(book, "ahead", None)
        if asked is not None and isinstance(order.order_id, int) and 0 <= order.order_id < 1 << 64:
            found: int | None = asked(order.side, order.price, order.order_id)
            return found
        queue = getattr(book, "queue", None)
        if queue is None:
            return None
        rows: list[Order] = queue(order.side, order.price)
        return ahead(rows, order.order_id)


def _phase(order: Ordered) -> Phase:
    """Say where an order stands; one that may not rest, and is alive, waits inside of the venue: it is under way."""
    phase = PHASES[order.state]
    return Phase.SENT if phase is Phase.RESTS and order.time_in_force in _AT_ONCE else phase


def top(level: Level | None) -> int | None:
    """Give the price of a level, None where there is none."""
    return None if level is None else level.price
