"""Numbers as they come: holes, late ones, duplicates, new counts."""

from hypothesis import given
from hypothesis import strategies as st

from netfeed.app.listen_stream import MAX_JUMP, RESTART, Sequence


def taken(*packets: tuple[int, int]) -> Sequence:
    sequence = Sequence()
    for first, count in packets:
        sequence.take(first, count)
    return sequence


def test_a_row_without_holes_lost_nothing() -> None:
    sequence = taken((5, 3), (8, 2), (10, 1))
    assert (sequence.numbers, sequence.lost, sequence.holes, sequence.duplicates) == (6, 0, 0, 0)


def test_a_hole_is_lost_until_it_is_filled() -> None:
    sequence = taken((1, 1), (4, 1))
    assert (sequence.lost, sequence.holes) == (2, 1)
    assert sequence.take(2, 1)
    assert (sequence.lost, sequence.reordered) == (1, 1)
    assert not sequence.take(2, 1)
    assert sequence.duplicates == 1


def test_a_heartbeat_tells_of_a_lost_tail() -> None:
    sequence = taken((1, 1), (5, 0))
    assert (sequence.lost, sequence.packets) == (3, 1)
    sequence.take(5, 0)
    assert (sequence.lost, sequence.duplicates) == (3, 0)


def test_a_count_that_begins_anew_is_a_restart_and_keeps_what_was_lost() -> None:
    sequence = taken((1, 1), (3, 98))
    for number in range(1, 31):
        sequence.take(number, 1)
    # number 2 fills its hole; then RESTART packets in a row begin the count anew
    assert (sequence.restarts, sequence.next, sequence.duplicates) == (1, 31, 1)
    assert sequence.lost == 0
    sequence.take(33, 1)
    assert sequence.lost == 2


def test_an_absurd_jump_is_no_loss() -> None:
    sequence = taken((1, 1), (MAX_JUMP + 3, 1))
    assert (sequence.lost, sequence.restarts) == (0, 1)


def test_fewer_old_packets_than_a_restart_are_duplicates() -> None:
    sequence = taken((1, 100), *((number, 1) for number in range(1, RESTART)))
    assert (sequence.restarts, sequence.duplicates) == (0, RESTART - 1)


@given(st.permutations(list(range(10))), st.sets(st.integers(1, 8)))
def test_what_is_lost_is_what_never_came_whatever_the_order(order: list[int], gone: set[int]) -> None:
    sequence = taken((0, 1))
    for number in order:
        if number not in gone:
            sequence.take(number, 1)
    sequence.take(10, 0)
    assert sequence.lost == len(gone)
    assert sequence.numbers == 10 - len(gone)
