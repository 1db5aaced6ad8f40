"""Traces: each packet that moved a book leaves one, its stamps in order; who decides completes it; who lags is told."""

import time
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest

from netfeed.build import PURE
from netfeed.latency.stage import ABSENT, TRACE, Flag, Stage
from netfeed.transport import tracer as plain
from netfeed.transport.ring import Reader, Ring
from tests.transport.test_receiver import KITS, SESSION, Kit, World, messages, packed

TWINS: list[Any] = [plain]
if not PURE:
    from netfeed.transport import trace as core
    from netfeed.transport.tick import has_tsc

    TWINS.append(core)
NAMES = [one.__name__.rpartition(".")[2] for one in TWINS]
BOTH = list(zip(TWINS, KITS, strict=True))


class Traced:
    """A receiver's world whose packets are traced."""

    def __init__(self, twin: Any, kit: Kit, folder: File, *, capacity: int = 1 << 10, **more: Any) -> None:
        self.ring = Ring(folder / "trace", TRACE, capacity=capacity, names=4)
        self.reader = Reader(self.ring.path)
        self.tracer = twin.Tracer(self.ring, **more)
        self.world = World(kit, folder, trace=self.tracer)
        self.packets = packed(messages(200), 7)
        assert self.world.receiver.offer(self.world.number, SESSION, 1)

    def run(self, *, second: bool = False) -> Any:
        """Send all, on both lines or one, and give the traces."""
        for packet in self.packets:
            self.world.send(0, packet)
            if second:
                self.world.receive_all()
                self.world.send(1, packet)
        self.world.receive_all()
        return self.reader.read()

    def close(self) -> None:
        self.world.close()
        self.ring.close()


def told(rows: Any) -> Any:
    """Give what does not depend on the clock."""
    return rows[["sequence", "messages", "every", "channel", "line", "flags", "reference"]].tolist()


@pytest.mark.net
def test_the_twins_trace_the_same(tmp_path: File) -> None:
    found = []
    for k, (twin, kit) in enumerate(BOTH):
        (tmp_path / str(k)).mkdir()
        one = Traced(twin, kit, tmp_path / str(k))
        found.append(told(one.run(second=True)))
        one.close()
    assert all(rows == found[0] for rows in found)


@pytest.mark.net
@pytest.mark.parametrize(("twin", "kit"), BOTH, ids=NAMES)
def test_a_packet_leaves_one_trace_with_its_stamps_in_order_and_a_copy_none(
    tmp_path: File, twin: Any, kit: Kit
) -> None:
    one, before = Traced(twin, kit, tmp_path), time.time_ns()
    rows = one.run(second=True)
    at = rows["at_ns"][:, Stage.KERNEL : Stage.BOOK + 1]
    assert len(rows) == len(one.packets) == one.tracer.traced
    assert rows["sequence"].tolist() == (1 + np.cumsum([0, *rows["messages"][:-1].tolist()])).tolist()
    assert set(rows["channel"].tolist()) == {3}
    assert (np.diff(at, axis=1) >= 0).all()
    assert before <= at[0, 0] <= at[-1, -1] <= time.time_ns()
    for stage in (Stage.HARDWARE, Stage.DECIDED, Stage.SENT):
        assert (rows["at_ns"][:, stage] == ABSENT).all()
    one.close()


@pytest.mark.net
@pytest.mark.parametrize(("twin", "kit"), BOTH, ids=NAMES)
def test_one_packet_in_so_many_is_traced(tmp_path: File, twin: Any, kit: Kit) -> None:
    one = Traced(twin, kit, tmp_path, every=3)
    rows = one.run()
    assert len(rows) == len(one.packets) // 3
    assert set(rows["every"].tolist()) == {3}
    firsts = np.cumsum([0, *(int.from_bytes(packet[18:20]) for packet in one.packets)])[2::3] + 1
    assert rows["sequence"].tolist() == firsts[: len(rows)].tolist()
    one.close()


@pytest.mark.net
@pytest.mark.parametrize(("twin", "kit"), BOTH, ids=NAMES)
def test_a_slow_reader_of_traces_loses_with_evidence(tmp_path: File, twin: Any, kit: Kit) -> None:
    one = Traced(twin, kit, tmp_path, capacity=8)
    rows = one.run()
    assert len(rows) + one.reader.lost == one.tracer.traced == len(one.packets)
    assert one.reader.lost > 0
    one.close()


@pytest.mark.net
@pytest.mark.parametrize(("twin", "kit"), BOTH, ids=NAMES)
def test_a_packet_for_plain_python_bears_the_stamps_of_the_thread(tmp_path: File, twin: Any, kit: Kit) -> None:
    one = Traced(twin, kit, tmp_path)
    one.world.send(0, one.packets[1])  # not the next one
    one.world.receive_all()
    (packet,) = one.world.receiver.take()
    assert packet.kernel_ns == packet.ts_ns <= packet.user_ns <= time.time_ns()
    assert len(one.reader.read()) == 0
    one.close()


@pytest.mark.net
@pytest.mark.parametrize("kit", KITS, ids=["plain", "core"][: len(KITS)])
def test_without_a_tracer_nothing_is_stamped(tmp_path: File, kit: Kit) -> None:
    world = World(kit, tmp_path)
    world.send(0, packed(messages(9), 1)[0])
    world.receive_all()
    (packet,) = world.receiver.take()
    assert packet.user_ns == ABSENT
    world.close()


@pytest.mark.parametrize("twin", TWINS, ids=NAMES)
def test_a_decision_names_what_it_follows_and_is_put_when_it_is_sent(tmp_path: File, twin: Any) -> None:
    with Ring(tmp_path / "ring", TRACE, capacity=256) as ring, Reader(ring.path) as reader:
        decider = twin.Decider(ring)
        first, second = decider.decided(1, 10, reference=7, at_ns=100), decider.decided(2, 20)
        assert len(reader.read()) == 0
        assert decider.sent(first, at_ns=150)
        assert not decider.sent(first)
        assert not decider.sent(0)
        (row,) = reader.read()
        assert (row["channel"], row["sequence"], row["reference"], row["flags"]) == (1, 10, 7, Flag.DECISION)
        assert row["at_ns"].tolist() == [*[ABSENT] * 5, 100, 150]
        assert decider.sent(second)
        (row,) = reader.read()
        assert ABSENT < row["at_ns"][Stage.DECIDED] <= row["at_ns"][Stage.SENT]


@pytest.mark.parametrize("twin", TWINS, ids=NAMES)
def test_decisions_that_no_order_follows_are_put_in_the_end(tmp_path: File, twin: Any) -> None:
    with Ring(tmp_path / "ring", TRACE, capacity=256) as ring, Reader(ring.path) as reader:
        decider = twin.Decider(ring)
        handles = [decider.decided(0, k, at_ns=k) for k in range(plain.OPEN + 2)]
        assert [decider.sent(handle) for handle in handles[:3]] == [False, False, True]
        decider.flush()
        rows = reader.read()
        assert sorted(rows["sequence"].tolist()) == list(range(plain.OPEN + 2))
        assert (rows["at_ns"][:, Stage.SENT] != ABSENT).sum() == 1


@pytest.mark.parametrize("twin", TWINS, ids=NAMES)
def test_a_ring_of_other_records_is_refused(tmp_path: File, twin: Any) -> None:
    with Ring(tmp_path / "ring", np.dtype("V64"), capacity=4) as ring:
        for call in (twin.Tracer, twin.Decider):
            with pytest.raises(ValueError, match="128 bytes"):
                call(ring)
    with Ring(tmp_path / "ring", TRACE, capacity=4) as ring:
        for every in (0, (1 << 20) + 1):
            with pytest.raises(ValueError, match="one packet in"):
                twin.Tracer(ring, every=every)
        with pytest.raises(ValueError, match="once"):
            twin.cost(ring, 0)
        assert twin.cost(ring, 10) > 0


@pytest.mark.parametrize(("twin", "kit"), BOTH, ids=NAMES)
def test_a_ring_of_traces_is_no_ring_for_changes(tmp_path: File, twin: Any, kit: Kit) -> None:
    with Ring(tmp_path / "ring", TRACE, capacity=4) as ring, pytest.raises(ValueError, match="64 bytes"):
        kit[0](kit[1](), ring.writer)


@pytest.mark.parametrize("twin", TWINS, ids=NAMES)
def test_who_has_no_counter_says_so(tmp_path: File, twin: Any) -> None:
    with Ring(tmp_path / "ring", TRACE, capacity=4) as ring:
        if twin is not plain and has_tsc:
            assert twin.cost(ring, 10, tsc=True) > 0
        else:
            with pytest.raises(ValueError, match="kernel's"):
                twin.Tracer(ring, tsc=True)
