"""`netfeed run` as a process, beside `netfeed sim`: signals, endpoints, exit codes, and books against the truth."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from netfeed.cli.main import main

ROOT = Path(__file__).parents[2]


def started(*arguments: str, **more: Any) -> "subprocess.Popen[str]":
    paths = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH", ""), str(ROOT / "src"))))
    return subprocess.Popen(
        [sys.executable, "-m", "netfeed.cli.main", *arguments], env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,
    )  # fmt: skip


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def status(port: int, path: str) -> int:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return int(error.code)
    except (URLError, ConnectionError):
        return 0


def told_by(port: int) -> Any:
    with urlopen(f"http://127.0.0.1:{port}/account", timeout=60) as answer:
        return json.load(answer)


def until(done: Any, seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it took too long"


@pytest.mark.net
def test_a_run_beside_a_venue_answers_signals_and_requests_and_tells_the_truth(tmp_path: Path) -> None:
    config, truth, changes = tmp_path / "run.toml", tmp_path / "truth.jsonl", tmp_path / "changes.jsonl"
    venue = tmp_path / "venue.toml"
    port, line = free_port(), free_port(socket.SOCK_DGRAM)
    venue.write_text(
        'schema_version = 1\nprotocol = "itch50"\nrate = 1000\nseed = 3\ninstruments = 5\n'
        f'lines = ["233.252.0.91:{line}", "233.252.0.92:{line}"]\n'
        f'retransmit = ["127.0.0.1:{free_port(socket.SOCK_DGRAM)}"]\nglimpse = "127.0.0.1:{free_port()}"\n'
        '[faults]\nA = "loss 5%"\nB = "loss 5%"\n'
    )
    sim = started("sim", str(venue), "--truth", str(truth), "--write-config", str(config), "-q")
    try:
        until(lambda: config.exists() and config.read_text().strip())
        run = started(
            "run", str(config), "--no-view", "--set", f"endpoints.listen=127.0.0.1:{port}",
            "--set", f"stream.path={changes}", "--record", str(tmp_path / "run.pcapng"),
        )  # fmt: skip
        try:
            until(lambda: status(port, "/readyz") == 200)
            ready = told_by(port)["changes"]
            until(lambda: told_by(port)["changes"] > ready + 500)
            assert status(port, "/healthz") == 200
            run.send_signal(signal.SIGHUP)
            _lines_until(run, lambda line: "the configuration was read again" in line)
            run.send_signal(signal.SIGUSR1)
            account = json.loads(_lines_until(run, _is_account)[-1])
            assert account["books"]["LIVE"] == 5
        finally:
            run.send_signal(signal.SIGINT)
            _, rest = run.communicate(timeout=60)
    finally:
        sim.send_signal(signal.SIGINT)
        sim.communicate(timeout=60)
    assert run.returncode == 130
    assert "messages lost" in rest
    assert main(["verify", "-q", str(tmp_path / "run.pcapng")]) in (0, 3)
    compared = _compare(truth, changes)
    assert compared > 50


def _is_account(line: str) -> bool:
    return line.startswith("{")


def _lines_until(run: "subprocess.Popen[str]", wanted: Any) -> list[str]:
    lines: list[str] = []
    assert run.stderr is not None
    for line in run.stderr:
        lines.append(line)
        if wanted(line):
            return lines
    raise AssertionError(f"it ended: {lines}")


def _compare(truth: Path, changes: Path) -> int:
    """Follow the best levels of both; at every sequence that both know of a LIVE book they must agree."""
    known = {}
    for line in truth.read_text().splitlines():
        row = json.loads(line)
        if "instrument" in row:
            known[row["instrument"], row["sequence"]] = row
    rows = [json.loads(line) for line in changes.read_text().splitlines()]
    best: dict[tuple[str, str], Any] = {}
    finals = [row for row in rows if row["kind"] == "BOOK" and row["state"] == "LIVE"]
    assert finals
    for row in finals:
        newest = [fact for (name, at), fact in known.items() if name == row["instrument"] and at <= row["sequence"]]
        assert newest[-1]["digest"] == row["digest"], row
    compared, last = 0, rows[-1]["channels"][0]["next_sequence"]
    order = sorted((row for row in rows if row["kind"] == "BBO"), key=lambda row: row["sequence"])
    for index, row in enumerate(order):
        level = {"price": row["price"], "quantity": row["quantity"], "orders": row["orders"]}
        best[row["instrument"], row["side"]] = level if row["price"] is not None else None
        same = index + 1 < len(order) and order[index + 1]["sequence"] == row["sequence"]
        fact = known.get((row["instrument"], row["sequence"]))
        if fact is None or same or row["state"] != "LIVE" or row["sequence"] >= last:
            continue
        for side, name in (("BID", "bid"), ("ASK", "ask")):
            if (row["instrument"], side) in best:
                assert best[row["instrument"], side] == fact[name], (row, fact)
                compared += 1
    return compared


def test_a_run_without_a_configuration_says_what_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 2
    assert "NETFEED_CONFIG" in capsys.readouterr().err


@pytest.mark.net
def test_a_run_that_hears_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        'schema_version = 1\n[[channels]]\nname = "a"\nprotocol = "itch50"\ninterface = "lo"\n'
        f'lines = [{{ group = "233.252.0.99:{free_port(socket.SOCK_DGRAM)}" }}]\n[endpoints]\nlisten = ""\n'
    )
    assert main(["run", str(path), "--dry-run"]) == 0
    assert main(["run", str(path), "--duration", "50ms"]) == 69
    assert "0 packets received" in capsys.readouterr().err
