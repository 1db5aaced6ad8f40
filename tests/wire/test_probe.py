"""Probes: an answer is as long as its question, every length is checked, and a stream is cut where probes end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import probe
from netfeed.wire.capture import NO_TIME
from netfeed.wire.probe import MAX_SIZE, SIZE, Kind

U64 = st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)


@given(run=U64, sequence=U64, sent=I64, size=st.integers(SIZE, 2000))
def test_a_question_comes_back_as_it_was_asked(run: int, sequence: int, sent: int, size: int) -> None:
    data = probe.encode_question(run, sequence, sent, size)
    found = probe.decode(data)
    assert len(data) == size == found.size
    assert (found.kind, found.run, found.sequence, found.sent_ns) == (Kind.QUESTION, run, sequence, sent)
    assert (found.host, found.peer, found.arrived_ns, found.taken_ns) == (0, 0, NO_TIME, NO_TIME)


@given(host=st.integers(0, 2**32 - 1), peer=U64, stamps=st.tuples(I64, I64, I64), size=st.integers(SIZE, 300))
def test_an_answer_is_the_question_with_the_answerers_numbers_and_no_longer(
    host: int, peer: int, stamps: tuple[int, int, int], size: int
) -> None:
    question = probe.encode_question(7, 8, 9, size)
    data = probe.encode_answer(memoryview(question), host, peer, *stamps)
    found = probe.decode(data)
    assert len(data) == len(question)
    assert (found.run, found.sequence, found.sent_ns, found.kind) == (7, 8, 9, Kind.ANSWER)
    assert (found.host, found.peer, (found.arrived_ns, found.taken_ns, found.answered_ns)) == (host, peer, stamps)
    later = probe.decode(probe.stamped_answer(data, 5))
    assert later == found._replace(answered_ns=5)


@pytest.mark.parametrize("size", [0, SIZE - 1, MAX_SIZE + 1])
def test_no_probe_has_such_a_size(size: int) -> None:
    with pytest.raises(MisuseError):
        probe.encode_question(1, 1, 1, size)


@pytest.mark.parametrize("at", [0, 4, 5, 8, 9])
def test_what_is_damaged_in_its_first_bytes_is_no_probe(at: int) -> None:
    data = bytearray(probe.encode_question(1, 1, 1, 100))
    data[at] ^= 0x40
    with pytest.raises(WireError):
        probe.decode(data)


def test_a_probe_is_as_long_as_it_says() -> None:
    data = probe.encode_question(1, 1, 1, 100)
    for wrong in (data[:-1], data + b"\0", data[: SIZE - 1], b""):
        with pytest.raises(WireError):
            probe.decode(wrong)


def test_the_size_of_the_next_one_is_known_from_twelve_bytes_on() -> None:
    data = b"x" + probe.encode_question(1, 1, 1, 100)
    assert [probe.next_size(data[: 1 + length], 1) for length in (0, 11, 12, 100)] == [None, None, 100, 100]
    with pytest.raises(WireError, match="no probe"):
        probe.next_size(data)


@pytest.mark.parametrize("size", [0, SIZE - 1, MAX_SIZE + 1, 2**32 - 1])
def test_a_stream_that_announces_a_size_that_no_probe_has_is_an_error(size: int) -> None:
    data = bytearray(probe.encode_question(1, 1, 1))
    data[8:12] = size.to_bytes(4, "big")
    with pytest.raises(WireError, match="bytes, wanted"):
        probe.next_size(data)


@given(st.binary(max_size=200))
def test_bytes_that_do_not_begin_as_one_are_no_probe(data: bytes) -> None:
    for read in (probe.decode, probe.next_size):
        with pytest.raises(WireError, match="wanted"):
            read(b"\0" + data.ljust(200))
