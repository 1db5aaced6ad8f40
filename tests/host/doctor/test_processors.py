"""Whether the processors belong to the feed, on trees of files that hosts have."""

import os
from pathlib import Path

import pytest

from netfeed.host.doctor import processors
from netfeed.host.doctor.wishes import Wishes
from netfeed.host.finding import Level
from netfeed.host.tree import Tree

CPU = "sys/devices/system/cpu"


def tree(tmp_path: Path, **files: str) -> Tree:
    folder = tmp_path / CPU
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    return Tree(str(tmp_path))


@pytest.mark.parametrize(
    ("isolated", "cpus", "level"),
    [
        ("2-3", (2,), Level.OK),
        ("2-3", (), Level.OK),
        ("2-3", (1, 2), Level.WARN),
        ("", (2,), Level.WARN),
        ("(null)", (2,), Level.WARN),
        ("a lot", (2,), Level.UNKNOWN),
        ("99999", (2,), Level.UNKNOWN),
    ],
)
def test_the_processors_of_the_feed_should_be_isolated(
    tmp_path: Path, isolated: str, cpus: tuple[int, ...], level: Level
) -> None:
    assert processors.isolation(cpus, tree(tmp_path, isolated=isolated)).level is level


def test_only_the_processors_that_are_shared_are_named(tmp_path: Path) -> None:
    assert "isolcpus=1 " in processors.isolation((1, 2), tree(tmp_path, isolated="2-3")).remedy


def test_a_kernel_that_says_nothing_is_not_called_fine(tmp_path: Path) -> None:
    nothing = Tree(str(tmp_path))
    assert processors.isolation((2,), nothing).level is Level.UNKNOWN
    assert processors.tick((2,), nothing).level is Level.UNKNOWN
    assert processors.frequency(nothing).level is Level.UNKNOWN


@pytest.mark.parametrize(
    ("text", "level"), [("2-3", Level.OK), ("(null)", Level.WARN), ("", Level.WARN), ("?", Level.UNKNOWN)]
)
def test_the_tick_is_off_only_where_the_kernel_lists_the_processor(tmp_path: Path, text: str, level: Level) -> None:
    assert processors.tick((2,), tree(tmp_path, nohz_full=text)).level is level


def test_a_governor_that_saves_power_is_told(tmp_path: Path) -> None:
    there = tree(tmp_path)
    for name, governor in (("policy0", "performance"), ("policy1", "powersave")):
        folder = tmp_path / CPU / "cpufreq" / name
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(governor)
    assert processors.frequency(there).level is Level.WARN
    (tmp_path / CPU / "cpufreq/policy1/scaling_governor").write_text("performance")
    assert processors.frequency(there).level is Level.OK


def test_stolen_time_is_a_share_of_what_passed() -> None:
    before = {"cpu0": (0, 1000), "cpu1": (50, 1000)}
    assert processors.stolen(before, {"cpu0": (1, 1100), "cpu1": (50, 1100)}).level is Level.OK
    found = processors.stolen(before, {"cpu0": (0, 1100), "cpu1": (70, 1100)})
    assert (found.level, "20.0% of cpu1" in found.found) == (Level.WARN, True)
    assert processors.stolen({}, {}).level is Level.UNKNOWN


def test_the_steal_of_every_processor_is_read() -> None:
    assert len(processors.steal()) >= len(os.sched_getaffinity(0))


def test_odd_lines_of_steal_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text(
        "cpu 1 1 1 1 1 1 1 1\ncpu0 a 0 0 0 0 0 0 5\ncpu1 1 2 3 4 5 6 7 8 9 10\ncpu2 1\n"
    )
    assert processors.steal(Tree(str(tmp_path))) == {"cpu1": (8, 36)}


def test_a_processor_that_cannot_be_had_is_a_failure_whichever_thread_wants_it() -> None:
    for wishes in (Wishes(cpus=(4095,)), Wishes(other_cpus=(4095,))):
        (found, *_) = processors.checks(wishes)
        assert (found.check, found.level) == ("processor 4095", Level.FAIL)


@pytest.mark.parametrize(
    ("wishes", "level"),
    [(Wishes(), Level.WARN), (Wishes(spin=True), Level.WARN), (Wishes(spin=True, priority=50), Level.FAIL)],
)
def test_throttling_fails_only_where_a_real_time_thread_spins(
    monkeypatch: pytest.MonkeyPatch, wishes: Wishes, level: Level
) -> None:
    monkeypatch.setattr(processors, "throttling", lambda: "the kernel stops it: do this")
    (found,) = [one for one in processors.checks(wishes) if one.check == "real-time throttling"]
    assert found.level is level
