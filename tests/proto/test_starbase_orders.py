"""Starbase order sessions: logging on, numbers in both directions, what is missing, and that nothing is sent twice."""

from dataclasses import replace
from typing import Any

import pytest

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Down,
    Filled,
    Flag,
    Freed,
    List,
    MassQuote,
    New,
    Quote,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    TimeInForce,
    Tripped,
    Up,
)
from netfeed.book.level import Side
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.proto import starbase_talk
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_orders_server import Server, report_to
from netfeed.proto.starbase_past import ClientPast, VenuePast
from netfeed.proto.starbase_state import (
    MAX_HELD,
    LogonRequested,
    Malformed,
    Missing,
    NotResent,
    Puzzling,
    Sequences,
    State,
    Timing,
)
from netfeed.wire import starbase_orders as wire
from netfeed.wire.starbase_codes import MessageType
from tests.proto.starbase_pair import LISTED, SECRET, Desk, Pair, bid, joined

S = 1_000_000_000


def logged_on(**said: Any) -> Client:
    """Give a client that is up, with the venue's number 1 behind it."""
    client = Client(1, LISTED, 0)
    client.logon("key", SECRET, 0)
    client.transmit()
    client.receive(wire.encode(2, sequence=1, heartbeatIntervalSeconds=5, schemaVersion=16, **said), 0)
    assert client.state is State.ACTIVE
    return client


def filled(sequence: int, *, resend: bool = False) -> bytes:
    """Give a fill of order 7 as the venue says it; its match has the message's number."""
    fill = {
        "clientOrderId": 7, "orderId": 55, "instrumentId": 1000, "matchId": sequence, "price": 10**11,
        "fillQty": (1, 0), "totalFilled": (1, 0), "side": 1, "flags": 0,
    }  # fmt: skip
    return wire.encode(300, sequence=sequence, resend=resend, timestamp=1, execId=1, fills=[fill])


def matches(events: Any) -> list[Any]:
    return [event.match_id for event in events if isinstance(event, Filled)]


def said(client: Client | Server) -> list[tuple[int, int, Any]]:
    """Give what goes out: type, number, body."""
    frames = [wire.decode(frame) for frame in client.transmit()]
    return [(header.messageTypeId, header.sequenceNumber, body) for header, body in frames]


# --- logging on


def test_a_client_logs_on_and_is_up() -> None:
    pair = Pair(ClientPast(), VenuePast(), Desk())
    assert pair.talk()
    assert pair.told == [Up(1)]
    assert pair.venue_told == [LogonRequested("key", SECRET, False, True)]
    assert (pair.client.state, pair.server.state) == (State.ACTIVE, State.ACTIVE)


def test_a_secret_is_in_no_repr_and_in_no_reason() -> None:
    server = Server(1, LISTED, 0)
    client = Client(1, LISTED, 0)
    client.logon("key", SECRET, 0)
    assert SECRET not in repr(server.receive(b"".join(client.transmit()), 0))
    (down,) = client.receive(wire.encode(5, sequence=1, reason=f"{SECRET} is\nwrong"), 0)
    assert down == Down(1, "logged out: *** is?wrong", True)


def test_a_client_that_is_refused_is_down() -> None:
    past = ClientPast(Sequences(40, 50))  # whatever its numbers: those of a venue that does not know it are not right
    client, server = Client(1, LISTED, 0, past), Server(1, LISTED, 0)
    client.logon("key", SECRET, 0)
    server.receive(b"".join(client.transmit()), 0)
    server.refuse("who are you?", 0)
    assert client.receive(b"".join(server.transmit()), 0) == [Down(1, "logged out: who are you?", True)]
    assert (server.is_closed, server.deadline) == (True, NEVER)


@pytest.mark.parametrize(("version", "schema"), [(15, 16), (17, 16), (16, 17)])
def test_a_client_trusts_no_other_version_of_the_schema(version: int, schema: int) -> None:
    client = Client(1, LISTED, 0)
    client.logon("key", SECRET, 0)
    frame = wire.encode(2, sequence=1, version=version, heartbeatIntervalSeconds=5, schemaVersion=schema)
    (down,) = client.receive(frame, 0)
    assert isinstance(down, Down)
    assert "version" in down.reason
    with pytest.raises(MisuseError):
        client.send(bid(7), 0)


def test_a_venue_sends_a_client_of_another_version_away() -> None:
    server = Server(1, LISTED, 0)
    logon = {"clientId": "key", "secret": "", "resetSeqNum": 0, "schemaVersion": 11, "cancelOnDisconnect": 0}
    (down,) = server.receive(wire.encode(1, sequence=1, **logon), 0)
    assert isinstance(down, Down)
    ((kind, _, body),) = said(server)
    assert (kind, "version 11" in body.reason) == (MessageType.LOGGED_OUT, True)


def test_nothing_is_sent_before_the_session_is_up() -> None:
    client = Client(1, LISTED, 0)
    with pytest.raises(MisuseError, match="start"):
        client.send(bid(7), 0)
    client.logon("key", SECRET, 0)
    with pytest.raises(MisuseError, match="logging on"):
        client.send(bid(7), 0)
    with pytest.raises(MisuseError, match="logging on"):
        client.logon("key", SECRET, 0)


def test_a_logon_that_is_not_answered_is_given_up() -> None:
    client, server = Client(1, LISTED, 0), Server(1, LISTED, 0)
    client.logon("key", SECRET, 0)
    assert client.wake(client.deadline) == [Down(1, "no answer while logging on", True)]
    assert server.wake(server.deadline) == [Down(1, "no logon", False)]


def test_a_connection_that_was_never_accepted_cancels_nothing() -> None:
    client, server = Client(1, LISTED, 0), Server(1, LISTED, 0)
    client.logon("key", SECRET, 0)
    server.receive(b"".join(client.transmit()), 0)
    assert server.end(1) == [Down(1, "the peer closed", False)]


@pytest.mark.parametrize("seconds", [0, -1, 100_000])
def test_a_heartbeat_that_is_none_is_refused(seconds: int) -> None:
    client = Client(1, LISTED, 0)
    client.logon("key", SECRET, 0)
    (down,) = client.receive(wire.encode(2, sequence=1, heartbeatIntervalSeconds=seconds, schemaVersion=16), 0)
    assert isinstance(down, Down)


# --- requests and reports


def both_ways(request: Any, *reports: Any) -> tuple[list[Any], list[Any]]:
    """Give what the venue hears of a request, and what the client hears of its reports."""
    pair = joined()
    pair.desk.hear = lambda heard: list(reports)  # type: ignore[method-assign]
    pair.client.send(request, 0)
    assert pair.talk()
    return pair.venue_told, pair.told


REQUESTS = [
    New(7, 1, Side.ASK, 12_345, 25, TimeInForce.IOC, Flag.POST_ONLY_REJECT | Flag.MMP),
    New(7, 1, Side.BID, -5, 25, TimeInForce.FOK, Flag.KEEP),
    New(7, 0, Side.BID, 5, 2**62, TimeInForce.DAY, Flag.POST_ONLY),
    Cancel(7, 2),
    MassQuote(8, 3, (Quote(0, 10, 1, None, 0), Quote(1, None, 0, 12, 2)), reset=True),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_venue_hears_what_was_asked(request_: Any) -> None:
    assert both_ways(request_)[0] == [request_]


def test_an_amendment_is_heard_with_what_keeps_it_from_taking() -> None:
    amend = Amend(7, 0, 1001, 6, Flag.POST_ONLY | Flag.MMP)
    assert both_ways(amend)[0] == [Amend(7, 0, 1001, 6, Flag.POST_ONLY)]


def test_an_order_that_takes_is_one_answer() -> None:
    reports = [
        Accepted(7, 0, 55, 1000, 5, 3, False, 9),
        Filled(7, 0, 55, 99, Side.BID, 990, 2, 2, False, 9),
        Filled(7, 0, 55, 100, Side.BID, 1000, 1, 3, False, 9),
        Canceled(7, 0, 55, 3, Cause.TIME_IN_FORCE, "TIME_IN_FORCE", 9),
    ]
    pair = joined()
    pair.desk.hear = lambda heard: reports  # type: ignore[method-assign]
    pair.client.send(bid(7), 0)
    pair.talk()
    assert pair.told == reports
    assert pair.client.statistics().messages_in == 2  # with the LogonConf


OTHERS = [
    (New(7, 0, Side.BID, 1000, 5), [Rejected(7, Ask.NEW, Cause.MARGIN, "INSUFFICIENT_MARGIN: no", 9)]),
    (Cancel(7, 0), [Rejected(7, Ask.CANCEL, Cause.NOT_FOUND, "UNKNOWN_ORDER: no", 9)]),
    (Cancel(7, 0), [Canceled(7, 0, 55, 3, Cause.REQUESTED, "BY_REQUEST", 9)]),
    (MassQuote(8, 3, (Quote(0, 10, 1, 12, 1),)), [Rejected(8, Ask.QUOTE, Cause.RATE, "RATE_LIMIT: no", 9)]),
    (
        MassQuote(8, 3, (Quote(0, 10, 1, 12, 1),)),
        [
            Quoted(8, 3, ((
                0, QuoteSide(QuoteState.RESTS, 5, 10, 1, 0, Cause.OTHER, "UPDATED"),
                QuoteSide(QuoteState.CANCELED, 6, 12, 0, 0, Cause.PROTECTION, "CANCELED_BY_MMP"),
            ),), 9),
            Filled(8, 0, 5, 99, Side.BID, 10, 1, None, False, 9, quote=True),
            Filled(8, 0, 6, 98, Side.ASK, 12, 1, None, False, 9, quote=True),
        ],
    ),
    (
        MassQuote(8, 3, (Quote(0, 10, 1, 12, 1),)),
        [Quoted(8, 3, ((
            0, QuoteSide(QuoteState.REFUSED, None, None, 0, 0, Cause.PRICE, "INVALID_PRICE"),
            QuoteSide(QuoteState.NONE, None, None, 0, 0, Cause.OTHER, "INACTIVE"),
        ),), 9)],
    ),
    (
        New(7, 0, Side.BID, 1000, 5),
        [
            Accepted(7, 0, 55, 1000, 5, 0, True, 9), Tripped(3, "delta", 17, 9), Tripped(7, "vega", None, 9, True),
            Freed(3, 10), Freed(7, 10, True), Filled(7, 0, 55, 97, Side.BID, 1000, 1, 1, True, 9),
            Filled(8, 0, 56, 96, Side.ASK, 1000, 1, 1, True, 9, quote=True),
            Canceled(7, 0, 55, 1, Cause.DISCONNECTED, "CLIENT_DISCONNECT", 9),
            Canceled(8, 0, 56, 1, Cause.PROTECTION, "MM_PROTECTION", 9, True),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "reports"), OTHERS, ids=[str(number) for number in range(len(OTHERS))])
def test_a_client_hears_what_the_venue_reports(request_: Any, reports: list[Any]) -> None:
    said = [replace(one, venue_reason="no") if isinstance(one, Rejected) else one for one in reports]
    assert both_ways(request_, *said)[1] == reports


def test_an_amendment_takes_on_the_side_of_its_order() -> None:
    pair = joined()
    pair.client.send(New(7, 0, Side.ASK, 1000, 5), 0)
    pair.talk()
    pair.told.clear()
    reports = [
        Amended(7, 0, 107, 990, 5, 4, True, 9),
        Filled(7, 0, 107, 99, Side.ASK, 990, 1, 4, False, 9),
    ]
    pair.desk.hear = lambda heard: reports  # type: ignore[method-assign]
    pair.client.send(Amend(7, 0, 990, 5), 0)
    pair.talk()
    assert pair.told == reports


def test_quotes_are_cut_into_messages_that_are_answered_by_themselves() -> None:
    pair = joined()
    wanted = MassQuote(8, 3, tuple(Quote(number % 3, 10, 1, 12, 1) for number in range(32)), reset=True)
    pair.client.send(wanted, 0)
    pair.talk()
    assert [(len(one.quotes), one.reset) for one in pair.venue_told] == [(15, True), (15, False), (2, False)]
    assert [len(one.sides) for one in pair.told] == [15, 15, 2]


def test_a_part_of_quotes_that_is_refused_is_named() -> None:
    pair = joined()
    answers = iter([[Rejected(8, Ask.QUOTE, Cause.RATE, "", 1)], [Quoted(8, 3, (), 1)]])
    pair.desk.hear = lambda heard: next(answers)  # type: ignore[method-assign]
    pair.client.send(MassQuote(8, 3, tuple(Quote(number % 3, 10, 1, 12, 1) for number in range(16))), 0)
    pair.talk()
    assert pair.told == [Rejected(8, Ask.QUOTE, Cause.RATE, "RATE_LIMIT", 1, (0, 1, 2) * 5), Quoted(8, 3, (), 1)]


def test_all_is_cancelled_pair_by_pair_and_told_once() -> None:
    pair = joined()
    counts = iter([4, 2])
    pair.desk.hear = lambda one: [AllCanceled(one.client_id, next(counts), 9)]  # type: ignore[method-assign]
    pair.client.send(CancelAll(77), 0)
    pair.talk()
    assert len(pair.venue_told) == 2
    assert pair.told == [AllCanceled(77, 6, 9)]


def test_all_of_which_a_part_is_not_cancelled_is_refused() -> None:
    pair = joined()
    kinds = iter([AllCanceled, None])

    def hear(one: Any) -> list[Any]:
        made = next(kinds)
        return [made(one.client_id, 1, 9) if made else Rejected(one.client_id, Ask.CANCEL_ALL, Cause.STATE, "", 9)]

    pair.desk.hear = hear  # type: ignore[method-assign]
    pair.client.send(CancelAll(77, side=Side.BID), 0)
    pair.talk()
    assert pair.venue_told[0].side is Side.BID
    assert pair.told == [Rejected(77, Ask.CANCEL_ALL, Cause.STATE, "NOT_ALLOWED_BY_MARKET_STATE", 9)]


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (New(7, 0, Side.BID, None, 5), "without a price"),
        (New(7, 0, Side.BID, 5, 5, flags=Flag.REDUCE_ONLY), "reduces"),
        (New(7, 9, Side.BID, 5, 5), "instrument 9"),
        (New(7, 0, Side.BID, 2**62, 5), "does not fit"),
        (New(7, 0, Side.BID, 5, 2**64), "NewOrder"),
        (MassQuote(8, 3, (*[Quote(0, 10, 1, 12, 1)] * 15, Quote(0, 10, 2**64, 12, 1))), "quotes"),
        (List(7), "JSON-RPC"),
    ],
)
def test_what_the_venue_has_no_word_for_is_refused_whole(request_: Any, why: str) -> None:
    client = logged_on()
    before = client.past.journal.sequences
    with pytest.raises(MisuseError, match=why):
        client.send(request_, 0)
    assert (client.transmit(), client.past.journal.sequences, client.past.asked) == ([], before, {})


def test_what_a_venue_cannot_read_it_refuses_and_the_client_knows_what_it_was() -> None:
    pair = joined()
    pair.client.send(bid(7), 0)
    frame = bytearray(b"".join(pair.client.transmit()))
    frame[48:56] = (31).to_bytes(8, "little")  # an instrument that is not listed
    assert [type(one) for one in pair.server.receive(frame, 0)] == [Puzzling]
    (told,) = pair.client.receive(b"".join(pair.server.transmit()), 0)
    assert isinstance(told, Rejected)
    assert (told.client_id, told.ask) == (7, Ask.NEW)
    assert told.venue_reason.startswith("INVALID_FIELD_VALUE: ")


@pytest.mark.parametrize(("kind", "fields"), [
    (125, {"orderId": 1, "correlationId": 1, "instrumentId": 1000}),
    (145, {"correlationId": 1, "mmpGroupId": 1, "side": 0}),
    (155, {"correlationId": 1, "mmpGroupId": 1}),
    (300, {"timestamp": 0, "execId": 0}),
])  # fmt: skip
def test_what_a_venue_has_no_word_for_it_refuses(kind: int, fields: dict[str, int]) -> None:
    pair = joined()
    assert [type(one) for one in pair.server.receive(wire.encode(kind, sequence=2, **fields), 0)] == [Puzzling]
    assert [one[0] for one in said(pair.server)] == [MessageType.REJECT]


def test_a_fill_of_an_instrument_that_is_not_listed_is_puzzling() -> None:
    client = logged_on()
    frame = bytearray(filled(2))
    frame[32 + 16 + 4 + 16 : 32 + 16 + 4 + 24] = (31).to_bytes(8, "little")
    (told,) = client.receive(frame, 0)
    assert isinstance(told, Puzzling)
    assert client.statistics().puzzling == 1
    assert matches(client.receive(filled(3), 0)) == [3]


def test_what_could_be_a_fill_and_cannot_be_read_is_the_end() -> None:
    client = logged_on()
    (down,) = client.receive(wire.HEADER.encode(0xDB, 0, 32, 333, 16, 2, 0, 0), 0)
    assert isinstance(down, Down)
    assert "333" in down.reason


# --- numbers


def test_what_is_missing_is_asked_for_and_told_in_order() -> None:
    client = logged_on()
    assert client.receive(filled(4) + filled(5), 0) == [Missing(2, 3)]
    ((kind, _, body),) = said(client)
    assert (kind, body.fromSequenceNumber, body.toSequenceNumber) == (MessageType.RESEND_REQUEST, 2, 3)
    assert client.state is State.RECOVERING
    assert matches(client.receive(filled(2, resend=True) + filled(3, resend=True), 0)) == [2, 3, 4, 5]
    assert client.state is State.ACTIVE


def test_while_something_is_missing_orders_can_only_be_cancelled() -> None:
    client = logged_on()
    client.receive(filled(4), 0)
    with pytest.raises(MisuseError, match="recovering"):
        client.send(bid(7), 0)
    client.send(Cancel(7, 0), 0)
    client.send(CancelAll(8, 0), 0)
    assert [one[0] for one in said(client)] == [20, 120, 140]


def test_a_gap_that_is_filled_holds_nothing() -> None:
    client = logged_on()
    client.receive(filled(5), 0)
    fill = wire.encode(21, sequence=2, resend=True, newSequenceNumber=4)
    assert client.receive(fill, 0) == []
    assert matches(client.receive(filled(4, resend=True), 0)) == [4, 5]


def test_a_gap_is_filled_no_further_than_was_asked() -> None:
    client = logged_on()
    client.receive(filled(5), 0)
    assert matches(client.receive(wire.encode(21, sequence=2, resend=True, newSequenceNumber=2**60), 0)) == [5]
    assert client.past.journal.next_in == 6


def test_a_gap_that_nobody_asked_about_is_the_end() -> None:
    client = logged_on()
    (down,) = client.receive(wire.encode(21, sequence=2, newSequenceNumber=9), 0)
    assert isinstance(down, Down)


def test_a_second_hole_behind_the_first_is_asked_for_in_its_turn() -> None:
    client = logged_on()
    client.receive(filled(3) + filled(5), 0)
    assert [one[2].toSequenceNumber for one in said(client)] == [2]
    assert client.receive(filled(2, resend=True), 0)[-1] == Missing(4, 4)
    assert [one[2].fromSequenceNumber for one in said(client)] == [4]


def test_a_duplicate_is_dropped_where_it_says_so() -> None:
    client = logged_on()
    assert matches(client.receive(filled(2) + filled(2, resend=True), 0)) == [2]
    assert client.statistics().duplicates == 1


def test_numbers_that_fall_are_another_session() -> None:
    client = logged_on()
    (fill, down) = client.receive(filled(2) + filled(2), 0)
    assert isinstance(fill, Filled)
    assert isinstance(down, Down)
    assert "reset" in down.reason


def test_a_nonsense_number_moves_nothing() -> None:
    client = logged_on()
    (down,) = client.receive(filled(2**60), 0)
    assert isinstance(down, Down)
    assert client.past.journal.next_in == 2


def test_what_waits_behind_a_gap_is_bounded() -> None:
    client = logged_on()
    told: list[Any] = []
    for number in range(3, MAX_HELD + 10):
        told += client.receive(filled(number), 0)
    assert told == [Missing(2, 2), Down(1, "too much waits behind what is missing", True)]


def test_what_does_not_come_in_time_is_the_end() -> None:
    client = logged_on()
    client.receive(filled(3), 0)
    client.receive(filled(4), 9 * S)
    client.wake(9 * S)
    (down,) = client.wake(10 * S)
    assert isinstance(down, Down)
    assert "number 2" in down.reason


def test_nothing_is_sent_again_when_the_venue_asks_for_it() -> None:
    client = logged_on()
    client.send(bid(7), 0)
    client.send(Cancel(7, 0), 0)
    client.transmit()
    ask = wire.encode(20, sequence=2, fromSequenceNumber=1, toSequenceNumber=0)
    assert client.receive(ask, 0) == [NotResent(1, 3, ((Ask.NEW, 7), (Ask.CANCEL, 7)))]
    (frame,) = client.transmit()
    header, body = wire.decode(frame)
    assert (header.messageTypeId, header.sequenceNumber, header.flags) == (MessageType.GAP_FILL, 1, wire.IS_RESEND)
    assert body.newSequenceNumber == 4


@pytest.mark.parametrize(("first", "last"), [(0, 0), (-1, 5), (9, 9), (2, 1)])
def test_a_request_for_what_never_was_is_puzzling(first: int, last: int) -> None:
    client = logged_on()
    client.send(bid(7), 0)
    client.transmit()
    ask = wire.encode(20, sequence=2, fromSequenceNumber=first, toSequenceNumber=last)
    assert [type(one) for one in client.receive(ask, 0)] == [Puzzling]
    assert client.transmit() == []


def test_two_sides_that_both_miss_something_do_not_wait_for_each_other() -> None:
    past, kept = ClientPast(Sequences(30, 1)), VenuePast()
    for number in range(5):
        report_to(kept, LISTED, [Filled(7, 0, 55, number, Side.BID, 1000, 1, 1, True, 1)], 0)
    pair = Pair(past, kept, Desk())
    assert pair.talk()
    assert matches(pair.told) == [0, 1, 2, 3, 4]
    assert pair.told[-1] == Up(1)
    assert (pair.client.state, pair.server.state) == (State.ACTIVE, State.ACTIVE)
    assert pair.kept.journal.next_in == past.journal.next_out


def test_a_venue_that_has_forgotten_says_so() -> None:
    kept = VenuePast(max_messages=2)
    for number in range(5):
        report_to(kept, LISTED, [Filled(7, 0, 55, number, Side.BID, 1000, 1, 1, True, 1)], 0)
    pair = Pair(ClientPast(), kept, Desk())
    pair.talk()
    down = pair.told[-1]
    assert isinstance(down, Down)
    assert "not kept any more" in down.reason
    again = Pair(ClientPast(), kept, Desk(), reset=True)
    again.talk()
    assert again.told == [Up(1)]


def test_a_client_whose_numbers_have_fallen_is_sent_away() -> None:
    kept = VenuePast()
    kept.journal.next_in = 40
    pair = Pair(ClientPast(), kept, Desk())
    pair.talk()
    (down,) = pair.told
    assert "log on with a reset" in down.reason
    assert pair.server.wake(pair.server.deadline) == [Down(1, "number 1 where 40 was due: log on with a reset, and "
                                                              "reconcile", False)]  # fmt: skip


# --- signs of life, and the end


def test_a_side_that_has_nothing_to_say_says_so() -> None:
    client = logged_on()
    assert client.deadline == 5 * S
    assert client.wake(5 * S) == []
    assert [one[0] for one in said(client)] == [MessageType.HEARTBEAT]


def test_a_silent_peer_is_asked_and_then_given_up() -> None:
    client = logged_on()
    told: list[Any] = []
    kinds: list[int] = []
    while not client.is_closed:
        told += client.wake(client.deadline)
        kinds += [one[0] for one in said(client)]
    assert kinds == [MessageType.HEARTBEAT, MessageType.TEST_REQUEST]
    assert told == [Down(1, "the peer is silent", True)]


def test_a_test_is_answered_with_its_number() -> None:
    client = logged_on()
    client.receive(wire.encode(11, sequence=2, correlationId=77), 0)
    ((kind, _, body),) = said(client)
    assert (kind, body.correlationId) == (MessageType.HEARTBEAT, 77)


def test_any_word_is_a_sign_of_life() -> None:
    client = logged_on()
    client.wake(10 * S)
    client.receive(wire.encode(10, sequence=2, correlationId=1), 11 * S)
    client.transmit()
    client.wake(16 * S)
    assert not client.is_closed
    assert client.deadline == 21 * S


def test_a_client_logs_out() -> None:
    pair = joined()
    pair.client.logout(0, "good night")
    pair.talk()
    assert pair.venue_told == [Down(1, "the client logged out: good night", True)]
    assert pair.told == [Down(1, "logged out: the client logged out: good night", True)]


def test_a_venue_logs_its_client_out() -> None:
    pair = joined()
    pair.server.logout("maintenance", 0)
    pair.talk()
    assert pair.told == [Down(1, "logged out: maintenance", True)]
    assert pair.server.wake(0) == [Down(1, "maintenance", True)]


def test_bytes_that_are_no_frame_are_placed_in_the_stream() -> None:
    client = logged_on()
    malformed, down = client.receive(filled(2) + b"GET /", 0)[1:]
    assert isinstance(malformed, Malformed)
    assert malformed.offset == 40 + len(filled(2))
    assert isinstance(down, Down)


def test_a_frame_that_is_cut_short_by_the_end_is_said() -> None:
    client = logged_on()
    client.receive(filled(2)[:-1], 0)
    assert [type(one) for one in client.end(0)] == [Malformed, Down]


def test_a_peer_that_asks_for_more_than_it_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starbase_talk, "MAX_QUEUED", 2000)
    client = logged_on()
    number, told = 2, []
    while not client.is_closed:
        told = client.receive(wire.encode(11, sequence=number, correlationId=1), 0)
        number += 1
    assert told == [Down(1, "more is asked for than is read", True)]


def test_a_client_that_does_not_read_is_given_up_and_what_was_said_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starbase_talk, "MAX_QUEUED", 2000)
    pair = joined()
    reports = [Filled(7, 0, 55, number, Side.BID, 1000, 1, 1, True, 1) for number in range(20)]
    while pair.server.deadline > 0:
        pair.server.report(reports, 0)
    assert pair.server.wake(0) == [Down(1, "the peer does not read", True)]
    before = pair.kept.journal.next_out
    pair.server.report(reports[:1], 0)
    assert pair.kept.journal.next_out == before + 1


def test_a_session_without_cancelling_says_so() -> None:
    pair = Pair(ClientPast(), VenuePast(), Desk(), cancel_on_disconnect=False)
    pair.talk()
    pair.cut()
    assert (pair.told[-1], pair.venue_told[-1]) == (
        Down(1, "the peer closed", False), Down(1, "the peer closed", False)
    )  # fmt: skip


@pytest.mark.parametrize("timing", [{"logon_ns": 0}, {"recovery_ns": -1}, {"heartbeat_s": 0}, {"heartbeat_s": 10**6}])
def test_times_are_of_this_world(timing: dict[str, int]) -> None:
    with pytest.raises(MisuseError):
        Timing(**timing)


# --- the wire is cut


ASKED = [bid(7, 6), Cancel(7, 0), MassQuote(8, 3, (Quote(0, 10, 1, 12, 1),)), bid(9, 4), CancelAll(10)]


def lost(left: tuple[int, int]) -> tuple[list[Any], Desk, bool]:
    """Cut the wire after so many bytes of each way, go on over another one; give all that the client was told."""
    past, kept, desk = ClientPast(), VenuePast(), Desk()
    first = Pair(past, kept, desk)
    whole = first.talk(0, left)
    for request in ASKED if whole and first.client.state is State.ACTIVE else ():
        first.client.send(request, 0)
        whole = whole and first.talk(0, left)
    first.cut()
    second = Pair(past, kept, desk, 2)
    assert second.talk()
    assert second.client.state is State.ACTIVE
    assert kept.journal.next_in == past.journal.next_out
    assert past.journal.next_in == kept.journal.next_out
    return first.told + second.told, desk, whole


def reports(told: list[Any]) -> list[Any]:
    """Give what is told of orders, by its kind and its match.

    A mass cancel of which only a part was heard is not told: what was not resent says so.
    """
    notes = Up | Down | Missing | NotResent | Malformed | AllCanceled
    return [(type(one), getattr(one, "match_id", None)) for one in told if not isinstance(one, notes)]


def names(requests: list[Any]) -> set[tuple[Ask, int]]:
    """Give requests as a client remembers them, but for mass cancels, whose names differ on both sides."""
    kinds = {New: Ask.NEW, Cancel: Ask.CANCEL, MassQuote: Ask.QUOTE}
    return {(kinds[type(one)], one.client_id) for one in requests if type(one) in kinds}


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_wherever_the_wire_is_cut_nothing_is_done_twice_and_all_of_it_is_told_once(step: int) -> None:
    _, desk, whole = lost((2**40, 2**40))
    assert whole
    assert len(desk.heard) == len(ASKED) + 1  # a mass cancel is one for each currency pair
    for way, end in enumerate((610, 1040)):
        for cut in range(0, end, step):
            told, desk, _ = lost((2**40, cut) if way else (cut, 2**40))
            assert len(set(map(repr, desk.heard))) == len(desk.heard), (way, cut)
            assert reports(told) == reports(desk.said), (way, cut)
            unheard = {one for event in told if isinstance(event, NotResent) for one in event.requests}
            assert not unheard & names(desk.heard), (way, cut)
            assert names(desk.heard) | unheard >= names(ASKED) or not desk.heard, (way, cut)


def test_the_wire_was_cut_everywhere() -> None:
    pair = Pair(ClientPast(), VenuePast(), Desk())
    pair.talk()
    for request in ASKED:
        pair.client.send(request, 0)
        pair.talk()
    assert (590 < pair.sent[0] < 610, 1020 < pair.sent[1] < 1040) == (True, True), pair.sent
