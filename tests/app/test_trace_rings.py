"""Attaching to a run's traces: what cannot be read says why and what there is, and nothing is lost in silence."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netfeed.app.latency.run import Options, attach
from netfeed.app.latency.trace_measure import COLUMNS, Measurement
from netfeed.app.latency.trace_report import report
from netfeed.app.latency.trace_rings import AttachError, TraceRings, is_trace, rings
from netfeed.app.latency.trace_view import line, table
from netfeed.book.change import CHANGE, NO_BOOK
from netfeed.latency.stage import ABSENT, TO_BOOK, TO_ORDER, TRACE, Flag, Stage
from netfeed.transport import Decider
from netfeed.transport.ring import Ring

S = 10**9
Make = Callable[..., Ring]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make rings in shared memory, whose names begin with the returned function's `stem`."""
    made: list[Ring] = []

    def one(name: str = "", dtype: Any = TRACE, **more: Any) -> Ring:
        made.append(Ring(f"netfeed-test-{os.getpid()}{name}", dtype, **({"capacity": 1 << 10, "names": 8} | more)))
        return made[-1]

    yield one
    for ring in made:
        ring.close()


def packets(count: int, *, first: int = 1, flags: int = 0, took_ns: int = 600) -> Any:
    rows = np.zeros(count, TRACE)
    rows["sequence"], rows["messages"], rows["every"] = np.arange(first, first + count), 1, 1
    rows["flags"] = flags
    rows["at_ns"] = ABSENT
    now = time.time_ns()
    for stage, share in ((Stage.KERNEL, 0), (Stage.USER, 1), (Stage.DECODED, 2), (Stage.BOOK, 3)):
        rows["at_ns"][:, stage] = now - took_ns + share * took_ns // 3
    return rows


def test_a_ring_that_is_not_there_is_told_with_those_that_are(make: Make) -> None:
    with pytest.raises(AttachError, match="there is no ring /dev/shm/netfeed-test-absent") as caught:
        TraceRings("netfeed-test-absent")
    assert caught.value.code == 69
    ring, other = make(), make("-other", CHANGE)
    make(".plain")
    assert ring.path.name in rings()
    assert f"{ring.path.name}.plain" not in rings()
    assert other.path.name not in rings()
    assert not is_trace(Path("/dev/shm/netfeed-test-absent"))


def test_a_ring_of_something_else_is_no_ring_of_traces(make: Make, tmp_path: Path) -> None:
    other = make("-other", CHANGE)
    with pytest.raises(AttachError, match="ring of other records") as caught:
        TraceRings(str(other.path))
    assert caught.value.code == 1
    (tmp_path / "file").write_bytes(b"x" * 5000)
    with pytest.raises(AttachError, match="no ring"):
        TraceRings(str(tmp_path / "file"))


KILLED = """
import os, sys, numpy as np
from netfeed.latency.stage import TRACE
from netfeed.transport.ring import Ring
ring = Ring(sys.argv[1], TRACE, capacity=8, names=0)
rows = np.zeros(1, TRACE)
rows["at_ns"] = -2**63
rows["at_ns"][:, 1] = 1_700_000_000 * 10**9
beside = Ring(sys.argv[1] + ".plain", TRACE, capacity=8, names=0)
if sys.argv[2] != "not":
    {"written": ring, "written beside it": beside}[sys.argv[2]].write(rows)
os._exit(9)
"""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("written", "last record is of 22:13:20 UTC"), ("written beside it", "last record is of 22:13:20 UTC"),
        ("not", "nothing was"),
    ],
)  # fmt: skip
def test_a_writer_that_was_killed_is_told_with_its_last_sign_of_life(tmp_path: Path, written: str, said: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "ring"), written], env=environment, check=False)
    with pytest.raises(AttachError, match=f"is gone and has not closed it.*{said}") as caught:
        TraceRings(str(tmp_path / "ring"))
    assert caught.value.code == 69


def test_a_writer_that_is_killed_is_told_however_seldom_the_view_changes(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    script = KILLED.replace("os._exit(9)", "print(flush=True); sys.stdin.read()")
    words = [sys.executable, "-c", script, str(tmp_path / "ring"), "written"]
    with subprocess.Popen(words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()

        def kill() -> bool:
            writer.kill()
            return False

        found = attach(str(tmp_path / "ring"), Options(duration=5 * S, interval=60 * S, quiet=True), kill)
    assert found.code == 1
    assert any("is gone and has not closed it" in note for note in found.report.notes)


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root cannot become another user")
def test_who_may_not_read_a_ring_is_told_whose_it_is(tmp_path: Path) -> None:
    with Ring(tmp_path / "ring", TRACE, capacity=8, names=0, mode=0o600):
        for folder in (tmp_path, *tmp_path.parents):
            if folder.owner() == "root" and str(folder).startswith("/tmp/pytest"):
                folder.chmod(0o755)
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            try:
                TraceRings(str(tmp_path / "ring"))
            except AttachError as error:
                os._exit(0 if error.denied and "it takes the user 0" in str(error) else 2)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_decisions_are_joined_with_packets_of_all_rings_of_the_run(make: Make) -> None:
    ring, plain = make(), make(".plain")
    taken = TraceRings(ring.path.name)
    decider = Decider(late := make(".quoter"))
    taken._look_ns = 1  # look for new ones at once
    ring.write(packets(10))
    plain.write(packets(1, first=11, flags=Flag.PLAIN))
    for sequence in (3, 11, 400):
        decider.sent(decider.decided(0, sequence))
    measured = Measurement(taken, None, S, 0)
    measured.turn(1)
    assert sorted(taken.deciders) == ["plain", "quoter"]
    measured.finish(2)
    assert measured.durations.every[TO_BOOK].count == 11
    assert measured.durations.plain.count == 1
    assert measured.durations.every[TO_ORDER].count == 2
    assert measured.joiner.unmatched == 1
    told = report(measured)
    assert told.facts["decisions"] == 2
    assert any("1 decisions name packets without a trace" in note for note in told.notes)
    late.close()
    taken.close()


def test_what_a_slow_reader_lost_is_told(make: Make) -> None:
    ring = make(capacity=8)
    taken = TraceRings(ring.path.name)
    measured = Measurement(taken, None, S, 0)
    for k in range(10):
        ring.write(packets(10, first=10 * k + 1))
    measured.turn(1)
    assert measured.durations.packets + taken.lost == 100
    told = report(measured)
    assert told.facts["records_lost"] == taken.lost > 0
    assert any("overwritten before they were read" in note for note in told.notes)
    taken.close()


class Set:
    """Clocks of which one is set between the second and the third look."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self._looks = 0

    def turn(self) -> int:
        self._looks += 1
        if self._looks == 3:
            self.steps.append((5 * S, -(10**9)))
            return -(10**9)
        return 0


def test_what_was_stamped_while_the_clock_was_set_is_not_counted(make: Make) -> None:
    ring = make()
    measured = Measurement(TraceRings(ring.path.name), None, S, 0)
    clocks = Set()
    measured.clocks, table_of = clocks, measured.clocks.table  # type: ignore[assignment]
    clocks.table, clocks.costs = table_of, {}  # type: ignore[attr-defined]
    for k in range(5):
        ring.write(packets(10, first=10 * k + 1))
        measured.turn(k + 1)
    assert measured.across_step == 20  # the read before the look that found it, and the one after
    assert measured.durations.packets == 30
    ring.write(packets(2, first=60, flags=Flag.STEPPED))
    measured.turn(6)
    assert measured.across_step == 22
    told = report(measured)
    assert told.facts["clock_steps"] == 1
    assert any("the clock was set by -1.000000 s after 5 s: 22 records are not counted" in note for note in told.notes)
    measured.rings.close()


def test_a_long_measurement_has_a_bounded_heat_map_that_loses_nothing(make: Make) -> None:
    ring = make()
    measured = Measurement(TraceRings(ring.path.name), None, S, 0)
    for k in range(1, 2 * COLUMNS + 5):
        ring.write(packets(3))
        measured.turn(k * S)
    measured.finish((2 * COLUMNS + 5) * S)
    assert len(measured.columns) <= COLUMNS
    assert measured.interval_ns == 4 * S
    assert sum(column.count for column in measured.columns) == 3 * (2 * COLUMNS + 4)
    measured.rings.close()


def test_the_report_names_lines_and_the_view_says_how_it_stands(make: Make) -> None:
    ring = make()
    ring.name(0, NO_BOOK, "equities")
    ring.name(0, 0, "equities/A")
    measured = Measurement(TraceRings(ring.path.name), "line", S, 0)
    ring.write(packets(4, took_ns=900_000))
    measured.turn(S // 2)
    assert "kernel -> book: 4  p50 900 us" in line(measured)
    assert table(measured).row_count == 4
    told = report(measured)
    assert "kernel -> book, equities/A" in [one.name for one in told.distributions]
    assert told.facts["sampling"] == "1 packet in 1"
    assert not any("plain Python" in note for note in told.notes)
    ring.write(packets(1, first=5, flags=Flag.PLAIN))
    measured.turn(S // 2)
    assert any(note.startswith("1 of 5 packets went through plain Python") for note in report(measured).notes)
    assert {row[0] for row in told.tables[0].rows} >= {"REALTIME", "MONOTONIC"}
    measured.rings.close()
