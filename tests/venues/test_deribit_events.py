"""Trades and tickers of Deribit as events: bounded, counted, and what is none of them is left alone."""

import json
from typing import Any

import pytest

from netfeed.book.level import Side
from netfeed.venues import deribit_events
from netfeed.venues.deribit_events import Events, TradeEvent

TRADE = {"instrument_name": "A", "trade_id": "1", "trade_seq": 1, "direction": "buy", "price": 1, "amount": 2.5,
         "timestamp": 5, "block_trade_id": 7}  # fmt: skip


def push(channel: str, data: Any) -> bytes:
    return json.dumps({"method": "subscription", "params": {"channel": channel, "data": data}}).encode()


def test_a_buyer_takes_from_the_asks() -> None:
    events = Events({})
    assert events.take(push("trades.A.100ms", [TRADE]), 9, 0)
    (trade,) = events.drain()
    assert isinstance(trade, TradeEvent)
    assert (trade.resting, trade.ts_event_ns, trade.block_trade_id) == (Side.ASK, 5_000_000, "7")
    assert events.drain() == []


@pytest.mark.parametrize("message", [b"", b"{}", b"[", push("book.A.raw", {}), b"\xff" * 9, b'{"method":"heartbeat"}'])
def test_what_is_neither_is_left_alone(message: bytes) -> None:
    events = Events({})
    assert not events.take(message, 9, 0)
    assert events.statistics().refused == 0


@pytest.mark.parametrize(
    "data", [7, [7], [{}], [TRADE | {"direction": "up"}], [TRADE | {"timestamp": 10**18}], [TRADE | {"price": "x"}]]
)
def test_what_makes_no_sense_is_counted_and_tells_nothing(data: Any) -> None:
    events = Events({})
    assert not events.take(push("trades.A.100ms", data), 9, 0)
    assert not events.take(push("ticker.A.100ms", data), 9, 0)
    assert (events.drain(), events.statistics().refused) == ([], 2)


def test_of_two_lines_the_first_copy_wins() -> None:
    events = Events({})
    for line, numbers in ((0, [1, 2]), (1, [1, 2, 3]), (0, [3, 4]), (1, [4]), (0, [5]), (1, [5])):
        events.take(push("trades.A.100ms", [TRADE | {"trade_seq": number} for number in numbers]), 9, line)
    assert [event.sequence for event in events.drain() if isinstance(event, TradeEvent)] == [1, 2, 3, 4, 5]
    assert events.statistics().duplicates == 5
    events.take(push("trades.A.100ms", [TRADE | {"trade_seq": 1}]), 9, 0)  # the venue counts anew
    assert len(events.drain()) == 1


def test_of_two_tickers_of_one_time_one_is_told() -> None:
    events = Events({})
    for line, timestamp in ((0, 5), (1, 5), (1, 6), (0, 6), (0, 7)):
        events.take(push("ticker.A.100ms", {"instrument_name": "A", "timestamp": timestamp}), 9, line)
    assert [event.ts_event_ns for event in events.drain()] == [5_000_000, 6_000_000, 7_000_000]
    assert events.statistics().tickers == 3


def test_the_oldest_give_way_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deribit_events, "MAX_EVENTS", 3)
    events = Events({})
    events.take(push("trades.A.100ms", [TRADE | {"trade_seq": number} for number in range(5)]), 9, 0)
    told = events.drain()
    assert [event.sequence for event in told if isinstance(event, TradeEvent)] == [2, 3, 4]
    assert (events.statistics().dropped, events.statistics().trades) == (2, 5)


def test_a_message_has_a_bound_of_trades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deribit_events, "MAX_TRADES", 2)
    events = Events({})
    assert not events.take(push("trades.A.100ms", [TRADE] * 3), 9, 0)
    assert (events.drain(), events.statistics().refused) == ([], 1)
