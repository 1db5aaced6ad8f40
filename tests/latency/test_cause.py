"""Which packet an order answered: by time and by reference, against a search by hand, in any blocks."""

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.cause import COPIES_NS, MARKET, ORDER, Causes

US = 1000


def market(*rows: tuple[int, ...]) -> Any:
    """Give packets of (time, sequence, count[, channel]); the origin is their place."""
    table = np.zeros(len(rows), MARKET)
    for index, (ts_ns, sequence, count, *channel) in enumerate(rows):
        table[index] = (ts_ns, sequence, count, index, channel[0] if channel else 0, 0)
    return table


def orders(*rows: tuple[int, int | None]) -> Any:
    table = [(ts_ns, 1000 + k, reference or 0, reference is not None) for k, (ts_ns, reference) in enumerate(rows)]
    return np.array(table, ORDER)


STEPS = st.lists(st.integers(1, 400), min_size=1, max_size=30).map(lambda steps: np.cumsum(steps).tolist())


@given(STEPS, STEPS, st.integers(1, 10))
def test_by_time_it_is_the_last_packet_before_the_order(ticks: list[int], asked: list[int], blocks: int) -> None:
    causes = Causes(100)
    packets = market(*((at, k + 1, 1) for k, at in enumerate(ticks)))
    questions = orders(*((at, None) for at in asked))
    edges = [0, *sorted({ticks[len(ticks) * k // blocks] for k in range(1, blocks)}), 10**9]
    for begin, end in pairwise(edges):
        causes.take(*(rows[(rows["ts_ns"] >= begin) & (rows["ts_ns"] < end)] for rows in (packets, questions)))
    took = [at - max(tick for tick in ticks if tick <= at) for at in asked if any(at - 100 <= t <= at for t in ticks)]
    assert (causes.took.count, causes.took.total_ns) == (len(took), sum(took))
    assert causes.unmatched == len(asked) - len(took)
    assert causes.doubtful == sum(sum(at - 100 <= t <= at for t in ticks) > 1 for at in asked)


def test_only_the_first_copy_of_a_sequence_is_a_cause() -> None:
    causes = Causes(10_000)
    causes.take(market((0, 1, 1), (500, 1, 1)), orders((600, None)))
    assert (causes.took.max_ns, causes.doubtful) == (600, 0)


def test_a_copy_of_an_earlier_block_is_still_known() -> None:
    causes = Causes(100)
    causes.take(market((0, 1, 1), (10, 2, 1)), orders())
    causes.take(market((500, 1, 1), (520, 2, 1)), orders((530, None)))
    assert (causes.took.count, causes.unmatched) == (0, 1)


def test_heartbeats_cause_nothing() -> None:
    causes = Causes(1000)
    causes.take(market((0, 1, 1), (500, 2, 0)), orders((600, None)))
    assert causes.took.max_ns == 600


def test_by_reference_it_is_the_packet_that_has_the_message() -> None:
    causes = Causes(10 * US, modulus=2**64)
    packets = market((0, 1, 3), (1 * US, 4, 2), (2 * US, 6, 1))
    causes.take(packets, orders((3 * US, 2), (3 * US + 1, 5), (3 * US + 2, 99), (3 * US + 3, None)))
    assert (causes.took.count, causes.unmatched, causes.unreferred) == (2, 1, 1)
    assert causes.slowest == [(3 * US, 1000, 0), (2 * US + 1, 1001, 1)]


@given(st.integers(0, 2**63 - 1), st.integers(1, 50), st.integers(0, 60), st.sampled_from([8, 16, 32, 64]))
def test_the_low_bits_of_a_sequence_are_enough(first: int, count: int, step: int, bits: int) -> None:
    causes = Causes(10 * US, modulus=2**bits)
    causes.take(market((0, first % 2**62, count)), orders((5, (first % 2**62 + step) % 2**bits)))
    assert causes.took.count == (step < count)


def test_two_packets_that_fit_are_ambiguous() -> None:
    causes = Causes(10 * US, modulus=2**64)
    causes.take(market((0, 1, 3, 0), (1 * US, 2, 1, 1)), orders((2 * US, 2), (2 * US, 1)))
    assert (causes.ambiguous, causes.took.count) == (1, 1)


def test_what_is_remembered_is_bounded_by_time() -> None:
    causes = Causes(US)
    for second in range(20):
        ticks = market(*((second * COPIES_NS + k * 1_000_000, second * 1000 + k, 1) for k in range(1000)))
        causes.take(ticks, orders())
    assert len(causes._market) <= 1001


def test_the_slowest_are_kept() -> None:
    causes = Causes(10**9, slowest=3)
    for k in range(20):
        causes.take(market((k * 10**6, k + 1, 1)), orders((k * 10**6 + 10 * (k % 7), None)))
    assert [took for took, _, _ in causes.slowest] == [60, 60, 50]
