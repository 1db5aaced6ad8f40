"""Kraken over WebSocket v2: what is said and answered, pairs, and recordings into books by their checksums."""

import json
from typing import Any

import pytest

from netfeed.book.state import BookState
from netfeed.errors import MisuseError
from netfeed.feed.dialect import Acknowledged, Beat, Clock, Puzzling, Refused, Resync
from netfeed.venues import kraken
from netfeed.venues.instrument import Instrument, Kind
from tests.data import recording
from tests.venues.crypto_recordings import CRYPTO, Sides, agree, frames, put
from tests.venues.depth_messages import kraken_v2, written

DIALECT = kraken.Dialect(10)


def pair(name: str, price_exponent: int = -1) -> Instrument:
    return Instrument("kraken", name, Kind.SPOT, name[:3], name[-3:], name[-3:], price_exponent, -8, 1, 1, 1)


def test_a_request_is_of_one_depth() -> None:
    asked = json.loads(DIALECT.subscribe(["book.10.BTC/USD", "book.10.ETH/USD"], 7))
    params = {"channel": "book", "symbol": ["BTC/USD", "ETH/USD"], "depth": 10}
    assert asked == {"method": "subscribe", "params": params, "req_id": 7}
    with pytest.raises(MisuseError):
        DIALECT.unsubscribe(["book.25.BTC/USD"], 8)
    with pytest.raises(MisuseError):
        kraken.rules(11)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b'{"channel":"heartbeat"}', [Beat()]),
        (b'{"channel":"status","type":"update","data":[{"system":"online"}]}', [Beat()]),
        (b'{"method":"pong","req_id":7,"time_in":"x","time_out":"2023-09-24T14:10:23.799734Z"}',
         [Clock(1_695_564_623_799_734_000, 7), Beat()]),
        (b'{"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"BTC/USD"},"success":true,"req_id":7}',
         [Acknowledged(7, ("book.10.BTC/USD",))]),
        (b'{"method":"unsubscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true,"req_id":8}',
         [Acknowledged(8, ("book.10.BTC/USD",), on=False)]),
        (b'{"error":"Already subscribed","method":"subscribe","success":false,"symbol":"X/Y","req_id":9}',
         [Acknowledged(9, ("book.10.X/Y",))]),
        (b'{"error":"Subscription Not Found","method":"unsubscribe","success":false,"symbol":"X/Y","req_id":9}',
         [Refused(9, ("book.10.X/Y",), "Subscription Not Found", "Subscription Not Found", True)]),
        (b'{"error":"Currency pair not supported X/Y","method":"subscribe","success":false,"symbol":"X/Y","req_id":9}',
         [Refused(9, ("book.10.X/Y",), "Currency pair not supported X/Y", "Currency pair not supported X/Y", True)]),
        (b'{"channel":"trade"}', [Puzzling("neither an answer nor a channel that is known")]),
        (b'"', [Puzzling("no JSON object")]),
    ],
)  # fmt: skip
def test_what_is_no_market_data_has_a_meaning(message: bytes, said: list[object]) -> None:
    assert list(DIALECT.read(message)) == said


def test_the_precision_of_a_pair_is_its_exponent() -> None:
    body = b"""{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC",
        "quote":"USD","status":"online","qty_precision":8,"qty_increment":0.00000001,"price_precision":1,
        "price_increment":0.5,"qty_min":0.0001}]}}"""
    (one,) = kraken.instruments(body).instruments
    assert (one.exponents, one.tick, one.lot, one.minimum) == ((-1, -8), 5, 1, 10_000)


def test_levels_beyond_the_depth_fall_out_without_a_word() -> None:
    market = kraken.market([pair("BTC/USD")], 10)
    market.joined(0, "book.10.BTC/USD")
    asks = [(f"{100 + n}.0", "1") for n in range(10)]
    message = kraken_v2("BTC/USD", "snapshot", 0, 0, [("99.0", "1")], asks)
    del message["data"][0]["checksum"]
    market.apply([written(message)], 1)
    message = kraken_v2("BTC/USD", "update", 0, 0, [], [("99.5", "1")])
    del message["data"][0]["checksum"]
    market.apply([written(message)], 1)
    assert [level.price for level in market.books[0].depth(1, 99)] == [995, *range(1000, 1090, 10)]
    assert market.books[0].state is BookState.LIVE


def vector() -> tuple[list[bytes], Sides]:
    """Give the recorded snapshot and its updates, and the levels in the end."""
    text = recording(f"{CRYPTO}/kraken_v2/kraken_v2_book_vector.json").read_text()
    data: dict[str, Any] = json.loads(text)
    sides: Sides = ({}, {})
    found = []
    for kind, one in [("snapshot", data["snapshot"]), *(("update", update) for update in data["updates"])]:
        found.append(written(kraken_v2("BTC/USD", kind, 0, 0, one["bids"], one["asks"], checksum=one["checksum"])))
        for side, key in zip(sides, ("bids", "asks"), strict=True):
            put(side, one[key])
            kept = sorted(side, reverse=key == "bids")[:10]
            for price in set(side) - set(kept):
                del side[price]
    return found, sides


def test_the_recorded_checksums_are_right() -> None:
    messages, sides = vector()
    market = kraken.market([pair("BTC/USD")], 10)
    market.joined(0, "book.10.BTC/USD")
    assert market.apply(messages, 1) == []
    assert (market.statistics().taken, market.statistics().checksum_failures) == (3, 0)
    assert market.books[0].state is BookState.LIVE
    agree(market, 0, sides)


def test_another_digit_is_a_wrong_checksum_and_one_snapshot_heals_it() -> None:
    messages, _ = vector()
    market = kraken.market([pair("BTC/USD")], 10)
    market.joined(0, "book.10.BTC/USD")
    market.apply([messages[0], messages[1].replace(b"0.04358176", b"0.04358177"), *messages[2:] * 100], 1)
    assert market.books[0].state is BookState.SUSPECT
    assert market.wants() == [Resync("book.10.BTC/USD", 0, "checksum")]
    assert market.statistics().checksum_failures == 1
    market.apply([messages[0], *messages[1:]], 2)
    assert market.books[0].state is BookState.LIVE


def test_the_recording_of_the_older_feed_sums_up_in_the_words_of_the_newer() -> None:
    """Version 1 sums the digits that it writes, more than the pair's own; they are put in the words of version 2."""
    decimals: dict[str, int] = {}
    books: dict[str, Sides] = {}
    messages = []
    for text in frames("KRAKEN.ws.50.0"):
        message = json.loads(text)
        if not isinstance(message, list):
            continue
        name, parts = message[-1], {key: value for part in message[1:-2] for key, value in part.items()}
        kind = "snapshot" if "as" in parts else "update"
        levels = [[(p, q) for p, q, *_ in parts.get(key, parts.get(key[0], []))] for key in ("bs", "as")]
        one = kraken_v2(name, kind, 0, 0, *levels, checksum=int(parts.get("c", -1)))
        if "c" not in parts:
            del one["data"][0]["checksum"]
        messages.append(written(one))
        decimals.setdefault(name, max(len(price.partition(".")[2]) for price, _ in levels[0] + levels[1]))
        for side, rows, number in zip(books.setdefault(name, ({}, {})), levels, (0, 1), strict=True):
            put(side, rows)
            for price in sorted(side, reverse=number == 0)[1000:]:
                del side[price]
    market = kraken.market([pair(name, -decimals[name]) for name in books], 1000)
    for name in books:
        market.joined(0, kraken.topic(name, 1000))
    assert market.apply(messages, 1) == []
    counts = market.statistics()
    assert (counts.snapshots, counts.taken, counts.checksum_failures, counts.refused) == (10, 4_269, 0, {})
    for index, name in enumerate(market.names):
        assert market.books[index].state is BookState.LIVE
        agree(market, index, books[name])
