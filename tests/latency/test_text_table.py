"""Tables as text: nothing is lost in a narrow place, it is told more shortly."""

from netfeed.latency.report import Table
from netfeed.latency.text_table import MAX_ROWS, cut_apart, table_lines

BURSTS = Table("bursts", ("of", "packets", "lasts ns", "file", "machine"), tuple(
    ("all", 14 - k, 704_000 + 1_000 * k, "a-capture-of-some-day.pcap", "the same machine each time") for k in range(6)
))  # fmt: skip
CONNECTION = Table("connections", tuple(f"quantity {k}" for k in range(20)), (tuple(range(20)),))


def test_a_table_that_fits_has_a_line_for_each_row() -> None:
    lines = table_lines(BURSTS, 120)
    assert len(lines) == 2 + 6
    assert lines[1].split("  ")[0] == "of"
    assert lines[2].endswith("the same machine each time")


def test_what_is_alike_in_all_rows_is_said_once_where_room_is_short() -> None:
    lines = table_lines(BURSTS, 60)
    assert max(map(len, lines)) <= 60
    assert (
        " ".join(lines[1:3])
        == "in all rows: of all, file a-capture-of-some-day.pcap, machine the same machine each time"
    )
    assert lines[3].split() == ["packets", "lasts"]
    assert len(lines) == 4 + 6


def test_one_wide_row_becomes_a_line_for_each_column() -> None:
    lines = table_lines(CONNECTION, 80)
    assert len(lines) == 1 + 20
    assert lines[8].split() == ["quantity", "7", "7"]
    assert len(table_lines(CONNECTION, 300)) == 1 + 2


def test_numbers_of_many_rows_are_never_cut() -> None:
    rows = tuple(tuple(10**6 * k + at for at in range(20)) for k in range(6))
    lines = table_lines(Table("t", tuple(f"quantity {k}" for k in range(20)), rows), 80)
    assert lines[-1].split()[0] == "5,000,000"
    assert len(lines[-1].split()) == 20


def test_of_a_long_table_the_rest_is_counted() -> None:
    lines = table_lines(Table("t", ("n",), tuple((n,) for n in range(MAX_ROWS + 40))), 80)
    assert lines[-1] == "... and 40 more rows"
    assert len(lines) == 2 + MAX_ROWS + 1


def test_a_table_of_nothing_has_its_name() -> None:
    assert table_lines(Table("t", (), ()), 80) == ["t"]
    assert table_lines(Table("t", ("a" * 100,), ()), 80)[0] == "t"


def test_texts_are_cut_where_it_tells_most_of_them_apart() -> None:
    assert cut_apart(["abcdef", "abcxyz", "ab"], 5) == ["..def", "..xyz", "ab"]
    assert cut_apart(["abcdef", "xyzdef"], 5) == ["abc..", "xyz.."]
