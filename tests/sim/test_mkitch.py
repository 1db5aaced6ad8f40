"""The tool that writes a simulated day to a file."""

import json
import os
import subprocess
import sys
from pathlib import Path

from netfeed.sim.itch_day import Day, Settings

TOOL = Path(__file__).resolve().parents[2] / "tools" / "mkitch.py"
SMALL = ["-n", "500", "-s", "3", "-l", "90", "--seed", "4"]


def mkitch(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(TOOL), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_it_writes_the_day_and_the_truth(tmp_path: Path) -> None:
    out = tmp_path / "day.itch"
    done = mkitch(str(out), *SMALL, "--end-marker")
    assert (done.returncode, done.stdout) == (0, "")
    day = Day(Settings(500, 3, 90, 4))
    assert out.read_bytes() == b"".join(day.chunks()) + b"\0\0"
    truth = json.loads((tmp_path / "day.itch.json").read_text())
    expected = day.truth()
    assert truth["counts"] == expected.counts
    assert truth["settings"] == {"messages": 500, "symbols": 3, "live_orders": 90, "seed": 4}
    for name, ladder in expected.books.items():
        book = truth["books"][name]
        assert [tuple(row) for row in book["bids"]] == list(ladder.bids)
        assert book["best_ask"] == (ladder.asks[0][0] if ladder.asks else None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day.itch", "day.itch.json"]


def test_quiet_is_quiet(tmp_path: Path) -> None:
    done = mkitch(str(tmp_path / "day.itch"), *SMALL, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_day_that_cannot_be_is_a_usage_error(tmp_path: Path) -> None:
    done = mkitch(str(tmp_path / "day.itch"), "-n", "10")
    assert done.returncode == 2
    assert "a day of 200 symbols has 4816 messages or more, not 10" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    done = mkitch(str(tmp_path / "nowhere" / "day.itch"), *SMALL)
    assert done.returncode == 1
    assert "No such file" in done.stderr
