"""The soak: readers that are too slow lose exactly what the handler says, and the handler never waits for them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.net
@pytest.mark.parametrize(("how", "protocol"), [("thread", "itch50"), ("loop", "itch50"), ("thread", "starbase")])
def test_what_slow_readers_lose_adds_up_to_what_was_published(how: str, protocol: str) -> None:
    paths = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    command = [
        sys.executable, str(ROOT / "tools" / "soak.py"), "--minutes", "0.12", "--every", "1", "--rate", "1500",
        "--how", how, "--protocol", protocol, "--json", "--limit", "inf",
    ]  # fmt: skip
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ring"]["exact"]
    assert told["stream"]["exact"]
    assert told["ring"]["slow"]["read"] > 0
    assert told["stream"]["read"] > 0
    assert told["handler"]["messages_lost"] == 0


@pytest.mark.net
def test_venues_that_are_lost_again_and_again_come_back_with_books_that_are_true() -> None:
    paths = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    command = [
        sys.executable, str(ROOT / "tools" / "soak.py"), "--minutes", "0.25", "--every", "1", "--rate", "400",
        "--protocol", "deribit", "--trouble", "1", "--json", "--limit", "inf",
    ]  # fmt: skip
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["books"] == {"LIVE and right": 22, "all": 22}
    assert told["venues"][0]["disconnected"] > 2
    assert told["venues"][0]["resyncs"] > 0
    assert told["venues"][0]["open_gaps"] == 0
