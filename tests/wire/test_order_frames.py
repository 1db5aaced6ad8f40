"""Order messages in a stream: how long they are, which are orders, and what they refer to."""

from hypothesis import given
from hypothesis import strategies as st

from netfeed.wire.order_frames import INCOMPLETE, ORDER_FRAMINGS, REFERENCES, WRONG, Reference
from tests.data import recording
from tests.wire.order_samples import ouch_enter, ouch_replace, starbase_order

SOUP, STARBASE = ORDER_FRAMINGS["soupbintcp"], ORDER_FRAMINGS["starbase"]


def test_a_starbase_message_is_as_long_as_it_says_padded_to_eight() -> None:
    order = starbase_order(100, 1, 2)
    assert STARBASE.measure(order) == len(order)
    assert STARBASE.measure(order[:3]) == INCOMPLETE
    assert STARBASE.measure(b"\xdb\0\x21\0") == 40
    assert STARBASE.measure(b"\xdb\0\x1f\0") == WRONG
    assert STARBASE.measure(b"\xdc") == WRONG


def test_requests_that_place_change_or_cancel_are_orders() -> None:
    assert [kind for kind in range(256) if STARBASE.is_order(starbase_order(kind, 1, 2))] == [100, 110, 120, 125, 130]
    assert SOUP.is_order(ouch_enter(7))
    assert not SOUP.is_order(b"\0\x01R")


def test_fields_carry_a_sequence() -> None:
    order = starbase_order(100, 77, 2**40 + 5)
    assert REFERENCES["starbase.clientOrderId"].read(order) == 77
    assert REFERENCES["starbase.correlationId"].read(order) == 2**40 + 5
    assert REFERENCES["ouch.userRefNum"].read(ouch_enter(1234)) == 1234
    assert REFERENCES["ouch.userRefNum"].read(ouch_replace(1, 99)) == 99
    assert Reference("x", 32, 1, "little").read(order) == 77
    assert Reference("x", 32, 1, "little").modulus == 256
    assert Reference("x", 200, 4, "big").read(order) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_measured(data: bytes) -> None:
    for framing in ORDER_FRAMINGS.values():
        assert framing.measure(data) >= WRONG
        framing.is_order(data)


def test_a_real_order_is_recognised() -> None:
    frame = recording("nasdaq_packets/ouch50/EnterOrderMessage.pcap").read_bytes()[24 + 16 :]
    at = frame.index(b"UO") - 2
    assert SOUP.measure(frame[at:]) == len(frame) - at
    assert SOUP.is_order(frame[at:])
