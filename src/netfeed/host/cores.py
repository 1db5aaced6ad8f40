"""The processors of this host: which a thread may run on, and which were kept free for somebody.

Source: cpuset(7) (the form of lists), Documentation/admin-guide/kernel-parameters.txt (isolcpus, nohz_full).
"""

import os
from pathlib import Path
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.host.cpus import parse_cpu_list

_SYSTEM: Final = Path("/sys/devices/system/cpu")


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
        asked = sorted(parse_cpu_list(text))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    if not asked:
        raise ConfigurationError("an empty list of processors: name one, as in 2 or 2-3")
    refused = [cpu for cpu in asked if cpu not in may]
    if refused:
        raise ConfigurationError(
            f"processors {', '.join(map(str, refused))} cannot be had: this process may run on "
            f"{', '.join(map(str, may))} (its cpuset, container or CPUAffinity says so)"
        )
    return asked


def _listed(name: str) -> list[int]:
    try:
        return sorted(parse_cpu_list((_SYSTEM / name).read_text()))
    except (OSError, ValueError):  # there is none, or it is empty or "(null)"
        return []
