"""IEX DEEP on books: a recording rebuilt with struct alone, the event flag, loss, restarts, hostile bytes."""

import struct
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.book.change import NO_SIDE, Kind
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.venues.iex import IexDeepFeed
from netfeed.wire import iex
from tests.data import recording
from tests.wire.datagrams import datagrams

RECORDING = "iex/go-iex_DEEP10.pcap.gz"


class Venue:
    """A feed under test, and short ways to say what comes."""

    def __init__(self, first=1, **options):
        self.feed = IexDeepFeed(**options)
        self.sequence = first - 1

    def raw(self, message, channel=0):
        self.sequence += 1
        self.feed.apply(message, self.sequence, 5, channel)

    def level(self, kind, price, size, symbol="ZIEXT", flags=1, channel=0):
        self.raw(iex.encode(kind, flags=flags, timestamp=1000, symbol=symbol, size=size, price=price), channel)

    @property
    def state(self):
        return self.feed.books[0].state

    def levels(self, index=0):
        return [(s, level.price, level.quantity) for s in Side for level in self.feed.books[index].depth(s, 99)]

    def changes(self, *kinds):
        return [row for row in self.feed.changes.take().copy() if not kinds or row["kind"] in kinds]


@pytest.fixture
def venue():
    return Venue()


def test_the_recording_gives_the_levels_that_struct_builds_through_all_restarts():
    feed, truth, expected, restarts, compared = IexDeepFeed(), defaultdict(dict), 1, 0, 0
    for datagram in datagrams(recording(RECORDING)):
        segment = iex.decode_segment(datagram.payload)
        if segment.first_message_sequence < expected:  # what the sequencer of the channel tells its owner
            feed.reset()
            truth.clear()
            restarts += 1
        expected = segment.first_message_sequence
        for message in segment.messages:
            feed.apply(message, expected, datagram.ts_ns)
            expected += 1
            if message[0] in b"85":
                symbol, size, price = struct.unpack_from("<8sIq", message, 10)
                level = (symbol.decode().rstrip(), Side.BID if message[0] == ord("8") else Side.ASK)
                truth[level].update({price: size}) if size else truth[level].pop(price, None)
                book = feed.books[feed.names.index(level[0])]
                assert book.quantity_at(level[1], price) == size
                assert book.levels(level[1]) == len(truth[level])
                compared += 1
    told = feed.statistics()
    assert feed.by_type == {
        "S": 44, "H": 93_638, "O": 93_638, "P": 93_636, "5": 14_627, "8": 12_941, "T": 83_343, "E": 59, "B": 73,
    }  # fmt: skip
    assert (told.messages, told.updates, told.transitions, told.trades, told.trade_breaks) == (
        391_999,
        27_568,
        1142,
        83_343,
        73,
    )
    assert (compared, restarts, told.resets, told.gaps, told.malformed) == (27_568, 11, 11, 0, 0)


def test_the_best_is_announced_only_where_the_event_is_complete(venue):
    venue.level("8", 990_500, 100, flags=0)
    venue.level("8", 990_600, 200, flags=0)
    assert venue.changes(Kind.BBO) == []
    venue.level("5", 990_700, 300)
    rows = venue.changes()
    assert [(row["kind"], row["side"], row["price"], row["quantity"]) for row in rows if row["kind"] == Kind.BBO] == [
        (Kind.BBO, Side.BID, 990_600, 200), (Kind.BBO, Side.ASK, 990_700, 300),
    ]  # fmt: skip
    assert {(row["sequence"], row["ts_event_ns"], row["ts_recv_ns"]) for row in rows[-2:]} == {(3, 1000, 5)}
    assert (venue.feed.names, venue.feed.exponents, venue.state) == (["ZIEXT"], [(-4, 0)], BookState.LIVE)


def test_a_size_of_zero_removes_the_level(venue):
    venue.level("8", 990_500, 100)
    venue.level("8", 990_500, 0)
    assert venue.levels() == []


def test_a_trade_is_announced_and_does_not_move_the_book(venue):
    venue.level("8", 990_500, 100)
    venue.changes()
    venue.raw(iex.encode("T", flags=0x40, timestamp=7, symbol="ZIEXT", size=50, price=990_500, trade_id=9))
    row = venue.changes()[0]
    assert (row["kind"], row["side"], row["price"], row["quantity"], row["reference"], row["flags"]) == (
        Kind.TRADE, NO_SIDE, 990_500, 50, 9, 0x40,
    )  # fmt: skip
    assert venue.levels() == [(0, 990_500, 100)]


def test_a_gap_makes_suspect_every_book_old_and_new_until_the_sender_counts_anew(venue):
    venue.level("8", 990_500, 100)
    other = iex.encode("8", flags=1, timestamp=1000, symbol="OTHER", size=100, price=10_000)
    venue.feed.apply(other, 1, 5, channel=2)
    venue.feed.gap(2, 5, 6)
    assert [book.state for book in venue.feed.books] == [BookState.SUSPECT, BookState.LIVE]
    venue.level("8", 5_000, 100, symbol="NEW")
    assert venue.feed.books[2].state == BookState.SUSPECT
    venue.feed.reset()
    assert (venue.state, venue.levels()) == (BookState.EMPTY, [])
    venue.sequence = 0
    venue.level("8", 990_500, 100)
    assert [book.state for book in venue.feed.books] == [BookState.LIVE, BookState.LIVE, BookState.EMPTY]


def test_a_late_join_is_a_loss():
    venue = Venue(first=2)
    venue.level("8", 990_500, 100)
    assert venue.state == BookState.SUSPECT


def test_a_crossed_book_is_suspect_for_as_long_as_the_venue_leaves_it_crossed(venue):
    venue.level("8", 990_500, 100)
    venue.level("5", 990_500, 100, flags=0)
    assert venue.state == BookState.LIVE
    venue.level("5", 990_400, 100)
    assert (venue.state, venue.feed.statistics().refused) == (BookState.SUSPECT, {"CROSSED": 1})
    venue.level("5", 990_400, 0)
    assert venue.state == BookState.SUSPECT
    venue.level("8", 990_500, 0)
    assert venue.state == BookState.LIVE


def test_a_cross_that_goes_does_not_mend_a_loss(venue):
    venue.level("8", 990_500, 100)
    venue.level("5", 990_400, 100)
    venue.feed.gap(3, 3, 6)
    venue.level("5", 990_400, 0)
    assert venue.state == BookState.SUSPECT


def test_unknown_types_are_counted_and_grown_messages_applied(venue):
    venue.level("8", 990_500, 100)
    venue.raw(b"z\0tomorrow")
    venue.raw(iex.encode("8", flags=1, timestamp=1, symbol="ZIEXT", size=7, price=990_600) + b"more")
    assert (venue.state, venue.levels()[0]) == (BookState.LIVE, (0, 990_600, 7))
    assert (venue.feed.by_type["z"], venue.feed.statistics().unknown_types) == (1, 1)


@pytest.mark.parametrize("spoiled", [b"", b"8", iex.encode("S", flags=1, timestamp=1)[:-1]])
def test_bytes_that_do_not_decode_can_have_touched_any_book(venue, spoiled):
    venue.level("8", 990_500, 100)
    venue.raw(spoiled)
    assert (venue.state, venue.feed.statistics().malformed) == (BookState.SUSPECT, 1)
    assert [row["kind"] for row in venue.changes()][-2:] == [Kind.REFUSED, Kind.STATE]


def test_the_number_of_books_is_bounded():
    venue = Venue(max_books=2)
    for number in range(5):
        venue.level("8", 100, 100, symbol=f"S{number}")
    assert len(venue.feed.books) == 2
    assert venue.feed.statistics().refused == {"FULL": 3}


@given(st.lists(st.tuples(st.sampled_from([*iex.LAYOUTS, "z"]), st.binary(max_size=90)), max_size=30))
def test_no_bytes_raise(messages):
    venue = Venue()
    for code, noise in messages:
        venue.raw(code.encode() + noise)
        venue.raw(noise)
    told = venue.feed.statistics()
    assert told.messages == 2 * len(messages)
    assert len(venue.changes(Kind.REFUSED)) == sum(told.refused.values())


def test_a_stale_book_is_suspect_after_a_loss(venue):
    venue.level("8", 100, 5)
    venue.feed.move(0, BookState.STALE)
    assert venue.changes(Kind.STATE)[-1]["state"] == BookState.STALE
    venue.feed.gap(2, 3, 5)
    assert venue.state == BookState.SUSPECT
