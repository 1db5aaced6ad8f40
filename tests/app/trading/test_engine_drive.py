"""An engine beside live channels: what touches it, when it has its turn, and which packet an order belongs to."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from netfeed.app.changes import Rows
from netfeed.app.configuration import Configuration
from netfeed.app.live import Live
from netfeed.app.trading.engine_drive import EngineDrive
from netfeed.book.change import CHANGE, NO_BOOK, NO_TIME
from netfeed.book.execution import Cancel, Up
from netfeed.engine.journal import Decided, Woke
from netfeed.machine import NEVER
from tests.engine.engine_world import MS, PERPETUAL, World
from tests.engine.test_hot_engine import HotWorld

REQUEST = Cancel(1, PERPETUAL)
DECIDED = Decided(0, 1, REQUEST)


@pytest.fixture
def drive() -> Iterator[EngineDrive]:
    live = Live(Configuration(schema_version=1, name="mine", channels=[]))
    yield EngineDrive(live, clock_off_ns=0)
    live.close()


def rows(*books: int, ts_ns: int = NO_TIME, sequence: int = 7) -> Rows:
    made = np.zeros(len(books), CHANGE)
    made["book"], made["ts_recv_ns"], made["sequence"] = books, ts_ns, sequence
    return made


def counts(drive: EngineDrive) -> dict[str, int]:
    return {name: stage.count for name, stage in drive.stages.items()}


def test_without_an_engine_it_waits_for_nothing(drive: EngineDrive) -> None:
    drive.take(rows(1))
    drive.hear(1, Up(1), 0)
    drive.wake(0)
    assert drive.deadline == NEVER


def test_changes_of_its_instruments_give_it_a_turn_and_others_do_not(drive: EngineDrive) -> None:
    world = World().run(100 * MS)
    drive.engine, drive.instruments = world.engine, {3: PERPETUAL}
    assert world.engine is not None
    drive.wake(world.now)
    before = world.engine.out.sequence
    drive.take(rows(4, NO_BOOK, sequence=90))
    assert (drive.deadline, world.engine.out.sequence) == (world.engine.deadline, before)
    drive.take(rows(3, 4, sequence=91))
    assert (drive.deadline, world.engine.out.sequence) == (0, 91)
    drive.wake(world.now)
    assert drive.deadline == world.engine.deadline


def test_an_order_is_timed_from_the_oldest_packet_of_its_batch_once_a_step(drive: EngineDrive) -> None:
    drive.engine = World().engine
    now = time.time_ns()
    drive.take(rows(PERPETUAL, ts_ns=now - 5 * MS))
    drive.take(rows(PERPETUAL, ts_ns=now - 2 * MS))
    drive.record(Woke(0))
    assert counts(drive) == {"decide": 0, "send": 0, "tick>order": 0}
    for _ in range(2):
        drive.record(DECIDED)
        drive.sent(REQUEST, 0)
    assert counts(drive) == {"decide": 1, "send": 1, "tick>order": 1}
    assert (drive.stages["tick>order"].max_ns or 0) >= 5 * MS
    assert [one.name for one in drive.pictures()] == ["wire>book", "decide", "send", "tick>order"]


def test_quotes_of_the_hot_step_are_timed_by_themselves_and_leave_before_the_pass(drive: EngineDrive) -> None:
    world = HotWorld()
    drive.engine, drive.hot = world.engine, world.begin().hot
    assert drive.hot is not None
    done: list[str] = []

    def move(now: int, clock_off_ns: int | None) -> bool:
        done.append("move")
        drive.sent(REQUEST, 0)
        drive.record(DECIDED)
        return True

    world.run(50 * MS)
    drive.wake(world.now)
    drive.hot.move = move  # type: ignore[method-assign]
    drive.hot._moved_to = drive.hot.price()
    drive.take(rows(PERPETUAL, ts_ns=time.time_ns()))
    drive.wake(world.now)
    assert done == []
    drive.hot._moved_to = 1.0
    drive.take(rows(PERPETUAL, ts_ns=time.time_ns() - 5 * MS))
    drive.wake(world.now)
    assert done == ["move"]
    assert counts(drive) == {"decide": 0, "send": 0, "tick>order": 0}
    assert drive.hot_to_order.count == drive.tick_to_order().count == 1
    assert drive.pictures()[-1].name == "tick>hot"


def test_what_no_packet_led_to_is_not_timed(drive: EngineDrive) -> None:
    drive.engine = World().engine
    drive.record(DECIDED)
    drive.sent(REQUEST, 0)
    drive.take(rows(PERPETUAL))  # a change without a stamp: a deadline has passed
    drive.record(DECIDED)
    drive.sent(REQUEST, 0)
    assert counts(drive) == {"decide": 0, "send": 0, "tick>order": 0}


def test_a_packet_that_led_to_nothing_is_forgotten_with_its_step(drive: EngineDrive) -> None:
    world = World()
    drive.engine = world.engine
    drive.take(rows(PERPETUAL, ts_ns=time.time_ns()))
    drive.wake(world.now)
    drive.record(DECIDED)
    drive.sent(REQUEST, 0)
    assert counts(drive)["tick>order"] == 0


class Machine:
    """Always due; it counts how often it was woken."""

    deadline, woken = 0, 0

    def wake(self, now: int) -> None:
        self.woken += 1


def test_packets_without_an_end_do_not_keep_machines_waiting() -> None:
    live, machine = Live(Configuration(schema_version=1, name="mine", channels=[])), Machine()
    live.machines.append(machine)
    live._woken_ns = time.monotonic_ns() + 3600 * 10**9
    live._wake(time.time_ns())  # more waits, and they were woken just now
    assert machine.woken == 0
    live._woken_ns = 0
    live._wake(time.time_ns())
    assert machine.woken == 1
    live._wake(NEVER)
    assert machine.woken == 2
    live.close()
