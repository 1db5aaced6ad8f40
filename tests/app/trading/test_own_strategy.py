"""The strategy of the document runs unchanged: in a replay, in a simulation, and live beside a venue on sockets."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from netfeed.app.engine_configuration import Engine, Limits
from netfeed.app.replay import Options
from netfeed.app.trading.engine_build import build, plan
from netfeed.app.trading.replay_run import Built, EngineRun, FillSettings
from netfeed.app.trading.strategies import strategies
from netfeed.engine.strategy import Strategy
from netfeed.sim.starbase_chain import chain
from tests.app.trading.desk_venue import ENGINE, Trading
from tests.engine.engine_world import MS, World, contract_of

ROOT = Path(__file__).resolve().parents[3]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The first example of the document, as a file of its own."""
    found = BLOCK.search((ROOT / "docs" / "trading.md").read_text())
    assert found is not None
    (tmp_path / "mine.py").write_text(found[1])
    return tmp_path


def test_it_has_about_thirty_lines(mine: Path) -> None:
    assert len((mine / "mine.py").read_text().splitlines()) <= 32


def test_it_runs_in_a_replay(mine: Path) -> None:
    config = Engine(
        strategy="mine.py:JoinTheBest", instruments=["*"], mass_quotes=False, settings={"lots": 100, "most": 1_000},
        limits=Limits(order_size={"*": "100"}, position={"*": "2000"}),
    )  # fmt: skip

    def made(contracts: Any, books: Any, route: Any, record: Any) -> Built:
        parts = plan(config, list(contracts.values()), str(mine))
        return Built(build(parts, books, [route], record))

    run = EngineRun(Options([str(ROOT / "pcaps" / "itch-ab.pcap")]), made, FillSettings(seed=7))
    run.replay.run()
    run.finish()
    statistics = run.built.engine.statistics()
    assert statistics.orders > 10
    assert statistics.failed == {}
    assert statistics.ready == ""


def test_it_runs_in_a_simulation(mine: Path) -> None:
    config = Engine(
        strategy="mine.py:JoinTheBest", instruments=["*"], limits=Limits(order_size={"*": "1"}, position={"*": "1"})
    )
    contracts = {one.id: contract_of(one) for one in chain()}

    def made(options: Sequence[int]) -> Strategy:
        return strategies(config, [contracts[one] for one in options], str(mine))[0][0]

    world = World(strategy=made, hedged=False, rate=400).run(400 * MS)
    assert world.resting() == world.ours() != set()
    assert world.engine is not None
    assert world.engine.ready == ""


@pytest.mark.net
def test_it_runs_live(mine: Path) -> None:
    text = ENGINE.replace('"quoter"', '"mine.py:JoinTheBest"').replace(
        "[engine.quoter]", "[engine.settings]\nmost = 20\n#"
    )
    text = re.sub(r"(?s)#\n.*?\n\n", "\n\n", text, count=1)
    trading = Trading(mine, engine=text, how="thread")
    try:
        run = trading.trade(lambda run: run.desk.engine is not None and run.desk.engine.account.orders.open_count > 4)
        assert run.desk.engine.is_out
        assert trading.venue.ledger("mm")["orders"] == []
    finally:
        trading.close()
