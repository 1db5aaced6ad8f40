"""Deribit's multicast on books: a recording rebuilt with struct alone, then each rule of chain, gap and snapshot."""

import struct
from collections import Counter, defaultdict
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.change import NO_PRICE, Kind, Refusal
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.units import decimal_text
from netfeed.venues.deribit_multicast import DeribitMulticastFeed
from netfeed.wire import deribit
from tests.data import recording
from tests.wire.datagrams import datagrams

RECORDING = "deribit_multicast/sample_capture_v1_6.pcapng"
EVENTS, SNAPSHOTS = 2, 102
BID, ASK = deribit.BookSide.BID, deribit.BookSide.ASK


class Venue:
    """A feed under test, and short ways to say what comes on its channels."""

    def __init__(self, **options):
        self.feed = DeribitMulticastFeed(**options)
        self.sequence = Counter()

    def send(self, template, channel=EVENTS, **fields):
        self.raw(deribit.encode(template, **fields), channel)

    def raw(self, message, channel=EVENTS):
        self.sequence[channel] += 1
        self.feed.apply(message, self.sequence[channel], 5, channel)

    def define(self, number=7, tick=0.5, amount=10.0, name="BTC-PERPETUAL", **fields):
        blank = {"c": "", "f": 0.0, "u": 0}
        rows = deribit.SCHEMA.templates[1000].block.slots
        kinds = {row.name: "c" if row.codec.codes == "8s" else "u" for row in rows if not row.codec.nullable}
        known = {field: blank[kind] for field, kind in kinds.items()}
        own = {"instrumentId": number, "tickSize": tick, "minTradeAmount": amount, "contractSize": amount}
        self.send(1000, SNAPSHOTS, **{**known, **own, "instrumentName": name, **fields})

    def update(self, before, change, *levels, number=7, last=True, channel=EVENTS, message=None):
        rows = [
            {"side": side, "change": 2 if not amount else 0, "price": price, "amount": amount}
            for side, price, amount in levels
        ]
        fields = {"instrumentId": number, "timestampMs": 1000 + change, "prevChangeId": before, "changeId": change}
        self.send(1001, channel, **fields, isLast=last, changesList=rows)

    def snapshot(self, change, *levels, number=7, complete=True, last=True, cycle=True, channel=SNAPSHOTS):
        if cycle:
            self.send(1005, channel, snapshotDelay=200)
        rows = [{"side": side, "price": price, "amount": amount} for side, price, amount in levels]
        fields = {"instrumentId": number, "timestampMs": 1, "changeId": change, "isBookComplete": complete}
        self.send(1004, channel, **fields, isLastInBook=last, levelsList=rows)

    def gap(self, channel=EVENTS):
        first = self.sequence[channel] + 1
        self.sequence[channel] += 1
        self.feed.gap(first, first, 5, channel)

    @property
    def book(self):
        return self.feed.books[0]

    @property
    def state(self):
        return self.book.state

    def levels(self, index=0):
        return [(s, level.price, level.quantity) for s in Side for level in self.feed.books[index].depth(s, 99)]

    def changes(self, *kinds):
        rows = self.feed.changes.take()
        return [row for row in rows.copy() if not kinds or row["kind"] in kinds]


@pytest.fixture
def venue():
    one = Venue()
    one.define()
    return one


# --- the recording


def test_the_recording_gives_what_independent_readers_count():
    feed = DeribitMulticastFeed()
    for datagram in datagrams(recording(RECORDING)):
        packet = deribit.decode_packet(datagram.payload)
        for message in packet.messages:
            feed.apply(message, packet.channelSeq, datagram.ts_ns, packet.channelId)
    told = feed.statistics()
    assert feed.by_type == {
        "1003": 4211, "1008": 468, "1005": 60, "1006": 60, "1000": 194, "1010": 194, "1004": 197, "1001": 1064,
        "1002": 332,
    }  # fmt: skip
    assert (told.books, told.updates, told.chain_breaks, told.snapshots_equal) == (84, 1064, 0, 110)
    assert (told.snapshots_different, told.inexact, told.undefined, told.malformed, told.refused) == (0, 0, 0, 0, {})
    assert told.snapshots_equal + told.snapshots_taken == 194  # 197 messages, three snapshots came in two
    assert {book.state for book in feed.books} == {BookState.LIVE}


def _messages(payload):
    """Cut a packet into (template, body) with struct alone."""
    at = 8
    while at < len(payload):
        block, template, _, _, groups, texts = struct.unpack_from("<6H", payload, at)
        start = at + 12
        at = start + block
        for _ in range(groups):
            length, count = struct.unpack_from("<HH", payload, at)
            at += 8 + length * count
        for _ in range(texts):
            at += 1 + payload[at]
        yield template, block, payload[start:at]


def test_every_book_of_the_recording_is_what_struct_builds_and_110_snapshots_agree():
    truth, parts, seen = defaultdict(lambda: ({}, {})), defaultdict(lambda: ({}, {})), set()
    feed, index, compared, equal = DeribitMulticastFeed(), {}, 0, 0
    for datagram in datagrams(recording(RECORDING)):
        packet = deribit.decode_packet(datagram.payload)
        for message, (template, block, body) in zip(packet.messages, _messages(datagram.payload), strict=True):
            feed.apply(message, packet.channelSeq, datagram.ts_ns, packet.channelId)
            number = struct.unpack_from("<I", body)[0] if template in (1000, 1001, 1004) else 0
            if template == 1000:
                index.setdefault(number, len(index))
                assert feed.names[index[number]] == body[block + 1 :].decode()
            elif template == 1001:
                for side, change, price, amount in _rows("<BBdd", body, block):
                    truth[number][side].pop(price, None) if change == 2 else truth[number][side].update({price: amount})
            elif template == 1004:
                for side, price, amount in _rows("<Bdd", body, block):
                    parts[number][side][price] = amount
                if not body[21]:
                    continue
                snapshot = parts.pop(number, ({}, {}))
                equal += number in seen and snapshot == truth[number]
                truth[number] = snapshot
                seen.add(number)
            if template in (1001, 1004):
                compared += 1
                assert _plain(feed, index[number]) == _fractions(truth[number])
    assert (compared, equal, len(seen)) == (1064 + 194, 110, 84)


def _rows(layout, body, block):
    length, count = struct.unpack_from("<HH", body, block)
    return [struct.unpack_from(layout, body, block + 8 + length * row) for row in range(count)]


def _plain(feed, index):
    price_exponent, quantity_exponent = feed.exponents[index]
    return [
        {
            Fraction(decimal_text(level.price, price_exponent)): Fraction(
                decimal_text(level.quantity, quantity_exponent)
            )
            for level in feed.books[index].depth(side, 1000)
        }
        for side in Side
    ]


def _fractions(truth):
    return [
        {Fraction(repr(price)): Fraction(repr(amount)) for price, amount in truth[side].items()} for side in (BID, ASK)
    ]


# --- the rules


def test_a_definition_opens_a_book_whose_exponents_are_those_of_tick_and_amount():
    venue = Venue()
    venue.define(1, tick=0.0001, amount=0.01, name="A")
    venue.define(2, tick=0.5, amount=10.0, name="B")
    assert (venue.feed.names, venue.feed.exponents) == (["A", "B"], [(-4, -2), (-1, 0)])
    assert [book.state for book in venue.feed.books] == [BookState.EMPTY] * 2


def test_an_instrument_is_live_from_its_beginning_and_announced_at_is_last(venue):
    venue.update(0, 1, (BID, 100.5, 10.0), last=False)
    assert venue.state == BookState.LIVE
    assert not venue.changes(Kind.BBO)
    venue.update(0, 1, (ASK, 101.0, 20.0), (BID, 100.0, 30.0))
    rows = venue.changes(Kind.BBO)
    assert [(row["side"], row["price"], row["quantity"]) for row in rows] == [(0, 1005, 10), (1, 1010, 20)]
    assert {(row["sequence"], row["ts_event_ns"], row["ts_recv_ns"], row["channel"]) for row in rows} == {
        (2, 1001 * 10**6, 5, EVENTS)
    }
    venue.update(1, 4, (BID, 100.5, 0.0), (BID, 100.0, 0.0))
    assert [(row["side"], row["price"]) for row in venue.changes(Kind.BBO)] == [(0, NO_PRICE)]
    assert venue.levels() == [(1, 1010, 20)]


def test_a_broken_chain_is_suspect_until_a_snapshot_joins_what_was_held(venue):
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.update(3, 4, (BID, 99.0, 40.0))  # 2 and 3 are missing
    assert venue.state == BookState.SUSPECT
    venue.update(4, 5, (ASK, 105.0, 50.0))
    venue.snapshot(2, (BID, 98.0, 10.0))  # too old: what followed 2 is not held
    assert (venue.state, venue.feed.statistics().snapshots_passed) == (BookState.SUSPECT, 1)
    venue.snapshot(3, (BID, 98.0, 10.0), (ASK, 107.0, 10.0))
    assert venue.state == BookState.LIVE
    assert venue.levels() == [(0, 990, 40), (0, 980, 10), (1, 1050, 50), (1, 1070, 10)]
    venue.update(5, 6, (ASK, 105.0, 0.0))
    assert (venue.state, venue.feed.statistics().chain_breaks) == (BookState.LIVE, 1)


def test_a_gap_makes_suspect_what_it_can_have_touched_and_nothing_else(venue):
    venue.define(8, name="ETH-PERPETUAL")
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.update(0, 1, (BID, 50.0, 10.0), number=8, channel=3)
    venue.changes()
    venue.gap(channel=EVENTS)
    assert [book.state for book in venue.feed.books] == [BookState.SUSPECT, BookState.LIVE]
    rows = venue.changes()
    assert [(row["kind"], row["book"]) for row in rows] == [(Kind.GAP, 2**32 - 1), (Kind.STATE, 0)]
    assert (rows[0]["sequence"], rows[0]["reference"], rows[0]["channel"]) == (2, 2, EVENTS)


def test_a_book_that_a_gap_did_not_touch_is_live_again_with_its_next_update(venue):
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.gap()
    venue.update(1, 2, (BID, 100.0, 20.0))
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 1000, 20)])


def test_only_a_snapshot_of_a_cycle_after_the_gap_proves_a_silent_book(venue):
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.send(1005, SNAPSHOTS, snapshotDelay=200)
    venue.gap()
    venue.snapshot(1, (BID, 100.0, 10.0), cycle=False)  # it may have been made before what was lost
    assert venue.state == BookState.SUSPECT
    venue.snapshot(1, (BID, 100.0, 10.0))
    assert venue.state == BookState.LIVE


def test_a_gap_of_the_snapshot_channel_touches_no_book_but_drops_both_halves_of_a_snapshot(venue):
    venue.update(5, 6, (BID, 100.0, 10.0))
    venue.snapshot(6, (BID, 100.0, 10.0), last=False)
    venue.gap(SNAPSHOTS)
    venue.snapshot(6, (ASK, 101.0, 10.0), cycle=False)  # the rest of it, of whose beginning a part may be lost
    assert venue.state == BookState.SYNCING
    venue.snapshot(6, (BID, 100.0, 10.0), (ASK, 101.0, 10.0), cycle=False)
    assert venue.state == BookState.LIVE
    assert venue.levels() == [(0, 1000, 10), (1, 1010, 10)]


def test_a_book_known_by_its_snapshot_alone_is_concerned_by_every_channel_of_updates(venue):
    venue.snapshot(6, (BID, 100.0, 10.0))
    venue.feed.reset(SNAPSHOTS)
    venue.gap(SNAPSHOTS)
    assert venue.state == BookState.LIVE
    venue.gap(EVENTS)
    assert venue.state == BookState.SUSPECT


def test_a_late_join_is_syncing_and_live_with_a_snapshot(venue):
    venue.update(5, 6, (BID, 100.0, 10.0))
    assert venue.state == BookState.SYNCING
    venue.snapshot(6, (BID, 100.0, 10.0), last=False)
    assert venue.state == BookState.SYNCING
    venue.snapshot(6, (ASK, 101.0, 10.0), cycle=False)
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 1000, 10), (1, 1010, 10)])


def test_updates_that_a_snapshot_has_brought_already_are_passed_over(venue):
    venue.snapshot(9, (BID, 100.0, 10.0))
    venue.update(7, 8, (BID, 90.0, 10.0))
    venue.update(8, 9, (BID, 90.0, 0.0))
    venue.update(9, 12, (BID, 99.0, 10.0))
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 1000, 10), (0, 990, 10)])
    assert venue.feed.statistics().old_updates == 2


def test_a_snapshot_that_is_not_what_the_live_book_holds_is_refused_and_taken(venue):
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.snapshot(1, (BID, 100.0, 10.0))
    venue.changes()
    venue.snapshot(1, (BID, 100.5, 10.0))
    assert (venue.feed.statistics().snapshots_equal, venue.feed.statistics().snapshots_different) == (1, 1)
    assert [(row["kind"], row["state"]) for row in venue.changes()] == [
        (Kind.REFUSED, BookState.LIVE), (Kind.STATE, BookState.SUSPECT), (Kind.STATE, BookState.LIVE),
        (Kind.BBO, BookState.LIVE),
    ]  # fmt: skip
    assert venue.levels() == [(0, 1005, 10)]


def test_a_stale_book_is_proven_by_its_next_update_and_not_by_a_snapshot_while_its_lines_are_silent(venue):
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.feed.move(0, BookState.STALE)
    venue.snapshot(1, (BID, 100.0, 10.0))
    assert (venue.state, venue.feed.statistics().snapshots_equal) == (BookState.STALE, 1)
    venue.update(1, 2, (BID, 100.0, 20.0))
    assert venue.state == BookState.LIVE
    venue.feed.move(0, BookState.STALE)
    venue.gap()
    assert venue.state == BookState.SUSPECT


def test_a_snapshot_of_limited_depth_is_trusted_as_far_as_it_tells(venue):
    venue.snapshot(3, (BID, 100.0, 10.0), (BID, 99.0, 10.0), (ASK, 101.0, 10.0), complete=False)
    assert venue.state == BookState.LIVE
    venue.update(3, 4, (BID, 90.0, 10.0))
    venue.update(4, 5, (BID, 100.0, 0.0))
    assert venue.state == BookState.LIVE
    venue.update(5, 6, (BID, 99.0, 0.0))  # between 99 and 90 may stand what was never told
    assert venue.state == BookState.SUSPECT


@pytest.mark.parametrize(
    ("price", "amount"), [(100.25, 10.0), (100.0, 10.5), (float("nan"), 10.0), (float("inf"), 10.0), (1e300, 10.0)]
)
def test_a_double_that_is_no_integer_of_the_exponent_is_refused_not_rounded(venue, price, amount):
    venue.update(0, 1, (BID, 99.0, 10.0))
    venue.changes()
    venue.update(1, 2, (BID, price, amount))
    assert venue.state == BookState.SUSPECT
    assert [row["flags"] for row in venue.changes(Kind.REFUSED)] == [Refusal.BAD_VALUE]
    venue.update(2, 3, (BID, 98.0, 10.0))
    assert venue.state == BookState.SUSPECT  # a chain that goes on does not mend a level that was not taken
    venue.snapshot(3, (BID, 98.0, 10.0))
    assert venue.state == BookState.LIVE


def test_a_cross_at_the_end_of_an_update_is_refused_and_within_one_it_is_not(venue):
    venue.update(0, 1, (BID, 100.0, 10.0), (ASK, 101.0, 10.0))
    venue.update(1, 2, (BID, 101.0, 10.0), last=False)
    venue.update(1, 2, (ASK, 101.0, 0.0))
    assert venue.state == BookState.LIVE
    venue.update(2, 3, (ASK, 100.5, 10.0))
    assert (venue.state, venue.feed.statistics().refused) == (BookState.SUSPECT, {"CROSSED": 1})


def test_updates_before_the_definition_are_not_lost():
    venue = Venue()
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.update(1, 2, (ASK, 101.0, 10.0))
    venue.define()
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 1000, 10), (1, 1010, 10)])
    assert venue.feed.statistics().undefined == 2


def test_a_finer_definition_begins_the_book_anew(venue):
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.define(tick=0.5)
    assert venue.state == BookState.LIVE
    venue.define(tick=0.25)
    assert (venue.state, venue.levels(), venue.feed.exponents) == (BookState.EMPTY, [], [(-2, 0)])
    venue.snapshot(1, (BID, 100.25, 10.0))
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 10025, 10)])


def test_a_trade_is_announced_with_the_side_that_rested(venue):
    trade = {"price": 100.5, "amount": 20.0, "timestampMs": 9, "tradeSeq": 1, "tickDirection": 0, "liquidation": 1}
    venue.send(
        1002,
        instrumentId=7,
        tradesList=[{**trade, "direction": 0, "tradeId": 4}, {**trade, "direction": 1, "tradeId": 5}],
    )
    rows = venue.changes(Kind.TRADE)
    assert [(row["side"], row["price"], row["quantity"], row["reference"], row["flags"]) for row in rows] == [
        (Side.ASK, 1005, 20, 4, 1), (Side.BID, 1005, 20, 5, 1),
    ]  # fmt: skip
    assert rows[0]["ts_event_ns"] == 9 * 10**6


def test_a_reset_forgets_the_books_of_its_channel_only(venue):
    venue.define(8, name="ETH-PERPETUAL")
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.update(0, 1, (BID, 50.0, 10.0), number=8, channel=3)
    venue.feed.reset(EVENTS)
    assert [book.state for book in venue.feed.books] == [BookState.EMPTY, BookState.LIVE]
    venue.update(0, 1, (BID, 99.0, 10.0))
    assert (venue.state, venue.levels()) == (BookState.LIVE, [(0, 990, 10)])


def test_bytes_that_do_not_decode_concern_the_book_that_they_name(venue):
    venue.define(8, name="ETH-PERPETUAL")
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.update(0, 1, (BID, 50.0, 10.0), number=8)
    good = deribit.encode(1001, instrumentId=7, timestampMs=0, prevChangeId=1, changeId=2, isLast=1, changesList=[])
    venue.raw(good[:-1])
    assert [book.state for book in venue.feed.books] == [BookState.SUSPECT, BookState.LIVE]
    venue.raw(b"\x01")
    assert [book.state for book in venue.feed.books] == [BookState.SUSPECT, BookState.SUSPECT]
    assert (venue.feed.statistics().malformed, venue.feed.statistics().refused) == (2, {"BAD_LENGTH": 2})


def test_a_template_of_tomorrow_is_counted_and_disturbs_nothing(venue):
    venue.update(0, 1, (BID, 100.0, 10.0))
    venue.raw(struct.pack("<6H", 2, 2001, 1, 9, 0, 0) + b"ab")
    assert (venue.state, venue.feed.by_type["2001"], venue.feed.statistics().unknown_templates) == (
        BookState.LIVE,
        1,
        1,
    )


def test_the_number_of_books_is_bounded():
    venue = Venue(max_books=2)
    for number in range(5):
        venue.define(number, name=f"I{number}")
        venue.update(0, 1, (BID, 100.0, 10.0), number=number)
    assert len(venue.feed.books) == 2
    assert venue.feed.statistics().refused == {"FULL": 6}


# --- what must hold whatever is lost


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from((BID, ASK)), st.integers(1, 8), st.integers(0, 3)), max_size=60
    ),
    st.data(),
)
def test_a_live_book_is_the_venues_own_book_as_of_its_last_change(steps, data):
    venue, truth, ids = Venue(), defaultdict(dict), Counter()
    for number in range(3):
        venue.define(number, name=f"I{number}")
    for number, side, price, amount in steps:
        before, ids[number] = ids[number], ids[number] + 1 + price % 2
        price = float(price if side == BID else price + 10)
        if amount:
            truth[number][side, price] = float(amount * 10)
        else:
            truth[number].pop((side, price), None)
        if data.draw(st.integers(0, 4), "lost?"):
            venue.update(before, ids[number], (side, price, float(amount * 10)), number=number)
        else:
            venue.gap()
        if not data.draw(st.integers(0, 3), "snapshot?"):
            one = data.draw(st.integers(0, 2))
            rows = [(side, price, amount) for (side, price), amount in truth[one].items()]
            venue.snapshot(ids[one], *rows, number=one)
        for one in range(3):
            if venue.feed.books[one].state == BookState.LIVE:
                wanted = {(_SIDE[s], int(p * 10)): int(q) for (s, p), q in truth[one].items()}
                assert {(s, p): q for s, p, q in venue.levels(one)} == wanted


_SIDE = {BID: Side.BID, ASK: Side.ASK}


@given(st.lists(st.binary(max_size=120), max_size=20), st.sampled_from([1000, 1001, 1002, 1004, 1005, 1010]))
def test_no_bytes_raise(noise, template):
    venue = Venue()
    venue.define()
    venue.update(0, 1, (BID, 100.0, 10.0))
    block = deribit.SCHEMA.templates[template].block.size
    for data in noise:
        venue.raw(data)
        head = struct.pack("<6H", block, template, 1, 2, 1, 0)
        rows = struct.pack("<4H", max(1, len(data) % 40), 1, 0, 0)
        venue.raw(head + (struct.pack("<I", 7) + data).ljust(block, b"\0")[:block] + rows + data.ljust(40, b"\1"))
    venue.gap()
    told = venue.feed.statistics()
    assert told.messages == 2 + 2 * len(noise)
    assert len(venue.changes(Kind.REFUSED)) == sum(told.refused.values())
