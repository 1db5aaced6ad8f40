"""Binance over WebSocket: what is said and answered, symbols, the seam of snapshot and stream, and recordings."""

import json
from decimal import Decimal
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.state import BookState
from netfeed.feed.dialect import Acknowledged, Beat, Fetch, Leaving, Puzzling, Refused
from netfeed.venues import binance
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.instrument import Instrument, Kind
from tests.venues.crypto_recordings import Sides, agree, answer, exact_json, frames, put, stamped
from tests.venues.depth_messages import binance_spot, binance_usdm, snapshot_body, written

SPOT = Instrument("binance", "XBTC", Kind.SPOT, "X", "BTC", "BTC", -2, -3, 1, 1, 1)
TOPIC = binance.topic("XBTC")
PRODUCTS = [
    pytest.param(binance.SPOT, binance_spot, id="spot"), pytest.param(binance.USDM, binance_usdm, id="usdm"),
]  # fmt: skip


def opened(product: binance.Product = binance.SPOT) -> DepthMarket:
    market = binance.market([SPOT], product)
    market.joined(0, TOPIC)
    return market


def event(make: object, before: int, after: int, price: str = "9") -> bytes:
    return written(make("xbtc", "update", before, after, [(price, str(after % 9 + 1))], []))  # type: ignore[operator]


@pytest.mark.parametrize("product", [binance.SPOT, binance.USDM])
def test_a_request_and_its_answer_name_the_same_number(product: binance.Product) -> None:
    dialect = binance.Dialect(product)
    for write, on in ((dialect.subscribe, True), (dialect.unsubscribe, False)):
        asked = json.loads(write([TOPIC], 7))
        assert asked["params"] == [TOPIC]
        assert list(dialect.read(json.dumps({"result": None, "id": asked["id"]}).encode())) == [
            Acknowledged(7, None, on)
        ]
    asked = json.loads(dialect.ping(8) or b"")
    assert list(dialect.read(json.dumps({"result": [TOPIC], "id": asked["id"]}).encode())) == [Beat()]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b'{"error":{"code":2,"msg":"Invalid request: no stream"},"id":14}',
         [Refused(7, None, "2", "Invalid request: no stream", final=True)]),
        (b'{"code":3,"msg":"Invalid JSON"}', [Refused(None, None, "3", "Invalid JSON")]),
        (b'{"e":"serverShutdown","E":1}', [Leaving("the server is about to shut down")]),
        (b'{"stream":"!x","data":{"e":"serverShutdown"}}', [Leaving("the server is about to shut down")]),
        (b'{"stream":"btcusdt@trade","data":{}}', [Puzzling("a stream that nobody opened")]),
        (b'{"id":[]}', [Puzzling("neither an answer nor a stream")]),
        (b"x", [Puzzling("no JSON object")]),
    ],
)  # fmt: skip
def test_what_is_no_market_data_has_a_meaning(message: bytes, said: list[object]) -> None:
    assert list(binance.Dialect().read(message)) == said


@pytest.mark.parametrize(("product", "make"), PRODUCTS)
def test_a_snapshot_is_fetched_when_the_first_event_has_come_and_only_once(
    product: binance.Product, make: object
) -> None:
    market = opened(product)
    assert market.wants() == []
    market.apply([event(make, number, number + 1) for number in range(10, 30)], 1)
    (want,) = market.wants()
    target = product.depth_target.format("XBTC")
    assert want == Fetch(TOPIC, target, product.depth_weight)
    assert "XBTC" in target
    market.apply([event(make, number, number + 1) for number in range(30, 40)], 1)
    assert market.wants() == []
    market.failed(TOPIC)
    assert market.wants() == [want]


@pytest.mark.parametrize(("product", "make"), PRODUCTS)
@pytest.mark.parametrize("at", [15, 20, 23, 25, 30])
def test_a_snapshot_joins_wherever_it_falls_in_what_is_held(product: binance.Product, make: object, at: int) -> None:
    """Events end at 15, 20, 25 and 30; a snapshot may end within one of them, or behind them all."""
    market = opened(product)
    market.apply([event(make, number, number + 5) for number in range(10, 30, 5)], 1)
    market.fetched(TOPIC, snapshot_body(at, [("9", "7"), ("8", "1")], [("11", "1")]), 2)
    standing = market.standing(TOPIC)
    assert standing is not None
    assert (standing.state, standing.sequence) == (BookState.LIVE, 30)
    market.apply([event(make, 30, 36)], 3)
    assert market.books[0].quantity_at(0, 900) == (36 % 9 + 1) * 1000
    assert len(market.wants()) == 1  # the one of the beginning


@pytest.mark.parametrize(("product", "make"), PRODUCTS)
def test_a_snapshot_that_is_older_than_what_is_held_is_fetched_again(product: binance.Product, make: object) -> None:
    market = opened(product)
    market.apply([event(make, 20, 25)], 1)
    market.wants()
    market.fetched(TOPIC, snapshot_body(19, [("9", "7")], [("11", "1")]), 2)
    assert market.books[0].state is BookState.EMPTY
    assert len(market.wants()) == 1
    market.fetched(TOPIC, snapshot_body(20, [("9", "7")], [("11", "1")]), 3)
    assert market.books[0].state is BookState.LIVE


@pytest.mark.parametrize(("product", "make"), PRODUCTS)
def test_the_first_event_after_a_snapshot_may_begin_before_its_end(product: binance.Product, make: object) -> None:
    market = opened(product)
    market.apply([event(make, 10, 12)], 1)
    market.fetched(TOPIC, snapshot_body(17, [("9", "7")], [("11", "1")]), 2)
    market.apply([event(make, 12, 16), event(make, 16, 21)], 3)
    standing = market.standing(TOPIC)
    assert standing is not None
    assert (standing.state, standing.sequence) == (BookState.LIVE, 21)


@pytest.mark.parametrize(("product", "make"), PRODUCTS)
def test_a_hole_makes_the_book_suspect_and_another_line_may_close_it(product: binance.Product, make: object) -> None:
    market = opened(product)
    market.joined(1, TOPIC)
    market.apply([event(make, 10, 12)], 1)
    market.fetched(TOPIC, snapshot_body(12, [("9", "7")], [("11", "1")]), 2)
    market.wants()
    market.apply([event(make, 14, 16), event(make, 16, 18)], 3)
    assert market.books[0].state is BookState.SUSPECT
    assert len(market.wants()) == 1
    market.apply([event(make, 12, 14), event(make, 14, 16)], 4, 1)
    standing = market.standing(TOPIC)
    assert standing is not None
    assert (standing.state, standing.sequence) == (BookState.LIVE, 18)
    assert market.statistics().duplicates == 1
    market.fetched(TOPIC, snapshot_body(13, [("1", "1")], [("2", "1")]), 5)  # nobody needs it any more
    assert market.books[0].quantity_at(0, 900) > 0


@pytest.mark.parametrize(("product", "make"), PRODUCTS)
@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=14), start=st.integers(0, 13), asked=st.integers(0, 13),
    came=st.integers(0, 13),
)  # fmt: skip
def test_whenever_a_snapshot_is_taken_and_comes_the_book_is_the_venues(
    product: binance.Product, make: object, sizes: list[int], start: int, asked: int, came: int
) -> None:
    """The venue's update n sets the quantity at the price n % 7 to n; it answers a question as of any update."""
    ends = [100 + sum(sizes[: at + 1]) for at in range(len(sizes))]
    last = ends[-1]

    def as_of(number: int) -> list[tuple[str, str]]:
        return [(str(one % 7 + 1), str(one)) for one in range(max(94, number - 6), number + 1)]

    market = opened(product)
    taken = 100 + min(asked, last - 100)
    for at, end in enumerate(ends):
        before = end - sizes[at]
        levels = list({str(one % 7 + 1): str(one) for one in range(before + 1, end + 1)}.items())
        if at >= start % len(ends):
            market.apply([written(make("xbtc", "update", before, end, levels, []))], at)  # type: ignore[operator]
        if at == min(came, len(ends) - 1):
            market.fetched(TOPIC, snapshot_body(min(taken, end), as_of(min(taken, end)), []), at)
    for _ in range(3):  # until an answer is new enough
        if market.wants():
            market.fetched(TOPIC, snapshot_body(last, as_of(last), []), 99)
    book = market.books[0]
    assert book.state is BookState.LIVE
    assert {level.price // 100: level.quantity // 1000 for level in book.depth(0, 9)} == {
        one % 7 + 1: one for one in range(last - 6, last + 1)
    }


def test_symbols_of_spot_and_of_futures() -> None:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.10"},
               {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.005"}, {"filterType": "OTHER"}]  # fmt: skip
    symbol = {"symbol": "BTCUSDT_261225", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
              "marginAsset": "USDT", "contractType": "CURRENT_QUARTER", "deliveryDate": 1798185600000,
              "filters": filters}  # fmt: skip
    (one,) = binance.instruments(json.dumps({"symbols": [symbol]}).encode()).instruments
    assert (one.kind, one.exponents, one.tick, one.lot, one.minimum) == (Kind.FUTURE, (-8, -8), 10**7, 10**5, 5 * 10**5)
    assert one.expiry_ns == 1_798_185_600_000_000_000
    told = binance.instruments(answer("BINANCE.0", "exchangeInfo"))
    listed = {one.name: one for one in told.instruments}
    assert len(listed) > 1_000
    assert told.passed == ()
    assert (listed["ETHBTC"].exponents, listed["ETHBTC"].tick, listed["ETHBTC"].lot) == ((-8, -8), 100, 10_000)
    assert {one.kind for one in listed.values()} == {Kind.SPOT}


def test_the_recording_of_2021_becomes_books() -> None:
    texts = frames("BINANCE.ws.1.0")
    names = ["NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"]
    listed = {one.name: one for one in binance.instruments(answer("BINANCE.0", "exchangeInfo")).instruments}
    bodies = {name: answer("BINANCE.http.0.0", f"symbol={name}&") for name in names}
    market = binance.market([listed[name] for name in names])
    for name in names:
        market.joined(0, binance.topic(name))
    left = market.apply(texts[:50], 1)
    for name in names:
        market.fetched(binance.topic(name), bodies[name], 2)
    left += [50 + place for place in market.apply(texts[50:], 3)]
    depth = [exact_json(text) for place, text in enumerate(texts) if place not in left]
    assert all(message["data"]["e"] == "depthUpdate" for message in depth)
    counts = market.statistics()
    assert (counts.gaps, counts.refused, len(depth)) == (0, {}, 177)
    for index, name in enumerate(names):
        body = exact_json(bodies[name])
        sides: Sides = ({}, {})
        events = [message["data"] for message in depth if message["data"]["s"] == name]
        assert all(after["U"] == before["u"] + 1 for before, after in pairwise(events))
        for side, long, short in zip(sides, ("bids", "asks"), ("b", "a"), strict=True):
            put(side, body[long])
            for one in events:
                put(side, one[short] if one["u"] > body["lastUpdateId"] else [])
        if market.books[index].state is not BookState.LIVE:  # its snapshot is older than its first event
            assert body["lastUpdateId"] + 1 < events[0]["U"] or not events
            continue
        agree(market, index, sides)
    assert sum(book.state is BookState.LIVE for book in market.books) >= 3


@pytest.mark.parametrize("count", [12_000, pytest.param(None, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "product", "exponents"),
    [("spot_btcusdt_20240808.gz", binance.SPOT, (-8, -8)), ("usdm_btcusdt_20240808.gz", binance.USDM, (-1, -3))],
)
def test_the_recording_of_2024_becomes_a_book(
    name: str, product: binance.Product, exponents: tuple[int, int], count: int | None
) -> None:
    messages = list(islice(stamped(name), count))
    stream = next(json.loads(text)["stream"] for _, text in messages if b"@depth" in text)
    instrument = Instrument("binance", "BTCUSDT", Kind.SPOT, "BTC", "USDT", "USDT", *exponents, 1, 1, 1)
    market = binance.market([instrument], product, stream.split("@")[2])
    market.joined(0, stream)
    cut = next(place for place, (_, text) in enumerate(messages) if text.startswith(b'{"lastUpdateId"'))
    market.apply([text for _, text in messages[:cut]], 1)
    market.fetched(stream, messages[cut][1], messages[cut][0])
    market.apply([text for _, text in messages[cut + 1 :]], 2)
    body = exact_json(messages[cut][1])
    sides: Sides = ({}, {})
    events = [exact_json(text)["data"] for _, text in messages if b'"depthUpdate"' in text]
    for side, long, short in zip(sides, ("bids", "asks"), ("b", "a"), strict=True):
        put(side, body[long])
        for one in events:
            put(side, one[short] if one["u"] > body["lastUpdateId"] else [])
    standing = market.standing(stream)
    assert standing is not None
    assert (standing.state, Decimal(standing.sequence or 0)) == (BookState.LIVE, events[-1]["u"])
    assert (market.statistics().gaps, market.statistics().refused) == (0, {})
    agree(market, 0, sides)
