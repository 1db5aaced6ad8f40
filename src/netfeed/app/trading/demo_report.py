"""What a demo says at its end: one object, or a few lines; and whether we and the venue agree.

The venue's ledger is the truth. Its quantities are compared as decimal texts by the names of instruments, so that what
is equal is equal to the last digit. The keys of the object are part of the public interface.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netfeed.app.trading.screen_words import total
from netfeed.engine.picture import EnginePicture
from netfeed.latency import Histogram
from netfeed.units import decimal_text, duration_text

Quantities = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we hold and have resting beside what the venue says; `differences` in words."""

    differences: tuple[str, ...] = ()
    positions: bool = True
    orders: bool = True

    @property
    def agrees(self) -> bool:
        """Say whether all is equal."""
        return self.positions and self.orders


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a demo has to say. Units: `elapsed_ns` ns; `why`: what else went wrong.

    `ticks`: from packet to order by the engine's pass, `hot`: by the hot step before it.
    """

    elapsed_ns: int
    messages: int
    gaps: int
    lost: int
    books: Mapping[str, int]
    engine: EnginePicture
    verdict: Verdict
    ticks: Histogram
    why: tuple[str, ...] = field(default=())
    hot: Histogram = field(default_factory=Histogram)

    @property
    def ok(self) -> bool:
        """Say whether everything is as it should be at the end."""
        return self.verdict.agrees and not self.why

    def as_json(self) -> dict[str, Any]:
        """Give the object of `--json`."""
        engine = self.engine
        return {
            "ok": self.ok, "seconds": round(self.elapsed_ns / 10**9), "messages": self.messages, "gaps": self.gaps,
            "books": {state: count for state, count in self.books.items() if count}, "orders": engine.orders,
            "fills": engine.fills, "hedges": engine.hedges, "uncertain": engine.uncertain,
            "risk_rejections": {rule: count for rule, count in engine.refused.items() if count},
            "positions_equal_venue": self.verdict.positions, "open_orders_equal_venue": self.verdict.orders,
            "pnl": pnl(engine), "tick_to_order_ns": _times(self.ticks), "hot_tick_to_order_ns": _times(self.hot),
            "hot_moves": engine.counters.get("hot_moves", 0), "hot_shots": engine.counters.get("hot_shots", 0),
            "hot_quotes": engine.counters.get("hot_quotes", 0),
        }  # fmt: skip

    def words(self) -> str:
        """Say it in lines."""
        engine = self.engine
        states = ", ".join(f"{count} {state}" for state, count in self.books.items() if count) or "none"
        refused = ", ".join(f"{rule} {count:,}" for rule, count in engine.refused.items() if count) or "none"
        equal = "as the venue's ledger has them" if self.verdict.agrees else "NOT AS THE VENUE HAS THEM"
        return "\n".join([
            f"{self.messages:,} messages, {self.gaps:,} gaps, {self.lost:,} messages lost; books: {states}",
            f"{engine.orders:,} orders, {engine.fills:,} fills, {engine.hedges:,} hedges, {engine.uncertain} uncertain",
            f"refused by risk: {refused}",
            f"P&L {pnl(engine)}; packet to order: {_speed(self.ticks)}",
            f"hot step: {engine.counters.get('hot_quotes', 0):,} quotes; packet to order: {_speed(self.hot)}",
            f"positions and open orders: {equal}",
            *(f"  {line}" for line in (*self.verdict.differences, *self.why)),
        ])  # fmt: skip


def _times(ticks: Histogram) -> dict[str, int | None]:
    times = {"p50": ticks.percentile(50), "p99": ticks.percentile(99), "max": ticks.max_ns} if ticks.count else {}
    return dict.fromkeys(("p50", "p99", "max")) | times


def _speed(ticks: Histogram) -> str:
    times = [ticks.percentile(50), ticks.percentile(99), ticks.max_ns]
    said = [f"{name} {duration_text(time)}" for name, time in zip(("p50", "p99", "max"), times, strict=True) if time]
    return f"{', '.join(said)} ({ticks.count:,} of them)" if said else "none"


def pnl(engine: EnginePicture) -> str:
    """Write what was gained, at the marks and after fees; several currencies with their names."""
    texts = [(one.currency, _short(decimal_text(total(one), one.exponent))) for one in engine.money]
    if len(texts) <= 1:
        return texts[0][1] if texts else "0"
    return " ".join(f"{text} {currency}" for currency, text in texts)


def compared(ours: Quantities, theirs: Quantities, resting: Iterable[str], open_there: Iterable[str]) -> Verdict:
    """Compare positions by instrument, and open orders by what names them."""
    found = [
        f"{name}: we hold {ours.get(name, '0')}, the venue says {theirs.get(name, '0')}"
        for name in sorted({*ours, *theirs}) if ours.get(name, "0") != theirs.get(name, "0")
    ]  # fmt: skip
    here, there = set(resting), set(open_there)
    orders = [f"order {one}: rests with us alone" for one in sorted(here - there)]
    orders += [f"order {one}: rests at the venue alone" for one in sorted(there - here)]
    return Verdict((*found, *orders), not found, not orders)


def quantity_text(quantity: int, exponent: int) -> str:
    """Write a quantity as ledgers do: without zeros at its end."""
    return _short(decimal_text(quantity, exponent))


def _short(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
