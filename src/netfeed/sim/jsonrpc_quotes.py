"""Mass quotes of a simulated Deribit venue, and market-maker protection: requests as objects, answers as objects.

    private/  mass_quote  cancel_quotes  get_mmp_config  reset_mmp

A side that is not named stays as it is; one with the amount 0 is pulled. Quotes want a connection with cancel on
disconnect. Source: docs.deribit.com (API 2.1.1). Leaves out: post-only quotes, by delta, freezing of quotes, and to set
a configuration of protection, which accounts have from the venue's own.
"""

from collections.abc import Mapping
from typing import Any, Final

from netfeed.book.execution import MassQuote, Quote, Quoted, QuoteState
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_orders import Live
from netfeed.sim.jsonrpc_account import Step
from netfeed.sim.jsonrpc_private import INDEX_NAME
from netfeed.sim.jsonrpc_text import MESSAGES, RefusedError, number
from netfeed.sim.jsonrpc_words import INVALID, code, scaled, text
from netfeed.wire.starbase import PRICE_EXPONENT

_SIDES: Final = ("bid", "ask")
_S: Final = 1_000_000_000


def group_of(exchange: Exchange, account: str, params: Mapping[str, Any]) -> int:
    """Read a protection group, by its name or number. Raises: RefusedError when the account has none such."""
    name = text(params, "mmp_group")
    permit = exchange.trading.permits[account]
    for number_of in permit.groups:
        if number_of and name in (permit.group_names.get(number_of), str(number_of)):
            return number_of
    raise RefusedError(INVALID, "mmp_group", "there is no such group")


def mass_quote(
    exchange: Exchange, account: str, params: Mapping[str, Any], names: Mapping[str, int], client_id: int
) -> MassQuote:
    """Read a mass quote. Raises: RefusedError."""
    group, asked = group_of(exchange, account, params), params.get("quotes")
    if not isinstance(asked, list) or not asked or not all(isinstance(one, dict) for one in asked):
        raise RefusedError(INVALID, "quotes", "must be a list of quotes")
    quotes = tuple(_quote(exchange, account, group, one, names) for one in asked)
    return MassQuote(client_id, group, quotes)


def answer(exchange: Exchange, quoted: Quoted, step: Step, *, detailed: bool) -> dict[str, Any]:
    """Say what became of a mass quote."""
    orders, errors = [], []
    for instrument, *sides in quoted.sides:
        name = exchange.trading.markets[instrument].instrument.name if instrument in exchange.trading.markets else ""
        for place, side in enumerate(sides):
            if side.state is QuoteState.REFUSED:
                number_of = code(side.cause, side.venue_reason)
                error = {"code": number_of, "message": MESSAGES[number_of], "data": {"reason": side.venue_reason}}
                errors.append({"instrument_name": name, "side": _SIDES[place], "error": error})
            elif side.order_id is not None and (order := step.order(int(side.order_id))) is not None:
                orders.append(order)
    trades = [one for order in orders for one in step.trades_of(int(order["order_id"]))]
    if not detailed:
        return {"success_count": len(orders), "error_count": len(errors), "trade_count": len(trades)}
    return {"orders": orders, "trades": trades, "errors": errors}


def protection(exchange: Exchange, account: str) -> list[dict[str, Any]]:
    """Give how an account is protected."""
    permit, found = exchange.trading.permits[account], []
    for number_of, limits in permit.groups.items():
        name = permit.group_names.get(number_of, str(number_of)) if number_of else ""
        quantity = None if limits.quantity is None else number(limits.quantity, PRICE_EXPONENT)
        found.append({
            "index_name": INDEX_NAME, "mmp_group": name, "interval": limits.window_ns // _S,
            "frozen_time": limits.frozen_ns // _S, "quantity_limit": quantity, "delta_limit": limits.delta,
            "vega_limit": limits.vega, "is_tripped": exchange.trading.groups[account, number_of].frozen,
        })  # fmt: skip
    return found


def _quote(
    exchange: Exchange, account: str, group: int, asked: Mapping[str, Any], names: Mapping[str, int]
) -> Quote:  # fmt: skip
    instrument = names.get(text(asked, "instrument_name"))
    if instrument is None:
        raise RefusedError(10020, "instrument_name", "there is no such instrument")
    exponent = exchange.trading.markets[instrument].instrument.quantity_exponent
    sides: list[tuple[int | None, int]] = []
    for place, name in enumerate(_SIDES):
        before = exchange.trading.orders.quote(account, group, instrument, place)
        sides.append(_side(asked.get(name), exponent, before))
    return Quote(instrument, *sides[0], *sides[1])


def _side(asked: Any, exponent: int, before: Live | None) -> tuple[int | None, int]:
    """Read a side: its price and quantity, no price where it is pulled."""
    if asked is None:
        return (None, 0) if before is None else (before.price, before.left)
    if not isinstance(asked, dict):
        raise RefusedError(INVALID, "quotes", "a side is an object with price and amount")
    quantity = scaled(asked, "amount", exponent, 10021)
    if not quantity:
        return None, 0
    return scaled(asked, "price", PRICE_EXPONENT, 10026), quantity
