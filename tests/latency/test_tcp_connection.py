"""One connection: handshake, round trips by Karn's rule, retransmissions, windows - and a sequence that wraps."""

import pytest

from netfeed.latency.tcp_side import MAX_SENT
from tests.latency.tcp_talk import ACK, FIN, MS, RST, SYN, Talk


def test_the_handshake_is_measured_in_its_three_steps() -> None:
    talk = Talk().handshake()
    assert (talk.open.handshake_ns, talk.open.rtt_of_syn, talk.open.partial) == (3 * MS, [2 * MS, 1 * MS], False)
    assert [histogram.count for histogram in talk.table.rtt] == [0, 0]


def test_a_handshake_whose_syn_was_sent_again_is_not_measured() -> None:
    talk = Talk().say(0, 0, 0, flags=SYN).say(1000, 0, 0, flags=SYN)
    talk.say(1002, 1, 0, ack=1, flags=SYN | ACK).say(1003, 0, 1, ack=1)
    assert (talk.open.handshake_ns, talk.open.rtt_of_syn) == (None, [None, 1 * MS])
    assert talk.open.sides[0].counts.retransmitted == 1


def test_a_round_trip_is_from_data_to_its_ack() -> None:
    talk = Talk().handshake()
    talk.say(10, 0, 1, b"x" * 10, ack=1).say(14, 1, 1, ack=11)
    talk.say(20, 1, 1, b"y" * 5, ack=11).say(20.5, 0, 11, ack=6)
    client, server = talk.table.rtt
    assert (client.count, client.min_ns) == (1, 4 * MS)
    assert (server.count, server.min_ns) == (1, MS // 2)
    assert [side.counts.data_bytes for side in talk.open.sides] == [10, 5]


def test_one_ack_of_several_segments_measures_the_last() -> None:
    talk = Talk().handshake()
    for k in range(3):
        talk.say(10 + k, 0, 1 + 10 * k, b"x" * 10, ack=1)
    talk.say(15, 1, 1, ack=31)
    assert (talk.table.rtt[0].count, talk.table.rtt[0].max_ns) == (1, 3 * MS)


def test_what_was_sent_again_is_not_measured() -> None:
    talk = Talk().handshake().say(10, 0, 1, b"x" * 10, ack=1).say(250, 0, 1, b"x" * 10, ack=1).say(252, 1, 1, ack=11)
    assert talk.table.rtt[0].count == 0
    counts = talk.open.sides[0].counts
    assert (counts.retransmitted, counts.spurious, counts.out_of_order) == (1, 0, 0)


def test_a_retransmission_of_what_was_acknowledged_is_spurious() -> None:
    talk = Talk().handshake().say(10, 0, 1, b"x" * 10, ack=1).say(12, 1, 1, ack=11).say(250, 0, 1, b"x" * 10, ack=1)
    counts = talk.open.sides[0].counts
    assert (counts.retransmitted, counts.spurious) == (1, 1)


def test_a_hole_that_is_filled_at_once_is_out_of_order_and_later_a_retransmission() -> None:
    soon = Talk().handshake().say(10, 0, 11, b"b" * 10, ack=1).say(10.1, 0, 1, b"a" * 10, ack=1)
    counts = soon.open.sides[0].counts
    assert (counts.not_captured, counts.out_of_order, counts.retransmitted) == (1, 1, 0)
    late = Talk().handshake().say(10, 0, 11, b"b" * 10, ack=1).say(210, 0, 1, b"a" * 10, ack=1)
    counts = late.open.sides[0].counts
    assert (counts.not_captured, counts.out_of_order, counts.retransmitted) == (1, 0, 1)
    assert not late.open.repeats  # its bytes are new all the same


def test_duplicate_acks_are_counted_while_data_waits() -> None:
    talk = Talk().handshake()
    for k in range(4):
        talk.say(10 + k, 0, 1 + 10 * k, b"x" * 10, ack=1)
    talk.say(15, 1, 1, ack=11)
    for k in range(3):
        talk.say(16 + k, 1, 1, ack=11)
    talk.say(20, 1, 1, ack=11, window=900)  # another window: an update
    talk.say(21, 1, 1, ack=41).say(22, 1, 1, ack=41)  # nothing waits any more
    assert talk.open.sides[1].counts.duplicate_acks == 3


def test_zero_windows_are_counted_and_timed() -> None:
    talk = Talk().handshake().say(10, 0, 1, b"x" * 10, ack=1)
    talk.say(11, 1, 1, ack=11, window=0).say(12, 0, 11, b"p", ack=1).say(12.1, 1, 1, ack=11, window=0)
    talk.say(41, 1, 1, ack=11, window=500).say(42, 0, 11, b"pq", ack=1).say(43, 1, 1, ack=13, window=0)
    talk.table.finish()
    server, client = talk.open.sides[1].counts, talk.open.sides[0].counts
    assert (server.zero_windows, server.zero_window_ns) == (3, 30 * MS)
    assert (client.probes, client.retransmitted) == (1, 0)


def test_a_time_that_falls_gives_no_window_a_negative_time() -> None:
    talk = Talk().handshake().say(10, 1, 1, ack=1, window=0).say(5, 1, 1, ack=1, window=10)
    assert talk.open.sides[1].counts.zero_window_ns == 0


def test_a_window_that_stays_shut_is_timed_to_the_last_segment() -> None:
    talk = Talk().handshake().say(10, 1, 1, ack=1, window=0).say(60, 0, 1, ack=1)
    talk.table.finish()
    assert talk.open.sides[1].counts.zero_window_ns == 50 * MS


@pytest.mark.parametrize(("scale", "size", "full"), [(None, 100, 1), (None, 99, 0), (2, 400, 1), (2, 100, 0)])
def test_data_to_the_end_of_the_window_fills_it(scale: int | None, size: int, full: int) -> None:
    talk = Talk().handshake(scale=scale).say(10, 1, 1, ack=1, window=100).say(11, 0, 1, b"x" * size, ack=1)
    assert talk.open.sides[0].counts.window_full == full


def test_a_scale_counts_only_when_both_sides_offer_one() -> None:
    talk = Talk().say(0, 0, 0, flags=SYN).say(1, 1, 0, ack=1, flags=SYN | ACK, scale=7).say(2, 0, 1, ack=1)
    talk.say(3, 1, 1, ack=1, window=10).say(4, 0, 1, b"x" * 10, ack=1)
    assert talk.open.sides[0].counts.window_full == 1


def test_from_the_middle_no_window_is_judged_and_it_is_said() -> None:
    talk = Talk().say(0, 1, 500, ack=300, window=10).say(1, 0, 300, b"x" * 10, ack=500).say(3, 1, 500, ack=310)
    assert talk.open.partial
    assert talk.open.sides[0].counts.window_full == 0
    assert (talk.table.rtt[1].count, talk.table.rtt[0].count) == (1, 0)  # side 0 is who spoke first
    assert talk.open.handshake_ns is None


def test_a_keep_alive_is_no_retransmission() -> None:
    talk = Talk().handshake().say(5, 0, 1, b"x" * 10, ack=1).say(6, 1, 1, ack=11).say(9000, 0, 10, b"x", ack=1)
    talk.say(9001, 1, 1, ack=11)
    counts = talk.open.sides[0].counts
    assert (counts.keep_alives, counts.retransmitted, talk.open.sides[1].counts.duplicate_acks) == (1, 0, 0)
    assert talk.open.idle_ns == (9000 - 6) * MS


def test_fins_and_resets_end_a_connection() -> None:
    talk = Talk().handshake().say(5, 0, 1, ack=1, flags=FIN | ACK).say(6, 1, 1, ack=2, flags=FIN | ACK)
    talk.say(7, 0, 2, ack=2)
    assert [side.counts.fins for side in talk.open.sides] == [1, 1]
    assert talk.table.rtt[0].max_ns == 1 * MS  # a FIN takes a number, and has its ACK
    assert not talk.open.closed
    assert talk.say(8, 1, 2, flags=RST, ack=2).open.closed


def test_a_syn_with_another_number_is_another_connection() -> None:
    talk = Talk().handshake()
    first = talk.open
    talk.isn = (7777, 8888)
    talk.handshake()
    assert talk.open is not first
    talk.table.finish()
    assert (talk.table.count, talk.table.handshakes.count) == (2, 2)


def test_the_sequence_wraps() -> None:
    talk = Talk(isn=(2**32 - 5, 2**32 - 5)).handshake()
    for k in range(10):
        talk.say(10 + 2 * k, 0, 1 + 3 * k, b"xyz", ack=1).say(11 + 2 * k, 1, 1, ack=4 + 3 * k)
    counts = talk.open.sides[0].counts
    assert (counts.data_bytes, counts.retransmitted, counts.not_captured) == (30, 0, 0)
    assert (talk.table.rtt[0].count, talk.table.rtt[0].max_ns) == (10, 1 * MS)


def test_what_waits_for_its_ack_is_bounded() -> None:
    talk = Talk().handshake()
    for k in range(MAX_SENT + 100):
        talk.say(10 + k, 0, 1 + k, b"x", ack=1)
    assert len(talk.open.sides[0].sent) == MAX_SENT
