"""Journal, kill switch and metrics around a real engine that trades on the simulated exchange, in virtual time."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from netfeed.app.trading.journal_files import recover
from netfeed.app.trading.kill import arm, kill, read_latch
from netfeed.app.trading.order_tally import OrderTally
from netfeed.app.trading.restart import restart
from netfeed.app.trading.safety import Safety
from netfeed.engine.account import Account
from netfeed.engine.engine import Engine
from netfeed.engine.limits import Rule
from netfeed.errors import NetfeedError
from tests.engine.engine_world import MS, VENUE, World

S = 10**9


class Desk:
    """A world whose engine writes a journal and can be killed from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kill_file = str(folder / "orders"), str(folder / "kill")
        self.world = World(hedged=False)
        self.lines: list[str] = []
        self.engine: Engine = self.world.engine  # type: ignore[assignment]
        sessions = {route.number: VENUE for route in self.world.routes}
        self.begun = restart(self.folder, self.empty, 0, 2 * 10**18, sessions=sessions, compacts=False)
        self.tally = OrderTally(self.begun.journal.record)
        self.engine.out._record = self.tally  # the sink that a world keeps in memory, into a journal
        self.safety = Safety(
            self.engine, self.engine.risk.switch, self.begun, self.tally, self.kill_file, tell=self.lines.append,
            clock=lambda: self.world.now, wall=lambda: self.world.venue.wall(self.world.now),
        )  # fmt: skip

    def empty(self) -> Account:
        return Account(self.world.contracts)

    def run(self, ns: int) -> None:
        """Let time go by, with a turn of the loop each 10 ms."""
        for _ in range(0, ns, 10 * MS):
            self.world.run(10 * MS)
            self.safety.turn(self.world.now)

    @property
    def metrics(self) -> dict[str, float]:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self.safety.metrics)  # type: ignore[arg-type]
        text = generate_latest(registry).decode()
        return {name: float(value) for name, value in re.findall(r"^(netfeed_\S+) (\S+)$", text, re.MULTILINE)}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.safety.close()


def test_the_hot_step_is_told_of_where_there_is_one(desk: Desk) -> None:
    assert not [name for name in desk.metrics if "hot_step" in name]
    desk.engine.beside.append(lambda: {"hot_moves": 3, "hot_void_book": 2})
    assert desk.metrics['netfeed_hot_step_total{what="moves"}'] == 3
    assert desk.metrics['netfeed_hot_step_total{what="void_book"}'] == 2


def test_a_kill_file_takes_the_quotes_out_and_they_stay_out_until_a_person_arms(desk: Desk) -> None:
    desk.run(300 * MS)
    assert desk.world.resting()
    assert desk.safety.why_not_ready() == ""
    Path(desk.kill_file).touch()
    desk.run(80 * MS)
    assert desk.world.resting() == set()
    assert desk.safety.why_not_ready() == f"orders: killed by file: {desk.kill_file} is there"
    os.unlink(desk.kill_file)
    desk.run(300 * MS)
    assert desk.world.resting() == set()
    assert desk.metrics['netfeed_killed{by="file"}'] == 1
    arm(desk.kill_file, "anna")
    desk.run(400 * MS)
    assert desk.world.resting()
    assert desk.metrics['netfeed_killed{by="file"}'] == 0


def test_a_loss_kills_and_the_kill_outlives_the_process(desk: Desk, tmp_path: Path) -> None:
    desk.run(300 * MS)
    desk.engine.risk.switch.kill("the limit of loss", "BTC: 3 of 2", desk.world.now)
    assert desk.safety.deadline == 0
    desk.run(20 * MS)
    assert read_latch(desk.kill_file).by == "the limit of loss"
    assert desk.world.resting() == set()
    assert desk.metrics['netfeed_kills_total{by="limit"}'] == 1


def test_an_engine_whose_latch_says_killed_sends_nothing(tmp_path: Path) -> None:
    kill(str(tmp_path / "kill"), "anna", "before it ran")
    desk = Desk(tmp_path)
    desk.run(400 * MS)
    assert desk.world.resting() == set()
    assert desk.tally.results["accepted"] == desk.tally.results["quoted"] == 0
    assert desk.safety.why_not_ready() == "orders: killed by anna: before it ran"
    desk.safety.close()


def test_a_disk_that_fails_takes_the_quotes_out_and_arming_does_not_help(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.run(300 * MS)
    assert desk.world.resting()
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", _fails)
        desk.engine.questions.doubt(VENUE, desk.world.now)
        while not desk.begun.journal.trouble(desk.world.now):
            desk.run(10 * MS)
    desk.run(50 * MS)
    assert desk.world.resting() == set()
    assert "Input/output error" in desk.safety.why_not_ready()
    assert desk.metrics["netfeed_journal_trouble"] == 1
    arm(desk.kill_file, "anna")
    desk.run(300 * MS)
    assert desk.world.resting() == set()


def _fails(fd: int) -> None:
    raise OSError(5, os.strerror(5))


def test_the_journal_makes_the_same_account_again(desk: Desk) -> None:
    desk.run(1 * S)
    assert desk.engine.statistics().fills
    desk.begun.journal.flush()
    found = recover(desk.folder, desk.empty, upto=10)
    ours = desk.engine.account
    assert found.account.orders.snapshot() == ours.orders.snapshot()
    for name in ("quantity", "basis", "realised", "fees", "premium"):  # marks come with the market
        assert [getattr(found.account.positions[one], name) for one in ours.positions] == [
            getattr(ours.positions[one], name) for one in ours.positions
        ]
    assert found.account.agrees == desk.engine.account.agrees


def test_metrics_say_what_the_engine_says(desk: Desk) -> None:
    desk.run(1 * S)
    metrics, picture = desk.metrics, desk.engine.picture()
    assert metrics["netfeed_fills_total"] == picture.fills > 0
    assert metrics["netfeed_orders_uncertain"] == 0
    assert metrics["netfeed_orders_reconciled"] == metrics["netfeed_engine_ready"] == 1
    assert metrics['netfeed_orders_total{result="quoted"}'] == desk.tally.results["quoted"] > 0
    sent = 'netfeed_order_session_requests_total{{result="sent",session="{}"}}'
    by_session = [metrics[sent.format(name)] for name in ("starbase-1", "lists")]
    assert metrics['netfeed_orders_total{result="sent"}'] == sum(by_session)
    assert {f'netfeed_risk_rejections_total{{rule="{rule.value}"}}' for rule in Rule} <= set(metrics)
    assert metrics["netfeed_positions"] == len(desk.world.held()) == picture.held
    bare = desk.engine.picture(chain=False)  # what metrics are made of: a chain would keep the loop
    assert (bare.instruments, replace(bare, instruments=picture.instruments)) == ((), picture)
    assert 'netfeed_pnl{currency="BTC",kind="realised"}' in metrics
    assert metrics["netfeed_journal_records_total"] > 10
    assert metrics["netfeed_journal_lost_total"] == 0
    assert metrics['netfeed_order_session_up{session="starbase-1"}'] == 1
    assert not any("BTC-" in name for name in metrics)


def test_a_kill_file_without_a_folder_is_refused_before_anything_trades(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(NetfeedError, match="the kill file needs a folder"):
        Safety(
            desk.engine, desk.engine.risk.switch, desk.begun, desk.tally, str(tmp_path / "gone" / "kill"),
            tell=desk.lines.append,
        )  # fmt: skip
    desk.safety.close()


def test_what_is_not_measured_is_not_told(desk: Desk) -> None:
    names: Any = desk.metrics
    assert not any(name.startswith("netfeed_tick_to_order") for name in names)
