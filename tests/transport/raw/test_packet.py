"""A ring on a real interface, in namespaces: nothing lost that is not counted, filters from the first frame on."""

import errno
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from typing import Any

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")

pytest.importorskip("scapy", reason="scapy is not installed (extra scapy)")

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1Q, Ether

from netfeed.build import PURE
from netfeed.errors import ConfigurationError, MisuseError
from netfeed.host.namespace import Namespace, _index, _netlink, permitted
from netfeed.transport.network import NetworkError
from netfeed.transport.raw import blocks as plain
from netfeed.transport.raw import packet
from netfeed.transport.raw.bpf import Instruction
from netfeed.transport.raw.fanout import Fanout
from netfeed.transport.raw.filter import compile_filter, compile_pairs
from netfeed.transport.raw.packet import LINK_COOKED, LINK_ETHERNET, ROOM, PacketRing
from netfeed.transport.raw.source import Form, Frame, FrameKind, FrameSource
from netfeed.wire import pcap, pcapng
from netfeed.wire.frame import LinkType, locate
from tests.transport.waiting import until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here"),
]

READERS: list[Any] = [plain.BlockReader]
if not PURE:
    from netfeed.transport.raw.ring import BlockReader as CoreReader

    READERS.append(CoreReader)

GROUP, PORT = "233.252.0.9", 26400
SMALL = {"block_bytes": 4096, "blocks": 4, "timeout_ns": 1_000_000}
SOON = {"timeout_ns": 5_000_000, "block_bytes": 65536, "blocks": 256}


@pytest.fixture(params=READERS, ids=lambda one: one.__module__.rpartition(".")[2])
def twin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(packet, "BlockReader", request.param)
    return request.param


@pytest.fixture
def hosts() -> Iterator[tuple[Namespace, Namespace]]:
    """Two hosts with a wire between them, on which nobody talks by itself."""
    with Namespace("left") as left, Namespace("right") as right:
        left.connect("va", right, "vb")
        for host, interface in ((left, "va"), (right, "vb")):
            host.write(f"net.ipv6.conf.{interface}.disable_ipv6", "1")
        left.address("va", "10.9.0.1/24")
        left.route("233.252.0.0/24", "va")
        yield left, right


@pytest.fixture
def opened(hosts: tuple[Namespace, Namespace]) -> Iterator[Callable[..., PacketRing]]:
    rings: list[PacketRing] = []

    def one(interface: str = "vb", host: int = 1, **more: Any) -> PacketRing:
        with hosts[host].entered():
            rings.append(PacketRing(interface, **{**SOON, **more}))
        return rings[-1]

    yield one
    for ring in rings:
        ring.close()


def send(host: Namespace, numbers: range, port: int = PORT, size: int = 20) -> None:
    with host.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for number in numbers:
            one.sendto(struct.pack("!I", number).ljust(size, b"."), (GROUP, port))


def udp(frames: list[Frame]) -> list[int]:
    """Give the numbers of the datagrams among frames: IGMP and the like are nobody's."""
    payloads = [frame.data[42:] for frame in frames if frame.data[23:24] == b"\x11" and frame.data[12:14] == b"\x08\0"]
    return [struct.unpack_from("!I", payload)[0] for payload in payloads]


def detach(ring: PacketRing) -> None:
    with socket.socket(fileno=os.dup(ring.fileno())) as one:
        one.setsockopt(socket.SOL_SOCKET, 27, 0)


def drain(ring: PacketRing, count: int) -> list[Frame]:
    """Take until so many datagrams are there."""
    found: list[Frame] = []

    def there() -> bool:
        found.extend(ring.take())
        return len(udp(found)) >= count

    until(there)
    return found


def test_every_frame_is_seen_once_in_order_with_rising_stamps(twin: Any, hosts: Any, opened: Any) -> None:
    ring: FrameSource = opened()
    send(hosts[0], range(5000))
    assert isinstance(ring, PacketRing)
    frames = drain(ring, 5000)
    assert udp(frames) == list(range(5000))
    assert all(a.ts_ns <= b.ts_ns for a, b in pairwise(frames))
    assert {frame.kind for frame in frames} == {FrameKind.MULTICAST}
    assert all(frame.length == len(frame.data) for frame in frames)
    statistics = ring.statistics()
    assert (statistics.frames, statistics.drops, statistics.invalid) == (len(frames), 0, 0)
    assert statistics.bytes == sum(len(frame.data) for frame in frames)
    assert (ring.interface, ring.stamps, ring.linktype, ring.warnings) == ("vb", "software", LINK_ETHERNET, [])


@pytest.mark.parametrize("form", list(Form))
def test_records_are_those_of_a_capture_file(twin: Any, hosts: Any, opened: Any, form: Form) -> None:
    ring, out, written = opened(), bytearray(ROOM), bytearray()
    send(hosts[0], range(3000))

    def there() -> bool:
        one = ring.write_into(out, form)
        written.extend(out[: one.bytes])
        return ring.statistics().frames >= 3000

    until(there)
    if form == Form.PCAP:
        records = list(pcap.records(pcap.file_header() + written))
    else:
        records = list(pcapng.records(pcapng.Writer([pcapng.Interface(1)]).start() + written))
    frames = [Frame(one.ts_ns, bytes(one.data), one.original_length, FrameKind.HOST) for one in records]
    assert udp(frames) == list(range(3000))


def test_what_does_not_fit_the_ring_is_counted_exactly(twin: Any, hosts: Any, opened: Any) -> None:
    ring = opened(**SMALL, program=compile_pairs([(GROUP, PORT)]))
    for sent in (2000, 4000, 6000):  # the kernel forgets its counters when they are read
        send(hosts[0], range(sent - 2000, sent), size=500)
        until(lambda: not ring.take() and seen(ring) >= sent)  # noqa: B023
        assert seen(ring) == sent
    statistics = ring.statistics()
    assert statistics.drops > 0
    assert statistics.freezes > 0
    assert statistics.frames >= 3 * 4  # a frame in each block at least


def seen(ring: PacketRing) -> int:
    statistics = ring.statistics()
    return statistics.frames + statistics.drops


def test_a_filter_lets_nothing_pass_while_the_ring_is_opened(hosts: Any, opened: Any) -> None:
    stop, begun = threading.Event(), threading.Event()

    def talk() -> None:
        while not stop.is_set():
            send(hosts[0], range(50), PORT + 1)
            begun.set()

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        assert begun.wait(60)
        program = compile_pairs([(GROUP, PORT)])
        rings = [opened(program=program, fanout=fanout, blocks=8) for fanout in [None, Fanout(1), None, Fanout(1)] * 3]
        drain(opened(blocks=64), 100)  # it would have seen them
    finally:
        stop.set()
        talker.join()
    assert [ring.take() for ring in rings] == [[]] * 12


def test_a_filter_is_kept_and_locked(twin: Any, hosts: Any, opened: Any) -> None:
    for fanout in (None, Fanout(1)):
        ring = opened(program=compile_pairs([(GROUP, PORT)]), fanout=fanout)
        send(hosts[0], range(100), PORT + 1)
        send(hosts[0], range(100, 200))
        frames = drain(ring, 100)
        assert udp(frames) == list(range(100, 200))
        assert len(frames) == 100
        with pytest.raises(OSError, match="not permitted"):  # it is locked
            detach(ring)
        ring.close()


def test_a_snap_length_cuts_the_frames(twin: Any, hosts: Any, opened: Any) -> None:
    for program in (None, compile_filter("udp")):
        ring = opened(snap=46, program=program)
        send(hosts[0], range(3))
        frames = [one for one in drain(ring, 3) if one.length == 62]
        assert [len(one.data) for one in frames] == [46] * 3


def test_sockets_of_a_fanout_share_the_frames(twin: Any, hosts: Any, opened: Any) -> None:
    program = compile_pairs([(GROUP, PORT)])
    rings = [opened(program=program, fanout=Fanout(7, "lb")) for _ in range(3)]
    send(hosts[0], range(300))
    found = [udp(drain(ring, 100)) for ring in rings]
    assert sorted(chain.from_iterable(found)) == list(range(300))
    assert [len(one) for one in found] == [100, 100, 100]


def test_a_fanout_by_flow_keeps_flows_together_and_a_program_chooses(twin: Any, hosts: Any, opened: Any) -> None:
    by_flow = [opened(program=compile_pairs([(GROUP, PORT)]), fanout=Fanout(8, "hash")) for _ in range(2)]
    by_number = (Instruction(0x20, k=28), Instruction(0x16))  # the payload, from the network header on
    chosen = [opened(program=compile_pairs([(GROUP, PORT)]), fanout=Fanout(9, "cbpf", by_number)) for _ in range(2)]
    send(hosts[0], range(100))
    assert [udp(drain(ring, 50)) for ring in chosen] == [list(range(0, 100, 2)), list(range(1, 100, 2))]
    found: list[list[int]] = [[], []]

    def there() -> bool:
        for ring, numbers in zip(by_flow, found, strict=True):
            numbers += udp(ring.take())
        return len(found[0]) + len(found[1]) == 100

    until(there)
    assert sorted(len(one) for one in found) == [0, 100]


def test_sockets_of_one_group_agree_on_the_mode(hosts: Any, opened: Any) -> None:
    opened(fanout=Fanout(7, "lb"))
    with pytest.raises(NetworkError, match="same mode and interface"):
        opened(fanout=Fanout(7, "hash"))


def test_an_interface_goes_down_comes_up_and_is_removed(twin: Any, hosts: Any, opened: Any) -> None:
    ring, out = opened(), bytearray(ROOM)
    hosts[1].down("vb")
    assert select.select([ring], [], [], 10)[0]  # the kernel says it at once
    ring.take()
    assert (ring.down, ring.gone) == (True, None)
    hosts[1].up("vb")
    until(lambda: not ring.write_into(out, Form.PCAP).frames and not ring.down)
    send(hosts[0], range(10))
    assert udp(drain(ring, 10)) == list(range(10))
    send(hosts[0], range(10, 20))
    with hosts[0].entered(), _netlink() as ip:
        ip.link("del", index=_index(ip, "va"))
    assert udp(drain(ring, 10)) == list(range(10, 20))  # what was there before is not lost
    until(lambda: not ring.take() and ring.gone is not None)
    assert ring.gone == "the interface vb was removed"


def test_an_interface_that_is_down_is_waited_for(hosts: Any, opened: Any) -> None:
    hosts[1].down("vb")
    ring = opened()
    assert ring.warnings == ["vb is down: nothing comes until somebody switches it on"]
    hosts[1].up("vb")
    until(lambda: not ring.take() and not ring.down)
    send(hosts[0], range(10))
    assert udp(drain(ring, 10)) == list(range(10))


def test_vlan_tags_are_in_the_frames_and_found_by_filters(twin: Any, hosts: Any, opened: Any) -> None:
    every = opened()
    tagged, other = opened(program=compile_filter("vlan 5 and udp")), opened(program=compile_filter("vlan 6"))
    cooked = opened("any", program=compile_filter("vlan 5 and udp dst port 26400", cooked=True))
    leaving = opened("va", 0, program=compile_filter("vlan 5 and udp"))
    ip = IP(src="10.9.5.1", dst=GROUP) / UDP(sport=7, dport=PORT) / b"tagged"
    frame = bytes(Ether(src="02:00:00:00:00:01", dst="01:00:5e:7c:00:09") / Dot1Q(vlan=5, prio=1) / ip)
    with hosts[0].entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as one:
        one.bind(("va", 0))
        one.send(frame)
    for ring in (every, tagged, leaving):
        found: list[Frame] = []

        def there(ring: PacketRing = ring, found: list[Frame] = found) -> bool:
            found.extend(one for one in ring.take() if one.data.endswith(b"tagged"))
            return bool(found)

        until(there)
        assert [(one.data, one.length) for one in found] == [(frame, len(frame))]
    seen_cooked: list[Frame] = []
    until(lambda: bool(seen_cooked.extend(cooked.take()) or seen_cooked))
    assert (seen_cooked[0].data[:2], seen_cooked[0].data[20:24]) == (b"\x81\x00", b"\x20\x05\x08\x00")
    assert other.take() == []


def test_both_directions_are_seen_unless_asked_otherwise(hosts: Any, opened: Any) -> None:
    both, incoming = opened("va", 0), opened("va", 0, outgoing=False)
    send(hosts[0], range(5))
    assert {one.kind for one in drain(both, 5)} == {FrameKind.OUTGOING}
    assert incoming.take() == []


def test_a_loopback_shows_each_frame_once(twin: Any, hosts: Any, opened: Any) -> None:
    rings = [opened("lo"), opened("127.0.0.1"), opened("any", program=compile_filter("udp", cooked=True))]
    with hosts[1].entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for number in range(4):
            one.sendto(struct.pack("!I", number), ("127.0.0.1", PORT))
    for ring in rings[:2]:
        assert udp(drain(ring, 4)) == [0, 1, 2, 3]
    cooked: list[Frame] = []
    until(lambda: len(cooked.extend(rings[2].take()) or cooked) >= 4)
    assert rings[2].linktype == LINK_COOKED
    ports = [locate(one.data, LinkType.LINUX_SLL2, one.length).destination_port for one in cooked]
    assert ports == [PORT] * 4


def test_hardware_stamps_are_not_claimed_where_the_card_makes_none(hosts: Any, opened: Any) -> None:
    ring = opened(stamps="hardware")
    assert ring.stamps == "software"
    assert "does not stamp" in ring.warnings[0]
    send(hosts[0], range(3))
    drain(ring, 3)
    assert ring.stamped_in_hardware == 0


def test_what_cannot_be_opened_is_said(hosts: Any, opened: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no interface 'vc'; there are: lo \(.*; vb"):
        opened("vc")
    with pytest.raises(ConfigurationError, match="blocks of a multiple of"):
        opened(block_bytes=5000)
    with pytest.raises(ConfigurationError, match="stamps are"):
        opened(stamps="sundial")
    with pytest.raises(ConfigurationError, match="ends with a return"):
        opened(program=(Instruction(0x00),))


def test_a_ring_is_closed_twice_and_keeps_its_counters(twin: Any, hosts: Any, opened: Any) -> None:
    with opened() as ring:
        send(hosts[0], range(5))
        drain(ring, 5)
        with pytest.raises(MisuseError, match="at least 262144 bytes"):
            ring.write_into(bytearray(100), Form.PCAP)
    ring.close()
    assert ring.statistics().frames >= 5
    with pytest.raises(MisuseError, match="while the ring is open"):
        ring.write_into(bytearray(ROOM), Form.PCAP)


def test_who_may_not_is_told_what_it_takes(hosts: Any) -> None:
    with hosts[1].entered():
        os.seteuid(65534)
        try:
            with pytest.raises(NetworkError, match="CAP_NET_RAW: run as root, or `setcap") as raised:
                PacketRing("vb")
        finally:
            os.seteuid(0)
    assert raised.value.denied


class Poor(socket.socket):
    """A socket for which the kernel has no memory."""

    def setsockopt(self, *_: Any) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def test_a_ring_for_which_there_is_no_memory_is_to_be_smaller() -> None:
    with (
        Poor() as poor,
        pytest.raises(NetworkError, match=r"a ring of 40960 bytes: .*; take less than 10 blocks of 4096"),
    ):
        packet.make_ring(poor, 4096, 10, 1)
