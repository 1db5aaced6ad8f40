"""`netfeed run` with [engine.hot]: what leaves before the engine's pass, over sockets, beside the venue's ledger."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.run import Run
from netfeed.engine.hot_engine import HotEngine
from netfeed.engine.order import HARMLESS
from netfeed.errors import ConfigurationError
from tests.app.trading.desk_venue import HOT, Trading

pytestmark = pytest.mark.net
SHOTS = 6


@pytest.fixture
def trading(tmp_path: Path) -> Iterator[Trading]:
    one = Trading(tmp_path, engine=HOT)
    yield one
    one.close()


class Overshoot:
    """Moves what leads by more than the market does, as often as there are mandates; breaks gateway A in the middle."""

    def __init__(self, trading: Trading) -> None:
        self.trading, self.killed, self.revived = trading, False, False
        self.hot: HotEngine | None = None

    def __call__(self, run: Run) -> bool:
        hot = self.hot = run.desk.drive.hot or self.hot
        if hot is None or run.desk.drive.hot is None or hot.engine.ready:
            return False
        lead = hot.price()
        if lead is not None and hot.mandates.held and not hot.engine.board.is_touched:
            factor = 1.002 if hot.door.sent % 2 else 0.998
            now = time.monotonic_ns()
            hot.took(hot.door.move(lead * factor, now), now)
        if hot.door.sent >= SHOTS // 2 and not self.killed:
            self.killed = True
            self.trading.venue.do("orders A kill")
        elif self.killed and not self.revived and not run.desk.sessions.links[0].is_up:
            self.revived = True
            self.trading.venue.do("orders A revive")
        return self.revived and hot.door.sent >= SHOTS


def test_what_the_hot_step_sends_in_a_run_is_in_account_journal_and_ledger_through_a_gateway_that_dies(
    trading: Trading,
) -> None:
    moved = Overshoot(trading)
    run = trading.trade(moved, seconds=30)
    assert moved.hot is not None
    assert moved.hot.door.sent >= SHOTS
    engine, link = run.desk.engine, run.desk.sessions.links[0]
    assert engine.is_out
    ledger = trading.venue.ledger("mm")
    assert ledger["orders"] == []
    theirs = {one["instrument"]: float(one["quantity"]) for one in ledger["positions"] if float(one["quantity"])}
    assert ours(engine) == theirs
    told_again = {"UNKNOWN_ORDER"}  # by the other session, of quotes that are over, when all are cancelled
    assert set(engine.statistics().anomalies) <= {one.name for one in HARMLESS} | told_again
    counters = engine.counters()
    assert counters["hot_quotes"] == moved.hot.mandates.used > 0
    assert counters["hot_shots"] == moved.hot.door.sent
    assert link.statistics().notes.get("puzzling", 0) == link.refused["unfit"] == 0


def ours(engine: Any) -> dict[str, float]:
    held = engine.account.positions
    contracts = engine.account.contracts
    return {
        contracts[one].name: held[one].quantity * 10.0 ** contracts[one].quantity_exponent
        for one in held if held[one].quantity
    }  # fmt: skip


def test_a_lead_that_no_quoted_option_follows_ends_the_start_with_its_name(tmp_path: Path) -> None:
    one = Trading(tmp_path, engine=HOT + 'lead = "ETH-PERPETUAL"\n')
    try:
        with pytest.raises(ConfigurationError, match=r"engine\.hot\.lead: no quoted options of sim follow ETH-PERP"):
            one.trade(lambda run: False)
    finally:
        one.close()
