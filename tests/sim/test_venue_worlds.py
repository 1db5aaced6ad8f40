"""Whole venues in virtual time, behind lines that fail in both directions: the handler's books end as the venue's are.

Here the orders are matched while the world runs, so that every seed is another day; the worlds of `test_world` play
sessions that were written before, and look at every message of them.
"""

from collections import Counter
from itertools import cycle
from random import Random
from typing import Any

import pytest

from netfeed.book.digest import digest
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.feed.channel import Channel
from netfeed.feed.delivery import Delivery
from netfeed.feed.events import GapClosed, GapOpened
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.glimpse import Glimpse
from netfeed.feed.ports import SERVERS, Port
from netfeed.feed.recovery import Recovery
from netfeed.feed.requests import REQUESTS
from netfeed.feed.splice import Splice
from netfeed.sim.faults import RATE, Faults
from netfeed.sim.venue import Settings, Venue, itch_venue, starbase_venue
from netfeed.sim.venue_ports import GLIMPSE
from netfeed.sim.world import Outcome, World
from netfeed.venues.itch import ItchFeed
from netfeed.venues.starbase import StarbaseFeed

MS = 1_000_000
MULTICAST = (Port.LINE_A, Port.LINE_B, Port.SNAPSHOT_A, Port.SNAPSHOT_B)
LOSSES = (0.0, 0.02, 0.1, 0.3)


class Staged:
    """A venue as a world wants it: which ports speak, whether the flow is over, and the next number."""

    def __init__(self, venue: Venue) -> None:
        self.ports = [*MULTICAST, *SERVERS]
        self.venue = venue
        self.connections = GLIMPSE

    def __getattr__(self, name: str) -> Any:
        return getattr(self.venue, name)

    @property
    def finished(self) -> bool:
        return self.venue.idle

    @property
    def next_sequence(self) -> int:
        return self.venue.lines.next

    def server(self, now: int) -> "Connection":
        self.connections = GLIMPSE + (self.connections + 1 - GLIMPSE) % 32
        return Connection(self.venue, self.connections)


class Connection:
    """One connection to the venue's GLIMPSE server; the venue itself is woken by the world."""

    deadline = 2**63 - 1

    def __init__(self, venue: Venue, port: int) -> None:
        self.venue, self.port = venue, port

    def receive(self, data: bytes, now: int, port: int = 0) -> Any:
        return self.venue.receive(data, now, self.port)

    def wake(self, now: int) -> Any:
        return []

    def end(self, now: int) -> Any:
        return self.venue.end(now, self.port)

    def transmit(self, port: int = 0) -> list[bytes]:
        return self.venue.transmit(self.port)


def stage(protocol: str, seed: int, *, loss: float, late: bool = False, transactions: int = 300) -> tuple[World, Venue]:
    """Set up one world; `late` joins after some of the flow has gone by."""
    random = Random(seed)
    settings = Settings(
        seed=seed, rate=1_000, transactions=transactions, instruments=4, live_orders=60, cycle_ns=200 * MS, gateways=2,
        heartbeat_ns=200 * MS, truth=False,
    )  # fmt: skip
    venue = starbase_venue(settings) if protocol == "starbase" else itch_venue(settings)
    while late and venue.transactions < transactions // 3:
        now = venue.deadline
        venue.wake(now)
        for port in MULTICAST:
            venue.transmit(port)
    framing = "starbase" if protocol == "starbase" else "moldudp64"
    recovery = Recovery(REQUESTS[framing], servers=SERVERS[:2], jitter=random.random)
    channel = Channel(FRAMINGS[framing], name="world", start=None if late else 1, splice=Splice(), recovery=recovery)
    feed: Any = StarbaseFeed() if protocol == "starbase" else ItchFeed()
    feed.begin(not late)
    rate = int(loss * RATE)
    faults = Faults(
        loss=rate, duplicate=rate // 3, reorder=rate // 3, reorder_ns=3 * MS, delay_ns=200_000, jitter_ns=300_000,
        corrupt=rate // 10,
    )  # fmt: skip
    staged = Staged(venue)
    glimpse = Glimpse("user", "word", pause_ns=50 * MS, jitter=random.random) if protocol == "itch" else None
    world = World(
        staged, Delivery(channel, feed, heals=protocol == "starbase"),  # type: ignore[arg-type]
        faults=dict.fromkeys([*MULTICAST, *SERVERS[:2]], faults), requests=faults, seed=seed, glimpse=glimpse,
        server=staged.server, cuts=10,
        watch=lambda now: feed.take(),
    )  # fmt: skip
    return world, venue


def differences(world: World, venue: Venue) -> list[str]:
    """Name the books that are not the venue's, by their digest over every level."""
    feed = world.handler.feed
    books = dict(zip(feed.names, feed.books, strict=True))
    wrong = []
    for index in venue.floor.instruments:
        truth = venue.truth(index)
        book = books.get(truth.instrument)
        if book is None or book.state is not BookState.LIVE:
            wrong.append(f"{truth.instrument}: {book and book.state.name}")
        elif digest(*(book.depth(side, 10**6) for side in Side)) != truth.digest:
            wrong.append(f"{truth.instrument}: another book")
    return wrong


def gaps(outcome: Outcome) -> tuple[int, int]:
    """Count the gaps that were opened and those that were closed."""
    told = Counter(type(event) for event in outcome.events)
    return told[GapOpened], told[GapClosed]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("protocol", ["starbase", "itch"])
def test_a_live_venue_behind_bad_lines_is_followed_to_the_last_order(protocol: str, late: bool) -> None:
    for seed in range(8):
        world, venue = stage(protocol, seed, loss=LOSSES[seed % len(LOSSES)], late=late)
        outcome = world.run()
        assert outcome.calm, f"seed {seed}: {world.handler.channel.statistics()}"
        assert differences(world, venue) == [], f"seed {seed}"
        opened, closed = gaps(outcome)
        assert opened == closed == world.handler.channel.statistics().gaps_opened, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("protocol", ["starbase", "itch"])
def test_many_live_venues_are_followed_to_the_last_order(protocol: str, late: bool, block: int) -> None:
    for seed in range(1_000 + 20 * block, 1_020 + 20 * block):
        world, venue = stage(protocol, seed, loss=LOSSES[seed % len(LOSSES)], late=late)
        assert world.run().calm, f"seed {seed}: {world.handler.channel.statistics()}"
        assert differences(world, venue) == [], f"seed {seed}"


@pytest.mark.parametrize("protocol", ["starbase", "itch"])
def test_servers_that_send_what_was_not_asked_are_counted_and_never_believed(protocol: str) -> None:
    for seed in range(3):
        world, venue = stage(protocol, seed, loss=0.2)
        for gateway in venue.gateways:
            gateway.wrong = True
        assert world.run().calm, f"seed {seed}"
        assert differences(world, venue) == [], f"seed {seed}"
        servers = world.handler.channel.statistics().servers
        assert sum(one.unasked for one in servers) > 0


@pytest.mark.parametrize("protocol", ["starbase", "itch"])
def test_a_switch_that_takes_over_from_the_other_opens_no_gap(protocol: str) -> None:
    world, venue = stage(protocol, 3, loss=0)
    places, due = cycle((0, 1)), [0]

    def take_over(now: int) -> None:
        if now >= due[0]:
            due[0] = now + 40 * MS
            venue.switch(next(places), now)
        world.handler.feed.take()

    world._watch = take_over
    outcome = world.run()
    assert outcome.calm
    assert differences(world, venue) == []
    channel = world.handler.channel.statistics()
    first = [line.first for line in channel.lines if line.port in (0, 1)]
    assert min(first) > 0
    assert channel.gaps == ()
