"""What an account of a simulated exchange can ask over JSON-RPC: what rests, what it holds, and that all of it leaves.

    private/  get_open_orders  get_positions  cancel_all

It is where a client of Starbase, whose order sessions list nothing, finds out what is true. A label is the client id of
an order; a quote has that of its mass quote as `quote_id`.

Source: docs.deribit.com (API 2.1.1). Leaves out: to send and to change orders, and notifications of them, which this
venue takes over Starbase's order sessions.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from netfeed.book.execution import CancelAll, Canceled, Flag, TimeInForce
from netfeed.sim.exchange_orders import Live
from netfeed.sim.jsonrpc_instruments import kind
from netfeed.sim.jsonrpc_text import number
from netfeed.sim.switchboard import Switchboard
from netfeed.wire.starbase import PRICE_EXPONENT

GATEWAY: Final = 2
"""The way by which its requests come: none that anything is told by."""
_DIRECTIONS: Final = ("buy", "sell")
_TIMES: Final = {
    TimeInForce.GTC: "good_til_cancelled", TimeInForce.DAY: "good_til_day", TimeInForce.IOC: "immediate_or_cancel",
    TimeInForce.FOK: "fill_or_kill",
}  # fmt: skip


class OrderMethods:
    """The private methods of an exchange's accounts."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._asked = 0

    def knows(self, method: str) -> bool:
        """Say whether a method is one of these."""
        return method in _TABLE

    def call(self, account: str, method: str, now: int) -> Any:
        """Do what an account asks and give the result."""
        return _TABLE[method](self, account, now)

    def _open_orders(self, account: str, now: int) -> Any:
        return [self._order(live) for live in self._board.exchange.trading.orders.of(account)]

    def _order(self, live: Live) -> dict[str, Any]:
        instrument = self._board.exchange.trading.markets[live.instrument].instrument
        exponent, quote = instrument.quantity_exponent, live.group is not None
        told: dict[str, Any] = {
            "order_id": str(live.id), "instrument_name": instrument.name, "direction": _DIRECTIONS[live.side],
            "order_state": "open", "order_type": "limit", "amount": number(live.quantity, exponent),
            "filled_amount": number(live.filled, exponent), "price": number(live.price, PRICE_EXPONENT),
            "time_in_force": _TIMES[live.time_in_force], "label": "" if quote else str(live.client_id), "api": True,
            "post_only": bool(live.flags & Flag.POST_ONLY), "reduce_only": bool(live.flags & Flag.REDUCE_ONLY),
            "mmp": quote or bool(live.flags & Flag.MMP),
        }  # fmt: skip
        return told | {"quote": True, "quote_id": str(live.client_id)} if quote else told

    def _positions(self, account: str, now: int) -> Any:
        trading = self._board.exchange.trading
        listed = self._board.exchange.listed(account).positions
        return [self._position(one.instrument, one.quantity, one.average_price, trading.marks) for one in listed]

    def _position(self, instrument: int, quantity: int, average: int | None, marks: Mapping[int, int]) -> Any:
        of = self._board.exchange.trading.markets[instrument].instrument
        return {
            "instrument_name": of.name, "kind": kind(of), "direction": _DIRECTIONS[quantity < 0],
            "size": number(quantity, of.quantity_exponent), "average_price": number(average or 0, PRICE_EXPONENT),
            "mark_price": number(marks[instrument], PRICE_EXPONENT),
            "index_price": number(self._board.exchange.trading.index, PRICE_EXPONENT),
        }  # fmt: skip

    def _cancel_all(self, account: str, now: int) -> Any:
        self._asked += 1
        outcome = self._board.exchange.request(account, CancelAll(self._asked), self._board.wall_ns + now, GATEWAY)
        self._board.route(outcome, now)
        return sum(isinstance(one.report, Canceled) for one in outcome.deliveries)


_TABLE: Final[Mapping[str, Callable[[OrderMethods, str, int], Any]]] = {
    "private/get_open_orders": OrderMethods._open_orders, "private/get_positions": OrderMethods._positions,
    "private/cancel_all": OrderMethods._cancel_all,
}  # fmt: skip
