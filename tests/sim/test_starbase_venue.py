"""The simulated Starbase venue: what it publishes is held against a plain reader, what it tells against both."""

from struct import unpack_from
from typing import Any

import pytest

from netfeed.book.digest import digest
from netfeed.errors import MisuseError
from netfeed.sim.faults import RATE
from netfeed.sim.gateway import Limits
from netfeed.sim.venue import DOWN_NS, Settings, starbase_venue
from netfeed.sim.venue_events import Answered, Malformed, Refused, SessionBegan, SessionEnded, Truth
from netfeed.wire import starbase
from netfeed.wire.starbase import PacketType, TemplateId
from tests.sim.starbase_reader import Orders, apply, flags, levels, template
from tests.sim.venue_driver import Driven

S = 10**9
SMALL = Settings(seed=3, rate=500, transactions=300, instruments=5, cycle_ns=S // 5)


def driven(**changes: Any) -> Driven:
    fields = {name: getattr(SMALL, name) for name in ("seed", "rate", "transactions", "instruments", "cycle_ns")}
    return Driven(starbase_venue(Settings(**(fields | changes))))


def messages(packets: list[bytes]) -> list[bytes]:
    """Give the messages of packets, which must follow each other."""
    found: list[bytes] = []
    for data in packets:
        packet = starbase.decode_packet(data)
        assert packet.seqNum == len(found) + 1
        found += [bytes(message) for message in packet.messages]
    return found


def request(first: int, count: int, correlation: int = 77) -> bytes:
    message = starbase.encode(TemplateId.RETRANSMIT_REQUEST, beginSeqNum=first, messageCount=count)
    return starbase.encode_packet(correlation, [message], type=0)


def agree(truth: Truth, orders: Orders, instrument: int) -> None:
    bids, asks = levels(orders, instrument, 0), levels(orders, instrument, 1)
    assert truth.bid == (bids[0] if bids else None)
    assert truth.ask == (asks[0] if asks else None)
    assert truth.digest == digest(bids, asks)


def test_every_truth_is_the_book_of_the_messages_so_far() -> None:
    run = driven().run_out()
    stream = messages(run.sent[0])
    ids = {starbase.decode(one)[1].name: starbase.decode(one)[1].instrumentId for one in stream if template(one) == 10}
    orders: Orders = {}
    done = 0
    truths = run.told(Truth)
    assert len(truths) > 300
    for truth in truths:
        assert truth.first <= truth.sequence
        for message in stream[done : truth.sequence]:
            apply(orders, message)
        done = truth.sequence
        assert flags(stream[done - 1]) & 2, "a truth is told at the end of a transaction only"
        agree(truth, orders, ids[truth.instrument])


def test_both_lines_carry_the_same_messages_even_in_other_packets() -> None:
    run = driven(payloads=(1472, 400)).run_out()
    assert messages(run.sent[0]) == messages(run.sent[1])
    assert len(run.sent[0]) < len(run.sent[1])
    assert max(map(len, run.sent[1])) <= 400
    same = driven().run_out()
    assert same.sent[0] == same.sent[1]


def test_a_seed_is_a_venue() -> None:
    assert driven().run_out().sent == driven().run_out().sent
    assert driven().run_out().sent[0] != driven(seed=4).run_out().sent[0]


def test_a_snapshot_is_the_book_as_of_its_sequence_and_comes_later() -> None:
    run = driven(lag_ns=30_000_000).run_out().run(2 * S)
    stream, copies = messages(run.sent[0]), messages(run.sent[2])
    assert run.sent[2] == run.sent[3]
    orders: Orders = {}
    taken: Orders = {}
    done = checked = 0
    for message in copies:
        if template(message) == TemplateId.SNAPSHOT_HEADER:
            (sequence,) = unpack_from("<q", message, 32)
            taken = {}
            for one in stream[done:sequence]:
                apply(orders, one)
            done = sequence
        apply(taken, message)
        if template(message) == TemplateId.SNAPSHOT_TRAILER:
            (instrument,) = unpack_from("<q", message, 16)
            mine = {id_: row for id_, row in orders.items() if row[0] == instrument}
            assert taken == mine
            checked += 1
    assert checked > 20
    assert sum(template(message) == TemplateId.END_OF_CYCLE for message in copies) > 5


def test_a_spoilt_snapshot_contradicts_itself() -> None:
    run = driven()
    assert run.venue.cycle is not None
    run.venue.cycle.spoilt = RATE
    copies = messages(run.run(S).sent[2])
    headers = [unpack_from("<q", one, 32) for one in copies if template(one) == TemplateId.SNAPSHOT_HEADER]
    trailers = [unpack_from("<q", one, 32) for one in copies if template(one) == TemplateId.SNAPSHOT_TRAILER]
    assert len(trailers) > 3
    assert all(header != trailer for header, trailer in zip(headers, trailers, strict=True))


def test_an_idle_venue_says_every_five_seconds_which_number_comes_next() -> None:
    run = driven(transactions=5).run(30 * S)
    beats = [starbase.decode_packet(data) for data in run.sent[0] if len(data) == 24]
    assert len(beats) in (5, 6)
    assert {beat.seqNum for beat in beats} == {run.venue.lines.next}


def test_what_is_asked_for_is_sent_again_in_packets_that_say_so() -> None:
    run = driven().run_out()
    stream = messages(run.sent[0])
    events, answer = run.ask(request(20, 90))
    assert events == [Answered(4, 20, 90)]
    packets = [starbase.decode_packet(data) for data in answer]
    assert [bytes(message) for packet in packets for message in packet.messages] == stream[19:109]
    assert {packet.type for packet in packets} == {PacketType.INCREMENTAL | PacketType.RETRANSMIT}
    assert packets[0].seqNum == 20
    assert run.venue.transmit(4) == []


def test_an_answer_may_hold_fewer_messages_than_were_asked_for() -> None:
    events, answer = driven(limits=Limits(packets=2)).run_out().ask(request(1, 255))
    assert len(answer) == 2
    assert events[0].count < 255


@pytest.mark.parametrize(
    ("first", "count", "reason"),
    [(1, 5, 1), (10**6, 5, 2), (300, 0, 4), (0, 1, 4), (-5, 1, 4)],
)
def test_what_cannot_be_sent_is_rejected_with_its_reason(first: int, count: int, reason: int) -> None:
    run = driven(retain=100).run_out()
    events, answer = run.ask(request(first, count, correlation=12_345))
    assert isinstance(events[0], Refused)
    packet = starbase.decode_packet(answer[0])
    assert (packet.seqNum, packet.type, len(answer)) == (12_345, 0, 1)
    header, body = starbase.decode(packet.messages[0])
    assert (header.templateId, body.reason) == (202, reason)


def test_too_many_requests_are_rejected_with_a_delay_after_which_they_are_honoured() -> None:
    run = driven(limits=Limits(rate=10, burst=3, retry_delay_ns=100_000_000)).run_out()
    kinds = [type(run.ask(request(1, 1))[0][0]) for _ in range(5)]
    assert kinds == [Answered] * 3 + [Refused] * 2
    _, body = starbase.decode(starbase.decode_packet(run.ask(request(1, 1))[1][0]).messages[0])
    assert (body.reason, body.retryDelayNanos) == (3, 100_000_000)
    run.now += body.retryDelayNanos
    assert isinstance(run.ask(request(1, 1))[0][0], Answered)


def test_every_gateway_has_limits_of_its_own_and_can_refuse() -> None:
    run = driven(gateways=2).run_out()
    run.venue.gateways[0].refusing = True
    assert isinstance(run.ask(request(1, 1), port=4)[0][0], Refused)
    assert isinstance(run.ask(request(1, 1), port=5)[0][0], Answered)
    assert run.ask(request(1, 1), port=6)[0] == [Malformed(6, "nobody listens there")]


def test_nonsense_is_no_request() -> None:
    run = driven().run_out()
    two = starbase.encode(TemplateId.RETRANSMIT_REQUEST, beginSeqNum=1, messageCount=1)
    for data in (b"", b"hello", run.sent[0][9], starbase.encode_packet(1, [two, two], type=0)):
        events, answer = run.ask(data)
        assert isinstance(events[0], Malformed)
        assert answer == []


def test_after_a_restart_the_count_begins_anew_and_the_orders_still_rest() -> None:
    run = driven(transactions=None).run(S)
    before = len(run.sent[0])
    run.venue.restart(run.now)
    assert run.ask(request(1, 1)) == ([Refused(4, 0, 0, "the venue is down")], [])
    run.run(S + DOWN_NS["starbase"] - 1)
    assert len(run.sent[0]) == before
    run.run(run.now + S)
    stream = messages(run.sent[0][before:])
    orders: Orders = {}
    for message in stream:
        apply(orders, message)
    last = [truth for truth in run.told(Truth) if truth.epoch == 2][-1]
    assert {event.epoch for event in run.told(SessionBegan)} == {1, 2}
    assert [event.epoch for event in run.told(SessionEnded)] == [1]
    for instrument in run.venue.floor.instruments:
        agree(run.venue.truth(instrument), orders, instrument)
    assert last.sequence <= len(stream)


def test_an_order_from_outside_is_matched_and_published() -> None:
    run = driven().run_out()
    floor: Any = run.venue.floor
    market = floor.market(1001)
    best = market.best(1)
    order_id, transaction = floor.enter(1001, 0, best, 10**9, run.venue.wall(run.now))
    run.venue.publish(transaction, run.now)
    run.run(run.now + 1)
    stream = messages(run.sent[0])
    orders: Orders = {}
    for message in stream:
        apply(orders, message)
    assert TemplateId.TRADE_SUMMARY in [template(message) for message in transaction.messages]
    assert orders[order_id][:3] == (1001, 0, best)
    assert market.best(0) == best < market.best(1)
    agree(run.told(Truth)[-1], orders, 1001)
    run.venue.publish(floor.cancel(1001, order_id, run.venue.wall(run.now)), run.now)
    assert floor.cancel(1001, order_id, 0).messages == []
    assert market.best(0) != best


def test_the_pace_can_be_changed_and_stopped() -> None:
    run = driven(transactions=None, rate=100).run(S)
    slow = run.venue.transactions
    run.venue.pace(1_000, run.now)
    fast = run.run(2 * S).venue.transactions - slow
    run.venue.pace(0, run.now)
    assert run.run(3 * S).venue.transactions == slow + fast
    assert fast > 4 * slow


def test_a_late_driver_makes_the_flow_late() -> None:
    venue = starbase_venue(Settings(rate=100_000, instruments=2, truth=False))
    venue.wake(0)
    venue.wake(2 * S)
    assert venue.transactions <= 4096
    assert venue.late_ns > S
    assert venue.deadline > 2 * S


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"gateways": 5}, {"payloads": (1472, 10)}, {"instruments": 0}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MisuseError):
        Settings(**wrong)
