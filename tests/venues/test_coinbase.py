"""Coinbase Advanced Trade over WebSocket: what is said and answered, products, and the count of a connection.

The recording at hand is of the older Exchange feed; its levels are put in the words of Advanced Trade, and numbered.
"""

import json
from decimal import Decimal
from typing import Any

import pytest

from netfeed.book.state import BookState
from netfeed.feed.dialect import Acknowledged, Beat, Puzzling, Refused, Resync, Said, Throttled
from netfeed.venues import coinbase
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.instrument import Instrument, Kind, Number
from tests.venues.crypto_recordings import Sides, agree, answer, exact_json, frames, put
from tests.venues.depth_messages import coinbase_l2, written

DIALECT = coinbase.Dialect(frozenset({"A-USD", "B-USD"}))


def product(name: str, exponents: tuple[int, int] = (-2, -8)) -> Instrument:
    return Instrument("coinbase", name, Kind.SPOT, name[:-4], "USD", "USD", *exponents, 1, 1, 1)


def opened(*lines: int) -> DepthMarket:
    market = coinbase.market([product("A-USD"), product("B-USD")])
    for line in lines:
        for name in ("A-USD", "B-USD"):
            market.joined(line, coinbase.topic(name))
    return market


def l2(name: str, kind: str, line: int, bid: str = "9") -> bytes:
    return written(coinbase_l2(name, kind, 0, 0, [(bid, "1")], [("11", "1")], line=line))


def beat(line: int) -> bytes:
    return json.dumps({
        "channel": "heartbeats", "client_id": "", "timestamp": "2026-04-07T14:30:10.000000Z", "sequence_num": line,
        "events": [{"current_time": "2026-04-07 14:30:10.000000000+00:00", "heartbeat_counter": 42}],
    }).encode()  # fmt: skip


def test_a_connection_asks_for_heartbeats_and_then_for_books() -> None:
    (first,) = DIALECT.opening(1)
    assert json.loads(first) == {"type": "subscribe", "channel": "heartbeats"}
    asked = json.loads(DIALECT.subscribe(["level2:A-USD"], 2))
    assert asked == {"type": "subscribe", "product_ids": ["A-USD"], "channel": "level2"}
    assert json.loads(DIALECT.unsubscribe(["level2:A-USD"], 3))["type"] == "unsubscribe"
    assert DIALECT.ping(4) is None


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (beat(1), [Beat()]),
        (b'{"channel":"subscriptions","events":[{"subscriptions":{"level2":["A-USD"],"heartbeats":["heartbeats"]}}]}',
         [Acknowledged(None, ("level2:A-USD",)), Acknowledged(None, ("level2:B-USD",), on=False), Beat()]),
        (b'{"channel":"subscriptions","events":[{"subscriptions":{"heartbeats":["heartbeats"]}}]}',
         [Acknowledged(None, ("level2:A-USD", "level2:B-USD"), on=False), Beat()]),
        (b'{"channel":"subscriptions","events":[]}', [Puzzling("subscriptions of another form")]),
        (b'{"type":"error","message":"rate limit exceeded"}', [Throttled(10**9, "rate limit exceeded")]),
        (b'{"type":"error","message":"no"}', [Refused(None, None, "no", "no")]),
        (b'{"channel":"ticker"}', [Puzzling("a channel that nobody opened")]),
        (b"{}", [Puzzling("neither an answer nor a channel")]),
        (b"", [Puzzling("no JSON object")]),
    ],
)  # fmt: skip
def test_what_is_no_market_data_has_a_meaning(message: bytes, said: list[Said]) -> None:
    assert list(DIALECT.read(message)) == said


def test_all_channels_of_a_connection_are_counted_together() -> None:
    market = opened(0)
    batch = [l2("A-USD", "snapshot", 0), beat(1), l2("B-USD", "snapshot", 2), l2("A-USD", "update", 3, "10"), beat(4)]
    assert market.apply(batch, 1) == [1, 4]
    assert [book.state for book in market.books] == [BookState.LIVE] * 2
    assert market.books[0].bid == (1_000, 10**8, 0)
    assert (market.statistics().gaps, market.wants()) == (0, [])


@pytest.mark.parametrize("next_one", [beat(9), l2("A-USD", "update", 9)])
def test_a_hole_touches_every_book_of_the_connection(next_one: bytes) -> None:
    market = opened(0)
    market.apply([l2("A-USD", "snapshot", 0), l2("B-USD", "snapshot", 1), next_one], 1)
    assert [book.state for book in market.books] == [BookState.SUSPECT] * 2
    assert set(market.wants()) == {Resync(coinbase.topic(name), 0, "sequence") for name in ("A-USD", "B-USD")}
    market.apply([l2("B-USD", "update", 10), l2("A-USD", "snapshot", 11)], 2)
    assert [book.state for book in market.books] == [BookState.LIVE, BookState.SUSPECT]
    assert market.statistics().gaps == 1


def test_one_line_is_followed_and_another_takes_over_with_a_snapshot() -> None:
    market = opened(0, 1)
    market.apply([l2("A-USD", "snapshot", 0)], 1, 0)
    market.apply([l2("A-USD", "snapshot", 0), l2("A-USD", "update", 1, "8")], 1, 1)
    assert market.statistics().duplicates == 2
    assert market.books[0].levels(0) == 1
    market.left(0, [coinbase.topic("A-USD"), coinbase.topic("B-USD")])
    assert market.books[0].state is BookState.SUSPECT
    assert market.wants() == [Resync(coinbase.topic("A-USD"), 1, "sequence")]
    market.apply([l2("A-USD", "snapshot", 2, "7"), l2("A-USD", "update", 3, "8")], 2, 1)
    assert (market.books[0].state, market.books[0].levels(0)) == (BookState.LIVE, 2)


def test_a_connection_of_a_high_number_is_counted_all_the_same() -> None:
    market = opened(1_000)
    market.apply([l2("A-USD", "snapshot", 0), l2("A-USD", "update", 1, "8")], 1, 1_000)
    assert (market.books[0].state, market.books[0].levels(0)) == (BookState.LIVE, 2)
    market.apply([beat(3)], 1, 1_000)
    assert (market.books[0].state, market.statistics().gaps) == (BookState.SUSPECT, 1)


def test_a_connection_that_comes_back_counts_anew() -> None:
    market = opened(0)
    market.apply([l2("A-USD", "snapshot", 70)], 1)
    market.left(0, [coinbase.topic(name) for name in ("A-USD", "B-USD")])
    market.joined(0, coinbase.topic("A-USD"))
    market.apply([l2("A-USD", "snapshot", 0), l2("A-USD", "update", 1)], 2)
    assert (market.books[0].state, market.statistics().gaps, market.wants()) == (BookState.LIVE, 0, [])


def test_products_of_spot_and_of_futures() -> None:
    body = {"products": [
        {"product_id": "BTC-USD", "base_increment": "0.00000001", "quote_increment": "0.01", "base_min_size": "0.0001",
         "price_increment": "0.01", "base_currency_id": "BTC", "quote_currency_id": "USD", "product_type": "SPOT"},
        {"product_id": "BIT-26DEC25-CDE", "base_increment": "1", "quote_increment": "0.01", "base_min_size": "1",
         "price_increment": "5", "product_type": "FUTURE", "trading_disabled": True,
         "future_product_details": {"contract_expiry": "2025-12-26T16:00:00Z", "contract_size": "0.01",
                                    "contract_expiry_type": "EXPIRING"}},
    ]}  # fmt: skip
    spot, future = coinbase.instruments(json.dumps(body).encode()).instruments
    assert (spot.kind, spot.exponents, spot.minimum, spot.base) == (Kind.SPOT, (-2, -8), 10_000, "BTC")
    assert (future.kind, future.tick, future.contract) == (Kind.FUTURE, 5, Number(1, -2))
    assert (future.expiry_ns, future.trading) == (1_766_764_800_000_000_000, False)


def translated(texts: list[bytes]) -> tuple[list[bytes], dict[str, Sides]]:
    """Put the older feed's levels in the words of Advanced Trade; give the levels in the end, too."""
    found: list[bytes] = []
    books: dict[str, Sides] = {}
    for text in texts:
        message: dict[str, Any] = exact_json(text)
        if message["type"] not in ("snapshot", "l2update"):
            continue
        rows = {"buy": message.get("bids", []), "sell": message.get("asks", [])}
        for side, price, quantity in message.get("changes", []):
            rows[side] = [*rows[side], (price, quantity)]
        name, kind = message["product_id"], "snapshot" if message["type"] == "snapshot" else "update"
        found.append(written(coinbase_l2(name, kind, 0, 0, rows["buy"], rows["sell"], line=len(found))))
        for levels, key in zip(books.setdefault(name, ({}, {})), ("buy", "sell"), strict=True):
            put(levels, rows[key])
    return found, books


def test_the_recording_becomes_books() -> None:
    messages, books = translated(frames("COINBASE.ws.28.0"))
    listed = {one["id"]: one for one in json.loads(answer("COINBASE.0", "products"))}
    digits = {
        name: tuple(
            -len(listed[name][key].partition(".")[2].rstrip("0")) for key in ("quote_increment", "base_increment")
        )
        for name in books
    }
    market = coinbase.market([product(name, (found[0], found[1])) for name, found in digits.items()])
    for name in books:
        market.joined(0, coinbase.topic(name))
    assert market.apply(messages, 1) == []
    counts = market.statistics()
    assert (counts.snapshots, counts.snapshots + counts.taken, counts.gaps) == (len(books), len(messages), 0)
    assert counts.refused == {}
    for index, name in enumerate(market.names):
        assert market.books[index].state is BookState.LIVE
        agree(market, index, books[name])
    assert all(Decimal(level.quantity) > 0 for book in market.books for level in book.depth(0, 99_999))
