"""Happy eyeballs without sockets: who is tried when, who wins, and how it is lost."""

import errno

import pytest

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.transport.race import OPENED, Lost, Race, Won, outcome, turns

MS = 1_000_000
SIX, SIX_B, FOUR, FOUR_B = ("2001:db8::1", 1), ("2001:db8::2", 1), ("192.0.2.1", 1), ("192.0.2.2", 1)


def test_the_families_take_turns_and_nobody_is_tried_twice() -> None:
    assert turns([SIX, SIX_B, FOUR, SIX, FOUR_B]) == [SIX, FOUR, SIX_B, FOUR_B]
    assert turns([FOUR, FOUR_B, SIX]) == [FOUR, SIX, FOUR_B]
    assert turns([FOUR]) == [FOUR]


def test_the_first_has_a_head_start_and_the_second_begins_when_it_is_over() -> None:
    race = Race([SIX, FOUR], 0)
    assert (race.transmit(), race.transmit(), race.deadline) == ([b"+\0"], [], 250 * MS)
    assert race.wake(250 * MS - 1) == []
    assert race.transmit() == []
    assert race.wake(250 * MS) == []
    assert (race.transmit(), race.deadline) == ([b"+\1"], 10_000 * MS)
    assert race.receive(outcome(1), 260 * MS) == [Won(1)]
    assert (race.transmit(), race.deadline, race.is_over) == ([b"-\0"], NEVER, True)


def test_an_attempt_that_fails_lets_the_next_one_begin_at_once() -> None:
    race = Race([SIX, FOUR, SIX_B], 0)
    race.transmit()
    assert race.receive(outcome(0, errno.ENETUNREACH), 5 * MS) == []
    assert (race.transmit(), race.deadline) == ([b"+\1"], 255 * MS)
    assert race.receive(outcome(1, OPENED), 6 * MS) == [Won(1)]
    assert race.transmit() == []


def test_a_race_is_lost_when_all_have_failed() -> None:
    race = Race([SIX, FOUR], 0)
    race.receive(outcome(0, errno.ECONNREFUSED), 1)
    (lost,) = race.receive(outcome(1, errno.ENETUNREACH), 2)
    assert lost == Lost(((SIX, errno.ECONNREFUSED), (FOUR, errno.ENETUNREACH)))
    assert str(lost) == "2001:db8::1 port 1: Connection refused; 192.0.2.1 port 1: Network is unreachable"
    assert (race.deadline, race.receive(outcome(1), 3), race.wake(10**12)) == (NEVER, [], [])


def test_a_race_is_lost_when_time_is_up() -> None:
    race = Race([SIX, FOUR, SIX_B], 0, timeout_ns=300 * MS)
    race.wake(250 * MS)
    race.receive(outcome(0, errno.ECONNREFUSED), 260 * MS)
    race.transmit()
    assert race.deadline == 300 * MS
    (lost,) = race.wake(300 * MS)
    assert lost == Lost(((SIX, errno.ECONNREFUSED), (FOUR, errno.ETIMEDOUT), (SIX_B, errno.ETIMEDOUT)))
    assert race.transmit() == [b"-\1", b"-\2"]


def test_what_is_no_outcome_of_this_race_is_passed_over() -> None:
    race = Race([SIX, FOUR], 0)
    for data in (b"", b"x", outcome(1), outcome(9), outcome(0) + b"x"):
        assert race.receive(data, 0) == []
    assert race.receive(outcome(0), 0) == [Won(0)]
    assert race.receive(outcome(0), 0) == []


def test_a_race_needs_addresses_and_time() -> None:
    with pytest.raises(MisuseError, match="no address"):
        Race([], 0)
    with pytest.raises(MisuseError, match="positive"):
        Race([FOUR], 0, stagger_ns=0)
