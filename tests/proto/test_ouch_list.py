"""A client of OUCH that reads its day again: up behind the last message of the day, and able to say what rests."""

from typing import Any

from netfeed.book.execution import Listed, OpenOrder, Position, Up
from netfeed.book.level import Side
from netfeed.proto.ouch_list import listed
from netfeed.proto.ouch_orders import Client
from netfeed.proto.ouch_past import Past
from netfeed.wire import ouch
from netfeed.wire import soupbintcp as soup
from tests.proto import ouch_pair


def said(kind: str, **fields: Any) -> bytes:
    return soup.encode(soup.SequencedData(ouch.encode(ouch.Way.OUT, kind, timestamp=1, **fields)))


def accepted(urn: int, client_id: str, side: str, quantity: int) -> bytes:
    return said(
        "A", user_ref_num=urn, side=side, quantity=quantity, symbol="AAPL", price=1_500_000, time_in_force="0",
        display="Y", order_reference_number=100 + urn, capacity="P", intermarket_sweep="N", cross_type="N",
        order_state="L", clordid=client_id,
    )  # fmt: skip


def executed(urn: int, quantity: int, match: int) -> bytes:
    return said("E", user_ref_num=urn, quantity=quantity, price=1_500_000, liquidity_flag="A", match_number=match)


DAY = [
    said("Q", next_user_ref_num=1),  # to a login of this morning
    accepted(1, "7", "B", 10),
    executed(1, 4, 900),
    accepted(2, "8", "S", 5),
    executed(2, 5, 901),
    said("Q", next_user_ref_num=3),  # to the login that looked
]


def reading() -> Client:
    past = Past()
    past.next_sequence, past.told = 1, len(DAY)
    client = Client(1, ouch_pair.LISTED, past)
    client.login("user", "password", 0)
    client.receive(soup.encode(soup.LoginAccepted("S", 1)), 0)
    return client


def test_answers_to_other_logins_do_not_bring_it_up() -> None:
    client = reading()
    told = [one for message in DAY for one in client.receive(message, 0)]
    assert not any(isinstance(one, Up) for one in told)
    assert client.receive(said("Q", next_user_ref_num=3), 0) == [Up(1)]
    assert client.past.next_urn == 3


def test_what_was_read_is_a_list() -> None:
    client = reading()
    for message in DAY:
        client.receive(message, 0)
    order = OpenOrder(7, 0, 101, Side.BID, 1_500_000, 10, 4, False)
    assert listed(1, client.past) == Listed(1, (order,), (Position(0, -1, None),), None)


def test_an_order_that_the_venue_has_not_accepted_is_in_no_list() -> None:
    client = reading()
    for message in [*DAY, said("Q", next_user_ref_num=3)]:
        client.receive(message, 0)
    client.send(ouch_pair.bid(9), 0)
    assert [one.client_id for one in listed(1, client.past).orders] == [7]
