"""Snapshots over HTTP: one connection that is kept alive, one request at a time, paid for by the venue's own budget.

    want         a topic needs one: at once the first time, later each time it comes back (`needs`)
    200          `Market.fetched`
    429, 418, 503, and whoever says Retry-After
                 nothing is asked until then, and then the same again
    other, lost, too slow
                 `Market.failed`, `FetchFailed`; the market may want it again

The connection is opened when something is wanted. A server that closes it after an answer has done nothing wrong; one
that closes it before is left alone for a while, longer each time (`backoff`).

Bounds: a topic waits once; what is wanted of topics that nobody subscribes never comes here.
Leaves out: several connections at a time: a venue's budget is used up by one.
"""

from collections.abc import Sequence
from typing import Any, Final

from netfeed.errors import MisuseError
from netfeed.feed.dialect import Fetch
from netfeed.feed.exchange import Exchange
from netfeed.feed.gateway_words import Connect, Disconnect, Event, FetchFailed, FetchStatistics
from netfeed.feed.needs import Needs
from netfeed.feed.throttle import Throttle
from netfeed.feed.venue import Shared, shown
from netfeed.machine import NEVER, Buffer
from netfeed.proto import http
from netfeed.proto.backoff import State

CONNECT_NS: Final = 10_000_000_000
OK: Final = 200
LATER: Final = frozenset({418, 429, 503})
"""What a server answers that wants to be asked later; 418 is Binance's word for a ban."""
LATER_NS: Final = 1_000_000_000
"""How much later, when it does not say."""
HEADERS: Final = (("user-agent", "netfeed"), ("accept", "application/json"))


class Fetcher:
    """The snapshots of one venue."""

    def __init__(self, shared: Shared) -> None:
        limits = shared.limits
        self._shared, self._market = shared, shared.venue.market
        self._throttle = Throttle(rate=limits.fetch_rate, burst=limits.fetch_burst)
        self._needs: Needs[str] = Needs()
        self._targets: dict[str, Fetch] = {}
        self._queue: dict[str, Fetch] = {}
        self._backoff = shared.backoff()
        self._port: int | None = None
        self._client: Exchange | None = None
        self._due_at = NEVER
        self._asked: Fetch | None = None
        self._wanted = self._fetched = self._failed = self._connections = 0

    def want(self, fetch: Fetch, now: int) -> None:
        """Take a cry for a snapshot. A weight beyond the venue's budget is paid in full at once."""
        if self._shared.venue.fetch is None:
            raise MisuseError(f"{self._shared.venue.name} has no endpoint for snapshots over HTTP")
        self._wanted += 1
        if not self._needs.is_open(fetch.topic):
            self._targets[fetch.topic] = fetch
        self._needs.need(fetch.topic, now)

    def forget(self, topic: str) -> None:
        """Take note that nobody wants a topic any more."""
        self._needs.forget(topic)
        self._targets.pop(topic, None)
        self._queue.pop(topic, None)

    def is_open(self, topic: str) -> bool:
        """Say whether a snapshot of a topic is still to come."""
        return self._needs.is_open(topic)

    # --- the machine

    @property
    def deadline(self) -> int:
        """Say when something of this is due. Units: monotonic ns."""
        client = self._due_at if self._client is None else self._client.deadline
        return min(self._needs.deadline, self._backoff.deadline, client, self._ask_at)

    def wake(self, now: int) -> list[Event]:
        """Do what is due. A call before the deadline does nothing."""
        if now < self.deadline:
            return []
        events: list[Event] = []
        if self._client is not None and self._client.deadline <= now:
            events += self._told(self._client.wake(now), now)
        elif self._client is None and self._due_at <= now:
            events += self._lost("no connection in time", now)
        for topic in self._needs.due(now):
            self._queue[topic] = self._targets.pop(topic)
        if self._queue and self._backoff.state is State.IDLE:
            self._backoff.begin(now)
        for attempt in self._backoff.wake(now):
            self._port, self._due_at = self._shared.ports.take(), now + CONNECT_NS
            endpoint = shown(self._shared.venue.fetch_endpoint or "")
            events.append(Connect(self._shared.venue.name, self._port, endpoint, attempt.failures))
        self._ask(now)
        return events

    def owns(self, port: int) -> bool:
        """Say whether a port is this one's."""
        return port == self._port

    def opened(self, now: int) -> None:
        """Take note that the stream stands."""
        venue = self._shared.venue
        if self._client is not None or venue.fetch is None or venue.fetch_endpoint is None:
            raise MisuseError("no such connection was waited for")
        self._client, self._due_at = venue.fetch(venue.fetch_endpoint, now), NEVER
        self._connections += 1
        self._ask(now)

    def receive(self, data: Buffer, now: int) -> list[Event]:
        """Take bytes of the stream."""
        return [] if self._client is None else self._told(self._client.receive(data, now), now)

    def end(self, now: int, reason: str) -> list[Event]:
        """Take note that the stream has ended, or never came to stand."""
        if self._client is None:
            return self._lost(reason or "no connection", now)
        events = self._told(self._client.end(now), now)
        return events if self._client is None else events + self._lost(reason or "the connection was lost", now)

    def transmit(self) -> list[bytes]:
        """Drain what must go out."""
        return [] if self._client is None else self._client.transmit()

    def stop(self) -> list[Event]:
        """Want nothing any more."""
        for topic in [*self._targets, *self._queue]:
            self.forget(topic)
        self._backoff.stop()
        return self._gone()

    def statistics(self) -> FetchStatistics:
        """Give the account as it is now."""
        waiting = len(self._queue) + len(self._targets) + (self._asked is not None)
        return FetchStatistics(
            self._wanted, self._needs.repeated, self._fetched, self._failed, self._connections, waiting
        )

    # --- one after the other

    @property
    def _ask_at(self) -> int:
        if self._client is None or self._asked is not None or not self._queue:
            return NEVER
        return self._throttle.ready_at(self._weight(next(iter(self._queue.values()))))

    def _ask(self, now: int) -> None:
        if self._client is None or self._asked is not None or not self._queue:
            return
        topic, fetch = next(iter(self._queue.items()))
        if self._throttle.take(now, self._weight(fetch)):
            self._asked = self._queue.pop(topic)
            self._client.request("GET", fetch.target, now, HEADERS)

    def _weight(self, fetch: Fetch) -> int:
        return min(max(fetch.weight, 1), self._shared.limits.fetch_burst)

    def _told(self, told: Sequence[Any], now: int) -> list[Event]:
        events: list[Event] = []
        for one in told:
            if isinstance(one, http.Response):
                events += self._answered(one, now)
            elif isinstance(one, http.Closed):
                events += self._lost(one.reason, now)
        self._ask(now)
        return events

    def _answered(self, response: http.Response, now: int) -> list[Event]:
        if self._backoff.state is State.TRYING:
            self._backoff.opened(now)
        asked, self._asked = self._asked, None
        if asked is None:
            return []
        wait = response.header("retry-after")
        if response.status in LATER or (wait is not None and response.status != OK):
            seconds = int(wait) if wait is not None and wait.isascii() and wait.isdigit() and len(wait) < 9 else 0
            self._throttle.hold(seconds * 1_000_000_000 or LATER_NS, now)
            self._queue = {asked.topic: asked, **self._queue}
            return []
        if response.status != OK:
            return [self._fail(asked, response.status, "refused", now)]
        self._fetched += 1
        self._needs.met(asked.topic, now)
        self._market.fetched(asked.topic, response.body, now + self._shared.skew.ns)
        return []

    def _fail(self, asked: Fetch, status: int | None, reason: str, now: int) -> FetchFailed:
        self._failed += 1
        self._needs.met(asked.topic, now)
        self._market.failed(asked.topic)
        return FetchFailed(self._shared.venue.name, asked.topic, status, reason)

    def _lost(self, reason: str, now: int) -> list[Event]:
        """Take note that the connection is gone; a server that closed an idle one has not failed."""
        events: list[Event] = []
        asked, self._asked = self._asked, None
        if asked is not None:
            events.append(self._fail(asked, None, reason, now))
        if self._backoff.state is State.TRYING or asked is not None:
            self._backoff.failed(now)
        else:
            self._backoff.stop()
            if self._queue:
                self._backoff.begin(now)
        return events + self._gone()

    def _gone(self) -> list[Event]:
        if self._port is None:
            return []
        if self._client is not None:
            self._shared.words.keep(self._port, self._client.transmit())
        told: list[Event] = [Disconnect(self._shared.venue.name, self._port)]
        self._port, self._client, self._due_at = None, None, NEVER
        return told
