"""The screen of an engine that trades: its own pictures, of a simulated venue in virtual time."""

import io

from rich.console import Console

from netfeed.app.trading.engine_view import EngineView, Shown
from netfeed.app.trading.notices import Notices
from netfeed.engine.engine import Engine
from tests.app.trading.pictures import feed
from tests.engine.engine_world import MS, World


def engine_of(world: World) -> Engine:
    assert world.engine is not None
    return world.engine


def shown(world: World) -> Shown:
    return Shown("netfeed", world.now, engine_of(world).picture(), feed())


def drawn(world: World, width: int = 120, height: int = 40) -> str:
    one = shown(world)
    return EngineView(lambda: one, on=Console(file=io.StringIO())).frame(one, width, height).plain


def test_it_shows_what_the_engine_quotes_holds_and_may_do() -> None:
    world = World().run(200 * MS)
    text = drawn(world)
    resting = {one.instrument for one in engine_of(world).account.orders.open()}
    assert resting
    assert "QUOTING" in text
    assert "BTC-PERPETUAL" in text
    assert "27MAR26" in text
    assert f"orders {engine_of(world).statistics().orders:,}" in text
    held = [one for one in engine_of(world).picture().instruments if one.position]
    for one in held:
        assert one.name in text.split("Inventory")[1]


def test_before_a_list_has_agreed_it_says_what_it_waits_for() -> None:
    world = World(lists=False).run(50 * MS)
    assert engine_of(world).ready
    assert f"WAITS: {engine_of(world).ready}"[:60] in drawn(world)


def test_the_same_seed_draws_the_same_screen() -> None:
    first, again, other = (drawn(World(seed=seed).run(300 * MS)) for seed in (7, 7, 8))
    assert first == again != other


def test_books_in_doubt_are_seen_in_the_very_next_frame_with_their_quotes_gone() -> None:
    world, notices = World().run(200 * MS), Notices()
    notices.look(shown(world))
    assert "!" not in drawn(world, 80, 24).split("strike")[1].split("all ")[0]
    world.feed.gap(world.sequence + 1, world.sequence + 9, world.now)
    world.turn()
    text = drawn(world, 80, 24)
    rows = [line for line in text.splitlines() if line.startswith("!")]
    assert len(rows) >= 5
    assert all(one.our_bid is None or one.our_bid.under_way for one in engine_of(world).picture().instruments)
    assert any("are SUSPECT" in line for line in notices.look(shown(world)))
    world.run(5 * MS)  # the cancels are answered
    rows = [line for line in drawn(world, 80, 24).splitlines() if line.startswith("!  ")]
    assert all(" BOOK " in line or " HEDGE " in line for line in rows)


def test_a_kill_is_seen_at_once() -> None:
    world = World().run(300 * MS)
    engine_of(world).kill("somebody", "enough", world.now)
    assert "KILLED" in drawn(world).splitlines()[0]
    assert "enough" in drawn(world).splitlines()[0]
