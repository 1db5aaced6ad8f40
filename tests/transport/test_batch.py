"""A batch of datagrams from real sockets: bytes, addresses, stamps, drops, and what does not fit."""

import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from netfeed.build import PURE
from netfeed.transport import batch as plain
from netfeed.wire.capture import NO_TIME, Kind
from tests.transport.waiting import come

SO_TIMESTAMPNS, SO_TIMESTAMPING, SO_RXQ_OVFL, IP_PKTINFO = 35, 37, 40, 8
RX_SOFTWARE_AND_REPORT = 1 << 3 | 1 << 4
LOOPBACK = bytes(10) + b"\xff\xff" + bytes([127, 0, 0, 1])

CLASSES: list[Any] = [plain.Batch]
if not PURE:
    from netfeed.transport.mmsg import Batch as CoreBatch

    CLASSES.append(CoreBatch)


@pytest.fixture(params=CLASSES, ids=lambda one: one.__module__.rpartition(".")[2])
def batch_class(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        yield one


@pytest.fixture
def sender(receiver: socket.socket) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        one.connect(receiver.getsockname())
        yield one


def payloads(batch: Any, count: int) -> list[bytes]:
    return [
        bytes(batch.data[row["payload_offset"] : row["payload_offset"] + row["payload_length"]])
        for row in batch.packets[:count]
    ]


@pytest.mark.net
def test_what_waits_comes_as_rows_and_bytes(batch_class: Any, receiver: socket.socket, sender: socket.socket) -> None:
    sent = [b"one", b"", b"three" * 100]
    for payload in sent:
        sender.send(payload)
    batch = batch_class(8)
    assert come(batch.receive, receiver.fileno()) == 3
    assert payloads(batch, 3) == sent
    for row, payload in zip(batch.packets, sent, strict=False):
        assert (row["kind"], row["ip_version"], row["vlan"]) == (Kind.UDP, 4, 0xFFFF)
        assert row["captured_length"] == row["original_length"] == len(payload)
        assert (row["source"].tobytes(), row["source_port"]) == (LOOPBACK, sender.getsockname()[1])
        assert (row["destination"].tobytes(), row["destination_port"]) == (LOOPBACK, receiver.getsockname()[1])
        assert row["ts_ns"] == NO_TIME  # the socket was not asked for stamps
    assert come(batch.receive, receiver.fileno()) == 0


@pytest.mark.net
def test_more_than_a_batch_comes_in_order_over_several(
    batch_class: Any, receiver: socket.socket, sender: socket.socket
) -> None:
    for k in range(10):
        sender.send(bytes([k]) * k)
    batch, found = batch_class(4, 64), []
    while count := come(batch.receive, receiver.fileno()):
        found += payloads(batch, count)
    assert found == [bytes([k]) * k for k in range(10)]


@pytest.mark.net
def test_a_datagram_longer_than_its_slot_is_cut_and_says_so(
    batch_class: Any, receiver: socket.socket, sender: socket.socket
) -> None:
    sender.send(b"x" * 100)
    sender.send(b"y" * 64)
    batch = batch_class(2, 64)
    assert come(batch.receive, receiver.fileno()) == 2
    assert batch.packets["kind"].tolist() == [Kind.TRUNCATED, Kind.UDP]
    assert batch.packets["original_length"].tolist() == [100, 64]
    assert payloads(batch, 2) == [b"x" * 64, b"y" * 64]


@pytest.mark.net
@pytest.mark.parametrize(("option", "value"), [(SO_TIMESTAMPNS, 1), (SO_TIMESTAMPING, RX_SOFTWARE_AND_REPORT)])
@pytest.mark.parametrize("hardware", [False, True])
def test_stamps_are_the_kernels_and_rise(
    batch_class: Any, receiver: socket.socket, sender: socket.socket, option: int, value: int, hardware: bool
) -> None:
    receiver.setsockopt(socket.SOL_SOCKET, option, value)
    batch = batch_class(4, hardware=hardware)  # loopback has no hardware stamps: the software's are given

    def took(count: int) -> tuple[int, list[int], int]:
        before = time.time_ns()
        for k in range(count):
            sender.send(bytes([k]))
        after = time.time_ns()
        assert come(batch.receive, receiver.fileno()) == count
        return before, batch.packets["ts_ns"][:count].tolist(), after

    # The kernel switches stamping on a moment after the first socket of a host asked for it; what arrived before has
    # no stamp, or that of its reading. Both tell themselves apart from a stamp of the arrival, which is before `after`.
    until = time.monotonic() + 30
    while not (one := took(1))[0] <= one[1][0] <= one[2]:
        assert time.monotonic() < until, "the kernel never began to stamp"
    before, (first, second, third), after = took(3)
    assert before <= first <= second <= third <= after


@pytest.mark.net
def test_the_kernels_drops_are_exact(batch_class: Any, sender: socket.socket, receiver: socket.socket) -> None:
    receiver.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(100):
        sender.send(b"z" * 500)
    batch, kept = batch_class(64), 0
    while count := come(batch.receive, receiver.fileno()):
        kept += count
    sender.send(b"after")  # the count travels with what is received later
    assert come(batch.receive, receiver.fileno()) == 1
    assert 0 < kept < 100
    assert batch.drops == 100 - kept


@pytest.mark.net
def test_a_group_is_the_destination_where_the_socket_asks_for_it(batch_class: Any) -> None:
    group = "233.252.0.77"
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("", 0))
        receiver.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        membership = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), socket.if_nametoindex("lo"))
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        sender.sendto(b"hello", (group, receiver.getsockname()[1]))
        batch = batch_class(2)
        assert come(batch.receive, receiver.fileno()) == 1
        assert batch.packets[0]["destination"].tobytes()[12:] == socket.inet_aton(group)
        assert batch.packets[0]["interface"] == socket.if_nametoindex("lo")


@pytest.mark.net
def test_ipv6(batch_class: Any) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender,
    ):
        try:
            receiver.bind(("::1", 0))
        except OSError as error:
            pytest.skip(f"no IPv6 loopback here: {error}")
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sender.sendto(b"six", receiver.getsockname()[:2])
        batch = batch_class(2)
        assert come(batch.receive, receiver.fileno()) == 1
        row = batch.packets[0]
        assert row["ip_version"] == 6
        assert row["source"].tobytes() == row["destination"].tobytes() == bytes(15) + b"\x01"
        assert row["interface"] == socket.if_nametoindex("lo")


@pytest.mark.net
def test_what_is_no_socket_raises(batch_class: Any) -> None:
    read, write = os.pipe()
    try:
        with pytest.raises(OSError):
            batch_class().receive(read)
    finally:
        os.close(read)
        os.close(write)
    with pytest.raises(OSError):
        batch_class().receive(-1)


@pytest.mark.net
def test_a_refused_request_raises(batch_class: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(address)
        asking.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            batch_class().receive(asking.fileno())


@pytest.mark.parametrize("arguments", [(0,), (-1,), (1025,), (1, 0), (1, 65537)])
def test_a_batch_has_bounds(batch_class: Any, arguments: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="1 to 1024 packets of 1 to 65536 bytes"):
        batch_class(*arguments)
