"""A replay of every shipped capture reports what its generator knows to be true."""

import json
from typing import Any

import pytest

from netfeed.cli.main import main
from tests.data import PCAPS

Replayed = tuple[int, dict[str, Any], dict[str, Any]]
TRUTH: dict[str, Any] = json.loads((PCAPS / "truth.json").read_text())["files"]


@pytest.fixture(params=sorted(TRUTH))
def replayed(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Replayed:
    code = main(["replay", str(PCAPS / request.param), "--json"])
    return code, json.loads(capsys.readouterr().out), TRUTH[request.param]


def test_books_channels_lines_and_gaps_are_the_true_ones(replayed: Replayed) -> None:
    code, report, truth = replayed
    if truth.get("exit") is not None:
        assert code == truth["exit"]
    wanted = {book["instrument"]: [book[key] for key in ("state", "bid", "ask")] for book in truth["books"]}
    assert {book["instrument"]: [book[key] for key in ("state", "bid", "ask")] for book in report["books"]} == wanted
    for channel, true in zip(report["channels"], truth.get("channels", ()), strict=False):
        for key in ("protocol", "first_sequence", "next_sequence", "duplicates"):
            assert channel[key] == true[key], key
        found = [(gap["first"], gap["last"], gap["closed_by"]) for gap in channel["gaps"]]
        assert found == [(gap["first"], gap["last"], gap["closed_by"]) for gap in true["gaps"]]
        lines = {line["line"]: (line["packets"], line["first"], line["duplicates"]) for line in channel["lines"]}
        for line in true["lines"]:
            if "first" in line:
                assert lines[line["line"]] == (line["packets"], line["first"], line["duplicates"])


def test_messages_are_counted_by_type_each_once(replayed: Replayed) -> None:
    _, report, truth = replayed
    wanted = dict(truth["by_type"])
    for channel in truth.get("channels", ()):
        for kind, count in channel.get("snapshot_by_type", {}).items():
            wanted[kind] = wanted.get(kind, 0) + count
    assert report["by_type"] == wanted
    assert report["messages"] == sum(wanted.values())
