"""The books of a feed of levels: stamps, states, announcements, and values that do not fit."""

import pytest

from netfeed.book.change import NO_BOOK, NO_PRICE, NO_TIME, Kind, Refusal
from netfeed.book.l2 import LevelBook
from netfeed.book.level import Level, Side
from netfeed.book.state import BookState
from netfeed.venues.level_market import MAX_TYPES, LevelMarket


@pytest.fixture
def market():
    one = LevelMarket()
    one.at(3, 40, 9)
    one.happened(30)
    assert one.open("BTC", (-1, 0)) == 0
    one.to(0, BookState.LIVE)
    one.changes.take()
    return one


def rows(market):
    return list(market.changes.take().copy())


def test_only_the_best_that_changed_is_announced_and_once(market):
    assert market.set(0, Side.BID, 100, 5, 2)
    assert not market.set(0, Side.BID, 99, 5)
    assert market.publish(0)
    (row,) = rows(market)
    assert (row["kind"], row["side"], row["price"], row["quantity"], row["orders"], row["state"]) == (
        Kind.BBO,
        0,
        100,
        5,
        2,
        2,
    )
    assert (row["sequence"], row["ts_event_ns"], row["ts_recv_ns"], row["channel"], row["book"]) == (3, 30, 40, 9, 0)
    market.publish(0)
    market.set(0, Side.BID, 99, 6)
    market.publish(0)
    assert rows(market) == []
    market.set(0, Side.BID, 100, 0)
    market.set(0, Side.BID, 99, 0)
    market.publish(0)
    assert [(row["price"], row["quantity"]) for row in rows(market)] == [(NO_PRICE, 0)]


def test_a_cross_is_refused_only_where_it_is_judged_and_the_book_live(market):
    market.replace(0, [Level(100, 1, 0)], [Level(100, 1, 0)])
    assert market.publish(0)
    assert market.books[0].state == BookState.LIVE
    assert not market.publish(0, judged=True)
    assert market.books[0].state == BookState.SUSPECT
    assert not market.publish(0, judged=True)
    assert market.refused == {Refusal.CROSSED: 1}


@pytest.mark.parametrize(("price", "quantity", "reason"), [
    (2**63, 1, Refusal.BAD_VALUE), (-(2**63) - 1, 1, Refusal.BAD_VALUE), (1, 2**63, Refusal.BAD_VALUE),
    (1, -1, Refusal.BAD_QUANTITY),
])  # fmt: skip
def test_levels_that_do_not_fit_are_refused_and_change_nothing(market, price, quantity, reason):
    assert not market.set(0, Side.BID, price, quantity)
    assert [(row["kind"], row["flags"]) for row in rows(market)] == [(Kind.REFUSED, reason), (Kind.STATE, 0)]
    assert (market.books[0].state, market.books[0].bid) == (BookState.SUSPECT, None)
    assert not market.replace(0, [Level(price, quantity, 0)], [])


def test_a_level_too_many_is_refused_as_full():
    market = LevelMarket(new_book=lambda: LevelBook(1))
    market.open("BTC", (0, 0))
    market.set(0, Side.BID, 1, 1)
    market.set(0, Side.BID, 2, 1)
    assert market.refused == {Refusal.FULL: 1}
    assert market.books[0].bid == Level(1, 1, 0)


def test_a_book_that_knows_nothing_is_not_doubted(market):
    market.reset(0)
    market.doubt(0)
    assert market.books[0].state == BookState.EMPTY
    market.to(0, BookState.SYNCING)
    market.doubt(0)
    assert market.books[0].state == BookState.SUSPECT


def test_a_gap_names_the_channel_and_no_book(market):
    market.gap(7, 9)
    (row,) = rows(market)
    assert (row["kind"], row["sequence"], row["reference"], row["book"], row["state"]) == (
        Kind.GAP,
        7,
        9,
        NO_BOOK,
        BookState.EMPTY,
    )


def test_a_trade_that_does_not_fit_is_refused(market):
    market.trade(0, Side.ASK, 5, 6, 2**64 + 1, 0x1FF)
    (row,) = rows(market)
    assert (row["price"], row["quantity"], row["reference"], row["flags"]) == (5, 6, 1, 255)
    market.trade(0, Side.ASK, 2**63, 6)
    assert market.refused == {Refusal.BAD_VALUE: 1}


def test_a_time_that_does_not_fit_is_none(market):
    market.happened(2**63)
    market.at(2**64 + 5, 1, 70_000)
    market.refuse(None, Refusal.BAD_LENGTH)
    (row,) = rows(market)
    assert (row["ts_event_ns"], row["sequence"], row["channel"]) == (NO_TIME, 5, 70_000 - 65_536)


def test_types_and_books_are_bounded():
    market = LevelMarket(max_books=1)
    for number in range(MAX_TYPES + 5):
        market.count(str(number))
    market.count("0")
    assert (len(market.by_type), market.by_type["0"]) == (MAX_TYPES, 2)
    assert (market.open("A", (0, 0)), market.open("B", (0, 0))) == (0, None)
    assert market.refused == {Refusal.FULL: 1}


def test_a_stale_book_that_lost_something_is_suspect(market):
    for befall in (lambda: market.doubt(0), lambda: market.refuse(0, Refusal.BAD_VALUE)):
        market.to(0, BookState.LIVE)
        market.to(0, BookState.STALE)
        befall()
        assert market.books[0].state == BookState.SUSPECT
