"""What is true of an account of a simulated Deribit venue, when it asks: what rests, what it holds, what it is worth.

    private/  get_open_orders  get_open_orders_by_instrument  get_open_orders_by_currency  get_order_state
              get_positions  get_position  get_account_summary

It is where a client of Starbase, whose order sessions list nothing, finds out what is true.
Source: docs.deribit.com (API 2.1.1).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from netfeed.sim.exchange import Exchange
from netfeed.sim.jsonrpc_account import Accounts
from netfeed.sim.jsonrpc_instruments import kind
from netfeed.sim.jsonrpc_params import Reader, is_here
from netfeed.sim.jsonrpc_private import portfolio, position
from netfeed.sim.jsonrpc_text import RefusedError
from netfeed.sim.jsonrpc_words import INVALID, text

Params = dict[str, Any]


class Lists:
    """The methods that change nothing."""

    def __init__(self, exchange: Exchange, accounts: Accounts, reader: Reader) -> None:
        self._exchange, self._accounts, self._reader = exchange, accounts, reader

    def knows(self, method: str) -> bool:
        """Say whether a method is one of these."""
        return method in _TABLE

    def call(self, account: str, method: str, params: Params) -> Any:
        """Give what is asked for. Raises: RefusedError."""
        return _TABLE[method](self, account, params)

    def _open_orders(self, account: str, params: Params) -> Any:
        of = self._reader.maybe_instrument(params)
        if not is_here(params):
            return []
        mine = self._exchange.trading.orders.of(account)
        return [self._accounts.listed(account, live) for live in mine if of in (None, live.instrument)]

    def _order_state(self, account: str, params: Params) -> Any:
        return self._accounts.listed(account, self._reader.order(account, params))

    def _positions(self, account: str, params: Params) -> Any:
        if not is_here(params):
            return []
        listed, wanted = self._exchange.listed(account).positions, params.get("kind")
        markets = self._exchange.trading.markets
        held = [one.instrument for one in listed if wanted in (None, kind(markets[one.instrument].instrument))]
        return [position(self._exchange, account, instrument) for instrument in held]

    def _position(self, account: str, params: Params) -> Any:
        return position(self._exchange, account, self._reader.instrument(params))

    def _summary(self, account: str, params: Params) -> Any:
        currency = text(params, "currency")
        if currency not in ("BTC", "USD"):
            raise RefusedError(INVALID, "currency", "value must be a currency of this venue")
        return portfolio(self._exchange, account, currency)


_TABLE: Final[Mapping[str, Callable[[Lists, str, Params], Any]]] = {
    "private/get_open_orders": Lists._open_orders, "private/get_open_orders_by_instrument": Lists._open_orders,
    "private/get_open_orders_by_currency": Lists._open_orders, "private/get_order_state": Lists._order_state,
    "private/get_positions": Lists._positions, "private/get_position": Lists._position,
    "private/get_account_summary": Lists._summary,
}  # fmt: skip
