"""A wire with faults on it, between two namespaces. Needs root."""

import socket
import threading
import time

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")

from netfeed.host.namespace import Namespace, permitted
from netfeed.sim.faults import RATE, Faults
from netfeed.sim.link import Link
from netfeed.transport.relay import Relay

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here"),
]

GROUP, PORT, OTHER = "233.252.0.9", 9001, 9002


@pytest.fixture
def wire():
    """Two hosts, and a third between them in which the relay stands; gives `lay(devices)` and the two hosts."""
    stop = threading.Event()
    with Namespace("left") as left, Namespace("between") as between, Namespace("right") as right:
        between.connect("to-left", left, "eth0")
        between.connect("to-right", right, "eth0")
        for index, host in enumerate((left, right)):
            host.address("eth0", f"10.9.0.{index + 1}/24")
            host.route("233.252.0.0/24", "eth0")
        threads = []

        def lay(devices):
            with between.entered():
                relay = Relay("to-left", "to-right", devices)
            thread = threading.Thread(target=relay.run, args=(stop.is_set,))
            thread.start()
            threads.append((thread, relay))
            return relay

        yield lay, left, right
        stop.set()
        for thread, relay in threads:
            thread.join()
            relay.close()


def joined(host, address, port):
    with host.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((GROUP, port))
        sock.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(address)
        )
        sock.settimeout(5)
    return sock


def sender(host):
    with host.entered():
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def test_what_has_no_device_passes_both_ways(wire):
    lay, left, right = wire
    relay = lay({})
    with joined(right, "10.9.0.2", PORT) as receiver, sender(left) as out, sender(right) as back:
        out.sendto(b"there", (GROUP, PORT))
        data, (address, port) = receiver.recvfrom(100)
        assert data == b"there"
        out.settimeout(5)
        back.sendto(b"and back", (address, port))
        assert out.recv(100) == b"and back"
    assert relay.statistics.forwarded >= 2
    assert not relay.statistics.taken


def test_a_device_loses_what_it_draws_and_the_other_flow_is_whole(wire):
    lay, left, right = wire
    link = Link(Faults(loss=RATE // 2), seed=7)
    lay({(GROUP, PORT): link})
    with joined(right, "10.9.0.2", PORT) as lossy, joined(right, "10.9.0.2", OTHER) as whole, sender(left) as out:
        for index in range(200):
            out.sendto(b"%d" % index, (GROUP, PORT))
            out.sendto(b"%d" % index, (GROUP, OTHER))
        out.sendto(b"end", (GROUP, OTHER))
        seen = [whole.recv(100) for _ in range(201)]
        assert seen == [b"%d" % index for index in range(200)] + [b"end"]
        counts = link.counts
        assert counts.sent == 200
        arrived = [lossy.recv(100) for _ in range(200 - counts.lost)]
        assert 50 < counts.lost < 150
        assert arrived == sorted(arrived, key=int)


def test_a_damaged_packet_arrives_damaged(wire):
    """The frame around it is right, so that the kernel lets it through to whoever has to cope with it."""
    lay, left, right = wire
    lay({(GROUP, PORT): Link(Faults(corrupt=RATE), seed=3)})
    with joined(right, "10.9.0.2", PORT) as receiver, sender(left) as out:
        out.sendto(b"a message of some length", (GROUP, PORT))
        assert receiver.recv(100) != b"a message of some length"


def test_an_interface_that_is_down_costs_packets_and_not_the_relay(wire):
    lay, left, right = wire
    relay = lay({(GROUP, PORT): Link(Faults())})
    with joined(right, "10.9.0.2", PORT) as receiver, sender(left) as out:
        right.down("eth0")
        out.sendto(b"lost", (GROUP, PORT))
        until = time.monotonic() + 60
        while not relay.statistics.taken or not relay.statistics.delivered + relay.statistics.refused:
            assert time.monotonic() < until, "the relay never took the packet"
            time.sleep(0.001)
        right.up("eth0")
        right.route("233.252.0.0/24", "eth0")
        for _ in range(100):
            out.sendto(b"here", (GROUP, PORT))
            receiver.settimeout(0.1)
            try:
                assert receiver.recv(100) == b"here"
                break
            except TimeoutError:
                continue
        else:
            pytest.fail("nothing came after the interface was up again")
