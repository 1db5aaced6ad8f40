"""`netfeed order kill` and `arm`: what is written for an engine to see, and what is refused."""

import json
from pathlib import Path

import pytest

from netfeed.app.trading.kill import read_latch
from netfeed.cli.main import main

CONFIG = """
schema_version = 1
[[sessions]]
name = "a"
venue = "x"
protocol = "deribit"
endpoints = ["ws://192.0.2.1:80/"]
key = "k"
secret_env = "S"
[engine]
strategy = "quoter"
instruments = ["*"]
journal = "{journal}"
[engine.limits]
order_size = {{ "*" = "1" }}
position = {{ "*" = "1" }}
"""


def test_a_kill_is_written_and_a_person_arms_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "KILL")
    assert main(["order", "kill", "--file", path, "--by", "anna", "--why", "the feed looks wrong"]) == 0
    assert capsys.readouterr().out == "killed by anna: the feed looks wrong (number 1)\n"
    assert read_latch(path).killed
    assert main(["order", "arm", "--file", path, "--by", "bert", "--number", "7"]) == 1
    assert "killed again meanwhile, by anna" in capsys.readouterr().err
    assert main(["order", "arm", "--file", path, "--by", "bert", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["killed"], said["by"], said["number"]) == (False, "bert", 2)
    assert not read_latch(path).killed


def test_who_kills_is_who_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "carla")
    assert main(["order", "kill", "--file", str(tmp_path / "KILL"), "-q"]) == 0
    assert read_latch(str(tmp_path / "KILL")).by == "carla"


def test_a_kill_that_cannot_be_written_says_what_else_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["order", "kill", "--file", str(tmp_path / "none" / "KILL")]) == 1
    assert "touch" in capsys.readouterr().err


def test_a_kill_file_has_to_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NETFEED_CONFIG", raising=False)
    assert main(["order", "kill"]) == 2
    assert "which kill file?" in capsys.readouterr().err


def test_a_configuration_without_a_kill_file_has_one_beside_its_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.toml"
    path.write_text(CONFIG.format(journal=tmp_path / "orders"))
    assert main(["order", "kill", "--config", str(path), "--by", "anna"]) == 0
    assert read_latch(str(tmp_path / "orders.kill")).by == "anna"
