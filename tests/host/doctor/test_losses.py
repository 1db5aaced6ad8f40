"""Rows about losses: what moves fails, what stands warns, and what is not told is no ok."""

from pathlib import Path

from netfeed.host.card import Counted
from netfeed.host.doctor import losses
from netfeed.host.finding import Finding, Level
from netfeed.host.loss import KERNEL, Loss, SocketDrops, look
from netfeed.host.tree import Tree

KERNEL_0 = dict.fromkeys(("backlog", *KERNEL), 0)


def rows(before: Loss, after: Loss, *interfaces: str) -> dict[str, Finding]:
    return {one.check: one for one in losses.checks(before, after, {}, {name: {} for name in interfaces})}


def drops(*counts: int) -> Loss:
    sockets = tuple(SocketDrops(f"10.0.0.1:{at}", count, at) for at, count in enumerate(counts) if count)
    return Loss({}, KERNEL_0, 0, sockets)


def test_what_moves_is_a_failure_and_what_stands_a_warning() -> None:
    found = rows(drops(5, 7, 0), drops(5, 9, 0))
    assert (found["socket 10.0.0.1:0"].level, found["socket 10.0.0.1:1"].level) == (Level.WARN, Level.FAIL)
    assert found["socket 10.0.0.1:1"].found.startswith("2 just now, 9 in all")


def test_a_socket_that_drops_now_is_shown_before_many_that_did_long_ago() -> None:
    old = [1000 + at for at in range(40)]
    found = rows(drops(*old, 0), drops(*old, 3))
    assert found["socket 10.0.0.1:40"].level is Level.FAIL
    assert found["25 other sockets"].level is Level.WARN
    assert len([check for check in found if check.startswith("socket ")]) == 16


def test_when_all_of_many_drop_those_that_are_not_shown_fail_too() -> None:
    found = rows(drops(*[1] * 40), drops(*[3] * 40))
    assert found["24 other sockets"].level is Level.FAIL
    assert found["24 other sockets"].found.startswith("48 just now, 72 in all")


def test_what_the_kernel_does_not_tell_is_not_known(tmp_path: Path) -> None:
    nothing = look([], Tree(str(tmp_path)))
    assert {one.level for one in rows(nothing, nothing, "eth7").values()} == {Level.UNKNOWN}


def test_an_interface_that_went_meanwhile_is_told() -> None:
    before, after = (Loss(nic, KERNEL_0, 0, ()) for nic in ({"eth7": Counted(1, 1, 0, 0, 0)}, {}))
    assert rows(before, after, "eth7")["nic eth7"].level is Level.UNKNOWN
    assert "it has gone" in rows(before, after, "eth7")["nic eth7"].found


def test_what_a_driver_counts_just_now_stands_first() -> None:
    was = {"eth7": {"rx_a_drops": 90, "rx_b_drops": 4}}
    now = {"eth7": {"rx_a_drops": 90, "rx_b_drops": 6, **{f"rx_{at}_miss": 1 for at in range(9)}}}
    found = {one.check: one for one in losses.checks(drops(), drops(), was, now)}["nic eth7 driver"]
    assert found.level is Level.WARN
    assert found.found.startswith("counts rx_b_drops 6 (2 just now), rx_0_miss 1 (1 just now)")
    assert found.found.endswith(", and 5 others")
    assert not any("driver" in check for check in rows(drops(), drops(), "eth7"))


def test_what_no_protocol_had_is_told_but_for_what_the_backlog_dropped() -> None:
    def dropped(count: int, backlog: int) -> Loss:
        return Loss({"eth7": Counted(9, 9, 0, 0, count)}, KERNEL_0 | {"backlog": backlog}, 0, ())

    assert "nic eth7 dropped" not in rows(dropped(5, 0), dropped(9, 4), "eth7")
    found = rows(dropped(5, 0), dropped(9, 1), "eth7")
    assert found["nic eth7 dropped"].found.startswith("3 just now dropped before any protocol")
    assert (found["nic eth7"].level, found["nic eth7 dropped"].level) == (Level.OK, Level.WARN)


def test_a_budget_that_ends_is_a_warning() -> None:
    found = rows(Loss({}, KERNEL_0, 3, ()), Loss({}, KERNEL_0, 5, ()))["kernel budget"]
    assert (found.level, found.found.startswith("ended 2 times")) == (Level.WARN, True)
