"""One of several addresses, over loopback: under the loop and under asyncio."""

import asyncio
import errno

import pytest

from netfeed.errors import ConfigurationError
from netfeed.transport.dial import dial, dial_async
from netfeed.transport.loop import Loop
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import Listener, Options, Stream

pytestmark = pytest.mark.net
S = 10**9


def refused() -> int:
    """Give a port that nobody listens at."""
    with Listener("127.0.0.1", 0, lambda stream, now: None) as listener:
        return listener.port


def dialled(addresses: list[tuple[str, int]], **kinds: object) -> Stream | NetworkError:
    loop = Loop()
    told: list[Stream | NetworkError] = []

    def tell(outcome: Stream | NetworkError, now: int) -> None:
        told.append(outcome)
        loop.stop()

    dial(loop, addresses, opened=tell, failed=tell, **kinds)  # type: ignore[arg-type]
    assert told == []
    loop.run(loop.clock() + 60 * S)
    assert loop.tasks == []
    loop.close()
    return told[0]


def test_an_address_of_the_other_family_is_taken_when_the_first_one_refuses() -> None:
    accepted: list[Stream] = []
    with Listener("127.0.0.1", 0, lambda stream, now: accepted.append(stream)) as listener:
        stream = dialled([("::1", refused()), ("127.0.0.1", listener.port)], options=Options(quick_ack=True))
        assert isinstance(stream, Stream)
        assert stream.connected
        assert stream.peer == f"127.0.0.1:{listener.port}"
        assert stream.options.quick_ack
        listener.ready(0)
    accepted[0].send([b"hello"])
    assert b"".join(map(bytes, stream.receive())) == b"hello"
    stream.close()
    accepted[0].close()


def test_all_that_refuse_are_named() -> None:
    one, two = refused(), refused()
    error = dialled([("127.0.0.1", one), ("127.0.0.1", two)])
    assert isinstance(error, NetworkError)
    assert error.errno == errno.ECONNREFUSED
    assert f"127.0.0.1 port {one}: Connection refused; 127.0.0.1 port {two}: Connection refused" in str(error)


def test_a_listener_whose_queue_is_full_does_not_answer_and_time_runs_out() -> None:
    with Listener("127.0.0.1", 0, lambda stream, now: None, backlog=0) as listener:
        waiting = []
        error: Stream | NetworkError | None = None
        while not isinstance(error, NetworkError):
            error = dialled([("127.0.0.1", listener.port)], timeout_ns=S // 5)
            waiting += [error] if isinstance(error, Stream) else []
        assert error.errno == errno.ETIMEDOUT
        for one in waiting:
            one.close()


def test_a_race_can_be_given_up() -> None:
    loop = Loop()

    def tell(outcome: object, now: int) -> None:
        raise AssertionError(outcome)

    give_up = dial(loop, [("127.0.0.1", refused())], opened=tell, failed=tell)
    give_up()
    give_up()
    assert loop.tasks == []
    loop.close()


def test_what_is_no_address_is_said_at_once() -> None:
    loop = Loop()
    with pytest.raises(ConfigurationError, match="no IP address"):
        dial(loop, [("www.example.com", 1)], opened=lambda *_: None, failed=lambda *_: None)
    assert loop.tasks == []
    loop.close()


def test_asyncio_dials_the_same_way() -> None:
    async def talk(port: int) -> str:
        stream = await dial_async([("::1", refused()), ("127.0.0.1", port)])
        peer = stream.peer
        stream.close()
        with pytest.raises(NetworkError, match="refused"):
            await dial_async([("127.0.0.1", refused())])
        return peer

    with Listener("127.0.0.1", 0, lambda stream, now: stream.close()) as listener:
        assert asyncio.run(talk(listener.port)) == f"127.0.0.1:{listener.port}"


def test_asyncio_can_give_a_race_up() -> None:
    async def talk(port: int) -> None:
        waiting: list[Stream] = []
        try:
            while True:
                waiting.append(await asyncio.wait_for(dial_async([("127.0.0.1", port)]), 0.2))
        except TimeoutError:
            for one in waiting:
                one.close()

    with Listener("127.0.0.1", 0, lambda stream, now: None, backlog=0) as listener:
        asyncio.run(talk(listener.port))
