"""Drills are played: real processes, real sockets, real faults."""

import os
import tempfile
from dataclasses import replace

import pytest

from netfeed.app.drill import Outcome, play, reasons, recoveries, spread
from netfeed.app.drill_scenarios import SCENARIOS, playable
from netfeed.app.drill_verdict import Verdict
from netfeed.cli.main import main
from netfeed.host.namespace import permitted

HOLES = SCENARIOS["loss-identical"].acts[:3]


def report(**more):
    return {"recovered": {"line": 0, "retransmit": 1, "snapshot": 0}, "kernel_drops": 0, "channels": [], **more}


def test_a_venue_plays_the_scenarios_that_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(SCENARIOS) - set(playable("starbase")) == {"logins-lost"}
    assert playable("itch50") == list(SCENARIOS)
    assert main(["drill", "logins-lost"]) == 2
    assert "no scenario 'logins-lost' of starbase" in capsys.readouterr().err


def test_a_drill_that_did_not_bite_has_not_passed():
    outcome = Outcome("x", "netns", "starbase", report(), Verdict(compared=5), books=1)
    assert reasons(SCENARIOS["loss-identical"], outcome, 0) == []
    assert reasons(SCENARIOS["burst"], outcome, 0) == ["the drill did not bite: no snapshot"]


def test_a_difference_at_the_end_and_changes_that_were_not_read_are_reasons():
    outcome = Outcome("x", "netns", "starbase", report(), Verdict(compared=5), books=2, books_different=["BTC"])
    assert reasons(SCENARIOS["clean"], outcome, 3) == [
        "books that differ at the end: BTC",
        "3 changes were overwritten in the ring before the drill read them",
    ]


def test_nothing_compared_is_no_success():
    assert "nothing could be compared" in reasons(SCENARIOS["clean"], Outcome("x", "netns", "itch50", report()), 0)


def test_recoveries_are_those_of_gaps_that_were_closed():
    gaps = [
        {"open_ns": 5, "closed_by": "line"},
        {"open_ns": 3, "closed_by": "snapshot"},
        {"open_ns": 9, "closed_by": None},
    ]
    assert recoveries({"channels": [{"gap_records": gaps}]}) == [3, 5]
    assert spread([]) == {"p50": None, "p99": None, "max": None}
    assert spread([1, 2, 3, 4]) == {"p50": 2, "p99": 4, "max": 4}


@pytest.mark.net
def test_without_root_the_sender_misbehaves_itself():
    scenario = replace(SCENARIOS["loss-identical"], acts=HOLES, flow_ms=1_200)
    outcome = play(scenario, "starbase", rootless=True)
    assert outcome.why == []
    assert outcome.as_json()["where"] == "loopback"


@pytest.mark.root
@pytest.mark.skipif(not permitted(), reason="the kernel lets nobody make namespaces here")
@pytest.mark.parametrize("protocol", ["starbase", "itch50"])
def test_a_burst_is_healed_by_snapshots_and_the_books_equal_the_venues(protocol, tmp_path, monkeypatch):
    pytest.importorskip("pyroute2", reason="pyroute2 is not installed (extra drill)")
    scenario = replace(SCENARIOS["burst"], acts=((300, "A,B silent for 700ms"),), flow_ms=1_500)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcome = play(scenario, protocol)
    assert outcome.why == outcome.evidence == []
    assert os.listdir(tmp_path) == []
    told = outcome.as_json()
    assert told["where"] == "netns"
    assert told["recovered"]["snapshot"] > 0
    assert told["moments_compared"] > 0
    assert told["books_different"] == told["untouched_instruments_disturbed"] == 0
