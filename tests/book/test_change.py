"""The record that a book announces, and the log that plain Python writes it to."""

import struct

import numpy as np

from netfeed.book.change import CHANGE, NO_BOOK, NO_PRICE, NO_SIDE, NO_TIME, ChangeLog, Kind
from netfeed.book.level import Side
from netfeed.book.state import BookState


def test_a_change_is_one_cache_line_with_its_fields_where_others_expect_them() -> None:
    raw = struct.pack("<QqqqqQIIBBBBHH", 1, -2, -3, -4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)
    (change,) = np.frombuffer(raw, CHANGE)
    assert CHANGE.itemsize == len(raw) == 64
    assert dict(zip(CHANGE.names or (), change.item(), strict=True)) == {
        "sequence": 1, "ts_event_ns": -2, "ts_recv_ns": -3, "price": -4, "quantity": 5, "reference": 6, "book": 7,
        "orders": 8, "kind": 9, "side": 10, "state": 11, "flags": 12, "channel": 13, "reserved": 14,
    }  # fmt: skip


def test_what_is_appended_is_taken_in_order() -> None:
    log = ChangeLog()
    log.append(Kind.BBO, 3, sequence=9, ts_event_ns=1, ts_recv_ns=2, price=-5, quantity=6, orders=2, side=Side.ASK)
    log.append(Kind.STATE, 4, state=BookState.LIVE, channel=8)
    first, second = log.take()
    assert first.item() == (9, 1, 2, -5, 6, 0, 3, 2, 1, 1, 0, 0, 0, 0)
    assert (second["kind"], second["book"], second["state"], second["channel"]) == (3, 4, 2, 8)


def test_what_a_change_does_not_tell_is_a_named_sentinel() -> None:
    log = ChangeLog()
    log.append(Kind.GAP, NO_BOOK)
    (change,) = log.take()
    assert (change["price"], change["side"], change["book"]) == (NO_PRICE, NO_SIDE, 2**32 - 1)
    assert (change["ts_event_ns"], change["ts_recv_ns"]) == (NO_TIME, NO_TIME)


def test_changes_are_taken_once() -> None:
    log = ChangeLog()
    log.append(Kind.TRADE, 0)
    assert (len(log), len(log.take()), len(log), len(log.take())) == (1, 1, 0, 0)


def test_a_full_log_grows_and_keeps_what_it_holds() -> None:
    log = ChangeLog(capacity=2)
    for sequence in range(11):
        log.append(Kind.TRADE, 0, sequence=sequence)
    assert log.take()["sequence"].tolist() == list(range(11))


def test_a_change_says_nothing_of_the_one_that_stood_in_its_place() -> None:
    log = ChangeLog(capacity=1)
    log.append(Kind.BBO, 3, price=7, quantity=6, orders=2, side=Side.BID, reference=1, flags=4, channel=5)
    log.take()
    log.append(Kind.GAP, NO_BOOK, sequence=1)
    (change,) = log.take()
    assert [change[name] for name in ("quantity", "orders", "reference", "flags", "channel")] == [0] * 5


def test_an_array_of_changes_is_a_view_and_not_a_copy() -> None:
    log = ChangeLog(capacity=4)
    log.append(Kind.TRADE, 0, sequence=1)
    taken = log.take()
    log.append(Kind.TRADE, 0, sequence=2)
    assert taken["sequence"].tolist() == [2]
