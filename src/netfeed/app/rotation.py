"""Which file comes next: by size or time, told apart by the time in the name or by a number, and only so many kept.

    day-%H%M%S.pcapng      the time at which the file begins, as strftime writes it
    day.pcapng             with rotation day-00000.pcapng, day-00001.pcapng, ...; day.pcapng.zst: day-00000.pcapng.zst

Names only: whoever writes opens the file, and says when it is complete.
"""

import contextlib
import os
import time
from collections import deque
from typing import Final

PACKED: Final = (".gz", ".zst")
"""Endings that say how a file is packed, not what it is."""


class Rotation:
    """The names of the files of one output. `beside` ends the name of what stands beside a file, and goes with it.

    Units: `size` in bytes, `every_ns` in ns.
    """

    def __init__(
        self, path: str, *, size: int | None = None, every_ns: int | None = None, files: int | None = None,
        beside: str = "",
    ) -> None:  # fmt: skip
        self._path, self._size, self.every_ns, self._keep = path, size, every_ns, files
        self._beside = beside
        self._count = 0
        self._before = ""
        self._complete: deque[str] = deque()

    def next(self, seconds: float | None = None) -> str:
        """Name another file, which begins at a time. Units: `seconds` since 1970, None: now."""
        name = time.strftime(self._path, time.localtime(seconds)) if "%" in self._path else self._path
        rotates = self._size is not None or self.every_ns is not None
        same = name == self._before if "%" in self._path else rotates  # a name that comes round again is meant to
        self._before = name
        self._count += 1
        return numbered(name, self._count - 1) if same else name

    def is_full(self, size: int) -> bool:
        """Say whether a file of so many bytes is full."""
        return self._size is not None and size >= self._size

    def completed(self, name: str) -> None:
        """Take note that a file is complete; the oldest of more than are kept are removed."""
        if name in self._complete:
            self._complete.remove(name)
        self._complete.append(name)
        while self._keep is not None and len(self._complete) > self._keep:
            self._remove(self._complete.popleft())

    def _remove(self, name: str) -> None:
        for one in dict.fromkeys((name, name + self._beside)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(one)

    @property
    def files(self) -> list[str]:
        """List the complete files that are kept, the oldest first."""
        return list(self._complete)


def numbered(name: str, number: int) -> str:
    """Put a number before what says the kind of a file.

    >>> numbered("a/day.pcapng.zst", 7), numbered("day", 7)
    ('a/day-00007.pcapng.zst', 'day-00007')
    """
    folder, base = os.path.split(name)
    packed = next((ending for ending in PACKED if base.endswith(ending)), "")
    stem, dot, ending = base.removesuffix(packed).rpartition(".")
    stem, rest = (stem, dot + ending) if dot and stem else (base.removesuffix(packed), "")
    return os.path.join(folder, f"{stem}-{number:05}{rest}{packed}")
