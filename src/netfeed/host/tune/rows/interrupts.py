"""Interrupts: next to the feed's processors, never on them.

Source: Documentation/core-api/irq/irq-affinity.
"""

from typing import Final

from netfeed.host.tune.form import Form
from netfeed.host.tune.setting import Setting
from netfeed.host.tune.want import Equal, Housekeeping
from netfeed.host.tune.where import file, irqs, probe

_STOPPED: Final = Equal("stopped")

SETTINGS: Final = (
    Setting(
        name="irqbalance",
        where=probe("irqbalance"),
        form=Form.TEXT,
        feed=_STOPPED,
        quote=_STOPPED,
        hand="systemctl disable --now irqbalance, or IRQBALANCE_BANNED_CPULIST in its configuration",
        why="it moves interrupts back to where it thinks best",
        risk="interrupts are spread by hand from now on",
        helped="smp_affinity_list of /proc/irq/N stays",
        source="tuned cpu-partitioning; Onload UG1586",
    ),
    Setting(
        name="default_smp_affinity",
        where=file("proc/irq/default_smp_affinity"),
        form=Form.MASK,
        feed=Housekeeping(),
        quote=Housekeeping(),
        why="interrupts that come to be later start on the other processors",
        helped="/proc/interrupts",
        source="tuned realtime; kernel docs irq-affinity",
    ),
    Setting(
        name="IF.irq_affinity",
        where=irqs(),
        form=Form.CPUS,
        feed=Housekeeping(beside=True),
        quote=Housekeeping(beside=True),
        absent="virtual interfaces have no interrupts",
        why="the card interrupts a processor near the feed's, in one package with it, and not the one that spins",
        risk="drivers with managed interrupts refuse (EIO)",
        helped="effective_affinity_list; /proc/interrupts",
        source="Onload UG1586; Cloudflare 2015 low latency",
    ),
    Setting(
        name="IF.numa_node",
        where=file("sys/class/net/IF/device/numa_node"),
        absent="one memory, or a virtual interface",
        hand="numactl --cpunodebind=N --membind=N netfeed run ...",
        why="the feed's processors and memory should be those that the card is wired to",
        helped="numastat -p netfeed",
        source="Onload UG1586; Cloudflare 2015 low latency",
    ),
)
