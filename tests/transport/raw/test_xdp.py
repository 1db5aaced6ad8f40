"""AF_XDP on a veth pair: exact counts, what goes past the reader, what is refused and why. Needs root."""

import errno
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")
from pyroute2 import IPRoute

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.host.namespace import Namespace, permitted
from netfeed.transport.network import NetworkError
from netfeed.transport.raw import xdp_socket
from netfeed.transport.raw.source import Form, FrameKind, Why
from netfeed.transport.raw.xdp import XdpSource
from netfeed.transport.raw.xdp_refusals import REMEDIES, Step, refused
from netfeed.wire import pcap
from netfeed.wire.frame import locate
from tests.transport.waiting import until

GROUP = "233.252.0.1"
ROOM = 1 << 20


def possible() -> bool:
    """Say whether a socket of AF_XDP can be had here at all."""
    try:
        socket.socket(xdp_socket.AF_XDP, socket.SOCK_RAW).close()
    except OSError:
        return False
    return permitted()


on_veth = pytest.mark.skipif(not possible(), reason="no AF_XDP sockets or namespaces for us here")


class Pair:
    """A venue that sends and a host that reads, on either end of a cable."""

    def __init__(self, venue: Namespace, host: Namespace, stack: ExitStack) -> None:
        self.venue, self.host, self._stack = venue, host, stack

    def open(self, **options: Any) -> XdpSource:
        with self.host.entered():
            return self._stack.enter_context(XdpSource("eb", **options))

    def joined(self, port: int) -> socket.socket:
        """Give a socket of the host that has joined the group."""
        with self.host.entered():
            one = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind((GROUP, port))
            member = socket.inet_aton(GROUP) + socket.inet_aton("10.9.0.2")
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            one.settimeout(30)
        return one

    def send(self, count: int, *ports: int) -> None:
        with self.venue.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(count):
                for port in ports:
                    sender.sendto(b"%08d" % number, (GROUP, port))

    def link(self, namespace: Namespace, interface: str, verb: str, **values: Any) -> None:
        with namespace.entered(), IPRoute() as ip:
            ip.link(verb, index=ip.link_lookup(ifname=interface)[0], **values)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        venue, host = stack.enter_context(Namespace("venue")), stack.enter_context(Namespace("host"))
        venue.connect("ea", host, "eb")
        venue.address("ea", "10.9.0.1/24")
        host.address("eb", "10.9.0.2/24")
        venue.route("233.252.0.0/24", "ea")
        yield Pair(venue, host, stack)


def all_of(source: XdpSource, count: int) -> list[bytes]:
    """Read records until so many frames have come, and give what they carry."""
    carried: list[bytes] = []
    out = bytearray(ROOM)

    def read() -> bool:
        written = source.write_into(out, Form.PCAP)
        for one in pcap.records(pcap.file_header() + bytes(out[: written.bytes])):
            packet = locate(one.data, 1)
            carried.append(bytes(one.data[packet.payload_offset :][: packet.payload_length]))
        return len(carried) >= count

    until(read)
    return carried


@pytest.mark.parametrize("mode", ["native", "generic"])
@pytest.mark.root
@on_veth
def test_the_target_goes_to_the_reader_alone_and_all_else_to_the_host(pair: Pair, mode: str) -> None:
    stolen, passed = pair.joined(5000), pair.joined(5001)
    source = pair.open(mode=mode, targets=[(GROUP, 5000)])
    assert (source.mode, source.stamps, source.warnings) == (mode, "user", [])
    pair.send(200, 5000, 5001)  # fits the buffer of the host's socket
    assert all_of(source, 200) == [b"%08d" % number for number in range(200)]
    assert [passed.recv(100) for _ in range(200)] == [b"%08d" % number for number in range(200)]
    stolen.setblocking(False)
    with pytest.raises(BlockingIOError):
        stolen.recv(100)
    found = source.statistics()
    assert (found.frames, found.bytes, found.drops, found.invalid) == (200, 200 * (42 + 8), 0, 0)
    source.close()
    source.close()
    assert source.statistics() == found
    pair.send(1, 5000)
    stolen.settimeout(30)
    assert stolen.recv(100) == b"00000000"  # the host has its packets again


@pytest.mark.root
@on_veth
def test_every_frame_of_an_interface_that_nobody_else_needs(pair: Pair) -> None:
    source = pair.open(snap=60)
    assert source.warnings == ["AF_XDP takes every frame of eb away from this host while it reads"]
    with pair.host.entered(), IPRoute() as ip:
        assert ip.get_links(ifname="eb")[0].get_attr("IFLA_PROMISCUITY") == 1
    with pair.venue.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("ea", 0))
        for first in (b"\xff" * 6, b"\x01\x00\x5e\x00\x00\x01", b"\x02\x00\x00\x00\x00\x77"):
            sender.send(first + bytes(6) + b"\x12\x34" + bytes(60))
    assert select.select([source], [], [], 30)[0]
    found: list[Any] = []
    until(lambda: bool(found.extend(one for one in source.take() if one.data[12:14] == b"\x12\x34")) or len(found) == 3)
    assert [one.kind for one in found] == [FrameKind.BROADCAST, FrameKind.MULTICAST, FrameKind.HOST]
    assert {(len(one.data), one.length) for one in found} == {(60, 74)}
    assert source.take() == []


@pytest.mark.parametrize("mode", ["native", "generic"])
@pytest.mark.root
@on_veth
def test_what_a_reader_that_is_late_loses_is_counted_exactly(pair: Pair, mode: str) -> None:
    source = pair.open(mode=mode, frames=64, targets=[(GROUP, 5000)])
    pair.send(200, 5000)
    until(lambda: source.statistics().drops == 136)
    out = bytearray(ROOM)
    assert source.write_into(out, Form.PCAPNG, frames=60).why is Why.COUNT
    assert source.write_into(out, Form.PCAPNG).frames == 4
    pair.send(64, 5000)
    assert len(all_of(source, 64)) == 64
    found = source.statistics()
    assert (found.frames, found.drops) == (128, 136)


@pytest.mark.root
@on_veth
def test_an_interface_that_is_removed_is_said_and_ends_nothing_else(pair: Pair) -> None:
    source = pair.open(targets=[(GROUP, 5000)])
    pair.send(3, 5000)
    pair.link(pair.venue, "ea", "del")
    assert len(all_of(source, 3)) == 3  # what had come is still there
    until(lambda: source.take() == [] and source.gone is not None)
    assert source.gone == "the interface eb was removed, or moved elsewhere"
    assert source.write_into(bytearray(ROOM), Form.PCAP).why is Why.EMPTY
    assert source.statistics().frames == 3


@pytest.mark.root
@on_veth
def test_a_queue_can_be_had_again_at_once_and_not_twice(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.open(targets=[(GROUP, 5000)]).close()
    source = pair.open(targets=[(GROUP, 5000)])
    with pytest.raises(MisuseError, match="at least 262144 bytes"):
        source.write_into(bytearray(1000), Form.PCAP)
    monkeypatch.setattr(xdp_socket, "BUSY_S", 0.02)
    with pytest.raises(NetworkError, match="queue 0: Device or resource busy; another program reads this queue"):
        pair.open(targets=[(GROUP, 5001)])
    pair.send(2, 5000)
    assert len(all_of(source, 2)) == 2  # the refused one left the first as it was


@pytest.mark.root
@on_veth
def test_what_cannot_be_had_is_refused_with_its_remedy(pair: Pair) -> None:
    for options, error, why in (
        ({"queue": 5}, NetworkError, r"queue 5: Invalid argument; there is no such queue"),
        ({"zero_copy": True}, NetworkError, r"Operation not supported; the driver has no zero copy: leave it out"),
        ({"zero_copy": True, "mode": "generic"}, ConfigurationError, "zero copy is the driver's"),
        ({"mode": "offload"}, ConfigurationError, "a mode of AF_XDP is auto, native, generic; not 'offload'"),
        ({"frames": 100}, ConfigurationError, "a power of two"),
        ({"snap": 0}, ConfigurationError, "at least a byte"),
        ({"targets": [("nowhere", 1)]}, ConfigurationError, "no IP address"),
    ):
        with pytest.raises(error, match=why):
            pair.open(**options)
    with pair.host.entered(), pytest.raises(ConfigurationError, match="there is no interface 'eth9'"):
        XdpSource("eth9")


@pytest.mark.root
@on_veth
def test_a_driver_that_runs_no_program_is_read_in_generic_mode(pair: Pair) -> None:
    for namespace, name in ((pair.venue, "ea"), (pair.host, "eb")):
        pair.link(namespace, name, "set", mtu=9000)  # native veth takes frames of a page
    with pytest.raises(NetworkError, match="cannot attach the program on eb"):
        pair.open(mode="native", targets=[(GROUP, 5000)])
    source = pair.open(targets=[(GROUP, 5000)])
    assert source.mode == "generic"
    assert "frames of eb can have 9018 bytes: those of more than 3840 are dropped" in source.warnings[0]
    assert "runs no XDP program" in source.warnings[1]
    with pair.venue.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(bytes(3840 - 42), (GROUP, 5000))
        sender.sendto(bytes(3840 - 41), (GROUP, 5000))
    assert [len(one) for one in all_of(source, 1)] == [3840 - 42]
    until(lambda: source.statistics().drops == 1)


@pytest.mark.root
@on_veth
def test_queues_that_nobody_reads_are_warned_of_and_go_to_the_host() -> None:
    with Namespace("venue") as venue, Namespace("host") as host:
        with host.entered(), IPRoute() as ip:
            peer = {"ifname": "ea", "net_ns_fd": venue._fd}
            ip.link("add", ifname="eb", kind="veth", num_rx_queues=2, num_tx_queues=2, peer=peer)
        host.up("eb")
        venue.up("ea")
        with host.entered(), XdpSource("eb", queue=1, targets=[(GROUP, 5000)]) as source:
            assert "eb has 2 queues and only queue 1 is read" in source.warnings[0]


WITHOUT = """
import ctypes, resource, struct, sys
from netfeed.transport.network import NetworkError
from netfeed.transport.raw.xdp import XdpSource
resource.setrlimit(resource.RLIMIT_MEMLOCK, (2**20, 2**20))
libc = ctypes.CDLL(None, use_errno=True)
kept = int(sys.argv[1])
assert libc.capset(struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", kept, kept, 0, 0, 0, 0)) == 0
try:
    XdpSource("lo", frames=int(sys.argv[2]))
except NetworkError as error:
    print(error.denied, error)
"""


@pytest.mark.root
@on_veth
@pytest.mark.parametrize(
    ("kept", "frames", "said"),
    [
        (0, 64, "True cannot open a socket of AF_XDP on lo, queue 0: Operation not permitted; needs CAP_NET_RAW, "),
        (1 << 13, 64, "True cannot load a program of BPF on lo, queue 0: Operation not permitted; needs CAP_NET_RAW, "),
        (1 << 13, 4096, "False cannot open a socket of AF_XDP on lo, queue 0: No buffer space available; its memory "),
    ],
    ids=["nothing", "CAP_NET_RAW", "more memory than may be locked"],
)
def test_who_may_not_is_told_what_it_needs(kept: int, frames: int, said: str) -> None:
    command = [sys.executable, "-c", WITHOUT, str(kept), str(frames)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith(said)


@pytest.mark.parametrize(("step", "number"), sorted(REMEDIES, key=lambda one: (one[0].name, one[1])))
def test_every_refusal_is_one_line_that_names_step_and_remedy(step: Step, number: int) -> None:
    error = refused(step, "eth0", OSError(number, "why"))
    assert str(error) == f"cannot {step.value} on eth0: why; {REMEDIES[step, number]}"
    assert "\n" not in str(error)
    assert not error.denied


def test_a_kernel_without_it_is_told_with_what_to_read_instead() -> None:
    assert str(refused(Step.OPEN, "eth0", OSError(errno.EAFNOSUPPORT, "no"))).endswith("read with `packet` instead")
    assert refused(Step.PROGRAM, "eth0", OSError(errno.EPERM, "no")).denied
    assert str(refused(Step.BIND, "eth0", OSError(errno.EIO, "no"))) == "cannot bind AF_XDP to the queue on eth0: no"
