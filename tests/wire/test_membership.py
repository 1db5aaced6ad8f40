"""Messages of memberships in frames: found where they are, and nothing where they are not."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import WireError
from netfeed.wire.frame import NO_VLAN, LinkType
from netfeed.wire.headers import udp_frame
from netfeed.wire.membership import Heard, hear
from tests.wire.membership_samples import A6, FRAMES, MESSAGES4, MESSAGES6, A, B, G, frame, general

ETHERNET = LinkType.ETHERNET


def heard(data: bytes, linktype: int = ETHERNET) -> Heard:
    found = hear(data, linktype)
    assert found is not None
    return found


def test_a_message_is_found_with_who_sent_it_and_how() -> None:
    for message in MESSAGES4:
        found = heard(frame(message, A, G))
        assert found == Heard(A, G, message, 1, True, NO_VLAN)
    for message in MESSAGES6:
        found = heard(frame(message, A6, vlan=7, ttl=3))
        assert (found.source, found.message, found.ttl, found.alert, found.vlan) == (A6, message, 3, True, 7)


def test_a_missing_router_alert_is_seen() -> None:
    assert not heard(frame(MESSAGES4[0], A, alert=False)).alert
    assert not heard(frame(MESSAGES6[0], A6, alert=False)).alert
    plain = frame(general(), A)
    assert not heard(plain[:34] + b"\x01\x01\x01\x00" + plain[38:]).alert  # other options
    assert not heard(plain[:34] + b"\x44\x00\x01\x00" + plain[38:]).alert  # one that has no length
    assert heard(plain[:34] + b"\x01\x94\x04\x00" + plain[38:]).alert
    six = frame(MESSAGES6[0], A6)
    assert not heard(six[:56] + b"\x01\x02\x00\x00\x01\x00" + six[62:]).alert
    assert not heard(six[:56] + b"\x00\x01\x00\x01\x00\x00" + six[62:]).alert
    assert not heard(six[:56] + b"\x05\x02\x00\x01\x01\x00" + six[62:]).alert  # an alert of something else


@pytest.mark.parametrize("linktype", [LinkType.RAW, LinkType.LINUX_SLL, LinkType.LINUX_SLL2])
def test_other_links_carry_them_too(linktype: LinkType) -> None:
    packets = [frame(MESSAGES4[0], A)[14:], frame(MESSAGES6[0], A6)[14:]]
    heads = {
        LinkType.RAW: (b"", b""),
        LinkType.LINUX_SLL: (bytes(14) + b"\x08\x00", bytes(14) + b"\x86\xdd"),
        LinkType.LINUX_SLL2: (b"\x08\x00" + bytes(18), b"\x86\xdd" + bytes(18)),
    }[linktype]
    assert [heard(head + one, linktype).source for head, one in zip(heads, packets, strict=True)] == [A, A6]


def test_what_is_no_message_is_none() -> None:
    plain = frame(general(), A)
    for data in (
        udp_frame(b"tick", ("10.0.0.1", 1), ("233.252.0.1", 5000)),
        plain[:20] + b"\x20\x00" + plain[22:],  # a fragment
        plain[:12] + b"\x08\x06" + plain[14:],  # ARP
        plain[:30],
        frame(MESSAGES6[0], A6)[:50],
        b"",
    ):
        assert hear(data, ETHERNET) is None
    assert hear(plain, LinkType.NULL) is None
    assert hear(b"", LinkType.RAW) is None


def test_what_is_cut_or_contradicts_itself_is_an_error() -> None:
    plain, six = frame(general(), A), frame(MESSAGES6[0], A6)
    for data in (
        plain[:-1],
        six[:-1],
        plain[:14] + b"\x44" + plain[15:],  # a header of 16 bytes
        plain[:16] + b"\x00\x10" + plain[18:],  # a packet of 16 bytes
        six[:18] + b"\x00\x01" + six[20:],
        plain[:-3] + b"\xff" + plain[-2:],
    ):
        with pytest.raises(WireError):
            hear(data, ETHERNET)


@given(
    at=st.integers(0, 200), octets=st.binary(max_size=12), number=st.integers(0, len(FRAMES) - 1),
    cut=st.integers(0, 90), linktype=st.sampled_from([*LinkType, 147]),
)  # fmt: skip
def test_damaged_frames_give_a_message_or_an_error(
    at: int, octets: bytes, number: int, cut: int, linktype: int
) -> None:
    data = FRAMES[number][: len(FRAMES[number]) - cut]
    with suppress(WireError):
        hear(data[:at] + octets + data[at + len(octets) :], linktype)


def test_two_hosts_are_two() -> None:
    assert heard(frame(general(), B)).source == B
