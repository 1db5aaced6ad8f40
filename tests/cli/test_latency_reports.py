"""`netfeed latency show` and `compare`, as they are typed."""

import json
from pathlib import Path

import pytest

from netfeed.app.latency.deliver import write
from netfeed.cli.main import main
from tests.latency.samples import rich, run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed in range(4):
        write(run(seed), str(tmp_path / f"a{seed}.json"))
        write(run(100 + seed, middle_ns=20_000), str(tmp_path / f"b{seed}.json"))
    return tmp_path


def side(folder: Path, letter: str) -> list[str]:
    return sorted(str(path) for path in folder.glob(f"{letter}*.json"))


def test_a_kept_report_is_shown_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    write(rich(), str(path))
    assert main(["latency", "show", str(path), "--json"]) == 0
    assert capsys.readouterr().out.encode() == path.read_bytes()
    assert main(["latency", "show", str(path), "-o", str(tmp_path / "y.html")]) == 0
    assert "Latency of a handler" in capsys.readouterr().out
    assert (tmp_path / "y.html").read_text().startswith("<!DOCTYPE html>")


def test_a_comparison_ends_with_3_only_when_asked_to(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = ["latency", "compare", "--a", *side(runs, "a"), "--b", *side(runs, "b")]
    assert main(several) == 0
    assert "slower" in capsys.readouterr().out
    assert main([*several, "--fail-if", "slower"]) == 3
    faster = ["latency", "compare", "--a", *side(runs, "b"), "--b", *side(runs, "a"), "--fail-if", "slower"]
    assert main(faster) == 0


def test_two_files_are_a_and_b(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "compare", str(runs / "a0.json"), str(runs / "b0.json"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["facts"]["A"]) == ("comparison", str(runs / "a0.json"))


@pytest.mark.parametrize(
    "given",
    [[], ["x"], ["x", "y", "z"], ["x", "y", "--a", "z"], ["--a", "x"], ["--b", "x"], ["x", "y", "--seed", "-1"]],
)
def test_sides_that_are_not_two_are_wrong_usage(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "compare", *given]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "netfeed" in told.err


def test_what_is_no_report_is_one_line_and_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"packets": 3}')
    for given in (["show", str(path)], ["show", str(tmp_path / "absent.json")], ["compare", str(path), str(path)]):
        assert main(["latency", *given]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        assert ".json" in told.err


def test_reports_of_two_kinds_are_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(tmp_path / name) for name in ("a.json", "b.json")]
    write(rich(), paths[0])
    assert main(["latency", "compare", paths[0], paths[0]]) == 0
    report, kind = rich(), "echo"
    write(type(report)(kind, report.title, distributions=report.distributions), paths[1])
    assert main(["latency", "compare", *paths]) == 2
    assert "one kind" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["show", "compare"])
def test_help_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", verb, "--help"]) == 0
    assert f"netfeed latency {verb} " in capsys.readouterr().out
