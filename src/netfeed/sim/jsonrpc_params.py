"""What params of private methods name: instruments, prices and amounts as integers, orders of an account.

Source: docs.deribit.com (API 2.1.1). Raises throughout: RefusedError with Deribit's code for what is wrong.
"""

from collections.abc import Mapping
from typing import Any

from netfeed.book.execution import NONE, Flag
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_orders import Live
from netfeed.sim.jsonrpc_account import Accounts
from netfeed.sim.jsonrpc_text import RefusedError
from netfeed.sim.jsonrpc_words import INVALID, flag, scaled, text
from netfeed.wire.starbase import PRICE_EXPONENT


class Reader:
    """Reads params. `names`: the instruments by their names."""

    def __init__(self, exchange: Exchange, accounts: Accounts) -> None:
        self.names = {market.instrument.name: number for number, market in exchange.trading.markets.items()}
        self._exchange, self._accounts = exchange, accounts

    def instrument(self, params: Mapping[str, Any]) -> int:
        """Read an instrument."""
        found = self.names.get(text(params, "instrument_name"))
        if found is None:
            raise RefusedError(10020, "instrument_name", "there is no such instrument")
        return found

    def maybe_instrument(self, params: Mapping[str, Any]) -> int | None:
        """Read an instrument, None where none is said."""
        return self.instrument(params) if "instrument_name" in params else None

    def price(self, params: Mapping[str, Any]) -> int | None:
        """Read a price, None for an order at the market. Units: 1e-9."""
        match text(params, "type", "limit"):
            case "limit":
                return scaled(params, "price", PRICE_EXPONENT, 10026)
            case "market":
                return None
        raise RefusedError(INVALID, "type", "must be limit or market")

    def amount(self, params: Mapping[str, Any], instrument: int) -> int:
        """Read an amount. Units: the instrument's."""
        exponent = self._exchange.trading.markets[instrument].instrument.quantity_exponent
        return scaled(params, "amount", exponent, 10021)

    def order(self, account: str, params: Mapping[str, Any]) -> Live:
        """Read which of an account's orders is meant."""
        order_id = text(params, "order_id")
        live = self._exchange.trading.orders.by_id.get(int(order_id)) if _is_number(order_id) else None
        if live is None or live.account != account:
            raise RefusedError(10004, "order_id", "there is no such order that is open")
        return live

    def labelled(self, account: str, params: Mapping[str, Any]) -> list[Live]:
        """Read which of an account's orders have the label that is meant."""
        label, of = text(params, "label"), self.maybe_instrument(params)
        mine = [live for live in self._exchange.trading.orders.of(account) if live.group is None]
        named = [live for live in mine if self._accounts.label(account, live) == label]
        return [live for live in named if of in (None, live.instrument)] if is_here(params) else []


def is_here(params: Mapping[str, Any]) -> bool:
    """Say whether a currency is one of this venue's, or none is said."""
    return params.get("currency", "any") in ("any", "BTC", "btc")


def flags(params: Mapping[str, Any]) -> Flag:
    """Read what else an order asks for."""
    found = NONE
    if flag(params, "post_only"):
        found |= Flag.POST_ONLY_REJECT if flag(params, "reject_post_only") else Flag.POST_ONLY
    found |= Flag.REDUCE_ONLY if flag(params, "reduce_only") else NONE
    return found | (Flag.MMP if flag(params, "mmp") else NONE)


def _is_number(order_id: str) -> bool:
    return order_id.isascii() and order_id.isdecimal() and len(order_id) < 20
