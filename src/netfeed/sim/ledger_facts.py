"""What is true of an account of a simulated exchange, as facts that whoever trades there can compare with his own.

Quantities, prices and money are decimal texts, exact, without zeros at their ends; the keys are those of reports.
"""

from typing import Any, Final

from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_orders import Live
from netfeed.sim.terms import MONEY_EXPONENT
from netfeed.units import decimal_text

SIDES: Final = ("bid", "ask")


def account_facts(exchange: Exchange, name: str) -> dict[str, Any]:
    """Say what an account has: balances, fees, positions, open orders. Raises: KeyError when there is none."""
    trading = exchange.trading
    account = trading.ledger.accounts[name]
    currencies = sorted({*account.cash, *account.fees})
    units = trading.valued.units
    return {
        "account": name,
        "balances": {one: money(account.cash.get(one, 0)) for one in currencies},
        "equity": {one: money(trading.ledger.equity(name, units, one)) for one in currencies},
        "fees": {one: money(account.fees.get(one, 0)) for one in currencies},
        "positions": _positions(exchange, name),
        "orders": [_order(exchange, live) for live in trading.orders.of(name)],
        "rejected": exchange.log.rejected[name], "fills": exchange.log.fills[name],
    }  # fmt: skip


def exchange_facts(exchange: Exchange) -> dict[str, Any]:
    """Say what is true of the exchange, and what does not add up: nothing, when all is well."""
    trading = exchange.trading
    return {
        "index": decimal_of(trading.index, -9), "accounts": sorted(trading.permits),
        "open_orders": len(trading.orders.by_id), "steps": exchange.log.count, "complaints": check(trading),
    }  # fmt: skip


def money(amount: int) -> str:
    """Write an amount. Units: 1e-24."""
    return decimal_of(amount, MONEY_EXPONENT)


def decimal_of(value: int, exponent: int) -> str:
    """Write a number without zeros at its end.

    >>> decimal_of(1_500, -3), decimal_of(-20, 0)
    ('1.5', '-20')
    """
    text = decimal_text(value, exponent)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _positions(exchange: Exchange, name: str) -> list[dict[str, Any]]:
    markets = exchange.trading.markets
    found = []
    for one in exchange.listed(name).positions:
        price, quantity = markets[one.instrument].instrument.exponents
        average = None if one.average_price is None else decimal_of(one.average_price, price)
        found.append({
            "instrument": markets[one.instrument].instrument.name, "quantity": decimal_of(one.quantity, quantity),
            "average_price": average,
        })  # fmt: skip
    return found


def _order(exchange: Exchange, live: Live) -> dict[str, Any]:
    of = exchange.trading.markets[live.instrument].instrument
    price, quantity = of.exponents
    return {
        "client_id": live.client_id, "order_id": live.id, "instrument": of.name, "side": SIDES[live.side],
        "price": decimal_of(live.price, price), "quantity": decimal_of(live.quantity, quantity),
        "filled": decimal_of(live.filled, quantity), "quote": live.group is not None,
    }  # fmt: skip
