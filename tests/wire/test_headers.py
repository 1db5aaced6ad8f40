"""Frames that are built here are read by scapy, whose checksums are ours."""

from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.wire.frame import LinkType
from netfeed.wire.headers import tcp_frame
from netfeed.wire.segment import ACK, PSH, SYN, read_segment

FOUR = ("10.0.0.5", 40001), ("10.0.0.9", 8001)
SIX = ("fe80::1", 40001), ("fe80::2", 8001)


@pytest.mark.parametrize("ends", [FOUR, SIX], ids=["4", "6"])
@pytest.mark.parametrize("payload", [b"", b"odd", b"an order"])
def test_a_tcp_frame_is_what_scapy_reads_with_its_own_checksums(ends: Any, payload: bytes) -> None:
    layers = pytest.importorskip("scapy.all", reason="the scapy extra is not installed")
    frame = tcp_frame(payload, *ends, sequence=2**32 + 5, acknowledgment=7, flags=PSH | ACK, window=99, vlan=12)
    read = layers.Ether(frame)
    segment = read[layers.TCP]
    assert (segment.sport, segment.dport, segment.seq, segment.ack, segment.window) == (40001, 8001, 5, 7, 99)
    assert (str(segment.flags), bytes(segment.payload), read[layers.Dot1Q].vlan) == ("PA", payload, 12)
    wanted = segment.chksum
    del segment.chksum
    assert layers.Ether(bytes(read))[layers.TCP].chksum == wanted


def test_a_tcp_frame_is_read_back_with_its_options() -> None:
    frame = tcp_frame(b"", *FOUR, sequence=1, flags=SYN, options=b"\x01\x03\x03\x07")
    found = read_segment(frame, LinkType.ETHERNET)
    assert found is not None
    assert (found.sequence, found.flags, found.scale, found.length) == (1, SYN, 7, 0)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(MisuseError):
        tcp_frame(b"", FOUR[0], SIX[1], sequence=1, flags=SYN)
    for options in (b"\x01", bytes(44)):
        with pytest.raises(MisuseError):
            tcp_frame(b"", *FOUR, sequence=1, flags=SYN, options=options)
