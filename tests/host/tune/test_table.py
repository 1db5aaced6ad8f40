"""The table: every row says everything, the profiles want what can be, and names are found."""

import re

import pytest

from netfeed.host.tune.apply import Step
from netfeed.host.tune.form import Form, meaning
from netfeed.host.tune.setting import Profile, Setting
from netfeed.host.tune.table import BY_NAME, TABLE, TOPICS, find, near
from netfeed.host.tune.want import AtLeast, AtMost, Equal, Here, Want

HERE = Here(frozenset({2}), frozenset({0, 1}), frozenset({1}), frozenset({2}), limit="4096")

ASKED = [
    "isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity", "skew_tick", "tsc", "rcu_normal_after_boot", "nosoftlockup",
    "pstate", "max_cstate", "idle", "mitigations", "smt", "transparent_hugepage", "hugepages", "vm.nr_hugepages",
    "iommu", "firmware", "cpufreq.governor", "energy_perf_bias", "intel_pstate.min_perf_pct", "platform_profile",
    "cpu_dma_latency", "kernel.sched_rt_runtime_us", "kernel.timer_migration", "kernel.numa_balancing",
    "kernel.nmi_watchdog", "kernel.watchdog_cpumask", "kernel.hung_task_timeout_secs", "workqueue.cpumask",
    "workqueue.writeback.cpumask", "irqbalance", "IF.irq_affinity", "RLIMIT_RTPRIO", "timerslack", "RLIMIT_MEMLOCK",
    "IF.numa_node", "vm.swappiness", "vm.stat_interval", "vm.dirty_ratio", "vm.dirty_background_ratio", "ksm.run",
    "vm.compaction_proactiveness", "vm.zone_reclaim_mode", "net.core.rmem_max", "net.core.wmem_max",
    "net.core.rmem_default", "net.core.netdev_max_backlog", "net.core.netdev_budget", "net.core.netdev_budget_usecs",
    "net.core.busy_read", "net.core.busy_poll", "IF.gro_flush_timeout", "IF.napi_defer_hard_irqs",
    "net.core.netdev_tstamp_prequeue", "net.core.bpf_jit_enable", "net.ipv4.igmp_max_memberships",
    "net.ipv4.igmp_max_msf", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.IF.rp_filter",
    "net.ipv4.conf.IF.force_igmp_version", "net.ipv4.udp_mem", "net.ipv4.udp_rmem_min", "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_low_latency", "net.ipv4.tcp_autocorking",
    "IF.coalesce.rx_usecs", "IF.coalesce.adaptive_rx", "IF.coalesce.rx_frames", "IF.rings.rx", "IF.features.rx-gro",
    "IF.features.rx-lro", "IF.channels.combined", "IF.features.rx-ntuple-filter", "IF.pause", "IF.stamps",
    "IF.rps_cpus", "IF.xps_cpus", "IF.bypass", "IF.firewall", "clocksource", "fair_server", "IF.rss",
]  # fmt: skip


def test_every_setting_that_matters_has_a_row_and_a_name_of_its_own() -> None:
    assert [name for name in ASKED if name not in BY_NAME] == []
    assert len(BY_NAME) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_row_says_everything(row: Setting) -> None:
    for text in (row.why, row.risk, row.helped, row.source):
        assert text
        assert not text.endswith(".")
    wanted = [row.wanted(profile) for profile in Profile]
    assert row.where.kind in ("file", "ethtool", "boot", "probe", "elsewhere", "irqs")
    if row.where.kind in ("boot", "probe", "elsewhere"):
        assert not row.written
        assert row.where.kind != "elsewhere" or wanted == [None, None, None]
    assert ("IF" in row.name) == (
        row.where.per_interface or (row.where.kind == "elsewhere" and row.name.startswith("IF."))
    )


@pytest.mark.parametrize(
    ("row", "want"),
    [(row, want) for row in TABLE for profile in Profile if (want := row.wanted(profile))],
    ids=lambda one: one.name if isinstance(one, Setting) else "",
)
def test_what_is_written_is_what_is_wanted(row: Setting, want: Want) -> None:
    """Whatever stands there, the target has the row's form and will do afterwards."""
    current = {Form.NUMBERS: "1 1 1", Form.CHOICE: "a [b]", Form.MASK: "f", Form.CPUS: "0-9", Form.TEXT: "x"}
    target = want.target(row.form, current.get(row.form, "999999"), HERE)
    meaning(row.form, target)
    assert want.met(row.form, target, HERE)
    if isinstance(want, Equal | AtLeast | AtMost):
        assert want.met(row.form, want.sample, HERE)


def test_rows_that_depend_on_each_other_stand_in_their_order() -> None:
    names = [row.name for row in TABLE]
    for first, then in (
        ("IF.coalesce.rx_frames", "IF.coalesce.rx_usecs"), ("cpufreq.energy_preference", "cpufreq.governor"),
        ("IF.channels.combined", "IF.irq_affinity"), ("IF.rings.rx", "IF.coalesce.rx_frames"),
    ):  # fmt: skip
        assert names.index(first) < names.index(then)


def test_moderation_is_never_left_with_both_at_0() -> None:
    """linux/ethtool.h: it is illegal, since it would cause interrupts to never be generated."""
    frames = BY_NAME["IF.coalesce.rx_frames"]
    for profile in (Profile.FEED, Profile.QUOTE):
        want = frames.wanted(profile)
        assert want is not None
        assert not want.met(frames.form, "0", HERE)
        assert want.target(frames.form, "0", HERE) == "1"


def test_the_risky_one_is_bound_to_isolation() -> None:
    for profile in (Profile.FEED, Profile.QUOTE):
        want = BY_NAME["kernel.sched_rt_runtime_us"].wanted(profile)
        assert want is not None
        assert "isolated" in (want.asks(Here(frozenset({1}), frozenset({0}))) or "")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("rp_filter", ["net.ipv4.conf.all.rp_filter", "net.ipv4.conf.IF.rp_filter"]),
        ("net.core.rmem_max", ["net.core.rmem_max"]),
        ("net/core/rmem_max", ["net.core.rmem_max"]),
        ("clock", ["clocksource"]),
        ("rings.rx", ["IF.rings.rx"]),
        ("rx", ["IF.rings.rx"]),
        ("nothing", []),
    ],
)
def test_a_row_is_found_by_its_name_its_topic_or_its_end(name: str, rows: list[str]) -> None:
    assert [row.name for row in find(name)] == rows


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("rmem_maxx", "net.core.rmem_max"), ("isolcpu", "isolcpus"), ("powr", "power"), ("hugepage", "hugepages")],
)
def test_a_name_that_is_nearly_one_is_guessed(typed: str, meant: str) -> None:
    assert meant in near(typed)


def test_a_name_that_is_none_is_not() -> None:
    assert near("zzzzzzzzzzz") == []


def test_words_of_the_reports_are_words() -> None:
    assert all(re.fullmatch(r"[a-z0-9 ]+", word) for word in [*TOPICS, *Step])
