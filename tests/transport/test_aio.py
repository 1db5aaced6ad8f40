"""The same machines under asyncio: questions, answers and deadlines."""

import asyncio
from typing import Any

import pytest

from netfeed.machine import NEVER, Buffer
from netfeed.transport.aio import Driver
from netfeed.transport.endpoint import exchange, service
from netfeed.transport.network import NetworkError
from netfeed.transport.tcp import Listener, Options, Stream, connect
from netfeed.transport.udp import open_unicast


class Asker:
    """Asks until it has its answers; asks again when its deadline passes."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.got, self.asked = wanted, 0, 0
        self.deadline = 0
        self.out: list[bytes] = []

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Any]:
        self.got += 1
        self.deadline = now if self.got < self.wanted else NEVER
        return [bytes(data)]

    def wake(self, now: int) -> list[Any]:
        if now < self.deadline:
            return []
        self.asked += 1
        self.out.append(b"question")
        self.deadline = now + 2_000_000
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        out, self.out = self.out, []
        return out


class Echo:
    """Answers every question but the first."""

    deadline = NEVER

    def __init__(self) -> None:
        self.heard = 0
        self.out: list[bytes] = []
        self.ended = False

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Any]:
        self.heard += 1
        if self.heard > 1:
            self.out.append(b"answer")
        return []

    def wake(self, now: int) -> list[Any]:
        return []

    def transmit(self, port: int = 0) -> list[bytes]:
        out, self.out = self.out, []
        return out

    def end(self, now: int) -> list[Any]:
        self.ended = True
        return []


@pytest.mark.net
def test_machines_talk_over_datagrams() -> None:
    async def talk() -> tuple[Asker, list[Any]]:
        answers: list[Any] = []
        enough = asyncio.Event()
        server = open_unicast("127.0.0.1")
        asker = Asker(3)

        def take(events: Any, now: int) -> None:
            answers.extend(events)
            if asker.got == asker.wanted:
                enough.set()

        there = {4: service(server)}
        here = {0: exchange(open_unicast("127.0.0.1", peer=("127.0.0.1", server.port)))}
        async with Driver(Echo(), there), Driver(asker, here, events=take):
            await asyncio.wait_for(enough.wait(), 30)
        return asker, answers

    asker, answers = asyncio.run(talk())
    assert answers == [b"answer"] * 3
    assert asker.asked >= 4


@pytest.mark.net
def test_a_driver_is_finished_when_the_peer_closes() -> None:
    async def talk() -> tuple[Echo, int]:
        streams: list[Stream] = []
        with Listener("127.0.0.1", 0, lambda stream, now: streams.append(stream)) as listener:
            client = Echo()
            async with Driver(client, {0: connect("127.0.0.1", listener.port)}) as driver:
                while not streams:
                    listener.ready(0)
                    await asyncio.sleep(0)
                streams[0].send([b"hello"])
                streams[0].close()
                await asyncio.wait_for(driver.finished(), 30)
            return client, client.heard

    client, heard = asyncio.run(talk())
    assert client.ended
    assert heard == 1


@pytest.mark.net
def test_a_refused_connection_raises_out_of_finished() -> None:
    async def talk() -> None:
        with Listener("127.0.0.1", 0, lambda stream, now: None) as listener:
            port = listener.port
        async with Driver(Echo(), {0: connect("127.0.0.1", port)}) as driver:
            await asyncio.wait_for(driver.finished(), 30)

    with pytest.raises(NetworkError, match="refused"):
        asyncio.run(talk())


@pytest.mark.net
def test_what_the_machine_says_to_the_end_is_sent_before_the_connection_closes() -> None:
    class Polite(Echo):
        def end(self, now: int) -> list[Any]:
            self.out.append(b"farewell" * 200_000)
            return super().end(now)

    async def talk() -> tuple[bytes, Polite]:
        streams: list[Stream] = []
        options = Options(send_buffer_bytes=20_000)
        with Listener("127.0.0.1", 0, lambda stream, now: streams.append(stream), options=options) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            while not streams:
                listener.ready(0)
                await asyncio.sleep(0)
            server = Polite()
            async with Driver(server, {0: streams[0]}) as driver:
                writer.write_eof()
                got = await asyncio.wait_for(reader.read(), 60)
                await asyncio.wait_for(driver.finished(), 60)
            writer.close()
            await writer.wait_closed()
        return got, server

    got, server = asyncio.run(talk())
    assert got == b"farewell" * 200_000
    assert server.ended


@pytest.mark.net
def test_a_peer_that_resets_while_it_is_still_told_something_ends_the_driver_quietly() -> None:
    class Polite(Echo):
        def end(self, now: int) -> list[Any]:
            self.out.append(bytes(3_000_000))
            return super().end(now)

    async def talk() -> None:
        streams: list[Stream] = []
        small = Options(send_buffer_bytes=20_000, receive_buffer_bytes=20_000)
        with Listener("127.0.0.1", 0, lambda stream, now: streams.append(stream), options=small) as listener:
            client = connect("127.0.0.1", listener.port, options=small)
            while not streams:
                client.flush()
                listener.ready(0)
                await asyncio.sleep(0)
            server = Polite()
            async with Driver(server, {0: streams[0]}) as driver:
                client.end_sending()
                while not server.ended:
                    await asyncio.sleep(0)
                assert streams[0].queued_bytes
                client.reset()
                await asyncio.wait_for(driver.finished(), 60)
            assert streams[0].fileno() == -1

    asyncio.run(talk())
