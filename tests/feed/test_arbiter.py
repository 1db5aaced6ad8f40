"""The account of the lines."""

from netfeed.feed.arbiter import MAX_FIRSTS, MAX_RECENT, Arbiter, Behind, Part
from netfeed.feed.ports import LINES, PORTS, Port, port_name


def test_a_line_that_was_never_heard_has_no_account() -> None:
    assert Arbiter().statistics() == ()


def test_first_copies_duplicates_and_late_ones_are_counted_by_line() -> None:
    arbiter = Arbiter()
    for port, part in ((0, Part.FIRST), (1, Part.DUPLICATE), (1, Part.LATE), (1, Part.NONE)):
        arbiter.hear(port, 100)
        arbiter.note_read(port, now=5)
        arbiter.note(port, 7, part, now=5)
    line_a, line_b = arbiter.statistics()
    assert (line_a.name, line_a.packets, line_a.bytes, line_a.first, line_a.duplicates) == ("A", 1, 100, 1, 0)
    assert (line_b.name, line_b.packets, line_b.bytes, line_b.duplicates, line_b.late) == ("B", 3, 300, 1, 1)
    assert line_a.last_heard == 5


def test_a_duplicate_is_measured_against_the_other_lines_first_copy() -> None:
    arbiter = Arbiter()
    for number, delay in ((1, 30), (2, 10), (3, 20)):
        arbiter.note(0, number, Part.FIRST, now=number * 100)
        arbiter.note(1, number, Part.DUPLICATE, now=number * 100 + delay)
    assert arbiter.statistics()[1].behind == Behind(3, 10, 30, 60, (30, 10, 20))


def test_a_copy_on_its_own_line_and_one_cut_differently_are_not_measured() -> None:
    arbiter = Arbiter()
    arbiter.note(0, 1, Part.FIRST, now=0)
    arbiter.note(0, 1, Part.DUPLICATE, now=9)
    arbiter.note(1, 2, Part.DUPLICATE, now=9)
    assert [line.behind.count for line in arbiter.statistics()] == [0, 0]


def test_what_is_remembered_is_bounded() -> None:
    arbiter = Arbiter()
    for number in range(MAX_FIRSTS + 10):
        arbiter.note(0, number, Part.FIRST, now=0)
    for number in range(MAX_FIRSTS + 10):
        arbiter.note(1, number, Part.DUPLICATE, now=number)
    behind = arbiter.statistics()[1].behind
    assert (behind.count, behind.min_ns, len(behind.recent)) == (MAX_FIRSTS, 10, MAX_RECENT)


def test_nothing_is_measured_across_a_restart() -> None:
    arbiter = Arbiter()
    arbiter.note(0, 1, Part.FIRST, now=0)
    arbiter.restart()
    arbiter.note(1, 1, Part.DUPLICATE, now=9)
    assert arbiter.statistics()[1].behind.count == 0


def test_the_counts_of_a_fast_path_are_added() -> None:
    arbiter = Arbiter()
    arbiter.merge(0, packets=10, first=7, duplicates=3, bytes=999, last_heard=50)
    arbiter.merge(0, packets=1, first=0, duplicates=1, bytes=1, last_heard=40)
    line = arbiter.statistics()[0]
    assert (line.packets, line.first, line.duplicates, line.bytes, line.last_heard) == (11, 7, 4, 1000, 50)


def test_ports_have_names_and_lines_are_not_snapshots() -> None:
    assert [port_name(port) for port in (0, 1, 3, 4, 8, 71)] == [
        "A",
        "B",
        "SNAPSHOT_B",
        "RETRANSMIT",
        "LINE_8",
        "LINE_71",
    ]
    assert LINES & {Port.SNAPSHOT_A, Port.SNAPSHOT_B, Port.RETRANSMIT} == frozenset()
    assert {72, -1, 99} & PORTS == set()
