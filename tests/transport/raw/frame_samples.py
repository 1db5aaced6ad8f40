"""Frames that filters are tried on, made with scapy: each of the protocols, with addresses and ports of a few."""

from itertools import product

import pytest

pytest.importorskip("scapy", reason="scapy is not installed (extra scapy)")

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

HOSTS = ("10.0.0.1", "10.0.0.2", "233.252.0.1", "192.168.7.9")
HOSTS6 = ("fd00::1", "ff3e::1:2", "fd00:0:0:1::1")
PORTS = (5, 53, 26400)


def frames() -> list[bytes]:
    """Make frames without tags."""
    found: list[Packet] = []
    for source, destination in product(HOSTS, HOSTS):
        found += [
            IP(src=source, dst=destination, proto=2) / Raw(b"\x16\0\0\0"),
            IP(src=source, dst=destination) / ICMP(),
        ]
        found += [
            ARP(psrc=source, pdst=destination),
            IP(src=source, dst=destination, frag=3, proto=17) / Raw(bytes(20)),
        ]
    for (source, destination), (port, to) in product(product(HOSTS[:2], HOSTS[1:3]), product(PORTS, PORTS)):
        found.append(IP(src=source, dst=destination) / UDP(sport=port, dport=to) / b"x")
        found.append(IP(src=source, dst=destination, options=[IPOption_Router_Alert()]) / TCP(sport=port, dport=to))
    for (source, destination), to in product(product(HOSTS6, HOSTS6), PORTS):
        for transport in (UDP, TCP):
            found.append(IPv6(src=source, dst=destination) / transport(sport=7, dport=to) / b"x")
        found.append(IPv6(src=source, dst=destination) / IPv6ExtHdrFragment() / UDP(sport=to, dport=to))
    found += [IPv6(src="fd00::1", dst="ff02::1") / ICMPv6EchoRequest(), Raw(bytes(46))]
    return [bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / one) for one in found]


FRAMES = frames()


def tagged(frame: bytes, *tags: bytes) -> bytes:
    """Put VLAN tags into a frame."""
    return frame[:12] + b"".join(tags) + frame[12:]
