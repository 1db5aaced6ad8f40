"""CME on books: a recording rebuilt with struct alone, then each rule of level, event, RptSeq, gap and snapshot."""

import struct
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.change import NO_PRICE, NO_SIDE, Kind
from netfeed.book.level import Level, Side
from netfeed.book.state import BookState
from netfeed.venues.cme import CmeFeed
from netfeed.wire import cme
from netfeed.wire.cme import MDUpdateAction
from tests.data import recording
from tests.wire.datagrams import datagrams

RECORDING = "cme/Cme.Mdp3.Sbe.v6.1.pcap"
EVENTS, SNAPSHOTS = 1, 2
END = 0x80
NEW, CHANGE, DELETE, THRU, FROM, OVERLAY = MDUpdateAction


class Venue:
    """A feed under test, and short ways to say what comes on its channels. Prices are small integers."""

    def __init__(self, version=12, **options):
        self.feed = CmeFeed(**options)
        self.version = version
        self.packet = 0
        self.number = Counter()

    def send(self, template, channel=EVENTS, **fields):
        self.raw(cme.encode(template, version=self.version, **fields), channel)

    def raw(self, message, channel=EVENTS):
        self.packet += 1
        self.feed.apply(message, self.packet, 5, channel)

    def entry(self, action, kind, position, price=None, size=None, security=7, skip=0, number=None, orders=1):
        self.number[security] += 1 + skip
        return {
            "MDEntryPx": price, "MDEntrySize": size, "SecurityID": security, "RptSeq": number or self.number[security],
            "NumberOfOrders": orders, "MDPriceLevel": position, "MDUpdateAction": action, "MDEntryType": kind,
        }  # fmt: skip

    def book(self, *entries, indicator=END, channel=EVENTS):
        self.send(46, channel, TransactTime=1000 + self.packet, MatchEventIndicator=indicator, NoMDEntries=entries)

    def snapshot(self, number, *levels, security=7, last=None, status=17, template=52, channel=SNAPSHOTS):
        rows = [
            {
                "MDEntryPx": p,
                "MDEntrySize": q,
                "NumberOfOrders": 1,
                "MDPriceLevel": at,
                "MDEntryType": k,
                "SettlPriceType": 0,
            }
            for k, at, p, q in levels
        ]
        last = self.packet if last is None else last
        self.send(
            template, channel, LastMsgSeqNumProcessed=last, TotNumReports=1, SecurityID=security, RptSeq=number,
            TransactTime=1, LastUpdateTime=1, MDSecurityTradingStatus=status, NoMDEntries=rows,
        )  # fmt: skip

    def gap(self, channel=EVENTS):
        self.packet += 1
        self.feed.gap(self.packet, self.packet, 5, channel)

    @property
    def state(self):
        return self.feed.books[0].state

    def levels(self, index=0, books=None):
        book = (books or self.feed.books)[index]
        return [(s, level.price, level.quantity) for s in Side for level in book.depth(s, 99)]

    def changes(self, *kinds):
        return [row for row in self.feed.changes.take().copy() if not kinds or row["kind"] in kinds]


@pytest.fixture
def venue():
    return Venue()


# --- the recording


def _entries(payload):
    """Cut a packet into (template, indicator, entries as bytes), message by message, with struct alone."""
    at = 12
    while at < len(payload):
        size, block, template = struct.unpack_from("<HHH", payload, at)
        start, entries = at + 10 + block + 3, []
        if template != 12:  # a heartbeat; in all others the group of entries comes first
            length, count = struct.unpack_from("<HB", payload, at + 10 + block)
            entries = [payload[start + length * row : start + length * (row + 1)] for row in range(count)]
        yield template, 0 if template == 12 else payload[at + 10 + 8], entries
        at += size


def _replayed(feed):
    """Apply the recording's line A to a feed; give what struct reads of each message after it was applied."""
    for datagram in datagrams(recording(RECORDING)):
        if datagram.group == "224.0.31.64":
            packet = cme.decode_packet(datagram.payload)
            for message, read in zip(packet.messages, _entries(datagram.payload), strict=True):
                feed.apply(message, packet.MsgSeqNum, datagram.ts_ns)
                yield read


# Where the security and its RptSeq stand in an entry of each template.
WHERE = {32: 12, 35: 8, 37: 4, 42: 12}


def test_the_recording_gives_the_books_that_struct_builds_at_the_end_of_every_event():
    rungs, touched, feed, numbers = defaultdict(list), set(), CmeFeed(), {}
    events = entries = breaks = 0
    for template, indicator, rows in _replayed(feed):
        for row in rows:
            security, number = struct.unpack_from("<iI", row, WHERE[template])
            breaks += number != numbers.get(security, number - 1) + 1
            numbers[security] = number
            entries += 1
            if template == 32 and row[26:27] in b"01":
                _move(rungs[security, row[26] - 48], row)
                touched.add(security)
        if indicator & END:
            events += 1
            for security in touched:
                book = feed.books[feed.names.index(str(security))]
                for side in Side:
                    assert book.depth(side, 20) == [rung for rung in rungs[security, side] if rung]
            touched.clear()
    told = feed.statistics()
    assert (entries, breaks, len(numbers)) == (15_731, 0, 127)
    assert (told.entries, told.rpt_seq_breaks, told.books, told.events) == (15_731, 0, 127, events)
    assert feed.by_type == {"32": 9569, "35": 307, "42": 194, "37": 194, "12": 9}
    assert feed.exponents == [(-7, 0)] * 127
    assert {book.state for book in feed.books} == {BookState.SYNCING}  # it begins in mid-week, without snapshots
    assert told.refused == {}


def _move(rungs, row):
    price, size, orders = struct.unpack_from("<qi8xi", row)
    at, action = row[24] - 1, row[25]
    rungs += [None] * (at - len(rungs) + (action == 1))
    if action == 0:
        rungs.insert(at, Level(price, size, orders))
        del rungs[10:]
    elif action == 1:
        rungs[at] = Level(price, size, orders)
    else:
        del rungs[at : at + 1]


def test_the_recordings_trades_are_announced_with_the_side_that_rested():
    feed = CmeFeed()
    read = [row for template, _, rows in _replayed(feed) for row in rows if template == 42]
    wanted = [(*struct.unpack_from("<qii", row), {0: NO_SIDE, 1: Side.ASK, 2: Side.BID}[row[24]]) for row in read]
    trades = [row for row in feed.changes.take() if row["kind"] == Kind.TRADE]
    told = [(row["price"], row["quantity"], int(feed.names[row["book"]]), row["side"]) for row in trades]
    assert len(wanted) == 355
    assert told == wanted


# --- levels and events


def test_levels_move_by_position_and_are_announced_at_the_end_of_the_event(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5), venue.entry(NEW, "1", 1, 102, 6), indicator=4)
    assert venue.state == BookState.LIVE  # RptSeq began with 1
    assert venue.changes(Kind.BBO) == []
    venue.book(venue.entry(NEW, "0", 1, 101, 7), venue.entry(NEW, "0", 3, 99, 8))
    assert venue.levels() == [(0, 101, 7), (0, 100, 5), (0, 99, 8), (1, 102, 6)]
    rows = venue.changes(Kind.BBO)
    assert [(row["side"], row["price"], row["quantity"], row["orders"]) for row in rows] == [
        (0, 101, 7, 1),
        (1, 102, 6, 1),
    ]
    assert {(row["sequence"], row["ts_event_ns"], row["ts_recv_ns"]) for row in rows} == {(2, 1001, 5)}
    venue.book(venue.entry(DELETE, "0", 1, 101), venue.entry(CHANGE, "0", 2, 99, 9))
    assert venue.levels() == [(0, 100, 5), (0, 99, 9), (1, 102, 6)]
    venue.book(venue.entry(DELETE, "0", 1), venue.entry(DELETE, "0", 1))
    assert venue.changes(Kind.BBO)[-1]["price"] == NO_PRICE


def test_an_event_ends_without_entries_of_its_own(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5), indicator=4)
    venue.book()
    assert [row["price"] for row in venue.changes(Kind.BBO)] == [100]


def test_events_of_two_channels_do_not_end_each_other(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5), indicator=4)
    venue.book(venue.entry(NEW, "0", 1, 50, 5, security=8), channel=9)
    assert [venue.levels(0), venue.levels(1)] == [[], [(0, 50, 5)]]


def test_what_leaves_the_depth_is_gone(venue):
    venue.send(54, **_definition(depth=3))
    venue.book(*[venue.entry(NEW, "1", at, 100 + at, 1) for at in (1, 2, 3)])
    venue.book(venue.entry(NEW, "1", 1, 100, 9))
    assert [price for _, price, _ in venue.levels()] == [100, 101, 102]
    assert (venue.feed.names, venue.state) == (["ESZ6"], BookState.LIVE)


def _definition(depth=10, **fields):
    slots = [slot for slot in cme.SCHEMA.templates[54].block.slots if not slot.codec.nullable]
    known = {slot.name: "" if slot.codec.codes.endswith("s") else 0 for slot in slots}
    known |= {"MaturityMonthYear": (2016, 12, None, None), "Symbol": "ESZ6", "SecurityID": 7, "SecurityGroup": "ES"}
    return {
        **known,
        "NoMDFeedTypes": [{"MDFeedType": "GBX", "MarketDepth": depth}, {"MDFeedType": "???", "MarketDepth": 1}],
        **fields,
    }


@pytest.mark.parametrize(("action", "position", "left"), [
    (THRU, 2, [98, 97]), (THRU, 4, []), (FROM, 2, [100]), (FROM, 1, []), (DELETE, 2, [100, 98, 97]),
    (OVERLAY, 2, [100, 99, 98, 97]),
])  # fmt: skip
def test_each_action_does_to_the_levels_what_its_name_says(venue, action, position, left):
    venue.book(*[venue.entry(NEW, "0", at, 101 - at, at) for at in (1, 2, 3, 4)])
    venue.book(venue.entry(action, "0", position, 99, 77))
    assert [price for _, price, _ in venue.levels()] == left
    assert (0, 99, 77) in venue.levels() or action != OVERLAY
    assert venue.state == BookState.LIVE


def test_implied_levels_are_kept_apart(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5), venue.entry(NEW, "E", 1, 103, 1), venue.entry(NEW, "F", 1, 99, 2))
    assert venue.levels() == [(0, 100, 5)]
    assert venue.levels(books=venue.feed.implied) == [(0, 103, 1), (1, 99, 2)]
    assert [row["price"] for row in venue.changes(Kind.BBO)] == [100]


@pytest.mark.parametrize("wrong", [
    [(NEW, "0", 5, 90, 1)],                      # leaves holes
    [(NEW, "0", 0, 90, 1)],                      # positions begin with 1
    [(NEW, "0", 2, 100, 1)],                     # a price twice
    [(NEW, "0", 1, 99, 1)],                      # the best is not the best
    [(CHANGE, "0", 1, 99, 1)],                   # another price at the position
    [(DELETE, "0", 2, 90, None)],                # nothing is there
    [(DELETE, "0", 1, 90, None)],                # another price is there
    [(NEW, "0", 2, None, 1)], [(NEW, "0", 2, 90, None)], [(NEW, "0", 2, 90, -1)], [(6, "0", 1, 100, 1)],
])  # fmt: skip
def test_an_entry_that_makes_no_sense_for_a_complete_book_is_refused(venue, wrong):
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    venue.changes()
    venue.book(*[venue.entry(*fields) for fields in wrong])
    assert venue.state == BookState.SUSPECT
    assert [row["kind"] for row in venue.changes(Kind.REFUSED, Kind.STATE)] == [Kind.REFUSED, Kind.STATE]
    venue.book(venue.entry(CHANGE, "1", 9, 200, 1))
    assert venue.state == BookState.SUSPECT
    venue.snapshot(venue.number[7], ("0", 1, 100, 4))
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 100, 4)])


def test_a_cross_is_wrong_only_while_the_instrument_trades(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5), venue.entry(NEW, "1", 1, 99, 5))
    assert venue.state == BookState.LIVE
    status = {
        "TransactTime": 1,
        "SecurityGroup": "ES",
        "Asset": "ES",
        "SecurityID": 7,
        "MatchEventIndicator": END,
        "HaltReason": 0,
    }
    venue.send(30, **status, SecurityTradingStatus=17, SecurityTradingEvent=0)
    venue.book(venue.entry(CHANGE, "1", 1, 99, 6))
    assert (venue.state, venue.feed.statistics().refused) == (BookState.SUSPECT, {"CROSSED": 1})


def test_a_status_of_a_group_is_that_of_its_members(venue):
    venue.send(54, **_definition())
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    status = {"TransactTime": 1, "SecurityGroup": "ES", "Asset": "ES", "MatchEventIndicator": END, "HaltReason": 0}
    venue.send(30, **status, SecurityTradingStatus=17, SecurityTradingEvent=0)
    venue.book(venue.entry(NEW, "1", 1, 99, 6))
    assert venue.state == BookState.SUSPECT


# --- loss and snapshots


def test_a_jump_of_rpt_seq_is_suspect_until_a_snapshot_joins_what_was_held(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    venue.book(venue.entry(NEW, "0", 2, 98, 5, skip=2))  # 2 and 3 are missing, this is 4
    assert (venue.state, venue.feed.statistics().rpt_seq_breaks) == (BookState.SUSPECT, 1)
    venue.book(venue.entry(CHANGE, "0", 2, 98, 6))
    venue.snapshot(2, ("0", 1, 101, 5))
    assert venue.state == BookState.SUSPECT
    venue.snapshot(3, ("0", 1, 101, 5), ("1", 1, 105, 1), ("6", None, 99, 1))
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 101, 5), (0, 98, 6), (1, 105, 1)])
    venue.book(venue.entry(NEW, "0", 2, 99, 7))
    assert (venue.state, len(venue.levels())) == (BookState.LIVE, 4)


def test_statistics_and_trades_take_numbers_of_the_same_chain(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    event = {"TransactTime": 1, "MatchEventIndicator": END}
    venue.send(37, **event, NoMDEntries=[{"MDEntrySize": 1, "SecurityID": 7, "RptSeq": 2, "MDUpdateAction": 0}])
    fields = {"MDEntryPx": 100, "MDEntrySize": 3, "SecurityID": 7, "AggressorSide": 2, "MDTradeEntryID": 44}
    venue.send(
        48,
        **event,
        NoMDEntries=[{**fields, "RptSeq": 3, "MDUpdateAction": 0}, {**fields, "RptSeq": 4, "MDUpdateAction": 2}],
    )
    venue.number[7] = 4
    venue.book(venue.entry(CHANGE, "0", 1, 100, 2))
    assert (venue.state, venue.feed.statistics().rpt_seq_breaks) == (BookState.LIVE, 0)
    rows = venue.changes(Kind.TRADE)
    assert [(row["side"], row["price"], row["quantity"], row["reference"]) for row in rows] == [(Side.BID, 100, 3, 44)]
    assert (venue.feed.statistics().trades, venue.levels()) == (1, [(0, 100, 2)])


def test_a_gap_makes_suspect_the_books_of_its_channel_until_their_chain_goes_on(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5), venue.entry(NEW, "0", 1, 50, 5, security=8))
    venue.book(venue.entry(NEW, "0", 1, 20, 5, security=9), channel=4)
    venue.gap()
    assert [book.state for book in venue.feed.books] == [BookState.SUSPECT, BookState.SUSPECT, BookState.LIVE]
    venue.book(venue.entry(CHANGE, "0", 1, 100, 6), venue.entry(CHANGE, "0", 1, 50, 6, security=8, skip=1))
    assert [book.state for book in venue.feed.books] == [BookState.LIVE, BookState.SUSPECT, BookState.LIVE]


def test_a_snapshot_made_before_the_lost_packet_proves_nothing(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    venue.gap()
    venue.snapshot(1, ("0", 1, 100, 5), last=1)
    assert (venue.state, venue.feed.statistics().snapshots_passed) == (BookState.SUSPECT, 1)
    venue.snapshot(1, ("0", 1, 100, 5), last=2)
    assert venue.state == BookState.LIVE


def test_a_gap_of_the_snapshot_channel_touches_no_book(venue):
    venue.snapshot(5, ("0", 1, 100, 5))
    venue.gap(SNAPSHOTS)
    assert venue.state == BookState.LIVE
    venue.gap(EVENTS)  # where its entries would come is not known yet: it can have been touched
    assert venue.state == BookState.SUSPECT


def test_a_channel_of_entries_and_snapshots_together_can_have_lost_entries(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    venue.snapshot(5, ("0", 1, 50, 5), security=8, channel=EVENTS)
    venue.gap(EVENTS)
    assert [book.state for book in venue.feed.books] == [BookState.SUSPECT, BookState.SUSPECT]


def test_a_snapshot_channel_that_counts_anew_resets_no_book(venue):
    venue.snapshot(5, ("0", 1, 100, 5))
    venue.feed.reset(SNAPSHOTS)
    assert venue.state == BookState.LIVE


def test_a_late_join_is_syncing_and_old_entries_are_passed_over(venue):
    venue.number[7] = 10
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    assert venue.state == BookState.SYNCING
    venue.snapshot(13, ("0", 1, 101, 5), template=38)
    venue.book(venue.entry(DELETE, "0", 1, 100), venue.entry(NEW, "0", 1, 101, 5))  # 12 and 13
    venue.book(venue.entry(CHANGE, "0", 1, 101, 9))
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 101, 9)])
    assert venue.feed.statistics().old_entries == 2


def test_a_snapshot_of_a_live_book_is_compared(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    venue.snapshot(1, ("0", 1, 100, 5))
    venue.snapshot(1, ("0", 1, 99, 5))
    told = venue.feed.statistics()
    assert (told.snapshots_equal, told.snapshots_different, told.refused) == (1, 1, {"BAD_VALUE": 1})
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 99, 5)])


def test_a_stale_book_is_proven_by_its_next_entry_and_not_by_a_snapshot_while_its_lines_are_silent(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    venue.feed.move(0, BookState.STALE)
    venue.snapshot(1, ("0", 1, 100, 5))
    assert (venue.state, venue.feed.statistics().snapshots_equal) == (BookState.STALE, 1)
    venue.book(venue.entry(CHANGE, "0", 1, 100, 6))
    assert venue.state == BookState.LIVE
    venue.feed.move(0, BookState.STALE)
    venue.gap()
    assert venue.state == BookState.SUSPECT


def test_a_snapshot_that_is_no_book_is_refused(venue):
    venue.snapshot(5, ("0", 1, 100, 5), ("0", 2, 101, 5))
    venue.snapshot(5, ("0", 2, 100, 5))
    venue.snapshot(5, ("0", 1, None, 5))
    assert (venue.state, venue.feed.statistics().refused) == (BookState.EMPTY, {"BAD_VALUE": 3})


def test_resets_empty_a_book_or_all_of_a_channel(venue):
    venue.number[7] = 10
    venue.book(venue.entry(NEW, "0", 1, 100, 5), venue.entry(NEW, "E", 1, 100, 5))
    venue.book(venue.entry(NEW, "J", 0))
    assert (venue.state, venue.levels(), venue.levels(books=venue.feed.implied)) == (BookState.LIVE, [], [])
    venue.book(venue.entry(NEW, "0", 1, 98, 5), venue.entry(NEW, "0", 1, 50, 5, security=8))
    venue.book(venue.entry(NEW, "0", 1, 20, 5, security=9), channel=4)
    venue.send(4, TransactTime=1, MatchEventIndicator=END, NoMDEntries=[{"ApplID": 1}])
    assert [book.state for book in venue.feed.books] == [BookState.EMPTY, BookState.EMPTY, BookState.LIVE]
    venue.number.clear()
    venue.book(venue.entry(NEW, "0", 1, 97, 5))
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 97, 5)])


def test_bytes_that_do_not_decode_can_have_touched_any_book_of_the_channel(venue):
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    venue.raw(cme.encode(46, TransactTime=1, MatchEventIndicator=0)[:-1])
    assert (venue.state, venue.feed.statistics().malformed) == (BookState.SUSPECT, 1)
    venue.book(venue.entry(CHANGE, "0", 1, 100, 6))
    assert venue.state == BookState.LIVE
    venue.raw(struct.pack("<4H", 0, 64, 1, 13))
    assert (venue.state, venue.feed.by_type["64"]) == (BookState.LIVE, 1)


def test_the_number_of_books_is_bounded():
    venue = Venue(max_books=2)
    for security in range(5):
        venue.book(venue.entry(NEW, "0", 1, 100, 5, security=security))
    assert (len(venue.feed.books), len(venue.feed.implied)) == (2, 2)
    assert venue.feed.statistics().refused == {"FULL": 3}


# --- what must hold whatever is lost


class Market:
    """The exchange's side of market by price: all prices of a side, and entries for the best of them as they change."""

    def __init__(self, depth=3):
        self.all, self.depth = {}, depth

    def top(self):
        return [(price, self.all[price]) for price in sorted(self.all, reverse=True)[: self.depth]]

    def set(self, price, size):
        before = self.top()
        self.all.pop(price, None)
        if size:
            self.all[price] = size
        after, entries = self.top(), []
        for at, (old, _) in reversed(list(enumerate(before, 1))):
            if old not in dict(after) and not (len(after) == self.depth and old in self.all):
                entries.append((DELETE, at, old, None))
        for at, (new, amount) in enumerate(after, 1):
            if new not in dict(before):
                entries.append((NEW, at, new, amount))
            elif dict(before)[new] != amount:
                entries.append((CHANGE, at, new, amount))
        return entries


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(0, 3)), max_size=60), st.data())
def test_a_live_book_is_the_venues_own_book(steps, data):
    venue, markets = Venue(), defaultdict(Market)
    for security in range(3):
        venue.send(54, **_definition(depth=3, SecurityID=security, Symbol=f"S{security}"))
    for security, price, size in steps:
        entries = [
            venue.entry(action, "0", at, p, q, security=security)
            for action, at, p, q in markets[security].set(price, size)
        ]
        if data.draw(st.integers(0, 4), "lost?"):
            venue.book(*entries)
        else:
            venue.gap()
        if not data.draw(st.integers(0, 3), "snapshot?"):
            one = data.draw(st.integers(0, 2))
            levels = [("0", at, *level) for at, level in enumerate(markets[one].top(), 1)]
            venue.snapshot(venue.number[one], *levels, security=one)
        for one in range(3):
            if venue.feed.books[one].state == BookState.LIVE:
                assert [level[1:] for level in venue.levels(one)] == markets[one].top()


# --- natural refresh


@pytest.fixture
def refreshing():
    one = Venue(natural_refresh=True)
    one.send(54, **_definition(depth=2))
    return one


def _both_sides(venue):
    venue.book(
        *(venue.entry(NEW, kind, at, price, 5) for kind, at, price in (("0", 1, 100), ("0", 2, 99), ("1", 1, 101)))
    )


def test_a_book_is_right_again_once_every_position_was_told(refreshing):
    _both_sides(refreshing)
    refreshing.number[7] += 1  # one is lost
    refreshing.book(refreshing.entry(OVERLAY, "0", 1, 98, 1), refreshing.entry(OVERLAY, "0", 2, 97, 2))
    refreshing.book(refreshing.entry(NEW, "1", 1, 99, 3))
    assert refreshing.state == BookState.SUSPECT, "the second offer may be anything"
    refreshing.book(refreshing.entry(DELETE, "1", 2, None, None))
    assert refreshing.state == BookState.LIVE
    assert refreshing.levels() == [(0, 98, 1), (0, 97, 2), (1, 99, 3)]
    assert refreshing.feed.statistics().refreshed == 1


def test_a_late_join_becomes_live_by_what_is_told(refreshing):
    refreshing.number[7] = 50
    for kind, price in (("0", 100), ("0", 101), ("1", 103), ("1", 102)):
        assert refreshing.state != BookState.LIVE
        refreshing.book(refreshing.entry(NEW, kind, 1, price, 5))
    assert (refreshing.state, len(refreshing.levels())) == (BookState.LIVE, 4)


def test_another_loss_begins_the_refresh_anew_and_one_of_other_instruments_does_not(refreshing):
    _both_sides(refreshing)
    refreshing.number[7] += 1
    refreshing.book(refreshing.entry(DELETE, "0", 1), refreshing.entry(DELETE, "0", 1), refreshing.entry(THRU, "1", 1))
    refreshing.gap()
    refreshing.book(refreshing.entry(FROM, "1", 1))
    assert refreshing.state == BookState.LIVE, "its chain went on: nothing of it was lost"
    for skip in (1, 0):
        refreshing.book(refreshing.entry(FROM, "1", 1, skip=skip))
        assert refreshing.state == BookState.SUSPECT


@pytest.mark.parametrize("options", [{}, {"natural_refresh": True}])
def test_without_the_option_or_a_depth_only_a_snapshot_heals(options):
    venue = Venue(**options)
    if not options:
        venue.send(54, **_definition(depth=1))
    venue.number[7] = 5
    for kind, price in (("0", 100), ("1", 101)):
        venue.book(
            *(venue.entry(OVERLAY, kind, at, price - at if kind == "0" else price + at, 5) for at in range(1, 11))
        )
    assert (venue.state, venue.feed.statistics().refreshed) == (BookState.SYNCING, 0)
    assert Venue(natural_refresh=True).feed.natural_refresh


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5), st.integers(0, 3)), max_size=80), st.data())
def test_a_refreshed_book_is_the_venues_own_book(steps, data):
    venue, bids, asks = Venue(natural_refresh=True), Market(depth=2), Market(depth=2)
    venue.send(54, **_definition(depth=2))
    for bid, price, size in steps:
        kind, market = ("0", bids) if bid else ("1", asks)
        told = market.set(price if bid else -price - 10, size)
        entries = [venue.entry(action, kind, at, p if bid else -p, q) for action, at, p, q in told]
        if data.draw(st.integers(0, 9), "lost?"):
            venue.book(*entries)
        else:
            venue.gap()
        if venue.feed.books and venue.state == BookState.LIVE:
            own = [(0, *level) for level in bids.top()] + [(1, -price, size) for price, size in asks.top()]
            assert venue.levels() == own


@given(
    st.lists(st.binary(max_size=120), max_size=20),
    st.sampled_from([4, 30, 32, 35, 38, 42, 46, 48, 52, 54]),
    st.integers(0, 255),
)
def test_no_bytes_raise(noise, template, count):
    venue = Venue(natural_refresh=bool(count % 2))
    venue.book(venue.entry(NEW, "0", 1, 100, 5))
    spec = cme.SCHEMA.templates[template]
    for data in noise:
        venue.raw(data)
        message = (
            struct.pack("<4H", spec.block.size, template, 1, 12) + data.ljust(spec.block.size, b"\7")[: spec.block.size]
        )
        for group in spec.groups:
            size = group.body.block.size
            dims = struct.pack("<H", size) + (bytes([count % 4]) if group.dimension.size == 3 else bytes(5) + b"\0")
            message += dims + (data * (size * 4 + 1))[: size * (count % 4)].ljust(size * (count % 4), b"\1") * (
                group.dimension.size == 3
            )
        venue.raw(message)
    venue.gap()
    told = venue.feed.statistics()
    assert told.messages == 1 + 2 * len(noise)
    assert len(venue.changes(Kind.REFUSED)) == sum(told.refused.values())
