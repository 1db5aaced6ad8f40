"""Starbase books: priority by sort key, transactions, and the splice of a snapshot into the stream."""

from typing import Any

import pytest

from netfeed.book.change import Kind, Refusal
from netfeed.book.level import Level
from netfeed.book.state import BookState
from netfeed.feed.splice import Splice
from netfeed.venues.starbase import StarbaseFeed
from netfeed.wire import starbase

ONE = 10**9


def put(
    order: int,
    price: int,
    quantity: int = 5,
    *,
    side: int = 20,
    sort: int | None = None,
    flags: int = 3,
    instrument: int = 7,
) -> bytes:
    sort = order if sort is None else sort
    return starbase.encode(
        side, flags=flags, orderId=order, instrumentId=instrument, quantity=quantity, price=price, sortOrderId=sort
    )


def header(sequence: int, instrument: int = 7) -> bytes:
    return starbase.encode(100, instrumentId=instrument, incrementalTimestamp=0, incrementalSeqNum=sequence)


def trailer(sequence: int, instrument: int = 7) -> bytes:
    return starbase.encode(101, instrumentId=instrument, timestamp=0, incrementSeqNum=sequence)


@pytest.fixture
def feed() -> StarbaseFeed:
    return StarbaseFeed()


def snapshot(feed: StarbaseFeed, messages: list[bytes], since: Any) -> None:
    for sequence, message in enumerate(messages, 1):
        feed.snapshot(message, sequence, 0, 0, since)


def test_the_queue_is_ordered_by_the_sort_key_whatever_arrived_first(feed: StarbaseFeed) -> None:
    for sequence, (order, sort) in enumerate([(1, 30), (2, 10), (3, 20)], 1):
        feed.apply(put(order, ONE, sort=sort), sequence)
    assert [order.order_id for order in feed.books[0].queue(0, ONE)] == [2, 3, 1]


def test_a_put_of_a_known_order_is_an_amend_of_price_quantity_and_priority(feed: StarbaseFeed) -> None:
    feed.apply(put(1, ONE), 1)
    feed.apply(put(2, ONE), 2)
    feed.apply(put(1, ONE, 9, sort=3), 3)
    assert [(o.order_id, o.quantity) for o in feed.books[0].queue(0, ONE)] == [(2, 5), (1, 9)]
    feed.apply(put(1, 2 * ONE, 9, sort=4), 4)
    assert feed.books[0].depth(0, 9) == [Level(2 * ONE, 9, 1), Level(ONE, 5, 1)]


def test_a_reduction_keeps_the_place_and_may_not_enlarge(feed: StarbaseFeed) -> None:
    feed.apply(put(1, ONE), 1)
    feed.apply(put(2, ONE), 2)
    feed.apply(starbase.encode(22, flags=3, orderId=1, instrumentId=7, quantity=2), 3)
    assert [(o.order_id, o.quantity) for o in feed.books[0].queue(0, ONE)] == [(1, 2), (2, 5)]
    feed.apply(starbase.encode(22, flags=3, orderId=1, instrumentId=7, quantity=3), 4)
    assert feed.statistics().refused == {Refusal.BAD_QUANTITY.name: 1}
    assert feed.books[0].state is BookState.SUSPECT


def test_a_book_is_announced_and_judged_at_the_end_of_the_transaction_only(feed: StarbaseFeed) -> None:
    feed.apply(put(1, 3 * ONE, side=21), 1)
    feed.take()
    feed.apply(put(2, 4 * ONE, flags=1), 2)
    assert len(feed.take()) == 0
    feed.apply(starbase.encode(25, flags=2, orderId=1, instrumentId=7), 3)
    assert [(int(c["kind"]), int(c["side"])) for c in feed.take()] == [(Kind.BBO, 0), (Kind.BBO, 1)]
    assert feed.books[0].state is BookState.LIVE
    feed.apply(put(3, 3 * ONE, side=21), 4)
    assert feed.books[0].state is BookState.SUSPECT


def test_an_order_of_another_side_or_instrument_is_not_touched(feed: StarbaseFeed) -> None:
    feed.apply(put(1, ONE), 1)
    feed.apply(starbase.encode(25, flags=3, orderId=1, instrumentId=7), 2)
    feed.apply(starbase.encode(24, flags=3, orderId=1, instrumentId=8), 3)
    assert feed.statistics().refused == {"WRONG_BOOK": 1, "UNKNOWN_BOOK": 1}
    assert feed.books[0].bid == Level(ONE, 5, 1)


def test_a_snapshot_and_what_came_after_it_make_a_late_join_live(feed: StarbaseFeed) -> None:
    feed.begin(whole=False)
    splice = Splice()
    splice.begin(10)
    for sequence, message in [(11, put(5, 2 * ONE)), (12, put(6, 3 * ONE, side=21)), (13, put(7, ONE, instrument=8))]:
        splice.remember(sequence, message)
        feed.apply(message, sequence)
    assert feed.books[0].state is BookState.SYNCING
    snapshot(feed, [header(11), put(1, ONE), put(5, 2 * ONE), trailer(11)], splice.since)
    assert feed.books[0].state is BookState.LIVE
    assert feed.books[0].depth(0, 9) == [Level(2 * ONE, 5, 1), Level(ONE, 5, 1)]
    assert feed.books[0].ask == Level(3 * ONE, 5, 1)
    assert feed.books[1].state is BookState.SYNCING
    assert feed.needs_snapshot


def test_a_snapshot_older_than_what_is_remembered_is_not_adopted(feed: StarbaseFeed) -> None:
    splice = Splice()
    splice.begin(20)
    splice.remember(21, put(1, ONE))
    feed.apply(put(1, ONE), 21)
    feed.gap(22, 23, 0)
    snapshot(feed, [header(15), put(9, ONE), trailer(15)], splice.since)
    assert feed.books[0].state is BookState.SUSPECT


def test_a_snapshot_as_of_the_end_of_a_loss_is_adopted_though_nothing_has_followed(feed: StarbaseFeed) -> None:
    feed.apply(put(1, ONE), 1)
    feed.gap(2, 3, 0)
    snapshot(feed, [header(3), put(9, ONE), trailer(3)], lambda _: None)
    assert feed.books[0].state is BookState.LIVE


def test_after_a_loss_one_whole_cycle_says_that_every_instrument_has_a_book(feed: StarbaseFeed) -> None:
    feed.apply(put(1, ONE), 1)
    feed.gap(2, 3, 0)
    end = starbase.encode(119, activeInstrumentCount=1)
    snapshot(feed, [header(3), put(9, ONE), trailer(3), end], lambda _: None)
    assert feed.needs_snapshot  # that cycle had begun before
    snapshot(feed, [header(3), put(9, ONE), trailer(3), end], lambda _: None)
    assert not feed.needs_snapshot
    feed.apply(put(5, ONE, instrument=8), 4)
    assert feed.books[1].state is BookState.LIVE


@pytest.mark.parametrize("torn", ["trailer", "lost"])
def test_a_snapshot_that_is_not_whole_is_not_adopted(feed: StarbaseFeed, torn: str) -> None:
    feed.apply(put(1, ONE), 1)
    feed.gap(2, 3, 0)
    feed.apply(put(2, ONE), 4)
    snapshot(feed, [header(4), put(9, ONE)], lambda _: [])
    if torn == "lost":
        feed.snapshot_broken()
    snapshot(feed, [trailer(3 if torn == "trailer" else 4)], lambda _: [])
    assert feed.books[0].state is BookState.SUSPECT
    assert feed.snapshots_adopted == 0
    assert feed.snapshot_faults == ({"its trailer contradicts its header": 1} if torn == "trailer" else {})


@pytest.mark.parametrize(("messages", "why"), [
    ([header(4), put(9, ONE, instrument=8), trailer(4)], "an order is of another instrument"),
    ([header(4), put(9, ONE), trailer(4, instrument=8)], "its trailer contradicts its header"),
    ([header(4), put(9, ONE), header(4, instrument=8), trailer(4, instrument=8)], "it has no trailer"),
    ([header(4), put(9, ONE)[:-8], trailer(4)], "a message does not decode"),
    ([header(4), put(9, ONE), put(9, ONE), trailer(4)], "its orders are refused"),
    ([header(4), put(9, ONE, 0), trailer(4)], "its orders are refused"),
])  # fmt: skip
def test_a_snapshot_that_contradicts_itself_is_counted_by_what_is_wrong(
    feed: StarbaseFeed, messages: list[bytes], why: str
) -> None:
    feed.apply(put(1, ONE), 1)
    feed.gap(2, 3, 0)
    feed.apply(put(2, ONE), 4)
    snapshot(feed, messages, lambda _: [])
    assert feed.books[0].state is BookState.SUSPECT
    assert feed.snapshot_faults == {why: 1}


def test_a_live_book_is_left_alone_by_snapshots(feed: StarbaseFeed) -> None:
    feed.apply(put(1, ONE), 1)
    snapshot(feed, [header(1), put(9, 5 * ONE), trailer(1)], lambda _: [])
    assert feed.books[0].bid == Level(ONE, 5, 1)


def test_a_definition_names_the_instrument_and_its_exponents(feed: StarbaseFeed) -> None:
    feed.apply(
        starbase.encode(
            10, instrumentId=7, name="BTC-PERPETUAL", indexId=1, underlying="BTC", quantityAsset="USD",
            priceAsset="USD", minOrderQuantity=1, tickSize=ONE // 2, quantityExponent=-2, type=0, flags_=4, status=0,
        ),
        1,
    )  # fmt: skip
    assert (feed.names, feed.exponents) == (["BTC-PERPETUAL"], [(-9, -2)])
    feed.apply(put(1, ONE)[:40], 2)
    assert feed.statistics().refused == {"BAD_LENGTH": 1}


def test_a_snapshot_waits_for_the_end_of_the_transaction_that_is_open(feed: StarbaseFeed) -> None:
    """Or the other books that the transaction has touched would be told half of it, under the snapshot's number."""
    feed.begin(whole=False)
    splice = Splice()
    splice.begin(0)
    feed.stream.fresh_state = BookState.LIVE
    for sequence, message in enumerate([put(1, 10 * ONE, instrument=8), put(2, 9 * ONE, instrument=8)], 1):
        splice.remember(sequence, message)
        feed.apply(message, sequence)
    feed.stream.fresh_state = BookState.SYNCING
    delete = starbase.encode(24, flags=1, orderId=1, instrumentId=8)
    splice.remember(3, delete)
    feed.apply(delete, 3)
    feed.take()

    snapshot(feed, [header(2), put(5, ONE), trailer(2)], splice.since)
    assert len(feed.take()) == 0

    end = put(6, 2 * ONE, instrument=8, flags=2)
    splice.remember(4, end)
    feed.apply(end, 4)
    changes = feed.take()
    told = [(int(row["sequence"]), int(row["book"]), int(row["price"])) for row in changes if row["kind"] == Kind.BBO]
    assert told == [(4, 0, 9 * ONE), (2, 1, ONE)]
    assert feed.books[1].state is BookState.LIVE
