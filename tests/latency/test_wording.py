"""Values as words: nanoseconds get the unit that reads best, and a name says when its values are nanoseconds."""

import pytest

from netfeed.latency.report import Value
from netfeed.latency.wording import heading, printable, worded
from netfeed.units import duration_text


@pytest.mark.parametrize(
    ("name", "value", "head", "text"),
    [
        ("behind_ns", 1_500, "behind", "1.5 us"), ("mean (ns)", 2.6, "mean", "3 ns"), ("cost, ns", 22, "cost", "22 ns"),
        ("behind_ns", None, "behind", "-"), ("behind_ns", 2**70, "behind", "-"), ("behind_ns", True, "behind", "yes"),
        ("packets", 12_345, "packets", "12,345"), ("share", 0.123456789, "share", "0.123457"),
        ("columns", "x", "columns", "x"), ("_ns", 5, "_ns", "5 ns"), ("a\x1b_ns", "b\x1b", "a\\x1b", "b\\x1b"),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_value_is_written_as_its_name_says(name: str, value: Value, head: str, text: str) -> None:
    assert heading(name) == head
    assert worded(name, value) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"), (999, "999 ns"), (1_000, "1 us"), (999_499, "999 us"), (999_500, "1 ms"), (999_600, "1 ms"),
        (-999_600, "-1 ms"), (999_999_999, "1 s"), (12_345_678, "12.3 ms"), (999_400_000_000, "999 s"),
        (999_500_000_000, "1,000 s"), (3_600_000_000_000, "3,600 s"),
    ],
    ids=str,
)  # fmt: skip
def test_a_duration_never_needs_a_power_of_ten(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text


def test_what_is_printable_is_left_alone() -> None:
    assert printable("Kraken: XBT/USD é") == "Kraken: XBT/USD é"
    assert printable("a\nb\u202e") == "a\\nb\\u202e"
