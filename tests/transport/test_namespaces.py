"""Multicast between namespaces: IPv6, one source only, links that fail, and what the host says of it."""

from collections.abc import Iterator

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")

from netfeed.host.arrival import counters, findings, memberships
from netfeed.host.namespace import Namespace, permitted
from netfeed.transport.send import Sender
from netfeed.transport.udp import UdpSocket, open_multicast
from tests.transport.waiting import come

pytestmark = pytest.mark.root
GROUP, GROUP6 = "233.252.0.81", "ff3e::8000:81"
PORT = 26400


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Give a venue and a host, joined by a veth pair: v0 10.9.0.1 fd09::1, h0 10.9.0.2 fd09::2."""
    if not permitted():
        pytest.skip("may not make network namespaces")
    with Namespace("venue") as venue, Namespace("host") as host:
        for one in (venue, host):
            one.write("net.ipv6.conf.default.accept_dad", "0")
            one.write("net.ipv4.conf.all.rp_filter", "0")
            one.write("net.ipv4.conf.default.rp_filter", "0")
        venue.connect("v0", host, "h0")
        venue.address("v0", "10.9.0.1/24")
        host.address("h0", "10.9.0.2/24")
        venue.address("v0", "fd09::1/64")
        host.address("h0", "fd09::2/64")
        yield venue, host


def heard(one: UdpSocket) -> list[bytes]:
    """Give what came."""
    return [datagram.data for datagram in come(one.receive)]


@pytest.mark.parametrize(("group", "source"), [(GROUP, None), (GROUP, "10.9.0.1"), (GROUP6, None), (GROUP6, "fd09::1")])
def test_a_group_is_heard_across_a_link(pair: tuple[Namespace, Namespace], group: str, source: str | None) -> None:
    venue, host = pair
    with host.entered():
        one = open_multicast(group, PORT, interface="h0", source=source)
    with venue.entered():
        sender = Sender(group, PORT, interface="v0", source=(source, 0) if source else None)
    with one, sender:
        assert sender.send(b"across")
        (datagram,) = come(one.receive)
        assert datagram.data == b"across"
        assert datagram.source[0] in ("10.9.0.1", "fd09::1")


@pytest.mark.parametrize(("group", "other"), [(GROUP, "10.9.0.77"), (GROUP6, "fd09::77")])
def test_another_source_is_not_heard(pair: tuple[Namespace, Namespace], group: str, other: str) -> None:
    venue, host = pair
    with host.entered():
        one = open_multicast(group, PORT, interface="h0", source=other)
    with venue.entered():
        sender = Sender(group, PORT, interface="v0")
    with one, sender:
        sender.send(b"from the wrong one")
        assert heard(one) == []
        with host.entered():
            assert any(f"only {other} is heard" in finding for finding in findings([one], counters()))


def test_a_membership_is_seen_and_survives_a_link_that_fails(pair: tuple[Namespace, Namespace]) -> None:
    venue, host = pair
    with host.entered():
        one = open_multicast(GROUP, PORT, interface="h0")
        assert GROUP in memberships()["h0"]
        before = counters()
        host.down("h0")
        assert any("is down" in finding for finding in findings([one], before))
        host.up("h0")
    with venue.entered():
        sender = Sender(GROUP, PORT, interface="v0")
    with one, sender:
        sender.send(b"back")
        assert heard(one) == [b"back"]
        with host.entered():
            one.leave(one.memberships[0])
            assert GROUP not in memberships().get("h0", set())


def test_a_source_without_a_route_is_dropped_and_the_filter_is_named(pair: tuple[Namespace, Namespace]) -> None:
    venue, host = pair
    host.write("net.ipv4.conf.all.rp_filter", "1")
    venue.address("v0", "198.51.100.1/24")
    with host.entered():
        one = open_multicast(GROUP, PORT, interface="h0")
        before = counters()
    with venue.entered():
        sender = Sender(GROUP, PORT, interface="v0", source=("198.51.100.1", 0))
    with one, sender:
        sender.send(b"filtered")
        assert heard(one) == []
        with host.entered():
            found = findings([one], before)
        assert "the reverse-path filter dropped 1 packets" in found[0]
        assert any("rp_filter is 1 on h0" in finding for finding in found)
