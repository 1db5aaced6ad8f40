"""What this process may do beyond what everybody may: effective capabilities, and the limit of locked memory.

Sources: capabilities(7), linux/capability.h for the bits, /proc/self/status (CapEff), getrlimit(2).
"""

import re
import resource
from typing import Final

from netfeed.host.tree import Tree

BITS: Final = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_IPC_LOCK": 14, "CAP_SYS_NICE": 23}


def effective(tree: Tree | None = None) -> int:
    """Read the effective capabilities as a mask; 0 when they cannot be read."""
    for line in ((tree or Tree()).text("/proc/self/status") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff" and re.fullmatch(r"\s*[0-9a-f]{1,16}", value):
            return int(value, 16)
    return 0


def has(name: str, held: int) -> bool:
    """Say whether a capability is in a mask."""
    return bool(held >> BITS[name] & 1)


def lockable_bytes() -> int | None:
    """Give how much memory may be locked; None: without a limit. Units: bytes."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY or has("CAP_IPC_LOCK", effective()) else soft
