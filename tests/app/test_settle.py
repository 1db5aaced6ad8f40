"""What a process asks of its host at the start: what is refused is told, kept in the account, and not fatal."""

import json
from pathlib import Path

import pytest

from netfeed.app import run
from netfeed.app.configuration import Process
from netfeed.app.settle import settled
from netfeed.cli.main import main
from netfeed.host import process


def test_who_asks_for_nothing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pin", "timer_slack", "no_huge_pages", "prefault", "lock_memory"):
        monkeypatch.setattr(process, name, pytest.fail)
    assert settled(Process()) == []


def test_each_refusal_is_told_with_its_key_and_the_others_are_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(process, "pin", lambda cpus: [f"{cpu} cannot be had" for cpu in cpus])
    monkeypatch.setattr(process, "timer_slack", asked.append)
    monkeypatch.setattr(process, "prefault", asked.append)
    monkeypatch.setattr(process, "no_huge_pages", lambda: "they stay")
    monkeypatch.setattr(process, "lock_memory", lambda: "not locked")
    wanted = Process(cpus=[7, 8], lock_memory=True, prefault=4096, timer_slack=1000, huge_pages=False)
    assert settled(wanted) == [
        "process.cpus: 7 cannot be had", "process.cpus: 8 cannot be had", "process.huge_pages: they stay",
        "process.lock_memory: not locked",
    ]  # fmt: skip
    assert asked == [1000, 4096]


@pytest.mark.net
def test_a_run_keeps_what_was_refused_in_its_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "settled", lambda process: ["process.lock_memory: not locked"])
    monkeypatch.setattr(run, "priority_refusal", lambda priority: f"no SCHED_FIFO priority {priority}: do this")
    config, report = tmp_path / "feed.toml", tmp_path / "end.json"
    config.write_text(
        'schema_version = 1\n[receive]\npriority = 40\n[endpoints]\nlisten = ""\n[[channels]]\nname = "one"\n'
        'protocol = "itch50"\n[[channels.lines]]\ngroup = "233.252.0.95:26495"\ninterface = "lo"\n'
    )
    assert main(["run", str(config), "--no-view", "--duration", "50ms", "--report", str(report)]) == 69
    refused = ["process.lock_memory: not locked", "receive.priority: no SCHED_FIFO priority 40: do this"]
    assert json.loads(report.read_text())["process"]["refused"] == refused
    said = capsys.readouterr().err
    assert all(one in said for one in refused)
