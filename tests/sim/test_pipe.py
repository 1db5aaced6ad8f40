"""A stream is late, or stands still; it is never in part, and never out of order."""

import pytest

from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.pipe import MAX_HELD, Pipe, PipeFaults, PipeWindow


def test_without_faults_what_is_sent_is_there() -> None:
    pipe = Pipe(PipeWindow(), 1)
    assert pipe.deadline == NEVER
    assert pipe.send(b"a", 5)
    assert pipe.deadline == 5
    assert pipe.deliver(5) == [b"a"]
    assert (pipe.deliver(9), len(pipe)) == ([], 0)


def test_it_comes_late_and_in_order_whatever_the_jitter() -> None:
    window = PipeWindow()
    window.change(PipeFaults(delay_ns=100, jitter_ns=50))
    pipe = Pipe(window, 1)
    sent = [bytes([number]) for number in range(50)]
    for number, data in enumerate(sent):
        assert pipe.send(data, number)
    assert pipe.deliver(99) == []
    arrived, now = [], 99
    while pipe.deadline < NEVER:
        now = pipe.deadline
        arrived += pipe.deliver(now)
    assert arrived == sent
    assert 149 < now <= 199


def test_what_is_frozen_for_a_time_comes_at_its_end_and_loses_nothing() -> None:
    window = PipeWindow()
    pipe = Pipe(window, 1)
    assert pipe.send(b"a", 0)
    window.until(1_000, PipeFaults(frozen=True))
    assert pipe.deliver(10) == []
    assert pipe.send(b"b", 20)
    assert pipe.deadline == 1_000
    assert pipe.deliver(999) == []
    assert pipe.deliver(1_000) == [b"a", b"b"]


def test_what_is_frozen_for_good_waits_for_a_change() -> None:
    window = PipeWindow()
    pipe = Pipe(window, 1)
    window.change(PipeFaults(frozen=True))
    assert pipe.send(b"a", 0)
    assert pipe.deadline == NEVER
    window.change(PipeFaults())
    assert pipe.deliver(1) == [b"a"]


def test_what_waits_is_bounded() -> None:
    window = PipeWindow()
    window.change(PipeFaults(frozen=True))
    pipe = Pipe(window, 1)
    assert pipe.send(bytes(MAX_HELD), 0)
    assert not pipe.send(b"a", 0)


def test_a_time_that_is_negative_is_refused() -> None:
    with pytest.raises(MisuseError):
        PipeFaults(delay_ns=-1)
