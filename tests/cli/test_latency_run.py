"""`netfeed latency run` as a user has it: a handler beside a venue, attached to or run, and what cannot be measured."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netfeed.cli.main import main
from netfeed.latency.stage import Stage
from netfeed.transport.ring import Reader
from tests.cli.test_run import free_port, started
from tests.transport.waiting import until

RING = f"netfeed-test-{os.getpid()}-run"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "name a configuration to run, or the --ring"),
        (["feed.toml", "--ring", "x"], 2, "one of them"),
        (["--ring", "x", "--interval", "1us"], 2, "--interval is 1ms or more"),
        (["--ring", "x", "--set", "receive.spin=true"], 2, "--set is for a configuration"),
        (["--ring", "netfeed-test-absent"], 69, "there is no ring /dev/shm/netfeed-test-absent"),
        (["absent.toml"], 4, "absent.toml"),
    ],
)
def test_what_cannot_be_measured_says_why(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NETFEED_CONFIG", raising=False)
    assert main(["latency", "run", *words]) == code
    assert said in capsys.readouterr().err


@pytest.fixture
def venue(tmp_path: Path) -> Any:
    """A venue on the loopback, and the configuration of a handler for it."""
    config, port = tmp_path / "run.toml", free_port(socket.SOCK_DGRAM)
    (tmp_path / "venue.toml").write_text(
        'schema_version = 1\nprotocol = "itch50"\nrate = 500\nseed = 3\ninstruments = 5\n'
        f'lines = ["233.252.0.93:{port}", "233.252.0.94:{port}"]\n'
        f'retransmit = ["127.0.0.1:{free_port(socket.SOCK_DGRAM)}"]\nglimpse = "127.0.0.1:{free_port()}"\n'
    )
    sim = started("sim", str(tmp_path / "venue.toml"), "--write-config", str(config), "-q")
    until(lambda: config.exists() and bool(config.read_text().strip()))
    config.write_text(config.read_text() + '\n[endpoints]\nlisten = ""\n')
    yield config
    sim.send_signal(signal.SIGINT)
    sim.communicate(timeout=60)
    for left in Path("/dev/shm").glob(f"{RING}*"):
        left.unlink()


def wait_for_traces(count: int) -> None:
    until(lambda: Path("/dev/shm", RING).exists())
    with Reader(RING) as reader:
        until(lambda: reader.published >= count)


def measuring_for_long() -> "subprocess.Popen[str]":
    """Start a measurement without an end, and wait until it has counted something."""
    one = started("latency", "run", "--ring", RING, "--interval", "100ms")
    assert one.stderr is not None
    line = next(line for line in one.stderr if "kernel -> book: 0 " not in line)
    assert line.startswith(RING)
    return one


@pytest.mark.net
def test_a_handler_that_runs_is_attached_to_and_its_stages_follow_each_other(venue: Path) -> None:
    run = started("run", str(venue), "--no-view", "-q", "--set", f"trace.ring='{RING}'")
    try:
        wait_for_traces(20)
        with Reader(RING, newest=False) as reader:
            rows = reader.read()
        command = ["latency", "run", "--ring", RING, "--duration", "500ms", "--interval", "200ms", "--json"]
        measuring = started(*command)
        out, told = measuring.communicate(timeout=60)
        assert measuring.returncode == 0, told
        endless = measuring_for_long()
    finally:
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
    rest, _ = endless.communicate(timeout=60)
    assert "the handler ended while it was measured" in " ".join(rest.split())
    at = rows["at_ns"][:, Stage.KERNEL : Stage.BOOK + 1]
    assert len(rows) >= 20
    assert ((at[:, 1:] - at[:, :-1]) >= 0).all()
    report = json.loads(out)
    assert report["kind"] == "latency run"
    assert report["facts"]["records_lost"] == 0
    assert "kernel -> book" in out
    assert f"{RING} " in told


@pytest.mark.net
def test_a_handler_is_run_to_be_measured_and_ends_with_the_measurement(venue: Path, tmp_path: Path) -> None:
    page = tmp_path / "stages.json"
    words = ["latency", "run", str(venue), "--duration", "2s", "--per", "line", "-o", str(page), "-q"]
    done = started(*words)
    _, told = done.communicate(timeout=60)
    assert done.returncode == 0, told
    names = [one["name"] for one in json.loads(page.read_text())["distributions"]]
    assert "decoded -> book" in names
    assert any(name.startswith("kernel -> book, ") and name.endswith("/A") for name in names)
    assert not [name for name in os.listdir("/dev/shm") if name.startswith(f"netfeed-trace-{done.pid}")]


@pytest.mark.net
def test_a_writer_that_is_killed_while_it_is_measured_is_told(venue: Path) -> None:
    run = started("run", str(venue), "--no-view", "-q", "--set", f"trace.ring='{RING}'")
    try:
        wait_for_traces(5)
        measuring = measuring_for_long()
    finally:
        run.kill()
        run.communicate(timeout=60)
    out, _ = measuring.communicate(timeout=60)
    assert measuring.returncode == 1
    assert "is gone and has not closed it" in " ".join(out.split())


@pytest.mark.net
def test_a_handler_ends_when_who_measures_it_is_killed(venue: Path) -> None:
    measuring = started("latency", "run", str(venue), "-q")
    ring = Path(f"/dev/shm/netfeed-trace-{measuring.pid}")
    try:
        until(ring.exists)
    finally:
        measuring.kill()
        measuring.communicate(timeout=60)
    until(lambda: not ring.exists())


def test_the_help_has_examples() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netfeed", "latency", "run", "--help"], capture_output=True, text=True, check=False
    )
    assert "--ring" in done.stdout
    assert "exit codes" in done.stdout
