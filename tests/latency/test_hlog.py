"""The log of intervals: the reference's reader finds every interval, its time, its name and its counts."""

from pathlib import Path

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from netfeed.latency.hlog import hlog
from tests.latency.samples import HOUR, odd, rich


def test_the_reference_reads_every_interval(tmp_path: Path) -> None:
    report = rich()
    path = tmp_path / "x.hlog"
    path.write_text(hlog(report))
    reader = HistogramLogReader(str(path), HdrHistogram(1, HOUR, 3))
    found = []
    while (one := reader.get_next_interval_histogram()) is not None:
        found.append(one)
    reader.close()
    (heat,) = report.heat_maps
    timed = [one for one in found if one.get_tag() == "wire_to_book"]
    assert [one.get_total_count() for one in timed] == [column.count for column in heat.columns]
    assert [one.get_start_time_stamp() for one in timed[:3]] == [0, 100, 200]
    (whole,) = [one for one in found if one.get_tag() == "decode"]
    assert whole.get_total_count() == report.distributions[1].histogram.count
    assert whole.get_end_time_stamp() == 3000


def test_a_hostile_name_makes_no_line_and_no_field() -> None:
    lines = hlog(odd()).splitlines()
    data = [line for line in lines if not line.startswith(("#", '"'))]
    assert data
    assert all(line.startswith("Tag=") and line.count(",") == 4 for line in data)
