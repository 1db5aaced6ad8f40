"""Metrics of venues over connections."""

from prometheus_client import CollectorRegistry, generate_latest

from netfeed.app.venue_metrics import list_metrics, venue_metrics
from netfeed.feed.gateway_words import Statistics
from tests.feed.gateway_world import World


class Collected:
    def __init__(self, told: Statistics) -> None:
        self._told = told

    def collect(self) -> object:
        return venue_metrics(self._told)


def text_of(told: Statistics) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected(told))  # type: ignore[arg-type]
    return generate_latest(registry).decode()


def test_the_account_of_a_gateway_as_metrics() -> None:
    world = World(1, topics=("book.a", "diff.a", "trades.a"), sick=0.0, calm_at=10**18, venues=2)
    world.run(30_000_000_000)
    text = text_of(world.gateway.statistics())
    for line in (
        'netfeed_connections_opened_total{venue="toys0"} 1.0', 'netfeed_topics{venue="toys1"} 3.0',
        'netfeed_connections_ready{venue="toys0"} 1.0', 'netfeed_snapshots_fetched_total{venue="toys0"} 1.0',
        'netfeed_venue_books{state="LIVE",venue="toys0"} 2.0', 'netfeed_topic_gaps_total{venue="toys0"} 0.0',
        'netfeed_clock_offset_error_seconds{venue="toys0"} 0.002', 'netfeed_puzzling_total{venue="toys0"} 0.0',
    ):  # fmt: skip
        assert line in text


def test_what_is_not_known_is_not_told() -> None:
    world = World(1, topics=("book.a",), sick=0.0, calm_at=10**18)
    assert "netfeed_clock_offset_seconds{" not in text_of(world.gateway.statistics())


def test_what_was_passed_over_of_a_list_is_a_gauge() -> None:
    passed = [{"reason": "kind X", "times": 2, "first": "A"}, {"reason": "kind Y", "times": 1, "first": "B"}]
    (family,) = list_metrics([{"venue": "a", "passed_over": passed}, {"venue": "b", "passed_over": []}])
    assert family.name == "netfeed_instruments_passed_over"
    assert [(one.labels, one.value) for one in family.samples] == [({"venue": "a"}, 3), ({"venue": "b"}, 0)]
