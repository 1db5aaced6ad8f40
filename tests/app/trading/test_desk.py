"""`netfeed run` with [engine]: from multicast to quotes at a venue over sockets, and out of the market again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from netfeed.app.gap_records import full_account
from netfeed.app.run import Run
from netfeed.app.trading.desk import Phase, TradingDesk
from netfeed.app.trading.kill import read_latch
from netfeed.engine.order import HARMLESS
from netfeed.errors import ConfigurationError
from tests.app.trading.desk_venue import ENGINE, Trading

pytestmark = pytest.mark.net
STILL = """
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.strategy import Phase


class Still:
    def __init__(self, instruments):
        self.instruments = [contract.index for contract in instruments]

    def decide(self, view, touched):
        while any(order.phase is Phase.RESTS for one in self.instruments for order in view.working(one)):
            pass
        lot = max(view.contracts[one].lot for one in self.instruments)
        settings = QuoterSettings((Tier(1.0, lot),), half_ticks=3.0, half_volatility=0.01, protected=False)
        return Quoter(self.instruments, settings).decide(view, touched)
"""
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def trading(tmp_path: Path) -> Iterator[Trading]:
    one = Trading(tmp_path)
    yield one
    one.close()


def quotes(run: Run) -> bool:
    """Say whether something of ours rests, and something was executed."""
    engine = run.desk.engine
    return engine is not None and engine.ready == "" and engine.account.orders.open_count > 0


def held(ledger: dict[str, Any]) -> dict[str, str]:
    return {one["instrument"]: one["quantity"] for one in ledger["positions"] if float(one["quantity"])}


def test_a_run_quotes_what_the_feed_lists_and_leaves_the_market_before_it_ends(trading: Trading) -> None:
    seen: list[int] = []

    def enough(run: Run) -> bool:
        if quotes(run) and not seen:
            seen.append(len(trading.venue.ledger("mm")["orders"]))
        return bool(seen) and run.desk.engine.statistics().fills > 3

    run = trading.trade(enough)
    assert seen
    assert seen[0] > 0
    ledger = trading.venue.ledger("mm")
    assert ledger["orders"] == []
    engine = run.desk.engine
    assert engine.is_out
    assert run.desk.why_not_ready() == ""
    assert "engine: it may quote" in trading.lines
    told = full_account(run.live)["engine"]
    assert told["positions"] == held(ledger)
    assert told["orders"]["sent"] > 10
    assert f"{told['fills']} fills" in run.summary()
    told_by_two_sessions = {one.name for one in HARMLESS}
    assert set(engine.statistics().anomalies) <= told_by_two_sessions
    assert engine.counters()["chosen_fee"] > 0  # what the file says of sessions reaches the router
    assert {link.refused["pace"] for link in run.desk.sessions.links} == {0}
    names = {one.index: one.name for one in engine.account.contracts.values()}
    positions = engine.account.positions
    ours = {names[one] for one in positions if positions[one].quantity}
    assert ours == set(held(ledger))
    assert engine.statistics().sessions[0].sent + engine.statistics().sessions[1].sent > 10


def test_what_is_held_is_known_again_by_the_next_run_of_the_journal(trading: Trading) -> None:
    first = trading.trade(lambda run: quotes(run) and run.desk.engine.statistics().fills > 0)
    before = first.desk.engine.account.positions.snapshot()
    agreed: list[bool] = []

    def enough(run: Run) -> bool:
        if quotes(run):
            agreed.append(run.desk.engine.account.agrees)
        return bool(agreed)

    second = trading.trade(enough)
    assert agreed == [True]
    after = second.desk.engine.account.positions.snapshot()
    assert {one for one in before if before[one][2]} <= set(after)
    assert trading.venue.ledger("mm")["orders"] == []


def test_without_a_session_that_lists_nothing_is_quoted_and_it_is_said_why(tmp_path: Path) -> None:
    one = Trading(tmp_path, lists=False, engine=ENGINE.replace('closing = "5s"', 'closing = "100ms"'))
    told: list[str] = []

    def enough(run: Run) -> bool:
        engine = run.desk.engine
        told.append("" if engine is None else engine.ready)
        return told[-1].startswith("no session of sim")

    try:
        one.trade(enough)
        assert told[-1] == (
            "no session of sim lists what rests, so that nothing is reconciled: add a session that does (deribit, ouch)"
        )
        assert one.venue.ledger("mm")["orders"] == []
    finally:
        one.close()


def test_a_configuration_that_fits_nothing_that_is_listed_ends_the_run(tmp_path: Path) -> None:
    one = Trading(tmp_path, engine=ENGINE.replace("BTC-*-[CP]", "ETH-*"))
    try:
        with pytest.raises(ConfigurationError, match=r"engine.instruments: ETH-\* names none of 12 that are listed"):
            one.trade(lambda run: False)
    finally:
        one.close()


def test_whatever_breaks_the_loop_everything_of_ours_leaves_first(trading: Trading) -> None:
    def enough(run: Run) -> bool:
        if quotes(run):
            raise RuntimeError("a mistake of ours")
        return False

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        trading.trade(enough)
    assert trading.run is not None
    assert trading.run.desk.engine.is_out
    assert trading.venue.ledger("mm")["orders"] == []
    said = "the run fails (RuntimeError: a mistake of ours): everything of ours leaves first"
    assert said in trading.lines
    assert not any("`netfeed order list` asks the venue" in line for line in trading.lines)


def test_a_loop_that_stands_still_ends_the_run_with_nothing_left_and_the_next_one_begins_killed(
    trading: Trading,
) -> None:
    (trading.folder / "still.py").write_text(STILL)
    trading.engine_text = trading.engine_text.replace('"quoter"', '"still.py:Still"').replace(
        'stall = "60s"', 'stall = "1s"'
    )
    path = trading.folder / "run.toml"
    path.write_text(trading.text())
    command = [sys.executable, "-m", "netfeed", "run", str(path), "--no-view"]
    paths = os.pathsep.join(str(ROOT / place) for place in ("src", "."))
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert "the loop has stood still for 1 s" in done.stderr
    assert read_latch(str(trading.folder / "orders.kill")).by == "watchdog"
    end = time.monotonic() + 30
    while trading.venue.ledger("mm")["orders"]:  # it cancels on disconnect
        assert time.monotonic() < end


def test_a_clock_that_was_set_is_seen_before_the_engine_steps() -> None:
    live: Any = SimpleNamespace(clock_steps=0, now=5)
    engine = SimpleNamespace(journal="orders", kill_path="orders.kill", clock_off=7)
    config: Any = SimpleNamespace(engine=engine, sessions=[])
    desk = TradingDesk(live, config, metrics=Any, tell=str, environment={})  # type: ignore[arg-type]
    desk.phase = Phase.TRADING
    desk.wake(100)
    assert desk.deadline > 100
    assert desk.drive.clock_off_ns == 7
    live.clock_steps = 1
    assert desk.deadline == 0
    desk.wake(200)
    assert desk.deadline > 200
    assert desk.drive.clock_off_ns is None


def test_a_signal_ends_it_in_order_with_nothing_left_at_the_venue(trading: Trading) -> None:
    path = trading.folder / "run.toml"
    path.write_text(trading.text())
    command = [sys.executable, "-m", "netfeed", "run", str(path), "--no-view"]
    paths = os.pathsep.join(str(ROOT / place) for place in ("src", "."))
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths})
    try:
        end = time.monotonic() + 60
        while not trading.venue.ledger("mm")["orders"]:
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert trading.venue.ledger("mm")["orders"] == []
    assert "may rest still" not in told


def test_margin_that_the_venue_tells_is_what_the_limit_of_margin_is_about(tmp_path: Path) -> None:
    engine = ENGINE.replace("[engine.gate]", "margin_percent = 99\n\n[engine.gate]")
    one = Trading(tmp_path, engine=engine, portfolios='\nportfolios = ["btc"]')
    told: dict[str, Any] = {}

    def enough(run: Run) -> bool:
        if quotes(run):
            told.update(run.desk.engine.risk._known.margin)
        return bool(told)

    try:
        run = one.trade(enough)
        assert list(told) == ["sim BTC"]
        assert told["sim BTC"][1] > told["sim BTC"][0] >= 0
        assert run.desk.engine.risk._known.margin == {"sim BTC": None}  # the session is closed: nobody says it any more
    finally:
        one.close()


def test_a_signal_that_kills_before_anything_is_listed_keeps_it_from_quoting(trading: Trading) -> None:
    killed: list[str] = []

    def enough(run: Run) -> bool:
        if not killed:
            assert run.desk.safety is None
            run.kill("SIGUSR2", "a signal")
            killed.append("by the signal")
        return run.desk.engine is not None and run.desk.engine.ready.startswith("killed by SIGUSR2")

    run = trading.trade(enough)
    assert run.desk.engine.risk.switch.is_killed
    assert run.desk.engine.out.count["orders"] == 0
    assert read_latch(str(trading.folder / "orders.kill")).by == "SIGUSR2"
