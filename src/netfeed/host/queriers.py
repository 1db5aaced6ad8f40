"""Who asks on a network: one querier is enough, and the lowest address wins. Time is an argument. Units: ns.

    elected   the one whose queries count: the lowest address of those that are alive
    rival     one that goes on asking although it has lost: it does not hear the other
    lost      the elected one has been silent for its other-querier-present interval (RFC 3376, 8.5)

A query of 0.0.0.0 is a switch's that has no address (RFC 4541, 2.1.1): it takes no part in the election.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from netfeed.machine import NEVER
from netfeed.wire.membership_words import (
    DEFAULT_INTERVAL_NS,
    DEFAULT_RESPONSE_NS,
    DEFAULT_ROBUSTNESS,
    Address,
    Query,
)

MAX_QUERIERS: Final = 64
"""More hosts than this ask on no network; what others ask is not looked at."""
PAUSES: Final = 3
"""So many tell an interval: one that begins asks its first two questions quicker (RFC 3376, 8.6)."""
FULL: Final = {"IGMP": 3, "MLD": 2}
"""The version that has source filters."""


@dataclass(slots=True)
class Querier:
    """One that asks. `told_ns` is the interval that it tells, `seen_ns` the longest between two general queries."""

    address: Address
    version: int
    response_ns: int
    robustness: int
    first_ns: int
    last_ns: int
    asked_ns: int | None = None  # of all groups
    told_ns: int | None = None
    seen_ns: int | None = None
    pauses: int = 0  # between general queries
    queries: int = 0
    overruled: int = 0  # general queries since one with a lower address has asked
    misfit: str = ""  # why hosts may pass its queries over

    @property
    def interval_ns(self) -> int:
        """Give its interval: as told, as seen, or what is usual."""
        seen = self.seen_ns if self.pauses >= PAUSES else None
        return self.told_ns or seen or DEFAULT_INTERVAL_NS

    @property
    def present_ns(self) -> int:
        """After how long in silence it is lost."""
        return self.robustness * self.interval_ns + self.response_ns // 2

    @property
    def membership_ns(self) -> int:
        """After how long without a report a group has no member (RFC 3376, 8.4)."""
        return self.robustness * self.interval_ns + self.response_ns

    @property
    def nameless(self) -> bool:
        """Say whether it is a switch without an address."""
        return int(self.address) == 0


class Spoken(NamedTuple):
    """A version that was asked in: until when hosts speak it, and who asked last."""

    until_ns: int
    by: Address


class Queriers:
    """All that ask on one network."""

    def __init__(self) -> None:
        self.known: dict[Address, Querier] = {}
        self.elected: Querier | None = None
        self.lost: Querier | None = None
        """The one that was elected last, when nobody is."""
        self.told_ns = DEFAULT_INTERVAL_NS
        self.spoken: dict[int, Spoken] = {}
        """The versions that were asked in, as long as hosts remember them."""

    def hear(self, source: Address, query: Query, now: int, misfit: str = "") -> Querier | None:
        """Note a query, and give who asked; None when there are too many to remember."""
        one = self.known.get(source)
        if one is None:
            if len(self.known) >= MAX_QUERIERS:
                return None
            one = Querier(source, query.version, DEFAULT_RESPONSE_NS, DEFAULT_ROBUSTNESS, now, now)
            self.known[source] = one
        one.version, one.misfit, one.queries = query.version, misfit, one.queries + 1
        if query.group is None:
            self._general(one, query, now)
        one.last_ns = now
        self.told_ns = query.interval_ns or self.told_ns
        self.spoken[query.version] = Spoken(now + one.robustness * self.told_ns + one.response_ns, source)
        self._elect(one, query, now)
        return one

    def wake(self, now: int) -> Querier | None:
        """Give the querier that is lost now, once."""
        gone = self.elected
        if gone is None or now < gone.last_ns + gone.present_ns:
            return None
        self.elected = min(self.alive(now), key=_rank, default=None)
        self.lost = None if self.elected else gone
        return gone

    @property
    def deadline(self) -> int:
        """Give when the elected one is lost, or a version is forgotten."""
        lost = self.elected.last_ns + self.elected.present_ns if self.elected else NEVER
        return min(lost, *(one.until_ns for one in self.spoken.values()), NEVER)

    def alive(self, now: int) -> Iterator[Querier]:
        """Give those that have asked within their present interval."""
        return (one for one in self.known.values() if now < one.last_ns + one.present_ns)

    def rivals(self, now: int) -> list[Querier]:
        """Give those that go on asking, at least twice, although one with a lower address does."""
        return [one for one in self.alive(now) if one.overruled > 1 and one is not self.elected and not one.nameless]

    def version(self, now: int) -> int | None:
        """Give the version that hosts must speak: the lowest that they remember (RFC 3376, 7.2.1 and 8.12)."""
        self.spoken = {version: one for version, one in self.spoken.items() if now < one.until_ns}
        return min(self.spoken, default=None)

    def _general(self, one: Querier, query: Query, now: int) -> None:
        """Learn its times. The first queries come quicker than the others: the longest pause is the interval."""
        one.response_ns = query.max_response_ns or DEFAULT_RESPONSE_NS
        one.robustness = query.robustness or DEFAULT_ROBUSTNESS
        one.told_ns = query.interval_ns
        if one.asked_ns is not None and now - one.asked_ns < one.present_ns:
            one.seen_ns, one.pauses = max(one.seen_ns or 0, now - one.asked_ns) or None, one.pauses + 1
        one.asked_ns = now

    def _elect(self, one: Querier, query: Query, now: int) -> None:
        winner = self.elected
        if winner is None or winner is one or now >= winner.last_ns + winner.present_ns or _rank(one) < _rank(winner):
            self.elected, self.lost, one.overruled = one, None, 0
        elif query.group is None:
            one.overruled += 1


def _rank(one: Querier) -> tuple[bool, int]:
    return one.nameless, int(one.address)
