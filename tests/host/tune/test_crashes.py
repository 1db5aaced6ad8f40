"""Whatever stops an apply or a revert, and wherever: what was changed can be put back, exactly."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.host.tune.apply import apply, revert
from netfeed.host.tune.check import Machine, check
from netfeed.host.tune.journal import Journal
from netfeed.host.tune.kernel import Kernel
from netfeed.host.tune.setting import Profile
from netfeed.host.tune.table import TABLE
from tests.host.tune.crashes import WHEN, Stopper
from tests.host.tune.tree import HOST, Values, picked, plant, put

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.parametrize(("action", "steps"), [("apply", 9), ("revert", 6)])
def test_a_kill_at_any_step_leaves_what_a_revert_restores(tmp_path: Path, action: str, steps: int) -> None:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.host.tune.crashes", str(tmp_path), action],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.endswith(" restored")] == []
    # the head of the journal, a line and a value for each of three rows, what the kernel kept, the end; or the values
    # and their lines
    assert {line.rsplit(" ", 1)[0] for line in lines} == {f"{w} {n}" for w in WHEN for n in range(1, steps + 1)}


MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where a sync costs nothing: the kills above wait for real disks."""
ROWS = [row for row in TABLE if row.where.kind == "file" and row.name.startswith(("net.", "vm.", "IF.", "transparent"))]


class Stopped(BaseException):
    """The end of a process, as far as the files can tell."""


def stop() -> None:
    raise Stopped


FILES = sorted(path for path in HOST if path.startswith(("proc/sys/net", "proc/sys/vm", "sys/class", "sys/kernel")))
VALUES = st.sampled_from(["0", "1", "7", "60", "512", "999999999"])
NUMBERS = [path for path in FILES if not path.endswith(("enabled", "udp_mem", "cpus", "ifindex"))]
TREES = st.dictionaries(st.sampled_from(NUMBERS), VALUES)
APPLIES = st.tuples(st.just("apply"), st.sampled_from(list(Profile)), st.integers(1, 60), st.sampled_from(WHEN))
REVERTS = st.tuples(st.just("revert"), st.booleans(), st.integers(1, 60), st.sampled_from(WHEN))
FOREIGN = st.tuples(st.just("foreign"), st.sampled_from(NUMBERS), VALUES)
GONE = st.tuples(st.just("gone"), st.sampled_from(NUMBERS))


def perform(root: Path, action: tuple[object, ...], *, stopped: bool = True) -> None:
    match action:
        case ("foreign", str(path), str(value)):
            if (root / path).exists():
                put(root / path, value)
            return
        case ("gone", str(path)):
            (root / path).unlink(missing_ok=True)
            return
    kind, choice, at, when = action
    stopper = Stopper(int(str(at)) if stopped else 0, str(when), stop)
    kernel, journal = Kernel(root, stopper.put), Journal(root / "journal.json", write=stopper.write)
    try:
        with journal.held():
            if kind == "apply":
                machine = Machine(kernel, ("eth1",), frozenset({2, 3}))
                list(apply(kernel, check(machine, ROWS, Profile(str(choice))), journal))
            else:
                list(revert(kernel, journal, force=bool(choice)))
    except Stopped:
        pass


def journaled(root: Path) -> dict[str, str]:
    journal = Journal(root / "journal.json")
    journal.load()
    return {entry.place.address: entry.old for entry in journal.entries.values()}


@settings(max_examples=40)
@given(TREES, st.lists(APPLIES | REVERTS, max_size=6))
def test_any_applies_and_reverts_that_are_stopped_anywhere_are_put_back(
    values: Values, actions: list[tuple[object, ...]]
) -> None:
    with TemporaryDirectory(dir=MEMORY) as folder:
        root, before = plant(Path(folder), HOST | values), HOST | values
        for action in actions:
            perform(root, action)
            assert all(
                before[path].split() == old.split() or "[" in before[path] for path, old in journaled(root).items()
            )
        perform(root, ("revert", False, 0, ""), stopped=False)
        assert picked(root) == before
        assert not (root / "journal.json").exists()


@settings(max_examples=40)
@given(TREES, st.lists(APPLIES | REVERTS | FOREIGN | GONE, max_size=8))
def test_what_others_change_or_take_away_meanwhile_is_theirs_and_the_rest_is_put_back(
    values: Values, actions: list[tuple[object, ...]]
) -> None:
    touched: dict[str, set[str]] = {}
    with TemporaryDirectory(dir=MEMORY) as folder:
        root, before = plant(Path(folder), HOST | values), HOST | values
        for action in actions:
            if action[0] in ("foreign", "gone"):
                touched.setdefault(str(action[1]), set()).update(str(one) for one in action[2:])
            perform(root, action)
        perform(root, ("revert", False, 0, ""), stopped=False)
        after, left = picked(root), journaled(root)
        assert {path: after.get(path) for path in before if path not in touched} == {
            path: value for path, value in before.items() if path not in touched
        }
        for path, given_values in touched.items():
            assert after.get(path) in {None, before[path], *given_values}
        assert set(left) <= set(touched)
        perform(root, ("revert", True, 0, ""), stopped=False)
        assert not (root / "journal.json").exists()
