"""Messages in a stream: found whatever segments they came in, stamped by the one that completed them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.tcp_messages import Message, Messages
from netfeed.wire import soupbintcp
from netfeed.wire.order_frames import ORDER_FRAMINGS, framing_of
from tests.wire.order_samples import starbase_order

SOUP, STARBASE = ORDER_FRAMINGS["soupbintcp"], ORDER_FRAMINGS["starbase"]


def soup(text: bytes) -> bytes:
    return soupbintcp.encode(soupbintcp.UnsequencedData(text))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.lists(st.integers(0, 400), max_size=10))
def test_any_split_gives_the_messages_and_the_segment_that_completed_each(texts: list[bytes], cuts: list[int]) -> None:
    frames = [soup(text) for text in texts]
    stream = b"".join(frames)
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    messages, found = Messages(SOUP, 0), []
    for number, (begin, end) in enumerate(pairwise(places)):
        found += messages.take(begin, stream[begin:end], end - begin, number, number)
    assert [one.data for one in found] == frames
    ends = [sum(map(len, frames[: k + 1])) for k in range(len(frames))]
    completed = [next(n for n, place in enumerate(places[1:]) if place >= end) for end in ends]
    assert [one.origin for one in found] == completed
    assert (messages.count, messages.lost) == (len(frames), 0)


def test_behind_a_hole_the_next_piece_that_begins_a_message_is_found() -> None:
    messages = Messages(STARBASE, 0)
    order = starbase_order(100, 7, 8)
    size = len(order)
    assert messages.take(0, order, size, 0, 0) == [Message(order, 0, 0)]
    assert messages.take(size, order[:20], 20, 1, 1) == []
    beyond = messages.take(2 * size, order, size, 2, 2)
    assert beyond == []
    assert messages.finish() == [Message(order, 2, 2)]  # the receiver had the rest
    assert (messages.lost, messages.hole_bytes) == (1, size - 20)


def test_bytes_that_are_no_message_are_told_once() -> None:
    messages = Messages(STARBASE, 0)
    order = starbase_order(100, 7, 8)
    assert messages.take(0, b"nonsense" * 4, 32, 0, 0) == messages.take(32, b"more of it", 10, 0, 0) == []
    assert [one.data for one in messages.take(42, order, len(order), 1, 1)] == [order]
    assert messages.lost == 1


def test_a_framing_is_recognised_only_by_whole_messages() -> None:
    order = starbase_order(100, 7, 8)
    assert framing_of(order * 2) is STARBASE
    assert framing_of(soup(b"O1234") + soup(b"X")) is SOUP
    for nonsense in (b"", order[:-1], order + b"x", b"GET / HTTP/1.1\r\n\r\n", soup(b"abc")[:-1]):
        assert framing_of(nonsense) is None
