"""Every gap of a live run leaves a record, in the account and in the stream."""

import json
from pathlib import Path

import pytest

from netfeed.app.gap_records import full_account
from netfeed.feed.ports import LINES, Port
from netfeed.sim.venue import Settings, itch_venue
from tests.app.live_venue import both, configured, day, free_port, opened, send, sender, settle
from tests.app.venue_sockets import VenueOnSockets, run_until_equal

pytestmark = pytest.mark.net


def test_a_gap_that_a_server_closed_is_told_with_the_instruments_that_it_touched(tmp_path: Path) -> None:
    path = tmp_path / "changes.jsonl"
    packets = {Port.LINE_A: 0, Port.LINE_B: 0}

    def every_fiftieth(port: int, draw: float) -> bool:
        if port not in LINES:
            return False
        packets[Port(port)] += 1
        return packets[Port(port)] % 50 == 0

    sim = VenueOnSockets(itch_venue(Settings(seed=4, rate=4000, transactions=1500, instruments=6)), 5, every_fiftieth)
    text = sim.toml("loop", False) + f'[stream]\npath = "{path}"\n'
    from netfeed.app.config import parse

    run = opened(parse(text.encode(), "sim.toml"))
    run_until_equal(sim, run.live)
    run.tell_closed()
    told = full_account(run.live)["channels"][0]
    names = set(run.live.slots[0].feed.names)
    run._close()
    sim.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    closed = [line for line in lines if line["kind"] == "GAP_CLOSED"]
    records = told["gap_records"]
    assert [(line["first"], line["last"]) for line in closed] == [(one["first"], one["last"]) for one in records]
    assert len(records) == told["gaps"] > 0
    assert {one["closed_by"] for one in records} == {"retransmit"}
    assert any(one["instruments"] for one in records)
    for one in records:
        assert one["state"] == "closed"
        assert 1_600_000_000 * 10**9 < one["seen_ns"] <= one["opened_ns"] <= one["ended_ns"]
        assert one["open_ns"] == one["ended_ns"] - one["opened_ns"]
        assert set(one["instruments"]) <= names
    assert lines[-1]["channels"][0]["gap_records"] == records


def test_a_gap_is_open_until_it_is_lost_and_nobody_knows_what_a_lost_one_touched() -> None:
    made, port = day(600), free_port()
    run = opened(configured(port, channel='recovery = { window = "300ms" }'))
    with sender() as out:
        send(run.live, out, port, list(both(made, (lambda k: k == 20, lambda k: k == 20)))[:60])
        while not full_account(run.live)["gaps"]:
            run.live.turn()
        (still,) = full_account(run.live)["channels"][0]["gap_records"]
        settle(run.live)
    (lost,) = full_account(run.live)["channels"][0]["gap_records"]
    run._close()
    assert (still["state"], still["ended_ns"], still["closed_by"]) == ("open", None, None)
    assert (lost["state"], lost["closed_by"], lost["instruments"]) == ("lost", None, None)
    assert (lost["first"], lost["last"], lost["seen_ns"]) == (still["first"], still["last"], still["seen_ns"])
