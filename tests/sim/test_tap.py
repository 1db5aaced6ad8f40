"""Lines that carry packets to a tap, and the account of what came."""

from itertools import pairwise

import pytest

from netfeed.errors import MisuseError
from netfeed.sim.account import RETRANSMIT, Account
from netfeed.sim.draws import Draws
from netfeed.sim.tap import Line, Route, Seen, Sent, file_pcap, in_order

ROUTE = Route("A", ("192.0.2.1", 1), ("233.252.0.1", 2))
B = ROUTE._replace(name="B")
ANSWER = ROUTE._replace(name=RETRANSMIT)
MS = 1_000_000
SENT = [Sent(50_000 * n, b"%d" % n, n, n + 1) for n in range(1, 2_001)]


def came(*packets: tuple[int, Route, int, int]) -> list[Seen]:
    return [Seen(at, route, Sent(at, b"", first, end)) for at, route, first, end in packets]


def test_a_clean_line_brings_everything_in_order() -> None:
    seen = Line(ROUTE, 5_000).carry(SENT, Draws(1))
    assert [one.sent for one in seen] == SENT
    assert all(5_000 <= one.at - one.sent.at < 6_100 for one in seen)


def test_a_bad_line_loses_reorders_and_repeats_at_its_rates() -> None:
    seen = Line(ROUTE, 5_000, 8_000, lost=500, late=500, twice=500).carry(SENT, Draws(1))
    numbers = [one.sent.first for one in seen]
    assert 50 < len(SENT) - len(set(numbers)) < 150
    assert 50 < len(numbers) - len(set(numbers)) < 150
    assert 50 < sum(after < before for before, after in pairwise(numbers)) < 150
    assert [one.at for one in seen] == sorted(one.at for one in seen)


def test_named_faults_happen_and_kept_packets_are_spared() -> None:
    line = Line(ROUTE, 0, lost=10_000, without=frozenset({3}), kept=frozenset(range(2, 6)), held={5: MS})
    seen = line.carry(SENT[:10], Draws(1))
    assert [one.sent.first for one in seen] == [3, 5, 6]
    assert seen[-1].at - seen[-1].sent.at >= MS


def test_an_account_names_gaps_and_what_closed_them() -> None:
    account = Account(in_order(came(
        (0, ROUTE, 1, 3), (10, B, 1, 3),
        (20, ROUTE, 4, 5), (30, B, 3, 5),                                # silent: the other line brings 3 at once
        (40, ROUTE, 7, 8), (40 + 5 * MS, B, 5, 8),                       # late on the other line
        (6 * MS, ROUTE, 10, 11), (12 * MS, ANSWER, 8, 10),
        (13 * MS, ROUTE, 14, 14),                                        # a heartbeat shows that 11 to 13 are lost
    )))  # fmt: skip
    assert account.gaps() == [
        {"first": 5, "last": 6, "closed_by": "line"},
        {"first": 8, "last": 9, "closed_by": "retransmit"},
        {"first": 11, "last": 13, "closed_by": None},
    ]
    assert (account.next, account.lost) == (14, 3)
    assert account.lines() == [
        {"line": "A", "packets": 5, "unnumbered": 1, "first": 4, "duplicates": 0},
        {"line": "B", "packets": 3, "unnumbered": 0, "first": 2, "duplicates": 1},
        {"line": RETRANSMIT, "packets": 1, "unnumbered": 0, "first": 1, "duplicates": 0},
    ]


def test_a_snapshot_closes_what_it_covers() -> None:
    seen = came((0, ROUTE, 1, 2), (10, ROUTE, 4, 5))
    assert Account(seen, covered=3).gaps()[0]["closed_by"] == "snapshot"
    assert Account(seen, covered=2).gaps()[0]["closed_by"] is None


@pytest.mark.parametrize("open_ns", [MS, 900_000, 1_500_000, 600 * MS])
def test_a_capture_whose_facts_are_a_matter_of_patience_is_refused(open_ns: int) -> None:
    account = Account(came((0, ROUTE, 1, 2), (10, ROUTE, 3, 4), (10 + open_ns, B, 2, 3)))
    with pytest.raises(MisuseError, match="patience"):
        account.gaps()


def test_a_capture_has_a_record_for_each_packet() -> None:
    data = file_pcap(came((5, ROUTE, 1, 2), (6, B, 1, 2)))
    assert len(data) == 24 + 2 * (16 + 42)
    assert data[:4] == bytes.fromhex("4d3cb2a1")
