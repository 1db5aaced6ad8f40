"""Settings of this process: where it runs, memory that stays, exact timers. Each refusal comes with its remedy.

What is asked for and not granted is said and not fatal: a feed that runs slower is better than none.
Sources: sched_setaffinity(2), mlockall(2), mallopt(3), prctl(2) (PR_SET_TIMERSLACK, PR_SET_THP_DISABLE), the recipe
for memory of the kernel's real-time wiki (no trimming, no mappings for large blocks, all touched once).
Leaves out: the receiving thread, which has its own processor and priority.
"""

import ctypes
import os
from collections.abc import Sequence
from typing import Final

from netfeed.host.capability import lockable_bytes
from netfeed.host.memory import available_bytes, kilobytes
from netfeed.host.processor import affinity_refusal
from netfeed.host.tree import Tree
from netfeed.units import duration_text

_MCL_CURRENT, _MCL_FUTURE = 1, 2
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_PR_SET_TIMERSLACK, _PR_SET_THP_DISABLE = 29, 41
_NEVER: Final = 2**31 - 1


def pin(cpus: Sequence[int]) -> list[str]:
    """Let the calling thread, and all that it starts from now on, run on these processors only; give the refusals."""
    refusals = [refusal for cpu in cpus if (refusal := affinity_refusal(cpu)) is not None]
    if not refusals:
        os.sched_setaffinity(0, cpus)
    return refusals


def lock_memory() -> str | None:
    """Keep all memory of the process in RAM, what it will get too; say why not where that is refused.

    Everything is touched at once, the stacks of threads too: the process becomes larger. Where a limit stands it is
    refused at once: later, the kernel would refuse memory in the middle of a run.
    """
    if lockable_bytes() is not None:
        return (
            "memory is not locked (a limit would let memory run out later): `LimitMEMLOCK=infinity` in the unit "
            "(`ulimit -l unlimited`), or CAP_IPC_LOCK"
        )
    if not _libc().mlockall(_MCL_CURRENT | _MCL_FUTURE):
        return None
    return (
        f"memory is not locked ({os.strerror(ctypes.get_errno())}): `LimitMEMLOCK=infinity` in the unit "
        "(`ulimit -l unlimited`), or CAP_IPC_LOCK"
    )


def prefault(size: int, tree: Tree | None = None) -> str | None:
    """Have `size` bytes of the C library's heap touched and kept, so that no later use waits for the kernel.

    Units: bytes. Gives why not, where it cannot be had: the kernel promises more than there is, and kills who
    touches it.
    """
    left = available_bytes(tree)
    if left is not None and size > left:
        return f"{size:,} bytes are not touched in advance, {left:,} are left here: a smaller process.prefault"
    libc = _libc()
    libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    block = libc.malloc(size)
    if not block:
        return f"no {size:,} bytes of memory to touch in advance: a smaller process.prefault"
    ctypes.memset(block, 0, size)
    libc.free(block)
    return None


def timer_slack(slack_ns: int) -> str | None:
    """Let the kernel be late with a sleep of this thread by at most so much (50 us without). Units: ns."""
    if not _control(_PR_SET_TIMERSLACK, max(1, slack_ns)):
        return None
    return f"timer slack stays as it is: {duration_text(slack_ns)} is refused ({os.strerror(ctypes.get_errno())})"


def no_huge_pages() -> str | None:
    """Have no transparent huge pages made of this process's memory: nobody stops it to compact memory for them."""
    if not _control(_PR_SET_THP_DISABLE, 1):
        return None
    return (
        f"transparent huge pages stay ({os.strerror(ctypes.get_errno())}): this kernel turns them off for all or none"
    )


def locked_bytes(tree: Tree | None = None) -> int:
    """Read how much of this process's memory is locked. Units: bytes."""
    return (kilobytes("/proc/self/status", "VmLck:", tree) or 0) * 1024


def _control(option: int, value: int) -> int:
    return int(_libc().prctl(option, *(ctypes.c_ulong(one) for one in (value, 0, 0, 0))))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
