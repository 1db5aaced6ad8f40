"""Network namespaces: made, wired, and gone. Needs root."""

import os
import socket
import subprocess
import sys

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")

from netfeed.host.namespace import Namespace, NamespaceError, permitted

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here"),
]


def test_two_namespaces_talk_over_a_veth_pair():
    with Namespace("one") as one, Namespace("two") as two:
        one.connect("left", two, "right")
        one.address("left", "10.9.0.1/24")
        two.address("right", "10.9.0.2/24")
        with two.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("10.9.0.2", 9000))
            receiver.settimeout(5)
            with one.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"hello", ("10.9.0.2", 9000))
            assert receiver.recv(100) == b"hello"


def test_the_thread_comes_back_even_from_an_error():
    before = os.readlink("/proc/thread-self/ns/net")
    with Namespace("one") as one:
        with pytest.raises(ValueError), one.entered():
            assert os.readlink("/proc/thread-self/ns/net") != before
            raise ValueError
        assert os.readlink("/proc/thread-self/ns/net") == before


def test_a_process_started_inside_lives_inside():
    show = "import socket; print(*[name for _, name in socket.if_nameindex()])"
    with Namespace("one") as one, Namespace("two") as two:
        one.connect("left", two, "right")
        with one.entered():
            found = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["lo", "left"]


def test_a_bridge_forwards_a_group_only_to_its_members():
    """The kernel's bridge snoops: who has not joined gets nothing."""
    group, port = "233.252.0.9", 9001
    with (
        Namespace("switch") as switch,
        Namespace("venue") as venue,
        Namespace("in") as member,
        Namespace("out") as other,
    ):
        for index, host in enumerate((venue, member, other)):
            switch.connect(f"port{index}", host, "eth0")
            host.address("eth0", f"10.9.0.{index + 1}/24")
            host.route("233.252.0.0/24", "eth0")
        switch.bridge("br0", ["port0", "port1", "port2"])
        with member.entered():
            joined = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            joined.bind((group, port))
            request = socket.inet_aton(group) + socket.inet_aton("10.9.0.2")
            joined.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            joined.settimeout(0.05)
        with other.entered():
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
            tap.settimeout(0.05)
        with joined, tap, venue.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(200):  # a bridge floods until its first query has been answered
                sender.sendto(b"tick", (group, port))
                came, strayed = received(joined), received(tap)
                if came and not strayed:
                    break
            assert came
            assert not strayed


def received(sock):
    """Take all that comes until nothing has come for a moment."""
    found = []
    while True:
        try:
            found += [data for data in [sock.recv(2000)] if b"tick" in data]
        except TimeoutError:
            return found


def test_a_missing_interface_is_named():
    with Namespace("one") as one, pytest.raises(NamespaceError, match="no interface 'eth7'"):
        one.up("eth7")
