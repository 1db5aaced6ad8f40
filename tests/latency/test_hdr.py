"""HdrHistogram's encoding: the package that is the reference reads what we write, and we read what it writes."""

import base64
import struct
import zlib

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.errors import WireError
from netfeed.latency import Histogram, hdr
from tests.latency.samples import HOUR, counted

COUNTED = st.lists(st.tuples(st.one_of(st.integers(0, 5000), st.integers(0, HOUR)), st.integers(1, 10**6)), max_size=40)
PERCENTS = (0, 1, 50, 90, 99, 99.9, 100)


def both(pairs: list[tuple[int, int]]) -> tuple[Histogram, HdrHistogram]:
    ours, theirs = Histogram(), HdrHistogram(1, HOUR, 3)
    for value, times in pairs:
        ours.record(value, times)
        theirs.record_value(value, times)
    return ours, theirs


def packed(plain: bytes, cookie: int = hdr.COMPRESSED_COOKIE) -> bytes:
    body = zlib.compress(plain)
    return base64.b64encode(struct.pack(">ii", cookie, len(body)) + body)


def plain(
    counts: bytes, *, cookie: int = hdr.COOKIE, length: int | None = None, digits: int = 3, unit: int = 1
) -> bytes:
    size = len(counts) if length is None else length
    return struct.pack(">iiiiqqd", cookie, size, 0, digits, unit, HOUR, 1.0) + counts


@settings(max_examples=6, deadline=None)  # the reference takes its time
@given(COUNTED)
def test_the_reference_reads_our_encoding(pairs: list[tuple[int, int]]) -> None:
    ours, theirs = both(pairs)
    read = HdrHistogram.decode(hdr.encode(ours))
    assert read.get_total_count() == ours.count
    counts = {item.value_iterated_to: item.count_at_value_iterated_to for item in read.get_recorded_iterator()}
    assert counts == dict(ours.buckets())
    for percent in PERCENTS:
        assert read.get_value_at_percentile(percent) == theirs.get_value_at_percentile(percent)


@settings(max_examples=6, deadline=None)
@given(COUNTED)
def test_we_read_the_encoding_of_the_reference(pairs: list[tuple[int, int]]) -> None:
    ours, theirs = both(pairs)
    read = hdr.decode(theirs.encode())
    assert read.buckets() == ours.buckets()
    for percent in PERCENTS[1:]:
        assert (read.percentile(percent) or 0) == min(theirs.get_value_at_percentile(percent), HOUR)


@settings(max_examples=40, deadline=None)
@given(COUNTED, st.integers(0, 3), st.integers(0, 3))
def test_a_histogram_is_rebuilt_as_it_was(pairs: list[tuple[int, int]], negative: int, over: int) -> None:
    made, _ = both(pairs)
    made.record(-7, negative)
    made.record(2 * HOUR, over)
    again = hdr.rebuilt(
        hdr.unpack(hdr.encode(made)), least=made.min_ns, most=made.max_ns, total=made.total_ns,
        negative=made.negative, over=made.over,
    )  # fmt: skip
    for name in ("count", "min_ns", "max_ns", "total_ns", "negative", "over"):
        assert getattr(again, name) == getattr(made, name), name
    assert again.buckets() == made.buckets()


@pytest.mark.parametrize(
    "wrong",
    [
        {"least": 5}, {"least": None}, {"most": 10**6}, {"total": 10}, {"total": 10**9}, {"total": 2**64},
        {"negative": 1}, {"over": 1}, {"negative": -1}, {"least": 100, "most": 99}, {"most": HOUR + 1},
    ],
    ids=str,
)  # fmt: skip
def test_what_contradicts_the_counts_is_refused(wrong: dict[str, int | None]) -> None:
    made = counted(100, 3000, 5000)
    told = {"least": 100, "most": 5000, "total": 8100, "negative": 0, "over": 0}
    assert hdr.rebuilt(made.buckets(), **told).total_ns == 8100
    with pytest.raises(ValueError):
        hdr.rebuilt(made.buckets(), **{**told, **wrong})  # type: ignore[arg-type]


@given(st.integers(0, HOUR))
def test_a_duration_lies_in_its_bucket(value: int) -> None:
    low, high = hdr.bounds_of(hdr.index_of(value))
    assert low <= value <= high
    assert counted(value, value).buckets() == [(high, 2)]


def test_a_small_count_is_one_byte_and_the_largest_nine() -> None:
    assert hdr.unpack(packed(plain(b"\x02"))) == [(0, 1)]
    assert hdr.unpack(packed(plain(b"\x01\x04"))) == [(1, 2)]
    largest = hdr._leb(hdr.zigzag(2**62))
    assert (len(largest), largest[-1]) == (9, 0x80)  # eight bits in the last
    assert hdr.unpack(packed(plain(largest))) == [(0, 2**62)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"", "bytes"), (b"!!!!", "base64"), ("ä", "base64"), (b"A" * (hdr.MAX_TEXT + 1), "at most"),
        (packed(plain(b"\x02"), cookie=7), "V2"), (packed(plain(b"\x02"))[:-8], "V2"),
        (base64.b64encode(struct.pack(">ii", hdr.COMPRESSED_COOKIE, 3) + b"abc"), "deflated"),
        (packed(b""), "more"), (packed(plain(b"\x02", cookie=1)), "V2"), (packed(plain(b"\x02", digits=2)), "3 digits"),
        (packed(plain(b"\x02", unit=1000)), "unit 1"), (packed(plain(b"\x02", length=9)), "wanted 1"),
        (packed(plain(b"\x80")), "whole count"), (packed(plain(b"\x02" * 40_000)), "below an hour"),
        (packed(plain(hdr._leb(hdr.zigzag(-40_000)) + b"\x02")), "below an hour"),
        (packed(plain(b"\x02") + bytes(10**7)), "one histogram"),
    ],
    ids=range(16),
)  # fmt: skip
def test_hostile_bytes_are_refused(text: bytes | str, what: str) -> None:
    with pytest.raises(WireError, match=what):
        hdr.unpack(text)


def test_counts_whose_sum_overflows_are_refused() -> None:
    largest = packed(plain(hdr._leb(hdr.zigzag(-2000)) + hdr._leb(hdr.zigzag(2**62))))
    assert hdr.unpack(largest) == [(2000, 2**62)]
    with pytest.raises(WireError, match="overflows"):
        hdr.decode(largest)
