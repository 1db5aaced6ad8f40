"""Whether multicast can arrive: a real join on lo, and in namespaces where something is in the way."""

from collections.abc import Iterator

import pytest

from netfeed.host.doctor import multicast
from netfeed.host.finding import Level
from netfeed.host.namespace import Namespace, permitted
from netfeed.transport.network import find_interface


def level(name: str, check: str) -> Level:
    return next(one.level for one in multicast.checks(name) if one.check == f"{name} {check}")


@pytest.mark.net
def test_what_is_sent_to_a_group_on_lo_comes_back() -> None:
    assert multicast.probe(find_interface("lo")).level is Level.OK


def test_an_interface_that_has_gone_is_a_failure_that_names_those_that_are_there() -> None:
    (found,) = multicast.checks("nowhere0")
    assert (found.level, "there are: lo" in found.found) == (Level.FAIL, True)


@pytest.fixture
def host() -> Iterator[Namespace]:
    with Namespace("host") as host, Namespace("other") as other:
        host.connect("feed", other, "peer")
        yield host


@pytest.mark.root
@pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here")
class TestAnInterface:
    def test_without_an_address_cannot_join(self, host: Namespace) -> None:
        host.write("net.ipv6.conf.feed.disable_ipv6", "1")
        with host.entered():
            assert level("feed", "join and loop") is Level.FAIL

    def test_with_one_joins_and_hears_itself(self, host: Namespace) -> None:
        host.address("feed", "10.9.0.1/24")
        with host.entered():
            assert {one.level for one in multicast.checks("feed")} == {Level.OK}

    def test_whose_only_address_is_not_settled_fails_with_a_remedy(self, host: Namespace) -> None:
        host.write("net.ipv6.conf.feed.accept_dad", "1")
        host.write("net.ipv6.conf.feed.dad_transmits", "100")  # its link's address stays tentative
        host.down("feed")
        host.up("feed")
        with host.entered():
            found = multicast.probe(find_interface("feed"))
        assert found.level is Level.FAIL
        assert "ip address" in found.remedy

    def test_that_is_down_is_a_failure(self, host: Namespace) -> None:
        host.address("feed", "10.9.0.1/24")
        host.down("feed")
        with host.entered():
            found = {one.check: one for one in multicast.checks("feed")}
        assert found["feed link"].level is Level.FAIL
        assert "ip link set dev feed up" in found["feed link"].remedy

    def test_whose_filter_drops_what_has_no_route_is_a_warning(self, host: Namespace) -> None:
        host.address("feed", "10.9.0.1/24")
        host.write("net.ipv4.conf.all.rp_filter", "1")
        with host.entered():
            assert level("feed", "rp_filter") is Level.WARN

    def test_that_is_held_to_an_old_igmp_is_a_warning(self, host: Namespace) -> None:
        host.address("feed", "10.9.0.1/24")
        host.write("net.ipv4.conf.feed.force_igmp_version", "2")
        with host.entered():
            found = next(one for one in multicast.checks("feed") if one.check == "feed IGMP")
        assert (found.level, "force_igmp_version=2" in found.found) == (Level.WARN, True)
