"""Where a setting stands: a file, many (each processor, each queue), a field of a driver, the kernel command line.

A `Place` is one thing that can be read, and mostly written; its key is what the journal calls it. Patterns are those of
glob below a root directory, `IF` in them is the interface.
"""

import glob
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_NUMBER: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Place:
    """One thing to read. `address`: a path below the root; IF:field; a parameter; a probe and its interface."""

    kind: str
    address: str
    index: int = field(default=0, compare=False)
    """Which of a row of queues it is; the journal does not need it."""

    @property
    def key(self) -> str:
        """Give its name in the journal."""
        return f"{self.kind}:{self.address}"

    @classmethod
    def parse(cls, key: str) -> "Place":
        """Read a name of the journal.

        Raises: ValueError for one that netfeed never writes: the journal cannot make it write elsewhere.
        """
        kind, _, address = key.partition(":")
        file_ok = kind == "file" and address.startswith(("proc/", "sys/")) and ".." not in address.split("/")
        if not file_ok and not (kind == "ethtool" and address.count(":") >= 1):
            raise ValueError(f"not a setting that can be written: {key!r}")
        return cls(kind, address)


@dataclass(frozen=True, slots=True)
class Where:
    """Where a setting stands. In the pattern of a file {cpu} is each of the feed's processors."""

    kind: str
    pattern: str

    @property
    def per_interface(self) -> bool:
        """Say whether each interface has its own."""
        return self.kind in ("ethtool", "irqs") or "/IF/" in self.pattern or self.pattern.endswith((":IF", " IF)"))

    @property
    def sysctl(self) -> str | None:
        """Give its name as sysctl(8) says it."""
        stem = "proc/sys/"
        plain = self.kind == "file" and self.pattern.startswith(stem)
        return self.pattern.removeprefix(stem).replace("/", ".") if plain else None

    def places(self, root: Path, interface: str | None, feed: frozenset[int]) -> list[Place]:
        """List what is there now, in the order of their numbers; files that are not there are not in it."""
        if self.kind == "irqs":
            numbers = interrupts(root, interface or "")
            return [Place("file", f"proc/irq/{one}/smp_affinity_list", at) for at, one in enumerate(numbers)]
        if self.kind == "ethtool":
            return [Place("ethtool", f"{interface}:{self.pattern}")]
        if self.kind != "file":
            return [Place(self.kind, self.pattern.replace(":IF", f":{interface}"))]
        named = glob.escape(interface or "") if _patterned(self.pattern) else interface
        return _files(root, self.pattern.replace("/IF/", f"/{named}/"), feed)


def _files(root: Path, pattern: str, feed: frozenset[int]) -> list[Place]:
    if "{cpu}" in pattern:
        return [one for cpu in sorted(feed) for one in _files(root, pattern.replace("{cpu}", str(cpu)), feed)]
    if not _patterned(pattern):
        return [Place("file", pattern)] if _there(root / pattern) else []
    found = sorted(root.glob(pattern), key=lambda path: [int(one) for one in _NUMBER.findall(path.as_posix())])
    return [Place("file", path.relative_to(root).as_posix(), at) for at, path in enumerate(found)]


def _there(path: Path) -> bool:
    """Say whether something is there; where nobody may look, reading it will say so."""
    try:
        return path.exists()
    except PermissionError:
        return True


def _patterned(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")


def interrupts(root: Path, interface: str) -> list[int]:
    """List the interrupts of an interface: of its device where it tells, else those that /proc/interrupts names so.

    A virtio interface's device is the parent's: it has the interrupts, and the names say virtioN-.
    """
    device = root / "sys/class/net" / interface / "device"
    for folder in (device / "msi_irqs", device.resolve().parent / "msi_irqs"):
        if device.exists() and folder.is_dir():
            return sorted(int(one.name) for one in folder.iterdir() if one.name.isdecimal())
    try:
        lines = (root / "proc/interrupts").read_text(errors="replace").splitlines()
    except OSError:
        return []
    named = re.compile(rf"(?<![\w.-]){re.escape(interface)}(?![\w.])")
    found = [line.partition(":") for line in lines if named.search(line.partition(":")[2])]
    return sorted(int(head.strip()) for head, _, _ in found if head.strip().isdecimal())


def sysctl(name: str) -> Where:
    """Give the place of a sysctl; `IF` is the interface, whose own name may have dots."""
    return Where("file", "proc/sys/" + name.replace(".", "/"))


def file(pattern: str) -> Where:
    """Give the place of files below the root."""
    return Where("file", pattern)


def ethtool(field: str) -> Where:
    """Give the place of a field of an interface's driver."""
    return Where("ethtool", field)


def boot(parameter: str) -> Where:
    """Give the place of a parameter of the kernel command line."""
    return Where("boot", parameter)


def probe(name: str) -> Where:
    """Give the place of something that is found out by asking."""
    return Where("probe", name)


def elsewhere(what: str) -> Where:
    """Say that something stands where netfeed does not look; it is explained, and neither read nor written."""
    return Where("elsewhere", what)


def irqs() -> Where:
    """Give the place of the affinities of an interface's interrupts."""
    return Where("irqs", "proc/irq/N/smp_affinity_list")
