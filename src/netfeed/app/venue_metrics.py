"""Metrics of venues over connections, made from a gateway's account when they are asked for. No topic is ever a label.

Names and units are part of the public interface (`docs/configuration.md`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from netfeed.feed.gateway_words import Statistics, VenueStatistics

S: Final = 1e9
Take = Callable[[VenueStatistics], Any]
_COUNTERS: Final[tuple[tuple[str, str, Take], ...]] = (
    ("connection_attempts", "Connections that were tried", lambda one: one.attempts),
    ("connections_opened", "Connections that stood", lambda one: one.connected),
    ("connections_lost", "Connections that ended", lambda one: one.disconnected),
    ("takeovers", "Connections that another one took over in time", lambda one: one.takeovers),
    ("venue_messages", "Messages received, all lines", lambda one: one.messages),
    ("topic_gaps", "Times that something of a topic was missed", lambda one: one.gaps_opened),
    ("resyncs", "Topics that were subscribed anew because their book was wrong", lambda one: one.resyncs),
    ("resyncs_repeated", "Cries for a resync that was already under way", lambda one: one.resyncs_repeated),
    ("throttled", "Times that the venue said: too many requests", lambda one: one.budget.throttled),
    ("request_weight", "Weight of all requests, as the venue counts it", lambda one: one.budget.weight),
    ("snapshots_fetched", "Snapshots had over HTTP", lambda one: one.fetches.fetched),
    ("snapshots_failed", "Snapshots that could not be had over HTTP", lambda one: one.fetches.failed),
)
_GAUGES: Final[tuple[tuple[str, str, Take], ...]] = (
    ("topics", "Topics that are wanted", lambda one: one.topics),
    ("topic_gaps_open", "Topics of which something is being missed", lambda one: len(one.open_gaps)),
    ("connections_ready", "Connections that stand", lambda one: sum(line.ready for line in one.connections)),
    ("connections_silent", "Those beyond their heartbeat", lambda one: sum(line.silent for line in one.connections)),
    ("clock_offset_seconds", "The venue's clock less ours", lambda one: _seconds(one.offset_ns)),
    ("clock_offset_error_seconds", "How wrong that may be, either way", lambda one: _seconds(one.error_ns)),
)


def venue_metrics(told: Statistics) -> Iterator[Metric]:
    """Give all metrics of a gateway, as of its account."""
    for kind, table in ((CounterMetricFamily, _COUNTERS), (GaugeMetricFamily, _GAUGES)):
        for name, what, take in table:
            family = kind(f"netfeed_{name}", what, labels=["venue"])
            for venue in told.venues:
                value = take(venue)
                if value is not None:
                    family.add_metric([venue.name], value)
            yield family
    books = GaugeMetricFamily("netfeed_venue_books", "Books by state; only LIVE is quotable", labels=["venue", "state"])
    puzzling = CounterMetricFamily("netfeed_puzzling", "Messages of open connections that nobody understands",
                                   labels=["venue"])  # fmt: skip
    for venue in told.venues:
        for state, count in venue.books.items():
            books.add_metric([venue.name, state], count)
        sessions = [line.session for line in venue.connections if line.session is not None]
        puzzling.add_metric([venue.name], sum(sum(one.puzzling.values()) for one in sessions))
    yield from (books, puzzling)


def list_metrics(venues: Iterable[dict[str, Any]]) -> Iterator[Metric]:
    """Give what could not be read of the venues' lists, of the accounts of venues."""
    passed = GaugeMetricFamily("netfeed_instruments_passed_over", "Instruments of a form that nobody knows",
                               labels=["venue"])  # fmt: skip
    for venue in venues:
        passed.add_metric([venue["venue"]], sum(one["times"] for one in venue["passed_over"]))
    yield passed


def _seconds(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / S
