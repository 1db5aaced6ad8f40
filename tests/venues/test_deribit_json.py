"""Deribit over WebSocket: what is said and answered, instruments, and a recording into books."""

import json
from decimal import Decimal

import pytest

from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.errors import WireError
from netfeed.feed.dialect import Acknowledged, Beat, Clock, Puzzling, Refused, Resync, Throttled
from netfeed.feed.offset import Offset
from netfeed.feed.session import NONSENSE, Session
from netfeed.feed.session_words import Lost
from netfeed.feed.subscriptions import Subscriptions
from netfeed.feed.throttle import Throttle
from netfeed.venues import deribit_json
from netfeed.venues.deribit_events import TickerEvent, TradeEvent
from netfeed.venues.instrument import Instrument, Kind, Number, Right, Step
from tests.feed.plain_talk import HELLO, Plain
from tests.feed.toy_laws import frame
from tests.venues.crypto_recordings import Sides, agree, answer, exact_json, frames, put
from tests.venues.depth_messages import deribit, written

DIALECT = deribit_json.Dialect()
OPTION = Instrument("deribit", "O", Kind.OPTION, "BTC", "BTC", "BTC", -4, -1, 1, 1, 1)


def test_a_connection_begins_with_heartbeats_and_the_time() -> None:
    first, second = map(json.loads, DIALECT.opening(5))
    assert (first["method"], first["params"]) == ("public/set_heartbeat", {"interval": 10})
    assert second["method"] == "public/get_time"


def test_who_has_credentials_logs_in_first() -> None:
    calls = [json.loads(one) for one in deribit_json.Dialect(("me", "hush")).opening(5)]
    assert [call["method"] for call in calls] == ["public/auth", "public/set_heartbeat", "public/get_time"]
    assert [call["id"] for call in calls] == [10, 12, 14]
    grant = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "hush"}
    assert calls[0]["params"] == grant


def test_a_request_and_its_answer_name_the_same_number() -> None:
    for write, on in ((DIALECT.subscribe, True), (DIALECT.unsubscribe, False)):
        asked = json.loads(write(["book.A.raw", "trades.A.raw"], 7))
        assert asked["params"] == {"channels": ["book.A.raw", "trades.A.raw"]}
        answered = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": ["book.A.raw"], "usOut": 1}).encode()
        assert list(DIALECT.read(answered)) == [Acknowledged(7, ("book.A.raw",), on)]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b'{"method":"heartbeat","params":{"type":"heartbeat"}}', [Beat()]),
        (b'{"id":8,"result":1,"usOut":1700000000000001}', [Clock(1_700_000_000_000_001_000, 4), Beat()]),
        (b'{"id":8,"result":"ok"}', [Beat()]),
        (b'{"id":8,"error":{"code":10028,"message":"too_many_requests"}}', [Throttled(10**9, "10028", 4)]),
        (b'{"id":8,"error":{"code":-32602,"message":"Invalid params"}}',
         [Refused(4, None, "-32602", "Invalid params", final=True)]),
        (b'{"id":8,"error":{"code":13009,"message":"unauthorized"}}', [Refused(4, None, "13009", "unauthorized")]),
        (b'{"id":8,"error":7}', [Refused(4, None, "None", "None")]),
        (b'{"method":"subscription","params":{"channel":"x"}}', [Puzzling("subscription of an unknown channel")]),
        (b'{}', [Puzzling("neither an answer nor a notification")]),
        (b'[]', [Puzzling("no JSON object")]),
        (b'\xff{', [Puzzling("no JSON object")]),
    ],
)  # fmt: skip
def test_what_is_no_market_data_has_a_meaning(message: bytes, said: list[object]) -> None:
    assert list(DIALECT.read(message)) == said


def test_a_test_request_is_answered_at_once() -> None:
    (said,) = DIALECT.read(b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}')
    assert isinstance(said, Beat)
    assert json.loads(said.answer or b"")["method"] == "public/test"


def test_an_instrument_with_steps_of_its_tick() -> None:
    body = json.dumps({"result": [{
        "instrument_name": "BTC-25DEC26-100000-C", "kind": "option", "base_currency": "BTC", "quote_currency": "BTC",
        "settlement_currency": "BTC", "instrument_type": "reversed", "tick_size": 0.0001, "min_trade_amount": 0.1,
        "contract_size": 1.0, "strike": 100000.0, "option_type": "call", "expiration_timestamp": 1798185600000,
        "tick_size_steps": [{"above_price": 0.005, "tick_size": 0.0005}], "settlement_period": "month",
    }]}).encode()  # fmt: skip
    (one,) = deribit_json.instruments(body).instruments
    assert one == Instrument(
        "deribit", "BTC-25DEC26-100000-C", Kind.OPTION, "BTC", "BTC", "BTC", -4, -1, 1, 1, 1, inverse=True,
        contract=Number(1, 0), strike=Number(100_000, 0), right=Right.CALL, expiry_ns=1_798_185_600_000_000_000,
        steps=(Step(50, 5),),
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"[]", b'{"result":7}', b'{"result":[{"kind":"option"}]}', b"{" * 5_000])
def test_an_answer_of_another_form_is_one_error(body: bytes) -> None:
    with pytest.raises(WireError):
        deribit_json.instruments(body).some()


def test_a_skipped_change_id_asks_for_that_book_alone_and_once() -> None:
    other = Instrument("deribit", "P", Kind.OPTION, "BTC", "BTC", "BTC", -4, -1, 1, 1, 1)
    market, _ = deribit_json.market([OPTION, other])
    for one in ("O", "P"):
        market.joined(0, deribit_json.topic(one))
        market.apply([written(deribit(one, "snapshot", 0, 10, [("0.01", "1")], [("0.02", "1")]))], 1)
    market.apply([written(deribit("O", "change", 11, 12, [("0.015", "2")], []))], 2)
    assert [book.state for book in market.books] == [BookState.SUSPECT, BookState.LIVE]
    assert market.wants() == [Resync("book.O.100ms", 0, "sequence")]
    for number in range(12, 3_000):
        market.apply([written(deribit("O", "change", number, number + 1, [("0.015", "2")], []))], 3)
    assert market.wants() == []
    market.apply([written(deribit("O", "snapshot", 0, 2_000, [("0.01", "1")], [("0.02", "1")]))], 4)
    standing = market.standing("book.O.100ms")
    assert standing is not None
    assert (standing.state, standing.sequence) == (BookState.LIVE, 3_000)  # with what was held behind it
    assert market.books[0].depth(Side.BID, 9)[0][:2] == (150, 20)


def test_trades_and_tickers_are_typed_events() -> None:
    market, events = deribit_json.market([OPTION])
    trade = {
        "trade_seq": 3, "trade_id": "T", "timestamp": 1_700_000_000_000, "price": 0.0105, "mark_price": 0.0104,
        "iv": 51.2, "instrument_name": "O", "index_price": 1, "direction": "sell", "amount": 0.3, "tick_direction": 1,
    }  # fmt: skip
    greeks = {"vega": 1.5, "theta": -2, "rho": 0.1, "gamma": 2e-05, "delta": 0.5}
    ticker = {"instrument_name": "O", "timestamp": 1_700_000_000_001, "state": "open", "mark_iv": 50.25,
              "greeks": greeks, "best_bid_price": 0.0101, "stats": {"low": None}}  # fmt: skip
    messages = [
        json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}).encode()
        for channel, data in (("trades.O.100ms", [trade]), ("ticker.O.100ms", ticker), ("trades.O.raw", [{}]))
    ]
    assert market.apply([*messages, b'{"id":2,"result":[]}'], 9) == [2, 3]
    told, seen = events.drain()
    assert isinstance(told, TradeEvent)
    assert (told.resting, told.price, told.amount, told.iv) == (
        Side.BID,
        Decimal("0.0105"),
        Decimal("0.3"),
        Decimal("51.2"),
    )
    assert (told.ts_event_ns, told.ts_recv_ns) == (1_700_000_000_000_000_000, 9)
    assert isinstance(seen, TickerEvent)
    assert seen.greeks is not None
    assert seen.greeks.gamma == Decimal("0.00002")
    assert events.statistics().refused == 1


def test_the_recording_becomes_books() -> None:
    texts = frames("DERIBIT.ws.1.0")
    listed = {
        one.name: one
        for currency in ("BTC", "ETH")
        for one in deribit_json.instruments(answer("DERIBIT.0", f"get_instruments?currency={currency}")).instruments
    }
    assert len(listed) > 800
    books: dict[str, Sides] = {}
    for text in texts:
        params = exact_json(text).get("params", {})
        if params.get("channel", "").startswith("book."):
            data = params["data"]
            sides = books.setdefault(data["instrument_name"], ({}, {}))
            for side, key in zip(sides, ("bids", "asks"), strict=True):
                put(side, [row[1:] for row in data[key]])
    market, events = deribit_json.market([listed[name] for name in books], "raw")
    left = market.apply(texts, 5)
    counts = market.statistics()
    assert (counts.snapshots, counts.taken, counts.gaps, counts.refused, len(books)) == (10, 36, 0, {}, 10)
    assert market.wants() == []
    for index, name in enumerate(market.names):
        assert market.books[index].state is BookState.LIVE
        agree(market, index, books[name])
    seen = events.statistics()
    assert (seen.refused, seen.dropped) == (0, 0)
    assert seen.tickers > 50
    assert [next(iter(DIALECT.read(texts[place]))) for place in left] == [
        Acknowledged(0, tuple(json.loads(texts[place])["result"])) for place in left
    ]


@pytest.mark.parametrize("what", [
    b'{"params":' * 5000,
    b'{"method":"subscription","params":{"channel":"book.Z.100ms","data":{}}}',
    b'{"method":"subscription","params":{"channel":"trades.Z.100ms","data":{}}}',
    written(deribit("Z", "snapshot", 0, 1, [("1", "1")], [])),
], ids=["deep", "no book", "no trades", "a book that nobody asked for"])  # fmt: skip
def test_a_flood_of_what_nobody_asked_for_ends_the_connection(what: bytes) -> None:
    market, _ = deribit_json.market([OPTION])
    topics = Subscriptions(per_request=100)
    topics.want([deribit_json.topic("O")])
    session = Session(
        DIALECT, market, Plain(), topics=topics, throttle=Throttle(rate=10_000, burst=30_000), offset=Offset(),
        line=0, now=0,
    )  # fmt: skip
    session.receive(HELLO, 0)
    for _ in range(NONSENSE - 1):
        assert session.receive(frame(b"M", what), 1) == []
    (lost,) = session.receive(frame(b"M", what), 1)
    assert isinstance(lost, Lost)
    assert "nobody understands" in lost.reason
    assert sum(session.statistics().puzzling.values()) == NONSENSE
