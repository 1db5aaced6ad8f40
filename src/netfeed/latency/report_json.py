"""A report as one JSON object, and back: nothing is lost, and nothing is believed.

A distribution has its percentiles for who reads the text, and its whole histogram as HdrHistogram's V2 for who reckons
with it. On the way back the histogram is made anew, and all that is said about it is held against it.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

import netfeed
from netfeed.errors import NetfeedError, WireError
from netfeed.latency import Histogram, hdr
from netfeed.latency.report import Distribution, HeatMap, Report, Series, Table, Value

SCHEMA: Final = 1
MAX_BYTES: Final = 2**25
"""What is read back takes a score of bytes for each of them, at the worst."""
MAX_POINTS: Final = 100_000
"""Of a longer series the least and the most of each stretch are kept."""
MAX_HISTOGRAMS: Final = 2048
"""Each takes a quarter of a mebibyte, however few characters told of it."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class ReportError(NetfeedError, ValueError):
    """A file is no report of latency that this version can read, or contradicts itself."""


class _Counted(msgspec.Struct, forbid_unknown_fields=True):
    """A histogram. Units: ns; `min` and `max` are None when nothing was counted."""

    count: Count
    min: Count | None
    max: Count | None
    total: Count
    over: Count
    negative: Count
    hdr: str


class _Distribution(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    note: str | None
    unit: Literal["ns"]
    count: Count
    min: Count | None
    p50: Count | None
    p90: Count | None
    p99: Count | None
    p999: Count | None = msgspec.field(name="p99.9")
    p9999: Count | None = msgspec.field(name="p99.99")
    max: Count | None
    mean: Count | None
    total: Count
    over: Count
    negative: Count
    hdr: str


class _Series(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    unit: str
    at_ns: list[Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]]
    values: list[float | None]


class _HeatMap(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    unit: Literal["ns"]
    interval_ns: Annotated[int, msgspec.Meta(gt=0, le=2**63 - 1)]
    columns: list[_Counted]


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    columns: list[str]
    rows: list[list[Value]]


class _Report(msgspec.Struct, forbid_unknown_fields=True):
    schema: int
    netfeed: str
    build: str
    kind: str
    title: str
    facts: dict[str, Value]
    distributions: list[_Distribution]
    series: list[_Series]
    heat_maps: list[_HeatMap]
    tables: list[_Table]
    notes: list[str]


class _Kind(msgspec.Struct):
    """What a file says it is, before all of it is read."""

    schema: int
    netfeed: str
    kind: str


def _plain(value: Any) -> Any:
    """Take a scalar of numpy for the number that it is."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no value of a report")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_plain)
_DECODER: Final = msgspec.json.Decoder(_Report)
_KIND: Final = msgspec.json.Decoder(_Kind)


def dump(report: Report) -> bytes:
    """Write a report as one line of JSON.

    Raises: ReportError when it is larger than what is read back.
    """
    data = _ENCODER.encode(_described(report))
    if len(data) > MAX_BYTES:
        raise ReportError(f"the report has {len(data):,} bytes of JSON, and no more than {MAX_BYTES:,} are read back")
    return data


def _described(report: Report) -> _Report:
    maps = report.heat_maps
    most = (MAX_HISTOGRAMS - len(report.distributions)) // max(1, len(maps))
    return _Report(
        SCHEMA, netfeed.__version__, netfeed.BUILD, report.kind, report.title, dict(report.facts),
        [_distribution(one) for one in report.distributions], [_series(one) for one in report.series],
        [_heat_map(one.coarser(max(1, most))) for one in maps],
        [_Table(one.name, list(one.columns), [list(row) for row in one.rows]) for one in report.tables],
        list(report.notes),
    )  # fmt: skip


def _distribution(one: Distribution) -> _Distribution:
    h = one.histogram
    mean = (h.total_ns + h.count // 2) // h.count if h.count else None
    return _Distribution(
        one.name, one.note, "ns", h.count, h.min_ns, h.percentile(50), h.percentile(90), h.percentile(99),
        h.percentile(99.9), h.percentile(99.99), h.max_ns, mean, h.total_ns, h.over, h.negative, hdr.encode(h),
    )  # fmt: skip


def _counted(h: Histogram) -> _Counted:
    return _Counted(h.count, h.min_ns, h.max_ns, h.total_ns, h.over, h.negative, hdr.encode(h))


def _series(one: Series) -> _Series:
    kept = one.coarser(MAX_POINTS)
    at, values = np.asarray(kept.at_ns, np.int64), np.asarray(kept.values, np.float64)
    return _Series(one.name, one.unit, at.tolist(), values.tolist())


def _heat_map(one: HeatMap) -> _HeatMap:
    return _HeatMap(one.name, "ns", one.interval_ns, [_counted(column) for column in one.columns])


def load(data: bytes) -> Report:
    """Read a report.

    Raises: ReportError.
    """
    if len(data) > MAX_BYTES:
        raise ReportError(f"{len(data):,} bytes are no report: the largest has {MAX_BYTES:,}")
    found = _decoded(data)
    if len(found.distributions) + sum(len(one.columns) for one in found.heat_maps) > MAX_HISTOGRAMS:
        raise ReportError(f"it has more than {MAX_HISTOGRAMS:,} histograms")
    return Report(
        found.kind, found.title, found.facts,
        tuple(map(_read_distribution, found.distributions)), tuple(map(_read_series, found.series)),
        tuple(map(_read_heat_map, found.heat_maps)), tuple(map(_read_table, found.tables)), tuple(found.notes),
    )  # fmt: skip


def _decoded(data: bytes) -> _Report:
    try:
        kind = _KIND.decode(data)
    except msgspec.ValidationError:
        raise ReportError("it is no report of latency: `schema`, `netfeed` and `kind` are not there") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReportError(f"it is no JSON: {error}") from None
    if kind.schema != SCHEMA:
        raise ReportError(f"it is of schema {kind.schema}, and this netfeed ({netfeed.__version__}) reads {SCHEMA}")
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReportError(f"it is damaged, or was not written by netfeed: {error}") from None


def _read_distribution(found: _Distribution) -> Distribution:
    made = Distribution(found.name, _histogram(found, found.name), found.note)
    again = _distribution(made)
    wrong = [name for name in found.__struct_fields__ if name != "hdr" and getattr(found, name) != getattr(again, name)]
    if wrong:
        raise ReportError(f"{found.name!r} contradicts its own histogram in {', '.join(wrong)}")
    return made


def _histogram(found: Any, name: str) -> Histogram:
    try:
        counts = hdr.unpack(found.hdr)
        if sum(count for _, count in counts) != found.count:
            raise ValueError("its count is not that of its histogram")
        return hdr.rebuilt(
            counts, least=found.min, most=found.max, total=found.total, negative=found.negative, over=found.over
        )
    except (WireError, ValueError) as error:
        raise ReportError(f"the histogram of {name!r} is damaged: {error}") from None


def _read_series(found: _Series) -> Series:
    if len(found.at_ns) != len(found.values):
        raise ReportError(f"the series {found.name!r} has {len(found.at_ns)} times and {len(found.values)} values")
    values = np.array([np.nan if value is None else value for value in found.values], np.float64)
    return Series(found.name, found.unit, np.array(found.at_ns, np.int64), values)


def _read_heat_map(found: _HeatMap) -> HeatMap:
    return HeatMap(found.name, found.interval_ns, tuple(_histogram(one, found.name) for one in found.columns))


def _read_table(found: _Table) -> Table:
    if any(len(row) != len(found.columns) for row in found.rows):
        raise ReportError(f"the table {found.name!r} has rows that are not as wide as its head")
    return Table(found.name, tuple(found.columns), tuple(map(tuple, found.rows)))
