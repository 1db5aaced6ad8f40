"""What this process may do: capabilities and limits, each with what it is for and how it is given.

Sources: capabilities(7), /proc/self/status (CapEff), getrlimit(2), systemd.exec(5).
"""

from typing import Final

from netfeed.host.capability import effective, has, lockable_bytes
from netfeed.host.finding import Finding, Level
from netfeed.host.processor import priority_refusal
from netfeed.host.tree import Tree

TOPIC: Final = "permissions"
CAPABILITIES: Final = {
    "CAP_NET_RAW": "capture frames",
    "CAP_NET_ADMIN": "receive buffers beyond net.core.rmem_max, promiscuous mode, AF_XDP",
    "CAP_SYS_NICE": "SCHED_FIFO without a limit",
    "CAP_IPC_LOCK": "lock memory without a limit",
}
"""What each is for."""


def checks(priority: int | None = None, lock_memory: bool = False, tree: Tree | None = None) -> list[Finding]:
    """Look at what is permitted; only what is wanted and refused is a failure."""
    held = effective(tree)
    found = [_capability(name, held) for name in CAPABILITIES]
    return [*found, fifo(priority), locking(lock_memory)]


def _capability(name: str, held: int) -> Finding:
    what = CAPABILITIES[name]
    if has(name, held):
        return Finding(TOPIC, name, Level.OK, what)
    remedy = f"run as root, `AmbientCapabilities={name}` in the unit, or `setcap {name.lower()}+ep` on the interpreter"
    return Finding(TOPIC, name, Level.WARN, f"absent: without it, no: {what}", remedy)


def fifo(priority: int | None) -> Finding:
    """Say whether a thread may be SCHED_FIFO, by trying it."""
    refusal = priority_refusal(priority or 1)
    if refusal is None:
        return Finding(TOPIC, "SCHED_FIFO", Level.OK, f"priority {priority or 1} can be had")
    said, _, remedy = refusal.partition(": ")
    return Finding(TOPIC, "SCHED_FIFO", Level.FAIL if priority else Level.WARN, said, remedy)


def locking(wanted: bool) -> Finding:
    """Say how much memory may be locked."""
    most = lockable_bytes()
    if most is None:
        return Finding(TOPIC, "memory lock", Level.OK, "without a limit")
    said = f"at most {most / 2**20:.3g} MiB can be locked"
    remedy = "`LimitMEMLOCK=infinity` in the unit, `memlock unlimited` in limits.conf, or CAP_IPC_LOCK"
    return Finding(TOPIC, "memory lock", Level.FAIL if wanted else Level.WARN, said, remedy)
