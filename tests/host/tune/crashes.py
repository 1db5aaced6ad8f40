"""Apply or revert a tree, and be killed at the N-th write: run as a program, it forks a child for each N and WHEN.

    python -m tests.host.tune.crashes FOLDER apply|revert

WHEN: before the write, after half of it (of the journal: half a line; a kernel takes a value whole or not at all), or
after it. After each kill the parent reverts, compares the tree with what it was, and prints what it found: a line each.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from netfeed.host.tune.apply import apply, revert
from netfeed.host.tune.check import Machine, check
from netfeed.host.tune.journal import Journal
from netfeed.host.tune.kernel import Kernel
from netfeed.host.tune.setting import Profile
from netfeed.host.tune.table import TABLE
from tests.host.tune.tree import HOST, bounding, picked, plant

WHEN: Final = ("before", "half", "after")
ROWS: Final = [
    row for row in reversed(TABLE) if row.name in ("net.core.rmem_max", "transparent_hugepage", "vm.swappiness")
]
"""Few rows of different forms: each has two steps."""


KERNEL: Final = bounding(4_194_304, "rmem_max")
"""It keeps another value than it is given, so that this must be noted, too."""


class Stopper:
    """Counts the writes, and calls `stop` at one of them."""

    def __init__(self, at: int, when: str, stop: Callable[[], None]) -> None:
        self.left, self.when, self.stop = at, when, stop

    def write(self, fd: int, data: bytes) -> int:
        """Write to the journal."""
        self.left -= 1
        if self.left == 0 and self.when != "after":
            os.write(fd, data[: len(data) // 2 if self.when == "half" else 0])
            self.stop()
        done = os.write(fd, data)
        if self.left == 0:
            self.stop()
        return done

    def put(self, path: Path, text: str) -> None:
        """Write a setting."""
        self.left -= 1
        if self.left == 0 and self.when == "before":
            self.stop()
        KERNEL(path, text)
        if self.left == 0:
            self.stop()


def act(root: Path, action: str, stopper: Stopper, rows: list[object] | None = None) -> None:
    """Apply or revert."""
    kernel, journal = Kernel(root, stopper.put), Journal(root / "journal.json", write=stopper.write)
    with journal.held():
        if action == "apply":
            findings = check(Machine(kernel), rows or ROWS, Profile.FEED)  # type: ignore[arg-type]
            list(apply(kernel, findings, journal))
        else:
            list(revert(kernel, journal))


def killed(root: Path, action: str, at: int, when: str) -> bool:
    """Do it in a child that is killed at a write; say whether it was, or came to its end before."""
    child = os.fork()
    if not child:
        act(root, action, Stopper(at, when, lambda: os.kill(os.getpid(), signal.SIGKILL)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and status:
        sys.exit(f"the child failed at {at} {when}")
    return os.WIFSIGNALED(status)


def main(folder: Path, action: str) -> None:
    """Try every step."""
    nobody = Stopper(0, "", lambda: None)
    for when in WHEN:
        at = 1
        while True:
            root = plant(folder / f"{when}-{at}", HOST)
            if action == "revert":
                act(root, "apply", nobody)
            if not killed(root, action, at, when):
                break
            act(root, "revert", nobody)
            sound = picked(root) == HOST and not (root / "journal.json").exists()
            print(f"{when} {at} {'restored' if sound else 'NOT RESTORED'}", flush=True)
            at += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
