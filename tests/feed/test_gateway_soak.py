"""Thirty days in virtual time with a connection broken every few minutes: nothing grows, nothing doubles, all LIVE."""

from dataclasses import replace

import pytest

from netfeed.feed.dialect import Liveness
from tests.feed.gateway_world import World
from tests.feed.toy_venue import LIMITS, ToyDialect
from tests.feed.websocket_server_talk import ServerTalk, client
from tests.picture import weight

S = 1_000_000_000
DAY = 86_400 * S
TOPICS = ("book.a", "book.b", "book.c", "book.d", "book.e", "diff.a", "diff.b", "trades.a")


def soak(days: int, seed: int = 1) -> tuple[World, list[int]]:
    """Live through so many days; give the world and the weight of the gateway after each."""
    limits = replace(LIMITS, lifetime_ns=DAY)
    liveness = Liveness(heartbeat_ns=60 * S, ping_ns=300 * S, silent_ns=150 * S)
    world = World(
        seed, topics=TOPICS, lines=2, sick=0.0, calm_at=days * DAY, every_ns=20 * S, beat_ns=60 * S,
        strike_ns=120 * S, dialect=ToyDialect(limits, liveness), talk=client, server_talk=ServerTalk,
    )  # fmt: skip
    world.keep_told = False
    weights = []
    for day in range(1, days + 1):
        world.run(day * DAY)
        weights.append(weight(world.gateway))
        for server in world.exchanges["toys0"].venues:
            assert set(server.topics.values()) <= {1}, f"a topic was asked for twice, on day {day}"
    return world, weights


@pytest.mark.slow
def test_thirty_days_with_a_disconnect_every_few_minutes() -> None:
    world, weights = soak(30)
    assert world.strikes > 30 * 86_400 / 240
    assert world.settle(), world.wrong()
    assert world.accounts["toys0"].twice == 0
    assert max(weights[1:]) < weights[0] * 1.05, weights
    (venue,) = world.gateway.statistics().venues
    assert venue.disconnected > 10_000
    assert venue.books == {"LIVE": 7}


def test_a_day_of_it() -> None:
    world, _ = soak(1, seed=2)
    assert world.settle(), world.wrong()
    assert world.accounts["toys0"].twice == 0
    assert world.gateway.statistics().venues[0].gaps_opened == world.gateway.statistics().venues[0].gaps_closed
