"""Measuring: stamps, histograms, reports."""

from typing import TYPE_CHECKING

from netfeed.build import select

if TYPE_CHECKING:
    from netfeed.latency.histogram import Histogram
else:
    Histogram = select("histogram", "netfeed.latency.histogram", "Histogram")

__all__ = ["Histogram"]
