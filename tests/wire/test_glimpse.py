"""GLIMPSE: the end of a snapshot."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import glimpse, itch


@pytest.mark.parametrize("digits", [b"               90210", b"90210               ", b"00000000000000090210"])
def test_the_number_may_be_padded_on_either_side(digits: bytes) -> None:
    assert glimpse.decode_end_of_snapshot(b"G" + digits) == 90210


def test_the_number_is_written_on_the_right() -> None:
    assert glimpse.encode_end_of_snapshot(7) == b"G                   7"


def test_twenty_nines_fit_and_more_do_not() -> None:
    assert glimpse.encode_end_of_snapshot(10**20 - 1) == b"G" + b"9" * 20
    for wrong in (-1, 10**20):
        with pytest.raises(MisuseError):
            glimpse.encode_end_of_snapshot(wrong)


@given(st.integers(0, 10**20 - 1))
def test_what_is_encoded_is_decoded(sequence: int) -> None:
    assert glimpse.decode_end_of_snapshot(glimpse.encode_end_of_snapshot(sequence)) == sequence


@pytest.mark.parametrize(
    "wrong",
    [b"", b"G", b"G" + b"1" * 19, b"G" + b"1" * 21, b"g" + b"1" * 20, b"G" + b" " * 20,
     b"G" + b"1" * 10 + b" " + b"1" * 9, b"G" + b"-1".rjust(20), b"G" + b"1_0".rjust(20),
     b"G" + "²".encode("latin-1").rjust(20)],
)  # fmt: skip
def test_what_is_no_end_of_snapshot_is_an_error(wrong: bytes) -> None:
    with pytest.raises(WireError):
        glimpse.decode_end_of_snapshot(wrong)


@given(st.binary(max_size=30) | st.binary(min_size=20, max_size=20).map(lambda tail: b"G" + tail))
def test_any_bytes_are_a_number_or_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert 0 <= glimpse.decode_end_of_snapshot(data) < 10**20


def test_itch_does_not_know_the_type() -> None:
    with pytest.raises(itch.UnknownType):
        itch.decode(glimpse.encode_end_of_snapshot(1))
