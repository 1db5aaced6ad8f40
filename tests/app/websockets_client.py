"""A client of another make, the package `websockets`, for tests that talk to it line by line.

Its asyncio client, driven from here: the package's own blocking client reads and writes one TLS connection from two
threads, which Python's ssl does not allow before 3.13 ("internal error").
"""

import asyncio
import ssl
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self, TypeVar

from websockets.asyncio.client import ClientConnection, connect

PATIENCE_S = 60.0
"""How long is waited for what must come; nothing is asserted of how long it took."""
T = TypeVar("T")


class WebsocketsClient:
    """One connection. What it raises is what the package raises, and TimeoutError."""

    def __init__(self, url: str, trust: ssl.SSLContext | None = None, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        options = {"open_timeout": PATIENCE_S, "close_timeout": 2, "proxy": None, **options}
        try:
            self._connection: ClientConnection = self._run(connect(url, ssl=trust, **options))
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._run(self._connection.close())
        self._end()

    def send(self, text: str) -> None:
        """Send a text message."""
        self._run(self._connection.send(text))

    def recv(self, timeout: float = PATIENCE_S) -> str | bytes:
        """Wait for a message. Raises: TimeoutError, ConnectionClosed."""
        return self._run(asyncio.wait_for(self._connection.recv(), timeout))

    def _run(self, what: Awaitable[T]) -> T:
        async def done() -> T:
            return await what

        return self._loop.run_until_complete(done())

    def _end(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
