"""An engine over a capture: the same run every time, nothing known before its time, and an account that agrees."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.clock import parse_moment
from netfeed.app.engine_configuration import Fees
from netfeed.app.replay import Options
from netfeed.app.trading.replay_run import EngineRun, FillSettings
from netfeed.book.execution import Filled, List, Listed, New
from netfeed.engine.account import Account
from netfeed.engine.journal import Decided, Heard, Sent, read, replay
from netfeed.errors import ConfigurationError
from netfeed.machine import NEVER
from netfeed.sim.fill_delay import Lognormal, Uniform
from tests.app.trading.replay_engines import quoting

CAPTURE = Path(__file__).resolve().parents[3] / "pcaps" / "itch-ab.pcap"
NAMES = ["AAI", "AAJ"]
FILL = FillSettings(7, Uniform(100_000, 300_000), Lognormal(100_000, 0.3), Fees(maker=-0.00002, taker=0.0003))


def run(journal: Path | None = None, fill: FillSettings = FILL, **options: Any) -> EngineRun:
    asked = Options([str(CAPTURE)], instruments=NAMES, until=parse_moment("14:30:04"), **options)
    one = EngineRun(asked, quoting, fill, journal=None if journal is None else str(journal))
    one.replay.run()
    one.finish()
    return one


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[EngineRun, Path]:
    path = tmp_path_factory.mktemp("run") / "orders.journal"
    return run(path), path


def test_the_same_inputs_give_the_same_journal_byte_for_byte(
    done: tuple[EngineRun, Path], tmp_path: Path
) -> None:  # fmt: skip
    one, path = done
    again = run(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes() != b""
    assert not (tmp_path / "again.part").exists()
    left_out = ("elapsed_ns", "journal")
    first, second = ({k: v for k, v in told.summary().items() if k not in left_out} for told in (one, again))
    assert first == second


@pytest.mark.slow
def test_another_seed_is_another_run(done: tuple[EngineRun, Path], tmp_path: Path) -> None:
    run(tmp_path / "other", replace(FILL, seed=8))
    assert (tmp_path / "other").read_bytes() != done[1].read_bytes()


def test_the_journal_makes_the_engine_s_account_again(done: tuple[EngineRun, Path]) -> None:
    one, path = done
    records, tail = read(path.read_bytes())
    assert (tail.why, len(records)) == ("", one.journal.records)
    made = replay(records, Account(one.listing.contracts))
    ours = one.built.engine.account
    assert made.orders.snapshot() == ours.orders.snapshot()
    held = {instrument: made.positions[instrument].quantity for instrument in one.listing.contracts}
    assert held == {instrument: ours.positions[instrument].quantity for instrument in one.listing.contracts}


def test_it_trades_and_agrees_with_the_venue_at_the_end(done: tuple[EngineRun, Path]) -> None:
    one, _ = done
    told = one.summary()
    assert sum(told["fills"].values()) == sum(row["fills"] for row in told["instruments"]) > 10
    one.model.send(List(0), 0)
    listed = one.model.wake(NEVER - 1)[-1]
    assert isinstance(listed, Listed)
    account = one.built.engine.account
    held = {instrument: account.positions[instrument].quantity for instrument in one.listing.contracts}
    assert {position.instrument: position.quantity for position in listed.positions} == {
        instrument: quantity for instrument, quantity in held.items() if quantity
    }
    assert sorted(order.client_id or 0 for order in listed.orders) == sorted(
        order.client_id for order in account.orders.open()
    )
    assert account.orders.uncertain == 0


def test_nothing_is_known_before_its_time(done: tuple[EngineRun, Path]) -> None:
    records, _ = read(done[1].read_bytes())
    sent = {}
    for record in records:
        if isinstance(record, Decided) and isinstance(record.request, New):
            sent[record.request.client_id] = record.at
        if isinstance(record, Heard) and isinstance(record.report, Filled):
            at = record.report.ts_event_ns
            assert at is not None
            assert sent[record.report.client_id] + 100_000 <= at < record.at
    times = [record.at for record in records]
    assert times == sorted(times)
    assert any(isinstance(record, Sent) for record in records)


def test_the_money_adds_up(done: tuple[EngineRun, Path]) -> None:
    told = done[0].summary()
    (money,) = told["money"]
    parts = {name: Decimal(money[name]) for name in ("net", "spread", "hedging", "inventory", "fees")}
    assert parts["net"] == parts["spread"] + parts["hedging"] + parts["inventory"] - parts["fees"]
    assert parts["net"] == sum(Decimal(row["net"]) for row in told["instruments"])
    assert parts["spread"] > 0 > parts["fees"]
    done_, open_ = sum(out["fills"] for out in money["mark_outs"]), told["open_mark_outs"]
    assert done_ + open_ == 3 * sum(told["fills"].values())


def test_the_engine_begins_with_what_is_asked_for() -> None:
    late = run(since=parse_moment("14:30:03"))
    assert 0 < late.drive.packets < 600


def test_what_lists_nothing_that_can_be_traded_is_refused_with_a_remedy() -> None:
    with pytest.raises(ConfigurationError, match="--instrument must match something"):
        EngineRun(Options([str(CAPTURE)], instruments=["ZZZ"]), quoting, FILL)
    with pytest.raises(ConfigurationError, match="give it a file"):
        EngineRun(Options(["-"]), quoting, FILL)
