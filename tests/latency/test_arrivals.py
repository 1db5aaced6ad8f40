"""Time between packets, its deviation, and the jitter of RFC 3550: held against the plain formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.arrivals import Arrivals

PACKETS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)), min_size=2, max_size=80)


def run(ts_ns: list[int], sent_ns: list[int], size: int) -> Arrivals:
    arrivals = Arrivals()
    for begin in range(0, len(ts_ns), size):
        ts = np.array(ts_ns[begin : begin + size])
        arrivals.take(ts)
        arrivals.take_sent(ts, np.array(sent_ns[begin : begin + size]))
    return arrivals


@given(PACKETS, st.sampled_from([1, 5, 1000]))
def test_jitter_is_that_of_rfc_3550_packet_by_packet(packets: list[tuple[int, int]], size: int) -> None:
    sent = np.cumsum([step for step, _ in packets]).tolist()
    came = [one + way for one, (_, way) in zip(sent, packets, strict=True)]
    jitter, most = 0.0, 0
    for before, now in zip(range(len(came)), range(1, len(came)), strict=False):
        difference = abs((came[now] - came[before]) - (sent[now] - sent[before]))
        jitter += (difference - jitter) / 16
        most = max(most, difference)
    arrivals = run(came, sent, size)
    assert arrivals.jitter_ns == pytest.approx(jitter, rel=1e-9, abs=1e-6)
    assert arrivals.most_jitter_ns == most


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=80), st.sampled_from([1, 7, 1000]))
def test_deviation_and_times_between_are_those_of_numpy(steps: list[int], size: int) -> None:
    times = np.cumsum(steps).tolist()
    arrivals = run(times, times, size)
    gaps = np.diff(times)
    assert arrivals.between.count == len(gaps)
    assert arrivals.between.total_ns == gaps.sum()
    assert arrivals.deviation_ns == pytest.approx(gaps.std(), rel=1e-6, abs=1.0)
    assert arrivals.jitter_ns == 0


def test_without_times_of_the_sender_there_is_no_jitter() -> None:
    arrivals = Arrivals()
    arrivals.take(np.array([1, 5, 4]))
    assert (arrivals.jitter_ns, arrivals.fell, arrivals.between.negative) == (None, 1, 1)


def test_a_long_run_of_packets_forgets_as_the_formula_does() -> None:
    way = np.where(np.arange(5000) % 7 == 0, 900, 100)
    sent = np.arange(5000) * 1000
    jitter = 0.0
    for step in np.abs(np.diff(way)).tolist():
        jitter += (step - jitter) / 16
    assert run((sent + way).tolist(), sent.tolist(), 4096).jitter_ns == pytest.approx(jitter, rel=1e-9)
