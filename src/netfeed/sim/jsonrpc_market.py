"""One instrument of a simulated Deribit venue beside its book: its trades, and what its ticker says.

It hears the messages of the floor's transactions before they are encoded for multicast, so that both tell the same
trades with the same match ids. Source: docs.deribit.com, trades.{instrument_name}.{interval}, ticker.{...}.

Bounds: MAX_TRADES trades are kept. Leaves out: windows of time in the statistics, which count from the beginning;
settlement; liquidations.

Units: prices in 1e-9, quantities in 10**`quantity_exponent`; times in ns since 1970.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from netfeed.book.digest import Row
from netfeed.sim.floor import BookFacts
from netfeed.sim.jsonrpc_greeks import LEAST_NS, YEAR_NS, Option
from netfeed.sim.jsonrpc_instruments import kind, settlement_period
from netfeed.sim.jsonrpc_text import number
from netfeed.sim.starbase_chain import NANO
from netfeed.sim.starbase_market import Market
from netfeed.wire.starbase import PRICE_EXPONENT, InstrumentFlags, TemplateId, TradeFlags

MAX_TRADES: Final = 1000
_TAKEN: Final = ("takerFlags", "markPrice", "indexPrice")
"""What a trade has from the summary in front of it."""
_NOTHING: Final = (0, 0, 0)
_UP, _UP_AGAIN, _DOWN, _DOWN_AGAIN = range(4)


class Listing:
    """What is told of one instrument."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.instrument = market.instrument
        self.name = market.instrument.name
        self.kind = kind(market.instrument)
        self.trades: deque[dict[str, Any]] = deque(maxlen=MAX_TRADES)
        self.trade_seq = 0
        self.last: int | None = None
        self._tick = _UP_AGAIN
        self._first = self._high = self._low = 0
        self._volume = 0
        self._known: Mapping[str, float] = {"currentFunding": 0.0, "openInterest": 0.0}
        self._taken: Mapping[str, Any] = {}

    # -- hearing

    def hear(self, template: int, fields: Mapping[str, Any], ts_event_ns: int) -> list[dict[str, Any]]:
        """Take a message that names this instrument; give the trades that it tells of."""
        if template == TemplateId.INSTRUMENT_REF:
            self._known = fields
        elif template == TemplateId.TRADE_SUMMARY:
            self._taken = fields
        elif template == TemplateId.TRADE:
            return [self._traded({**fields} | {name: self._taken[name] for name in _TAKEN}, ts_event_ns)]
        elif template == TemplateId.BLOCK_TRADE:
            return [self._traded(fields, ts_event_ns)]
        return []

    def _traded(self, fields: Mapping[str, Any], ts_event_ns: int) -> dict[str, Any]:
        price, quantity = fields["fillPrice"], fields["fillQty"]
        self.trade_seq += 1
        sells = fields["takerFlags"] & TradeFlags.IS_SELL
        told: dict[str, Any] = {
            "trade_seq": self.trade_seq, "trade_id": str(fields["matchId"]), "timestamp": ts_event_ns // 1_000_000,
            "tick_direction": self._direction(price), "price": _price(price),
            "mark_price": _price(fields["markPrice"]), "instrument_name": self.name,
            "index_price": _price(fields["indexPrice"]), "direction": "sell" if sells else "buy",
            "contracts": self._contracts(quantity), "amount": self._amount(quantity),
        }  # fmt: skip
        if "blockTradeId" in fields:
            told |= {"block_trade_id": f"BLOCK-{fields['blockTradeId']}", "block_trade_leg_count": 1}
        if self.kind == "option":
            told["iv"] = self._volatility(price, fields["indexPrice"], ts_event_ns)
        self.trades.append(told)
        self._volume += quantity
        self._first = self._first or price
        self._high, self._low = max(self._high, price), min(self._low or price, price)
        self.last = price
        return told

    def _direction(self, price: int) -> int:
        if self.last is not None and price != self.last:
            self._tick = _UP if price > self.last else _DOWN
        elif self._tick in (_UP, _DOWN):
            self._tick += 1
        return self._tick

    # -- telling

    def ticker(self, book: BookFacts, index: int, ts_event_ns: int) -> dict[str, Any]:
        """Tell the ticker when the index is at `index`."""
        mark = self.instrument.fair(index)
        bid, ask = (rows[0] if rows else _NOTHING for rows in (book.bids, book.asks))
        told: dict[str, Any] = {
            "timestamp": ts_event_ns // 1_000_000, "stats": self._stats(),
            "state": "halted" if self.market.halted else "open", "settlement_price": _price(mark),
            "open_interest": round(self._known["openInterest"], 1),
            "min_price": _price(self.instrument.on_tick(mark * 9 // 10)),
            "max_price": _price(self.instrument.on_tick(mark * 11 // 10)), "mark_price": _price(mark),
            "last_price": None if self.last is None else _price(self.last), "instrument_name": self.name,
            "index_price": _price(index), "estimated_delivery_price": _price(index),
            "best_bid_price": _price(bid[0]), "best_bid_amount": self._amount(bid[1]),
            "best_ask_price": _price(ask[0]), "best_ask_amount": self._amount(ask[1]),
        }  # fmt: skip
        if self.kind == "option":
            return told | self._option(bid, ask, mark, index, ts_event_ns)
        if settlement_period(self.instrument) == "perpetual":
            funding = round(self._known["currentFunding"], 8)
            told |= {"interest_value": 0.0, "funding_8h": funding, "current_funding": funding}
        return told

    def _option(self, bid: Row, ask: Row, mark: int, index: int, ts_event_ns: int) -> dict[str, Any]:
        volatility = self._volatility(mark, index, ts_event_ns)
        return {
            "underlying_price": _price(index), "underlying_index": "index_price", "interest_rate": 0.0,
            "mark_iv": volatility, "bid_iv": self._volatility(bid[0], index, ts_event_ns),
            "ask_iv": self._volatility(ask[0], index, ts_event_ns),
            "greeks": self._as_option(index, ts_event_ns).greeks(volatility / 100),
        }  # fmt: skip

    def _stats(self) -> dict[str, Any]:
        if self.last is None:
            return {"volume": None, "price_change": None, "low": None, "high": None}
        change = round((self.last - self._first) / self._first * 100, 4)
        return {
            "volume": self._amount(self._volume), "price_change": change, "low": _price(self._low),
            "high": _price(self._high),
        }  # fmt: skip

    def _as_option(self, index: int, ts_event_ns: int) -> Option:
        instrument = self.instrument
        years = max((instrument.expiry_ns or 0) - ts_event_ns, LEAST_NS) / YEAR_NS
        call = not instrument.flags & InstrumentFlags.IS_PUT_OPTION
        return Option(call, index / NANO, (instrument.strike or 0) / NANO, years)

    def _volatility(self, price: int, index: int, ts_event_ns: int) -> float:
        """Give the volatility that a price means. Units: percent a year."""
        dollars = price * index / NANO / NANO
        return round(self._as_option(index, ts_event_ns).volatility(dollars) * 100, 2)

    def _amount(self, quantity: int) -> Any:
        return number(quantity, self.instrument.quantity_exponent)

    def _contracts(self, quantity: int) -> Any:
        """Give an amount in contracts: of one coin for options, of one lot for futures."""
        if self.kind == "option":
            return self._amount(quantity)
        return number(quantity // self.instrument.lot, 0)


def _price(value: int) -> msgspec.Raw:
    return number(value, PRICE_EXPONENT)
