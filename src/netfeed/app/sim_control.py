"""The control socket of a simulated venue: a line of text is a command, a line of JSON the answer.

A Unix socket, so that whoever may write the file may give commands. `{"ok": true}`, or `{"ok": false, "error": "..."}`;
`status` answers with the account as it is now, `ledger [ACCOUNT...]` with what is true of accounts. An answer that the
client does not take at once waits for it, MAX_ANSWER bytes at most.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable
from typing import Any, Final

from netfeed.errors import NetfeedError
from netfeed.transport.loop import Loop

MAX_LINE: Final = 4096
MAX_CLIENTS: Final = 16
MAX_ANSWER: Final = 16 * 2**20
AGAIN_NS: Final = 5_000_000
"""How often it is tried again to send what waits."""

Do = Callable[[str], dict[str, Any]]
"""Does a command and gives what is answered besides that it was done. Raises: NetfeedError."""


class Control:
    """The listening side."""

    def __init__(self, path: str, loop: Loop, do: Do) -> None:
        """Listen. Raises: OSError."""
        self.path = path
        self._loop, self._do = loop, do
        self._clients: dict[socket.socket, bytearray] = {}
        self._unsent: dict[socket.socket, bytearray] = {}
        self._rest: Callable[[], None] | None = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._listener.bind(path)
        self._listener.listen(MAX_CLIENTS)
        loop.watch(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Listen no more, and take the file away."""
        for client in list(self._clients):
            self._drop(client)
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def _accept(self, now: int) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._listener.accept()
            if len(self._clients) >= MAX_CLIENTS:
                client.close()
                return
            client.setblocking(False)
            self._clients[client] = bytearray()
            self._loop.watch(client.fileno(), lambda now: self._hear(client))

    def _hear(self, client: socket.socket) -> None:
        held = self._clients[client]
        try:
            data = client.recv(MAX_LINE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        held += data
        if not data or len(held) > MAX_LINE * 4:
            self._drop(client)
            return
        *lines, rest = held.split(b"\n")
        held[:] = rest
        for line in lines if client in self._clients else ():
            answer = json.dumps(self._answer(line.decode(errors="replace").strip())) + "\n"
            self._unsent.setdefault(client, bytearray()).extend(answer.encode())
            self._send(client)

    def _answer(self, text: str) -> dict[str, Any]:
        try:
            return {"ok": True, **self._do(text)}
        except NetfeedError as error:
            return {"ok": False, "error": str(error)}

    def _send(self, client: socket.socket) -> None:
        """Send what the client takes; what is left is tried again."""
        unsent = self._unsent.get(client, bytearray())
        with contextlib.suppress(OSError):
            del unsent[: client.send(unsent)]
        if not unsent:
            self._unsent.pop(client, None)
        elif len(unsent) > MAX_ANSWER:
            self._drop(client)
        elif self._rest is None:
            self._rest = self._loop.every(AGAIN_NS, self._again)

    def _again(self, now: int) -> None:
        for client in list(self._unsent):
            self._send(client)
        if not self._unsent and self._rest is not None:
            self._rest()
            self._rest = None

    def _drop(self, client: socket.socket) -> None:
        self._clients.pop(client, None)
        self._unsent.pop(client, None)
        self._loop.forget(client.fileno())
        client.close()


def ask(path: str, text: str, timeout_s: float = 5.0) -> dict[str, Any]:
    """Give a running venue a command, and return its answer.

    Raises: OSError when nobody listens there; ValueError when the answer is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(timeout_s)
        one.connect(path)
        one.sendall(text.encode() + b"\n")
        held = b""
        while not held.endswith(b"\n"):
            data = one.recv(65_536)
            if not data:
                raise ValueError("the venue closed the connection without an answer")
            held += data
    answer: dict[str, Any] = json.loads(held)
    return answer
