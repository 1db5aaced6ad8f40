"""How much memory this process can still have: what the host has left, and what the limits of its cgroups leave.

Source: proc(5) (MemAvailable), Documentation/admin-guide/cgroup-v2 (memory.max, memory.current, memory.stat; the limit
of each ancestor holds). Leaves out: cgroups of version 1.
"""

import re

from netfeed.host.tree import Tree

_GROUPS = "/sys/fs/cgroup"


def available_bytes(tree: Tree | None = None) -> int | None:
    """Give what can still be had; None when nothing tells."""
    tree = tree or Tree()
    host = kilobytes("/proc/meminfo", "MemAvailable:", tree)
    limits = [] if host is None else [host * 1024]
    for group in _own_groups(tree):
        most = tree.number(f"{_GROUPS}{group}/memory.max")
        if most is not None:
            limits.append(max(0, most - _used(f"{_GROUPS}{group}", tree)))
    return min(limits, default=None)


def _used(folder: str, tree: Tree) -> int:
    """Give what a cgroup holds and does not give back: pages of files that nobody has used of late are given back."""
    cached = re.search(r"^inactive_file (\d+)$", tree.text(f"{folder}/memory.stat") or "", re.ASCII | re.MULTILINE)
    return (tree.number(f"{folder}/memory.current") or 0) - (int(cached[1]) if cached else 0)


def kilobytes(path: str, name: str, tree: Tree | None = None) -> int | None:
    """Read a line `NAME: COUNT kB` of a file of /proc; None when there is none. Units: KiB."""
    for line in ((tree or Tree()).text(path) or "").splitlines():
        words = line.split()
        if words[:1] == [name] and len(words) > 1 and words[1].isdecimal():
            return int(words[1])
    return None


def _own_groups(tree: Tree) -> list[str]:
    """Give the process's cgroup and its ancestors, as folders below the mount; "" is the root (of a container)."""
    for line in (tree.text("/proc/self/cgroup") or "").splitlines():
        if line.startswith("0::/"):
            words = [word for word in line.removeprefix("0::/").split("/") if word not in ("", "..")]
            return ["".join(f"/{word}" for word in words[:count]) for count in range(len(words), -1, -1)]
    return [""]
