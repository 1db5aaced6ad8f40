"""`netfeed sim` as a command: its account, its files, its mistakes."""

import json
from pathlib import Path

import pytest

from netfeed.cli.main import main


@pytest.mark.net
def test_it_runs_for_its_duration_and_gives_an_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, config = tmp_path / "truth.jsonl", tmp_path / "run.toml"
    argv = ["sim", "--duration", "300ms", "--json", "--truth", str(truth), "--write-config", str(config)]
    assert main([*argv, "--fault", "A loss 50%", "--fault", "B silent", "--at", "1h rate 0"]) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["lines"]["A"]["lost"] > 0
    assert report["lines"]["B"]["silenced"] > 0
    assert len(truth.read_text().splitlines()) == report["truths"] > 0
    assert main(["config", "check", str(config)]) == 0
    assert "lines = [" in said.err


def test_mistakes_of_the_configuration_exit_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--fault", "A wet"]) == 4
    assert main(["sim", "--at", "1s dance"]) == 4
    assert main(["sim", "no-such-file.toml"]) == 4
    assert "no-such-file.toml" in capsys.readouterr().err


def test_a_command_without_a_venue_exits_with_69(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "ctl", str(tmp_path / "none"), "status"]) == 69
    assert main(["sim", "ctl", str(tmp_path / "none")]) == 2
    assert main(["sim", "one.toml", "two.toml"]) == 2
    assert "no venue answers" in capsys.readouterr().err


@pytest.mark.net
def test_a_venue_of_connections_writes_what_a_handler_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config, truth = tmp_path / "run.toml", tmp_path / "truth.jsonl"
    argv = ["sim", "--protocol", "deribit", "--stream", "127.0.0.1:0", "--duration", "300ms", "--json", "-q"]
    assert main([*argv, "--write-config", str(config), "--certificates", "ca", "--truth", str(truth)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["stream"]["url"].startswith("wss://127.0.0.1:")
    assert sorted(path.name for path in (tmp_path / "ca").iterdir()) == ["ca.pem", "server.key", "server.pem"]
    assert {"change_id", "instrument", "digest"} <= set(json.loads(truth.read_text().splitlines()[0]))
    assert main(["config", "check", str(config)]) == 0
    assert "ok, 1 venue\n" in capsys.readouterr().out
    assert main([*argv, "--plain", "--fault", "stream silent", "--at", "1h stream 1 close 1012"]) == 0
    assert json.loads(capsys.readouterr().out)["stream"]["url"].startswith("ws://")
    assert main(["sim", "--protocol", "itch50", "--stream", "127.0.0.1:0"]) == 4


@pytest.mark.net
def test_what_it_writes_has_the_ports_that_it_got(tmp_path: Path) -> None:
    venue, config = tmp_path / "venue.toml", tmp_path / "run.toml"
    places = f'a = "127.0.0.1:0"\nb = ""\nouch = "127.0.0.1:0"\nsecrets = "{tmp_path}/secrets"\n'
    stream = '[stream]\nlisten = "127.0.0.1:0"\ntls = false\n'
    venue.write_text(f'schema_version = 1\n[[accounts]]\nname = "mm"\n[orders]\n{places}{stream}')
    assert main(["sim", str(venue), "--duration", "100ms", "--write-config", str(config), "-q"]) == 0
    text = config.read_text()
    assert (text.count("tcp://127.0.0.1:"), text.count("ws://127.0.0.1:")) == (2, 2)
    assert "127.0.0.1:0" not in text
