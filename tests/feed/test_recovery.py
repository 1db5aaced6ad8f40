"""The channel asks by itself: what, whom, when, and when again; and it believes only what it asked for."""

from collections.abc import Sequence
from typing import Any

import pytest

from netfeed.errors import MisuseError
from netfeed.feed.channel import Channel
from netfeed.feed.epoch import LIVELY_NS
from netfeed.feed.events import GapClosed, GapLost, Ignored, Messages, Rejected, Requested
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.ports import Port
from netfeed.feed.recovery import Pace, Recovery
from netfeed.feed.requests import REQUESTS
from netfeed.machine import NEVER, Machine
from netfeed.wire import iex, moldudp64, starbase
from tests.feed.packets import BUILD, mold, segment, star

A, B, FIRST, SECOND = Port.LINE_A, Port.LINE_B, Port.RETRANSMIT, Port.RETRANSMIT_B
MS = 1_000_000
S = 1_000_000_000


def asking(
    framing: str = "moldudp64", servers: Sequence[int] = (FIRST,), pace: Pace | None = None, **more: Any
) -> Channel:
    jitter = more.pop("jitter", lambda: 0.0)
    recovery = Recovery(REQUESTS[framing], servers=servers, pace=pace, jitter=jitter)
    return Channel(FRAMINGS[framing], name="test", start=1, recovery=recovery, **more)


def letters(first: int, count: int) -> list[bytes]:
    return [b"%08d" % number for number in range(first, first + count)]


def gap(channel: Channel, first: int, last: int, now: int = 0, framing: str = "moldudp64") -> None:
    """Let the numbers of a range be missing, and their reorder window pass."""
    if channel.next_sequence != first:
        start = channel.next_sequence or 1
        channel.receive(BUILD[framing](start, letters(start, first - start)), now, A)
    channel.receive(BUILD[framing](last + 1, letters(last + 1, 1)), now, A)
    channel.wake(now + MS)


def asked(channel: Channel, port: int = FIRST) -> list[tuple[int, int]]:
    """Give what was asked of a server as (first, count)."""
    return [(one.sequence, one.count) for one in map(moldudp64.decode_request, channel.transmit(port))]


def kinds(events: Sequence[Any]) -> list[type]:
    return [type(event) for event in events]


def test_it_is_still_a_machine() -> None:
    assert isinstance(asking(), Machine)


# --- what is asked


def test_the_other_line_is_waited_for_before_anybody_is_asked() -> None:
    channel = asking()
    channel.receive(mold(3, letters(3, 1)), 0, A)
    assert channel.transmit(FIRST) == []
    channel.receive(mold(1, letters(1, 2)), MS - 1, B)
    assert (channel.transmit(FIRST), channel.deadline) == ([], NEVER)


def test_an_opened_gap_is_asked_for_once_and_its_answer_closes_it() -> None:
    channel = asking()
    channel.receive(mold(3, letters(3, 1)), 0, A)
    assert Requested(1, 2, FIRST, MS) in channel.wake(MS)
    assert asked(channel) == [(1, 2)]
    events = channel.receive(mold(1, letters(1, 2)), 2 * MS, FIRST)
    assert kinds(events) == [GapClosed, Messages, Messages]
    assert events[1].recovered_by == "retransmit"
    assert (channel.deadline, channel.recovery.idle, asked(channel)) == (NEVER, True, [])  # type: ignore[union-attr]


def test_a_tail_gap_that_only_a_heartbeat_shows_is_asked_for() -> None:
    channel = asking()
    channel.receive(mold(1, letters(1, 4)), 0, A)
    channel.receive(mold(9), 0, A)
    channel.wake(MS)
    assert asked(channel) == [(5, 4)]


def test_a_storm_of_packets_behind_a_gap_asks_once() -> None:
    channel = asking()
    gap(channel, 1, 5)
    for number in range(7, 10_007):
        channel.receive(mold(number, letters(number, 1)), MS + number, A)
    assert asked(channel) == [(1, 5)]
    assert channel.statistics().servers[0].asked == 1


def test_near_gaps_share_a_request_and_far_ones_do_not() -> None:
    channel = asking(reorder_window_ns=MS)
    for first, last in ((1, 1), (3, 3), (5, 100), (102, 102)):
        channel.receive(mold(first, letters(first, last - first + 1)), 0, A)
    channel.wake(MS)
    assert asked(channel) == [(2, 3), (101, 1)]


def test_a_long_gap_is_asked_for_in_pages_of_the_servers_limit() -> None:
    channel = asking("starbase")
    gap(channel, 1, 600, framing="starbase")
    bodies = [starbase.decode(starbase.decode_packet(data).messages[0])[1] for data in channel.transmit(FIRST)]
    assert [(body.beginSeqNum, body.messageCount) for body in bodies] == [(1, 255), (256, 255), (511, 90)]


def test_what_an_answer_did_not_hold_is_asked_for_next() -> None:
    channel = asking()
    gap(channel, 1, 100)
    assert asked(channel) == [(1, 100)]
    channel.receive(mold(1, letters(1, 40)), 2 * MS, FIRST)
    assert asked(channel) == [(41, 60)]
    channel.receive(mold(41, letters(41, 60)), 3 * MS, FIRST)
    assert (asked(channel), channel.in_order) == ([], True)


def test_an_answer_of_several_packets_is_waited_for() -> None:
    channel = asking("starbase")
    gap(channel, 1, 100, framing="starbase")
    channel.transmit(FIRST)
    for first, now in ((1, 2), (31, 3), (61, 4)):
        channel.receive(star(first, letters(first, 30), type=5), now * MS, FIRST)
        assert channel.transmit(FIRST) == []
    channel.wake(9 * MS)
    (data,) = channel.transmit(FIRST)
    assert starbase.decode(starbase.decode_packet(data).messages[0])[1].beginSeqNum == 91


def test_iex_asks_for_ranges_of_its_session_and_channel() -> None:
    channel = asking("iex")
    for first in (1, 9):
        channel.receive(segment(first, letters(first, 1), session=b"\7"), 0, A)
    channel.wake(MS)
    request = iex.decode_gap_fill(channel.transmit(FIRST)[0])
    assert (request.session_id, request.channel_id, request.ranges) == (7, 1, ((2, 8),))
    channel.receive(segment(2, letters(2, 7), session=b"\7"), 2 * MS, FIRST)
    assert channel.in_order


# --- when nobody answers


def test_a_request_without_an_answer_goes_to_the_next_server_and_the_pause_doubles_after_a_round() -> None:
    channel = asking(servers=(FIRST, SECOND), recovery_window_ns=10 * S)
    gap(channel, 1, 5)
    times = []
    for _ in range(6):
        for port in (FIRST, SECOND):
            times += [(port, channel.deadline // MS) for _ in asked(channel, port)]
        channel.wake(channel.deadline)
    assert times == [(FIRST, 21), (SECOND, 41), (FIRST, 81), (SECOND, 121), (FIRST, 201), (SECOND, 281)]
    assert [one.timeouts for one in channel.statistics().servers] == [3, 3]


def test_the_pause_has_an_end_and_the_jitter_stretches_it() -> None:
    pace = Pace(retry_ns=20 * MS, max_retry_ns=50 * MS)
    channel = asking(pace=pace, jitter=lambda: 1.0, recovery_window_ns=10 * S)
    gap(channel, 1, 5)
    due = []
    for _ in range(4):
        due.append(channel.deadline // MS)
        channel.wake(channel.deadline)
    assert due == [21, 81, 156, 231]  # 20, 40 and a half, 50 and a half


def test_the_bucket_limits_requests_however_many_gaps_there_are() -> None:
    channel = asking(pace=Pace(rate=100, burst=4, join=0), reorder_window_ns=0)
    for number in range(2, 101, 2):
        channel.receive(mold(number, letters(number, 1)), 0, A)
    assert len(asked(channel)) == 4
    assert channel.deadline == 10 * MS
    channel.wake(10 * MS)
    assert len(asked(channel)) == 1


def test_a_gap_that_nobody_fills_is_lost_when_its_window_has_passed() -> None:
    channel = asking(recovery_window_ns=100 * MS)
    gap(channel, 1, 5)
    events: list[Any] = []
    while channel.deadline != NEVER:
        events += channel.wake(channel.deadline)
    assert GapLost(1, 5, "window", MS, 100 * MS) in events
    assert channel.recovery.idle  # type: ignore[union-attr]


# --- rejects


def reject(tag: int, reason: int, delay: int = 0) -> bytes:
    message = starbase.encode(202, retryDelayNanos=delay, details="no", reason=reason)
    return starbase.encode_packet(tag, [message], channel_id=7, type=0)


def test_a_retry_delay_is_honoured_and_another_server_asked_meanwhile() -> None:
    channel = asking("starbase", servers=(FIRST, SECOND))
    gap(channel, 1, 5, framing="starbase")
    assert len(channel.transmit(FIRST)) == 1
    events = channel.receive(reject(1, 3, 500 * MS), 2 * MS, FIRST)
    assert events[0] == Rejected(FIRST, 1, "RATE", 500 * MS, 2 * MS)
    assert (len(channel.transmit(FIRST)), len(channel.transmit(SECOND))) == (0, 1)
    while channel.deadline < 502 * MS:
        channel.wake(channel.deadline)
        assert channel.transmit(FIRST) == []
        channel.transmit(SECOND)
    assert channel.statistics().servers[0].resting_until == 502 * MS


def test_a_delay_of_the_only_server_is_waited_for() -> None:
    channel = asking("starbase")
    gap(channel, 1, 5, framing="starbase")
    channel.transmit(FIRST)
    channel.receive(reject(1, 3, 70 * MS), 2 * MS, FIRST)
    assert (channel.transmit(FIRST), channel.deadline) == ([], 72 * MS)
    channel.wake(72 * MS)
    assert len(channel.transmit(FIRST)) == 1


def test_a_message_that_every_server_has_forgotten_is_given_up_at_once() -> None:
    channel = asking("starbase", servers=(FIRST, SECOND))
    gap(channel, 1, 1, framing="starbase")
    channel.transmit(FIRST)
    assert GapLost not in kinds(channel.receive(reject(1, 1), 2 * MS, FIRST))
    assert len(channel.transmit(SECOND)) == 1
    events = channel.receive(reject(2, 1), 3 * MS, SECOND)
    assert GapLost(1, 1, "refused", MS, 3 * MS) in events
    assert channel.next_sequence == 3
    assert channel.recovery.idle  # type: ignore[union-attr]


@pytest.mark.parametrize("lowest", [1, 2, 3, 77, 127, 128, 129, 199, 200, 201, 500])
@pytest.mark.parametrize("servers", [(FIRST,), (FIRST, SECOND)])
def test_only_what_is_too_old_for_all_servers_is_given_up_and_it_is_found_by_halving(
    lowest: int, servers: tuple[int, ...]
) -> None:
    channel, last = asking("starbase", servers=servers, pace=Pace(burst=100)), 200
    gap(channel, 1, last, framing="starbase")
    events: list[Any] = []
    requests = 0
    while not channel.recovery.idle:  # type: ignore[union-attr]
        for port in servers:
            for request in channel.transmit(port):
                packet = starbase.decode_packet(request)
                body = starbase.decode(packet.messages[0])[1]
                first, count = body.beginSeqNum, body.messageCount
                answer = star(first, letters(first, count), type=5) if first >= lowest else reject(packet.seqNum, 1)
                events += channel.receive(answer, 3 * MS, port)
                requests += 1
    lost = {number for event in events if isinstance(event, GapLost) for number in range(event.first, event.last + 1)}
    assert lost == set(range(1, min(lowest, last + 1)))
    assert channel.next_sequence == last + 2
    assert {event.why for event in events if isinstance(event, GapLost)} <= {"refused"}
    assert requests <= len(servers) * 40


@pytest.mark.parametrize("tag", [0, 2, 2**62])
def test_a_reject_that_answers_nothing_changes_nothing(tag: int) -> None:
    channel = asking("starbase")
    gap(channel, 1, 5, framing="starbase")
    channel.transmit(FIRST)
    due = channel.deadline
    assert kinds(channel.receive(reject(tag, 1), 2 * MS, FIRST)) == [Ignored]
    assert (channel.deadline, channel.statistics().servers[0].unasked) == (due, 1)


def test_no_delay_keeps_a_server_out_for_ever() -> None:
    channel = asking("starbase", recovery_window_ns=2**61)
    gap(channel, 1, 5, framing="starbase")
    channel.transmit(FIRST)
    channel.receive(reject(1, 3, 2**62), 2 * MS, FIRST)
    assert channel.deadline == 60 * S + 2 * MS


# --- what is not believed


def test_what_was_not_asked_for_is_counted_and_never_believed() -> None:
    channel = asking()
    channel.receive(mold(1, letters(1, 2)), 0, A)
    for first in (1, 3, 5, 10**6):
        assert kinds(channel.receive(mold(first, letters(first, 2)), 1, FIRST)) == [Ignored]
    assert (channel.next_sequence, channel.in_order) == (3, True)
    assert channel.statistics().servers[0].unasked == 4


def test_of_an_answer_that_holds_more_than_was_asked_only_that_is_taken() -> None:
    channel = asking()
    gap(channel, 3, 5)
    channel.transmit(FIRST)
    channel.receive(mold(1, letters(1, 50)), 2 * MS, FIRST)
    assert (channel.next_sequence, channel.in_order) == (7, True)


def test_a_server_that_was_not_asked_cannot_answer_for_another() -> None:
    channel = asking(servers=(FIRST, SECOND))
    gap(channel, 1, 5)
    channel.transmit(FIRST)
    assert kinds(channel.receive(mold(1, letters(1, 5)), 2 * MS, SECOND)) == [Ignored]
    assert not channel.in_order


def test_an_answer_of_another_session_is_not_believed() -> None:
    channel = asking()
    gap(channel, 1, 5)
    assert kinds(channel.receive(mold(1, letters(1, 5), session=b"S000000002"), 2 * MS, FIRST)) == [Ignored]


def test_a_late_second_answer_is_a_duplicate() -> None:
    channel = asking(servers=(FIRST, SECOND))
    gap(channel, 1, 5)
    channel.wake(21 * MS)
    channel.receive(mold(1, letters(1, 5)), 22 * MS, SECOND)
    assert channel.receive(mold(1, letters(1, 5)), 23 * MS, FIRST) == []
    assert [one.unasked for one in channel.statistics().servers] == [0, 0]


def test_a_new_session_asks_for_nothing_of_the_old_one() -> None:
    channel = asking()
    gap(channel, 1, 5)
    for port in (A, B):
        channel.transmit(FIRST)
        channel.receive(mold(1, letters(1, 1), session=b"S000000002"), LIVELY_NS, port)
    assert channel.session == b"S000000002"
    assert (channel.deadline, asked(channel)) == (NEVER, [])


@pytest.mark.parametrize("servers", [(), (A,), (FIRST, FIRST)])
def test_servers_are_ports_for_answers(servers: tuple[int, ...]) -> None:
    with pytest.raises(MisuseError):
        Recovery(REQUESTS["moldudp64"], servers=servers)


@pytest.mark.parametrize("wrong", [{"retry_ns": 0}, {"max_retry_ns": 1}, {"page": 0}, {"join": -1}, {"settle_ns": 0}])
def test_a_pace_that_makes_no_sense_is_the_callers_mistake(wrong: dict[str, int]) -> None:
    with pytest.raises(MisuseError):
        Pace(**wrong)  # type: ignore[arg-type]
