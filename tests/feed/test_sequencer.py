"""The sequencer: numbers in any order in, messages in sequence out."""

from netfeed.feed.events import Event, GapClosed, GapLost, GapOpened, Messages
from netfeed.feed.gap import MAX_GAPS
from netfeed.feed.sequencer import (
    MAX_RECORDS,
    MAX_UNHEALED,
    MESSAGE_OVERHEAD,
    PIECE_OVERHEAD,
    Arrival,
    GapRecord,
    Sequencer,
)


def sequencer(start: int = 1, *, per_packet: bool = False, room: int = 10**6) -> Sequencer:
    return Sequencer(start, per_packet=per_packet, reorder_window_ns=10, recovery_window_ns=100, max_held_bytes=room)


def take(machine: Sequencer, first: int, text: str, now: int = 0) -> list[Event]:
    return machine.take(first, len(text), tuple(c.encode() for c in text), Arrival(0, now, None, "line"))[0]


def text(events: list[Event]) -> str:
    return "".join(bytes(m).decode() for e in events if isinstance(e, Messages) for m in e.messages)


def test_it_sorts() -> None:
    machine = sequencer()
    assert text(take(machine, 4, "d")) == ""
    assert text(take(machine, 2, "bc")) == ""
    assert text(take(machine, 1, "a")) == "abcd"
    assert (machine.next, machine.in_order, machine.held_bytes, machine.delivered) == (5, True, 0, 4)


def test_it_says_whether_anything_was_new() -> None:
    machine = sequencer()
    arrival = Arrival(0, 0, None, "line")
    assert machine.take(1, 1, (b"a",), arrival)[1]
    assert not machine.take(1, 1, (b"a",), arrival)[1]
    assert machine.take(3, 1, (b"c",), arrival)[1]
    assert not machine.take(3, 1, (b"c",), arrival)[1], "what is held is not new"
    assert not machine.take(9, 0, (), arrival)[1]


def test_a_packet_that_counts_as_one_is_never_cut() -> None:
    machine = sequencer(per_packet=True)
    arrival = Arrival(0, 0, None, "line")
    machine.take(2, 1, (b"c", b"d"), arrival)
    events, _ = machine.take(1, 1, (b"a", b"b"), arrival)
    assert [(e.first_sequence, e.messages) for e in events if isinstance(e, Messages)] == [
        (1, (b"a", b"b")), (2, (b"c", b"d"))]  # fmt: skip
    assert machine.delivered == 4
    events, _ = machine.take(3, 1, (), arrival)
    assert [(e.first_sequence, e.messages) for e in events if isinstance(e, Messages)] == [(3, ())]


def test_what_is_held_has_a_price_even_when_it_is_empty() -> None:
    machine = sequencer()
    machine.take(2, 3, (b"", b"", b"xy"), Arrival(0, 0, None, "line"))
    assert machine.held_bytes == PIECE_OVERHEAD + 3 * MESSAGE_OVERHEAD + 2


def test_the_bound_gives_up_gaps_from_the_oldest_until_it_is_kept() -> None:
    machine = sequencer(room=4 * (PIECE_OVERHEAD + MESSAGE_OVERHEAD + 1))
    for number in (3, 5, 7, 9):
        take(machine, number, "x")
    assert machine.expire(0) == []
    take(machine, 11, "x")
    lost = [event for event in machine.expire(0) if isinstance(event, GapLost)]
    assert [(event.first, event.last, event.why) for event in lost] == [(1, 2, "bound")]
    assert machine.next == 4


def test_too_many_gaps_are_given_up_from_the_oldest() -> None:
    machine = sequencer()
    for number in range(2, 2 * MAX_GAPS + 6, 2):
        take(machine, number, "x")
        machine.expire(0)
    assert machine.lost == 2
    assert len(machine.gaps.gaps) == MAX_GAPS


def test_abandoning_gives_up_all_gaps_and_releases_all_that_is_held() -> None:
    machine = sequencer()
    take(machine, 2, "b")
    take(machine, 5, "e")
    events = machine.abandon("reset", 7)
    assert [(e.first, e.last) for e in events if isinstance(e, GapLost)] == [(1, 1), (3, 4)]
    assert (text(events), machine.next, machine.in_order, machine.held_bytes) == ("be", 6, True, 0)


def test_excusing_releases_what_waited_behind() -> None:
    machine = sequencer()
    take(machine, 2, "b")
    take(machine, 4, "d")
    take(machine, 7, "g")
    assert text(machine.excuse(5, 0)) == "bd"
    assert machine.next == 5 + 1
    assert text(take(machine, 5, "ef")) == "fg"


def test_late_is_what_was_lost_and_not_what_was_delivered() -> None:
    machine = sequencer()
    take(machine, 4, "d")
    machine.expire(100)
    assert machine.is_late(3, 4)
    assert not machine.is_late(4, 5)
    machine.restart(1)
    assert not machine.is_late(3, 4)


def torn() -> Sequencer:
    """Open the gap 2 to 9 and bring 4, 5 and 7 of it, so that three pieces are missing."""
    machine = sequencer()
    take(machine, 1, "a")
    take(machine, 10, "j", 1)
    assert machine.expire(20) == [GapOpened(2, 9, 20)]
    take(machine, 4, "de", 21)
    take(machine, 7, "g", 22)
    return machine


def closed(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, GapClosed)]


def test_a_gap_that_is_lost_in_pieces_is_one_gap_that_snapshots_close_once() -> None:
    machine = torn()
    lost = machine.expire(200)
    assert [(event.first, event.last) for event in lost if isinstance(event, GapLost)] == [(2, 3), (6, 6), (8, 9)]
    assert list(machine.records) == [GapRecord(2, 9, 20, 200, None, 1, lost=5)]
    assert machine.heal(300) == [GapClosed(2, 9, "snapshot", 20, 300)]
    assert machine.heal(301) == []
    assert list(machine.records) == [GapRecord(2, 9, 20, 300, "snapshot", 1, lost=5)]
    assert machine.gaps_opened == 1


def test_a_gap_whose_beginning_every_server_refuses_is_closed_when_the_rest_has_come_and_the_loss_is_made_good() -> (
    None
):
    machine = torn()
    events = machine.give_up(5, 30)
    assert [(event.first, event.last) for event in events if isinstance(event, GapLost)] == [(2, 3)]
    assert not machine.records, "the rest of it is open"
    assert not closed(take(machine, 6, "f", 31))
    assert not closed(take(machine, 8, "hi", 32)), "some of it was lost"
    assert list(machine.records) == [GapRecord(2, 9, 20, 32, None, 1, lost=2)]
    assert machine.heal(40) == [GapClosed(2, 9, "snapshot", 20, 40)]


def test_a_loss_that_was_made_good_before_the_rest_has_come_leaves_the_close_to_what_brings_it() -> None:
    machine = torn()
    machine.give_up(5, 30)
    assert machine.heal(31) == []
    take(machine, 6, "f", 32)
    assert closed(take(machine, 8, "hi", 33)) == [GapClosed(2, 9, "line", 20, 33)]
    assert list(machine.records) == [GapRecord(2, 9, 20, 33, "line", 1, lost=2)]
    assert machine.heal(34) == []


def test_a_gap_that_is_given_up_piece_by_piece_is_one_gap() -> None:
    machine = torn()
    for below in (3, 6, 7, 9, 10):
        machine.give_up(below, 30 + below)
    assert (machine.lost, list(machine.records)) == (5, [GapRecord(2, 9, 20, 40, None, 1, lost=5)])
    assert machine.heal(50) == [GapClosed(2, 9, "snapshot", 20, 50)]


def test_a_gap_that_never_was_is_closed_under_the_name_by_which_it_was_opened() -> None:
    machine = torn()
    assert closed(machine.retract(6, 30)) == []
    assert closed(take(machine, 2, "bc", 31)) == [GapClosed(2, 9, "line", 20, 31)]
    machine = torn()
    assert closed(machine.retract(2, 30)) == [GapClosed(2, 9, "line", 20, 30)]


def test_what_was_never_opened_is_lost_as_so_many_gaps_as_are_opened_for_it() -> None:
    machine = sequencer()
    take(machine, 1, "a")
    take(machine, 10, "j", 1)
    take(machine, 5, "e", 2)
    told = machine.abandon("session", 5)
    assert [(event.first, event.last) for event in told if isinstance(event, GapOpened)] == [(2, 4), (6, 9)]
    assert [(one.first, one.last, one.lost) for one in machine.records] == [(2, 4, 3), (6, 9, 4)]
    assert machine.gaps_opened == len(machine.heal(9)) == 2


def test_records_are_bounded_and_counters_go_on() -> None:
    machine = sequencer()
    for number in range(2, 2 * MAX_RECORDS + 20, 2):
        take(machine, number, "x", now=number * 1000)
        machine.expire(number * 1000 + 100)
    assert len(machine.records) == MAX_RECORDS
    assert machine.gaps_opened == machine.lost == MAX_RECORDS + 9


def test_a_lost_gap_is_closed_by_snapshots_however_many_others_were_closed_meanwhile() -> None:
    machine = sequencer()
    take(machine, 1, "a")
    take(machine, 3, "c", now=1)
    machine.expire(20)
    machine.abandon("window", 200)
    for number in range(5, 2 * MAX_RECORDS + 20, 2):
        take(machine, number, "x", now=number * 1000)
        machine.expire(number * 1000 + 20)
        assert len(closed(take(machine, number - 1, "y", now=number * 1000 + 30))) == 1
    assert machine.heal(10**9) == [GapClosed(2, 2, "snapshot", 20, 10**9)]
    assert machine.heal(10**9) == []


def test_no_more_than_a_bound_of_lost_gaps_wait_for_snapshots() -> None:
    machine = sequencer()
    for number in range(2, 2 * MAX_UNHEALED + 20, 2):
        take(machine, number, "x", now=number * 1000)
        machine.expire(number * 1000 + 100)
        machine.abandon("window", number * 1000 + 200)
    assert machine.gaps_opened > MAX_UNHEALED
    assert len(machine.heal(10**9)) == MAX_UNHEALED
