"""Numbered packets: layout, round trip, what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import numbered


def test_the_layout_is_what_it_says() -> None:
    packet = numbered.encode(0x0102030405060708, 9, 10, size=40, kind=numbered.Kind.END)
    assert packet.hex() == "4e464e500101000001020304050607080000000000000009000000000000000a" + "00" * 8


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1), st.integers(0, 200))
def test_what_is_encoded_is_decoded(stream: int, sequence: int, sent_ns: int, size: int) -> None:
    packet = numbered.encode(stream, sequence, sent_ns, size=size)
    assert len(packet) == max(size, numbered.HEADER.size)
    assert numbered.is_numbered(packet)
    header = numbered.decode(packet)
    assert (header.stream, header.sequence, header.sent_ns) == (stream, sequence, sent_ns)


@given(st.binary(max_size=64))
def test_other_bytes_are_no_numbered_packet(data: bytes) -> None:
    if numbered.is_numbered(data):
        return
    with pytest.raises(WireError):
        numbered.decode(data)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(MisuseError):
        numbered.encode(2**64, 1, 0)
