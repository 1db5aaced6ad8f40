"""Sockets for feeds, on loopback: who hears what, what is stamped, dropped, granted and refused."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.transport import Batch
from netfeed.transport.network import NetworkError, find_interface, interfaces
from netfeed.transport.send import Sender
from netfeed.transport.udp import UdpSocket, open_multicast, open_unicast
from tests.transport.waiting import come

GROUP, OTHER = "233.252.0.61", "233.252.0.62"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def heard(one: UdpSocket) -> list[bytes]:
    """Give what has come."""
    return [datagram.data for datagram in come(one.receive)]


@contextlib.contextmanager
def sender(group: str, port: int, source: str | None = None) -> Iterator[Sender]:
    with Sender(group, port, interface="lo", source=(source, 0) if source else None) as one:
        yield one


@pytest.mark.net
def test_an_interface_is_found_by_name_and_by_address() -> None:
    lo = find_interface("lo")
    assert lo == find_interface("127.0.0.1")
    assert lo.ipv4 == "127.0.0.1"
    assert lo in interfaces()
    assert find_interface(None).index == 0
    with pytest.raises(ConfigurationError, match=r"no interface 'lo9'; there are: lo \(127\.0\.0\.1"):
        find_interface("lo9")


@pytest.mark.net
@pytest.mark.parametrize("interface", ["lo", "127.0.0.1"])
def test_a_joined_group_is_heard_with_a_stamp(interface: str) -> None:
    port = free_port()
    with open_multicast(GROUP, port, interface=interface) as one, sender(GROUP, port) as venue:
        venue.send(b"hello")
        (datagram,) = come(one.receive)
        assert datagram.data == b"hello"
        assert datagram.source == venue.local
        assert datagram.ts_ns is not None
        assert datagram.ts_ns > 1_500_000_000 * 10**9  # since 1970, in ns


@pytest.mark.net
def test_a_group_that_another_socket_joined_is_not_heard() -> None:
    port = free_port()
    with (
        open_multicast(GROUP, port, interface="lo") as one,
        open_multicast(OTHER, port, interface="lo") as two,
        UdpSocket("0.0.0.0", port) as wildcard,
        sender(OTHER, port) as venue,
    ):
        venue.send(b"for the other")
        assert heard(one) == []
        assert heard(two) == [b"for the other"]
        assert heard(wildcard) == []


@pytest.mark.net
def test_groups_are_joined_and_left_at_any_time() -> None:
    port = free_port()
    with UdpSocket("0.0.0.0", port) as one, sender(GROUP, port) as venue:
        venue.send(b"before")
        membership = one.join(GROUP, interface="lo")
        venue.send(b"while")
        assert str(membership) == f"{GROUP} on lo"
        one.leave(membership)
        venue.send(b"after")
        assert heard(one) == [b"while"]
        with pytest.raises(MisuseError, match="not joined"):
            one.leave(membership)


@pytest.mark.net
def test_groups_are_joined_again() -> None:
    port = free_port()
    with open_multicast(GROUP, port, interface="lo", source="127.0.0.1") as one, sender(GROUP, port) as venue:
        before = list(one.memberships)
        one.rejoin()
        assert one.memberships == before
        venue.send(b"again")
        assert heard(one) == [b"again"]


@pytest.mark.net
def test_with_a_source_only_that_source_is_heard() -> None:
    port = free_port()
    with (
        open_multicast(GROUP, port, interface="lo", source="127.0.0.1") as one,
        sender(GROUP, port, "127.0.0.2") as stranger,
        sender(GROUP, port) as venue,
    ):
        stranger.send(b"from elsewhere")
        venue.send(b"from the venue")
        assert heard(one) == [b"from the venue"]
        one.leave(one.memberships[0])
        venue.send(b"too late")
        assert heard(one) == []


@pytest.mark.net
def test_a_batch_receives_from_such_a_socket() -> None:
    port = free_port()
    batch = Batch(packets=8, size=64)
    with open_multicast(GROUP, port, interface="lo") as one, sender(GROUP, port) as venue:
        venue.send_all([b"a", b"bb"])
        assert come(batch.receive, one.fileno()) == 2
        rows = batch.packets[:2]
        assert [int(row["payload_length"]) for row in rows] == [1, 2]
        assert all(int(row["ts_ns"]) > 0 for row in rows)
        assert {int(row["destination_port"]) for row in rows} == {port}


@pytest.mark.net
def test_what_does_not_fit_is_counted_by_the_kernel_exactly() -> None:
    with open_unicast("127.0.0.1", buffer_bytes=8192) as one, Sender("127.0.0.1", one.port) as venue:
        sent = venue.send_all([bytes(100)] * 500)
        received = 0
        while batch := come(one.receive):
            received += len(batch)
        assert received < sent
        assert one.drops() == sent - received


@pytest.mark.net
def test_a_buffer_that_is_not_granted_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfeed.transport.udp._SO_RCVBUFFORCE", -1)  # as without CAP_NET_ADMIN
    with UdpSocket("127.0.0.1", 0, buffer_bytes=2**30) as one:
        assert one.granted_bytes < one.requested_bytes == 2**30
        assert any("net.core.rmem_max=1073741824" in warning for warning in one.warnings)


@pytest.mark.net
def test_hardware_stamps_and_busy_polling_may_be_asked_for_anywhere() -> None:
    with UdpSocket("127.0.0.1", 0, stamps="hardware", busy_poll_us=50) as one, Sender("127.0.0.1", one.port) as here:
        here.send(b"x")
        assert come(one.receive)[0].ts_ns is not None  # the kernel's, where the card makes none
    with open_multicast(GROUP, free_port(), interface="lo", stamps="hardware") as one:
        assert any("lo does not stamp in hardware" in warning for warning in one.warnings)


@pytest.mark.net
def test_one_group_too_many_names_the_limit() -> None:
    with UdpSocket("0.0.0.0", 0) as one, pytest.raises(NetworkError, match="igmp_max_memberships"):
        for number in range(1, 255):
            one.join(f"239.1.1.{number}", interface="lo")


@pytest.mark.net
def test_what_cannot_be_joined_is_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match="no multicast group"):
        open_multicast("10.0.0.1", 1234, interface="lo")
    with UdpSocket("0.0.0.0", 0) as one:
        with pytest.raises(NetworkError, match="not of the same IP version"):
            one.join("ff3e::1", interface="lo")
        one.join(GROUP, interface="lo")
        with pytest.raises(NetworkError, match="joined it already"):
            one.join(GROUP, interface="lo")
    with pytest.raises(MisuseError):
        UdpSocket("127.0.0.1", 0, stamps="exact")


@pytest.mark.net
def test_a_port_that_somebody_has_for_himself_is_said() -> None:
    with open_unicast("127.0.0.1") as one, pytest.raises(NetworkError, match="does not share it"):
        UdpSocket("127.0.0.1", one.port)
    with pytest.raises(NetworkError, match="neither a group nor an address of this host"):
        UdpSocket("198.51.100.7", 0)


@pytest.mark.net
def test_a_peer_that_does_not_listen_is_no_failure() -> None:
    with open_unicast("127.0.0.1", peer=("127.0.0.1", free_port())) as one:
        one.send(b"anybody?")
        one.send(b"anybody?")
        assert come(one.receive) == []
