"""Names to addresses, away from the loop: a resolver waits in a thread of its own, and its answer is posted.

    Resolution("www.example.com", 443, loop.post, done)        done([("2001:db8::1", 443), ("192.0.2.1", 443)])

A resolver is a function of a name and a port; another one (a fixed table, a name server of one's own) takes the place
of the system's by `resolver=`. Its order is kept: a race of attempts goes by it, best first (RFC 6724).

Bounded: MAX_LOOKUPS at once, since a name server that does not answer holds a thread for as long as it likes. A lookup
that is given up is not waited for. Leaves out: a cache (the system's has the answer's time to live, we do not).
"""

import ipaddress
import socket
import threading
from collections.abc import Callable
from typing import Final

from netfeed.errors import MisuseError, NetfeedError
from netfeed.transport.race import Address

Resolver = Callable[[str, int], list[Address]]
"""Gives the addresses of a name, the best first. Raises: OSError."""

MAX_LOOKUPS: Final = 16
"""Lookups that may wait at once in this process."""

_slots = threading.BoundedSemaphore(MAX_LOOKUPS)


class ResolveError(NetfeedError):
    """A name has no address, or nobody could be asked."""


def system_resolver(host: str, port: int) -> list[Address]:
    """Ask the system: files, name servers, whatever it is set up for. It may block. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(str(address[0]), port) for _, _, _, _, address in found]


def literal(host: str) -> bool:
    """Say whether this is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Resolution:
    """One lookup. `done` is called once, where `post` has things called: with addresses, or why there are none."""

    def __init__(
        self, host: str, port: int, post: Callable[[Callable[[], None]], None],
        done: Callable[[list[Address] | ResolveError], None], *, resolver: Resolver = system_resolver,
    ) -> None:  # fmt: skip
        """Begin to look a name up; an address needs no looking up, and is posted too.

        Raises: MisuseError when too many lookups wait.
        """
        self._host, self._port, self._post, self._resolver = host, port, post, resolver
        self._done: Callable[[list[Address] | ResolveError], None] | None = done
        if literal(host):
            self._tell([(host, port)])
            return
        if not _slots.acquire(blocking=False):
            raise MisuseError(f"{MAX_LOOKUPS} names are being looked up already")
        threading.Thread(target=self._look_up, name=f"resolve {host}", daemon=True).start()

    def give_up(self) -> None:
        """Hear no more of it."""
        self._done = None

    def _look_up(self) -> None:
        answer: list[Address] | ResolveError
        try:
            answer = self._resolver(self._host, self._port)
        except (OSError, UnicodeError) as error:
            answer = ResolveError(f"cannot resolve {self._host}: {getattr(error, 'strerror', None) or error}")
        finally:
            _slots.release()
        if not answer:
            answer = ResolveError(f"cannot resolve {self._host}: it has no address")
        self._tell(answer)

    def _tell(self, answer: "list[Address] | ResolveError") -> None:
        def tell() -> None:
            done, self._done = self._done, None
            if done is not None:
                done(answer)

        self._post(tell)
