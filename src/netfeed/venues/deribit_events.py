"""Trades and tickers of Deribit, as typed events: cold messages, decoded by msgspec, numbers as exact decimals.

    trades.{instrument}.{interval}    a list of trades
    ticker.{instrument}.{interval}    prices, open interest, and for options implied volatilities and Greeks

Source: docs.deribit.com (API 2.1.1: trades.instrument_name.interval, ticker.instrument_name.interval).

Of two lines the first copy wins: trades by `trade_seq`, which counts the instrument's, tickers by their time. What is
not newer is a copy if another line brought the newest; from the same line it is a count that begins anew.

Bounds: MAX_EVENTS wait to be drained; the oldest give way to newer ones, and are counted. MAX_TRADES in one message.
MAX_NEWEST instruments are told apart; copies of others are told twice.
Leaves out: `trades.{kind}.{currency}`, `incremental_ticker`.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from netfeed.book.level import Side
from netfeed.machine import Buffer
from netfeed.venues.instrument import Instrument

MAX_EVENTS: Final = 65_536
MAX_TRADES: Final = 10_000
MAX_NEWEST: Final = 65_536
PREFIXES: Final = ("trades.", "ticker.")


class TradeEvent(msgspec.Struct, frozen=True):
    """One execution. `resting`: the side that was in the book. Units: ns."""

    instrument: str
    trade_id: str
    sequence: int
    resting: Side
    price: Decimal
    amount: Decimal
    ts_event_ns: int
    ts_recv_ns: int
    mark_price: Decimal | None
    index_price: Decimal | None
    iv: Decimal | None
    liquidation: str | None
    block_trade_id: str | None


class Greeks(msgspec.Struct, frozen=True):
    """An option's sensitivities, by the venue's own model."""

    delta: Decimal
    gamma: Decimal
    rho: Decimal
    theta: Decimal
    vega: Decimal


class TickerEvent(msgspec.Struct, frozen=True):
    """What a venue says of an instrument at a moment. Units: ns; volatilities in percent, as on the wire."""

    instrument: str
    ts_event_ns: int
    ts_recv_ns: int
    state: str
    best_bid_price: Decimal | None
    best_bid_amount: Decimal | None
    best_ask_price: Decimal | None
    best_ask_amount: Decimal | None
    last_price: Decimal | None
    mark_price: Decimal | None
    index_price: Decimal | None
    open_interest: Decimal | None
    underlying_price: Decimal | None
    underlying_index: str | None
    mark_iv: Decimal | None
    bid_iv: Decimal | None
    ask_iv: Decimal | None
    greeks: Greeks | None
    current_funding: Decimal | None
    funding_8h: Decimal | None


class _Trade(msgspec.Struct):
    instrument_name: str
    trade_id: str
    trade_seq: int
    direction: str
    price: Decimal
    amount: Decimal
    timestamp: int
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    iv: Decimal | None = None
    liquidation: str | None = None
    block_trade_id: str | int | None = None


class _Ticker(msgspec.Struct):
    instrument_name: str
    timestamp: int
    state: str = ""
    best_bid_price: Decimal | None = None
    best_bid_amount: Decimal | None = None
    best_ask_price: Decimal | None = None
    best_ask_amount: Decimal | None = None
    last_price: Decimal | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None
    open_interest: Decimal | None = None
    underlying_price: Decimal | None = None
    underlying_index: str | None = None
    mark_iv: Decimal | None = None
    bid_iv: Decimal | None = None
    ask_iv: Decimal | None = None
    greeks: Greeks | None = None
    current_funding: Decimal | None = None
    funding_8h: Decimal | None = None


class _Params(msgspec.Struct):
    channel: str
    data: msgspec.Raw


class _Push(msgspec.Struct):
    method: str
    params: _Params


_PUSH: Final = msgspec.json.Decoder(_Push)
_TRADES: Final = msgspec.json.Decoder(list[_Trade])
_TICKER: Final = msgspec.json.Decoder(_Ticker)
_RESTING: Final = {"buy": Side.ASK, "sell": Side.BID}
_MOST_MS: Final = 9_000_000_000_000


@dataclass(frozen=True, slots=True)
class EventsStatistics:
    """Counters, as of the call."""

    trades: int
    tickers: int
    duplicates: int
    dropped: int
    refused: int


class Events:
    """The trades and tickers of some instruments, until they are drained."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._events: deque[TradeEvent | TickerEvent] = deque(maxlen=MAX_EVENTS)
        self._newest: dict[tuple[str, bool], tuple[int, int]] = {}  # number and line, of trades and of tickers
        self._trades = self._tickers = self._duplicates = self._dropped = self._refused = 0

    def take(self, message: Buffer, ts_recv_ns: int, line: int) -> bool:
        """Take a message of trades or of a ticker; False for any other, and for one that makes no sense."""
        try:
            push = _PUSH.decode(message)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        if push.method != "subscription" or not push.params.channel.startswith(PREFIXES):
            return False
        try:
            if push.params.channel.startswith("trades."):
                self._take_trades(_TRADES.decode(push.params.data), ts_recv_ns, line)
            else:
                self._take_ticker(_TICKER.decode(push.params.data), ts_recv_ns, line)
        except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
            self._refused += 1
            return False
        return True

    def drain(self) -> list[TradeEvent | TickerEvent]:
        """Give what was told since the last call."""
        events = list(self._events)
        self._events.clear()
        return events

    def statistics(self) -> EventsStatistics:
        """Return the counters, as of the call."""
        return EventsStatistics(self._trades, self._tickers, self._duplicates, self._dropped, self._refused)

    def _is_copy(self, name: str, is_trade: bool, number: int, line: int) -> bool:
        """Say whether another line has brought this already, or something newer."""
        newest, first = self._newest.get((name, is_trade), (number - 1, line))
        if number <= newest and line != first:
            self._duplicates += 1
            return True
        if (name, is_trade) in self._newest or len(self._newest) < MAX_NEWEST:
            self._newest[name, is_trade] = number, line
        return False

    def _take_trades(self, trades: list[_Trade], ts_recv_ns: int, line: int) -> None:
        if len(trades) > MAX_TRADES:
            raise ValueError(f"more than {MAX_TRADES} trades")
        told = [
            TradeEvent(
                one.instrument_name, one.trade_id, one.trade_seq, _RESTING[one.direction], one.price, one.amount,
                _ns(one.timestamp), ts_recv_ns, one.mark_price, one.index_price, one.iv, one.liquidation,
                None if one.block_trade_id is None else str(one.block_trade_id),
            )
            for one in trades
        ]  # fmt: skip
        for event in told:
            if not self._is_copy(event.instrument, True, event.sequence, line):
                self._trades += 1
                self._append(event)

    def _take_ticker(self, one: _Ticker, ts_recv_ns: int, line: int) -> None:
        if self._is_copy(one.instrument_name, False, one.timestamp, line):
            return
        self._append(
            TickerEvent(
                one.instrument_name, _ns(one.timestamp), ts_recv_ns, one.state, one.best_bid_price, one.best_bid_amount,
                one.best_ask_price, one.best_ask_amount, one.last_price, one.mark_price, one.index_price,
                one.open_interest, one.underlying_price, one.underlying_index, one.mark_iv, one.bid_iv, one.ask_iv,
                one.greeks, one.current_funding, one.funding_8h,
            )
        )  # fmt: skip
        self._tickers += 1

    def _append(self, event: TradeEvent | TickerEvent) -> None:
        self._dropped += len(self._events) == MAX_EVENTS
        self._events.append(event)


def _ns(timestamp: int) -> int:
    if not -_MOST_MS < timestamp < _MOST_MS:
        raise ValueError(f"{timestamp} is no time in ms")
    return timestamp * 10**6
