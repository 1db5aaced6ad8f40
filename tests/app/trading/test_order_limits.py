"""The limits of a shell: those of the engine where one is configured, else stated ones; never more than that."""

from pathlib import Path
from types import SimpleNamespace

from netfeed.app.engine_configuration import Engine, Limits
from netfeed.app.trading.kill import arm, kill
from netfeed.app.trading.order_limits import shell_limits, shell_switch
from netfeed.engine.contract import Contract, Payoff

CONTRACTS = {
    0: Contract(0, "BTC-PERPETUAL", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 10),
    1: Contract(1, "BTC-27MAR26-90000-C", Payoff.CALL, "BTC", True, -4, -1, 5, 1),
}


def test_without_an_engine_they_are_the_stated_ones() -> None:
    limits = shell_limits(CONTRACTS, fair=True)
    assert limits.order_size == {0: 1000, 1: 100}
    assert limits.position == {0: 10_000, 1: 1_000}
    assert (limits.open_orders, limits.rate, limits.market_orders) == (100, 20, False)
    assert limits.collar_ppm == 50_000
    assert shell_limits(CONTRACTS, fair=False).collar_ppm is None


def test_with_an_engine_they_are_its_own_by_the_first_name_that_fits() -> None:
    said = SimpleNamespace(
        order_size={"BTC-*-C": "0.5", "*": "100"}, position={"BTC-*-C": "20"}, open_orders=7, collar_ppm=1_000,
        collar_ticks=3, market_orders=False, rate=5, burst=2,
    )  # fmt: skip
    limits = shell_limits(CONTRACTS, fair=True, said=said)
    assert limits.order_size == {0: 100, 1: 5}
    assert limits.position == {0: 0, 1: 200}  # of what nobody has named a position nothing may be held
    assert (limits.open_orders, limits.collar_ppm, limits.collar_ticks, limits.rate) == (7, 1_000, 3, 5)


def test_an_engine_that_is_killed_is_not_gone_around(tmp_path: Path) -> None:
    path = str(tmp_path / "KILL")
    assert not shell_switch(None).is_killed
    assert not shell_switch(path).is_killed
    kill(path, "anna", "the feed looks wrong")
    thrown = shell_switch(path).thrown
    assert thrown is not None
    assert (thrown.by, thrown.why) == ("anna", "the feed looks wrong")
    arm(path, "anna")
    assert not shell_switch(path).is_killed
    Path(path).touch()
    assert shell_switch(path).is_killed


def test_the_kill_file_of_an_engine_that_names_none_stands_beside_its_journal(tmp_path: Path) -> None:
    limits = Limits(order_size={"*": "1"}, position={"*": "1"})
    engine = Engine(strategy="quoter", instruments=["*"], limits=limits, journal=str(tmp_path / "orders"))
    assert engine.kill_path == str(tmp_path / "orders.kill")
    kill(engine.kill_path, "anna", "the feed looks wrong")
    assert shell_switch(engine.kill_path).is_killed
    assert Engine(strategy="quoter", instruments=["*"], limits=limits).kill_path is None
