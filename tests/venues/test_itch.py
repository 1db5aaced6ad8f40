"""ITCH messages do to the books what the specification says, and nonsense is refused aloud. Both builds by BUILD."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from netfeed.book.change import CHANGE, NO_PRICE, Kind, Refusal, TradeFlag
from netfeed.book.level import Level, Side
from netfeed.book.state import BookState
from netfeed.build import select
from netfeed.venues.itch import ItchFeed
from netfeed.wire import itch

HEAD = {"stock_locate": 1, "tracking_number": 0, "timestamp": 34_200_000_000_123}
Send = Callable[..., Any]


@pytest.fixture
def feed() -> ItchFeed:
    return ItchFeed()


@pytest.fixture
def send(feed: ItchFeed) -> Send:
    sequence = iter(range(1, 1000))

    def one(kind: str, **fields: Any) -> Any:
        feed.apply(itch.encode(kind, **HEAD, **fields), next(sequence), 7)
        return feed.take().copy()

    return one


def add(send: Send, reference: int, side: str, shares: int, price: int) -> Any:
    return send(
        "A", order_reference_number=reference, buy_sell_indicator=side, shares=shares, stock="AAPL", price=price
    )


def test_an_added_order_is_the_best_of_its_side_and_is_announced_with_its_times(feed: ItchFeed, send: Send) -> None:
    (change,) = add(send, 1, "B", 100, 1_000_000)
    assert change.dtype == CHANGE
    assert (change["kind"], change["side"], change["price"], change["quantity"], change["orders"]) == (
        Kind.BBO,
        0,
        1_000_000,
        100,
        1,
    )
    assert (change["sequence"], change["ts_event_ns"], change["ts_recv_ns"]) == (1, HEAD["timestamp"], 7)
    assert feed.names == ["AAPL"]
    assert feed.books[0].bid == Level(1_000_000, 100, 1)
    assert feed.books[0].state is BookState.LIVE


def test_an_execution_is_a_trade_at_the_price_of_the_order_and_takes_it_down(feed: ItchFeed, send: Send) -> None:
    add(send, 1, "S", 100, 1_000_000)
    trade, bbo = send("E", order_reference_number=1, executed_shares=40, match_number=77)
    assert (trade["kind"], trade["side"], trade["price"], trade["quantity"], trade["reference"]) == (
        Kind.TRADE,
        1,
        1_000_000,
        40,
        77,
    )
    assert (bbo["kind"], bbo["quantity"]) == (Kind.BBO, 60)
    send("E", order_reference_number=1, executed_shares=60, match_number=78)
    assert feed.books[0].ask is None


def test_an_unprinted_execution_with_price_says_so(send: Send) -> None:
    add(send, 1, "S", 100, 1_000_000)
    trade = send(
        "C", order_reference_number=1, executed_shares=40, match_number=77, printable="N", execution_price=990_000
    )[0]
    assert (trade["price"], trade["flags"]) == (990_000, TradeFlag.UNPRINTED | TradeFlag.REPRICED)


def test_an_execution_at_another_price_than_its_orders_says_so(send: Send) -> None:
    add(send, 1, "S", 100, 1_000_000)
    more = {"order_reference_number": 1, "executed_shares": 40, "match_number": 77, "printable": "Y"}
    assert send("C", **more, execution_price=1_000_000)[0]["flags"] == 0
    assert send("C", **more, execution_price=990_000)[0]["flags"] == TradeFlag.REPRICED


def test_a_replace_keeps_the_side_and_loses_the_place_in_the_queue(feed: ItchFeed, send: Send) -> None:
    add(send, 1, "B", 100, 1_000_000)
    add(send, 2, "B", 50, 1_000_000)
    send("U", original_order_reference_number=1, new_order_reference_number=3, shares=70, price=1_000_000)
    assert [order.order_id for order in feed.books[0].queue(0, 1_000_000)] == [2, 3]
    assert feed.books[0].bid == Level(1_000_000, 120, 2)


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("D", {"order_reference_number": 9}, Refusal.UNKNOWN_ORDER),
        ("X", {"order_reference_number": 1, "cancelled_shares": 101}, Refusal.BAD_QUANTITY),
        ("X", {"order_reference_number": 1, "cancelled_shares": 0}, Refusal.BAD_QUANTITY),
        ("E", {"order_reference_number": 1, "executed_shares": 101, "match_number": 1}, Refusal.BAD_QUANTITY),
    ],
)
def test_nonsense_changes_no_level_and_makes_the_book_suspect(
    feed: ItchFeed, send: Send, kind: str, fields: dict[str, int], reason: Refusal
) -> None:
    add(send, 1, "B", 100, 1_000_000)
    changes = send(kind, **fields)
    assert [(int(c["kind"]), int(c["flags"])) for c in changes if c["kind"] == Kind.REFUSED] == [(Kind.REFUSED, reason)]
    assert feed.books[0].bid == Level(1_000_000, 100, 1)
    assert feed.books[0].state is BookState.SUSPECT
    assert feed.statistics().refused == {reason.name: 1}


def test_a_duplicate_order_is_refused_and_the_first_one_stands(feed: ItchFeed, send: Send) -> None:
    add(send, 1, "B", 100, 1_000_000)
    add(send, 1, "B", 500, 1_100_000)
    assert feed.books[0].depth(0, 9) == [Level(1_000_000, 100, 1)]
    assert feed.books[0].state is BookState.SUSPECT


def test_a_crossed_book_is_suspect_while_its_stock_trades_and_not_in_a_halt(feed: ItchFeed, send: Send) -> None:
    send("H", stock="AAPL", trading_state="H", reserved=" ", reason="T1")
    add(send, 1, "B", 100, 1_000_000)
    add(send, 2, "S", 100, 990_000)
    assert feed.books[0].state is BookState.LIVE
    send("H", stock="AAPL", trading_state="T", reserved=" ", reason="")
    add(send, 3, "S", 100, 980_000)
    assert feed.books[0].state is BookState.SUSPECT
    assert feed.statistics().refused == {"CROSSED": 1}


def test_a_known_type_of_a_wrong_length_is_refused_and_an_unknown_type_only_counted(feed: ItchFeed, send: Send) -> None:
    add(send, 1, "B", 100, 1_000_000)
    message = itch.encode("D", **HEAD, order_reference_number=1)
    feed.apply(message + b"?", 2)
    assert feed.statistics().refused == {"BAD_LENGTH": 1}
    feed.apply(b"z" + message[1:], 3)
    feed.apply(b"", 4)
    assert feed.statistics().refused == {"BAD_LENGTH": 2}
    assert feed.by_type == {"A": 1, "D": 1, "z": 1}
    assert feed.books[0].bid == Level(1_000_000, 100, 1)


def test_a_gap_makes_every_book_suspect_and_those_that_open_later(feed: ItchFeed, send: Send) -> None:
    add(send, 1, "B", 100, 1_000_000)
    feed.gap(2, 5, 9)
    gap, state = feed.take()
    assert (gap["kind"], gap["sequence"], gap["reference"]) == (Kind.GAP, 2, 5)
    assert (state["kind"], state["book"], state["state"]) == (Kind.STATE, 0, BookState.SUSPECT)
    other = itch.encode(
        "R", **{**HEAD, "stock_locate": 2}, **{f: 0 if k == "u32" else "" for f, k in itch.LAYOUTS["R"].rows[4:]}
    )
    feed.apply(other, 6)
    assert feed.books[1].state is BookState.SUSPECT


def test_a_late_join_is_syncing_not_live(send: Send, feed: ItchFeed) -> None:
    feed.begin(whole=False)
    add(send, 1, "B", 100, 1_000_000)
    assert feed.books[0].state is BookState.SYNCING
    assert not feed.books[0].quotable


def test_a_new_session_empties_the_books_and_deals_the_locates_anew(feed: ItchFeed, send: Send) -> None:
    add(send, 1, "B", 100, 1_000_000)
    feed.reset()
    assert feed.books[0].bid is None
    assert feed.books[0].state is BookState.EMPTY
    send("A", order_reference_number=1, buy_sell_indicator="S", shares=5, stock="MSFT", price=1_000_000)
    assert feed.names == ["AAPL", "MSFT"]
    assert feed.books[1].ask == Level(1_000_000, 5, 1)
    assert feed.books[0].state is BookState.EMPTY


def test_a_stock_of_a_new_session_gets_its_old_book_back_which_begins_anew(feed: ItchFeed, send: Send) -> None:
    add(send, 1, "B", 100, 1_000_000)
    send("H", stock="AAPL", trading_state="H", reserved="", reason="")
    handle = feed.books[0]
    feed.reset()
    feed.take()
    state, bbo = add(send, 1, "S", 5, 2_000_000)
    assert (state["kind"], state["book"], state["state"]) == (Kind.STATE, 0, BookState.LIVE)
    assert (bbo["kind"], bbo["book"], bbo["side"], bbo["quantity"]) == (Kind.BBO, 0, Side.ASK, 5)
    assert (feed.books, feed.names) == ([handle], ["AAPL"])
    assert (handle.bid, handle.ask, handle.state) == (None, Level(2_000_000, 5, 1), BookState.LIVE)
    changes = add(send, 2, "B", 5, 2_000_001)  # the halt was of the session before: this cross counts
    assert Refusal.CROSSED in changes["flags"][changes["kind"] == Kind.REFUSED]


def _stock(number: int) -> bytes:
    return f"S{number:03}".encode().ljust(8)


def _session(stocks: list[int], first_order: int) -> Iterator[bytes]:
    """Deal locates anew, define every stock, and rest an order on each side of it."""
    head = {"tracking_number": 0, "timestamp": 1}
    fields = {name: 0 if kind == "u32" else "" for name, kind in itch.LAYOUTS["R"].rows[4:]}
    for locate, number in enumerate(stocks, 1):
        yield itch.encode("R", stock_locate=locate, **head, **fields | {"stock": _stock(number).decode().rstrip()})
        for side, price in (("B", 100 + number), ("S", 900 + number)):
            yield itch.encode(
                "A", stock_locate=locate, **head, order_reference_number=first_order, buy_sell_indicator=side,
                shares=first_order, stock=_stock(number).decode().rstrip(), price=price,
            )  # fmt: skip
            first_order += 1


class Reader:
    """What somebody knows of the books who sees nothing but the changes."""

    def __init__(self) -> None:
        self.states: dict[int, int] = {}
        self.best: dict[tuple[int, int], tuple[int, int]] = {}

    def take(self, rows: Any) -> None:
        for row in rows:
            book = int(row["book"])
            if row["kind"] == Kind.BBO:
                self.best[book, int(row["side"])] = int(row["price"]), int(row["quantity"])
            if row["kind"] in (Kind.BBO, Kind.STATE):
                self.states[book] = int(row["state"])

    def knows(self, feed: ItchFeed) -> bool:
        for number, book in enumerate(feed.books):
            best = [(level.price, level.quantity) if level else (NO_PRICE, 0) for level in (book.bid, book.ask)]
            if self.states[number] != book.state or [self.best[number, side] for side in Side] != best:
                return False
        return True


@pytest.mark.parametrize("whole", [True, False])
def test_twenty_sessions_in_a_row_have_as_many_books_as_stocks_and_nobody_sees_an_old_one(whole: bool) -> None:
    feed, reader, sequence = ItchFeed(), Reader(), 0
    listed = list(range(40))
    for session in range(20):
        for message in _session(listed, 1 + 7 * session):
            sequence += 1
            feed.apply(message, sequence)
        reader.take(feed.take())
        assert len(feed.books) == 40
        assert reader.knows(feed)
        states = {number: feed.books[feed.names.index(_stock(number).decode().rstrip())].state for number in range(40)}
        fresh = BookState.LIVE if whole or not session else BookState.SYNCING
        assert states == {number: fresh if number in listed else BookState.EMPTY for number in range(40)}
        for number in listed:
            book = feed.books[feed.names.index(_stock(number).decode().rstrip())]
            assert book.bid is not None
            assert (book.bid.price, book.bid.orders, book.levels(Side.BID)) == (100 + number, 1, 1)
        feed.reset()
        feed.begin(whole)
        reader.take(feed.take())
        assert reader.knows(feed)
        listed = [number for number in reversed(range(40)) if (number + session) % 3]  # some are not listed each day


def test_the_bound_on_books_is_not_reached_by_sessions_of_the_same_stocks() -> None:
    stream = select("itch", "netfeed.venues.itch", "ItchBooks")(max_books=3)
    for _ in range(20):
        for message in _session([1, 2, 3], 1):
            stream.apply(message, 1)
        stream.books.clear_all()
        stream.forget_locates()
    assert stream.books.statistics().refused == {}
    assert len(stream.books) == 3


def test_a_loss_makes_no_book_of_an_ended_session_suspect_and_a_snapshot_does_not_make_it_live() -> None:
    feed = ItchFeed()
    for message in _session([1, 2], 1):
        feed.apply(message, 1)
    feed.reset()
    feed.gap(1, 5)
    assert [book.state for book in feed.books] == [BookState.EMPTY, BookState.EMPTY]
    assert feed.needs_snapshot
    records = b"".join(len(message).to_bytes(2, "big") + message for message in _session([2], 1))
    assert feed.is_sound(records)
    feed.adopt(records, 6, [])
    assert feed.names == ["S001", "S002"]
    assert [book.state for book in feed.books] == [BookState.EMPTY, BookState.LIVE]
    assert feed.books[1].bid == Level(102, 1, 1)
    assert not feed.needs_snapshot
