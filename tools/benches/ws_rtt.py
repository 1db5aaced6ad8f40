"""Round trips of a WebSocket message over loopback: the median, from the command that sends to the echo that is told.

    netfeed            a text of 256 bytes: the loop sleeps in epoll between the two
    netfeed:spin       the loop asks without sleeping
    netfeed:direct     a thread that has nothing else to do sleeps in recv (`transport.direct`)
    netfeed:tls        over TLS
    pure               the plain twins
    floor:c            a bare blocking loop in C
    peer:...           clients of other makes, on asyncio; `:uvloop` on uvloop; wsproto over a blocking socket

One server for all rows, a process of its own, says every frame back from a blocking loop in C; over TLS from one in
Python, so that rows with TLS compare with each other alone. A client must take the echo as the message that it is:
frames as views where that is its way.
"""

import asyncio
import ctypes
import os
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from statistics import median
from time import monotonic_ns, perf_counter_ns
from typing import Any

import aiohttp
import picows
import websockets.asyncio.client as websockets_client
from wsproto.events import TextMessage

from benches import Row, peer
from benches._websocket_clients import Place, blocking, closed, server
from benches._websocket_server import payload
from netfeed.proto import tls, websocket
from netfeed.proto.stack import Stack
from netfeed.transport.direct import Direct
from netfeed.transport.loop import Loop
from netfeed.transport.tcp import connect
from netfeed.wire import websocket as wire

NAME = "ws_rtt"
UNIT = "us/round trip"

TURNS, QUICK_TURNS = 4_000, 200
SIZE = 256
TEXT = payload(SIZE)
BATCHES = (websocket.Messages, wire.Messages)
"""Of the core, and of the twins."""
Context = ssl.SSLContext | None
Talk = Callable[[Place, int, Context], float]


def rows(file: Any, quick: bool) -> list[Row]:
    place = server()
    turns = QUICK_TURNS if quick else TURNS
    found: list[Row] = []

    def add(row: str | None, talk: Talk, context: Context = None) -> None:
        if row is not None:
            found.append((row + ":tls" * bool(context), lambda: talk(place, turns, context)))

    for context in (None, place.context()):
        add("netfeed", by_netfeed, context)
        add("netfeed:spin", spinning, context)
        add("netfeed:direct", direct, context)
        add("pure", by_twin, context)
        if place.library is not None and context is None:
            add("floor:c", bare)
        add(peer("picows"), by_picows, context)
        if find_spec("uvloop"):
            add(f"{peer('picows')}:uvloop", by_picows_on_uvloop, context)
        add(peer("aiohttp"), by_aiohttp, context)
        add(peer("websockets"), by_websockets, context)
        add(peer("wsproto"), by_wsproto, context)
    return found


class Times:
    """When each message went out, and how long its echo took."""

    def __init__(self, turns: int) -> None:
        self.turns, self.found = turns, list[int]()
        self.start = 0

    def begin(self) -> None:
        self.start = perf_counter_ns()

    def end(self, size: int) -> bool:
        """Take note of an echo; say whether it was the last one."""
        self.found.append(perf_counter_ns() - self.start)
        if size != SIZE:
            raise ValueError(f"an echo of {size} bytes came")
        return len(self.found) == self.turns

    def value(self) -> float:
        if len(self.found) != self.turns:
            raise ValueError(f"{len(self.found)} echoes of {self.turns} came")
        return median(self.found) / 1000


# --- netfeed


Run = Callable[[Any, Any, Callable[[Sequence[Any], int], None], list[Callable[[], None]]], None]
"""Drive a machine over a stream, hand over its events, and put into the list what stops it."""


def looped(machine: Any, stream: Any, events: Any, stops: list[Callable[[], None]], *, spin: bool = False) -> None:
    loop = Loop(spin=spin)
    stops.append(loop.stop)
    loop.add(machine, {0: stream}, events=events)
    loop.run()
    loop.close()


def directly(machine: Any, stream: Any, events: Any, stops: list[Callable[[], None]]) -> None:
    with Direct(machine, stream, events=events) as one:
        stops.append(one.stop)
        one.run()


def by_netfeed(place: Place, turns: int, context: Context, *, run: Run = looped, twin: bool = False) -> float:
    times, stops, now = Times(turns), list[Callable[[], None]](), monotonic_ns()
    client = websocket.Client("localhost", "/echo", now, random_bytes=os.urandom, compression=False)
    if twin:
        reader = client._talk._reader
        reader._finder = wire.Finder(False, reader._max_bytes)
        client._talk.sender._encode = wire.encode
    machine: Any = Stack(tls.client(context, "localhost", now), client) if context else client

    def events(events: Sequence[Any], now: int) -> None:
        for event in events:
            if isinstance(event, BATCHES):
                if times.end(len(event[0])):
                    stops[0]()
                    return
            elif not isinstance(event, websocket.Opened):
                continue
            times.begin()
            client.send_text(TEXT)  # drained by the driver when this returns

    run(machine, connect("127.0.0.1", place.port(context)), events, stops)
    return times.value()


def spinning(place: Place, turns: int, context: Context) -> float:
    return by_netfeed(place, turns, context, run=partial(looped, spin=True))


def direct(place: Place, turns: int, context: Context) -> float:
    return by_netfeed(place, turns, context, run=directly)


def by_twin(place: Place, turns: int, context: Context) -> float:
    return by_netfeed(place, turns, context, twin=True)


# --- C


def bare(place: Place, turns: int, context: Context) -> float:
    library = place.library
    assert library is not None
    library.round_trips.restype = ctypes.c_uint64
    library.round_trips.argtypes = [
        ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64),
    ]  # fmt: skip
    one, _, _ = blocking(place, "/echo", None)
    found = (ctypes.c_uint64 * turns)()
    out = wire.encode(0x81, TEXT, b"mask")
    if library.round_trips(one.fileno(), out, len(out), turns, found) != turns:
        raise ValueError("the server closed")
    closed(one)
    return float(median(found)) / 1000


# --- other makes


def url(place: Place, context: Context) -> str:
    return f"{'wss' if context else 'ws'}://localhost:{place.port(context)}/echo"


class Listener(picows.WSListener):
    """Sends the next message when the echo of the last one came."""

    def __init__(self, times: Times) -> None:
        super().__init__()
        self.times = times

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.times.begin()
        transport.send(picows.WSMsgType.TEXT, TEXT)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if self.times.end(len(frame.get_payload_as_memoryview())):
            transport.disconnect(False)
            return
        self.times.begin()
        transport.send(picows.WSMsgType.TEXT, TEXT)


def by_picows(place: Place, turns: int, context: Context, run: Callable[[Any], Any] = asyncio.run) -> float:
    times = Times(turns)

    async def work() -> None:
        options = {"ssl_context": context} if context else {}
        address: str = url(place, context)
        transport, _ = await picows.ws_connect(lambda: Listener(times), address, **options)  # type: ignore[arg-type]
        await transport.wait_disconnected()

    run(work())
    return times.value()


def by_picows_on_uvloop(place: Place, turns: int, context: Context) -> float:
    import uvloop

    return by_picows(place, turns, context, uvloop.run)


def by_aiohttp(place: Place, turns: int, context: Context) -> float:
    times = Times(turns)

    async def work() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url(place, context), ssl=context or True, decode_text=False) as one,
        ):
            over = False
            while not over:
                times.begin()
                await one.send_frame(TEXT, aiohttp.WSMsgType.TEXT)
                over = times.end(len((await one.receive()).data))
            one._response.close()

    asyncio.run(work())
    return times.value()


def by_websockets(place: Place, turns: int, context: Context) -> float:
    times = Times(turns)

    async def work() -> None:
        options = {"ssl": context} if context else {}
        address: str = url(place, context)
        one = await websockets_client.connect(address, compression=None, proxy=None, **options)  # type: ignore[arg-type]
        over = False
        while not over:
            times.begin()
            await one.send(TEXT, text=True)
            over = times.end(len(await one.recv(decode=False)))
        one.transport.abort()
        await one.wait_closed()

    asyncio.run(work())
    return times.value()


def by_wsproto(place: Place, turns: int, context: Context) -> float:
    times = Times(turns)
    one, talk, _ = blocking(place, "/echo", context)
    text, over = TEXT.decode(), False
    while not over:
        times.begin()
        one.sendall(talk.send(TextMessage(data=text)))
        size = 0
        while not size:
            talk.receive_data(one.recv(2**18))
            size = sum(len(event.data) for event in talk.events() if isinstance(event, TextMessage))
        over = times.end(size)
    closed(one)
    return times.value()
