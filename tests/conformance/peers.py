"""WebSocket endpoints of other makes on real sockets: servers that echo, and clients that speak to one that does.

Each is a coroutine on an asyncio loop of its own thread. A client gives back what it heard; what it says is MESSAGES.
The server of picows goes without aiofastnet over TLS: that of aiofastnet 1.2 ends with a segmentation fault here.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import picows
import websockets.asyncio.client as websockets_client
import websockets.asyncio.server as websockets_server
from aiohttp import web

Message = str | bytes
MESSAGES: list[Message] = [
    "hello", "", "gr\u00fc\u00df \u20ac \U0001f600" * 30, b"", bytes(range(256)) * 5, "a" * 125, "a" * 126,
    b"b" * 65_535, b"b" * 65_536, "c" * 300_000, *(f"update {number}" for number in range(200)),
]  # fmt: skip
CODE, REASON = 4000, "enough"
MAX_BYTES = 2**20
TIMEOUT_S = 60
Tls = ssl.SSLContext | None


# --- servers: give their port while they run


@asynccontextmanager
async def websockets_echo(context: Tls, compression: bool) -> AsyncIterator[int]:
    async def serve(one: websockets_server.ServerConnection) -> None:
        async for message in one:
            await one.send(message)

    kind = "deflate" if compression else None
    async with websockets_server.serve(
        serve, "127.0.0.1", 0, ssl=context, compression=kind, max_size=MAX_BYTES
    ) as server:  # fmt: skip
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def aiohttp_echo(context: Tls, compression: bool) -> AsyncIterator[int]:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        one = web.WebSocketResponse(compress=compression, max_msg_size=MAX_BYTES)
        await one.prepare(request)
        async for message in one:
            if message.type is aiohttp.WSMsgType.TEXT:
                await one.send_str(message.data)
            else:
                await one.send_bytes(message.data)
        return one

    app = web.Application()
    app.router.add_get("/ws", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class PicowsEcho(picows.WSListener):
    """Says every frame back."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif frame.msg_type in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION):
            transport.send(frame.msg_type, frame.get_payload_as_bytes(), frame.fin)


@asynccontextmanager
async def picows_echo(context: Tls, compression: bool) -> AsyncIterator[int]:
    server = await picows.ws_create_server(
        lambda request: PicowsEcho(), "127.0.0.1", 0, ssl=context, use_aiofastnet=not context
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


Server = Callable[[Tls, bool], AbstractAsyncContextManager[int]]
SERVERS: dict[str, Server] = {"websockets": websockets_echo, "aiohttp": aiohttp_echo, "picows": picows_echo}


# --- clients: say MESSAGES, hear as many, close with CODE, and give what was heard


async def websockets_talk(port: int, context: Tls, compression: bool, name: str) -> list[Message]:
    scheme, options = ("wss", {"ssl": context, "server_hostname": name}) if context else ("ws", {})
    kind = "deflate" if compression else None
    async with websockets_client.connect(
        f"{scheme}://127.0.0.1:{port}/ws", compression=kind, max_size=MAX_BYTES, proxy=None, **options  # type: ignore[arg-type]
    ) as one:  # fmt: skip
        heard = []
        for message in MESSAGES:
            await one.send(message)
            heard.append(await one.recv())
        await asyncio.wait_for(await one.ping(), TIMEOUT_S)
        await one.close(CODE, REASON)
        assert one.close_code == CODE
        return heard


async def aiohttp_talk(port: int, context: Tls, compression: bool, name: str) -> list[Message]:
    url = f"{'wss' if context else 'ws'}://127.0.0.1:{port}/ws"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            url, ssl=context or True, compress=15 if compression else 0, max_msg_size=MAX_BYTES, server_hostname=name
        ) as one,
    ):
        heard: list[Message] = []
        for message in MESSAGES:
            await (one.send_str(message) if isinstance(message, str) else one.send_bytes(message))
            answer = await one.receive(TIMEOUT_S)
            assert answer.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), answer
            heard.append(answer.data)
        raw = one.get_extra_info("socket")
        await one.close(code=CODE, message=REASON.encode())
        assert one.close_code == CODE
    while raw.fileno() >= 0:
        await asyncio.sleep(0.001)
    return heard


class PicowsTalk(picows.WSListener):
    """Says the next message when the last one is heard."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Message] = []
        self.code: int | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.say(transport)

    def say(self, transport: picows.WSTransport) -> None:
        if len(self.heard) == len(MESSAGES):
            transport.send_close(CODE, REASON.encode())
            return
        message = MESSAGES[len(self.heard)]
        kind = picows.WSMsgType.TEXT if isinstance(message, str) else picows.WSMsgType.BINARY
        transport.send(kind, message.encode() if isinstance(message, str) else message)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.CLOSE:
            self.code = frame.get_close_code()
            transport.disconnect()
            return
        text = frame.msg_type == picows.WSMsgType.TEXT
        self.heard.append(frame.get_payload_as_utf8_text() if text else frame.get_payload_as_bytes())
        self.say(transport)


async def picows_talk(port: int, context: Tls, compression: bool, name: str) -> list[Message]:
    url = f"{'wss' if context else 'ws'}://127.0.0.1:{port}/ws"
    options: dict[str, Any] = {"ssl_context": context, "server_hostname": name} if context else {}
    transport, listener = await picows.ws_connect(PicowsTalk, url, **options)
    await transport.wait_disconnected()
    assert isinstance(listener, PicowsTalk)
    assert listener.code == CODE
    return listener.heard


Client = Callable[[int, Tls, bool, str], Any]
CLIENTS: dict[str, Client] = {"websockets": websockets_talk, "aiohttp": aiohttp_talk, "picows": picows_talk}


# --- threads


@contextlib.contextmanager
def serving(server: Server, context: Tls, compression: bool) -> Iterator[int]:
    """Run a server in a thread, and give its port."""
    ready: list[int] = []
    started, ended = threading.Event(), threading.Event()

    async def run() -> None:
        async with server(context, compression) as port:
            ready.append(port)
            started.set()
            while not ended.is_set():
                await asyncio.sleep(0.002)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert started.wait(TIMEOUT_S)
        yield ready[0]
    finally:
        ended.set()
        thread.join(TIMEOUT_S)
    assert not thread.is_alive()


class Talking:
    """A client in a thread."""

    def __init__(self, client: Client, port: int, context: Tls, compression: bool, name: str) -> None:
        self.heard: list[Message] = []
        self.error: BaseException | None = None

        def run() -> None:
            try:
                self.heard = asyncio.run(asyncio.wait_for(client(port, context, compression, name), TIMEOUT_S))
            except BaseException as error:
                self.error = error

        self.thread = threading.Thread(target=run)
        self.thread.start()

    @property
    def is_over(self) -> bool:
        return not self.thread.is_alive()
