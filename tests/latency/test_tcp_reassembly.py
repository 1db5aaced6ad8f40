"""Reassembly: any split, any order, any repetition gives the same bytes, once and in order, or says what is missing."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.tcp_reassembly import MAX_PARTS, Piece, Reassembly, position

START = 2**32 + 2**32 - 100  # the wire's sequence wraps within every test


def joined(pieces: list[Piece], start: int = START) -> bytes:
    """Put pieces together; holes are dots. They follow each other without a step."""
    whole, at = b"", start
    for piece in pieces:
        assert piece.at == at
        assert piece.data is None or len(piece.data) == piece.end - piece.at
        whole += b"." * (piece.end - piece.at) if piece.data is None else piece.data
        at = piece.end
    return whole


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]]]:
    """Give bytes, and spans that cover them all, overlapping, repeated, in any order."""
    size = draw(st.integers(1, 300))
    cuts = sorted({0, size, *draw(st.lists(st.integers(0, size), max_size=12))})
    spans = list(pairwise(cuts))
    more = draw(st.lists(st.tuples(st.integers(0, size), st.integers(0, size)), max_size=12))
    spans += [(min(span), max(span)) for span in more]
    return draw(st.binary(min_size=size, max_size=size)), draw(st.permutations(spans))


@given(shuffled())
def test_any_split_in_any_order_with_repetitions_gives_the_bytes(case: tuple[bytes, list[tuple[int, int]]]) -> None:
    data, spans = case
    stream = Reassembly(START)
    pieces = [
        piece for begin, end in spans for piece in stream.take(START + begin, data[begin:end], end - begin)
    ]  # fmt: skip
    assert joined(pieces) == data
    assert (stream.next, stream.waiting_bytes, stream.finish()) == (START + len(data), 0, [])


@given(shuffled(), st.data())
def test_what_never_came_is_a_hole_and_nothing_else_is(
    case: tuple[bytes, list[tuple[int, int]]], data: st.DataObject
) -> None:
    whole, spans = case
    kept = data.draw(st.lists(st.sampled_from(spans), min_size=1)) if spans else []
    stream = Reassembly(START)
    pieces = [piece for begin, end in kept for piece in stream.take(START + begin, whole[begin:end], end - begin)]
    pieces += stream.finish()
    covered = {index for begin, end in kept for index in range(begin, end)}
    result = joined(pieces)
    assert len(result) == max(covered, default=-1) + 1
    for index in range(len(result)):
        if index in covered:
            assert result[index] == whole[index]
    holes = {index - START for piece in pieces if piece.data is None for index in range(piece.at, piece.end)}
    assert holes == set(range(len(result))) - covered


@given(shuffled(), st.integers(0, 60))
def test_memory_is_bounded_by_the_limit(case: tuple[bytes, list[tuple[int, int]]], limit: int) -> None:
    data, spans = case
    stream = Reassembly(START, limit=limit)
    pieces = []
    for begin, end in spans:
        pieces += stream.take(START + begin, data[begin:end], end - begin)
        assert stream.waiting_bytes <= limit
    pieces += stream.finish()
    assert len(joined(pieces)) == max(end for _, end in spans)


def test_bytes_that_were_not_captured_are_a_hole_at_once() -> None:
    stream = Reassembly(START)
    assert stream.take(START, b"abc", 5) == [Piece(START, START + 3, b"abc"), Piece(START + 3, START + 5, None)]
    assert stream.take(START + 5, b"fg", 2) == [Piece(START + 5, START + 7, b"fg")]


def test_what_the_receiver_has_is_not_waited_for_and_keeps_its_own_tag() -> None:
    stream = Reassembly(START)
    assert stream.take(START + 2, b"cd", 2, "second") == stream.take(START + 6, b"gh", 2, "fourth") == []
    assert stream.acknowledge(START + 2) == []  # of what waits the receiver has nothing yet
    given = stream.acknowledge(START + 5)
    assert given == [Piece(START, START + 2, None), Piece(START + 2, START + 4, b"cd", "second")]
    filled = stream.take(START + 4, b"ef", 2, "third")
    assert [(one.data, one.tag) for one in filled] == [(b"ef", "third"), (b"gh", "third")]


def test_the_first_copy_of_a_byte_counts() -> None:
    stream = Reassembly(START)
    assert stream.take(START + 2, b"CD", 2) == []
    assert joined(stream.take(START, b"abxx", 4)) == b"abCD"


def test_small_segments_beyond_a_hole_are_bounded_in_number_too() -> None:
    stream = Reassembly(START)
    given = [piece for k in range(1, MAX_PARTS + 2) for piece in stream.take(START + 2 * k, b"x", 1)]
    assert given[0] == Piece(START, START + 2, None)


def test_a_position_is_the_nearest_one() -> None:
    assert position(5, 2**32 - 10) == 2**32 + 5
    assert position(2**32 - 5, 2**32 + 10) == 2**32 - 5
    assert position(7, 2**40 + 9) == 2**40 + 7
