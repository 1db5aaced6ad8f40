"""Many venues and all their connections as one machine: a port is a connection.

    what it tells                  what the driver does
    Connect(port, endpoint)        opens a stream there, with TLS or not as the endpoint says; then `opened(port, now)`,
                                   or `end(now, port, reason)` when none came to stand
    Disconnect(port)               drains that port a last time and closes the stream; says nothing more of it
    anything else                  is for whoever looks on: lost connections, gaps, refusals (`gateway_words`)

    bytes                          `receive(data, now, port)`
    the stream ended               `end(now, port)`; with a reason when it broke: reset, timed out, a bad certificate
    the clock moved on             `wake(now)`; and `skew_ns`, how far the local clock is ahead of monotonic time

Books lie in the `Market` of each venue; after each input their changes can be drained there. The budget of attempts is
one for all: however many venues fall at once, no more connections a second are tried.

Invariant: as for every machine; and a port that is closed is never used again.
Leaves out: names and addresses (an endpoint is the driver's to understand), sockets, certificates.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from netfeed.errors import MisuseError
from netfeed.feed.gateway_words import Connect, Disconnect, Event, Statistics
from netfeed.feed.pool import Pool
from netfeed.feed.session import Skew
from netfeed.feed.venue import LastWords, Ports, Shared, Venue
from netfeed.machine import NEVER, Buffer
from netfeed.proto.bucket import TokenBucket

ATTEMPTS_RATE: Final = 5.0
ATTEMPTS_BURST: Final = 20
"""Connections that are tried, a second and at once, all venues together."""


class Gateway:
    """All venues of a process. `random` gives numbers from 0 up to 1, for the pauses."""

    def __init__(
        self, venues: Sequence[Venue], random: Callable[[], float], now: int, *, budget: TokenBucket | None = None
    ) -> None:
        names = [venue.name for venue in venues]
        if len(set(names)) < len(names):
            raise MisuseError(f"each venue has a name of its own, not {', '.join(names)}")
        self._skew = Skew()
        self._words = LastWords()
        self._strays = 0
        self._by_port: dict[int, Pool] = {}
        ports = Ports()
        budget = budget or TokenBucket(rate=ATTEMPTS_RATE, burst=ATTEMPTS_BURST)
        self._pools = {
            venue.name: Pool(
                Shared(venue, random=random, budget=budget, skew=self._skew, ports=ports, words=self._words)
            )
            for venue in venues
        }
        for venue in venues:
            self.want(venue.name, venue.topics, now)

    @property
    def skew_ns(self) -> int:
        """Say how far the local clock is ahead of monotonic time. Units: ns."""
        return self._skew.ns

    @skew_ns.setter
    def skew_ns(self, skew_ns: int) -> None:
        self._skew.ns = skew_ns

    # --- commands

    def want(self, venue: str, topics: Iterable[str], now: int) -> None:
        """Carry topics of a venue.

        Raises: MisuseError for an unknown venue, or when the venue's limits allow fewer; nothing has changed then.
        """
        self._pool(venue).want(topics, now)

    def drop(self, venue: str, topics: Iterable[str], now: int) -> None:
        """Carry topics of a venue no longer. Raises: MisuseError for an unknown venue."""
        self._pool(venue).drop(topics, now)

    def stop(self, now: int) -> list[Event]:
        """Close everything."""
        return self._sorted([event for pool in self._pools.values() for event in pool.stop(now)])

    def opened(self, port: int, now: int) -> None:
        """Take note that the stream of a port stands. Raises: MisuseError when it was not waited for."""
        pool = self._by_port.get(port)
        if pool is None:
            raise MisuseError(f"port {port} was not waited for")
        pool.opened(port, now)

    # --- the machine

    @property
    def deadline(self) -> int:
        """Say when something is due. Units: monotonic ns."""
        return min((pool.deadline for pool in self._pools.values()), default=NEVER)

    def receive(self, data: Buffer, now: int, port: int = 0) -> list[Event]:
        """Take bytes of a connection; those of a closed one are counted and dropped."""
        pool = self._by_port.get(port)
        if pool is None:
            self._strays += 1
            return []
        return self._sorted(pool.receive(data, now, port))

    def wake(self, now: int) -> list[Event]:
        """Do what is due. A call before the deadline does nothing."""
        return self._sorted([event for pool in self._pools.values() for event in pool.wake(now)])

    def end(self, now: int, port: int = 0, reason: str = "") -> list[Event]:
        """Take note that a stream has ended, or never came to stand; with a reason when it broke."""
        pool = self._by_port.get(port)
        if pool is None:
            self._strays += 1
            return []
        return self._sorted(pool.end(now, port, reason))

    def transmit(self, port: int = 0) -> list[bytes]:
        """Drain what must go out on a port."""
        last = self._words.take(port)
        pool = self._by_port.get(port)
        return last if pool is None else last + pool.transmit(port)

    @property
    def ports(self) -> list[int]:
        """List the connections that are open or being opened."""
        return list(self._by_port)

    def statistics(self) -> Statistics:
        """Give the account as it is now."""
        venues = tuple(pool.statistics() for pool in self._pools.values())
        return Statistics(venues, self._strays, self._words.undrained)

    def _pool(self, venue: str) -> Pool:
        pool = self._pools.get(venue)
        if pool is None:
            raise MisuseError(f"there is no venue {venue!r}, only {', '.join(self._pools)}")
        return pool

    def _sorted(self, events: list[Event]) -> list[Event]:
        """Keep account of which port is whose."""
        for event in events:
            if isinstance(event, Connect):
                self._by_port[event.port] = self._pools[event.venue]
            elif isinstance(event, Disconnect):
                del self._by_port[event.port]
        return events
