"""Draw the example of docs/latency.md: a report of durations that were never measured, made from a seed.

`python tools/draw_latency_report.py` writes docs/latency-report.svg. The same seed draws the same picture.
"""

import random
from pathlib import Path

from netfeed.latency import Histogram
from netfeed.latency.plot.distributions import percentile_plot
from netfeed.latency.plot.over_time import heat_plot
from netfeed.latency.plot.svg import document
from netfeed.latency.report import Distribution, HeatMap, merged

SEED = 7
INTERVALS = 40
PICTURE = Path(__file__).resolve().parents[1] / "docs" / "latency-report.svg"


def drawn(chance: random.Random, count: int, middle_ns: float, spread: float) -> Histogram:
    """Count durations around a middle."""
    histogram = Histogram()
    for _ in range(count):
        histogram.record(round(middle_ns * chance.lognormvariate(0, spread)))
    return histogram


def picture() -> str:
    """Draw the percentiles of two stages, and one of them over time, with one bad interval."""
    chance = random.Random(SEED)
    intervals = tuple(drawn(chance, 600, 60_000 if at == 26 else 12_000, 0.35) for at in range(INTERVALS))
    wire = Distribution("wire to book", merged(intervals))
    order = Distribution("book to order", drawn(chance, 20_000, 3_000, 0.3))
    heat = heat_plot(HeatMap("wire to book", 500_000_000, intervals))
    return document([percentile_plot([wire, order], "Percentiles"), *([heat] if heat else [])])


if __name__ == "__main__":
    PICTURE.write_text(picture())
    print(f"wrote {PICTURE}: {PICTURE.stat().st_size:,} bytes")
