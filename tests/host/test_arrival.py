"""What the host knows about packets that do not come, from texts of /proc as they are."""

from dataclasses import replace

import pytest

from netfeed.host import arrival
from netfeed.transport.network import IFF_MULTICAST, IFF_RUNNING, IFF_UP, Interface
from netfeed.transport.udp import Membership

IGMP = """Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
1\tlo        :     1      V3
\t\t\t\t010000E0     1 0:00000000\t\t0
4\teth0      :     2      V2
\t\t\t\t0100FCE9     1 0:00000000\t\t0
\t\t\t\t010000E0     1 0:00000000\t\t0
"""
IGMP6 = "4    eth0            ff3e0000000000000000000080000081     1 00000004 0\n"
NETSTAT = """TcpExt: SyncookiesSent IPReversePathFilter
TcpExt: 0 7
IpExt: InNoRoutes InMcastPkts
IpExt: 0 100
"""
SNMP = "Udp: InDatagrams NoPorts InErrors InCsumErrors\nUdp: 5 2 0 3\n"
FILES = {"igmp": IGMP, "igmp6": IGMP6, "netstat": NETSTAT, "snmp": SNMP}
ETH0 = Interface(4, "eth0")


class Joined:
    """A socket that has joined a group."""

    host, port = "233.252.0.1", 26400

    def __init__(self, source: str | None = None, interface: Interface = ETH0, group: str = "233.252.0.1") -> None:
        self.memberships = [Membership(group, interface, source)]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose eth0 is up and runs no filter."""
    monkeypatch.setattr(arrival, "process_net", lambda name: FILES.get(name, ""))
    monkeypatch.setattr(arrival, "read_setting", lambda path: "0\n")
    monkeypatch.setattr(arrival, "interface_flags", lambda name: IFF_UP | IFF_RUNNING | IFF_MULTICAST)


def found(socket: object = None, **before: int) -> str:
    return "\n".join(arrival.findings([socket or Joined()], replace(arrival.counters(), **before)))  # type: ignore[list-item]


def test_counters_memberships_and_versions_are_read() -> None:
    assert arrival.counters() == arrival.Counters(100, 7, 3, 2)
    assert arrival.memberships()["eth0"] == {"233.252.0.1", "224.0.0.1", "ff3e::8000:81"}
    assert arrival.queriers() == {"lo": 3, "eth0": 2}


def test_nothing_wrong_here_points_elsewhere() -> None:
    text = found()
    assert text.startswith("no multicast packet came to this host meanwhile")
    assert "firewall" in text


def test_what_counters_moved_is_said_first() -> None:
    assert found(filtered=4).startswith("the reverse-path filter dropped 3 packets")
    assert "3 UDP datagrams had a wrong checksum" in found(bad_checksums=0)
    assert "60 multicast packets came to this host meanwhile" in found(multicast_in=40)


def test_a_membership_that_is_gone_a_source_and_an_old_querier_are_said() -> None:
    assert "233.252.0.9 stands in no line of /proc/net/igmp" in found(Joined(group="233.252.0.9"))
    text = found(Joined(source="10.0.0.1"))
    assert "IGMPv2 is spoken on eth0" in text
    assert "only 10.0.0.1 is heard" in text
    assert "was joined on eth0, as the routes say" in found(Joined(interface=Interface(0, "any")))


def test_the_state_of_the_link_and_its_filter_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "read_setting", lambda path: "2\n")
    monkeypatch.setattr(arrival, "interface_flags", lambda name: IFF_UP)
    text = found()
    assert "rp_filter is 2 on eth0" in text
    assert "eth0 has no carrier" in text
    assert "eth0 is not set up for multicast" in text
    monkeypatch.setattr(arrival, "interface_flags", lambda name: 0)
    assert "the link eth0 is down" in found()


def test_a_kernel_that_tells_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "process_net", lambda name: "")
    assert arrival.counters() == arrival.Counters(0, 0, 0, 0)
    assert "stands in no line" in found()


def test_a_vlan_is_named_as_the_tool_wants_it() -> None:
    assert arrival.no_reverse_path("eth1.5").endswith(" net/ipv4/conf/eth1.5/rp_filter=0")


def test_a_filter_that_can_only_half_be_read_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert arrival.reverse_path("eth0") == 0
    monkeypatch.setattr(arrival, "read_setting", lambda path: "0\n" if "/eth0/" in path else "")
    assert arrival.reverse_path("eth0") is None
