"""The scheduler: who else may run on the feed's processors, and when it is stopped there.

Source: Documentation/admin-guide/sysctl/kernel, core-api/workqueue, sched(7).
"""

from typing import Final

from netfeed.host.tune.form import Form
from netfeed.host.tune.setting import Setting
from netfeed.host.tune.want import AtLeast, Equal, Housekeeping, WhereIsolated
from netfeed.host.tune.where import file, sysctl

_ZERO: Final = Equal("0")
_OTHERS: Final = Housekeeping()
_PATIENT: Final = AtLeast((600,), also=("0",))

SETTINGS: Final = (
    Setting(
        name="kernel.sched_rt_runtime_us",
        where=sysctl("kernel.sched_rt_runtime_us"),
        feed=WhereIsolated(Equal("-1")),
        quote=WhereIsolated(Equal("-1")),
        why="a SCHED_FIFO thread that spins is otherwise stopped for 50 ms in every second; since Linux 6.12 that is "
        "left to fair_server, but in kernels built with RT_GROUP_SCHED",
        risk="a real-time thread that never sleeps then hangs whatever else must run on its processor, the kernel's "
        "own threads too: only where the processors are the feed's alone",
        helped="a gap of 50 ms each second is gone (p99 45 ms before, measured)",
        source="tuned realtime; measured",
    ),
    Setting(
        name="fair_server",
        where=file("sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime"),
        feed=WhereIsolated(_ZERO),
        quote=WhereIsolated(_ZERO),
        absent="before Linux 6.12, or debugfs is not mounted (mount -t debugfs none /sys/kernel/debug)",
        why="ns of each second in which threads that are not real-time run there in spite of a SCHED_FIFO one that "
        "spins (50 ms): while one of them waits, and whatever kernel.sched_rt_runtime_us says",
        risk="threads of the kernel that must run there wait for ever, and the host may hang: only where processors "
        "are the feed's alone",
        helped="gaps of a loop that reads the clock, with a second thread pinned beside it",
        source="kernel commits 'sched/fair: Fair server interface' and 'sched/rt: Remove default bandwidth control'",
    ),
    Setting(
        name="kernel.timer_migration",
        where=sysctl("kernel.timer_migration"),
        feed=_ZERO,
        quote=_ZERO,
        why="timers stay on the processor that set them, and do not come to the feed's",
        risk="idle processors sleep less",
        helped="LOC of /proc/interrupts",
        source="tuned realtime",
    ),
    Setting(
        name="kernel.numa_balancing",
        where=sysctl("kernel.numa_balancing"),
        feed=_ZERO,
        quote=_ZERO,
        capture=_ZERO,
        why="no page faults that the kernel makes to learn who uses which memory",
        risk="programs that are not pinned may work on the far memory",
        helped="numa_hint_faults of /proc/vmstat",
        source="tuned cpu-partitioning; rigtorp low-latency-guide",
    ),
    Setting(
        name="kernel.nmi_watchdog",
        where=sysctl("kernel.nmi_watchdog"),
        feed=_ZERO,
        quote=_ZERO,
        why="no interrupt that only asks whether the processor hangs",
        risk="one that hangs is not told",
        helped="NMI of /proc/interrupts stands still",
        source="tuned realtime, cpu-partitioning",
    ),
    Setting(
        name="kernel.watchdog_cpumask",
        where=sysctl("kernel.watchdog_cpumask"),
        form=Form.CPUS,
        feed=_OTHERS,
        quote=_OTHERS,
        why="the watchdog looks after the other processors only",
        risk="a feed processor that hangs is not told",
        helped="the watchdog threads: ps -eLo psr,comm",
        source="kernel docs lockup-watchdogs",
    ),
    Setting(
        name="kernel.hung_task_timeout_secs",
        where=sysctl("kernel.hung_task_timeout_secs"),
        feed=_PATIENT,
        quote=_PATIENT,
        why="threads that a spinning one keeps waiting are no alarm yet; 0 is no alarm ever",
        risk="real hangs are told later",
        helped="dmesg | grep 'blocked for more than'",
        source="tuned realtime",
    ),
    Setting(
        name="workqueue.cpumask",
        where=file("sys/devices/virtual/workqueue/cpumask"),
        form=Form.MASK,
        feed=_OTHERS,
        quote=_OTHERS,
        why="work that the kernel puts off is done on the other processors",
        helped="kworker/u threads: ps -eLo psr,comm",
        source="tuned cpu-partitioning; rigtorp low-latency-guide; kernel docs workqueue",
    ),
    Setting(
        name="workqueue.writeback.cpumask",
        where=file("sys/devices/virtual/workqueue/writeback/cpumask"),
        form=Form.MASK,
        feed=_OTHERS,
        quote=_OTHERS,
        capture=_OTHERS,
        why="writing to disks is done on the other processors",
        helped="kworker/u threads named flush: ps -eLo psr,comm",
        source="tuned cpu-partitioning; rigtorp low-latency-guide",
    ),
)
