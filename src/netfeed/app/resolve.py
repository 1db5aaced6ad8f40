"""The addresses of a host by name, asked for on a thread: the resolver of the system blocks, and the loop must turn."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

Address = tuple[str, int]
MAX_ADDRESSES: Final = 8
"""More than this of one name are not tried."""


def resolve(host: str, port: int, done: Callable[[Sequence[Address], str], None], post: Callable[..., None]) -> None:
    """Call `done` with the addresses, or with none and the reason; `post` has it called on the loop's thread.

    A host that is an address needs nobody to be asked, and `done` is called at once.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        threading.Thread(target=_ask, args=(host, port, done, post), daemon=True, name="netfeed resolver").start()
        return
    done([(host, port)], "")


def _ask(host: str, port: int, done: Callable[[Sequence[Address], str], None], post: Callable[..., None]) -> None:
    found: list[Address] = []
    reason = ""
    try:
        for _, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            found.append((str(address[0]), port))
    except OSError as error:
        reason = f"cannot resolve {host}: {error.strerror or error}"
    addresses = list(dict.fromkeys(found))[:MAX_ADDRESSES]
    post(lambda: done(addresses, reason or f"{host} has no address"))
