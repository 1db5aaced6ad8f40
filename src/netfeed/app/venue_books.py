"""What is made of a venue's instruments: its dialect, the market of their books, and the topics that are asked for."""

import os
from collections.abc import Callable, Sequence

from netfeed.app.configuration import Venue
from netfeed.app.venue_kind import Made, credentials_of, limited
from netfeed.app.venue_lists import product
from netfeed.feed.dialect import Dialect, Market
from netfeed.venues import binance, bybit, coinbase, deribit_json, kraken, okx
from netfeed.venues.instrument import Instrument

Instruments = Sequence[Instrument]


def of_deribit(config: Venue, instruments: Instruments) -> Made:
    """Make Deribit's books, trades and tickers."""
    market, events = deribit_json.market(instruments, config.interval)
    kinds = [kind for kind, on in (("book", True), ("trades", config.trades), ("ticker", config.tickers)) if on]
    topics = tuple(f"{kind}.{one.name}.{config.interval}" for one in instruments for kind in kinds)
    books = tuple(deribit_json.topic(one.name, config.interval) for one in instruments)
    dialect = deribit_json.Dialect(credentials_of(config, os.environ))
    return Made(limited(dialect, config.limits), market, topics, books, events)


def of_kraken(config: Venue, instruments: Instruments) -> Made:
    """Make Kraken's books, of one depth."""
    depth = config.depth or kraken.DEPTH
    market = kraken.market(instruments, depth)
    return _books(config, instruments, kraken.Dialect(depth), market, lambda name: kraken.topic(name, depth))


def of_binance(config: Venue, instruments: Instruments) -> Made:
    """Make Binance's books, of spot or of futures."""
    which = product(config)
    market = binance.market(instruments, which, config.interval)
    return _books(
        config, instruments, binance.Dialect(which), market, lambda name: binance.topic(name, config.interval)
    )


def of_okx(config: Venue, instruments: Instruments) -> Made:
    """Make OKX's books."""
    return _books(config, instruments, okx.Dialect(), okx.market(instruments), okx.topic)


def of_bybit(config: Venue, instruments: Instruments) -> Made:
    """Make Bybit's books, of one depth."""
    depth = config.depth or bybit.DEPTHS[config.category or "spot"][0]
    market = bybit.market(instruments, depth)
    return _books(config, instruments, bybit.Dialect(), market, lambda name: bybit.topic(name, depth))


def of_coinbase(config: Venue, instruments: Instruments) -> Made:
    """Make Coinbase's books."""
    names = frozenset(one.name for one in instruments)
    return _books(config, instruments, coinbase.Dialect(names), coinbase.market(instruments), coinbase.topic)


def _books(
    config: Venue, instruments: Instruments, dialect: Dialect, market: Market, topic: Callable[[str], str]
) -> Made:  # fmt: skip
    """Put together what has books and nothing else."""
    topics = tuple(topic(one.name) for one in instruments)
    return Made(limited(dialect, config.limits), market, topics, topics)
