"""`netfeed sim` with accounts, from its command line to its ledger."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.sim_control import ask
from netfeed.cli.main import main

pytestmark = pytest.mark.net

FILE = """
schema_version = 1
lines = ["233.252.0.41:{port}", "233.252.0.42:{port}"]
snapshots = ["233.252.0.43:{port}"]
retransmit = ["127.0.0.1:{port}"]
rate = 50
instruments = 2
[orders]
a = "127.0.0.1:0"
b = ""
ouch = "127.0.0.1:0"
"""


def test_accounts_of_the_command_line_have_gateways_secrets_and_a_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    file, control, secrets = tmp_path / "venue.toml", tmp_path / "control", tmp_path / "secrets"
    file.write_text(FILE.format(port=port))
    arguments = [str(file), "--account", "mm", "--account", "taker:2.5", "--secrets", str(secrets)]
    arguments += ["--control", str(control), "--write-config", str(tmp_path / "run.toml"), "--json", "-q"]
    running = subprocess.Popen(
        [sys.executable, "-m", "netfeed", "sim", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        facts = _asked(running, str(control))
        assert [one["balances"] for one in facts["ledger"]] == [{"BTC": "10"}, {"BTC": "2.5"}]
        assert facts["complaints"] == []
        assert main(["sim", "ctl", str(control), "orders", "A", "kill"]) == 0
        assert main(["sim", "ctl", str(control), "ledger", "taker"]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["ledger"][0]["account"] == "taker"
        assert ask(str(control), "stop")["ok"]
        out, errors = running.communicate(timeout=60)
    finally:
        running.kill()
        running.communicate()
    assert running.returncode == 0, errors
    orders = json.loads(out)["orders"]
    assert {name: row["dead"] for name, row in orders.items()} == {"A": True, "OUCH": False}
    assert sorted(path.name for path in secrets.iterdir()) == ["mm", "mm.ouch", "taker", "taker.ouch"]
    secret = (secrets / "mm").read_text().strip()
    assert secret not in out + errors + (tmp_path / "run.toml").read_text()


def _asked(running: subprocess.Popen[str], control: str) -> dict[str, Any]:
    for _ in range(2_000):
        try:
            return ask(control, "ledger")
        except OSError:
            assert running.poll() is None, running.communicate()[1]
            try:
                running.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
    raise AssertionError("it does not listen")
