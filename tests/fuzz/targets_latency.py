"""Fuzz targets of kept reports: any file and any histogram, and what is read can be shown and drawn."""

import json
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from netfeed.errors import WireError
from netfeed.latency import Histogram, hdr
from netfeed.latency.hlog import hlog
from netfeed.latency.report import Distribution, HeatMap, Report, Series, Table
from netfeed.latency.report_html import report_html
from netfeed.latency.report_json import ReportError, dump, load
from netfeed.latency.report_text import report_text


def histogram(data: bytes) -> None:
    """Read a histogram; what is one is written as it was counted."""
    with suppress(WireError):
        made = hdr.decode(data)
        assert hdr.unpack(hdr.encode(made)) == made.buckets()


def inside(data: bytes) -> None:
    """Read what is inside of the base64 and the deflation, where mutation does not reach otherwise."""
    with suppress(WireError):
        counts = list(hdr._read(data))
        assert all(count > 0 for _, count in counts)
        assert [highest for highest, _ in counts] == sorted({highest for highest, _ in counts})


def report(data: bytes) -> None:
    """Read a report; what is one is written as it was read, and can be shown in every form."""
    try:
        found = load(data)
    except ReportError:
        return
    again = dump(found)
    assert dump(load(again)) == again
    assert all(line.isprintable() for line in report_text(found).splitlines())
    report_html(found)
    hlog(found)


TARGETS: dict[str, Callable[[bytes], None]] = {"histogram": histogram, "inside": inside, "report": report}


def _counted(*values: int) -> Histogram:
    made = Histogram()
    for value in values:
        made.record(value)
    return made


def _report() -> Report:
    distributions = (Distribution("a", _counted(5, 700, 90_000), "note"), Distribution("b", _counted(-1, 2**42)))
    series = (Series("s", "ns", np.array([0, 5, 10**9]), np.array([1.0, 1e300, -5e-324])),)
    heat = (HeatMap("a", 1000, (_counted(5), _counted(), _counted(700, 90_000))),)
    table = (Table("t", ("x_ns", "y"), ((1, "z"), (None, 2.5))),)
    return Report("k", "t", {"f": 1, "g_ns": 2.5, "h": True}, distributions, series, heat, table, ("n",))


_PLAIN = hdr._inflated(hdr.encode(_counted(5, 700, 90_000)))

CORPUS: dict[str, list[bytes]] = {
    "histogram": [hdr.encode(_counted(5, 700, 90_000)).encode(), hdr.encode(_counted()).encode()],
    "inside": [_PLAIN, hdr._inflated(hdr.encode(_counted()))],
    "report": [dump(_report()), json.dumps(json.loads(dump(Report("k", "t")))).encode()],
}
