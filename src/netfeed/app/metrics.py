"""Metrics in Prometheus' words, made from the account when they are asked for; nothing is counted twice.

Names and units are part of the public interface (`docs/configuration.md`). No instrument is ever a label.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

import netfeed
from netfeed.app.account import RECOVERIES, account
from netfeed.app.live import Live
from netfeed.app.venue_metrics import list_metrics, venue_metrics
from netfeed.feed.gateway_words import Statistics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_NS: Final = [1000 * 2**k for k in range(21)]
"""From 1 us to 1 s, each twice the one before."""
S: Final = 1e9


class Metrics(Collector):
    """The collector."""

    def __init__(self, live: Live) -> None:
        self.links: dict[str, Counter[str]] = {}
        self.more: list[Callable[[], Iterable[Metric]]] = []
        """Who else has metrics."""
        self._live = live
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Write all metrics."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Describe nothing before it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give all metrics, as of now."""
        told = account(self._live)
        yield from self._lines(told)
        yield from _channels(told)
        accounts = [link.statistics() for link in self._live.venues.links]
        yield from venue_metrics(Statistics(tuple(one for one in accounts if one is not None), 0, 0))
        yield from list_metrics(told["venues"])
        yield from self._process(told)
        for collect in self.more:
            yield from collect()

    def _lines(self, told: dict[str, Any]) -> Iterator[Metric]:
        labels = ["channel", "line"]
        received = CounterMetricFamily("netfeed_packets_received", "Packets, by channel and line", labels=labels)
        foreign = CounterMetricFamily("netfeed_packets_foreign", "Packets of senders not admitted", labels=labels)
        dropped = CounterMetricFamily(
            "netfeed_packets_dropped", "Packets lost on this host", labels=[*labels, "layer"]
        )  # fmt: skip
        lead = SummaryMetricFamily(
            "netfeed_line_lead_seconds", "How far the first copy led that of this line", labels=labels
        )  # fmt: skip
        for channel in told["channels"]:
            for line in channel["lines"]:
                names = [channel["channel"], line["line"]]
                received.add_metric(names, line["packets"])
                foreign.add_metric(names, line["foreign"])
                dropped.add_metric([*names, "socket"], line["kernel_drops"])
                dropped.add_metric([*names, "queue"], line["queue_drops"])
                behind = line["behind_ns"]
                if behind is not None:
                    lead.add_metric(names, behind["count"], behind["sum"] / S)
        host = told["loss"]
        for layer, counts in (("nic", host["nic"]), ("kernel", host["kernel"])):
            dropped.add_metric(["", "", layer], sum(counts.values()))
        yield from (received, foreign, dropped, lead)
        yield from _host(host)

    def _process(self, told: dict[str, Any]) -> Iterator[Metric]:
        took = HistogramMetricFamily("netfeed_wire_to_app_seconds", "From the kernel's stamp to changed books")
        latency = self._live.latency()
        edges = [(f"{edge / S:g}", float(latency.at_most(edge))) for edge in BUCKETS_NS]
        took.add_metric([], [*edges, ("+Inf", float(latency.count))], latency.total_ns / S)
        yield took
        books = GaugeMetricFamily("netfeed_books", "Books by state; only LIVE is quotable", labels=["state"])
        for state, count in told["books"].items():
            books.add_metric([state], count)
        yield books
        refused = CounterMetricFamily("netfeed_refused", "Messages that made no sense to a book", labels=["reason"])
        for reason, count in told["refused"].items():
            refused.add_metric([reason], count)
        yield refused
        depth = GaugeMetricFamily("netfeed_queue_depth", "What waits in a queue", labels=["queue"])
        overflow = CounterMetricFamily(
            "netfeed_queue_overflow", "What a queue had no room for", labels=["queue", "policy"]
        )
        for queue in told["queues"]:
            depth.add_metric([queue["queue"]], queue["depth"])
            overflow.add_metric([queue["queue"], queue["policy"]], queue["overflow"])
        yield from (depth, overflow)
        yield _one(
            GaugeMetricFamily,
            "netfeed_loop_lag_seconds",
            "The loop's longest turn",
            told["loop"]["longest_turn_ns"] / S,
        )
        yield _one(
            CounterMetricFamily, "netfeed_clock_steps", "How often the clock was set", told["loop"]["clock_steps"]
        )
        again = CounterMetricFamily("netfeed_reconnects", "Connections made anew", labels=["endpoint", "reason"])
        every = {endpoint: Counter(reasons) for endpoint, reasons in self.links.items()}
        for venue in told["venues"]:
            for endpoint, reasons in venue["reconnects"].items():
                every.setdefault(endpoint, Counter()).update(reasons)
        for endpoint, reasons in every.items():
            for reason, count in reasons.items():
                again.add_metric([endpoint, reason], count)
        yield again
        build = GaugeMetricFamily("netfeed_build_info", "Which netfeed runs", labels=["version", "build"])
        build.add_metric([netfeed.__version__, netfeed.BUILD], 1)
        yield build


def _host(told: dict[str, Any]) -> Iterator[Metric]:
    """Give the losses of the host that no line can be charged with: by interface, and by the kernel's reason."""
    nic = CounterMetricFamily(
        "netfeed_nic_dropped", "Packets that a card lost, or that were damaged", labels=["interface"]
    )
    for name, count in told["nic"].items():
        nic.add_metric([name], count)
    kernel = CounterMetricFamily("netfeed_kernel_dropped", "Packets that the kernel dropped", labels=["reason"])
    for reason, count in told["kernel"].items():
        kernel.add_metric([reason], count)
    yield from (nic, kernel)


_CHANNEL: Final = (
    ("netfeed_messages", "Messages delivered, each once", "messages"),
    ("netfeed_sequence_gaps", "Gaps that were opened", "gaps"),
    ("netfeed_messages_lost", "Messages that never came", "messages_lost"),
    ("netfeed_duplicates", "Packets that another line had brought", "duplicates"),
    ("netfeed_heartbeats", "Heartbeats", "heartbeats"),
    ("netfeed_malformed", "Packets that fit no specification", "malformed"),
    ("netfeed_ignored", "Packets that were not believed", "ignored"),
    ("netfeed_silences", "How often all lines fell silent", "silences"),
    ("netfeed_resets", "Sessions and counts begun anew", "resets"),
)


def _channels(told: dict[str, Any]) -> Iterator[Metric]:
    for name, what, key in _CHANNEL:
        family = CounterMetricFamily(name, what, labels=["channel"])
        for channel in told["channels"]:
            family.add_metric([channel["channel"]], channel[key])
        yield family
    recovered = CounterMetricFamily("netfeed_gap_recovered", "Gaps closed, by what", labels=["channel", "by"])
    held = GaugeMetricFamily("netfeed_held_bytes", "What waits behind gaps", labels=["channel"])
    silent = GaugeMetricFamily("netfeed_channel_silent", "1 while all lines are silent", labels=["channel"])
    servers = CounterMetricFamily(
        "netfeed_retransmit_requests", "Requests to send again", labels=["channel", "server", "result"]
    )  # fmt: skip
    refused = CounterMetricFamily(
        "netfeed_snapshots_refused", "Snapshots that were not believed, by what is wrong", labels=["channel", "reason"]
    )  # fmt: skip
    for channel in told["channels"]:
        for reason, count in channel["snapshots_refused"].items():
            refused.add_metric([channel["channel"], reason], count)
        for by in RECOVERIES:
            recovered.add_metric([channel["channel"], by], channel["recovered"][by])
        held.add_metric([channel["channel"]], channel["held_bytes"])
        silent.add_metric([channel["channel"]], int(channel["silent"]))
        for server in channel["servers"]:
            for result in ("asked", "answered", "timeouts", "rejects", "unasked"):
                servers.add_metric([channel["channel"], server["server"], result], server[result])
    yield from (recovered, refused, held, silent, servers)


def _one(family: Any, name: str, what: str, value: float) -> Metric:
    made: Metric = family(name, what, value=value)
    return made
