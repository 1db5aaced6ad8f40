"""Metrics of whoever trades, in Prometheus' words: orders, risk, money, limits, sessions, journal, kill switch.

They are made when they are asked for, between two turns of the loop, of the engine's picture without its instruments
and of what counts beside it; nothing is counted twice. No instrument and no person is ever a label. What is not known
(a worth without a mark, a latency before the first answer) is not told.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from netfeed.app.trading.kill_watch import LIMIT, WAYS, KillStatistics
from netfeed.app.trading.order_journal import JournalStatistics
from netfeed.app.trading.order_tally import RESULTS, OrderTally
from netfeed.engine.limits import Rule
from netfeed.engine.picture import EnginePicture

S: Final = 1e9
BUCKETS_NS: Final = [1000 * 2**k for k in range(21)]
"""From 1 us to 1 s, each twice the one before."""
_GREEKS: Final = ("delta", "gamma", "vega", "theta")


class Engine(Protocol):
    """Whoever has a picture of itself."""

    def picture(self, *, chain: bool = True) -> EnginePicture:
        """Show everything, or everything but the instruments."""


class TradingMetrics:
    """What a run that trades adds to its metrics. `tick_to_order`: a histogram of the loop's, None: nobody measures."""

    def __init__(
        self, engine: Engine, tally: OrderTally, journal: Callable[[], JournalStatistics] | None,
        kill: Callable[[], KillStatistics], tick_to_order: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._tally, self._journal, self._kill = engine, tally, journal, kill
        self._tick_to_order = tick_to_order

    def collect(self) -> Iterator[Metric]:
        """Give all of them, as of now."""
        picture = self._engine.picture(chain=False)
        yield from self._orders(picture)
        yield from _risk(picture)
        yield from _money(picture)
        yield from _sessions(picture)
        yield from _killed(self._kill())
        if self._journal is not None:
            yield from _journal(self._journal())
        if self._tick_to_order is not None:
            yield _tick_to_order(self._tick_to_order())

    def _orders(self, picture: EnginePicture) -> Iterator[Metric]:
        results = {name: self._tally.results[name] for name in RESULTS}
        yield _counters("netfeed_orders", "Requests by what became of them", "result", results)
        yield _counters("netfeed_order_refusals", "Refused by a venue, by cause", "cause", self._tally.causes)
        yield _counter("netfeed_fills", "Executions, each once", picture.fills)
        yield _counter("netfeed_hedges", "Executions of hedges", picture.hedges)
        yield _gauge("netfeed_orders_uncertain", "Orders that nobody knows the fate of", picture.uncertain)
        yield _gauge("netfeed_orders_reconciled", "1 while venues' lists agree with ours", picture.reconciled)
        yield _gauge("netfeed_engine_ready", "1 while it may quote", not picture.ready)
        yield _gauge("netfeed_positions", "Instruments of which something is held", picture.held)


def _risk(picture: EnginePicture) -> Iterator[Metric]:
    refused = {rule.value: picture.refused.get(rule.value, 0) for rule in Rule}
    yield _counters("netfeed_risk_rejections", "Requests refused by our own risk", "rule", refused)
    used = GaugeMetricFamily("netfeed_limit_used_ratio", "How much of a limit is used; 1 is all", labels=["rule"])
    for limit in picture.limits:
        if limit.limit:
            used.add_metric([limit.rule], limit.used / limit.limit)
    yield used
    hot = {name.removeprefix("hot_"): count for name, count in picture.counters.items() if name.startswith("hot_")}
    if hot:
        yield _counters("netfeed_hot_step", "What the hot step did, and what became of its mandates", "what", hot)


def _money(picture: EnginePicture) -> Iterator[Metric]:
    pnl = GaugeMetricFamily("netfeed_pnl", "Profit and loss", labels=["currency", "kind"])
    for money in picture.money:
        for kind in ("realised", "unrealised", "fees"):
            value = getattr(money, kind)
            if value is not None:
                pnl.add_metric([money.currency, kind], value * 10.0**money.exponent)
    yield pnl
    greeks = GaugeMetricFamily("netfeed_greeks", "Of everything that is held", labels=["greek"])
    for name in _GREEKS:
        greeks.add_metric([name], sum(getattr(one, name) for one in picture.expiries))
    yield greeks


def _sessions(picture: EnginePicture) -> Iterator[Metric]:
    up = GaugeMetricFamily("netfeed_order_session_up", "1 while it takes orders", labels=["session"])
    latency = GaugeMetricFamily(
        "netfeed_order_session_latency_seconds", "From a request to its answer, smoothed", labels=["session"]
    )  # fmt: skip
    requests = CounterMetricFamily(
        "netfeed_order_session_requests", "Requests handed to a session", labels=["session", "result"]
    )  # fmt: skip
    for route in picture.routes:
        up.add_metric([route.name], int(route.is_up))
        if route.latency_ns is not None:
            latency.add_metric([route.name], route.latency_ns / S)
        requests.add_metric([route.name, "sent"], route.sent)
        requests.add_metric([route.name, "unsent"], route.unsent)
    yield from (up, latency, requests)


def _killed(told: KillStatistics) -> Iterator[Metric]:
    ways = (*WAYS, LIMIT)
    killed = GaugeMetricFamily("netfeed_killed", "1 for the way by which it is killed", labels=["by"])
    for way in ways:
        killed.add_metric([way], int(told.by == way))
    yield killed
    yield _counters("netfeed_kills", "How often it was killed", "by", {way: told.kills.get(way, 0) for way in ways})
    yield _counter("netfeed_kill_latch_unwritten", "Looks since the latch cannot be written", told.unwritten)


def _journal(told: JournalStatistics) -> Iterator[Metric]:
    yield _counter("netfeed_journal_records", "Records of the order journal", told.records)
    yield _counter("netfeed_journal_lost", "Records that there was no room for", told.lost)
    yield _counter("netfeed_journal_syncs", "Group commits", told.syncs)
    yield _counter("netfeed_journal_sync_seconds", "Time that group commits took", told.sync_ns / S)
    yield _gauge("netfeed_journal_longest_sync_seconds", "The longest group commit", told.longest_sync_ns / S)
    yield _gauge("netfeed_journal_lag_seconds", "What a power cut would lose, at most", told.lag_ns / S)
    yield _gauge("netfeed_journal_unsynced_bytes", "What the disk does not have yet", told.unsynced)
    yield _gauge("netfeed_journal_trouble", "1 when the disk has failed; nothing is quoted then", bool(told.trouble))


def _tick_to_order(histogram: Any) -> Metric:
    took = HistogramMetricFamily(
        "netfeed_tick_to_order_seconds", "From the kernel's stamp of a packet to the write of the order it caused"
    )  # fmt: skip
    edges = [(f"{edge / S:g}", float(histogram.at_most(edge))) for edge in BUCKETS_NS]
    took.add_metric([], [*edges, ("+Inf", float(histogram.count))], histogram.total_ns / S)
    return took


def _counters(name: str, what: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, what, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(name, what, value=value)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=float(value))
