"""A crypto venue on real sockets of loopback, on aiohttp: its list and snapshots over HTTP, its books over WebSocket.

It moves in a thread of its own. Books move by seeded chance while it flows; a change can be kept from those who listen.
"""

import asyncio
import random
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar

from aiohttp import WSMsgType, web

from tests.app.crypto_words import Words
from tests.venues.depth_messages import written

PATIENCE_S = 60.0
EVERY_S = 0.002
Answer = TypeVar("Answer")


class Book:
    """The truth of one instrument."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name, self.number, self._chance = name, 1_000, chance
        self.sides: tuple[dict[Decimal, str], dict[Decimal, str]] = ({}, {})
        for place in range(1, 6):
            self.sides[0][Decimal(10_000 - place) / 100] = f"{place}.000"
            self.sides[1][Decimal(10_000 + place) / 100] = f"{place}.000"

    def bids(self) -> list[tuple[str, str]]:
        return [(f"{price:.2f}", quantity) for price, quantity in sorted(self.sides[0].items(), reverse=True)]

    def asks(self) -> list[tuple[str, str]]:
        return [(f"{price:.2f}", quantity) for price, quantity in sorted(self.sides[1].items())]

    def move(self, step: int, kept: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Change one level, and give what changed of both sides."""
        self.number += step
        side = self._chance.randrange(2)
        price = Decimal(10_000 + (1 if side else -1) * self._chance.randint(1, 30)) / 100
        levels = self.sides[side]
        quantity = f"{self._chance.randint(1, 9_999) / 1000:.3f}"
        if price in levels and len(levels) > 3 and self._chance.random() < 0.5:
            quantity = "0.000"
            del levels[price]
        else:
            levels[price] = quantity
        for worst in sorted(levels, reverse=side == 0)[kept:]:
            del levels[worst]
        changed = [(f"{price:.2f}", quantity)]
        return (changed, []) if side == 0 else ([], changed)

    def numbers(self) -> list[dict[Decimal, Decimal]]:
        return [{price: Decimal(quantity) for price, quantity in side.items()} for side in self.sides]


class Client:
    """One connection over WebSocket."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.request, self.socket = request, socket
        self.carried: dict[str, None] = {}
        self.count = 0
        self.out: asyncio.Queue[str] = asyncio.Queue()

    async def write(self) -> None:
        """Send what is to be said, in its order, until the connection breaks off."""
        while True:
            await self.socket.send_str(await self.out.get())


class CryptoVenue:
    """The server. `asked` counts snapshots that were given, by instrument; `targets` has what was asked over HTTP."""

    def __init__(self, words: Words, context: ssl.SSLContext | None = None) -> None:
        self.words, self._context = words, context
        chance = random.Random(7)
        self.books = {name: Book(name, chance) for name in words.names}
        self.clients: list[Client] = []
        self.asked: Counter[str] = Counter()
        self.targets: list[str] = []
        self.refuse = 0
        """Lists that are refused, one after the other."""
        self.flows = True
        self.port = 0
        self._chance = chance
        self._ready: Future[None] = Future()
        self._over = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()))
        self._thread.start()
        self._ready.result(PATIENCE_S)

    def url(self, scheme: str, path: str = "") -> str:
        """Give an address; `scheme` is that without TLS."""
        return f"{scheme}{'s' if self._context else ''}://127.0.0.1:{self.port}{path}"

    def do(self, what: Callable[[], Answer]) -> Answer:
        """Do something on the server's own thread."""

        async def done() -> Answer:
            return what()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(PATIENCE_S)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    # -- what a test does to it, on its own thread (`do`)

    def lose(self, name: str, lines: int = 1) -> None:
        """Let a book move while the oldest `lines` connections are told nothing of it.

        Two levels at least: a single one that the next change sets is one that nobody can miss by a checksum.
        """
        book, deaf = self.books[name], [one for one in self.clients if name in one.carried][:lines]
        before = set(book.bids() + book.asks())
        while len({price for price, _ in before ^ set(book.bids() + book.asks())}) < 2:
            self._move(book, deaf)

    def drop(self) -> None:
        """Break the oldest connection off, as a network does."""
        transport = self.clients[0].request.transport
        assert transport is not None
        transport.abort()

    def carrying(self) -> list[Client]:
        return [one for one in self.clients if len(one.carried) == 4]

    def pause(self) -> None:
        self.flows = False

    def flow(self) -> None:
        self.flows = True

    # -- inside

    async def _run(self) -> None:
        app = web.Application()
        app.router.add_get(self.words.path, self._talk)
        app.router.add_get("/{target:.*}", self._page)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set_result(None)
        while not self._over.is_set():
            if self.flows:
                self._move(self._chance.choice(list(self.books.values())), [])
            await asyncio.sleep(EVERY_S)
        for one in self.clients:
            await one.socket.close()
        await runner.cleanup()

    def _move(self, book: Book, deaf: list[Client]) -> None:
        bids, asks = book.move(self.words.step, self.words.kept)
        for one in self.clients:
            if book.name in one.carried:
                message = self.words.depth(book, one, "update", bids, asks)
                if one not in deaf:
                    self._say(one, message)

    def _say(self, client: Client, message: Any) -> None:
        data = message if isinstance(message, bytes) else written(message)
        client.out.put_nowait(data.decode())

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = Client(request, socket)
        writer = self._loop.create_task(client.write())
        self.clients.append(client)
        if self.words.greeting:
            self._say(client, self.words.greeting)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                for said in self.words.answer(client, message.data, lambda name: self._snapshot(client, name)):
                    self._say(client, said)
        self.clients.remove(client)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        return socket

    def _snapshot(self, client: Client, name: str) -> bytes:
        book = self.books[name]
        self.asked[name] += 1
        return self.words.depth(book, client, "snapshot", book.bids(), book.asks())

    async def _page(self, request: web.Request) -> web.Response:
        self.targets.append(request.path_qs)
        assert request.headers["user-agent"] == "netfeed"
        if "symbol" in request.query:
            book = self.books[request.query["symbol"]]
            self.asked[book.name] += 1
            return web.json_response({"lastUpdateId": book.number, "bids": book.bids(), "asks": book.asks()})
        if self.refuse:
            self.refuse -= 1
            return web.Response(status=429, text="too many", headers={"retry-after": "0"})
        return web.Response(body=written(self.words.listing(dict(request.query))), content_type="application/json")


class Elsewhere:
    """The same words at other addresses, for who configures a client of them."""

    def __init__(self, words: Words, stream: str, web: str) -> None:
        self.words, self._stream, self._web = words, stream, web

    def url(self, scheme: str, path: str = "") -> str:
        return self._stream if scheme == "ws" else self._web


@contextmanager
def serving(words: Words, context: ssl.SSLContext | None = None) -> Iterator[CryptoVenue]:
    venue = CryptoVenue(words, context)
    try:
        yield venue
    finally:
        venue.stop()
