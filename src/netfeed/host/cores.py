"""The processors of this host: which a thread may run on, and which were kept free for somebody.

Source: cpuset(7) (the form of lists), Documentation/admin-guide/kernel-parameters.txt (isolcpus, nohz_full).
"""

import os
from pathlib import Path
from typing import Final

from netfeed.errors import ConfigurationError

_SYSTEM: Final = Path("/sys/devices/system/cpu")
MAX_NUMBER: Final = 8191
"""The highest number that a kernel can be built for."""


def cpu_list(text: str) -> list[int]:
    """Read a list of processors as the kernel writes it: `0-3,5`.

    Raises: ValueError.
    """
    found: set[int] = set()
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        if not (first.isascii() and first.isdecimal() and (last.isascii() and last.isdecimal() if dash else True)):
            raise ValueError(f"not a list of processors such as 0-3,5: {text!r}")
        low, high = int(first), int(last or first)
        if not low <= high <= MAX_NUMBER:
            raise ValueError(f"not a list of processors such as 0-3,5: {text!r}")
        found.update(range(low, high + 1))
    return sorted(found)


def allowed() -> list[int]:
    """List the processors that this thread may run on."""
    return sorted(os.sched_getaffinity(0))


def isolated() -> list[int]:
    """List those that the scheduler leaves alone (isolcpus=, or an isolated cpuset)."""
    return _listed("isolated")


def tickless() -> list[int]:
    """List those without a timer tick while one thread runs (nohz_full=)."""
    return _listed("nohz_full")


def chosen(text: str | None) -> list[int]:
    """Give the processors of a list, all of which may be used; without one, the isolated ones, or all that may be.

    Raises: ConfigurationError that names those that may be.
    """
    may = allowed()
    if text is None:
        return [cpu for cpu in isolated() if cpu in may] or may
    try:
        asked = cpu_list(text)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    refused = [cpu for cpu in asked if cpu not in may]
    if refused:
        raise ConfigurationError(
            f"processors {', '.join(map(str, refused))} cannot be had: this process may run on "
            f"{', '.join(map(str, may))} (its cpuset, container or CPUAffinity says so)"
        )
    return asked


def _listed(name: str) -> list[int]:
    try:
        return cpu_list((_SYSTEM / name).read_text())
    except (OSError, ValueError):  # there is none, or it is empty or "(null)"
        return []
