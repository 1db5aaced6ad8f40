"""Connections between namespaces: peers that die, addresses that lead nowhere, data in the SYN."""

from collections.abc import Iterator

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")

import errno
import time

from netfeed.host.namespace import Namespace, permitted
from netfeed.transport.dial import dial
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import KeepAlive, Listener, Options, Stream, connect
from tests.transport.waiting import until

pytestmark = pytest.mark.root
S = 10**9


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Give a venue and a host, joined by a veth pair: v0 10.9.0.1 fd09::1, h0 10.9.0.2 fd09::2."""
    if not permitted():
        pytest.skip("may not make network namespaces")
    with Namespace("venue") as venue, Namespace("host") as host:
        for one in (venue, host):
            one.write("net.ipv6.conf.default.accept_dad", "0")
            one.write("net.ipv4.tcp_fastopen", "3")
        venue.connect("v0", host, "h0")
        for namespace, interface, number in ((venue, "v0", 1), (host, "h0", 2)):
            namespace.address(interface, f"10.9.0.{number}/24")
            namespace.address(interface, f"fd09::{number}/64")
        yield venue, host


def listening(venue: Namespace, accepted: list[Stream], options: Options | None = None, host: str = "::") -> Listener:
    with venue.entered():
        return Listener(host, 0, lambda stream, now: accepted.append(stream), options=options or Options())


def opened(pair: tuple[Namespace, Namespace], options: Options) -> tuple[Stream, Stream]:
    venue, host = pair
    accepted: list[Stream] = []
    with listening(venue, accepted) as listener:
        with host.entered():
            client = connect("10.9.0.1", listener.port, options=options)
        until(lambda: (client.flush(), listener.ready(0), client.connected and bool(accepted))[-1])
    return client, accepted[0]


def failure(stream: Stream) -> int:
    found: list[int] = []

    def look() -> bool:
        try:
            stream.receive()
        except NetworkError as error:
            found.append(error.errno)
        return bool(found)

    until(look)
    return found[0]


def test_a_peer_that_acknowledges_nothing_is_given_up(pair: tuple[Namespace, Namespace]) -> None:
    client, server = opened(pair, Options(user_timeout_ns=S // 2))
    pair[0].down("v0")
    client.send([b"is anybody there"])
    assert failure(client) == errno.ETIMEDOUT
    client.close()
    server.close()


def test_a_peer_that_only_listens_is_given_up_by_keep_alive(pair: tuple[Namespace, Namespace]) -> None:
    client, server = opened(pair, Options(keep_alive=KeepAlive(1, 1, 1)))
    pair[0].down("v0")
    assert failure(client) == errno.ETIMEDOUT
    client.close()
    server.close()


def test_a_network_without_a_route_is_told_at_once(pair: tuple[Namespace, Namespace]) -> None:
    with pair[1].entered(), pytest.raises(NetworkError, match="Network is unreachable"):
        connect("192.0.2.1", 80)


def test_an_address_that_swallows_everything_costs_its_head_start_only(pair: tuple[Namespace, Namespace]) -> None:
    """IPv6 leads nowhere, IPv4 answers: nobody waits for the first to time out."""
    venue, host = pair
    accepted: list[Stream] = []
    told: list[Stream | NetworkError] = []
    loop = Loop()

    def tell(outcome: Stream | NetworkError, now: int) -> None:
        told.append(outcome)
        loop.stop()

    with listening(venue, accepted) as listener:
        nowhere, somewhere = ("fd09::77", listener.port), ("10.9.0.1", listener.port)
        with host.entered():
            dial(loop, [nowhere, somewhere], opened=tell, failed=tell, stagger_ns=S // 20)
            loop.run(loop.clock() + 30 * S)
    assert isinstance(told[0], Stream)
    assert told[0].peer == f"10.9.0.1:{listener.port}"
    told[0].close()
    loop.close()


def answers(host: str, port: int) -> bool:
    """Try a connection. One that began before the kernel had settled its own address bears a wrong one for good."""
    try:
        client = connect(host, port)
    except NetworkError:
        return False
    end = time.monotonic() + 0.5
    try:
        while not client.connected and time.monotonic() < end:
            client.flush()
        return client.connected
    except NetworkError:
        return False
    finally:
        client.close()


def test_ipv6_is_taken_where_it_answers(pair: tuple[Namespace, Namespace]) -> None:
    venue, host = pair
    told: list[Stream | NetworkError] = []
    loop = Loop()

    def tell(outcome: Stream | NetworkError, now: int) -> None:
        told.append(outcome)
        loop.stop()

    with listening(venue, []) as listener, host.entered():
        until(lambda: answers("fd09::1", listener.port))
        both = [("fd09::1", listener.port), ("10.9.0.1", listener.port)]
        dial(loop, both, opened=tell, failed=tell, stagger_ns=5 * S)
        loop.run(loop.clock() + 30 * S)
    assert isinstance(told[0], Stream)
    assert told[0].peer == f"[fd09::1]:{listener.port}"
    told[0].close()
    loop.close()


def test_fast_open_carries_the_first_bytes_in_the_syn(pair: tuple[Namespace, Namespace]) -> None:
    venue, host = pair
    fast = Options(fast_open=True)
    accepted: list[Stream] = []
    found: list[bool] = []
    with listening(venue, accepted, fast) as listener:
        assert listener.warnings == []
        for _ in range(2):  # the first one fetches the cookie
            with host.entered():
                client = connect("10.9.0.1", listener.port, options=fast)
            assert client.warnings == []
            found.append(_talked(client, listener, accepted))
    assert found == [False, True]


def _talked(client: Stream, listener: Listener, accepted: list[Stream]) -> bool:
    """Ask, be answered, and say whether the question went with the SYN."""
    client.send([b"hello"])
    until(lambda: (client.flush(), listener.ready(0), bool(accepted))[-1])
    server, got = accepted.pop(), bytearray()
    until(lambda: (got.extend(b"".join(map(bytes, server.receive()))), got == b"hello")[-1])
    server.send([b"welcome"])
    until(lambda: bool(client.receive()))
    info = client.statistics().tcp
    assert info is not None
    client.close()
    server.close()
    return info.fast_open
