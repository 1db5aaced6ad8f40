"""Readings that no file has: limits of this process, what runs, what is held."""

import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from netfeed.host.capability import lockable_bytes
from netfeed.host.processor import priority_refusal
from netfeed.transport.network import stamps_in_hardware


def running(name: str, proc: Path = Path("/proc")) -> bool:
    """Say whether a program of this name runs (its first 15 letters: the kernel keeps no more)."""
    for one in proc.iterdir():
        if one.name.isdecimal():
            try:
                if (one / "comm").read_text(errors="replace").rstrip("\n") == name[:15]:
                    return True
            except OSError:
                continue
    return False


def _limit(which: int) -> str:
    soft, _ = resource.getrlimit(which)
    return "unlimited" if soft == resource.RLIM_INFINITY else str(soft)


def _memlock(_: str) -> str:
    most = lockable_bytes()
    return "unlimited" if most is None else str(most)


def _priority(_: str) -> str:
    return "refused" if priority_refusal(50) else "allowed"


def _files(_: str) -> str:
    return _limit(resource.RLIMIT_NOFILE)


def _irqbalance(_: str) -> str:
    return "running" if running("irqbalance") else "stopped"


def _latency(_: str) -> str:
    """Read the limit that holds now: an int32 of us; 2 000 000 000 is none."""
    with open("/dev/cpu_dma_latency", "rb", buffering=0) as device:
        return str(struct.unpack("=i", device.read(4))[0])


def _slack(_: str) -> str:
    return Path("/proc/self/timerslack_ns").read_text().strip()


def _stamps(interface: str) -> str:
    return "all received packets" if stamps_in_hardware(interface) else "off, or not supported"


PROBES: Final[dict[str, Callable[[str], str]]] = {
    "memlock": _memlock,
    "priority": _priority,
    "files": _files,
    "irqbalance": _irqbalance,
    "cpu_dma_latency": _latency,
    "timerslack": _slack,
    "stamps": _stamps,
}
"""By name; the argument is the interface, "" where there is none."""
