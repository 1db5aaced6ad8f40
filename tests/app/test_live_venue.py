"""The live handler beside a simulated venue, over real sockets: whatever is lost, its books become the venue's."""

import random

import pytest

from netfeed.app.account import account
from netfeed.feed.ports import LINES, Port
from netfeed.sim.faults import RATE
from netfeed.sim.venue import Settings, itch_venue, starbase_venue
from tests.app.live_venue import opened
from tests.app.venue_sockets import VenueOnSockets, run_until_equal

pytestmark = pytest.mark.net
MS = 1_000_000


def bad_lines(port: int, draw: float) -> bool:
    """Lose ten percent of each line."""
    return draw < 0.1


def both_lose(seed: int):
    """Lose the same two percent on both lines: only a server or a snapshot can help."""
    losses, kept = random.Random(seed), {Port.LINE_A: [], Port.LINE_B: []}

    def loses(port: int, draw: float) -> bool:
        if port not in LINES:
            return False
        mine, other = kept[Port(port)], kept[Port(1 - port)]
        mine.append(other[len(mine)] if len(other) > len(mine) else losses.random() < 0.02)
        return bool(mine[-1])

    return loses


@pytest.fixture(params=["loop", "thread"])
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_itch_with_losses_on_both_lines_ends_equal_to_the_venue(how: str) -> None:
    sim = VenueOnSockets(itch_venue(Settings(seed=3, rate=4000, transactions=2000, instruments=6)), 5, bad_lines)
    run = opened(sim.configured(how, False))
    run_until_equal(sim, run.live)
    told = account(run.live)
    run._close()
    sim.close()
    assert sim.lost > 0
    assert told["messages_lost"] == 0


def test_what_both_lines_of_itch_lose_comes_from_the_server(how: str) -> None:
    sim = VenueOnSockets(itch_venue(Settings(seed=4, rate=4000, transactions=2000, instruments=6)), 5, both_lose(8))
    run = opened(sim.configured(how, False))
    run_until_equal(sim, run.live)
    told = account(run.live)
    run._close()
    sim.close()
    assert told["recovered"]["retransmit"] > 0
    assert told["messages_lost"] == 0
    assert told["channels"][0]["servers"][0]["answered"] > 0


def test_a_late_join_of_itch_fetches_a_snapshot_by_glimpse(how: str) -> None:
    sim = VenueOnSockets(itch_venue(Settings(seed=5, rate=3000, transactions=2500, instruments=6)), 5, bad_lines)
    while sim.venue.transactions < 400:
        sim.step()
    run = opened(sim.configured(how, False, 'glimpse = { address = "GLIMPSE" }'))
    run_until_equal(sim, run.live)
    told = account(run.live)
    run._close()
    sim.close()
    assert told["channels"][0]["next_sequence"] == sim.venue.lines.next


def test_a_late_join_of_starbase_takes_the_snapshot_cycle_only_as_long_as_it_needs_it(how: str) -> None:
    settings = Settings(seed=6, rate=3000, transactions=2500, instruments=12, cycle_ns=200 * MS)
    sim = VenueOnSockets(starbase_venue(settings), 5, bad_lines)
    while sim.venue.transactions < 400:
        sim.step()
    run = opened(sim.configured(how, True, 'id = 3\nsnapshot_join = "needed"'))
    run_until_equal(sim, run.live)
    joins = [machine.joins for machine in run.live.machines if hasattr(machine, "joins")]
    run._close()
    sim.close()
    assert joins[0] >= 1


def test_what_starbase_lost_for_good_is_mended_by_the_snapshots_that_are_sound(how: str) -> None:
    settings = Settings(seed=7, rate=3000, transactions=2500, instruments=12, cycle_ns=200 * MS, retain=1)
    sim = VenueOnSockets(starbase_venue(settings), 5, both_lose(9))
    sim.venue.cycle.spoilt = RATE // 2
    run = opened(sim.configured(how, True, 'recovery = { window = "30ms" }'))
    run_until_equal(sim, run.live)
    told = account(run.live)
    run._close()
    sim.close()
    assert told["gaps"] > 0
    assert told["books"]["SUSPECT"] == 0
    assert told["channels"][0]["snapshots_refused"]["its trailer contradicts its header"] > 0
