"""Numbered packets: their numbers have no holes, their pace is absolute, their end is said."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from netfeed.app.send import Numbered, late
from netfeed.transport.send import Pacer
from netfeed.wire import numbered

MS = 1_000_000


class Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0

    def read(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(1, round(seconds * 1e9))


class Out:
    """A sender that writes down what it took; it has no room the first `full` times."""

    refused = 0

    def __init__(self, clock: Clock, full: int = 0) -> None:
        self.clock, self.full = clock, full
        self.log: list[tuple[int, Any]] = []
        self.bursts = 0
        self.pipe = os.pipe()

    def fileno(self) -> int:
        return self.pipe[1]  # can always be written to

    def send(self, data: bytes) -> bool:
        self.full -= 1
        if self.full >= 0:
            return False
        self.log.append((self.clock.now, numbered.decode(data)))
        return True

    def burst(self, data: bytes, size: int) -> bool:
        self.bursts += 1
        taken = [self.send(data[at : at + size]) for at in range(0, len(data), size)]
        return all(taken)

    def close(self) -> None:
        for fd in self.pipe:
            os.close(fd)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def out(clock: Clock) -> Iterator[Out]:
    one = Out(clock)
    yield one
    one.close()


def run(clock: Clock, *outs: Out, **options: Any) -> Any:
    pacer = Pacer(clock=clock.read, sleep=clock.sleep, spin_ns=0, stop=options.get("stop", lambda: False))
    wanted = {"stream": 5, "size": 100, "pps": None, "pacer": pacer, "clock": clock.read, **options}
    return Numbered(list(outs), **wanted).run()  # type: ignore[arg-type]


def test_packets_are_numbered_from_one_and_the_end_is_said_three_times(clock: Clock, out: Out) -> None:
    sent = run(clock, out, count=3)
    assert [(header.kind, header.sequence) for _, header in out.log] == [(0, 1), (0, 2), (0, 3), (1, 4), (1, 4), (1, 4)]
    assert {header.stream for _, header in out.log} == {5}
    assert sent.packets == 3


def test_a_rate_is_kept_by_absolute_deadlines(clock: Clock, out: Out) -> None:
    sent = run(clock, out, pps=1000.0, count=4)
    assert [at for at, header in out.log if header.kind == numbered.Kind.DATA] == [0, MS, 2 * MS, 3 * MS]
    assert late(sent.punctuality) == {"p50": 0, "p90": 0, "p99": 0, "max": 0}


def test_packets_of_a_burst_leave_together(clock: Clock, out: Out) -> None:
    run(clock, out, pps=1000.0, burst=2, count=5)
    assert [at for at, header in out.log if header.kind == numbered.Kind.DATA] == [0, 0, 2 * MS, 2 * MS, 4 * MS]
    assert out.bursts == 2


def test_a_kernel_without_room_is_waited_for_and_no_number_is_left_out(clock: Clock, out: Out) -> None:
    out.full = 2
    sent = run(clock, out, count=2)
    assert [header.sequence for _, header in out.log][:2] == [1, 2]
    assert sent.waited == 2


def test_every_destination_gets_the_same_numbers(clock: Clock, out: Out) -> None:
    other = Out(clock)
    run(clock, out, other, count=3)
    assert [header.sequence for _, header in out.log] == [header.sequence for _, header in other.log]
    other.close()


def test_it_ends_after_a_duration_or_when_it_is_stopped(clock: Clock, out: Out) -> None:
    assert run(clock, out, pps=1000.0, duration_ns=10 * MS).packets == 10
    assert run(clock, out, pps=1000.0, stop=lambda: clock.now > 20 * MS).stopped
    assert out.log[-1][1].kind == numbered.Kind.END
