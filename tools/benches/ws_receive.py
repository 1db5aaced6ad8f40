"""Receive WebSocket text frames over loopback: CPU nanoseconds for each message, the kernel's share included.

    netfeed            frames of 256 bytes: the loop and the machine, batches counted and the lengths in them added
    netfeed:each       the same, and each message taken out of its batch as an object
    netfeed:50, 1024   frames of 50 and of 1,024 bytes
    netfeed:tls        256 bytes over TLS
    pure, pure:tls     the plain twins
    floor:c...         a bare loop in C over a blocking socket that looks at each head and checks no text
    peer:...           clients of other makes, each in the way that costs it least: no text is decoded

One server for all rows, a process of its own, says the same frames with blocking sockets as fast as they go: how much
waits when a row reads depends on how fast the row is. What is timed is the receiving thread from the open connection to
the last message. On a machine with two processors one is the server's.
"""

import asyncio
import ctypes
import os
import ssl
from collections.abc import Callable, Coroutine, Sequence
from time import thread_time_ns
from typing import Any

import aiohttp
import numpy as np
import picows
import websockets.asyncio.client as websockets_client
from wsproto.events import TextMessage

from benches import Row, peer
from benches._websocket_clients import Place, blocking, closed, server
from netfeed.proto import tls, websocket
from netfeed.proto.stack import Stack
from netfeed.transport.loop import Loop
from netfeed.transport.tcp import connect
from netfeed.wire import websocket as wire

NAME = "ws_receive"
UNIT = "CPU ns/message"

MESSAGES, QUICK_MESSAGES = 400_000, 4_000
SHARE = {"pure": 20, "wsproto": 40, "websockets": 20, "aiohttp": 10, "picows": 2, "netfeed": 1, "floor": 1}
"""How many times fewer messages a slow row gets."""
BATCHES = (websocket.Messages, wire.Messages)
"""Of the core, and of the twins."""
Context = ssl.SSLContext | None
Receive = Callable[[Place, int, int, Context], float]


def rows(file: Any, quick: bool) -> list[Row]:
    place = server()
    context = place.context()
    most = QUICK_MESSAGES if quick else MESSAGES
    found: list[Row] = []

    def add(row: str | None, receive: Receive, kind: str, size: int = 256, context: Context = None) -> None:
        if row is not None:
            suffix = ":tls" if context else "" if size == 256 else f":{size}"
            count = max(1000, most // SHARE[kind])
            found.append((row + suffix, lambda: receive(place, size, count, context)))

    for size, kind in ((256, None), (50, None), (1024, None), (256, context)):
        add("netfeed", batches, "netfeed", size, kind)
        if size == 256:
            add("netfeed:each", each, "netfeed", size, kind)
            add("pure", pure, "pure", size, kind)
        if place.library is not None and kind is None:
            add("floor:c", bare, "floor", size)
        add(peer("picows"), by_picows, "picows", size, kind)
        add(peer("aiohttp"), by_aiohttp, "aiohttp", size, kind)
        add(peer("websockets"), by_websockets, "websockets", size, kind)
        add(peer("wsproto"), by_wsproto, "wsproto", size, kind)
    return found


class Count:
    """What came, and the time that it took."""

    def __init__(self, size: int, count: int) -> None:
        self.size, self.count = size, count
        self.messages = self.bytes = 0
        self.start = self.spent = 0

    def begin(self) -> None:
        self.start = thread_time_ns()

    @property
    def is_over(self) -> bool:
        if self.messages < self.count:
            return False
        self.spent = self.spent or thread_time_ns() - self.start
        return True

    def value(self) -> float:
        if self.messages != self.count or self.bytes != self.count * self.size:
            raise ValueError(f"{self.messages} messages and {self.bytes} bytes of {self.count} came")
        return self.spent / self.count


# --- netfeed


def batches(place: Place, size: int, count: int, context: Context) -> float:
    def take(batch: websocket.Messages, told: Count) -> None:
        told.messages += len(batch)
        told.bytes += int(np.asarray(batch.places)[:, 1].sum())

    return by_netfeed(place, size, count, context, take)


def each(place: Place, size: int, count: int, context: Context) -> float:
    def take(batch: websocket.Messages, told: Count) -> None:
        for at in range(len(batch)):
            told.messages += 1
            told.bytes += len(batch[at])

    return by_netfeed(place, size, count, context, take)


def pure(place: Place, size: int, count: int, context: Context) -> float:
    def take(batch: websocket.Messages, told: Count) -> None:
        told.messages += len(batch)
        told.bytes += int(np.asarray(batch.places)[:, 1].sum())

    return by_netfeed(place, size, count, context, take, twin=True)


def by_netfeed(
    place: Place, size: int, count: int, context: Context, take: Callable[[websocket.Messages, Count], None],
    twin: bool = False,
) -> float:  # fmt: skip
    told, loop = Count(size, count), Loop()
    now = loop.clock()
    client = websocket.Client("localhost", f"/send/{size}/{count}", now, random_bytes=os.urandom, compression=False)
    if twin:
        reader = client._talk._reader
        reader._finder = wire.Finder(False, reader._max_bytes)
    machine: Any = Stack(tls.client(context, "localhost", now), client) if context else client

    def events(events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, BATCHES):
                take(event, told)
            elif isinstance(event, websocket.Opened):
                told.begin()
        if told.is_over:
            loop.stop()

    loop.add(machine, {0: connect("127.0.0.1", place.port(context))}, events=events)
    loop.run()
    loop.close()
    return told.value()


# --- C


def bare(place: Place, size: int, count: int, context: Context) -> float:
    library = place.library
    assert library is not None
    library.drain.restype = ctypes.c_uint64
    library.drain.argtypes = [ctypes.c_int, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)]
    one, _, _ = blocking(place, f"/send/{size}/{count}", None)
    told, found = Count(size, count), ctypes.c_uint64()
    told.begin()
    told.messages = library.drain(one.fileno(), count, ctypes.byref(found))
    told.bytes = found.value
    assert told.is_over
    closed(one)
    return told.value()


# --- other makes


def url(place: Place, size: int, count: int, context: Context) -> str:
    return f"{'wss' if context else 'ws'}://localhost:{place.port(context)}/send/{size}/{count}"


def ran(work: Coroutine[Any, Any, None], told: Count) -> float:
    asyncio.run(work)
    return told.value()


class Listener(picows.WSListener):
    """Counts frames as picows hands them over: views, not decoded."""

    def __init__(self, told: Count, over: asyncio.Event) -> None:
        super().__init__()
        self.told, self.over = told, over

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.told.begin()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        told = self.told
        told.messages += 1
        told.bytes += len(frame.get_payload_as_memoryview())
        if told.messages == told.count:
            assert told.is_over
            self.over.set()


def by_picows(place: Place, size: int, count: int, context: Context) -> float:
    told = Count(size, count)

    async def work() -> None:
        over = asyncio.Event()
        options = {"ssl_context": context} if context else {}
        transport, _ = await picows.ws_connect(
            lambda: Listener(told, over), url(place, size, count, context), **options  # type: ignore[arg-type]
        )  # fmt: skip
        await over.wait()
        transport.disconnect(False)
        await transport.wait_disconnected()

    return ran(work(), told)


def by_aiohttp(place: Place, size: int, count: int, context: Context) -> float:
    told = Count(size, count)

    async def work() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                url(place, size, count, context), ssl=context or True, decode_text=False, timeout=NO_WAIT
            ) as one,
        ):
            told.begin()
            while not told.is_over:
                message = await one.receive()
                told.messages += 1
                told.bytes += len(message.data)
            one._response.close()

    return ran(work(), told)


NO_WAIT = aiohttp.ClientWSTimeout(ws_close=0.001)


def by_websockets(place: Place, size: int, count: int, context: Context) -> float:
    told = Count(size, count)

    async def work() -> None:
        options = {"ssl": context} if context else {}
        one = await websockets_client.connect(
            url(place, size, count, context), compression=None, proxy=None, **options  # type: ignore[arg-type]
        )  # fmt: skip
        told.begin()
        while not told.is_over:
            told.bytes += len(await one.recv(decode=False))
            told.messages += 1
        one.transport.abort()
        await one.wait_closed()

    return ran(work(), told)


def by_wsproto(place: Place, size: int, count: int, context: Context) -> float:
    one, talk, _ = blocking(place, f"/send/{size}/{count}", context)
    told = Count(size, count)
    told.begin()
    while not told.is_over:
        talk.receive_data(one.recv(2**18))
        for event in talk.events():
            if isinstance(event, TextMessage):
                told.bytes += len(event.data)
                told.messages += event.message_finished
    closed(one)
    return told.value()
