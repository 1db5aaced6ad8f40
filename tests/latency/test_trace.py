"""Traces joined: a decision finds the packet that carried its message, and what has no packet is counted."""

import numpy as np
import pytest

from netfeed.latency.stage import ABSENT, MEASURED, TO_BOOK, TO_ORDER, TRACE, Flag, Stage, named
from netfeed.latency.trace import Durations, Joiner, by_channel, by_line, spent


def packet(sequence: int, messages: int = 4, *, channel: int = 0, line: int = 0, flags: int = 0) -> np.ndarray:
    row = np.zeros(1, TRACE)
    row["sequence"], row["messages"], row["channel"] = sequence, messages, channel
    row["line"], row["flags"] = line, flags
    row["at_ns"] = ABSENT
    row["at_ns"][:, Stage.KERNEL : Stage.BOOK + 1] = [1000, 1100, 1300, 1600]
    return row


def decision(sequence: int, *, channel: int = 0, sent: int = 2500) -> np.ndarray:
    row = packet(sequence, 0, channel=channel, flags=Flag.DECISION)
    row["at_ns"] = ABSENT
    row["reference"] = 77
    row["at_ns"][:, Stage.DECIDED :] = [2000, sent]
    return row


NONE = np.empty(0, TRACE)


def test_a_decision_finds_the_packet_that_carried_its_message() -> None:
    joiner = Joiner()
    packets = np.concatenate([packet(1), packet(5), packet(9), packet(5, channel=1)])
    whole = joiner.join(packets, np.concatenate([decision(7), decision(12)]))
    assert sorted(whole["sequence"].tolist()) == [5, 9]
    assert whole["at_ns"][0].tolist() == [ABSENT, 1000, 1100, 1300, 1600, 2000, 2500]
    assert set(whole["reference"].tolist()) == {77}
    assert (joiner.matched, joiner.unmatched) == (2, 0)


def test_a_decision_that_is_read_first_waits_a_round() -> None:
    joiner = Joiner()
    assert len(joiner.join(NONE, decision(6))) == 0
    assert joiner.unmatched == 0
    assert joiner.join(packet(5), NONE)["sequence"].tolist() == [5]
    assert len(joiner.join(NONE, decision(13))) == 0
    joiner.join(packet(9), NONE)  # messages 9 to 12
    assert joiner.unmatched == 1
    joiner.join(NONE, decision(99))
    joiner.finish()
    assert (joiner.matched, joiner.unmatched) == (1, 2)


def test_a_gap_between_traced_packets_is_no_packet() -> None:
    joiner = Joiner()
    joiner.join(np.concatenate([packet(1), packet(41)]), np.concatenate([decision(20), decision(0)]))
    joiner.finish()
    assert (joiner.matched, joiner.unmatched) == (0, 2)


def test_several_decisions_may_follow_one_packet_and_packets_come_in_any_order() -> None:
    joiner = Joiner()
    joiner.join(packet(9), NONE)
    whole = joiner.join(packet(5), np.concatenate([decision(5), decision(6), decision(10)]))
    assert sorted(whole["sequence"].tolist()) == [5, 5, 9]


def test_durations_are_between_stages_that_are_there() -> None:
    durations = Durations()
    durations.count(np.concatenate([packet(1), packet(5, flags=Flag.PLAIN)]))
    durations.count(Joiner().join(packet(9), np.concatenate([decision(9), decision(9, sent=ABSENT)])))
    counts = {named(pair): durations.every[pair].count for pair in MEASURED}
    assert counts == {
        "kernel -> user": 2, "user -> decoded": 2, "decoded -> book": 2, "book -> decided": 2, "decided -> sent": 1,
        "kernel -> book": 2, "kernel -> sent": 1, "hardware -> kernel": 0,
    }  # fmt: skip
    assert durations.every[TO_BOOK].max_ns == 600
    assert durations.every[TO_ORDER].max_ns == 1500
    assert durations.plain.count == 1
    assert (durations.packets, durations.decisions) == (2, 2)
    assert durations.cut().count == 2
    assert durations.cut().count == 0


@pytest.mark.parametrize(("key", "groups"), [(by_channel, {0: 2, 3: 1}), (by_line, {0: 1, 1: 1, 769: 1})])
def test_durations_can_be_had_for_each_channel_or_line(key, groups: dict[int, int]) -> None:
    durations = Durations(key)
    durations.count(np.concatenate([packet(1), packet(5, line=1), packet(1, channel=3, line=1)]))
    assert {group: found[TO_BOOK].count for group, found in durations.groups.items()} == groups


def test_an_absent_stamp_makes_no_duration_and_clocks_that_disagree_a_negative_one() -> None:
    rows = np.concatenate([packet(1), packet(2)])
    rows["at_ns"][0, Stage.USER] = ABSENT
    rows["at_ns"][1, Stage.USER] = 900
    assert spent(rows, (Stage.KERNEL, Stage.USER)).tolist() == [-100]
    durations = Durations()
    durations.count(rows)
    assert durations.every[Stage.KERNEL, Stage.USER].negative == 1
