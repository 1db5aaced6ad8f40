"""The server of `ws_receive` and `ws_rtt`, a process of its own: it says frames as fast as they go, or says all back.

    python _websocket_server.py LIBRARY CERTIFICATE KEY       the ports without and with TLS go to stdout

    GET /send/SIZE/COUNT     COUNT text frames of SIZE bytes, then nothing until the client closes
    GET /echo                every frame comes back

Blocking sockets, no library of WebSocket: what is measured is the other side.
"""

import contextlib
import ctypes
import socket
import ssl
import sys
import threading
from base64 import b64encode
from hashlib import sha1
from typing import Any

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PIECE = 1000


def frame(payload: bytes, first: int = 0x81) -> bytes:
    size = len(payload)
    head = bytes((first, size)) if size < 126 else bytes((first, 126)) + size.to_bytes(2)
    return head + payload


def shake(one: Any) -> list[str]:
    """Answer the handshake and give the parts of the path."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += one.recv(65536)
    lines = request.split(b"\r\n")
    [key] = [line.split(b":", 1)[1].strip() for line in lines if line.lower().startswith(b"sec-websocket-key:")]
    accept = b64encode(sha1(key + GUID, usedforsecurity=False).digest())
    one.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept + b"\r\n\r\n"
    )  # fmt: skip
    return lines[0].split()[1].decode().strip("/").split("/")


def payload(size: int) -> bytes:
    """Text as venues send it."""
    text = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":['
    return (text + b'["change",69420.5,1230.0],' * (size // 20 + 1))[:size]


def send(one: Any, size: int, count: int) -> None:
    frames = memoryview(frame(payload(size)) * PIECE)
    one_frame = len(frames) // PIECE
    for at in range(0, count, PIECE):
        one.sendall(frames[: one_frame * min(PIECE, count - at)])
    while one.recv(65536):
        pass


def echo(one: Any, library: ctypes.CDLL | None) -> None:
    if library is not None and not isinstance(one, ssl.SSLSocket):
        library.echo(one.fileno())
        return
    held = b""
    while data := one.recv(65536):
        held += data
        size = held[1] & 0x7F if len(held) > 1 else 0
        start = 6 if size < 126 else 8
        size = size if size < 126 else int.from_bytes(held[2:4])
        if len(held) < start + size:
            continue
        if held[0] & 0x0F > 7:
            return
        key = held[start - 4 : start] * (size // 4 + 1)
        plain = int.from_bytes(held[start : start + size]) ^ int.from_bytes(key[:size])
        one.sendall(frame(plain.to_bytes(size)))
        held = held[start + size :]


def serve(one: Any, library: ctypes.CDLL | None) -> None:
    with contextlib.suppress(OSError), one:
        what, *numbers = shake(one)
        if what == "send":
            send(one, *map(int, numbers))
        else:
            echo(one, library)


def accept(listener: socket.socket, context: ssl.SSLContext | None, library: ctypes.CDLL | None) -> None:
    while True:
        one = listener.accept()[0]
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def run(one: socket.socket = one) -> None:
            with contextlib.suppress(OSError):
                serve(context.wrap_socket(one, server_side=True) if context else one, library)

        threading.Thread(target=run, daemon=True).start()


def main() -> None:
    library = ctypes.CDLL(sys.argv[1]) if sys.argv[1] else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    for listener, kind in zip(listeners, (None, context), strict=True):
        threading.Thread(target=accept, args=(listener, kind, library), daemon=True).start()
    print(*(listener.getsockname()[1] for listener in listeners), flush=True)
    sys.stdin.read()  # until the bench is gone


if __name__ == "__main__":
    main()
