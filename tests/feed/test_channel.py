"""The channel: bytes in, events out, time a number."""

import pytest

from netfeed.errors import MisuseError
from netfeed.feed.channel import Channel
from netfeed.feed.epoch import LIVELY_NS
from netfeed.feed.events import (
    EndOfSession,
    Event,
    GapClosed,
    GapLost,
    GapOpened,
    Heartbeat,
    Ignored,
    Malformed,
    Messages,
    SequenceReset,
    SessionChanged,
    SnapshotGap,
    SnapshotMessages,
    SnapshotRestarted,
)  # fmt: skip
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.jump import NEAR
from netfeed.feed.ports import Port
from netfeed.feed.splice import Splice
from netfeed.machine import NEVER, Machine
from tests.feed.packets import classic, mold, mold_end, star

A, B, RETRANSMIT = Port.LINE_A, Port.LINE_B, Port.RETRANSMIT
MS = 1_000_000
S = 1_000_000_000
LATER = LIVELY_NS
NEXT_DAY = b"S000000002"


def channel(framing: str = "moldudp64", **options: object) -> Channel:
    return Channel(FRAMINGS[framing], name="test", **options)  # type: ignore[arg-type]


def told(events: object) -> list[object]:
    """Give the events in a form that reads well: messages as (first, bytes, recovered_by)."""
    short = []
    for event in events:  # type: ignore[attr-defined]
        if isinstance(event, Messages):
            text = b"".join(map(bytes, event.messages)).decode()
            short.append((event.first_sequence, text, event.recovered_by))
        else:
            short.append(event)
    return short


def send(machine: Channel, text: str, sequence: int, now: int = 0, port: int = A, **fields: object) -> list[object]:
    """Send the letters of `text` as messages from `sequence` on."""
    return told(machine.receive(mold(sequence, [letter.encode() for letter in text], **fields), now, port))  # type: ignore[arg-type]


def kinds(events: object) -> list[type]:
    return [type(event) for event in events]  # type: ignore[attr-defined]


# --- in order, two lines


def test_it_is_a_machine() -> None:
    assert isinstance(channel(), Machine)


def test_messages_come_out_once_in_sequence_whichever_line_is_first() -> None:
    machine = channel()
    assert send(machine, "ab", 1, port=A) == [(1, "ab", None)]
    assert send(machine, "ab", 1, port=B) == []
    assert send(machine, "c", 3, port=B) == [(3, "c", None)]
    assert send(machine, "c", 3, port=A) == []
    assert (machine.next_sequence, machine.session, machine.in_order) == (4, b"S000000001", True)
    assert machine.deadline == NEVER


def test_an_event_tells_where_when_and_how_it_came() -> None:
    event = channel("starbase").receive(star(5, [b"x" * 8], ts=77), 1234, B)[0]
    assert isinstance(event, Messages)
    assert (event.first_sequence, event.port, event.at, event.ts_send_ns) == (5, B, 1234, 77)


def test_an_expected_message_is_not_copied_and_a_held_one_is() -> None:
    machine, buffer = channel(start=1), bytearray(mold(2, [b"held"]))
    machine.receive(buffer, 0)
    buffer[:] = bytes(len(buffer))
    expected, held = machine.receive(mold(1, [b"now"]), 0)
    assert isinstance(expected, Messages)
    assert isinstance(held, Messages)
    assert isinstance(expected.messages[0], memoryview)
    assert held.messages == (b"held",)


def test_a_packet_that_is_partly_old_gives_only_what_is_new() -> None:
    machine = channel()
    send(machine, "abc", 1)
    assert send(machine, "bcde", 2, port=B) == [(4, "de", None)]


def test_more_lines_than_two_are_arbitrated_alike() -> None:
    machine = channel()
    assert send(machine, "a", 1, port=8) == [(1, "a", None)]
    assert send(machine, "a", 1, port=A) == []
    assert [line.name for line in machine.statistics().lines] == ["A", "LINE_8"]


def test_a_port_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(MisuseError, match="port 99"):
        channel().receive(b"", 0, 99)


def test_a_late_join_begins_with_the_first_packet() -> None:
    machine = channel()
    assert machine.next_sequence is None
    assert not machine.in_order
    assert send(machine, "x", 500) == [(500, "x", None)]
    assert send(machine, "w", 499) == []


def test_a_given_start_is_waited_for() -> None:
    machine = channel(start=1)
    assert machine.next_sequence == 1
    assert send(machine, "c", 3, now=0) == []
    assert told(machine.wake(MS)) == [GapOpened(1, 2, MS)]


# --- gaps


def test_the_other_line_fills_a_hole_in_silence_within_the_reorder_window() -> None:
    machine = channel()
    send(machine, "a", 1)
    assert send(machine, "c", 3, now=10) == []
    assert not machine.in_order
    assert machine.deadline == 10 + MS
    assert send(machine, "b", 2, now=20, port=B) == [(2, "b", None), (3, "c", None)]
    assert (machine.deadline, machine.statistics().reordered, machine.statistics().gaps_opened) == (NEVER, 1, 0)


def test_a_gap_is_opened_by_the_clock_and_closed_by_the_other_line() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "d", 4, now=0)
    assert machine.wake(MS - 1) == []
    assert told(machine.wake(MS)) == [GapOpened(2, 3, MS)]
    assert machine.deadline == S
    assert send(machine, "bc", 2, now=2 * MS, port=B) == [
        GapClosed(2, 3, "line", MS, 2 * MS), (2, "bc", "line"), (4, "d", None)]  # fmt: skip
    record = machine.statistics().gaps[0]
    assert (record.first, record.last, record.opened_at, record.closed_at, record.by) == (2, 3, MS, 2 * MS, "line")


def test_a_retransmission_closes_a_gap_piece_by_piece() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "e", 5)
    machine.wake(MS)
    assert send(machine, "b", 2, now=3 * MS, port=RETRANSMIT) == [(2, "b", "retransmit")]
    assert send(machine, "cdef", 3, now=4 * MS, port=RETRANSMIT) == [
        GapClosed(2, 4, "retransmit", MS, 4 * MS), (3, "cd", "retransmit"), (5, "e", None), (6, "f", None)]  # fmt: skip


def test_a_gap_that_nobody_fills_is_lost_and_the_rest_flows() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "d", 4, now=0)
    machine.wake(MS)
    assert machine.wake(S - 1) == []
    assert told(machine.wake(S)) == [GapLost(2, 3, "window", MS, S), (4, "d", None)]
    assert (machine.next_sequence, machine.in_order, machine.statistics().lost_messages) == (5, True, 2)


def test_what_comes_after_it_was_given_up_is_too_late() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "d", 4, now=0)
    machine.wake(S)
    assert kinds(machine.receive(mold(2, [b"b"]), S, B)) == [Ignored]
    assert send(machine, "a", 1, now=S, port=B) == []
    assert (machine.statistics().late, machine.statistics().duplicates) == (1, 1)


def test_of_a_gap_filled_in_part_exactly_the_rest_is_lost() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "f", 6, now=0)
    machine.wake(MS)
    send(machine, "c", 3, now=MS)
    assert told(machine.wake(S)) == [
        GapLost(2, 2, "window", MS, S), (3, "c", "line"), GapLost(4, 5, "window", MS, S), (6, "f", None)]  # fmt: skip


def test_a_late_driver_lets_the_packet_count_before_the_window() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "c", 3, now=0)
    assert send(machine, "b", 2, now=5 * S, port=B) == [(2, "b", None), (3, "c", None)]


def test_the_bound_on_held_bytes_gives_up_the_oldest_gap() -> None:
    machine = channel(max_held_bytes=2000)
    send(machine, "a", 1)
    events = [event for number in range(3, 20, 2) for event in send(machine, "x", number, now=number)]
    assert machine.held_bytes <= 2000
    lost = [event for event in events if isinstance(event, GapLost)]
    assert [(gap.first, gap.why) for gap in lost] == [(number, "bound") for number in range(2, 2 + 2 * len(lost), 2)]
    assert lost
    assert kinds(events[:3]) == [GapOpened, GapLost, tuple]


def test_a_heartbeat_reveals_a_gap_at_the_tail() -> None:
    machine = channel()
    send(machine, "a", 1)
    assert told(machine.receive(mold(4), 0)) == [Heartbeat(A, 4)]
    assert told(machine.wake(MS)) == [GapOpened(2, 3, MS)]
    assert told(machine.wake(S)) == [GapLost(2, 3, "window", MS, S)]


def test_a_session_ends_when_all_of_it_is_told() -> None:
    machine = channel()
    send(machine, "a", 1)
    assert machine.receive(mold_end(3), 0) == []
    assert send(machine, "b", 2, port=B) == [(2, "b", None), EndOfSession(b"S000000001", 3)]
    assert machine.receive(mold_end(3), 5) == []
    assert send(machine, "x", 40, LATER, session=NEXT_DAY)[0] == SessionChanged(b"S000000001", NEXT_DAY)


def test_each_session_has_its_own_end() -> None:
    machine = channel()
    for now, session in ((0, b"S000000001"), (LATER, NEXT_DAY)):
        send(machine, "ab", 1, now, session=session)
        assert machine.receive(mold_end(3, session), now) == [EndOfSession(session, 3)]


def test_an_end_before_what_is_known_is_not_believed() -> None:
    machine = channel()
    send(machine, "abc", 1)
    assert machine.receive(mold_end(2), 0) == []
    assert send(machine, "d", 4) == [(4, "d", None)]


# --- nonsense


def test_a_nonsense_number_does_not_move_the_high_water_mark() -> None:
    machine = channel()
    send(machine, "a", 1)
    assert kinds(machine.receive(mold(2**63, [b"x"]), 0)) == [Ignored]
    assert kinds(machine.receive(mold(10_003, [b"x"]), 0)) == [Ignored]
    assert (machine.next_sequence, machine.in_order, machine.deadline) == (2, True, NEVER)
    assert send(machine, "b", 2) == [(2, "b", None)]


@pytest.mark.parametrize("second", [(A, 50_001), (B, 50_000)])
def test_a_great_loss_is_believed_when_a_second_packet_agrees(second: tuple[int, int]) -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "b", 2)
    assert kinds(machine.receive(mold(50_000, [b"x"]), 0, A)) == [Ignored]
    assert machine.receive(mold(second[1], [b"y"]), 0, second[0]) == []
    assert told(machine.wake(MS)) == [GapOpened(3, 49_999, MS)]
    assert told(machine.wake(S))[:2] == [GapLost(3, 49_999, "window", MS, S), (50_000, "x", None)]


def test_a_copy_on_the_same_line_is_no_second_opinion() -> None:
    machine = channel()
    send(machine, "a", 1)
    for _ in range(3):
        assert kinds(machine.receive(mold(50_000, [b"x"]), 0, A)) == [Ignored]


def test_a_nonsense_first_packet_does_not_lock_the_stream_out() -> None:
    machine = channel()
    send(machine, "x", 2**60)
    assert kinds(machine.receive(mold(7, [b"a"]), 0)) == [Ignored]
    assert send(machine, "b", 8) == [SequenceReset(2**60 + 1, 7, whole=False), (7, "a", None), (8, "b", None)]


def test_bytes_that_are_no_packet_are_told_and_counted() -> None:
    machine = channel()
    event = machine.receive(b"short", 0, B)[0]
    assert isinstance(event, Malformed)
    assert (event.port, event.found, event.wanted) == (B, "5 bytes", "20 bytes")
    assert (machine.statistics().malformed, machine.statistics().lines[0].malformed) == (1, 1)


def test_noise_is_no_sign_of_life() -> None:
    machine = channel()
    send(machine, "x", 1)
    machine.receive(b"short", 50, A)
    machine.receive(b"short", 50, B)
    line_a, line_b = machine.statistics().lines
    assert (line_a.last_heard, line_a.packets) == (0, 2)
    assert (line_b.last_heard, line_b.packets) == (None, 1)


def test_a_negative_number_is_malformed() -> None:
    assert kinds(channel("starbase").receive(star(-1, [b"x" * 8]), 0)) == [Malformed]


def test_another_channel_on_the_same_group_is_ignored() -> None:
    machine = channel("starbase")
    machine.receive(star(1, [b"x" * 8]), 0)
    machine.receive(star(2, [b"x" * 8]), 0)
    for number in (3, 4, 5):
        assert kinds(machine.receive(star(number, [b"y" * 8], channel=8), 0)) == [Ignored]
    assert (machine.next_sequence, machine.channel_id) == (3, 7)


def test_a_channel_that_was_asked_for_is_the_only_one() -> None:
    machine = channel("starbase", channel_id=8)
    assert kinds(machine.receive(star(1, [b"x" * 8], channel=7), 0)) == [Ignored]
    assert kinds(machine.receive(star(1, [b"x" * 8], channel=8), 0)) == [Messages]


def test_a_nonsense_first_channel_does_not_lock_the_stream_out() -> None:
    machine = channel("starbase")
    machine.receive(star(900, [b"x" * 8], channel=99), 0)
    machine.receive(star(5, [b"a" * 8]), 0)
    assert kinds(machine.receive(star(6, [b"b" * 8]), 0)) == [SequenceReset, Messages, Messages]
    assert (machine.next_sequence, machine.channel_id) == (7, 7)


# --- sessions and resets


def test_a_new_session_begins_at_its_first_number() -> None:
    machine = channel()
    send(machine, "a", 7)
    assert kinds(machine.receive(mold(1, [b"x"], session=NEXT_DAY), LATER, A)) == [Ignored], "one can be forged"
    assert send(machine, "x", 1, LATER, session=NEXT_DAY, port=B) == [
        SessionChanged(b"S000000001", NEXT_DAY), (1, "x", None)]  # fmt: skip


def test_a_session_that_is_alive_does_not_give_way_to_another_one() -> None:
    machine = channel()
    for number in range(1, 100):
        assert send(machine, "a", number, number * MS) == [(number, "a", None)]
        for port in (A, B):
            assert kinds(machine.receive(mold(1, [b"x"], session=b"forged    "), number * MS, port)) == [Ignored]
    assert machine.session == b"S000000001"


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("far", [10**6, 2**63, 2**64 - 2])
def test_a_jump_of_two_forged_packets_is_taken_back_when_the_stream_goes_on(far: int, heard: bool) -> None:
    machine = channel(start=1)
    send(machine, "a", 1)
    for port in (A, B):
        send(machine, "?", far, MS, port=port)
    machine.wake(2 * MS)
    now = 3 * MS if heard else 3 * S  # before or after the recovery window has given up all that is missing
    machine.wake(now)
    events = [event for number in (2, 3, 4) for event in send(machine, "b", number, now)]
    assert [event for event in events if isinstance(event, tuple)][-1] == (4, "b", None)
    assert (machine.next_sequence, machine.in_order, machine.held_bytes) == (5, True, 0)
    assert (SequenceReset(far + 1, 3, whole=False) in events) is not heard
    assert bool(machine.statistics().lost_messages) is not heard


def test_one_forged_number_a_little_ahead_is_taken_back_before_anything_is_lost() -> None:
    machine = channel(start=1)
    send(machine, "a", 1)
    send(machine, "?", 9_000, MS)
    assert kinds(machine.wake(2 * MS)) == [GapOpened]
    for number in range(2, 40):
        events = send(machine, "b", number, number * 10 * MS)
        assert (number, "b", "line") in events or (number, "b", None) in events
        assert SequenceReset not in kinds(events)
    assert (machine.next_sequence, machine.in_order, machine.held_bytes) == (40, True, 0)
    assert machine.statistics().lost_messages == 0


@pytest.mark.parametrize("heartbeats", [True, False])
def test_one_forged_number_a_little_ahead_of_a_quiet_stream_is_taken_back_after_its_window(heartbeats: bool) -> None:
    machine = channel(start=1)
    send(machine, "a", 1)
    send(machine, "?", 9_000, MS)
    while machine.deadline != NEVER:
        machine.wake(machine.deadline)
    told: list[object] = []
    for k in range(NEAR):
        told += machine.receive(mold(2) if heartbeats else mold(2 + k, [b"b"]), (2 + k) * S, A)
    end = 2 if heartbeats else 2 + NEAR - 1
    assert [event for event in told if isinstance(event, SequenceReset)] == [SequenceReset(9_001, end, whole=False)]
    assert told.index(SequenceReset(9_001, end, whole=False)) >= NEAR - 1
    assert send(machine, "c", 2 if heartbeats else 2 + NEAR, 99 * S) == [(2 if heartbeats else 2 + NEAR, "c", None)]


def test_a_slow_line_never_takes_the_stream_back_not_even_when_the_fast_one_dies() -> None:
    machine = channel(start=1)
    for number in (*range(1, 100), *range(150, 160)):  # what A loses, B brings 40 ms later
        send(machine, "a", number, number * MS, A)
        if number <= 100:
            send(machine, "a", number, number * MS, B)
    told = [event for number in range(60, 400) for event in send(machine, "a", number, (200 + number) * MS, B)]
    assert SequenceReset not in kinds(told)
    assert (machine.next_sequence, machine.statistics().lost_messages, machine.in_order) == (400, 0, True)


def test_an_old_burst_that_is_sent_again_does_not_move_the_stream_back() -> None:
    machine = channel(start=1)
    for number in (*range(1, 100), *range(150, 200)):  # 50 numbers are lost for good
        send(machine, "a", number, number * MS)
    while machine.deadline != NEVER:
        machine.wake(machine.deadline)
    told = []
    for number in (*range(50, 150), *range(90, 150)):
        told += send(machine, "a", number, 5 * S, A)
        told += send(machine, "a", number, 5 * S, B)
    assert set(kinds(told)) == {Ignored}
    assert (machine.next_sequence, machine.in_order) == (200, True)


def test_a_session_that_comes_back_goes_on_behind_a_small_jump_that_was_confirmed() -> None:
    machine = channel(start=1)
    for number in (1, *range(5, 30)):
        send(machine, "a", number, number * MS)
    while machine.deadline != NEVER:
        machine.wake(machine.deadline)
    for port in (A, B):
        machine.receive(mold(1, [b"x"], session=NEXT_DAY), 5 * S, port)
    told = [event for number in (30, 31) for event in send(machine, "b", number, 9 * S)]
    assert (30, "b", None) in told
    assert machine.next_sequence == 32


def test_a_jump_that_only_the_far_side_goes_on_with_stands() -> None:
    machine = channel(start=1)
    send(machine, "a", 1)
    for number in range(50_000, 50_010):
        send(machine, "x", number, MS)
    machine.wake(2 * S)
    assert (machine.next_sequence, machine.statistics().lost_messages) == (50_010, 49_998)


def test_a_count_that_would_go_on_beyond_64_bits_is_malformed() -> None:
    machine = channel()
    send(machine, "a", 1)
    for port in (A, B):
        assert kinds(machine.receive(mold(2**64 - 2, [b"x", b"y"]), 0, port)) == [Malformed]


def test_open_gaps_of_the_old_session_are_lost_and_its_held_messages_told_first() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "c", 3)
    send(machine, "x", 1, now=LATER, session=NEXT_DAY)
    assert send(machine, "x", 1, now=LATER, session=NEXT_DAY, port=B) == [
        GapLost(2, 2, "session", LATER, LATER), (3, "c", None),
        SessionChanged(b"S000000001", NEXT_DAY), (1, "x", None)]  # fmt: skip


def test_a_session_that_is_joined_in_its_middle_needs_a_second_packet() -> None:
    machine = channel()
    send(machine, "ab", 1)
    send(machine, "c", 3)
    assert kinds(machine.receive(mold(40, [b"x"], session=NEXT_DAY), 0, A)) == [Ignored]
    assert send(machine, "d", 4) == [(4, "d", None)]
    assert send(machine, "y", 41, LATER, session=NEXT_DAY) == [SessionChanged(b"S000000001", NEXT_DAY)]
    assert told(machine.wake(LATER + MS)) == [GapOpened(1, 39, LATER + MS)]
    assert told(machine.wake(LATER + S))[1:] == [(40, "x", None), (41, "y", None)]


def test_late_packets_of_the_old_session_are_ignored() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "x", 1, LATER, session=NEXT_DAY)
    send(machine, "x", 1, LATER, session=NEXT_DAY, port=B)
    for number in (1, 2, 3):
        assert kinds(machine.receive(mold(number, [b"?"]), LATER + 10, B)) == [Ignored]
    assert (machine.session, machine.next_sequence) == (NEXT_DAY, 2)


def test_a_forged_session_does_not_lock_the_true_one_out() -> None:
    machine = channel()
    send(machine, "ab", 1)
    send(machine, "??", 1, LATER, session=b"forged    ")
    send(machine, "?", 3, LATER, session=b"forged    ")
    assert kinds(machine.receive(mold(3, [b"c"]), S // 2)) == [Ignored]
    assert kinds(machine.receive(mold(2, [b"b"]), 2 * S)) == [Ignored], "nothing that the session did not have"
    assert kinds(machine.receive(mold(3, [b"c"]), 2 * S)) == [Ignored]
    assert send(machine, "d", 4, now=2 * S) == [
        SessionChanged(b"forged    ", b"S000000001", whole=False), (3, "c", None), (4, "d", None)]  # fmt: skip


def test_moldudp64_never_counts_anew_within_a_session() -> None:
    machine = channel()
    send(machine, "abc", 1)
    for number in (1, 2, 1, 2):
        assert send(machine, "z", number, now=100 * S) == []
    assert machine.next_sequence == 4


def test_a_count_that_begins_anew_after_silence_is_a_reset() -> None:
    machine = channel("starbase")
    machine.receive(star(500, [b"x" * 8], ts=10 * S), 0)
    events = machine.receive(star(1, [b"y" * 8], ts=60 * S), 50 * S)
    assert kinds(events) == [SequenceReset, Messages]
    assert events[0] == SequenceReset(501, 1)


def test_a_duplicate_is_no_reset_however_late_it_comes() -> None:
    machine = channel("starbase")
    first = star(1, [b"x" * 8], ts=10 * S)
    machine.receive(first, 0)
    machine.receive(star(2, [b"x" * 8], ts=11 * S), 0)
    for _ in range(3):
        assert machine.receive(first, 90 * S, B) == []
    assert machine.next_sequence == 3


def test_a_line_that_lags_is_no_reset() -> None:
    """Line B numbers and stamps for itself, a second later than line A."""
    machine = channel("starbase")
    for number in range(1, 20):
        machine.receive(star(number, [b"x" * 8], ts=number * S), number * S, A)
        if number > 1:
            assert machine.receive(star(number - 1, [b"x" * 8], ts=number * S + 1), number * S + 1, B) == []


def test_a_reset_whose_first_packet_was_lost_needs_a_second_one_and_tells_the_loss() -> None:
    machine = channel("starbase")
    machine.receive(star(499, [b"x" * 8], ts=10 * S), 0)
    machine.receive(star(500, [b"x" * 8], ts=10 * S), 0)
    assert kinds(machine.receive(star(3, [b"c" * 8], ts=60 * S), 50 * S)) == [Ignored]
    assert machine.receive(star(4, [b"d" * 8], ts=60 * S), 50 * S) == [SequenceReset(501, 1)]
    assert told(machine.wake(50 * S + MS)) == [GapOpened(1, 2, 50 * S + MS)]


def test_a_restart_without_silence_is_seen_when_the_silence_has_passed_and_the_loss_is_told() -> None:
    machine = channel("starbase")
    for number in (499, 500):
        machine.receive(star(number, [b"x" * 8], ts=10 * S), 0)
    events: list[Event] = []
    for number in range(1, 16):
        events += machine.receive(star(number, [b"y" * 8], ts=(10 + number) * S), number * S)
    events += machine.wake(99 * S)
    assert [event for event in events if isinstance(event, SequenceReset)] == [SequenceReset(501, 1)]
    assert [(event.first, event.last) for event in events if isinstance(event, GapLost)] == [(1, 12)]
    assert [event.first_sequence for event in events if isinstance(event, Messages)] == [13, 14, 15]


def test_a_restart_that_passes_the_old_count_before_the_silence_is_over_is_not_seen() -> None:
    """The bad case that is confessed: nothing in the packets tells it from duplicates of a line that lags."""
    machine = channel("starbase")
    for number in (1, 2, 3):
        machine.receive(star(number, [b"x" * 8], ts=10 * S), 0)
    events: list[Event] = []
    for number in range(1, 6):
        events += machine.receive(star(number, [b"y" * 8], ts=11 * S + number), S + number)
    assert [event.first_sequence for event in events if isinstance(event, Messages)] == [4, 5]
    assert machine.statistics().duplicates == 3
    assert kinds(events) == [Messages, Messages]


def test_a_fast_path_waits_until_nothing_from_before_a_reset_can_come() -> None:
    machine = channel("starbase")
    machine.receive(star(500, [b"x" * 8], ts=10 * S), 0)
    assert machine.in_order
    machine.receive(star(1, [b"y" * 8], ts=60 * S), 50 * S)
    assert not machine.in_order
    machine.receive(star(2, [b"y" * 8], ts=61 * S), 51 * S)
    assert machine.in_order


def test_packets_from_before_a_reset_are_ignored_for_a_while() -> None:
    machine = channel("starbase")
    machine.receive(star(500, [b"x" * 8], ts=10 * S), 0)
    machine.receive(star(1, [b"y" * 8], ts=60 * S), 50 * S)
    for number in (500, 501, 502):
        assert kinds(machine.receive(star(number, [b"x" * 8], ts=11 * S), 50 * S, B)) == [Ignored]
    assert machine.next_sequence == 2


def test_a_counter_that_wraps_is_no_reset_and_no_gap() -> None:
    machine = channel("deribit")
    firsts = []
    for number in range(2**32 - 2, 2**32 + 2):
        for port in (A, B):
            events = machine.receive(classic(number, [b"x"]), 0, port)
            firsts += [event.first_sequence for event in events if isinstance(event, Messages)]
    assert firsts == [2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1]


def test_a_loss_across_the_wrap_is_a_gap() -> None:
    machine = channel("deribit")
    machine.receive(classic(2**32 - 2, [b"x"]), 0)
    machine.receive(classic(1, [b"x"]), 0)
    assert machine.wake(MS) == [GapOpened(2**32 - 1, 2**32, MS)]


def test_a_counter_without_a_send_time_begins_anew_after_silence_when_two_packets_agree() -> None:
    machine = channel("deribit")
    for number in (70_000, 70_001):
        machine.receive(classic(number, [b"x"]), 0)
    assert machine.receive(classic(5, [b"x"]), 9 * S) == []
    assert kinds(machine.receive(classic(5, [b"x"]), 11 * S)) == [Ignored]
    assert kinds(machine.receive(classic(6, [b"x"]), 11 * S)) == [SequenceReset, Messages, Messages]
    assert machine.next_sequence == 7


def test_a_fall_of_more_than_half_the_counter_is_a_reset_not_a_jump() -> None:
    machine = channel("deribit")
    for number in (3_000_000_000, 3_000_000_001):
        machine.receive(classic(number, [b"x"]), 0)
    machine.receive(classic(1, [b"x"]), 0)
    assert machine.receive(classic(2, [b"x"]), 0)[0] == SequenceReset(3_000_000_002, 1)


# --- retransmissions


def test_an_answer_begins_nothing_and_moves_nothing() -> None:
    machine = channel()
    assert kinds(machine.receive(mold(1, [b"a"]), 0, RETRANSMIT)) == [Ignored]
    send(machine, "a", 1)
    for packet in (mold(9, [b"x"]), mold(1, [b"x"], session=NEXT_DAY), mold(9)):
        assert kinds(machine.receive(packet, 0, RETRANSMIT)) == [Ignored]
    assert (machine.next_sequence, machine.in_order) == (2, True)


def test_a_reject_of_a_request_is_told() -> None:
    event = channel("starbase").receive(star(77, [b"r" * 8], type=0), 0, RETRANSMIT)[0]
    assert event == Ignored("reject of a request on RETRANSMIT", RETRANSMIT, 77)


def test_a_retransmitted_packet_fills_a_gap_on_whichever_socket_it_comes() -> None:
    machine = channel("starbase")
    machine.receive(star(1, [b"a" * 8]), 0)
    machine.receive(star(3, [b"c" * 8]), 0)
    assert [e.first_sequence for e in machine.receive(star(2, [b"b" * 8], type=5), 0, A)] == [2, 3]  # type: ignore[union-attr]


# --- snapshots


def snap(sequence: int, letter: bytes = b"s", *, ts: int = 1) -> bytes:
    return star(sequence, [letter * 8], type=2, ts=ts)


def test_snapshots_pass_through_in_their_own_sequence_each_once() -> None:
    machine = channel("starbase")
    machine.receive(star(1000, [b"x" * 8]), 0)
    out: list[Event] = []
    for number in (5, 6, 7):
        for port in (Port.SNAPSHOT_A, Port.SNAPSHOT_B):
            out += machine.receive(snap(number), 0, port)
    assert [event.sequence for event in out if isinstance(event, SnapshotMessages)] == [5, 6, 7]
    assert len(out) == 3
    assert machine.next_sequence == 1001


def test_a_loss_in_the_snapshots_is_told_after_the_reorder_window() -> None:
    machine = channel("starbase")
    machine.receive(snap(5), 0, Port.SNAPSHOT_A)
    assert machine.receive(snap(7), 0, Port.SNAPSHOT_A) == []
    assert machine.deadline == MS
    assert kinds(machine.wake(MS)) == [SnapshotGap, SnapshotMessages]
    assert (machine.statistics().snapshot_gaps, machine.statistics().lost_messages) == (1, 0)


def test_a_snapshot_loop_that_counts_anew_is_followed() -> None:
    machine = channel("starbase")
    machine.receive(snap(1, ts=10), 0, Port.SNAPSHOT_A)
    machine.receive(snap(2, ts=20), 0, Port.SNAPSHOT_A)
    assert machine.receive(snap(1, ts=10), 0, Port.SNAPSHOT_B) == []
    assert kinds(machine.receive(snap(1, ts=30), 0, Port.SNAPSHOT_A)) == [SnapshotRestarted, SnapshotMessages]


@pytest.mark.parametrize(("packet", "port"), [(snap(5), A), (star(5, [b"x" * 8]), Port.SNAPSHOT_A)])
def test_a_snapshot_on_a_line_and_an_incremental_on_a_snapshot_port(packet: bytes, port: int) -> None:
    machine = channel("starbase")
    if port == A:
        assert kinds(machine.receive(packet, 0, port)) == [Ignored]
    else:
        assert kinds(machine.receive(packet, 0, port)) == [SnapshotMessages], "the port tells what the type does not"


def test_a_snapshot_excuses_what_is_missing_below_it() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "e", 5)
    machine.wake(MS)
    assert told(machine.excuse(2, 2 * MS)) == []
    assert told(machine.excuse(4, 3 * MS)) == [GapClosed(2, 4, "snapshot", MS, 3 * MS), (5, "e", None)]
    assert (machine.in_order, machine.statistics().lost_messages) == (True, 0)


# --- the splice


def test_a_splice_remembers_from_a_late_join_until_it_is_told_to_forget() -> None:
    splice = Splice()
    machine = channel(splice=splice)
    send(machine, "ab", 100)
    assert not machine.in_order
    assert (splice.since(99), splice.since(98)) == ([(100, b"a"), (101, b"b")], None)
    splice.forget()
    assert machine.in_order
    send(machine, "c", 102)
    assert not splice.recording


def test_a_splice_remembers_from_a_lost_gap() -> None:
    splice = Splice()
    machine = channel(splice=splice, start=1)
    send(machine, "a", 1)
    send(machine, "d", 4, now=0)
    assert not splice.recording
    machine.wake(S)
    assert (splice.reach, splice.since(3), splice.since(2)) == (3, [(4, b"d")], None)


def test_a_splice_begins_anew_with_a_new_session() -> None:
    splice = Splice()
    machine = channel(splice=splice)
    send(machine, "ab", 100)
    send(machine, "x", 1, LATER, session=NEXT_DAY)
    send(machine, "x", 1, LATER, session=NEXT_DAY, port=B)
    assert splice.since(0) == [(1, b"x")]


def test_a_splice_counts_packets_where_the_transport_does() -> None:
    splice = Splice()
    machine = channel("deribit", splice=splice)
    machine.receive(classic(9, [b"x", b"yy"]), 0)
    machine.receive(classic(10, [b"x"]), 0)
    assert [sequence for sequence, _ in splice.since(8) or []] == [9, 9, 10]


# --- the fast path


def test_a_fast_path_takes_expected_packets_and_hands_back() -> None:
    machine = channel()
    send(machine, "a", 1)
    machine.advance(50, 5)
    machine.merge_line(A, packets=40, first=40, duplicates=2, bytes=4000, last_ts=5)
    assert send(machine, "x", 50, now=6) == [(50, "x", None)]
    statistics = machine.statistics()
    assert (statistics.messages, statistics.packets, statistics.duplicates) == (50, 42, 2)
    assert statistics.lines[0].last_heard == 6


def test_a_fast_path_may_not_advance_over_a_hole_nor_back() -> None:
    machine = channel()
    send(machine, "a", 1)
    with pytest.raises(MisuseError, match="advance"):
        machine.advance(1, 0)
    send(machine, "c", 3)
    with pytest.raises(MisuseError, match="advance"):
        machine.advance(9, 0)
    with pytest.raises(MisuseError, match="no line"):
        machine.merge_line(Port.SNAPSHOT_A, 1, 1, 0, 1, 1)


def test_what_a_fast_path_took_is_no_silence_before_a_reset() -> None:
    machine = channel("starbase")
    machine.receive(star(1, [b"x" * 8], ts=10 * S), 0)
    machine.advance(100, 90 * S, ts_send_ns=100 * S)
    assert machine.receive(star(1, [b"x" * 8], ts=101 * S), 91 * S, B) == []
    machine.advance(101, 92 * S)
    assert machine.receive(star(1, [b"x" * 8], ts=130 * S), 93 * S, B) == [], "the newest stamp is not known"
    assert kinds(machine.receive(star(1, [b"x" * 8], ts=150 * S), 99 * S, B)) == [SequenceReset, Messages]


# --- time, statistics, misuse


def test_a_wake_before_the_deadline_does_nothing() -> None:
    machine = channel()
    send(machine, "a", 1)
    send(machine, "c", 3, now=100)
    before = machine.statistics()
    assert machine.wake(99 + MS) == []
    assert (machine.statistics(), machine.deadline) == (before, 100 + MS)


def test_time_that_falls_makes_nothing_due() -> None:
    machine = channel()
    send(machine, "a", 1, now=10 * S)
    send(machine, "c", 3, now=0)
    assert machine.deadline == 10 * S + MS


def test_nothing_goes_out() -> None:
    assert channel().transmit() == channel().transmit(RETRANSMIT) == []


def test_each_line_has_an_account() -> None:
    machine = channel()
    for number in range(1, 5):
        send(machine, "a", number, now=number * 100, port=A)
        send(machine, "a", number, now=number * 100 + number, port=B)
    first, second = machine.statistics().lines
    assert (first.packets, first.first, first.duplicates, first.behind.count) == (4, 4, 0, 0)
    assert (second.packets, second.first, second.duplicates, second.last_heard) == (4, 0, 4, 404)
    behind = second.behind
    assert (behind.count, behind.min_ns, behind.max_ns, behind.sum_ns, behind.recent) == (4, 1, 4, 10, (1, 2, 3, 4))
    assert first.bytes == second.bytes == 4 * 23


def test_bounds_below_zero_are_refused() -> None:
    with pytest.raises(MisuseError, match="bounds"):
        channel(max_held_bytes=-1)
    with pytest.raises(MisuseError, match="window"):
        channel(reorder_window_ns=2, recovery_window_ns=1)
