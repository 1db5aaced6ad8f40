"""One client of a simulated Deribit venue: what it may, what it listens to, whether it is alive, what it may still ask.

Heartbeats: after public/set_heartbeat the venue says `heartbeat` each interval; to a client that said nothing for that
long it says `test_request` too, and one that does not answer that with public/test until the next one is hung up.

Credits: every request takes some from a pool that fills again with time; one that finds too few gets 10028, and its
connection ends. Pools belong to an address, so that connecting anew gives nothing.

Source: docs.deribit.com, public/set_heartbeat and rate limits: 500 credits a request of 50,000 with 10,000 a second,
3,000 a subscription of 30,000; public/get_instruments one in ten seconds, five at once. The venue leaves open which
code it hangs up with.
"""

from dataclasses import dataclass, field
from typing import Final

from netfeed.machine import NEVER
from netfeed.proto.bucket import TokenBucket
from netfeed.sim.jsonrpc_private import Channel
from netfeed.sim.jsonrpc_topics import Topic

MAX_TOPICS: Final = 2_000
"""Channels that one connection may listen to; more are dropped as unknown ones are."""
MAX_PEERS: Final = 1_024
"""Addresses whose credits are remembered; the one that was first heard of is forgotten first."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Credits of one sort. Units: `rate` credits a second."""

    cost: int
    most: int
    rate: int

    def bucket(self) -> TokenBucket:
        """Make a pool that is full."""
        return TokenBucket(rate=self.rate, burst=self.most)


POOLS: Final = {
    "other": Pool(500, 50_000, 10_000), "subscribe": Pool(3_000, 30_000, 10_000), "instruments": Pool(10, 50, 1),
}  # fmt: skip
"""The credits as the venue publishes them; those of public/get_instruments in tenths of a request."""
POOL_OF: Final = {
    "public/subscribe": "subscribe", "private/subscribe": "subscribe", "public/unsubscribe": "subscribe",
    "private/unsubscribe": "subscribe", "public/unsubscribe_all": "subscribe", "private/unsubscribe_all": "subscribe",
    "public/get_instruments": "instruments",
}  # fmt: skip


class Credits:
    """What each address may still ask."""

    def __init__(self, pools: dict[str, Pool] | None) -> None:
        self._pools = pools
        self._of: dict[str, dict[str, TokenBucket]] = {}

    def take(self, peer: str, method: str, now: int) -> bool:
        """Take what a request costs; False when there is too little."""
        if self._pools is None:
            return True
        if peer not in self._of:
            if len(self._of) >= MAX_PEERS:
                del self._of[next(iter(self._of))]
            self._of[peer] = {name: pool.bucket() for name, pool in self._pools.items()}
        name = POOL_OF.get(method, "other")
        return self._of[peer][name].take(now, self._pools[name].cost)


@dataclass(slots=True)
class Client:
    """One connection. `account`: whose orders it may ask for and send; `cancels`: they leave with the connection.

    `skips` and `repeats`: so many book changes are left out, or said twice, from now on.
    """

    port: int
    peer: str
    authorised: bool = False
    account: str = ""
    cancels: bool = False
    private: dict[str, Channel] = field(default_factory=dict)
    refresh_token: str = ""
    topics: dict[str, Topic] = field(default_factory=dict)
    beat_ns: int = 0
    beat_due: int = NEVER
    heard_ns: int = 0
    tested: bool = False
    skips: int = 0
    repeats: int = 0
    throttled: bool = False

    def beat_every(self, beat_ns: int, now: int) -> None:
        """Say heartbeats this often; 0 for never."""
        self.beat_ns, self.tested = beat_ns, False
        self.beat_due = now + beat_ns if beat_ns else NEVER

    def beat(self, now: int) -> list[str] | None:
        """Say which heartbeats are due now; None when the client is dead."""
        if self.tested:
            return None
        self.beat_due = now + self.beat_ns
        self.tested = now - self.heard_ns >= self.beat_ns
        return ["heartbeat", "test_request"] if self.tested else ["heartbeat"]
