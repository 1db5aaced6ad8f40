"""Memory: what scans, moves or writes it behind everybody's back.

Source: Documentation/admin-guide/sysctl/vm, admin-guide/mm (transhuge, ksm, hugetlbpage).
"""

from typing import Final

from netfeed.host.tune.form import Form
from netfeed.host.tune.setting import Setting
from netfeed.host.tune.want import AtLeast, AtMost, Equal
from netfeed.host.tune.where import file, sysctl

_ZERO: Final = Equal("0")
_THP: Final = Equal("never", ("madvise",))

SETTINGS: Final = (
    Setting(
        name="transparent_hugepage",
        where=file("sys/kernel/mm/transparent_hugepage/enabled"),
        form=Form.CHOICE,
        feed=_THP,
        quote=_THP,
        capture=_THP,
        why="no stalls while the kernel joins pages to large ones; with madvise only programs that ask have them",
        risk="programs with much memory may be slower",
        helped="thp_fault_alloc, compact_stall of /proc/vmstat",
        source="tuned latency-performance; rigtorp low-latency-guide",
    ),
    Setting(
        name="transparent_hugepage.defrag",
        where=file("sys/kernel/mm/transparent_hugepage/defrag"),
        form=Form.CHOICE,
        feed=Equal("never", ("madvise", "defer", "defer+madvise")),
        quote=Equal("never", ("madvise", "defer", "defer+madvise")),
        why="a page fault does not wait until memory has been moved",
        helped="compact_stall of /proc/vmstat",
        source="kernel docs transhuge",
    ),
    Setting(
        name="vm.nr_hugepages",
        where=sysctl("vm.nr_hugepages"),
        why="large pages for rings and umem: fewer misses of the TLB",
        risk="the memory is taken from everybody else",
        helped="HugePages_Free of /proc/meminfo; dTLB misses of perf stat",
        source="Onload UG1586",
    ),
    Setting(
        name="vm.swappiness",
        where=sysctl("vm.swappiness"),
        feed=AtMost(10),
        quote=AtMost(10),
        capture=AtMost(10),
        why="pages of programs stay in memory; no swap at all (swapoff -a) is surer",
        helped="pswpin, pswpout of /proc/vmstat",
        source="tuned latency-performance; rigtorp low-latency-guide",
    ),
    Setting(
        name="vm.stat_interval",
        where=sysctl("vm.stat_interval"),
        feed=AtLeast((10,)),
        quote=AtLeast((10,)),
        why="counters of memory are gathered from each processor every 10 s, not every second",
        risk="vmstat is less exact",
        helped="wake-ups of kworker/N: on the feed's processors",
        source="tuned realtime, cpu-partitioning (rigtorp low-latency-guide: 120)",
    ),
    Setting(
        name="vm.dirty_ratio",
        where=sysctl("vm.dirty_ratio"),
        feed=AtMost(10),
        quote=AtMost(10),
        capture=AtMost(10),
        why="a capture's writer is not stopped for long when much has to be written",
        risk="disks are written to sooner; 0: vm.dirty_bytes holds in its place",
        helped="Dirty of /proc/meminfo; balance_dirty_pages in perf trace",
        source="tuned 2.20 latency-performance (2026: as bytes, 10 %)",
    ),
    Setting(
        name="vm.dirty_background_ratio",
        where=sysctl("vm.dirty_background_ratio"),
        feed=AtMost(3),
        quote=AtMost(3),
        capture=AtMost(3),
        why="writing begins early, and in small pieces",
        risk="disks are written to sooner; 0: vm.dirty_background_bytes holds in its place",
        helped="Dirty of /proc/meminfo",
        source="tuned 2.20 latency-performance (2026: as bytes, 3 %)",
    ),
    Setting(
        name="vm.compaction_proactiveness",
        where=sysctl("vm.compaction_proactiveness"),
        feed=_ZERO,
        quote=_ZERO,
        why="memory is not moved for pages that nobody has asked for",
        risk="large pages are rarer",
        helped="compact_daemon_wake of /proc/vmstat",
        source="kernel docs sysctl/vm",
    ),
    Setting(
        name="vm.zone_reclaim_mode",
        where=sysctl("vm.zone_reclaim_mode"),
        feed=_ZERO,
        quote=_ZERO,
        capture=_ZERO,
        why="a full NUMA node takes memory of another, and does not clear its own first",
        helped="zone_reclaim_success of /proc/vmstat",
        source="kernel docs sysctl/vm",
    ),
    Setting(
        name="ksm.run",
        where=file("sys/kernel/mm/ksm/run"),
        feed=_ZERO,
        quote=_ZERO,
        why="no thread that looks for equal pages",
        risk="virtual machines on this host take more memory",
        helped="pages_scanned of /sys/kernel/mm/ksm",
        source="rigtorp low-latency-guide; kernel docs ksm",
    ),
)
