"""The private channels of a simulated Deribit venue: what an account hears of its own, and in which order.

    user.changes.{instrument|kind.currency}.raw    orders, trades and positions of one step, for each instrument
    user.orders....raw                             each order; user.trades....raw: the trades of a step
    user.portfolio.{currency}                      what the account is worth, after each step that concerned it
    user.mmp_trigger.{index}                       its market-maker protection has tripped

`any` stands for every kind, currency or index. Each step of the exchange is told as a whole before the next one,
whoever asked for it and by whatever gateway: orders of Starbase and OUCH sessions are told here, too. Orders and trades
are as the step left them; positions and portfolios as they are when it is told.

Source: docs.deribit.com, subscriptions (API 2.1.1). Leaves out: 100ms and agg2, which are dropped as unknown channels.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from netfeed.sim.exchange import Exchange
from netfeed.sim.jsonrpc_account import Step
from netfeed.sim.jsonrpc_instruments import kind as kind_of
from netfeed.sim.jsonrpc_text import number
from netfeed.sim.jsonrpc_words import DIRECTIONS
from netfeed.sim.margin import maintenance
from netfeed.sim.starbase_chain import INDEX, INDEXES
from netfeed.sim.terms import MONEY_EXPONENT

PREFIX: Final = "user."
ANY: Final = "any"
INDEX_NAME: Final = INDEXES[INDEX][0]
_OF_INSTRUMENTS: Final = ("changes", "orders", "trades")
_MS: Final = 1_000_000


class Channel(NamedTuple):
    """What the name of a private channel means. `of`: an instrument, a kind, a currency or an index, by its kind."""

    name: str
    kind: str
    of: str


def parse(exchange: Exchange, name: str) -> Channel | None:
    """Read the name of a private channel; None when there is no such channel."""
    match name.split("."):
        case ["user", "portfolio", currency] if currency in (ANY, "btc", "BTC", "usd", "USD"):
            return Channel(name, "portfolio", currency.upper())
        case ["user", "mmp_trigger", index] if index in (ANY, INDEX_NAME):
            return Channel(name, "mmp_trigger", index)
        case ["user", what, instrument, "raw"] if what in _OF_INSTRUMENTS:
            known = {market.instrument.name for market in exchange.trading.markets.values()}
            return Channel(name, what, instrument) if instrument in known else None
        case ["user", what, kind, currency, "raw"] if what in _OF_INSTRUMENTS:
            known_kind, known_currency = kind in (ANY, "future", "option"), currency in (ANY, "BTC")
            return Channel(name, what, kind) if known_kind and known_currency else None
    return None


def notices(exchange: Exchange, account: str, channel: Channel, step: Step) -> Iterator[Any]:
    """Give what a channel tells of a step."""
    match channel.kind:
        case "portfolio":
            currencies = ("BTC", "USD") if channel.of == ANY.upper() else (channel.of,)
            yield from (portfolio(exchange, account, currency) for currency in currencies)
        case "mmp_trigger":
            names = exchange.trading.permits[account].group_names
            for one in step.tripped:
                until = 0 if one.until_ns is None else one.until_ns // _MS
                group = None if one.orders else names.get(one.group, str(one.group))
                yield {"index_name": INDEX_NAME, "frozen_until": until, "mmp_group": group}
        case kind:
            for instrument in step.instruments:
                if _concerns(exchange, channel, instrument):
                    yield from _of_instrument(exchange, account, kind, instrument, step)


def position(exchange: Exchange, account: str, instrument: int) -> dict[str, Any]:
    """Give the object of a position."""
    trading = exchange.trading
    of, holding = trading.markets[instrument].instrument, trading.ledger.accounts[account].holdings.get(instrument)
    price, exponent = of.exponents
    quantity = holding.quantity if holding else 0
    average = trading.ledger.terms[instrument].price(holding.basis, quantity) if holding else None
    direction = DIRECTIONS[quantity < 0] if quantity else "zero"
    return {
        "instrument_name": of.name, "kind": kind_of(of), "direction": direction,
        "size": number(quantity, exponent), "average_price": number(average or 0, price),
        "mark_price": number(trading.marks[instrument], price), "index_price": number(trading.index, price),
    }  # fmt: skip


def portfolio(exchange: Exchange, account: str, currency: str) -> dict[str, Any]:
    """Give what an account is worth in a currency."""
    trading = exchange.trading
    exposure, held = trading.exposure(account), trading.ledger.accounts[account]
    equity, needs = exposure.equity(currency), exposure.needs(currency)
    kept = maintenance(held, trading.ledger, trading.valued, currency)
    amounts = {
        "equity": equity, "balance": held.cash.get(currency, 0), "available_funds": max(equity - needs, 0),
        "margin_balance": equity, "initial_margin": needs, "maintenance_margin": kept,
    }  # fmt: skip
    return {"currency": currency} | {name: number(amount, MONEY_EXPONENT) for name, amount in amounts.items()}


def _concerns(exchange: Exchange, channel: Channel, instrument: int) -> bool:
    of = exchange.trading.markets[instrument].instrument
    return channel.of in (ANY, of.name, kind_of(of))


def _of_instrument(exchange: Exchange, account: str, kind: str, instrument: int, step: Step) -> Iterator[Any]:
    orders, trades = list(step.orders.get(instrument, {}).values()), step.trades.get(instrument, [])
    if kind == "orders":
        yield from orders
    elif kind == "trades":
        yield from [trades] if trades else []
    else:
        held = [position(exchange, account, instrument)] if trades else []
        name = exchange.trading.markets[instrument].instrument.name
        yield {"instrument_name": name, "orders": orders, "trades": trades, "positions": held}
