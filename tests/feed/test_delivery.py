"""What the channel tells becomes what the books know: in doubt while a gap is open, right when it is closed."""

from typing import Any

import pytest

from netfeed.book.change import Kind
from netfeed.book.level import Level
from netfeed.book.state import BookState
from netfeed.feed.channel import Channel
from netfeed.feed.delivery import AHEAD, Delivery
from netfeed.feed.epoch import LIVELY_NS
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.glimpse import Snapshot
from netfeed.feed.ports import Port
from netfeed.feed.splice import Splice
from netfeed.machine import Machine
from netfeed.venues.itch import ItchFeed
from netfeed.wire import itch, moldudp64

A, B = Port.LINE_A, Port.LINE_B
S = 1_000_000_000
MS = 1_000_000
LIVE, SUSPECT, SYNCING = BookState.LIVE, BookState.SUSPECT, BookState.SYNCING


def add(order: int, price: int, side: str = "B", shares: int = 100, locate: int = 1, stock: str = "AAPL") -> bytes:
    return itch.encode(
        "A", stock_locate=locate, tracking_number=0, timestamp=1, order_reference_number=order,
        buy_sell_indicator=side, shares=shares, stock=stock, price=price,
    )  # fmt: skip


def gone(order: int, locate: int = 1) -> bytes:
    return itch.encode("D", stock_locate=locate, tracking_number=0, timestamp=1, order_reference_number=order)


def records(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(2) + message for message in messages)


def snapshot(sequence: int, *messages: bytes) -> Snapshot:
    return Snapshot("GLIMPSE", sequence, len(messages), records(*messages), 0, 0)


class Desk:
    """A delivery to ITCH books, in tests' words."""

    def __init__(self, *, start: int | None = 1, **options: Any) -> None:
        channel = Channel(FRAMINGS["moldudp64"], name="test", start=start, splice=Splice(), **options)
        self.feed = ItchFeed()
        self.feed.begin(start is not None)
        self.delivery = Delivery(channel, self.feed, heals=False)

    def send(self, sequence: int, *messages: bytes, now: int = 0, port: int = A) -> Any:
        return self.delivery.receive(moldudp64.encode(b"S000000001", sequence, messages), now, port)

    @property
    def states(self) -> list[BookState]:
        return [book.state for book in self.feed.books]

    def told(self) -> list[tuple[int, ...]]:
        """Give the states that were announced, and where the best bid moved to."""
        changes = self.feed.take()
        kinds = [change for change in changes if change["kind"] in (Kind.STATE, Kind.BBO)]
        return [(int(c["state"]),) if c["kind"] == Kind.STATE else (int(c["price"]), int(c["orders"])) for c in kinds]


def test_it_is_a_machine() -> None:
    assert isinstance(Desk().delivery, Machine)


def test_an_open_gap_makes_books_suspect_and_what_fills_it_makes_them_live_again() -> None:
    desk = Desk()
    desk.send(1, add(1, 100))
    desk.send(3, add(3, 300))
    assert desk.states == [LIVE]  # within the reorder window nothing has happened
    desk.delivery.wake(MS)
    assert desk.states == [SUSPECT]
    desk.feed.take()
    desk.send(2, add(2, 200), now=2 * MS, port=B)
    assert desk.told() == [(200, 1), (300, 1), (LIVE,)]  # trusted only when all of it has been applied
    assert desk.states == [LIVE]


def test_a_book_stays_suspect_while_another_gap_is_open() -> None:
    desk = Desk()
    desk.send(1, add(1, 100))
    desk.send(3, add(3, 300))
    desk.send(5, add(5, 500, locate=2, stock="MSFT"))
    desk.delivery.wake(MS)
    desk.send(2, add(2, 200), now=2 * MS)
    assert desk.states == [SUSPECT]
    desk.send(4, add(4, 400), now=3 * MS)
    assert desk.states == [LIVE, LIVE]


def test_a_book_that_opens_while_a_gap_is_open_is_suspect_till_it_closes() -> None:
    desk = Desk()
    desk.send(2, add(2, 200))
    desk.send(4, add(4, 400))
    desk.delivery.wake(MS)
    desk.send(1, add(1, 100, locate=2, stock="MSFT"), now=2 * MS)
    assert desk.states == [SUSPECT, SUSPECT]
    desk.send(3, add(3, 300), now=3 * MS)
    assert desk.states == [LIVE, LIVE]


def test_what_was_wrong_before_or_goes_wrong_meanwhile_is_not_trusted() -> None:
    desk = Desk()
    desk.send(1, add(1, 100), add(2, 100, locate=2, stock="MSFT"), gone(99, locate=2))
    desk.send(5, add(5, 100, locate=3, stock="INTC"))
    desk.delivery.wake(MS)
    desk.send(4, gone(77), now=2 * MS)  # an order that never was, of the first book
    assert desk.states == [SUSPECT, SUSPECT, LIVE]


def test_a_crossed_book_is_not_trusted() -> None:
    desk = Desk()
    desk.send(1, add(1, 100, "S"))
    desk.send(3, add(3, 50))
    desk.delivery.wake(MS)
    desk.send(2, add(2, 200), now=2 * MS)
    assert desk.states == [SUSPECT]
    assert desk.feed.statistics().refused == {"CROSSED": 1}


def test_a_gap_remembers_the_books_that_it_touched() -> None:
    desk = Desk()
    desk.send(1, add(1, 100), add(2, 100, locate=2, stock="MSFT"))
    desk.send(5, add(5, 100, locate=3, stock="INTC"))
    desk.delivery.wake(MS)
    desk.send(3, gone(2, locate=2), add(4, 150, locate=2, stock="MSFT"), now=2 * MS, port=B)
    assert desk.delivery.touched == {(3, 4): frozenset({1})}
    assert desk.delivery.instruments(3, 4) == ("MSFT",)


def test_of_a_lost_gap_nobody_knows_what_it_touched() -> None:
    desk = Desk(recovery_window_ns=10 * MS)
    desk.send(1, add(1, 100))
    desk.send(3, add(3, 100))
    desk.delivery.wake(MS)
    desk.delivery.wake(10 * MS)
    assert desk.delivery.touched == {(2, 2): None}
    assert desk.delivery.instruments(2, 2) is None
    assert desk.states == [SUSPECT]
    assert desk.delivery.wants_snapshot


# --- a snapshot of all books


def lossy(**options: Any) -> Desk:
    """Give a desk that has lost message 2, and has 3 and 4."""
    desk = Desk(recovery_window_ns=10 * MS, **options)
    desk.send(1, add(1, 100))
    desk.send(3, add(3, 300), add(4, 400, locate=2, stock="MSFT"))
    desk.delivery.wake(MS)
    desk.delivery.wake(10 * MS)
    desk.feed.take()
    return desk


def test_a_snapshot_and_what_came_after_it_make_every_book_live_at_once() -> None:
    desk = lossy()
    assert desk.states == [SUSPECT, SUSPECT]
    taken, _ = desk.delivery.adopt(snapshot(4, add(2, 200), add(3, 300)), 20 * MS)
    assert taken
    assert desk.states == [LIVE, LIVE]
    assert desk.feed.books[0].depth(0, 9) == [Level(300, 100, 1), Level(200, 100, 1)]
    assert desk.feed.books[1].bid == Level(400, 100, 1)
    assert (desk.delivery.channel.in_order, desk.delivery.wants_snapshot) == (True, False)
    assert desk.delivery.channel.statistics().gaps[0].by == "snapshot"
    assert desk.feed.by_type == {"A": 3}


def test_what_is_announced_of_a_snapshot_are_states_and_the_best_levels_not_every_order() -> None:
    desk = lossy()
    desk.delivery.adopt(snapshot(5, add(2, 200), add(3, 300), add(4, 400, locate=2, stock="MSFT")), 20 * MS)
    assert desk.told()[-4:] == [(300, 1), (400, 1), (LIVE,), (LIVE,)]


def test_a_snapshot_older_than_what_is_remembered_is_not_taken() -> None:
    desk = lossy()
    assert desk.delivery.adopt(snapshot(2, add(1, 100)), 20 * MS) == (False, [])
    assert desk.states == [SUSPECT, SUSPECT]


@pytest.mark.parametrize(
    "wrong",
    [
        snapshot(5, add(1, 100), add(1, 100)),
        snapshot(5, gone(1)),
        snapshot(5, add(1, 100)[:-1]),
        Snapshot("GLIMPSE", 5, 1, records(add(1, 100))[:-1], 0, 0),
        snapshot(0, add(1, 100)),
        snapshot(5 + AHEAD + 1, add(1, 100)),
        snapshot(10**19, add(1, 100)),
    ],
)
def test_a_snapshot_that_contradicts_itself_changes_nothing(wrong: Snapshot) -> None:
    desk = lossy()
    before = desk.feed.books[0].depth(0, 9)
    assert desk.delivery.adopt(wrong, 20 * MS) == (False, [])
    assert (desk.states, desk.feed.books[0].depth(0, 9)) == ([SUSPECT, SUSPECT], before)
    assert len(desk.feed.take()) == 0
    assert sum(desk.delivery.snapshots_refused.values()) == 1
    assert desk.delivery.wants_snapshot


def test_a_snapshot_ahead_of_the_stream_is_taken_and_what_it_holds_passed_over() -> None:
    desk = Desk(start=None)
    desk.send(50, add(1, 100))
    assert desk.states == [SYNCING]
    taken, _ = desk.delivery.adopt(snapshot(53, add(2, 200), add(3, 300)), 1)
    assert (taken, desk.states, desk.delivery.as_of) == (True, [LIVE], 52)
    assert (desk.delivery.channel.in_order, desk.delivery.in_order) == (True, False)  # no fast path may apply 51 and 52
    desk.send(51, add(2, 200), add(3, 300), add(4, 400))
    assert desk.feed.books[0].depth(0, 9) == [Level(400, 100, 1), Level(300, 100, 1), Level(200, 100, 1)]
    assert (desk.states, desk.delivery.as_of) == ([LIVE], 53)
    assert desk.delivery.in_order


def test_a_gap_that_a_snapshot_holds_is_waited_for_no_longer() -> None:
    desk = Desk()
    desk.send(1, add(1, 100))
    desk.send(4, add(4, 400))
    desk.delivery.wake(MS)
    assert desk.states == [SUSPECT]
    taken, _ = desk.delivery.adopt(snapshot(4, add(2, 200), add(3, 300)), 2 * MS)
    assert (taken, desk.states, desk.delivery.as_of) == (True, [LIVE], 4)
    assert desk.feed.books[0].bid == Level(400, 100, 1)
    assert desk.delivery.channel.statistics().gaps[0].by == "snapshot"


def test_a_gap_that_reaches_beyond_the_snapshot_keeps_books_in_doubt() -> None:
    desk = Desk()
    desk.send(1, add(1, 100))
    desk.send(6, add(6, 600))
    desk.delivery.wake(MS)
    assert desk.delivery.adopt(snapshot(4, add(3, 300)), 2 * MS)[0]
    assert desk.states == [SUSPECT]
    desk.send(4, add(4, 400), add(5, 500), now=3 * MS)
    assert desk.states == [LIVE]
    assert desk.feed.books[0].bid == Level(600, 100, 1)


def test_a_late_join_to_a_stream_that_is_quiet_wants_a_snapshot_at_the_first_heartbeat() -> None:
    desk = Desk(start=None)
    assert not desk.delivery.wants_snapshot
    desk.delivery.receive(moldudp64.encode_heartbeat(b"S000000001", 50), 0, A)
    assert desk.delivery.wants_snapshot
    taken, _ = desk.delivery.adopt(snapshot(50, add(1, 100)), 1)
    assert (taken, desk.states, desk.delivery.channel.in_order) == (True, [LIVE], True)


def test_a_book_that_was_refused_is_mended_by_the_next_snapshot() -> None:
    desk = Desk()
    desk.send(1, *[add(1, 100)] * 5)  # an order that rests already
    assert (desk.states, desk.delivery.wants_snapshot) == ([SUSPECT], False)
    desk.delivery.receive(moldudp64.encode_heartbeat(b"S000000001", 6), 4, A)
    assert desk.delivery.wants_snapshot
    desk.send(6, add(7, 700), now=5)
    assert desk.delivery.adopt(snapshot(6, add(1, 100), add(2, 200)), 6)[0]
    assert (desk.states, desk.feed.books[0].bid) == ([LIVE], Level(700, 100, 1))
    assert desk.delivery.channel.in_order


def test_a_new_session_needs_no_snapshot() -> None:
    desk = Desk()
    desk.send(1, add(1, 100))
    for port in (A, B):
        desk.delivery.receive(moldudp64.encode(b"S000000002", 1, [add(1, 100)]), LIVELY_NS, port)
    assert (desk.states, desk.delivery.wants_snapshot) == ([LIVE], False)
    assert desk.delivery.channel.in_order


def test_a_session_that_comes_back_is_not_whole_and_its_books_wait_for_a_snapshot() -> None:
    desk = Desk()
    desk.send(1, add(1, 100), add(2, 200))
    for now, port in ((S, A), (S, B)):
        desk.delivery.receive(moldudp64.encode(b"FORGED0001", 1, [add(9, 900)]), now, port)
    assert desk.delivery.channel.session == b"FORGED0001"
    desk.send(3, add(3, 150), now=4 * S)
    desk.send(3, add(3, 150), now=4 * S, port=B)
    assert (desk.delivery.channel.session, desk.delivery.channel.next_sequence) == (b"S000000001", 4)
    assert LIVE not in desk.states, "what rested before was forgotten"
    desk.delivery.receive(moldudp64.encode_heartbeat(b"S000000001", 4), 4 * S, A)
    assert desk.delivery.wants_snapshot
    assert desk.delivery.adopt(snapshot(4, add(1, 100), add(2, 200), add(3, 150)), 4 * S)[0]
    assert [book.bid for book in desk.feed.books if book.state is LIVE] == [Level(200, 100, 1)]
