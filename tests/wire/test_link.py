"""The IP packet of a frame is found where `wire.frame`, which walks by itself, finds it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import WireError
from netfeed.wire.frame import NO_VLAN, Kind, LinkType, locate
from netfeed.wire.headers import udp_frame
from netfeed.wire.link import Internet, find_ip

FOUR = udp_frame(b"payload", source=("192.0.2.1", 7), destination=("233.252.0.1", 7400))
SIX = udp_frame(b"payload", source=("2001:db8::1", 7), destination=("ff3e::1", 7400), vlan=9)


def found(frame: bytes, linktype: int = LinkType.ETHERNET) -> Internet | None:
    return find_ip(memoryview(frame), linktype)


def test_it_is_found_behind_tags_and_without_a_link_header() -> None:
    assert found(FOUR) == (4, 14, NO_VLAN)
    assert found(SIX) == (6, 18, 9)
    twice = SIX[:12] + b"\x88\xa8\x20\x05" + SIX[12:]
    assert found(twice) == (6, 22, 5), "the outermost tag is told"
    assert found(FOUR[14:], LinkType.RAW) == found(FOUR[14:], LinkType.IPV4) == (4, 0, NO_VLAN)
    for family in (b"\x02\0\0\0", b"\0\0\0\x02"):
        assert found(family + FOUR[14:], LinkType.NULL) == (4, 4, NO_VLAN)


def test_what_holds_none_is_none() -> None:
    assert found(FOUR[:12] + b"\x08\x06" + FOUR[14:]) is None
    assert found(FOUR[:12] + b"\x81\x00\x00\x01" * 9 + FOUR[12:]) is None
    assert found(FOUR, 147) is None
    assert found(b"\x50", LinkType.RAW) is None


@pytest.mark.parametrize(("frame", "said"), [(FOUR[:13], "link header"), (SIX[:16], "VLAN tag")])
def test_what_is_cut_before_it_is_said_to_be(frame: bytes, said: str) -> None:
    with pytest.raises(WireError, match=f"{said} is cut short"):
        found(frame)


@given(
    st.sampled_from([FOUR, SIX]), st.integers(0, 40), st.binary(max_size=6), st.integers(0, 80),
    st.sampled_from([*LinkType, 147]),
)  # fmt: skip
def test_it_agrees_with_the_walk_down_to_udp(frame: bytes, at: int, octets: bytes, cut: int, linktype: int) -> None:
    data = (frame[:at] + octets + frame[at + len(octets) :])[:cut]
    packet = locate(data, linktype)
    try:
        one = found(data, linktype)
    except WireError:
        assert packet.kind == Kind.BAD
        return
    if packet.ip_version:
        assert one is not None
        assert (one.version, one.vlan) == (packet.ip_version, packet.vlan)
    elif one is None:
        assert packet.kind in (Kind.NOT_UDP, Kind.BAD)
