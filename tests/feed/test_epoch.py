"""The judge of beginnings: for each row of its table, what is believed at once and what needs a second packet."""

import pytest

from netfeed.feed.epoch import LIVELY_NS, MAX_RETIRED, Epoch, Mark, Ruling, Sighting, Verdict
from netfeed.feed.framing import FRAMINGS, Kind, Packet

S = 10**9
MARK = Mark(100, 100)


def packet(number: int, count: int = 1, *, session: bytes = b"one", ts: int | None = None, channel: int = 0) -> Packet:
    return Packet(Kind.DATA, session, number, count, (b"x",) * count, ts, channel)


def seen(number: int, *, port: int = 0, now: int = 0, **fields: object) -> Sighting:
    return Sighting(packet(number, **fields), number, port, now)  # type: ignore[arg-type]


def judge(framing: str = "moldudp64", *, stamp: int | None = None, given: bool = True, settled: bool = True) -> Epoch:
    epoch = Epoch(FRAMINGS[framing], quiet_ns=5 * S, straggle_ns=S, max_jump=1000, channel=None, start_given=given)
    epoch.begin(seen(98, ts=stamp))
    if settled:
        epoch.judge(seen(99, ts=stamp), Mark(99, 99))
    return epoch


def test_what_follows_what_is_late_and_what_is_a_little_ahead_is_of_this_epoch() -> None:
    epoch = judge()
    for number in (100, 99, 1, 101, 1100):
        assert epoch.judge(seen(number), MARK) == Ruling(Verdict.CURRENT)


def test_far_ahead_is_in_doubt_until_it_is_continued() -> None:
    epoch = judge()
    assert epoch.judge(seen(1101), MARK).verdict is Verdict.DOUBT
    assert epoch.judge(seen(100), MARK).verdict is Verdict.CURRENT, "the doubt does not disturb the stream"
    verdict, earlier, _ = epoch.judge(seen(1102), MARK)
    assert verdict is Verdict.CURRENT
    assert earlier is not None
    assert earlier.number == 1101


def test_nonsense_does_not_confirm_nonsense() -> None:
    epoch = judge()
    for number in (2**40, 2**50, 2**45, 2**40 - 1):
        assert epoch.judge(seen(number), MARK).verdict is Verdict.DOUBT


def test_a_doubtful_packet_owns_its_bytes() -> None:
    epoch, buffer = judge(), bytearray(b"abc")
    doubtful = seen(5000)
    epoch.judge(doubtful._replace(packet=Packet(Kind.DATA, b"one", 5000, 1, (memoryview(buffer),), None, 0)), MARK)
    buffer[:] = b"???"
    earlier = epoch.judge(seen(5001), MARK).earlier
    assert earlier is not None
    assert earlier.packet.messages == (b"abc",)


@pytest.mark.parametrize(("number", "ended", "verdict"), [
    (1, False, Verdict.DOUBT),
    (0, False, Verdict.DOUBT),
    (1, True, Verdict.SESSION),
    (2, False, Verdict.DOUBT),
    (2, True, Verdict.SESSION),
])  # fmt: skip
def test_a_session_is_believed_at_once_only_after_the_end_of_the_old_one(
    number: int, ended: bool, verdict: Verdict
) -> None:
    epoch = judge()
    epoch.ended = ended
    assert epoch.judge(seen(number, session=b"two", now=LIVELY_NS), MARK).verdict is verdict


def test_two_packets_of_two_sessions_do_not_agree() -> None:
    epoch = judge()
    assert epoch.judge(seen(50, session=b"two"), MARK).verdict is Verdict.DOUBT
    assert epoch.judge(seen(51, session=b"three"), MARK).verdict is Verdict.DOUBT


def test_a_session_that_ended_is_ignored_for_a_while_and_comes_back_only_with_more_than_it_had() -> None:
    epoch = judge()
    epoch.change(seen(1, session=b"two", now=10), MARK)
    assert epoch.judge(seen(100, now=10 + S - 1), MARK).verdict is Verdict.STRAGGLER
    assert epoch.judge(seen(99, now=9 * S), MARK).verdict is Verdict.STRAGGLER
    assert epoch.judge(seen(100, now=9 * S), MARK).verdict is Verdict.DOUBT
    ruling = epoch.judge(seen(101, now=9 * S), MARK)
    assert ruling.verdict is Verdict.SESSION
    assert ruling.earlier is not None
    assert epoch.change(ruling.earlier, Mark(2, 2)) == 100, "it goes on where it was left"


def test_ended_sessions_are_remembered_within_a_bound() -> None:
    epoch = judge()
    for number in range(MAX_RETIRED + 2):
        epoch.change(seen(1, session=b"%d" % number, now=0), MARK)
    assert epoch.judge(seen(1, session=b"1", now=0), MARK).verdict is Verdict.STRAGGLER
    assert epoch.judge(seen(1, session=b"one", now=0), MARK).verdict is Verdict.DOUBT, "the oldest is forgotten"


@pytest.mark.parametrize(("number", "ts", "verdict"), [
    (1, 15 * S + 1, Verdict.RESET),     # the first number, after the silence
    (1, 15 * S, Verdict.CURRENT),       # a duplicate: not silent for long enough
    (1, 9 * S, Verdict.CURRENT),        # a duplicate: sent before
    (7, 15 * S + 1, Verdict.DOUBT),     # after the silence, and not the first
    (100, 15 * S + 1, Verdict.CURRENT),
])  # fmt: skip
def test_a_fallen_number_is_a_reset_only_after_silence(number: int, ts: int, verdict: Verdict) -> None:
    assert judge("starbase", stamp=10 * S).judge(seen(number, ts=ts), MARK).verdict is verdict


def test_a_packet_that_reaches_beyond_what_is_delivered_has_not_fallen() -> None:
    epoch = judge("starbase", stamp=10 * S)
    assert epoch.judge(seen(99, count=2, ts=90 * S), MARK).verdict is Verdict.CURRENT


def test_how_far_ahead_is_measured_from_what_is_known_to_exist_not_from_what_is_delivered() -> None:
    assert judge().judge(seen(5500), Mark(100, 5000)).verdict is Verdict.CURRENT


def test_a_wrong_stamp_is_forgotten_with_the_next_two_packets() -> None:
    epoch = judge("starbase", stamp=10 * S)
    epoch.judge(seen(100, ts=2**62), MARK)
    epoch.judge(seen(101, ts=11 * S), Mark(101, 101))
    epoch.judge(seen(102, ts=11 * S), Mark(102, 102))
    assert epoch.judge(seen(1, ts=17 * S), Mark(103, 103)).verdict is Verdict.RESET


@pytest.mark.parametrize("number", [100, 103])
def test_an_old_stamp_does_not_make_copies_of_what_was_delivered_a_new_beginning(number: int) -> None:
    epoch = judge("starbase", stamp=100 * S)
    epoch.judge(seen(100, ts=100 * S), MARK)
    epoch.judge(seen(number + 1, ts=0), Mark(101, 101))
    for copy in (98, 99, 100):
        assert epoch.judge(seen(copy, ts=100 * S), Mark(101, 101)).verdict is Verdict.CURRENT


def test_what_was_sent_before_a_reset_is_ignored_for_a_while() -> None:
    epoch = judge("starbase", stamp=10 * S)
    assert epoch.change(seen(1, ts=20 * S), MARK) == 1
    for ts, now, verdict in ((14, 0, Verdict.STRAGGLER), (16, 0, Verdict.CURRENT), (14, 2, Verdict.CURRENT)):
        assert epoch.judge(seen(1, ts=ts * S, now=now * S), Mark(2, 2)).verdict is verdict


def test_a_doubt_does_not_outlive_its_epoch() -> None:
    epoch = judge("starbase", stamp=10 * S)
    assert epoch.judge(seen(10**6, ts=11 * S), MARK).verdict is Verdict.DOUBT
    epoch.change(seen(1, ts=20 * S), MARK)
    assert epoch.judge(seen(10**6 + 1, ts=21 * S), Mark(2, 2)).verdict is Verdict.DOUBT


def test_the_end_of_one_session_is_not_the_end_of_the_next() -> None:
    epoch = judge()
    epoch.ended = True
    epoch.change(seen(50, session=b"two"), MARK)
    assert epoch.judge(seen(70, session=b"three"), Mark(51, 51)).verdict is Verdict.DOUBT


def test_packets_agree_across_the_wrap_of_a_counter() -> None:
    epoch, near = judge("deribit"), 2**32 - 20_000
    one = Sighting(packet(2**32 - 1), 2**32 - 1, 0, 0)
    two = Sighting(packet(0), 2**32, 0, 0)
    assert [epoch.judge(sight, Mark(near, near)).verdict for sight in (one, two)] == [Verdict.DOUBT, Verdict.CURRENT]


def test_leaving_a_nonsense_first_packet_makes_no_old_packets() -> None:
    epoch = judge("starbase", stamp=2**62, given=False, settled=False)
    epoch.change(seen(10**6, ts=10 * S), MARK)
    assert epoch.judge(seen(10**6 + 1, ts=10 * S), Mark(10**6 + 1, 10**6 + 1)).verdict is Verdict.CURRENT


def test_without_a_given_start_the_first_packet_may_have_been_the_nonsense() -> None:
    epoch = judge(given=False, settled=False)
    far = [seen(10**6), seen(10**6 + 1)]
    assert [epoch.judge(one, MARK).verdict for one in far] == [Verdict.DOUBT, Verdict.RESET]
    assert epoch.change(far[0], MARK) == 10**6, "a late join begins where it is"


def test_with_a_given_start_a_great_distance_is_a_loss() -> None:
    epoch = judge(given=True, settled=False)
    far = [seen(10**6), seen(10**6 + 1)]
    assert [epoch.judge(one, MARK).verdict for one in far] == [Verdict.DOUBT, Verdict.CURRENT]


def test_another_channel_is_foreign_once_the_stream_is_settled() -> None:
    assert judge(settled=True).judge(seen(100, channel=9), MARK).verdict is Verdict.FOREIGN
    assert judge(settled=False).judge(seen(100, channel=9), MARK).verdict is Verdict.DOUBT


@pytest.mark.parametrize(("fields", "verdict"), [
    ({"number": 50}, Verdict.CURRENT),
    ({"number": 100}, Verdict.CURRENT),
    ({"number": 101}, Verdict.DOUBT),
    ({"number": 50, "session": b"two"}, Verdict.STRAGGLER),
    ({"number": 50, "channel": 9}, Verdict.FOREIGN),
])  # fmt: skip
def test_an_answer_fills_what_is_missing_and_nothing_else(fields: dict[str, object], verdict: Verdict) -> None:
    epoch = judge()
    assert epoch.judge_answer(seen(**fields), MARK).verdict is verdict  # type: ignore[arg-type]
    assert epoch.judge(seen(101), MARK).verdict is Verdict.CURRENT
