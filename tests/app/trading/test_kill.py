"""The kill switch from outside: file, latch, ways; killed stays killed until a person arms, whatever ends."""

import os
from pathlib import Path

import pytest

from netfeed.app.trading.kill import KillError, Latch, arm, exists, kill, read_latch
from netfeed.app.trading.kill_watch import EVERY_NS, KillWatch
from netfeed.engine.kill_switch import KillSwitch

WALL = 1_700_000_000_000_000_000


class Engine:
    """What a kill reaches: a switch, and how often the cancels went out."""

    def __init__(self) -> None:
        self.switch = KillSwitch()
        self.cancels = 0

    def kill(self, by: str, why: str, now: int) -> None:
        self.switch.kill(by, why, now)
        self.cancels += 1

    def arm(self, by: str, now: int) -> None:
        self.switch.rearm(by)


class Running:
    """An engine that runs, its watch, and what the operator was told."""

    def __init__(self, path: str) -> None:
        self.engine, self.told, self.now = Engine(), [], 0  # type: ignore[var-annotated]
        self.watch = KillWatch(path, self.engine, self.engine.switch, wall=lambda: WALL, tell=self.told.append)
        self.turn()

    def turn(self) -> None:
        self.now = max(self.now, self.watch.deadline)
        self.watch.wake(self.now)

    @property
    def killed(self) -> bool:
        return self.engine.switch.is_killed

    @property
    def way(self) -> str:
        return self.watch.statistics().by


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "kill")


def test_the_file_kills_and_goes_on_killing_when_it_is_gone_until_a_person_arms(path: str) -> None:
    one = Running(path)
    assert not one.killed
    Path(path).touch()
    one.turn()
    assert (one.killed, one.way, one.engine.cancels) == (True, "file", 1)
    with pytest.raises(KillError, match="remove it, then arm"):
        arm(path, "anna")
    os.unlink(path)
    one.turn()
    assert one.killed
    arm(path, "anna")
    one.turn()
    assert (one.killed, one.way, one.engine.switch.rearmed_by) == (False, "", "anna")


def test_a_look_is_due_every_50_ms_and_an_early_one_does_nothing(path: str) -> None:
    one = Running(path)
    assert one.watch.deadline == one.now + EVERY_NS
    Path(path).touch()
    one.watch.wake(one.now + EVERY_NS - 1)
    assert not one.killed


def test_a_command_kills_the_engine_that_runs_and_the_next_one(path: str) -> None:
    one = Running(path)
    assert kill(path, "anna", "the feed looks wrong").number == 1
    assert kill(path, "bert", "too") == read_latch(path)  # the first is the one that is named
    one.turn()
    assert (one.killed, one.way) == (True, "command")
    assert one.told == ["KILLED by anna: the feed looks wrong; only cancels pass until a person arms again"]
    again = Running(path)
    assert (again.killed, again.way, again.engine.switch.thrown.by) == (True, "latch", "anna")  # type: ignore[union-attr]


def test_what_the_engine_finds_itself_outlives_it_too(path: str) -> None:
    one = Running(path)
    one.engine.switch.kill("the limit of loss", "BTC: 3 of 2", one.now)
    assert one.watch.deadline == 0  # at once
    one.turn()
    assert (one.way, read_latch(path).by, one.engine.cancels) == ("limit", "the limit of loss", 0)
    assert one.watch.deadline > one.now
    assert Running(path).killed


@pytest.mark.parametrize("way", ["signal", "request", "journal"])
def test_other_ways_kill_at_once_and_are_written(path: str, way: str) -> None:
    one = Running(path)
    one.watch.kill(way, "SIGUSR2", "a signal", one.now)
    assert (one.killed, one.way, read_latch(path).killed) == (True, way, True)
    one.watch.kill(way, "SIGUSR2", "again", one.now)
    assert (one.engine.cancels, one.watch.statistics().kills) == (2, {way: 2})
    one.watch.arm("anna", one.now)
    assert (one.killed, read_latch(path).killed) == (False, False)
    one.turn()
    assert not one.killed


def test_nothing_is_armed_without_a_name_without_a_kill_or_while_the_file_is_there(path: str) -> None:
    one = Running(path)
    for call in (lambda: arm(path, "anna"), lambda: one.watch.arm("anna", 0)):
        with pytest.raises(KillError, match=r"is not thrown|nothing is killed"):
            call()
    one.watch.kill("signal", "SIGUSR2", "a signal", 0)
    for call in (lambda: arm(path, " "), lambda: one.watch.arm(" ", 0)):
        with pytest.raises(KillError, match="say who"):
            call()
    Path(path).touch()
    with pytest.raises(KillError, match="remove it"):
        one.watch.arm("anna", 0)


def test_arming_answers_one_kill_and_no_other(path: str) -> None:
    first = kill(path, "anna", "first")
    arm(path, "anna", number=first.number)
    second = kill(path, "bert", "second")
    with pytest.raises(KillError, match="killed again meanwhile, by bert: second"):
        arm(path, "anna", number=first.number)
    one = Running(path)
    assert one.killed
    # an old "armed" that is put back answers another kill than the one that holds
    Path(path + ".latch").write_bytes(b'{"number":2,"killed":false,"by":"anna","why":"armed","at_ns":0}')
    one.turn()
    assert one.killed
    assert (read_latch(path).killed, read_latch(path).number) == (True, second.number + 1)


def test_a_latch_that_is_taken_away_arms_nothing(path: str) -> None:
    one = Running(path)
    kill(path, "anna", "why not")
    one.turn()
    os.unlink(path + ".latch")
    one.turn()
    assert one.killed
    assert read_latch(path).killed


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\x00", b'{"number":1,"kild":true}', b"[" * 9999])
def test_a_latch_that_cannot_be_read_kills_and_a_person_can_arm(path: str, damage: bytes) -> None:
    one = Running(path)
    Path(path + ".latch").write_bytes(damage)
    os.chmod(path + ".latch", 0o600)
    assert read_latch(path).killed
    one.turn()
    assert (one.killed, one.way) == (True, "latch")
    assert read_latch(path).number == 1  # written anew, so that it can be answered
    arm(path, "anna")
    one.turn()
    assert not one.killed


def test_a_latch_that_others_may_write_is_not_believed(path: str) -> None:
    kill(path, "anna", "why not")
    arm(path, "anna")
    os.chmod(path + ".latch", 0o666)
    held = read_latch(path)
    assert held.killed
    assert "chmod 600" in held.why
    assert Running(path).killed


def test_what_is_written_is_ours_alone_and_one_line(path: str) -> None:
    kill(path, "anna\x1b[2J\n", "x" * 10_000)
    held = read_latch(path)
    assert (held.by, len(held.why)) == ("anna [2J", 200)
    modes = {one.name: one.stat().st_mode & 0o777 for one in Path(path).parent.iterdir()}
    assert modes == {"kill.latch": 0o600, "kill.latch.lock": 0o600}


def test_a_folder_that_is_gone_is_said_with_another_way_and_told_by_a_running_engine(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone" / "kill")
    with pytest.raises(KillError, match="kills, too"):
        kill(gone, "anna", "why not")
    one = Running(gone)
    one.watch.kill("signal", "SIGUSR2", "a signal", 0)
    assert one.killed
    assert one.watch.statistics().unwritten == 1
    assert "a restart would begin armed" in one.told[-1]
    one.turn()
    assert one.watch.deadline > one.now  # tried again with the next look, not in a tight loop


def test_a_file_that_cannot_be_looked_at_counts_as_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert exists(str(tmp_path / "file" / "kill"))
    assert not exists(str(tmp_path / "kill"))
    assert read_latch(str(tmp_path / "nothing")) == Latch()
