"""A venue as a gateway is given it, and what all its connections share: the budget, the clocks, the seats, last words.

Everything here is a plain object without behaviour of its own in time; the machines (`line`, `fetcher`) hold it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from netfeed.errors import MisuseError
from netfeed.feed.dialect import Dialect, Limits, Market
from netfeed.feed.exchange import Exchange
from netfeed.feed.offset import Offset
from netfeed.feed.session import Skew
from netfeed.feed.talk import Talk
from netfeed.feed.throttle import Throttle
from netfeed.proto.backoff import Backoff, Pauses
from netfeed.proto.bucket import TokenBucket

MAX_LAST_WORDS: Final = 64
"""Ports that are closed and not yet drained; a driver that keeps the law has one or two."""


@dataclass(frozen=True, slots=True)
class Venue:
    """What is connected to, and how. `talk` and `fetch` make a conversation with an endpoint whose stream stands.

    `lines`: how many connections carry each topic. Line n begins with endpoint n, and goes on to the next one with
    each failure. `fetch_endpoint` is where snapshots are had over HTTP, where the market wants such.
    """

    name: str
    endpoints: tuple[str, ...] = field(repr=False)
    dialect: Dialect = field(repr=False)
    market: Market = field(repr=False)
    talk: Callable[[str, int], Talk] = field(repr=False)
    topics: tuple[str, ...] = ()
    lines: int = 1
    pauses: Pauses = field(default_factory=Pauses)
    fetch_endpoint: str | None = None
    fetch: Callable[[str, int], Exchange] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.endpoints:
            raise MisuseError(f"{self.name} has no endpoint")
        if (self.fetch_endpoint is None) is not (self.fetch is None):
            raise MisuseError(f"{self.name}: an endpoint for snapshots and the way to talk to it go together")
        limits = self.dialect.limits
        if max(limits.subscribe_weight, limits.request_weight) > limits.budget_burst:
            raise MisuseError(f"{self.name}: a request that weighs more than the whole budget can never be sent")


def shown(endpoint: str) -> str:
    """Give an endpoint as it may be told: paths and queries hold keys, at some venues."""
    scheme, found, rest = endpoint.partition("://")
    return f"{scheme}://{rest.split('/')[0].split('?')[0]}" if found else endpoint


class Numbers:
    """Small numbers, the smallest that is free each time: lines of a shard, as the books know them."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def take(self) -> int:
        """Take the smallest."""
        number = next(number for number in range(len(self._taken) + 1) if number not in self._taken)
        self._taken.add(number)
        return number

    def give(self, number: int) -> None:
        """Give one back."""
        self._taken.discard(number)


class Ports:
    """Numbers of connections, never used again; one for a whole gateway."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> int:
        """Take the next one."""
        self._next += 1
        return self._next - 1


class LastWords:
    """What still goes out on ports that are closed, until it is drained."""

    __slots__ = ("_words", "undrained")

    def __init__(self) -> None:
        self._words: dict[int, list[bytes]] = {}
        self.undrained = 0

    def keep(self, port: int, words: list[bytes]) -> None:
        """Keep the last words of a port; the oldest that nobody took are let go, and counted."""
        if words:
            self._words[port] = words
        if len(self._words) > MAX_LAST_WORDS:
            del self._words[next(iter(self._words))]
            self.undrained += 1

    def take(self, port: int) -> list[bytes]:
        """Drain a port."""
        return self._words.pop(port, [])


class Shared:
    """What the connections of one venue share; `random`, `budget`, `skew`, `ports` and `words` with all venues."""

    def __init__(
        self, venue: Venue, *, random: Callable[[], float], budget: TokenBucket, skew: Skew, ports: Ports,
        words: LastWords,
    ) -> None:  # fmt: skip
        limits = venue.dialect.limits
        self.venue, self.random, self.skew, self.ports, self.words = venue, random, skew, ports, words
        self.throttle = Throttle(rate=limits.budget_rate, burst=limits.budget_burst)
        self.offset = Offset()
        self.lines = self.heirs = 0
        self.attempts = self.connected = self.disconnected = self.takeovers = self.messages = 0
        self._budget = budget

    @property
    def limits(self) -> Limits:
        """Give what the venue allows."""
        return self.venue.dialect.limits

    @property
    def has_seat(self) -> bool:
        """Say whether a connection may be opened beside those that the lines need."""
        return self.lines + self.heirs < self.limits.connections

    def backoff(self) -> Backoff:
        """Make the pauses of one endpoint."""
        return Backoff(self.random, pauses=self.venue.pauses, budget=self._budget)
