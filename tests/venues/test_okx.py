"""OKX over WebSocket: what is said and answered, instruments, the chain of seqId, and a recording by its checksums."""

import json
from decimal import Decimal

import pytest

from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.errors import MisuseError
from netfeed.feed.dialect import Acknowledged, Beat, Leaving, Puzzling, Refused, Resync, Throttled
from netfeed.venues import okx
from netfeed.venues.instrument import Instrument, Kind, Number, Right
from tests.venues.crypto_recordings import Sides, agree, answer, exact_json, frames, put
from tests.venues.depth_messages import okx_books, written

DIALECT = okx.Dialect()
SWAP = Instrument("okx", "X", Kind.PERPETUAL, "X", "USD", "X", -1, 0, 1, 1, 1)


def test_a_request_lists_channels_and_instruments() -> None:
    asked = json.loads(DIALECT.subscribe(["books:BTC-USDT", "trades:BTC-USDT"], 7))
    pairs = [{"channel": "books", "instId": "BTC-USDT"}, {"channel": "trades", "instId": "BTC-USDT"}]
    assert asked == {"id": "7", "op": "subscribe", "args": pairs}
    assert json.loads(DIALECT.unsubscribe(["books:BTC-USDT"], 8))["op"] == "unsubscribe"
    assert DIALECT.ping(9) == b"ping"
    with pytest.raises(MisuseError):
        okx.rules("books5")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"pong", [Beat()]),
        (b'{"id":"7","event":"subscribe","arg":{"channel":"books","instId":"X"},"connId":"a"}',
         [Acknowledged(7, ("books:X",))]),
        (b'{"event":"unsubscribe","arg":{"channel":"books","instId":"X"}}',
         [Acknowledged(None, ("books:X",), on=False)]),
        (b'{"id":"7","event":"error","code":"60018","msg":"wrong channel","connId":"a"}',
         [Refused(7, None, "60018", "wrong channel", final=True)]),
        (b'{"id":"7","event":"error","code":"60014","msg":"too fast"}', [Throttled(10**9, "60014", 7)]),
        (b'{"event":"notice","code":"64008","msg":"service upgrade"}', [Leaving("64008 service upgrade")]),
        (b'{"event":"channel-conn-count","connCount":"2"}', [Beat()]),
        (b'{"event":"login"}', [Puzzling("event login")]),
        (b'{"arg":{"channel":"tickers","instId":"X"},"data":[{}]}', [Puzzling("a channel that nobody opened")]),
        (b"ping", [Puzzling("no JSON object")]),
    ],
)  # fmt: skip
def test_what_is_no_market_data_has_a_meaning(message: bytes, said: list[object]) -> None:
    assert list(DIALECT.read(message)) == said


def update(before: int, after: int, price: str = "9", quantity: str = "1") -> bytes:
    return written(okx_books("X", "update", before, after, [(price, quantity)], []))


def keep_alive(number: int) -> bytes:
    return written(okx_books("X", "update", number, number, [], []))


def snapshot(number: int) -> bytes:
    return written(okx_books("X", "snapshot", -1, number, [("9", "2")], [("11", "2")]))


def test_the_chain_goes_on_through_a_keep_alive_and_a_reset() -> None:
    market = okx.market([SWAP])
    market.joined(0, "books:X")
    market.apply([snapshot(10), update(10, 15), keep_alive(15), update(15, 17), update(17, 3), update(3, 5)], 1)
    standing = market.standing("books:X")
    assert standing is not None
    assert (standing.state, standing.sequence) == (BookState.LIVE, 5)
    assert (market.statistics().gaps, market.wants()) == (0, [])
    assert market.books[0].best(Side.BID) == (90, 1, 3)  # with the number of its orders


def test_a_hole_asks_for_a_snapshot_and_the_checksum_of_today_is_not_looked_at() -> None:
    market = okx.market([SWAP])
    market.joined(0, "books:X")
    market.apply([snapshot(10), update(12, 15)], 1)
    assert market.wants() == [Resync("books:X", 0, "sequence")]
    market.apply([snapshot(14)], 2)
    assert market.books[0].state is BookState.LIVE
    message = okx_books("X", "update", 14, 16, [("9", "3")], [])
    message["data"][0]["checksum"] = -123
    market.apply([written(message)], 3)
    assert market.books[0].state is BookState.LIVE


def test_instruments_of_the_recording() -> None:
    told = [okx.instruments(answer("OKX.0", part)) for part in ("SWAP", "instType=OPTION")]
    swap, option = ({one.name: one for one in page.instruments} for page in told)
    assert [page.passed for page in told] == [(), ()]
    one = swap["BTC-USD-SWAP"]
    assert (one.kind, one.base, one.quote, one.settlement, one.inverse) == (
        Kind.PERPETUAL,
        "BTC",
        "USD",
        "BTC",
        True,
    )
    assert (one.exponents, one.tick, one.contract) == ((-1, 0), 1, Number(100, 0))
    one = option["BTC-USD-220514-22000-C"]
    assert (one.kind, one.right, one.strike) == (Kind.OPTION, Right.CALL, Number(22_000, 0))
    assert (one.expiry_ns, one.contract, one.exponents) == (1_652_515_200_000_000_000, Number(1, -1), (-4, 0))


def recorded() -> tuple[list[bytes], dict[str, Instrument]]:
    listed = {}
    for part in ("SPOT", "SWAP", "FUTURES"):
        listed |= {one.name: one for one in okx.instruments(answer("OKX.0", f"instType={part}")).instruments}
    return frames("OKX.ws.1.0"), listed


def test_the_recording_becomes_books_whose_checksums_are_right() -> None:
    texts, listed = recorded()
    books: dict[str, Sides] = {}
    count = 0
    for text in texts:
        message = exact_json(text)
        if message.get("arg", {}).get("channel") == "books" and "data" in message:
            count += 1
            sides = books.setdefault(message["arg"]["instId"], ({}, {}))
            for side, key in zip(sides, ("bids", "asks"), strict=True):
                put(side, [(Decimal(p), q) for p, q, *_ in message["data"][0][key]])
    market = okx.market([listed[name] for name in books], old=True)
    for name in books:
        market.joined(0, okx.topic(name))
    left = market.apply(texts, 1)
    counts = market.statistics()
    assert (counts.snapshots + counts.taken, counts.checksum_failures, counts.refused) == (count, 0, {})
    assert (count, len(books), market.wants()) == (290, 3, [])
    assert all(b'"channel":"books"' not in texts[place] or b'"event"' in texts[place] for place in left)
    for index, name in enumerate(market.names):
        assert market.books[index].state is BookState.LIVE
        agree(market, index, books[name])


def test_another_digit_in_the_recording_is_a_wrong_checksum() -> None:
    texts, listed = recorded()
    market = okx.market([listed["BTC-USDT"], listed["UNI-USD-SWAP"]], old=True)
    for name in market.names:
        market.joined(0, okx.topic(name))
    depth = [text for text in texts if b'"action"' in text and b'"BTC-USDT"' in text]
    message = json.loads(depth[1])
    message["data"][0]["bids"][0][1] += "1"
    market.apply([depth[0], json.dumps(message).encode(), *depth[2:]], 1)
    assert market.wants() == [Resync("books:BTC-USDT", 0, "checksum")]
    assert market.books[0].state is BookState.SUSPECT
