"""Bybit v5 over WebSocket: what is said and answered, instruments, and its numbers, restarts among them.

No recording of v5 was found in public: the messages are those of its documents.
"""

import json

import pytest

from netfeed.book.state import BookState
from netfeed.errors import WireError
from netfeed.feed.dialect import Acknowledged, Beat, Puzzling, Refused, Resync, Said, Throttled
from netfeed.feed.subscriptions import Ask, State, Subscriptions
from netfeed.venues import bybit
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.entries import Listed
from netfeed.venues.instrument import Instrument, Kind, Number, Right

DIALECT = bybit.Dialect()
TOPIC = "orderbook.50.BTCUSDT"
BTC = Instrument("bybit", "BTCUSDT", Kind.PERPETUAL, "BTC", "USDT", "USDT", -2, -3, 10, 1, 1)


def message(kind: str, number: int, bids: list[list[str]], asks: list[list[str]]) -> bytes:
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": number, "seq": 7961638724 + number}
    return json.dumps({"topic": TOPIC, "type": kind, "ts": 1672304484978, "data": data, "cts": 1672304484976}).encode()


def opened() -> DepthMarket:
    market = bybit.market([BTC])
    market.joined(0, TOPIC)
    market.apply([message("snapshot", 100, [["16493.50", "0.006"]], [["16611.00", "0.029"]])], 1)
    return market


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b'{"success":true,"ret_msg":"","conn_id":"a","req_id":"s7","op":"subscribe"}', [Acknowledged(7, None)]),
        (b'{"success":true,"ret_msg":"","req_id":"u8","op":"unsubscribe"}', [Acknowledged(8, None, on=False)]),
        (b'{"success":false,"ret_msg":"error:handler not found,topic:x","req_id":"s7","op":"subscribe"}',
         [Refused(7, ("x",), "error:handler not found,topic:x", "error:handler not found,topic:x", final=True),
          Refused(7, None, "error:handler not found,topic:x", "error:handler not found,topic:x")]),
        (b'{"success":false,"ret_msg":"error:already subscribed,topic:x","req_id":"s7","op":"subscribe"}',
         [Acknowledged(7, ("x",)),
          Refused(7, None, "error:already subscribed,topic:x", "error:already subscribed,topic:x")]),
        (b'{"success":false,"ret_msg":"error:not subscribed,topic:x","req_id":"u7","op":"unsubscribe"}',
         [Refused(7, ("x",), "error:not subscribed,topic:x", "error:not subscribed,topic:x", final=True),
          Refused(7, None, "error:not subscribed,topic:x", "error:not subscribed,topic:x")]),
        (b'{"success":false,"ret_msg":"already subscribed","req_id":"s7","op":"subscribe"}', [Acknowledged(7, None)]),
        (b'{"success":false,"ret_msg":"Too many requests","req_id":"s7","op":"subscribe"}',
         [Throttled(10**9, "Too many requests", 7)]),
        (b'{"success":true,"ret_msg":"pong","conn_id":"a","req_id":"","op":"ping"}', [Beat()]),
        (b'{"req_id":"p1","op":"pong","args":["1675418560633"]}', [Beat()]),
        (b'{"success":true,"data":{"failTopics":["b"],"successTopics":["a"]},"type":"COMMAND_RESP"}',
         [Acknowledged(None, ("a",)),
          Refused(None, ("b",), "failTopics", "the venue does not carry these topics", final=True)]),
        (b'{"type":"COMMAND_RESP","data":7}', [Puzzling("an answer about nothing")]),
        (b'{"topic":"tickers.X","data":{}}', [Puzzling("a topic that nobody opened")]),
        (b"{", [Puzzling("no JSON object")]),
    ],
)  # fmt: skip
def test_what_is_no_market_data_has_a_meaning(answer: bytes, said: list[Said]) -> None:
    assert list(DIALECT.read(answer)) == said


def test_requests_carry_whether_topics_shall_come_or_go() -> None:
    assert json.loads(DIALECT.subscribe([TOPIC], 7)) == {"req_id": "s7", "op": "subscribe", "args": [TOPIC]}
    assert json.loads(DIALECT.unsubscribe([TOPIC], 8)) == {"req_id": "u8", "op": "unsubscribe", "args": [TOPIC]}
    assert json.loads(DIALECT.ping(9) or b"")["op"] == "ping"


def answered(topics: Subscriptions, refusal: str) -> None:
    """Ask for what is due, and take the refusal of all of it."""
    ask = topics.due()
    assert ask is not None
    topics.sent(ask, 7, 0)
    answer = {"success": False, "ret_msg": refusal, "req_id": f"{'s' if ask.on else 'u'}7"}
    for said in DIALECT.read(json.dumps(answer | {"op": "subscribe" if ask.on else "unsubscribe"}).encode()):
        if isinstance(said, Acknowledged):
            topics.acknowledged(said.request, said.topics, on=said.on, now=0)
        else:
            assert isinstance(said, Refused)
            topics.refused(said.request, said.topics, final=said.final, now=0)


@pytest.mark.parametrize(
    ("refusal", "state"), [("handler not found", State.FINAL), ("already subscribed", State.ON)]
)  # fmt: skip
def test_a_request_that_is_refused_for_one_topic_is_asked_again_for_the_others(refusal: str, state: State) -> None:
    topics = Subscriptions(per_request=10)
    topics.want(["a", "b", "c"])
    answered(topics, f"error:{refusal},topic:b")
    assert (topics.state("b"), topics.due()) == (state, None)
    topics.wake(2 * 10**9)
    assert topics.due() == Ask(True, ("a", "c"))


def test_what_is_not_subscribed_is_asked_off_once() -> None:
    topics = Subscriptions(per_request=10)
    topics.want(["a"])
    answered(topics, "error:already subscribed,topic:a")
    topics.drop(["a"])
    answered(topics, "error:not subscribed,topic:a")
    assert (topics.state("a"), topics.due()) == (None, None)


def test_deltas_are_counted_and_a_hole_asks_for_a_snapshot() -> None:
    market = opened()
    market.apply([message("delta", 101, [["16494.00", "1"]], [["16611.00", "0"], ["16612.50", "2"]])], 2)
    assert (market.books[0].bid, market.books[0].ask) == ((1_649_400, 1_000, 0), (1_661_250, 2_000, 0))
    market.apply([message("delta", 103, [], [])], 3)
    assert market.books[0].state is BookState.SUSPECT
    assert market.wants() == [Resync(TOPIC, 0, "sequence")]


def test_a_snapshot_at_any_time_takes_the_place_of_the_book() -> None:
    market = opened()
    market.apply([message("snapshot", 250, [["16000.00", "1"]], [["17000.00", "1"]])], 2)
    market.apply([message("delta", 251, [["16001.00", "1"]], [])], 3)
    assert [level.price for level in market.books[0].depth(0, 9)] == [1_600_100, 1_600_000]
    assert (market.books[0].state, market.wants()) == (BookState.LIVE, [])


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
@pytest.mark.parametrize("lines", [(0,), (0, 1)])
def test_number_one_is_a_restart_whatever_the_message_says(kind: str, lines: tuple[int, ...]) -> None:
    market = opened()
    for line in lines:
        market.joined(line, TOPIC)
    market.apply([message(kind, 1, [["15000.00", "1"]], [["15001.00", "1"]]), message("delta", 2, [], [])], 2)
    standing = market.standing(TOPIC)
    assert standing is not None
    assert (standing.state, standing.sequence) == (BookState.LIVE, 2)
    assert market.books[0].levels(0) == 1


def test_the_same_snapshot_again_changes_nothing() -> None:
    market = opened()
    market.changes()
    market.apply([message("snapshot", 100, [["16493.50", "0.006"]], [["16611.00", "0.029"]])] * 3, 2)
    assert len(market.changes()) == 0
    assert market.books[0].state is BookState.LIVE


def test_two_lines_make_one_book() -> None:
    market = opened()
    market.joined(1, TOPIC)
    market.apply([message("snapshot", 100, [["16493.50", "0.006"]], [["16611.00", "0.029"]])], 2, 1)
    deltas = [message("delta", number, [["16494.00", str(number)]], []) for number in range(101, 110)]
    for at, one in enumerate(deltas):
        market.apply([one], 3, at % 2)
        market.apply([one], 3, 1 - at % 2)
    assert market.statistics().duplicates == 1 + len(deltas)
    assert (market.books[0].bid, market.wants()) == ((1_649_400, 109_000, 0), [])


def listing(category: str, one: dict[str, object]) -> bytes:
    return json.dumps({"retCode": 0, "result": {"category": category, "list": [one]}}).encode()


def test_a_page_names_the_next_one_and_an_error_is_none() -> None:
    page = {"retCode": 0, "result": {"category": "spot", "list": [], "nextPageCursor": "first%3DA%26last%3DB"}}
    assert bybit.next_cursor(json.dumps(page).encode()) == "first%3DA%26last%3DB"
    assert bybit.instruments(json.dumps(page).encode()).some() == Listed()
    assert bybit.next_cursor(b'{"retCode":0,"result":{"category":"spot","list":[],"nextPageCursor":""}}') == ""
    with pytest.raises(WireError, match="10001 params error"):
        bybit.instruments(b'{"retCode":10001,"retMsg":"params error: category","result":{}}')


def test_an_option_a_future_and_a_spot_pair() -> None:
    (option,) = bybit.instruments(listing("option", {
        "symbol": "BTC-27MAR26-80000.5-P-USDT", "status": "Trading", "baseCoin": "BTC", "quoteCoin": "USDT",
        "settleCoin": "USDT", "optionsType": "Put", "deliveryTime": "1774598400000",
        "priceFilter": {"minPrice": "5", "tickSize": "5"},
        "lotSizeFilter": {"maxOrderQty": "500", "minOrderQty": "0.01", "qtyStep": "0.01"},
    })).instruments  # fmt: skip
    assert (option.kind, option.right, option.strike) == (Kind.OPTION, Right.PUT, Number(800_005, -1))
    assert (option.expiry_ns, option.exponents, option.tick) == (1_774_598_400_000_000_000, (0, -2), 5)
    (future,) = bybit.instruments(listing("inverse", {
        "symbol": "BTCUSDH26", "contractType": "InverseFutures", "baseCoin": "BTC", "quoteCoin": "USD",
        "settleCoin": "BTC", "deliveryTime": "1774598400000", "priceFilter": {"tickSize": "0.50"},
        "lotSizeFilter": {"minOrderQty": "1", "qtyStep": "1"}, "status": "PreLaunch",
    })).instruments  # fmt: skip
    assert (future.kind, future.inverse, future.exponents, future.tick) == (Kind.FUTURE, True, (-1, 0), 5)
    assert not future.trading
    (spot,) = bybit.instruments(listing("spot", {
        "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "priceFilter": {"tickSize": "0.01"},
        "lotSizeFilter": {"basePrecision": "0.000001", "minOrderQty": "0.000048"},
    })).instruments  # fmt: skip
    assert (spot.kind, spot.exponents, spot.minimum) == (Kind.SPOT, (-2, -6), 48)
    with pytest.raises(WireError):
        bybit.instruments(listing("option", {
            "symbol": "BTC", "baseCoin": "BTC", "quoteCoin": "USDT", "priceFilter": {"tickSize": "0.01"},
            "lotSizeFilter": {"qtyStep": "0.000001", "minOrderQty": "0.000048"},
        })).some()  # fmt: skip
