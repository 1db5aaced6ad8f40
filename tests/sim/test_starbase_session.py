"""A simulated Starbase session: what it says is held against a plain reader of its messages."""

from collections import Counter
from functools import cache
from struct import unpack_from

import pytest

from netfeed.sim.starbase_packets import HEARTBEAT_NS, MTU_PAYLOAD
from netfeed.sim.starbase_session import Book, Session, Settings, simulate
from netfeed.wire import starbase
from tests.sim.starbase_reader import Orders, apply, flags, levels, queue, template

SETTINGS = Settings(1_200, 5, cycle_ns=1_000_000_000, pauses={700: 11_000_000_000})


@cache
def session() -> Session:
    return simulate(SETTINGS)


def read(messages: tuple[bytes, ...]) -> Orders:
    orders: Orders = {}
    for message in messages:
        apply(orders, message)
    return orders


def agree(orders: Orders, book: Book) -> None:
    assert book.bids == levels(orders, book.instrument_id, 0)
    assert book.asks == levels(orders, book.instrument_id, 1)
    assert list(book.bid_queue) == queue(orders, book.instrument_id, 0)
    assert list(book.ask_queue) == queue(orders, book.instrument_id, 1)


def test_a_seed_is_a_session() -> None:
    small = Settings(60, 5)
    assert simulate(small) == simulate(small)
    assert simulate(small).stream != simulate(Settings(60, 6)).stream


def test_the_books_at_the_end_are_those_of_the_messages() -> None:
    orders = read(session().stream)
    for book in session().books:
        agree(orders, book)
    assert len(orders) == sum(len(book.bid_queue) + len(book.ask_queue) for book in session().books) > 300


def test_a_snapshot_holds_the_book_as_of_its_sequence() -> None:
    orders: Orders = {}
    snapshots = [one for cycle in session().cycles for one in cycle.snapshots]
    done = 0
    for snapshot in sorted(snapshots, key=lambda one: one.sequence):
        for message in session().stream[done : snapshot.sequence]:
            apply(orders, message)
        done = snapshot.sequence
        agree(orders, snapshot.book)
        agree(read(session().snapshot_stream[snapshot.first - 1 : snapshot.last]), snapshot.book)
    assert len(snapshots) >= 22 * 10


def test_a_cycle_has_the_form_that_the_venue_describes() -> None:
    stream = session().snapshot_stream
    for cycle in session().cycles:
        first, last = cycle.snapshots[0].first, cycle.snapshots[-1].last
        assert [template(message) for message in stream[first - 3 : first - 1]] == [12, 12]
        assert template(stream[last]) == 119
        assert unpack_from("<i", stream[last], 16) == (22,)
        for one in cycle.snapshots:
            kinds = [template(message) for message in stream[one.first - 1 : one.last]]
            assert kinds[:3] == [100, 10, 14]
            assert kinds[-1] == 101
            assert set(kinds[3:-1]) <= {20, 21}
            assert unpack_from("<q", stream[one.first - 1], 32) == unpack_from("<q", stream[one.last - 1], 32)


def test_a_snapshot_never_falls_inside_a_transaction() -> None:
    for cycle in session().cycles:
        for one in cycle.snapshots:
            assert flags(session().stream[one.sequence - 1]) & 2


def test_numbers_follow_each_other_and_times_rise() -> None:
    for packets, stream in ((session().sent, session().stream), (session().snapshots, session().snapshot_stream)):
        found: list[memoryview] = []
        following, before = 1, 0
        for sent in packets:
            packet = starbase.decode_packet(sent.payload)
            assert (packet.seqNum, packet.sendingTime, sent.first) == (following, sent.at, following)
            assert sent.at > before
            assert len(sent.payload) <= MTU_PAYLOAD
            following, before = packet.next_sequence, sent.at
            assert following == sent.end
            found += packet.messages
        assert [bytes(message) for message in found] == list(stream)


def test_silence_has_heartbeats() -> None:
    pairs = list(zip(session().sent, session().sent[1:], strict=False))
    assert max(after.at - before.at for before, after in pairs) <= HEARTBEAT_NS
    beats = [sent for sent in session().sent if sent.first == sent.end]
    assert len(beats) == 2
    assert len(beats[0].payload) == 24


def test_transactions_are_closed_and_some_go_on_in_the_next_packet() -> None:
    inside = spanning = 0
    for sent in session().sent:
        spanning += inside
        for message in starbase.decode_packet(sent.payload).messages:
            assert flags(bytes(message)) & 1 == 1 - inside
            inside = 0 if flags(bytes(message)) & 2 else 1
    assert inside == 0
    assert spanning > 0


def test_books_cross_inside_transactions_and_never_at_their_end() -> None:
    orders: Orders = {}
    crossed = {0: 0, 2: 0}
    for message in session().stream:
        apply(orders, message)
        if 20 <= template(message) <= 25:
            (instrument,) = unpack_from("<q", message, 24)
            bids, asks = levels(orders, instrument, 0), levels(orders, instrument, 1)
            crossed[flags(message) & 2] += bool(bids and asks and bids[0][0] >= asks[0][0])
    assert crossed[2] == 0
    assert crossed[0] > 5


def test_trades_take_the_orders_that_are_first_by_price_and_sort_order() -> None:
    orders: Orders = {}
    summaries = trades = 0
    left: list[int] = []
    for message in session().stream:
        apply(orders, message)
        if template(message) == 30:
            assert not left
            instrument, _, total, deepest, _, _, count, taker = unpack_from("<qqqqqqiI", message, 16)
            makers = queue(orders, instrument, 1 - (taker & 1))
            left, summaries, filled = makers[:count], summaries + 1, 0
        elif template(message) == 31:
            _, instrument, maker, quantity, price, side = unpack_from("<qqqqqI", message, 16)
            assert maker == left.pop(0)
            assert orders[maker][1:3] == (side & 1, price)
            assert quantity <= orders[maker][3]
            filled, trades = filled + quantity, trades + 1
            assert left or (filled, price) == (total, deepest)
    assert not left
    assert trades > summaries > 50


def test_what_is_filled_is_what_the_makers_lose_in_the_same_transaction() -> None:
    orders: Orders = {}
    before: dict[int, int] = {}
    fills: Counter[int] = Counter()
    for message in session().stream:
        if flags(message) & 1:
            fills.clear()
            before = {id_: row[3] for id_, row in orders.items()}
        if template(message) == 31:
            maker, quantity = unpack_from("<qq", message, 32)
            fills[maker] += quantity
        apply(orders, message)
        if flags(message) & 2:
            for maker, quantity in fills.items():
                assert before[maker] - quantity == (orders[maker][3] if maker in orders else 0)


def test_arrival_says_nothing_about_priority() -> None:
    orders: Orders = {}
    overtaking = amends = 0
    for message in session().stream:
        if template(message) in (20, 21):
            order_id, instrument, _, price, sort = unpack_from("<qqqqq", message, 16)
            amends += order_id in orders
            rows = [row for row in orders.values() if row[:3] == (instrument, template(message) & 1, price)]
            overtaking += any(row[4] > sort for row in rows)
        apply(orders, message)
    assert overtaking > 5
    assert amends > 100
    assert len({row[4] for row in orders.values()}) == len(orders)


def test_every_message_of_the_lines_occurs_and_decodes() -> None:
    kinds = Counter(map(template, session().stream))
    assert set(kinds) == {10, 11, 12, 14, 15, 16, 20, 21, 22, 23, 24, 25, 30, 31, 33}
    assert kinds[10] == 22
    for message in (*session().stream, *session().snapshot_stream):
        starbase.decode(message)


@pytest.mark.parametrize("seed", range(8))
def test_any_seed_makes_sound_books(seed: int) -> None:
    made = simulate(Settings(150, seed))
    orders = read(made.stream)
    for book in made.books:
        agree(orders, book)
        assert not (book.bids and book.asks and book.bids[0][0] >= book.asks[0][0])
        assert all(row[0] > 0 and row[1] > 0 for row in book.bids + book.asks)
