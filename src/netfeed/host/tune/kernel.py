"""Reading and writing places: files below a root directory, fields of drivers, the command line, and probes.

What is not there and what cannot be read are different things, and neither is an empty value: `Absent`, `Unreadable`.
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from netfeed.errors import NetfeedError
from netfeed.host.tune import card
from netfeed.host.tune.probes import PROBES
from netfeed.host.tune.where import Place
from netfeed.host.words import parameters

MISSING: Final = "absent"
PRESENT: Final = "present"
_MOST: Final = 65_536


class Absent(NetfeedError):
    """The setting is not here; the message says why, when it is known."""


class Unreadable(NetfeedError):
    """The setting is here, or may be, and cannot be read; the message says why."""


def put(path: Path, text: str) -> None:
    """Write a setting into its file, which must be there.

    Raises: OSError with what the kernel said.
    """
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode() + b"\n")
    finally:
        os.close(fd)


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel, or a copied tree of its settings. `put` writes a file: tests stop it there."""

    root: Path = Path("/")
    put: Callable[[Path, str], None] = field(default=put, repr=False)

    @property
    def live(self) -> bool:
        """Say whether this is the running kernel, and not a copy of another one's files."""
        return self.root == Path("/")

    def read(self, place: Place) -> str:
        """Read a place. Raises: Absent, Unreadable."""
        if place.kind == "file":
            return self.text(place.address)
        if place.kind == "boot":
            found = parameters(self.text("proc/cmdline"))
            name = place.address.replace("-", "_")
            return MISSING if name not in found else found[name] or PRESENT
        if place.kind == "elsewhere":
            raise Unreadable(f"netfeed does not look there: {place.address}")
        if not self.live:
            raise Unreadable("the running kernel would have to be asked, and this is a copied tree")
        return self._asked(place)

    def limit(self, place: Place) -> str | None:
        """Give the most that a place can have, where its device says so."""
        if place.kind != "ethtool" or not self.live:
            return None
        interface, _, name = place.address.rpartition(":")
        try:
            return card.limit(interface, name)
        except card.CardError:
            return None

    def write(self, place: Place, text: str) -> None:
        """Write a place.

        Raises: OSError with what the kernel said.
        """
        if place.kind == "file":
            path = self.root / place.address
            if not self.live and not path.resolve().is_relative_to(self.root.resolve()):
                raise OSError(errno.EXDEV, "it leads out of the copied tree")
            self.put(path, text)
        else:
            interface, _, name = place.address.rpartition(":")
            card.write(interface, name, text)

    def text(self, path: str) -> str:
        """Read a file below the root. Raises: Absent, Unreadable."""
        try:
            with open(self.root / path, "rb") as opened:
                return opened.read(_MOST).decode("ascii", errors="replace").rstrip("\n\0")
        except (FileNotFoundError, NotADirectoryError):
            raise Absent(f"no /{path}") from None
        except PermissionError:
            who = "run as root" if os.geteuid() else "for root neither (a container, or a kernel that is locked down)"
            raise Unreadable(f"/{path}: not permitted, {who}") from None
        except OSError as error:
            raise Unreadable(f"/{path}: {error.strerror}") from None

    def boot_id(self) -> str:
        """Give what names this boot, "" where nothing does: what was set before it is gone."""
        try:
            return self.text("proc/sys/kernel/random/boot_id")
        except (Absent, Unreadable):
            return ""

    def net(self) -> str:
        """Give what names this thread's network namespace, "" of a copied tree."""
        return os.readlink("/proc/thread-self/ns/net") if self.live else ""

    def _asked(self, place: Place) -> str:
        try:
            if place.kind == "ethtool":
                interface, _, name = place.address.rpartition(":")
                return card.read(interface, name)
            name, _, interface = place.address.partition(":")
            return PROBES[name](interface)
        except card.NotSupported as error:
            raise Absent(str(error)) from None
        except card.CardError as error:
            raise Unreadable(str(error)) from None
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None
