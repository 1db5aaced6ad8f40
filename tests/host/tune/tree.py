"""A copied tree of /proc and /sys, with real files, and a kernel's manners when they are written.

What it holds is that of a host with four processors in two packages and a card of two queues.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

Values = dict[str, str]

CPU = "sys/devices/system/cpu"
CARD = "sys/class/net/eth1"

HOST: Values = {
    "proc/cmdline": "BOOT_IMAGE=/vmlinuz quiet isolcpus=domain,2-3",
    "proc/sys/kernel/random/boot_id": "11111111-2222-3333-4444-555555555555",
    "proc/sys/kernel/sched_rt_runtime_us": "950000",
    "proc/sys/kernel/timer_migration": "1",
    "proc/sys/kernel/watchdog_cpumask": "0-3",
    "proc/sys/vm/swappiness": "60",
    "proc/sys/vm/dirty_ratio": "20",
    "proc/sys/net/core/rmem_max": "212992",
    "proc/sys/net/core/wmem_max": "268435456",
    "proc/sys/net/ipv4/udp_mem": "1000\t131072\t999999999",
    "proc/sys/net/ipv4/igmp_max_memberships": "20",
    "proc/sys/net/ipv4/conf/all/rp_filter": "2",
    "proc/sys/net/ipv4/conf/eth1/rp_filter": "1",
    "proc/irq/default_smp_affinity": "f",
    "proc/irq/40/smp_affinity_list": "0-3",
    "proc/irq/41/smp_affinity_list": "0",
    "proc/interrupts": " CPU0 CPU1\n 40: 1 2 PCI-MSI 1-edge eth1-TxRx-0\n 41: 1 2 PCI-MSI 2-edge eth1-TxRx-1",
    f"{CPU}/online": "0-3",
    f"{CPU}/isolated": "2-3",
    f"{CPU}/cpu0/topology/physical_package_id": "0",
    f"{CPU}/cpu1/topology/physical_package_id": "1",
    f"{CPU}/cpu2/topology/physical_package_id": "1",
    f"{CPU}/cpu3/topology/physical_package_id": "1",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave",
    f"{CPU}/cpu1/cpufreq/scaling_governor": "performance",
    f"{CPU}/cpu2/cpufreq/scaling_governor": "powersave",
    f"{CPU}/cpu10/cpufreq/scaling_governor": "powersave",
    f"{CPU}/cpu2/cpuidle/state0/disable": "0",
    f"{CPU}/cpu2/cpuidle/state2/disable": "0",
    f"{CPU}/cpu3/cpuidle/state2/disable": "0",
    "sys/devices/virtual/workqueue/cpumask": "0000000f",
    "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never",
    f"{CARD}/ifindex": "3",
    f"{CARD}/queues/rx-0/rps_cpus": "00000000,00000000",
    f"{CARD}/queues/rx-1/rps_cpus": "00000000,0000000f",
    f"{CARD}/queues/tx-0/xps_cpus": "1",
    f"{CARD}/queues/tx-1/xps_cpus": "2",
}  # fmt: skip


def plant(root: Path, values: Values) -> Path:
    """Make the files of a tree."""
    for path, value in values.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(value + "\n")
    return root


def picked(root: Path) -> Values:
    """Read all files of a tree."""
    return {
        path.relative_to(root).as_posix(): path.read_text().rstrip("\n")
        for top in ("proc", "sys")
        for path in sorted((root / top).rglob("*"))
        if path.is_file()
    }


def put(path: Path, text: str) -> None:
    """Write as the kernel would: the file must be there, and a selection moves its brackets."""
    old = path.read_text()
    if "[" in old:
        words = old.replace("[", "").replace("]", "").split()
        if text not in words:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        text = " ".join(f"[{word}]" if word == text else word for word in words)
    path.write_text(text + "\n")


def refusing(number: int, *names: str) -> Callable[[Path, str], None]:
    """Give a kernel that refuses to write these files."""

    def refuse(path: Path, text: str) -> None:
        if path.name in names:
            raise OSError(number, os.strerror(number))
        put(path, text)

    return refuse


def bounding(most: int, *names: str) -> Callable[[Path, str], None]:
    """Give a kernel that keeps at most so much, and says nothing."""

    def bound(path: Path, text: str) -> None:
        put(path, str(min(int(text), most)) if path.name in names else text)

    return bound
