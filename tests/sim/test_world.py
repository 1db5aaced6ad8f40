"""Worlds in virtual time: whatever the lines do, every book ends LIVE and equal to the venue's, and nothing is left.

The seed of a failure is in the test's name, and in its message. A thousand worlds are marked slow.
"""

from dataclasses import replace
from statistics import median

import pytest

from netfeed.feed.events import Requested
from netfeed.sim.faults import RATE, Faults
from netfeed.sim.playback import Limits
from tests.sim.worlds import MS, S, Verdict, by, itch_story, play, starbase_story

LOSSES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3)


def check(verdict: Verdict, seed: int) -> None:
    statistics = verdict.world.handler.channel.statistics()
    assert verdict.outcome.calm, f"seed {seed}: not calm after {verdict.outcome.elapsed_ns} ns: {statistics}"
    assert verdict.wrong == [], f"seed {seed}"
    assert not any(verdict.world.handler.transmit(port) for port in range(8)), f"seed {seed}"
    assert verdict.world.handler.deadline == 2**63 - 1


def several(protocol: str, first: int, count: int) -> None:
    for seed in range(first, first + count):
        check(play(protocol, seed, loss=LOSSES[seed % len(LOSSES)], late=seed % 3 == 0), seed)


@pytest.mark.parametrize("block", range(8))
@pytest.mark.parametrize("protocol", ["starbase", "itch"])
def test_a_world_ends_live_and_equal_to_the_truth(protocol: str, block: int) -> None:
    several(protocol, block * 12, 12)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
@pytest.mark.parametrize("protocol", ["starbase", "itch"])
def test_a_thousand_worlds_end_live_and_equal_to_the_truth(protocol: str, block: int) -> None:
    several(protocol, 1_000 + block * 25, 25)


def test_one_seed_is_one_history() -> None:
    one, two = (play("itch", 7, loss=0.2) for _ in range(2))
    assert one.outcome == two.outcome


@pytest.mark.parametrize("protocol", ["starbase", "itch"])
def test_without_anybody_to_ask_snapshots_make_books_right(protocol: str) -> None:
    for seed in range(6):
        verdict = play(protocol, seed, loss=0.3, servers=0, recovery_window_ns=20 * MS)
        check(verdict, seed)
        assert not by(verdict)["retransmit"]


def test_what_the_gateway_has_forgotten_comes_from_a_snapshot_without_waiting() -> None:
    refused = 0
    for seed in range(6):
        verdict = play("starbase", seed, loss=0.3, limits=Limits(window=2), recovery_window_ns=20 * S)
        check(verdict, seed)
        refused += any(getattr(event, "why", "") == "refused" for event in verdict.outcome.events)
    assert refused


def test_a_gateway_that_is_busy_is_asked_when_it_says_so() -> None:
    for seed in range(4):
        limits = Limits(requests=1, rate_ns=20 * MS, retry_delay_ns=25 * MS)
        check(play("starbase", seed, loss=0.2, limits=limits, servers=1), seed)


def test_a_line_that_dies_is_no_loss() -> None:
    for protocol in ("starbase", "itch"):
        verdict = play(protocol, 1, faults=Faults(delay_ns=200_000))
        check(verdict, 1)
        assert not by(verdict)
        faults = dict.fromkeys(verdict.world._down, Faults(delay_ns=200_000)) | {1: Faults(silent=True)}
        verdict = play(protocol, 1, by_port=faults)
        check(verdict, 1)
        assert not by(verdict)


def test_the_median_time_to_close_a_gap_is_below_150_ms_with_a_tenth_lost_both_ways() -> None:
    """Two hundred messages lost at once on both lines; a request and its answer are each lost in one case of ten."""
    times = []
    tenth = Faults(loss=RATE // 10, delay_ns=500_000)
    for seed in range(101):
        story = itch_story(0, 600)
        begin = next(sent.at for sent in story.script.lines if sent.first >= 150)
        end = next(sent.at for sent in story.script.lines if sent.first >= 350)
        verdict = play("itch", seed, story=story, faults=tenth, dark=(begin, end))
        check(verdict, seed)
        records = [one for one in verdict.world.handler.channel.statistics().gaps if one.last - one.first >= 150]
        times += [record.closed_at - record.opened_at for record in records if record.by is not None]
    assert len(times) >= 90
    assert median(times) <= 150 * MS, f"{median(times) / MS} ms"


def test_a_storm_of_gaps_stays_within_the_bucket() -> None:
    verdict = play("starbase", 3, loss=0.3, story=starbase_story(0, 200))
    check(verdict, 3)
    asked = [event.at for event in verdict.outcome.events if isinstance(event, Requested)]
    for at in asked:
        assert sum(at <= other < at + 100 * MS for other in asked) <= 16 + 20


def test_a_damaged_line_is_believed_by_nobody() -> None:
    faults = Faults(loss=RATE // 20, corrupt=RATE // 4, delay_ns=200_000)
    for seed in range(4):
        verdict = play("itch", seed, faults=faults)
        check(verdict, seed)
        assert verdict.world.handler.channel.statistics().malformed


def test_bursts_and_long_delays_are_survived() -> None:
    faults = Faults(burst=RATE // 20, burst_packets=6, reorder=RATE // 5, reorder_ns=80 * MS, delay_ns=200_000)
    for seed in range(6):
        check(play("starbase", seed, faults=replace(faults, duplicate=RATE // 5)), seed)
        check(play("itch", seed, faults=faults), seed)
