"""Whether sockets get what a feed asks of them."""

from pathlib import Path

import pytest

from netfeed.host.doctor import permissions, sockets
from netfeed.host.doctor.wishes import Wishes
from netfeed.host.finding import Level
from netfeed.host.tree import Tree


def tree(tmp_path: Path, **files: str) -> Tree:
    for path, text in files.items():
        one = tmp_path / path.replace("__", "/")
        one.parent.mkdir(parents=True, exist_ok=True)
        one.write_text(text)
    return Tree(str(tmp_path))


def test_a_buffer_is_asked_for_and_judged_by_what_was_granted() -> None:
    assert sockets.buffer(4096).level is Level.OK
    wanted = 2**30 - 1
    found = sockets.buffer(wanted)
    assert found.level is Level.OK or f"rmem_max={wanted}" in found.remedy


@pytest.mark.parametrize(("most", "level"), [("20", Level.OK), ("1", Level.FAIL)])
def test_memberships_are_counted_a_socket(tmp_path: Path, most: str, level: Level) -> None:
    there = tree(tmp_path, proc__sys__net__ipv4__igmp_max_memberships=most)
    wishes = Wishes(groups=("233.252.0.1:1", "233.252.0.1:1", "233.252.0.2:1"))
    assert sockets.memberships(wishes, there).level is level


def test_the_memory_of_all_sockets_is_told_before_it_ends(tmp_path: Path) -> None:
    stat = "sockets: used 5\nUDP: inuse 2 mem {}\n"
    there = tree(tmp_path, proc__sys__net__ipv4__udp_mem="10 20 30")
    net = tmp_path / "proc/thread-self/net"
    net.mkdir(parents=True)
    for used, level in ((15, Level.OK), (16, Level.WARN)):
        (net / "sockstat").write_text(stat.format(used))
        assert sockets.pages(there).level is level
    for odd in ("UDP: inuse 2 mem\n", "UDP: inuse 2 mem lots\n", ""):
        (net / "sockstat").write_text(odd)
        assert sockets.pages(there).level is Level.UNKNOWN


def test_a_kernel_that_does_not_say_is_not_known(tmp_path: Path) -> None:
    nothing = Tree(str(tmp_path))
    found = [sockets.memberships(Wishes(), nothing), sockets.sources(Wishes(), nothing), sockets.pages(nothing)]
    assert {one.level for one in found} == {Level.UNKNOWN}


def test_capabilities_are_read_as_bits(tmp_path: Path) -> None:
    there = tree(tmp_path, proc__self__status="Name:\tx\nCapEff:\t0000000000003000\n")
    found = {one.check: one for one in permissions.checks(tree=there)}
    assert found["CAP_NET_RAW"].level is found["CAP_NET_ADMIN"].level is Level.OK
    assert found["CAP_IPC_LOCK"].level is Level.WARN
    assert "setcap cap_ipc_lock+ep" in found["CAP_IPC_LOCK"].remedy


def test_odd_capabilities_are_none(tmp_path: Path) -> None:
    there = tree(tmp_path, proc__self__status="CapEff:\tmany\n")
    assert permissions.checks(tree=there)[0].level is Level.WARN


def test_what_is_wanted_and_refused_fails_and_what_is_only_absent_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "priority_refusal", lambda priority: "no SCHED_FIFO: do this")
    monkeypatch.setattr(permissions, "lockable_bytes", lambda: 8 << 20)
    assert (permissions.fifo(None).level, permissions.fifo(50).level) == (Level.WARN, Level.FAIL)
    assert (permissions.locking(False).level, permissions.locking(True).level) == (Level.WARN, Level.FAIL)
    assert permissions.fifo(50).remedy == "do this"
