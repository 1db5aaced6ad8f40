"""Where packets are lost, read from texts of /proc as they are, and from real losses in a namespace."""

import socket
from pathlib import Path

import pytest

from netfeed.host import card, loss
from netfeed.host.card import Counted
from netfeed.host.namespace import Namespace, permitted
from netfeed.host.tree import Tree
from netfeed.transport.network import Interface, find_interface, interfaces

SOFTNET = "00000010 00000002 00000001 0 0 0 0 0 0 0 0 0\n00000020 0000000a 00000000 0 0 0 0 0 0 0 0 0\n"
UDP = (
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops\n"
    "  1: 0100FCE9:6720 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 123\n"
    "  2: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0\n"
)
UDP6 = UDP.splitlines()[0] + (
    "\n  3: 000015FF000000000000000001000000:6720 00000000000000000000000000000000:0000 07 00000000:00000000 "
    "00:00000000 00000000     0        0 4713 2 0 5\n"
)
SNMP = "Udp: InErrors InCsumErrors MemErrors\nUdp: 9 3 4\n"
NETSTAT = "TcpExt: IPReversePathFilter\nTcpExt: 7\n"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    net = tmp_path / "proc/thread-self/net"
    net.mkdir(parents=True)
    for name, text in (
        ("softnet_stat", SOFTNET), ("udp", UDP), ("udp6", UDP6), ("snmp", SNMP), ("netstat", NETSTAT),
    ):  # fmt: skip
        (net / name).write_text(text)
    return Tree(str(tmp_path))


def test_every_layer_is_read(tree: Tree) -> None:
    found = loss.look([], tree)
    assert found.kernel == {"backlog": 12, "filtered": 7, "checksum": 3, "memory": 4}
    assert found.squeezed == 1
    assert [(one.address, one.drops) for one in found.sockets or ()] == [
        ("233.252.0.1:26400", 123),
        ("[ff15::1]:26400", 5),
    ]


def test_what_cannot_be_read_is_not_taken_for_nothing(tmp_path: Path) -> None:
    nothing = loss.look([], Tree(str(tmp_path)))
    assert nothing == loss.Loss({}, {}, None, None)
    assert loss.moved(nothing, nothing) == nothing


def test_many_sockets_are_all_read(tree: Tree) -> None:
    head, busy, idle = UDP.splitlines()
    (Path(tree.root) / "proc/thread-self/net/udp").write_text("\n".join([head, *[idle] * 30_000, busy]))
    sockets = loss.look([], tree).sockets
    assert sockets is not None
    assert sockets[0].drops == 123


def test_what_moved_is_told_apart_from_what_stood(tree: Tree) -> None:
    before = loss.look([], tree)
    net = Path(tree.root) / "proc/thread-self/net"
    (net / "udp").write_text(UDP.replace("0 123", "0 130"))
    (net / "snmp").write_text(SNMP.replace("9 3 4", "9 5 4"))
    now = loss.moved(before, loss.look([], tree))
    assert now.kernel == {"backlog": 0, "filtered": 0, "checksum": 2, "memory": 0}
    assert [(one.address, one.drops) for one in now.sockets or ()] == [("233.252.0.1:26400", 7)]


def test_an_interface_that_came_meanwhile_counts_from_nothing() -> None:
    after = loss.Loss({"eth1": Counted(5, 1, 2, 3, 4)}, {}, 0, ())
    assert loss.moved(loss.Loss({}, {}, 0, ()), after).nic["eth1"].lost == 5
    before = loss.Loss({"eth1": Counted(500, 1, 90, 0, 0)}, {}, 0, ())  # it was made anew
    assert loss.moved(before, after).nic["eth1"].lost == 5


@pytest.mark.parametrize("text", ["", "x y z\n", "1 2\n", "00 zz 00\n"])
def test_odd_texts_count_nothing(text: str) -> None:
    assert loss.softnet(text) == (None, None)
    assert loss.socket_drops("head\n" + text) == []


def test_the_kernel_counts_for_every_interface() -> None:
    assert all(isinstance(card.counted(one), Counted) for one in interfaces())
    assert card.counted(Interface(2**20, "nowhere")) is None
    assert card.driver_counters("nowhere") == {}


needs_namespaces = pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here")


@pytest.mark.root
@needs_namespaces
def test_a_full_buffer_is_found_at_the_socket_and_only_there() -> None:
    with Namespace("host") as host, host.entered():
        host.up("lo")
        before = loss.look([find_interface("lo")])
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            receiver.bind(("127.0.0.1", 9000))
            for _ in range(200):
                sender.sendto(bytes(100), ("127.0.0.1", 9000))
            now = loss.moved(before, loss.look([find_interface("lo")]))
            receiver.setblocking(False)
            came = 0
            try:
                while receiver.recv(200):
                    came += 1
            except BlockingIOError:
                pass
    (one,) = now.sockets or ()
    assert one.address == "127.0.0.1:9000"
    assert one.drops == 200 - came > 0
    assert now.nic["lo"].lost == 0
    assert not any(count for reason, count in now.kernel.items() if reason != "backlog")  # that one is the machine's


@pytest.mark.root
@needs_namespaces
def test_the_reverse_path_filter_is_found_in_the_kernel() -> None:
    with Namespace("venue") as venue, Namespace("host") as host:
        venue.connect("out", host, "in")
        venue.address("out", "10.9.0.1/24")
        host.address("in", "10.9.1.2/24")  # another network: no route back to the sender
        host.write("net.ipv4.conf.all.rp_filter", "1")
        host.write("net.ipv4.conf.in.rp_filter", "1")
        with host.entered():
            before = loss.look([find_interface("in")])
        with venue.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.9.0.1"))
            with host.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
                member.setsockopt(
                    socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                    socket.inet_aton("233.252.0.1") + socket.inet_aton("10.9.1.2"),
                )  # fmt: skip
                for _ in range(7):
                    sender.sendto(b"tick", ("233.252.0.1", 9000))
        with host.entered():
            now = loss.moved(before, loss.look([find_interface("in")]))
    assert now.kernel["filtered"] == 7
    assert now.nic["in"].multicast + now.nic["in"].packets >= 7
