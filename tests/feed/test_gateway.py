"""Many connections as one machine: whatever breaks, every book comes right, and nothing is asked for twice."""

from dataclasses import replace
from typing import Any

import pytest

from netfeed.book.state import BookState
from netfeed.errors import MisuseError
from netfeed.feed.dialect import Resync
from netfeed.feed.gateway import ATTEMPTS_BURST, ATTEMPTS_RATE, Gateway
from netfeed.feed.gateway_words import Connect, Connected, Disconnect, Disconnected, GapClosed, GapOpened, Told
from netfeed.feed.session_words import Parting, Silent
from netfeed.feed.venue import Venue
from netfeed.machine import NEVER
from netfeed.proto.backoff import Pauses
from tests.feed.gateway_world import World
from tests.feed.plain_talk import plain
from tests.feed.toy_venue import KEY, LIMITS, Server, ToyDialect, ToyMarket, fetch
from tests.feed.websocket_server_talk import ServerTalk, client

MS = 1_000_000
S = 1_000_000_000
TOPICS = ("book.a", "book.b", "book.c", "book.d", "book.e", "diff.a", "diff.b", "trades.a")


def sound(topics: tuple[str, ...] = TOPICS, seed: int = 1, **more: Any) -> World:
    """Make a world without faults, and let it come up."""
    world = World(seed, topics=topics, sick=0.0, calm_at=10**18, **more)
    world.run(5 * S)
    return world


def servers(world: World, venue: str = "toys0") -> list[tuple[int, Any]]:
    """Give the connections of a venue that live."""
    return [(port, one) for port, one in world.streams.items() if isinstance(one.server, Server) and not one.is_over]


def told(world: World, kind: type) -> list[Any]:
    return [event for _, event in world.told if type(event) is kind]


# --- worlds


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_every_world_ends_with_every_book_live_and_right_and_every_topic_asked_for_once(first: int) -> None:
    for seed in range(first, first + 20):
        world = World(
            seed,
            topics=TOPICS,
            lines=1 + seed % 2,
            calm_at=40 * S,
            every_ns=S,
            talk=client,
            server_talk=ServerTalk,
            churn=seed % 4 == 3,
            strict=seed % 3 == 2,
        )
        world.run(world.calm_at)
        assert world.settle(), f"seed {seed}: {world.wrong()}"
        assert KEY not in repr(world.told), f"seed {seed}"


def test_many_venues_live_beside_each_other() -> None:
    world = World(5, topics=TOPICS[:3], venues=6, calm_at=30 * S)
    world.run(world.calm_at)
    assert world.settle(), world.wrong()


def test_a_seed_is_one_history() -> None:
    one, two = (World(7, topics=TOPICS, lines=2) for _ in range(2))
    for world in (one, two):
        world.run(60 * S)
    assert one.told == two.told


# --- connections


def test_topics_are_spread_over_as_few_connections_as_the_limits_need() -> None:
    world = sound()
    assert sorted(len(stream.server.topics) for _, stream in servers(world)) == [4, 4]
    assert world.wrong() == []


def test_more_topics_than_the_venue_allows_are_refused_and_nothing_changes() -> None:
    world = sound(("book.a",))
    before = world.gateway.statistics()
    with pytest.raises(MisuseError, match="fit on the venue's connections"):
        world.gateway.want("toys0", [f"book.{k}" for k in range(100)], world.now)
    assert world.gateway.statistics() == before


def test_a_hundred_reconnects_ask_for_each_topic_once_each() -> None:
    world = sound(TOPICS[:3], every_ns=20 * S)
    for _ in range(100):
        ((port, stream),) = servers(world)
        world._close(port, stream, 1006)
        world.run(world.now + 100 * S)
    assert set(world.accounts["toys0"].asked.values()) == {101}
    assert world.accounts["toys0"].twice == 0
    assert world.settle()


def test_a_disconnect_says_why_who_closed_first_what_was_last_and_for_how_long_it_had_lived() -> None:
    world = sound(("book.a",))
    ((port, stream),) = servers(world)
    last = world.markets["toys0"].book("book.a").sequence
    world._close(port, stream, 1012)
    world.run(world.now + 30 * S)
    (lost,) = told(world, Disconnected)
    assert (lost.by, lost.code, lost.planned) == ("venue", 1012, False)
    assert lost.reason == "the venue closes"
    assert [one.topic for one in lost.last] == ["book.a"]
    assert lost.last[0].sequence >= last
    assert 4 * S < lost.uptime_ns < 6 * S
    opened, closed = told(world, GapOpened), told(world, GapClosed)
    assert opened[0].after == lost.last[0].sequence
    assert (closed[0].topic, closed[0].by, closed[0].opened_at) == ("book.a", "snapshot", opened[0].at)
    assert closed[0].until >= opened[0].after
    assert len(told(world, Connected)) == 2


def test_a_gap_of_trades_ends_with_the_subscription() -> None:
    world = sound(("trades.a",))
    ((port, stream),) = servers(world)
    world._close(port, stream, 1006)
    world.run(world.now + 30 * S)
    (gap,) = told(world, GapClosed)
    assert (gap.topic, gap.by, gap.after) == ("trades.a", "subscription", None)


def test_a_venue_that_refuses_for_ever_is_tried_ever_more_rarely() -> None:
    world = World(1, topics=("book.a",), sick=1.0, faults=("refuse",), calm_at=10**18)
    world.run(600 * S)
    times = [at for at, event in world.told if isinstance(event, Connect)]
    assert 15 < len(times) < 120
    assert told(world, Disconnected)[0].reason == "connection refused"
    assert world.settle(limit_ns=0) is False


def test_a_venue_that_closes_at_once_each_time_is_not_hammered() -> None:
    world = World(2, topics=("book.a",), sick=0.0, calm_at=10**18)
    for _ in range(600):
        world.run(world.now + S)
        for port, stream in servers(world):
            world._close(port, stream, 1011)
    assert world.counts["Connect"] < 100


def test_however_many_venues_fall_together_the_attempts_keep_to_one_budget() -> None:
    world = World(3, topics=("book.a",), venues=40, sick=1.0, faults=("refuse",), calm_at=10**18)
    world.run(10 * S)
    assert world.counts["Connect"] <= ATTEMPTS_BURST + 10 * ATTEMPTS_RATE + 1


def test_an_attempt_that_nothing_answers_is_given_up() -> None:
    world = World(4, topics=("book.a",), sick=1.0, faults=("hang",), calm_at=10**18)
    world.run(12 * S)
    lost = told(world, Disconnected)
    assert [(one.by, one.reason) for one in lost] == [("us", "no connection in time")]


def test_the_next_attempt_goes_to_the_next_endpoint() -> None:
    world = World(1, topics=("book.a",), sick=1.0, faults=("refuse",), calm_at=10**18)
    world.run(20 * S)
    assert [one.endpoint for one in told(world, Connect)][:3] == ["ws://toys0-a", "ws://toys0-b", "ws://toys0-a"]


def test_who_stops_closes_everything_and_is_at_rest() -> None:
    world = sound(lines=2)
    world._tell(world.gateway.stop(world.now))
    assert (world.gateway.ports, world.gateway.deadline) == ([], NEVER)
    assert all(event.planned for event in told(world, Disconnected))
    world.run(world.now + S)
    assert servers(world) == []


def test_a_gap_that_is_open_when_it_stops_is_never_called_closed() -> None:
    world = World(1, topics=("book.a",))
    world.run(3 * S)
    for port in list(world.gateway.ports):
        world._tell(world.gateway.end(world.now, port, "cut"))
    (venue,) = world.gateway.statistics().venues
    assert [gap.topic for gap in venue.open_gaps] == ["book.a"]
    world._tell(world.gateway.stop(world.now))
    (venue,) = world.gateway.statistics().venues
    assert [gap.topic for gap in venue.open_gaps] == ["book.a"]
    assert world.gateway.deadline == NEVER


# --- what is wanted


def test_topics_can_be_wanted_and_dropped_while_it_runs() -> None:
    world = sound()
    world.gateway.drop("toys0", ["book.a", "trades.a"], world.now)
    world._drain()
    world.run(world.now + 5 * S)
    carried = {topic for _, stream in servers(world) for topic in stream.server.topics}
    assert carried == set(TOPICS) - {"book.a", "trades.a"}
    world.gateway.want("toys0", ["trades.a", "book.a"], world.now)
    world._drain()
    world.run(world.now + 5 * S)
    assert world.settle()


def test_a_connection_that_carries_nothing_that_is_wanted_is_closed() -> None:
    world = sound()
    world.gateway.drop("toys0", TOPICS[4:], world.now)
    world.run(world.now + 5 * S)
    assert len(servers(world)) == 1
    assert [event.reason for event in told(world, Disconnected)] == ["nothing is wanted of it"]


def test_an_unknown_venue_is_named() -> None:
    with pytest.raises(MisuseError, match="no venue 'x', only toys0"):
        sound(("book.a",)).gateway.want("x", ["book.a"], 0)


def test_two_venues_of_one_name_are_refused() -> None:
    venue = Venue("a", ("e",), ToyDialect(), ToyMarket(()), plain)
    with pytest.raises(MisuseError, match="a name of its own"):
        Gateway([venue, venue], float, 0)


# --- the needs of books


def test_ten_thousand_updates_of_a_wrong_book_cause_one_request() -> None:
    world = sound(TOPICS[:4])
    exchange, market = world.exchanges["toys0"], world.markets["toys0"]
    exchange.sequence["book.a"] += 1  # one number is skipped
    for k in range(10_000):
        exchange.move("book.a", 1, k, world.now)
    world._flush_all()
    world.run(world.now + 5 * S)
    account = world.accounts["toys0"]
    assert (account.unasked["book.a"], account.asked["book.a"]) == (1, 2)
    assert {topic: account.asked[topic] for topic in TOPICS[1:4]} == dict.fromkeys(TOPICS[1:4], 1)
    assert market.book("book.a").state is BookState.LIVE
    (gap,) = told(world, GapClosed)
    assert (gap.topic, gap.why) == ("book.a", "sequence")
    assert world.wrong() == []


def test_a_book_that_is_wrong_again_and_again_is_had_anew_ever_more_rarely() -> None:
    world = sound(("book.a",))
    exchange = world.exchanges["toys0"]
    for _ in range(600):
        exchange.sequence["book.a"] += 1
        exchange.move("book.a", 1, 1, world.now)
        world._flush_all()
        world.run(world.now + S)
    assert world.accounts["toys0"].unasked["book.a"] < 25


def test_a_cry_for_a_topic_that_nobody_wants_does_nothing() -> None:
    world = sound(("book.a",))
    world.markets["toys0"]._wants["x"] = Resync("book.x", 0, "sequence")
    world.run(world.now + 30 * S)
    assert world.gateway.statistics().venues[0].resyncs == 0


def test_a_snapshot_that_never_came_is_had_anew_after_a_while() -> None:
    world = sound(("book.a",))
    exchange, book = world.exchanges["toys0"], world.markets["toys0"].book("book.a")
    exchange.snapshot = lambda topic: b'{"beat":1}'  # type: ignore[method-assign]
    exchange.sequence["book.a"] += 1
    world._close(*servers(world)[0], 1006)
    world.run(world.now + 10 * S)
    assert book.state is BookState.SUSPECT
    del exchange.snapshot  # type: ignore[method-assign]
    world.moving = False
    world.run(world.now + 30 * S)
    assert book.state is BookState.LIVE


# --- two lines, and moving over


def test_one_of_two_lines_can_go_and_no_book_is_touched() -> None:
    world = sound(TOPICS[:4], lines=2)
    market = world.markets["toys0"]
    states: set[BookState] = set()
    world._close(*servers(world)[0], 1006)
    for _ in range(50):
        world.run(world.now + 100 * MS)
        states |= {market.book(topic).state for topic in TOPICS[:4]}
    assert states == {BookState.LIVE}
    assert told(world, GapOpened) == []
    assert market.duplicates > 0


def test_before_a_lifetime_ends_another_connection_takes_over_and_nothing_is_missed() -> None:
    dialect = ToyDialect(replace(LIMITS, lifetime_ns=100 * S))
    world = sound(TOPICS[:4], dialect=dialect)
    states: set[BookState] = set()
    for _ in range(400):
        world.run(world.now + S)
        states |= {world.markets["toys0"].book(topic).state for topic in TOPICS[:4]}
    lost = told(world, Disconnected)
    assert 3 <= len(lost) <= 6
    assert all(one.planned and one.uptime_ns < 100 * S for one in lost)
    assert states == {BookState.LIVE}
    assert told(world, GapOpened) == []
    assert world.gateway.statistics().venues[0].takeovers == len(lost)
    assert world.settle()


def test_a_venue_that_says_that_it_leaves_is_left_before() -> None:
    world = sound(TOPICS[:4])
    ((port, stream),) = servers(world)
    stream.server.leaving(world.now)
    world._flush(port, stream)
    world.run(world.now + 10 * S)
    assert [one.what for one in told(world, Told) if isinstance(one.what, Parting)] == [Parting("maintenance")]
    assert [(one.port, one.planned) for one in told(world, Disconnected)] == [(port, True)]
    assert told(world, GapOpened) == []
    assert world.settle()


def test_an_heir_steps_in_when_the_link_dies_before_the_handover() -> None:
    world = sound(TOPICS[:4])
    ((port, stream),) = servers(world)
    stream.server.leaving(world.now)
    world._flush(port, stream)
    world.run(world.now + S)
    assert len(servers(world)) == 2
    world._close(port, stream, 1001)
    world.run(world.now + 10 * S)
    assert told(world, GapOpened) == []
    assert (len(servers(world)), world.counts["Connect"]) == (1, 2)
    assert world.settle()


def test_where_the_venue_allows_one_connection_nothing_can_take_over() -> None:
    world = sound(("book.a",), dialect=ToyDialect(replace(LIMITS, connections=1)))
    ((port, stream),) = servers(world)
    stream.server.leaving(world.now)
    world._flush(port, stream)
    world.run(world.now + 20 * S)
    assert world.counts["Connect"] == 1
    world._close(port, stream, 1001)
    assert world.settle()


# --- signs of life, clocks


def test_a_connection_that_is_open_and_mute_makes_books_stale_and_is_given_up() -> None:
    world = sound(("book.a",))
    ((_, stream),) = servers(world)
    stream.server.mood.mute = True
    world.run(world.now + 12 * S)
    assert world.markets["toys0"].book("book.a").state is BookState.STALE
    assert [one.what.silent for one in told(world, Told) if isinstance(one.what, Silent)] == [True]
    world.run(world.now + 10 * S)
    (lost,) = told(world, Disconnected)
    assert (lost.by, lost.reason) == ("us", "silent for 20.0 s")
    assert world.settle()


def test_a_quiet_topic_is_not_a_dead_connection() -> None:
    world = sound(("book.a",))
    world.moving = False
    world.run(world.now + 600 * S)
    assert told(world, Disconnected) == []
    assert world.wrong() == []


def test_the_clock_of_the_venue_is_estimated_within_its_error() -> None:
    world = sound(("book.a",))
    world.gateway.skew_ns = 10**15
    world.run(60 * S)
    (venue,) = world.gateway.statistics().venues
    assert venue.error_ns == 2 * MS
    assert abs(venue.offset_ns - (world.ahead_ns - 10**15)) <= venue.error_ns


# --- what a driver may do


def test_input_for_a_port_that_is_closed_is_counted_and_dropped() -> None:
    gateway = sound(("book.a",)).gateway
    assert gateway.receive(b"x", 10**12, 77) == []
    assert gateway.end(10**12, 77) == []
    assert gateway.transmit(77) == []
    assert gateway.statistics().strays == 2
    with pytest.raises(MisuseError, match="port 77 was not waited for"):
        gateway.opened(77, 0)


def test_last_words_that_nobody_drains_are_bounded() -> None:
    world = World(1, topics=("book.a",), venues=1, calm_at=10**18, sick=0.0, pauses=Pauses(first_ns=1, cap_ns=1))
    gateway = world.gateway
    now = 0
    for _ in range(300):
        now = max(now + S, gateway.deadline)
        for event in gateway.wake(now):
            if isinstance(event, Connect):
                gateway.opened(event.port, now)
                gateway.receive(b"!", now, event.port)
                gateway.end(now, event.port)
    assert gateway.statistics().undrained > 100


def test_the_driver_is_told_to_disconnect_exactly_what_it_was_told_to_connect() -> None:
    world = World(11, topics=TOPICS, lines=2, calm_at=60 * S)
    world.run(60 * S)
    opened = [event.port for event in told(world, Connect)]
    closed = [event.port for event in told(world, Disconnect)]
    assert len(set(opened)) == len(opened)
    assert sorted(set(opened) - set(closed)) == sorted(world.gateway.ports)
    assert len(set(closed)) == len(closed)


def test_a_venue_without_a_way_to_fetch_says_so() -> None:
    with pytest.raises(MisuseError, match="go together"):
        Venue("a", ("e",), ToyDialect(), ToyMarket(()), plain, fetch=fetch)
    with pytest.raises(MisuseError, match="no endpoint"):
        Venue("a", (), ToyDialect(), ToyMarket(()), plain)
    with pytest.raises(MisuseError, match="can never be sent"):
        Venue("a", ("e",), ToyDialect(replace(LIMITS, subscribe_weight=11)), ToyMarket(()), plain)
