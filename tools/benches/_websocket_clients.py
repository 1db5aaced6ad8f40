"""What `ws_receive` and `ws_rtt` share: the server's process, and a handshake over a blocking socket."""

import atexit
import contextlib
import ctypes
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import trustme
from wsproto import ConnectionType, WSConnection
from wsproto.events import Request

from benches.itch_book import library

HERE = Path(__file__).resolve().parent


class Place(NamedTuple):
    """Where the server is, and the C library that was compiled for it, if it was."""

    plain: int
    secure: int
    trust: str
    library: ctypes.CDLL | None

    def port(self, context: ssl.SSLContext | None) -> int:
        return self.secure if context else self.plain

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.trust)


@cache
def server() -> Place:
    """Start the server, once; it ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    (folder / "trust.pem").write_bytes(authority.cert_pem.bytes())
    (folder / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    (folder / "chain.pem").write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    made = library("websocket.c", "gcc", folder)
    source = str(folder / "websocket.c.so") if made else ""
    command = [sys.executable, str(HERE / "_websocket_server.py"), source]
    process = subprocess.Popen(
        [*command, str(folder / "chain.pem"), str(folder / "key.pem")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    atexit.register(process.terminate)
    assert process.stdout is not None
    plain, secure = process.stdout.readline().split()
    return Place(int(plain), int(secure), str(folder / "trust.pem"), made)


def blocking(place: Place, target: str, context: ssl.SSLContext | None) -> tuple[Any, WSConnection, bytes]:
    """Connect a blocking socket and shake hands by wsproto; the connection, and what came behind the handshake."""
    raw = socket.create_connection(("127.0.0.1", place.port(context)))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one = context.wrap_socket(raw, server_hostname="localhost") if context else raw
    talk = WSConnection(ConnectionType.CLIENT)
    one.sendall(talk.send(Request(host="localhost", target=target)))
    answer = b""
    while b"\r\n\r\n" not in answer:  # byte by byte: nothing of what follows is taken
        answer += one.recv(1)
    talk.receive_data(answer)
    next(talk.events())
    return one, talk, b""


def closed(one: Any) -> None:
    with contextlib.suppress(OSError):
        one.close()
