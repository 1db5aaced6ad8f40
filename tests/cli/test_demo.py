"""`netfeed demo` on real sockets: whatever breaks in the middle, all is equal to the venue's ledger at the end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netfeed.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.net
PATIENCE_S = 90


@contextmanager
def demo(tmp_path: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "netfeed", "demo", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment, cwd=tmp_path,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(f"it never said {words!r}:\n{said}")


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_everything_is_equal_to_the_ledger_at_the_end_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with demo(tmp_path, "--duration", "3s", "--seed", "7", "--json", "-q") as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out + err
    told = json.loads(out)
    assert (told["ok"], told["positions_equal_venue"], told["open_orders_equal_venue"]) == (True, True, True)
    assert told["books"] == {"LIVE": 31}
    assert told["orders"] > 0
    assert told["uncertain"] == 0
    assert err == ""
    assert list(tmp_path.iterdir()) == []


def test_the_first_signal_ends_it_in_order(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        until(process, "quotes rest on")
        (venue,) = children(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, out + err
    assert "positions and open orders: as the venue's ledger has them" in out
    assert "somebody has stopped it: no more quotes" in err
    assert not Path(f"/proc/{venue}").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_venue_that_dies_ends_it_with_a_reason(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        until(process, "quotes rest on")
        (venue,) = children(process.pid)
        os.kill(venue, signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, out + err
    assert "netfeed: the simulated venue ended with -9" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--duration", "soon"], ["--seed", "x"]])
def test_what_makes_no_sense_is_a_mistake_of_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *words]) == 2
    assert "usage: netfeed demo" in capsys.readouterr().err
