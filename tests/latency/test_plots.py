"""Plots: what is drawn lies where its numbers say, axes name their units, and every text is escaped."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.latency.plot.distributions import (
    counts_between,
    densities,
    histogram_plot,
    log_edges,
    percentile_plot,
    spark,
    staircase,
)
from netfeed.latency.plot.frame import WIDTH, clipped, thinned
from netfeed.latency.plot.over_time import heat_plot, series_plot
from netfeed.latency.plot.palette import LOOKS
from netfeed.latency.plot.shapes import Area, Box, Dot, Drawing, Line, Words
from netfeed.latency.plot.sheet import MAX_PLOTS, headline, plots, undrawn
from netfeed.latency.plot.svg import document, escaped
from netfeed.latency.report import Distribution, HeatMap, Report, Series
from netfeed.latency.report_text import report_text
from tests.latency.samples import HOSTILE, HOUR, counted, odd, rich

SVG = "{http://www.w3.org/2000/svg}"


def words(drawing: Drawing) -> list[str]:
    return [shape.text for shape in drawing.shapes if isinstance(shape, Words)]


def said(drawing: Drawing) -> list[str]:
    return [shape.said for shape in drawing.shapes if isinstance(shape, Box | Dot) and shape.said]


def points(drawing: Drawing) -> Sequence[tuple[float, float]]:
    return [
        point
        for shape in drawing.shapes
        for point in (
            shape.points if isinstance(shape, Line) else sum(shape.polygons, ()) if isinstance(shape, Area) else ()
        )
    ]


@pytest.mark.parametrize("report", [rich(), odd(), Report("k", "nothing")], ids=["rich", "odd", "nothing"])
def test_every_drawing_is_sound_svg_within_its_frame(report: Report) -> None:
    drawings = [headline(report), *plots(report)]
    root = ElementTree.fromstring(document(drawings))
    assert root.tag == SVG + "svg"
    assert len(root.findall(SVG + "g")) == len(drawings)
    for one in drawings:
        assert all(-0.1 <= x <= one.width + 0.1 and -0.1 <= y <= one.height + 0.1 for x, y in points(one))
        assert {shape.style for shape in one.shapes} <= set(LOOKS)


def test_a_report_has_a_plot_of_each_thing_that_it_holds() -> None:
    titles = [one.title for one in plots(rich())]
    assert titles == ["Percentiles", "Distribution", "wire to book over time", "packets over time"]
    assert undrawn(rich()) == 0


def test_what_counted_nothing_is_not_drawn() -> None:
    titles = [one.title for one in plots(odd())]
    assert not [title for title in titles if title.startswith(("nothing", "empty", "none", "not a number"))]
    assert titles[:4] == [
        "Percentiles (1 of 2)",
        "Distribution (1 of 2)",
        "Percentiles (2 of 2)",
        "Distribution (2 of 2)",
    ]


def test_too_many_plots_are_counted() -> None:
    series = tuple(Series(f"s{k}", "x", np.arange(2), np.arange(2)) for k in range(MAX_PLOTS + 5))
    report = Report("k", "t", series=series)
    assert len(plots(report)) == MAX_PLOTS
    assert undrawn(report) == 5


def test_axes_name_their_units() -> None:
    percentiles, histogram, heat, series = plots(rich())
    assert {"percentile", "latency", "99 %", "99.9 %", "10 us"} <= set(words(percentiles))
    assert {"share, %", "latency", "10 us"} <= set(words(histogram))
    assert {"time since the beginning", "latency", "10 us", "0.0 s", "3.0 s"} <= set(words(heat))
    assert {"time since the beginning", "packets/ms", "1.0 s"} <= set(words(series))


def test_whoever_points_is_told_the_numbers() -> None:
    one = Distribution("wire", counted(*range(1000, 2000)))
    told = said(percentile_plot([one], "t"))
    assert "wire\np50: 1.5 us (1,499 ns)" in told
    assert "wire\nmax: 2 us (1,999 ns)" in told
    heat = HeatMap("h", 10**9, (counted(5, 7), counted()))
    drawn = heat_plot(heat)
    assert drawn is not None
    assert said(drawn) == ["0 ns to 1 s\n2 counted\np50 5 ns\np99 7 ns\nmax 7 ns", "1 s to 2 s\nnothing counted"]


def test_the_curve_of_percentiles_is_that_of_the_histogram() -> None:
    histogram = counted(10, 20, 20, 40)
    assert list(staircase(histogram)) == [(0, 10), (25, 10), (25, 20), (75, 20), (75, 40), (100, 40)]


def test_several_distributions_share_a_plot_in_colours_of_their_own() -> None:
    drawn = percentile_plot([Distribution(name, counted(10, 1000)) for name in "abc"], "t")
    lines = {shape.style for shape in drawn.shapes if isinstance(shape, Line) and shape.style.startswith("line")}
    assert lines == {"line0", "line1", "line2"}
    assert {"a", "b", "c"} <= set(words(drawn))


def test_bins_lose_no_count_and_lie_on_edges_of_buckets() -> None:
    histogram = counted(*range(98_000, 102_000, 7))
    edges = log_edges(98_000, 102_000, 96)
    counts = counts_between(histogram, edges)
    assert counts.sum() == histogram.count
    for (left, right), count in zip(pairwise(edges), counts.tolist(), strict=True):
        assert count == histogram.at_most(right) - (histogram.at_most(left) if left > edges[0] else 0)


def test_an_even_distribution_is_drawn_even_where_buckets_are_wider_than_bins() -> None:
    histogram = counted(*range(98_304, 102_400))  # 64 buckets of 64 ns
    heights = densities(histogram, log_edges(98_304, 102_399, 50))[1:-1]
    assert heights.max() < 1.2 * heights.min()


def test_shares_sum_up() -> None:
    drawn = histogram_plot([Distribution("d", counted(*range(1, 1001)))], "t")
    shares = [float(line.split(": ")[1][:-2]) for text in said(drawn) for line in text.split("\n")[1:]]
    assert sum(shares) == pytest.approx(100, abs=1)


def test_a_burst_of_one_sample_reaches_its_full_height() -> None:
    values = np.ones(50_000)
    values[20_000] = 7
    drawn = series_plot(Series("s", "packets", np.arange(50_000) * 1000, values))
    assert drawn is not None
    (line,) = [shape for shape in drawn.shapes if isinstance(shape, Line) and shape.style == "line0"]
    top = min(y for _, y in line.points)
    ticks = {shape.text: shape.at[1] - 4 for shape in drawn.shapes if isinstance(shape, Words)}
    assert ticks["6"] > top > ticks["8"]
    assert [text for text in said(drawn) if "to 7 packets" in text] == [
        "19.9 ms: 1 packets to 7 packets, mean 1.051 packets"
    ]


def test_more_points_than_pixels_are_thinned_alike_from_the_first_to_the_last() -> None:
    drawn = series_plot(Series("s", "packets", np.arange(500) * 1_000_000, np.arange(500) % 7))
    assert drawn is not None
    wide = [shape.width for shape in drawn.shapes if isinstance(shape, Box)]
    assert max(wide) - min(wide) < 0.01


@pytest.mark.parametrize("count", [8, 4000])
def test_no_line_is_drawn_across_a_time_in_which_nothing_was_seen(count: int) -> None:
    values = np.full(count, 5.0)
    values[count // 4 : count // 2] = np.nan
    drawn = series_plot(Series("s", "packets", np.arange(count) * 1_000_000, values))
    assert drawn is not None
    first, second = [shape for shape in drawn.shapes if isinstance(shape, Line) and shape.style == "line0"]
    assert second.points[0][0] - first.points[-1][0] > WIDTH / 5


def test_the_last_label_of_an_axis_is_not_cut_by_the_edge() -> None:
    drawn = series_plot(Series("s", "packets", np.arange(500) * 1_000_000, np.ones(500)))
    assert drawn is not None
    (last,) = [shape for shape in drawn.shapes if isinstance(shape, Words) and shape.text == "500 ms"]
    assert last.anchor == "middle"
    assert last.at[0] + 7 * len(last.text) / 2 <= WIDTH


def test_a_heat_map_is_darkest_where_most_was_counted() -> None:
    drawn = heat_plot(HeatMap("h", 10**6, (counted(*[1000] * 500, 50_000),)))
    assert drawn is not None
    shades = {shape.style: shape for shape in drawn.shapes if isinstance(shape, Area)}
    assert set(shades) == {"heat0", "heat7"}
    height = {style: shade.polygons[0][0][1] for style, shade in shades.items()}
    assert height["heat0"] < height["heat7"]  # longer durations lie above


def test_a_spark_is_as_small_as_a_word() -> None:
    drawn = spark(Distribution("d", counted(5, 5, 900)), 0, 1, 1000)
    assert (drawn.width, drawn.height) == (150, 26)
    (bars,) = drawn.shapes
    assert isinstance(bars, Area)
    assert len(bars.polygons) == 2


def test_names_are_escaped_and_cut() -> None:
    assert escaped(HOSTILE) == "&lt;script&gt;alert('x')&lt;/script&gt;&amp;&quot;\\x1b[31m\\u202e"
    assert escaped("a\nb") == "a\nb"
    assert clipped("x" * 50, 10) == "x" * 9 + "…"
    text = document(plots(odd()))
    assert "<script" not in text
    assert "\x1b" not in text


def test_points_that_nobody_could_tell_apart_are_left_out() -> None:
    line = [(k / 100, 0.0) for k in range(1001)]
    kept = thinned(line)
    assert kept[0] == line[0]
    assert kept[-1] == line[-1]
    assert len(kept) < 20
    assert thinned([]) == ()


def test_a_legend_of_long_names_stays_within_the_width() -> None:
    drawn = percentile_plot([Distribution("n" * 200, counted(5, 10))] * 8, "t")
    assert all(shape.x + shape.width <= WIDTH for shape in drawn.shapes if isinstance(shape, Box))


def test_quantities_whose_sum_is_no_number_are_drawn_and_told() -> None:
    report = Report("k", "t", series=(Series("s", "ns", np.arange(2), np.full(2, 8.99e307)),))
    assert len(plots(report)) == 1
    assert "over time" in report_text(report)


TIMES = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)


@settings(max_examples=30, deadline=None)
@given(TIMES, st.data(), st.integers(1, 2**62), st.lists(st.lists(st.integers(-5, 2 * HOUR), max_size=3), max_size=4))
def test_whatever_a_file_may_hold_is_drawn_within_its_frame(
    at: list[int], data: st.DataObject, interval_ns: int, columns: list[list[int]]
) -> None:
    values = data.draw(st.lists(st.floats(), min_size=len(at), max_size=len(at)))
    unit = data.draw(st.sampled_from(["ns", "packets"]))
    series = Series("s", unit, np.array(at, np.int64), np.array(values, np.float64))
    heat = HeatMap("h", interval_ns, tuple(counted(*column) for column in columns))
    whole = tuple(Distribution("d", column) for column in heat.columns)
    report = Report("k", "t", distributions=whole, series=(series,), heat_maps=(heat,))
    for one in plots(report):
        assert all(-0.1 <= x <= one.width + 0.1 and -0.1 <= y <= one.height + 0.1 for x, y in points(one))
    ElementTree.fromstring(document(plots(report)))
    assert max(map(len, report_text(report).splitlines())) <= 80
