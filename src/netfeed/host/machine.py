"""What machine this is, in the few words that a figure needs beside it."""

import os
import platform
from pathlib import Path
from typing import Final

from netfeed import BUILD, __version__

CPUINFO: Final = Path("/proc/cpuinfo")


def machine() -> dict[str, str]:
    """Say the processor, the kernel, the load and the build."""
    return {
        "processor": f"{model()}, {os.cpu_count()} CPUs",
        "load average": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "system": f"Linux {platform.release()}, Python {platform.python_version()}, netfeed {__version__} ({BUILD})",
    }


def model() -> str:
    """Name the processor's model, or its architecture where it does not tell."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
