"""The real clock is the monotonic one and a difference, which changes when somebody sets it, and not before."""

from netfeed.host import clocks
from netfeed.host.clocks import GLANCE_NS, STEP_NS, Epoch
from netfeed.latency.clock import Look


def test_the_kernel_has_one_number_for_all_who_ask() -> None:
    assert clocks.kernel_number() == clocks.kernel_number() != 0


def test_the_difference_of_this_hosts_clocks_stays() -> None:
    epoch = Epoch()
    assert (epoch.check(), epoch.steps, epoch.moved_ns) == (False, 0, 0)


def test_a_clock_that_is_set_is_seen_within_a_second() -> None:
    looks = iter([Look(5, 1_000_000, 40), Look(6, 1_000_000 + STEP_NS, 40), Look(7, -4_000_000, 40)])
    epoch = Epoch(lambda: next(looks))
    assert not epoch.glance(5 + GLANCE_NS - 1), "it does not look every time that it is asked"
    assert not epoch.glance(5 + GLANCE_NS), "no two readings are quite the same"
    assert not epoch.glance(6 + GLANCE_NS)
    assert epoch.glance(5 + 2 * GLANCE_NS)
    assert (epoch.ns, epoch.moved_ns, epoch.steps) == (-4_000_000, -5_000_000, 1)


def test_a_wide_bracket_is_no_step() -> None:
    looks = iter([Look(5, 0, 40), Look(6, 50_000, 90_000)])
    assert not Epoch(lambda: next(looks)).check()
