"""Which line leads: every copy finds its pair, whatever batches they come in."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netfeed.latency.lead import MAX_LEAD_NS, Lead

Row = tuple[int, int, int, int]  # session, sequence, time, line


def run(rows: list[Row], size: int) -> Lead:
    lead = Lead()
    for begin in range(0, len(rows), size):
        session, sequence, ts_ns, line = (np.array(column) for column in zip(*rows[begin : begin + size], strict=True))
        lead.take(session, sequence, ts_ns, line)
    lead.finish()
    return lead


ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 12), st.integers(0, 10**6), st.integers(0, 1)), min_size=1, max_size=60
).map(lambda rows: sorted(rows, key=lambda row: row[2]))


@given(ROWS, st.sampled_from([1, 3, 100]))
def test_leads_are_those_of_the_first_copies(rows: list[Row], size: int) -> None:
    first: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    for session, sequence, ts_ns, line in rows:
        first[session, sequence].setdefault(line, ts_ns)
    behind = [both[1] - both[0] for both in first.values() if len(both) == 2]
    lead = run(rows, size)
    assert lead.pairs == len(behind)
    assert lead.same == behind.count(0)
    for side, sign in ((0, 1), (1, -1)):
        led = [sign * one for one in behind if sign * one > 0]
        assert (lead.led[side].count, lead.led[side].total_ns) == (len(led), sum(led))
        assert lead.led[side].max_ns == max(led, default=None)
    for side in (0, 1):
        assert lead.only[side] == sum(set(both) == {side} for both in first.values())


def test_a_copy_that_is_too_late_is_none() -> None:
    near = run([(0, 1, 0, 0), (0, 1, MAX_LEAD_NS, 1)], 1)
    assert (near.pairs, near.led[0].max_ns, near.only) == (1, MAX_LEAD_NS, [0, 0])
    far = run([(0, 1, 0, 0), (0, 2, MAX_LEAD_NS + 1, 0), (0, 1, MAX_LEAD_NS + 1, 1)], 1)
    assert (far.pairs, far.only) == (0, [2, 1])


def test_a_count_that_begins_anew_pairs_with_its_own_time() -> None:
    rows = [(0, n, at + n * 1000 + 10 * line, line) for at in (0, 10 * MAX_LEAD_NS) for n in (1, 2) for line in (0, 1)]
    lead = run(rows, 2)
    assert (lead.pairs, lead.led[0].min_ns, lead.led[0].max_ns) == (4, 10, 10)


def test_what_waits_is_bounded_by_time() -> None:
    lead = Lead()
    for start in range(100):
        at = np.arange(1000, dtype=np.int64) * 1_000_000 + start * 1_000_000_000
        lead.take(np.zeros(1000, np.int64), np.arange(1000) + start * 1000, at, np.zeros(1000, np.int8))
    assert len(lead._waiting) <= 2001
    lead.finish()
    assert lead.only == [100_000, 0]
