"""Apply and revert on a copied tree: what differs, and exactly back, whatever the kernel and others do meanwhile."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from netfeed.host.tune.apply import Outcome, Step, apply, intended, restorable, revert, untried
from netfeed.host.tune.check import Machine, check
from netfeed.host.tune.journal import Journal
from netfeed.host.tune.kernel import Kernel
from netfeed.host.tune.kernel import put as real_put
from netfeed.host.tune.setting import Profile
from netfeed.host.tune.table import TABLE
from tests.host.tune.tree import CARD, HOST, Values, bounding, picked, plant, put, refusing

MEMORY = "proc/sys/net/core/rmem_max"
FEED = frozenset({2, 3})


class Host:
    """A copied tree with its journal."""

    def __init__(self, root: Path, values: Values = HOST) -> None:
        self.root, self.journal = plant(root, values), root / "journal.json"
        self.disk: Callable[[int, bytes], int] = os.write

    def apply(self, put: Callable[[Path, str], None] = put, profile: Profile = Profile.FEED) -> list[Outcome]:
        kernel, journal = Kernel(self.root, put), Journal(self.journal, write=self.disk)
        with journal.held():
            return list(apply(kernel, check(Machine(kernel, ("eth1",), FEED), TABLE, profile), journal))

    def revert(self, put: Callable[[Path, str], None] = put, *, force: bool = False) -> list[Outcome]:
        journal = Journal(self.journal, write=self.disk)
        with journal.held():
            return list(revert(Kernel(self.root, put), journal, force=force))

    def write(self, path: str, value: str) -> None:
        (self.root / path).write_text(value + "\n")


def steps(outcomes: list[Outcome]) -> dict[str, Step]:
    return {one.place.address: one.step for one in outcomes}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_differs_is_written_and_put_back_exactly_in_reverse(host: Host) -> None:
    wrote = host.apply()
    now = picked(host.root)
    assert now[MEMORY] == "67108864"
    assert now["sys/kernel/mm/transparent_hugepage/enabled"] == "always madvise [never]"
    assert now["proc/sys/net/ipv4/udp_mem"] == "65536 131072 999999999"
    assert {one.step for one in wrote} == {Step.WROTE}
    changed = {path for path, value in HOST.items() if now[path] != value}
    assert changed == {one.place.address for one in wrote}
    back = host.revert()
    assert picked(host.root) == HOST
    assert [one.place for one in back] == [one.place for one in reversed(wrote)]
    assert {one.step for one in back} == {Step.RESTORED}
    assert not host.journal.exists()


def test_a_second_apply_writes_nothing_and_keeps_the_originals(host: Host) -> None:
    host.apply()
    before = host.journal.read_bytes()
    assert host.apply() == []
    assert host.journal.read_bytes() == before
    host.revert()
    assert picked(host.root) == HOST


def test_another_profile_after_it_keeps_the_originals(host: Host) -> None:
    host.apply(profile=Profile.CAPTURE)
    host.apply(profile=Profile.QUOTE)
    host.write(MEMORY, "1000")
    host.apply()
    host.revert()
    assert picked(host.root) == HOST


def test_a_second_revert_has_nothing_to_do(host: Host) -> None:
    host.apply()
    host.revert()
    assert host.revert() == []


def test_a_dry_run_says_what_would_be_and_writes_nothing(host: Host) -> None:
    kernel = Kernel(host.root, put)
    would = list(intended(check(Machine(kernel, ("eth1",), FEED), TABLE, Profile.FEED)))
    assert picked(host.root) == HOST
    risks = {one.name: one.remark for one in would}
    assert risks["vm.swappiness"] == ""
    assert "then hangs whatever else must run" in risks["kernel.sched_rt_runtime_us"]
    wrote = host.apply()
    assert [(one.place, one.old, one.new) for one in would] == [(one.place, one.old, one.new) for one in wrote]
    journal = Journal(host.journal)
    journal.load()
    assert {one.step for one in restorable(kernel, journal)} == {Step.WOULD}
    assert len(host.revert()) == len(wrote)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EBUSY, errno.EINVAL])
def test_a_value_that_the_kernel_refuses_is_told_and_the_rest_goes_on(host: Host, number: int) -> None:
    outcomes = host.apply(refusing(number, "rmem_max", "enabled"))
    refused = [one for one in outcomes if one.step is Step.REFUSED]
    assert {one.place.address for one in refused} == {MEMORY, "sys/kernel/mm/transparent_hugepage/enabled"}
    assert all(errno.errorcode[number] in one.remark for one in refused)
    assert picked(host.root)["proc/sys/vm/swappiness"] == "10"
    assert MEMORY not in steps(host.revert())
    assert picked(host.root) == HOST


def test_where_everything_is_read_only_nothing_is_left_in_the_journal(host: Host) -> None:
    def read_only(path: Path, text: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    outcomes = host.apply(read_only)
    assert {one.step for one in outcomes} == {Step.REFUSED}
    assert "on the host" in outcomes[0].remark
    assert not host.journal.exists()


def test_another_value_that_the_kernel_keeps_is_told_and_is_ours(host: Host) -> None:
    outcomes = host.apply(bounding(4_194_304, "rmem_max"))
    assert steps(outcomes)[MEMORY] is Step.KEPT
    assert picked(host.root)[MEMORY] == "4194304"
    assert steps(host.revert())[MEMORY] is Step.RESTORED
    assert picked(host.root) == HOST


def test_a_write_that_changes_nothing_is_no_change(host: Host) -> None:
    outcomes = host.apply(bounding(212_992, "rmem_max"))
    assert steps(outcomes)[MEMORY] is Step.REFUSED
    assert MEMORY not in steps(host.revert())
    assert picked(host.root) == HOST


def test_what_somebody_has_changed_since_is_left_unless_forced(host: Host) -> None:
    host.apply()
    host.write(MEMORY, "777")
    outcomes = host.revert()
    assert steps(outcomes)[MEMORY] is Step.FOREIGN
    assert picked(host.root) == HOST | {MEMORY: "777"}
    assert [one.place.address for one in host.revert()] == [MEMORY]
    assert steps(host.revert(force=True)) == {MEMORY: Step.RESTORED}
    assert picked(host.root) == HOST
    assert not host.journal.exists()


def test_what_has_its_old_value_already_is_done(host: Host) -> None:
    host.apply()
    host.write(MEMORY, "0x34000")
    assert steps(host.revert())[MEMORY] is Step.ALREADY
    assert not host.journal.exists()


def test_a_revert_that_is_refused_is_told_and_can_be_tried_again(host: Host) -> None:
    host.apply()
    assert steps(host.revert(refusing(errno.EIO, "rmem_max")))[MEMORY] is Step.REFUSED
    assert steps(host.revert()) == {MEMORY: Step.RESTORED}
    assert picked(host.root) == HOST


def test_an_interface_that_has_gone_is_no_obstacle(host: Host) -> None:
    host.apply()
    for path in (f"{CARD}/queues/rx-1/rps_cpus", "proc/sys/net/ipv4/conf/eth1/rp_filter"):
        (host.root / path).unlink()
    outcomes = steps(host.revert())
    assert outcomes["proc/sys/net/ipv4/conf/eth1/rp_filter"] is Step.GONE
    assert outcomes[MEMORY] is Step.RESTORED
    assert not host.journal.exists()


def test_one_that_goes_between_the_check_and_the_write_is_refused(host: Host) -> None:
    path = "proc/sys/net/ipv4/conf/eth1/rp_filter"

    def gone(file: Path, text: str) -> None:
        if file.name == "igmp_max_memberships":
            (host.root / path).unlink()
        put(file, text)

    assert steps(host.apply(gone))[path] is Step.REFUSED
    assert steps(host.revert())[path] is Step.GONE


def test_settings_do_not_outlive_a_boot_and_neither_do_their_entries(host: Host) -> None:
    host.apply()
    plant(host.root, HOST | {"proc/sys/kernel/random/boot_id": "another", MEMORY: "300000"})
    assert {one.step for one in host.revert()} == {Step.BOOTED}
    assert picked(host.root)[MEMORY] == "300000"
    assert not host.journal.exists()


def test_after_a_boot_an_apply_has_originals_of_its_own(host: Host) -> None:
    host.apply()
    booted = HOST | {"proc/sys/kernel/random/boot_id": "another", MEMORY: "300000"}
    plant(host.root, booted)
    host.apply()
    host.revert()
    assert picked(host.root) == booted


def test_a_link_out_of_a_copied_tree_is_not_written(host: Host, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("1\n")
    (host.root / MEMORY).unlink()
    (host.root / MEMORY).symlink_to(outside)
    (refused,) = [one for one in host.apply() if one.place.address == MEMORY]
    assert (refused.step, outside.read_text()) == (Step.REFUSED, "1\n")
    assert "leads out of the copied tree" in refused.remark
    assert MEMORY not in steps(host.revert())


def test_what_a_write_has_brought_about_is_left_for_another_round(host: Host) -> None:
    """More channels have more queues: they are of the next check, and what was tried is not tried again."""
    first = host.apply(refusing(errno.EIO, "swappiness"))
    plant(host.root, {f"{CARD}/queues/rx-2/rps_cpus": "f"})
    findings = check(Machine(Kernel(host.root, put), ("eth1",), FEED), TABLE, Profile.FEED)
    rest = untried(findings, frozenset(one.place for one in first))
    assert [one.place.address for one in intended(rest)] == [f"{CARD}/queues/rx-2/rps_cpus"]


def filling(lines: int) -> Callable[[int, bytes], int]:
    """Give a disk that has room for so many lines."""
    left = [lines]

    def write(fd: int, data: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(fd, data)

    return write


def test_a_disk_that_fills_up_stops_an_apply_which_says_what_stands_changed(host: Host) -> None:
    host.disk = filling(4)  # the head, and three settings
    outcomes = host.apply()
    assert [one.step for one in outcomes] == [Step.WROTE] * 3 + [Step.STOPPED]
    assert "No space left on device; without a journal nothing more is changed; 3 stand changed" in outcomes[-1].remark
    changed = {path for path, value in HOST.items() if picked(host.root)[path] != value}
    assert changed == {one.place.address for one in outcomes[:3]}
    assert [one.step for one in host.revert()] == [Step.RESTORED] * 3  # the disk is as full as it was
    assert picked(host.root) == HOST
    assert not host.journal.exists()


def test_what_somebody_changes_between_the_check_and_the_write_is_the_value_that_comes_back(host: Host) -> None:
    def meanwhile(path: Path, text: str) -> None:
        if path.name == "timer_migration":
            host.write(MEMORY, "300000")
            host.write("proc/sys/vm/swappiness", "10")
        put(path, text)

    outcomes = steps(host.apply(meanwhile))
    assert (outcomes[MEMORY], outcomes["proc/sys/vm/swappiness"]) == (Step.WROTE, Step.ALREADY)
    assert "proc/sys/vm/swappiness" not in steps(host.revert())
    assert picked(host.root) == HOST | {MEMORY: "300000", "proc/sys/vm/swappiness": "10"}


def test_the_real_write_needs_the_file_and_replaces_all_of_it(host: Host) -> None:
    real_put(host.root / MEMORY, "1")
    assert (host.root / MEMORY).read_text() == "1\n"
    with pytest.raises(FileNotFoundError):
        real_put(host.root / "proc/sys/nothing", "1")
    assert not (host.root / "proc/sys/nothing").exists()
