"""Texts of /proc and /sys, below a root that tests may choose. What is absent is None; what is empty is "".

/proc/net is read as /proc/thread-self/net: the network namespace is the thread's, not the process's.
"""

import re
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

MOST = 1 << 26
"""No text that is read here is longer: /proc/net/udp has 128 for each socket. Units: bytes."""
_PART = 1 << 16
"""/proc/sys refuses to be read in parts of a few MiB (ENOMEM)."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a host."""

    root: str = "/"

    def text(self, path: str) -> str | None:
        """Read a file, without the white space around it; None when it is absent or must not be read."""
        try:
            with open(Path(self.root) / path.lstrip("/"), "rb") as file:
                parts = islice(iter(partial(file.read, _PART), b""), MOST // _PART)
                return b"".join(parts).decode("ascii", "replace").strip()
        except OSError:
            return None

    def net(self, name: str) -> str | None:
        """Read /proc/net/NAME of the calling thread's network namespace."""
        return self.text(f"/proc/thread-self/net/{name}")

    def number(self, path: str) -> int | None:
        """Read a file that holds one number; None when it does not."""
        text = self.text(path)
        return int(text) if text is not None and re.fullmatch(r"-?\d{1,20}", text, re.ASCII) else None

    def sysctl(self, name: str) -> int | None:
        """Read a kernel setting that is one number, by its dotted name."""
        return self.number("/proc/sys/" + name.replace(".", "/"))

    def names(self, path: str) -> list[str]:
        """List what a folder holds; nothing when there is none."""
        try:
            return sorted(one.name for one in (Path(self.root) / path.lstrip("/")).iterdir())
        except OSError:
            return []


def paired(text: str | None) -> dict[str, int]:
    """Read pairs of lines as in /proc/net/snmp: `Name: key key`, then `Name: value value`."""
    lines, values = (text or "").splitlines(), {}
    for head, row in zip(lines[::2], lines[1::2], strict=False):
        name, _, keys = head.partition(":")
        for key, number in zip(keys.split(), row.partition(":")[2].split(), strict=False):
            values[f"{name}.{key}"] = int(number) if number.lstrip("-").isdecimal() else 0
    return values
