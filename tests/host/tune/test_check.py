"""A check: what is right, what differs, and everything else with its reason."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from netfeed.errors import ConfigurationError
from netfeed.host.tune.check import Finding, Machine, State, check, summary
from netfeed.host.tune.kernel import Absent, Kernel, Unreadable
from netfeed.host.tune.setting import Profile
from netfeed.host.tune.table import TABLE
from netfeed.host.tune.where import Place
from tests.host.tune.tree import CARD, CPU, HOST, Values, plant

FEED = frozenset({2, 3})


def findings(
    root: Path,
    values: Values = HOST,
    *,
    interfaces: tuple[str, ...] = ("eth1",),
    feed: frozenset[int] = FEED,
    profile: Profile = Profile.FEED,
) -> dict[str, Finding]:
    machine = Machine(Kernel(plant(root, values)), interfaces, feed)
    return {one.name: one for one in check(machine, TABLE, profile)}


def without(*names: str) -> Values:
    return {path: value for path, value in HOST.items() if not path.endswith(names)}


@pytest.mark.parametrize(
    ("name", "state", "current", "recommended"),
    [
        ("net.core.rmem_max", State.DIFFERS, "212992", "at least 67108864"),
        ("net.core.wmem_max", State.OK, "268435456", "at least 16777216"),
        ("net.ipv4.udp_mem", State.DIFFERS, "1000 131072 999999999", "at least 65536 131072 262144"),
        ("transparent_hugepage", State.DIFFERS, "always", "never"),
        ("net.ipv4.conf.eth1.rp_filter", State.DIFFERS, "1", "0"),
        ("cpufreq.governor", State.DIFFERS, "powersave (3), performance (1)", "performance"),
        ("isolcpus", State.OK, "2-3", "the feed's processors"),
        ("kernel.sched_rt_runtime_us", State.DIFFERS, "950000", "-1"),
        ("cpuidle.disable", State.DIFFERS, "0", "1"),
        ("eth1.irq_affinity", State.DIFFERS, "0-3 (1), 0 (1)", "1"),
        ("workqueue.cpumask", State.DIFFERS, "0000000f", "3"),
        ("eth1.rps_cpus", State.DIFFERS, "00000000,00000000 (1), 00000000,0000000f (1)", "0"),
        ("rcu_nocbs", State.REBOOT, "absent", "the feed's processors"),
    ],
)
def test_each_row_is_compared_by_what_it_means(
    tmp_path: Path, name: str, state: State, current: str, recommended: str
) -> None:
    found = findings(tmp_path)[name]
    assert (found.state, found.current, found.recommended) == (state, current, recommended)


def test_only_what_differs_is_to_be_written(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert [one.place.address for one in found["eth1.rps_cpus"].to_write] == [f"{CARD}/queues/rx-1/rps_cpus"]
    assert found["net.ipv4.udp_mem"].to_write[0].target == "65536 131072 999999999"
    assert found["net.core.wmem_max"].to_write == ()
    assert found["rcu_nocbs"].to_write == ()


def test_absent_and_empty_are_not_the_same(tmp_path: Path) -> None:
    empty = findings(tmp_path / "empty", HOST | {f"{CPU}/isolated": ""})["isolcpus"]
    assert (empty.state, empty.current, empty.ok) == (State.REBOOT, "", False)
    absent = findings(tmp_path / "absent", without("/isolated"))["isolcpus"]
    assert (absent.state, absent.current, absent.ok) == (State.ABSENT, None, None)
    assert absent.remark == f"not in this kernel: no /{CPU}/isolated"


def test_a_row_that_needs_processors_says_so(tmp_path: Path) -> None:
    found = findings(tmp_path, feed=frozenset())
    for name in ("isolcpus", "cpuidle.disable", "workqueue.cpumask", "eth1.irq_affinity", "kernel.sched_rt_runtime_us"):
        assert (found[name].state, found[name].ok, found[name].to_write) == (State.ARGUMENT, None, ())
        assert "--cpus" in found[name].remark


def test_a_row_of_an_interface_says_that_it_needs_one_and_is_there_for_each(tmp_path: Path) -> None:
    none = findings(tmp_path / "none", interfaces=())
    assert none["IF.rps_cpus"].state is State.ARGUMENT
    assert "-i IF" in none["IF.rps_cpus"].remark
    both = findings(tmp_path / "both", interfaces=("eth1", "eth2"))
    assert both["eth1.rps_cpus"].state is State.DIFFERS
    assert both["eth2.rps_cpus"].state is State.ABSENT
    assert "no /sys/class/net/eth2" in both["eth2.rps_cpus"].remark


def test_a_mask_that_the_kernel_never_made_is_empty_and_not_unknown(tmp_path: Path) -> None:
    found = findings(tmp_path, {**HOST, f"{CPU}/nohz_full": "  (null)"})["nohz_full"]
    assert (found.state, found.remark) == (State.REBOOT, "add nohz_full=2-3 to the kernel command line")


def test_interrupts_keep_away_from_the_hyper_threads_of_the_feed_where_there_are_others(tmp_path: Path) -> None:
    near = {**HOST, f"{CPU}/cpu0/topology/physical_package_id": "1"}
    assert findings(tmp_path / "a", near)["eth1.irq_affinity"].recommended == "0-1"
    siblings = {f"{CPU}/cpu3/topology/thread_siblings_list": "1,3"}
    assert findings(tmp_path / "b", near | siblings)["eth1.irq_affinity"].recommended == "0"
    assert findings(tmp_path / "c", HOST | siblings)["eth1.irq_affinity"].recommended == "1"  # there is no other


def test_a_host_that_never_warns_of_hung_threads_is_not_made_to(tmp_path: Path) -> None:
    path = "proc/sys/kernel/hung_task_timeout_secs"
    for value, state in (("0", State.OK), ("600", State.OK), ("120", State.DIFFERS)):
        found = findings(tmp_path / value, {**HOST, path: value})["kernel.hung_task_timeout_secs"]
        assert (found.state, found.recommended) == (state, "at least 600 or 0")


def test_hyper_threads_are_left_out_of_the_command_line_that_names_processors(tmp_path: Path) -> None:
    found = findings(tmp_path, {**HOST, f"{CPU}/smt/active": "1"})["smt"]
    assert (found.state, found.to_write) == (State.DIFFERS, ())
    assert "then choose --cpus of what is left" in found.remark


def test_the_fair_server_stays_where_the_feed_cores_are_not_isolated(tmp_path: Path) -> None:
    server = {f"sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime": "50000000" for cpu in (2, 3)}
    assert len(findings(tmp_path / "a", HOST | server)["fair_server"].to_write) == 2
    shared = findings(tmp_path / "b", HOST | server | {f"{CPU}/isolated": "3"})["fair_server"]
    assert (shared.state, shared.to_write) == (State.ARGUMENT, ())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_folder_that_nobody_may_look_into_is_unknown() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are root's alone
        root = plant(Path(name), HOST | {"sys/kernel/debug/sched/fair_server/cpu2/runtime": "50000000"})
        root.chmod(0o755)
        (root / "sys/kernel/debug").chmod(0o700)
        os.seteuid(65534)
        try:
            found = {one.name: one for one in check(Machine(Kernel(root), (), FEED), TABLE, Profile.FEED)}
        finally:
            os.seteuid(0)
    assert (found["fair_server"].state, "not permitted" in found["fair_server"].remark) == (State.UNKNOWN, True)


def test_throttling_stays_where_the_feed_cores_are_not_isolated(tmp_path: Path) -> None:
    found = findings(tmp_path, HOST | {f"{CPU}/isolated": "3"})["kernel.sched_rt_runtime_us"]
    assert (found.state, found.to_write) == (State.ARGUMENT, ())
    assert "isolated are 3" in found.remark


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("net.core.rmem_max", "proc/sys/net/core/rmem_max", "many"),
        ("net.ipv4.udp_mem", "proc/sys/net/ipv4/udp_mem", "1 2"),
        ("transparent_hugepage", "sys/kernel/mm/transparent_hugepage/enabled", "[a] [b]"),
        ("workqueue.cpumask", "sys/devices/virtual/workqueue/cpumask", "0-3"),
        ("kernel.watchdog_cpumask", "proc/sys/kernel/watchdog_cpumask", ""),
    ],
)
def test_a_value_in_an_odd_form_is_unknown_and_not_written(tmp_path: Path, name: str, path: str, value: str) -> None:
    found = findings(tmp_path, HOST | {path: value})[name]
    if name == "kernel.watchdog_cpumask":  # nobody is a set, and not one that will do
        assert (found.state, found.recommended) == (State.DIFFERS, "0-1")
        return
    assert (found.state, found.ok, found.to_write) == (State.UNKNOWN, None, ())
    assert "not understood" in found.remark


def test_settings_of_drivers_are_not_those_of_a_copied_tree(tmp_path: Path) -> None:
    found = findings(tmp_path)
    for name in ("eth1.rings.rx", "eth1.coalesce.rx_usecs", "RLIMIT_MEMLOCK", "irqbalance"):
        assert found[name].state is State.UNKNOWN
        assert "copied tree" in found[name].remark


@pytest.mark.parametrize(("cpus", "said"), [({7}, "7 is not there"), ({0, 1, 2, 3}, "leave a processor")])
def test_processors_that_cannot_be_the_feeds_are_refused(tmp_path: Path, cpus: set[int], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        findings(tmp_path, feed=frozenset(cpus))


def test_the_profiles_differ(tmp_path: Path) -> None:
    quote = findings(tmp_path / "quote", profile=Profile.QUOTE)
    capture = findings(tmp_path / "capture", profile=Profile.CAPTURE)
    assert quote["eth1.xps_cpus"].to_write[0].target == "4"
    assert "eth1.xps_cpus" not in capture
    assert "kernel.sched_rt_runtime_us" not in capture


def test_every_row_is_a_finding_of_a_host_that_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    for profile in Profile:
        found = check(Machine(Kernel(tmp_path), ("eth9",)), TABLE, profile)
        assert {one.setting.name for one in found} == {row.name for row in TABLE if row.wanted(profile)}
        assert {one.state for one in found} <= {State.ABSENT, State.UNKNOWN, State.ARGUMENT}
        assert all(one.remark for one in found)


def test_what_cannot_be_read_is_told_with_the_kernels_word(tmp_path: Path) -> None:
    plant(tmp_path, HOST)
    with pytest.raises(Unreadable, match=os.strerror(errno.EISDIR)):
        Kernel(tmp_path).text("proc/sys")
    with pytest.raises(Absent, match="no /proc/nothing"):
        Kernel(tmp_path).text("proc/nothing")
    with pytest.raises(Absent):
        Kernel(tmp_path).text("proc/cmdline/below")
    with pytest.raises(Unreadable, match="does not look there"):
        Kernel(tmp_path).read(Place("elsewhere", "nftables"))


@pytest.mark.parametrize(("user", "said"), [(1000, "not permitted, run as root"), (0, "for root neither")])
def test_who_is_root_already_is_not_told_to_become_it(monkeypatch: pytest.MonkeyPatch, user: int, said: str) -> None:
    def closed(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("builtins.open", closed)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(Unreadable, match=said):
        Kernel().text("proc/cmdline")


def test_many_values_are_summed_up() -> None:
    assert summary(["1", "1"]) == "1"
    assert summary(["a", "", "a"]) == "a (2), empty (1)"
