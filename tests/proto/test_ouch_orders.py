"""OUCH sessions: numbers that only rise, totals, what was said while nobody listened; nothing is sent twice."""

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
    List,
    MassQuote,
    New,
    Rejected,
    TimeInForce,
    Up,
)
from netfeed.book.level import Side
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.proto import soupbintcp, soupbintcp_conversation
from netfeed.proto.ouch_orders import Client
from netfeed.proto.ouch_past import Past
from netfeed.proto.ouch_server import Server, VenuePast
from netfeed.proto.ouch_words import Noted, Puzzling, Stocks, Terms, client_id_of, clordid
from netfeed.wire import ouch
from netfeed.wire import soupbintcp as soup
from netfeed.wire.ouch import Tag, Way
from tests.proto.ouch_pair import LISTED, Desk, Pair, bid, joined


def up(next_urn: int = 1) -> Client:
    """Give a client that is up."""
    client = Client(1, LISTED, midnight_ns=0)
    client.login("user", "password", 0)
    client.transmit()
    client.receive(soup.encode(soup.LoginAccepted("S", 1)), 0)
    assert sent(client)[0].kind == "Q"
    assert says(client, "Q", next_user_ref_num=next_urn) == [Up(1)]
    return client


def says(client: Client, kind: str, **fields: Any) -> list[Any]:
    """Let the venue say something."""
    message = ouch.encode(Way.OUT, kind, timestamp=9, **fields)
    return list(client.receive(soup.encode(soup.SequencedData(message)), 0))


def accepts(client: Client, urn: int, **fields: Any) -> list[Any]:
    """Let the venue accept an order."""
    own = {
        "side": "B", "quantity": 5, "symbol": "AAPL", "price": 1_500_000, "time_in_force": "0", "display": "Y",
        "order_reference_number": 55, "capacity": "P", "intermarket_sweep": "N", "cross_type": "N", "order_state": "L",
        "clordid": "",
    }  # fmt: skip
    return says(client, "A", user_ref_num=urn, **(own | fields))


def replaces(client: Client, old: int, urn: int, quantity: int, price: int = 1_400_000) -> list[Any]:
    return says(
        client, "U", orig_user_ref_num=old, user_ref_num=urn, side="B", quantity=quantity, symbol="AAPL", price=price,
        time_in_force="0", display="Y", order_reference_number=56, capacity="P", intermarket_sweep="N", cross_type="N",
        order_state="L", clordid="",
    )  # fmt: skip


def sent(client: Client) -> list[ouch.Message]:
    """Give the messages that a client sends."""
    packets = [soup.decode(data) for data in client.transmit()]
    return [ouch.decode(Way.IN, step[0].message) for step in packets if step and isinstance(step[0], soup.UnsequencedData)]  # fmt: skip  # noqa: E501


def test_a_client_is_up_when_it_knows_which_number_is_next() -> None:
    client = up(next_urn=41)
    client.send(bid(7), 0)
    assert [one.fields.user_ref_num for one in sent(client)] == [41]


def test_numbers_rise_strictly_and_never_fall_behind_our_own() -> None:
    client = up()
    for client_id in (7, 8):
        client.send(bid(client_id), 0)
    says(client, "Q", next_user_ref_num=1)
    client.send(bid(9), 0)
    assert [one.fields.user_ref_num for one in sent(client)] == [1, 2, 3]


def test_an_order_is_accepted_filled_and_over() -> None:
    client = up()
    client.send(bid(7), 0)
    assert accepts(client, 1) == [Accepted(7, 0, 55, 1_500_000, 5, 0, True, 9)]
    fill = {"user_ref_num": 1, "quantity": 2, "price": 1_499_900, "liquidity_flag": "A", "match_number": 99}
    assert says(client, "E", **fill) == [Filled(7, 0, 55, 99, Side.BID, 1_499_900, 2, 2, True, 9)]
    (last,) = says(client, "E", **(fill | {"quantity": 3, "liquidity_flag": "R", "match_number": 98}))
    assert (last.filled, last.maker) == (5, False)
    with pytest.raises(MisuseError, match="over"):
        client.send(Cancel(7, 0), 0)


def test_a_replacement_gives_the_total_and_is_told_the_total() -> None:
    client = up()
    client.send(bid(7), 0)
    accepts(client, 1)
    says(client, "E", user_ref_num=1, quantity=2, price=1_500_000, liquidity_flag="A", match_number=99)
    client.send(Amend(7, 0, 1_400_000, 10, Flag.POST_ONLY), 0)
    replace = sent(client)[-1]
    assert (replace.fields.orig_user_ref_num, replace.fields.user_ref_num, replace.fields.quantity) == (1, 2, 10)
    assert replace.tag(Tag.POST_ONLY) == "P"
    assert replaces(client, 1, 2, quantity=8) == [Amended(7, 0, 56, 1_400_000, 10, 2, True, 9)]
    client.send(Cancel(7, 0), 0)
    assert [(one.fields.user_ref_num, one.fields.quantity) for one in sent(client)] == [(2, 0)]


def test_while_nobody_knows_which_number_an_order_has_a_cancel_names_both() -> None:
    client = up()
    client.send(bid(7), 0)
    client.send(Amend(7, 0, 1_400_000, 10), 0)
    sent(client)
    with pytest.raises(MisuseError, match="already"):
        client.send(Amend(7, 0, 1_300_000, 10), 0)
    client.send(Cancel(7, 0), 0)
    assert [one.fields.user_ref_num for one in sent(client)] == [1, 2]
    assert says(client, "J", user_ref_num=2, reason=0x15, clordid="7") == [
        Rejected(7, Ask.AMEND, Cause.NOT_FOUND, "0x0015", 9)
    ]
    client.send(Cancel(7, 0), 0)
    assert [one.fields.user_ref_num for one in sent(client)] == [1]


def test_a_part_that_is_cancelled_leaves_the_rest() -> None:
    client = up()
    client.send(bid(7), 0)
    accepts(client, 1)
    assert says(client, "C", user_ref_num=1, quantity=2, reason="S") == [Amended(7, 0, 55, 1_500_000, 3, 0, True, 9)]
    assert says(client, "C", user_ref_num=1, quantity=3, reason="I") == [
        Canceled(7, 0, 55, 0, Cause.TIME_IN_FORCE, "I", 9)
    ]


def test_what_would_have_met_ourselves_is_cancelled() -> None:
    client = up()
    client.send(bid(7), 0)
    told = says(
        client, "D", user_ref_num=1, decrement_shares=5, reason="Q", quantity_prevented=5, execution_price=1,
        liquidity_flag="R", aiq_strategy="X",
    )  # fmt: skip
    assert told == [Canceled(7, 0, 0, 0, Cause.SELF_MATCH, "Q", 9)]


def test_an_order_that_is_refused_is_over() -> None:
    client = up()
    client.send(bid(7), 0)
    assert says(client, "J", user_ref_num=1, reason=0x1D, clordid="7") == [
        Rejected(7, Ask.NEW, Cause.PRICE, "0x001d", 9)
    ]
    assert says(client, "J", user_ref_num=9, reason=1, clordid="")[0] == Puzzling(
        "request 9, which is not known, was rejected: 0x0001"
    )


def test_an_order_that_was_dead_when_it_was_accepted_is_over() -> None:
    client = up()
    client.send(bid(7), 0)
    accepted, canceled = accepts(client, 1, order_state="D")
    assert (accepted.rests, canceled.cause) == (False, Cause.VENUE)


def test_an_order_that_moves_to_another_price_is_amended() -> None:
    client = up()
    client.send(bid(7), 0)
    accepts(client, 1)
    told = says(client, "T", user_ref_num=1, price=1_490_000, display="Y", order_reference_number=57)
    assert told == [Amended(7, 0, 57, 1_490_000, 5, 0, True, 9)]


@pytest.mark.parametrize(("kind", "fields"), [
    ("S", {"event_code": "S"}), ("P", {"user_ref_num": 1}), ("R", {"user_ref_num": 1, "reason": "R"}),
    ("B", {"user_ref_num": 1, "match_number": 99, "reason": "E", "clordid": "7"}),
    ("M", {"user_ref_num": 1, "side": "T", "quantity": 5}), ("I", {"user_ref_num": 77}),
])  # fmt: skip
def test_what_has_no_word_is_noted(kind: str, fields: dict[str, Any]) -> None:
    client = up()
    client.send(bid(7), 0)
    assert [type(one) for one in says(client, kind, **fields)] == [Noted]


@pytest.mark.parametrize("kind", ["E", "C", "T", "U", "A"])
def test_what_is_said_of_an_order_that_is_not_known_is_puzzling(kind: str) -> None:
    client = up()
    rows = ouch.LAYOUTS[Way.OUT, kind].rows[2:]
    told = says(client, kind, **{name: "" if code[0] == "c" else 77 for name, code in rows})
    assert [type(one) for one in told] == [Puzzling]
    assert client.puzzling == 1


def test_all_orders_are_cancelled_one_by_one_and_told_once() -> None:
    client = up()
    for client_id in (7, 8, 9):
        client.send(bid(client_id), 0)
    client.send(CancelAll(10, 0, Side.BID), 0)
    assert [one.fields.user_ref_num for one in sent(client) if one.kind == "X"] == [1, 2, 3]
    told = [says(client, "C", user_ref_num=urn, quantity=5, reason="U") for urn in (1, 2, 3)]
    assert [len(one) for one in told] == [1, 1, 2]
    assert told[2][1] == AllCanceled(10, 3, 9)


def test_where_there_is_nothing_to_cancel_it_is_told_at_once() -> None:
    client = up()
    client.send(bid(7), 0)
    client.send(CancelAll(10, 1), 3)
    assert client.deadline == 3
    assert client.wake(3) == [AllCanceled(10, 0, None)]
    assert client.deadline > 3


def test_a_cancel_that_is_refused_refuses_all() -> None:
    client = up()
    client.send(bid(7), 0)
    client.send(CancelAll(10), 0)
    first, second = says(client, "I", user_ref_num=1)
    assert (first.ask, first.client_id, second.ask, second.client_id) == (Ask.CANCEL, 7, Ask.CANCEL_ALL, 10)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (New(7, 0, Side.BID, None, 5, TimeInForce.IOC), "market"),
        (New(7, 0, Side.BID, 1, 5), "DAY"),
        (New(7, 0, Side.BID, 1, 5, TimeInForce.DAY, Flag.MMP), "MMP"),
        (New(7, 0, Side.BID, 1, 0, TimeInForce.DAY), "shares"),
        (New(7, 0, Side.BID, 2 * 10**9, 5, TimeInForce.DAY), "199,999.99"),
        (New(7, 5, Side.BID, 1, 5, TimeInForce.DAY), "instrument 5"),
        (New(-7, 0, Side.BID, 1, 5, TimeInForce.DAY), "client id"),
        (Amend(8, 0, 1, 5), "order 8"),
        (Cancel(8, 0), "order 8"),
        (CancelAll(8, 9), "instrument 9"),
        (MassQuote(8, 1, ()), "MassQuote"),
        (List(8), "List"),
    ],
)
def test_what_the_venue_has_no_word_for_is_refused_whole(request_: Any, why: str) -> None:
    client = up()
    with pytest.raises(MisuseError, match=why):
        client.send(request_, 0)
    assert (client.transmit(), client.past.next_urn, client.past.orders) == ([], 1, {})


def test_a_client_id_is_used_once() -> None:
    client = up()
    client.send(bid(7), 0)
    with pytest.raises(MisuseError, match="used before"):
        client.send(bid(7), 0)


def test_nothing_is_sent_before_the_session_is_up() -> None:
    client = Client(1, LISTED)
    with pytest.raises(MisuseError, match="up"):
        client.send(bid(7), 0)


def test_what_could_be_a_fill_and_cannot_be_read_is_the_end() -> None:
    client = up()
    (down,) = client.receive(soup.encode(soup.SequencedData(b"E123")), 0)
    assert isinstance(down, Down)
    assert (client.is_closed, client.deadline) == (True, NEVER)


def test_a_login_that_is_refused_is_down_once() -> None:
    client = Client(3, LISTED)
    client.login("user", "password", 0)
    assert client.receive(soup.encode(soup.LoginRejected("A")), 0) == [Down(3, "the login was rejected: A", True)]


@pytest.mark.parametrize("client_id", [0, 7, 35, 36, 2**63 - 1])
def test_a_client_id_is_written_into_the_order(client_id: int) -> None:
    assert len(clordid(client_id)) <= 14
    assert client_id_of(clordid(client_id)) == client_id


@pytest.mark.parametrize("text", ["", "abc", "A B", "Z" * 14])
def test_what_is_no_client_id_is_none(text: str) -> None:
    assert client_id_of(text) is None


def test_prices_are_of_the_stock() -> None:
    terms = Terms(1, "MSFT", -2)
    assert (terms.price_out(15_000), terms.price_in(1_500_000)) == (1_500_000, 15_000)
    assert Terms(1, "X", -5).price_in(7) == 70
    with pytest.raises(MisuseError):
        Terms(1, "X", -5).price_out(7)
    with pytest.raises(MisuseError, match="twice"):
        Stocks([Terms(1, "A"), Terms(2, "A")])


# --- with the venue


def test_a_venue_hears_what_was_asked_and_the_client_what_it_said() -> None:
    pair = joined()
    requests = [
        New(7, 1, Side.ASK, 15_000, 5, TimeInForce.FOK, Flag.POST_ONLY), Amend(7, 1, 14_000, 9, Flag.POST_ONLY),
        Cancel(7, 1),
    ]  # fmt: skip
    for request in requests:
        pair.client.send(request, 0)
        pair.talk()
    assert pair.venue_told == requests
    assert pair.told == pair.desk.said


def test_a_venue_ignores_a_number_that_was_there_before() -> None:
    pair = joined()
    pair.client.send(bid(7), 0)
    data = b"".join(pair.client.transmit())
    assert len(pair.server.receive(data + data, 0)) == 1
    assert pair.server.ignored == 1


def test_a_venue_has_no_number_after_the_last_one() -> None:
    pair = joined()
    replaced = ouch.encode(
        Way.IN, "U", orig_user_ref_num=1, user_ref_num=ouch.MAX_URN, quantity=5, price=1, time_in_force="0",
        display="Y", intermarket_sweep="N", clordid="7",
    )  # fmt: skip
    query = ouch.encode(Way.IN, "Q")
    pair.server.transmit()
    for message in (replaced, query):
        assert pair.server.receive(soup.encode(soup.UnsequencedData(message)), 0) == []
    packets = [step[0] for data in pair.server.transmit() if (step := soup.decode(data)) is not None]
    said = [ouch.decode(Way.OUT, one.message) for one in packets if isinstance(one, soup.SequencedData)]
    assert [one.kind for one in said] == ["J", "Q"]
    assert said[1].fields.next_user_ref_num == ouch.MAX_URN
    pair.server.receive(soup.encode(soup.UnsequencedData(replaced)), 0)
    assert pair.server.ignored == 1


def test_a_venue_refuses_what_is_none() -> None:
    pair = joined()
    fields = {
        "side": "?", "quantity": 5, "symbol": "AAPL", "price": 1, "time_in_force": "0", "display": "Y", "capacity": "P",
        "intermarket_sweep": "N", "cross_type": "N", "clordid": "7",
    }  # fmt: skip
    orders = [fields, fields | {"side": "B", "symbol": "X"}, fields | {"side": "B", "time_in_force": "?"}]
    for number, order in enumerate(orders, 1):
        message = ouch.encode(Way.IN, "O", user_ref_num=number, **order)
        told = pair.server.receive(soup.encode(soup.UnsequencedData(message)), 0)
        assert [type(one) for one in told] == [Puzzling]
    assert [type(one) for one in pair.server.receive(soup.encode(soup.UnsequencedData(b"!")), 0)] == [Puzzling]
    part = ouch.encode(Way.IN, "M", user_ref_num=1, side="T", quantity=1)
    assert [type(one) for one in pair.server.receive(soup.encode(soup.UnsequencedData(part)), 0)] == [Noted]


def test_a_venue_tells_refusals() -> None:
    pair = joined()
    answers = iter([
        [Accepted(7, 0, 5, 1_500_000, 5, 0, True, 1)], [Rejected(7, Ask.AMEND, Cause.PRICE, "0x001d", 1)],
        [Rejected(7, Ask.CANCEL, Cause.STATE, "cancel rejected", 1)], [Rejected(8, Ask.NEW, Cause.RATE, "0x0029", 1)],
    ])  # fmt: skip
    said: list[Any] = []

    def hear(request: Any) -> list[Any]:
        said.extend(next(answers))
        return [said[-1]]

    pair.desk.hear = hear  # type: ignore[method-assign]
    for request in (bid(7), Amend(7, 0, 1_400_000, 6), Cancel(7, 0), bid(8)):
        pair.client.send(request, 0)
        pair.talk()
    assert pair.told == said
    with pytest.raises(MisuseError, match="not known"):
        pair.server.report([Canceled(99, 0, 1, 0, Cause.VENUE, "", 1)], 0)
    with pytest.raises(MisuseError, match="no message"):
        pair.server.report([AllCanceled(99, 0, 1)], 0)


def test_a_client_that_asks_for_what_is_not_kept_is_sent_away() -> None:
    kept, desk = VenuePast(max_messages=2), Desk()
    first = Pair(Past(), kept, desk)
    first.talk()
    for client_id in (7, 8, 9):
        first.client.send(bid(client_id), 0)
        first.talk()
    first.cut()
    past = Past()
    past.session, past.next_sequence = kept.session, 1
    second = Pair(past, kept, desk, 2)
    second.talk()
    assert second.told == [Down(2, "the login was rejected: S", True)]


def test_a_client_without_a_past_learns_its_orders_from_the_day() -> None:
    kept, desk = VenuePast(), Desk()
    first = Pair(Past(), kept, desk)
    first.talk()
    first.client.send(bid(7), 0)
    first.talk()
    first.cut()
    past = Past()
    past.session, past.next_sequence = kept.session, 1
    second = Pair(past, kept, desk, 2)
    second.talk()
    assert second.told == [*desk.said, Up(2)] or second.told[1:] == desk.said
    second.client.send(Cancel(7, 0), 0)
    second.talk()
    assert second.venue_told[-1] == Cancel(7, 0)


def test_a_client_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soupbintcp_conversation, "MAX_QUEUED", 5000)
    pair = joined()
    pair.client.send(bid(7, 900_000), 0)
    pair.talk()
    fill = Filled(7, 0, 107, 1, Side.BID, 1_500_000, 1, 1, True, 1)
    while pair.server.deadline > 0:
        pair.server.report([fill] * 50, 0)
    assert pair.server.wake(0) == [Down(1, "the peer does not read", True)]


def test_a_venue_sends_a_client_away() -> None:
    server = Server(1, LISTED, 0)
    server.receive(soup.encode(soup.LoginRequest("user", "password", "", 0)), 0)
    server.reject("A", 0)
    assert (server.is_closed, server.deadline) == (True, NEVER)
    with pytest.raises(MisuseError):
        server.accept(VenuePast(), 0)


# --- the wire is cut


REQUESTS = [bid(7), Amend(7, 0, 1_400_000, 9), bid(8), Cancel(7, 0)]


def lost(left: tuple[int, int]) -> tuple[list[Any], Desk]:
    """Cut the wire after so many bytes of each way, go on over another one; give all that the client was told."""
    past, kept, desk = Past(), VenuePast(), Desk()
    first = Pair(past, kept, desk)
    whole = first.talk(0, left)
    for request in REQUESTS if whole else ():
        if whole:
            first.client.send(request, 0)
            whole = first.talk(0, left)
    first.cut()
    second = Pair(past, kept, desk, 2)
    second.talk()
    second.client.send(bid(9), 0)
    second.talk()
    assert past.next_sequence == kept.next_sequence
    assert past.next_urn == kept.last_urn + 1
    return first.told + second.told, desk


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_wherever_the_wire_is_cut_nothing_is_done_twice_and_all_of_it_is_told_once(step: int) -> None:
    whole = Pair(Past(), VenuePast(), Desk())
    whole.talk()
    for request in REQUESTS:
        whole.client.send(request, 0)
        whole.talk()
    assert whole.desk.heard == REQUESTS
    for way in (0, 1):
        for cut in range(0, whole.sent[way], step):
            told, desk = lost((2**40, cut) if way else (cut, 2**40))
            assert len(set(map(repr, desk.heard))) == len(desk.heard), (way, cut)
            assert desk.heard[-1] == bid(9), (way, cut)
            reports = [one for one in told if not isinstance(one, Up | Down | Noted | Puzzling)]
            assert reports == desk.said, (way, cut)


def test_a_heartbeat_is_the_conversations_own() -> None:
    client = up()
    assert client.deadline == soupbintcp.Timing().heartbeat_ns
    assert client.wake(client.deadline) == []
    assert client.transmit() == [soup.encode(soup.ClientHeartbeat())]
