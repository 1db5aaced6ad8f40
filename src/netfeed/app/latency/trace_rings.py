"""Trace rings: which there are, and reading all of one run as one, the thread's, the loop's and the deciders'.

A run's rings are NAME and NAME.WHO: all bear the run's channels, and a decider may come later than the run. Nobody is
woken by a trace, so they are read every now and then, and often enough that none is overwritten.
"""

import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from netfeed.errors import NetfeedError
from netfeed.latency.stage import ABSENT, TRACE, Flag
from netfeed.transport.ring import FOLDER, Reader, RingError, located

UNAVAILABLE: Final = 69
FAILED: Final = 1
LOOK_NS: Final = 1_000_000_000
"""How often new deciders, and whether the writer still lives, are looked for."""


class AttachError(NetfeedError):
    """A ring cannot be read: it is not there, is another's, or its writer is gone. `code` is the exit code."""

    def __init__(self, text: str, code: int = UNAVAILABLE, *, denied: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.denied = denied


class TraceRings:
    """The rings of one run, read as one.

    Raises: AttachError when there are none to read.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.main = attached(name)
        self._others: dict[Path, Reader] = {}
        self._lost = 0  # of rings that are closed
        self._look_ns = 0
        self._find(time.monotonic_ns())

    def read(self) -> tuple[Any, Any]:
        """Give what was written since the last time: (of packets, of decisions). Decisions are read first: what they
        follow was written before.
        """
        self._find(time.monotonic_ns())
        parts = [reader.read() for reader in self._others.values()] + [self.main.read()]
        rows = np.concatenate([part for part in parts if len(part)] or [np.empty(0, TRACE)])
        decided = rows["flags"] & Flag.DECISION != 0
        return rows[~decided], rows[decided]

    @property
    def lost(self) -> int:
        """Count the records that were overwritten before they were read."""
        return self._lost + self.main.lost + sum(reader.lost for reader in self._others.values())

    @property
    def deciders(self) -> list[str]:
        """Name the other rings of the run."""
        return [path.name.removeprefix(f"{located(self.name).name}.") for path in self._others]

    @property
    def ended(self) -> bool:
        """Say whether the run has closed its ring, or another one stands in its place."""
        return self.main.closed or self.main.replaced

    def titles(self) -> dict[tuple[int, int], str]:
        """Give the names of channels and lines, by channel and line; the channel's own by NO_BOOK."""
        return {key: name.text for key, name in self.main.names.items()}

    def close(self) -> None:
        """Let go of all rings."""
        for reader in (self.main, *self._others.values()):
            reader.close()

    def _find(self, now: int) -> None:
        """Look for rings that came, and let go of those that are closed and read."""
        if now < self._look_ns:
            return
        newest = self._look_ns == 0  # all that is in a ring that came later is of our time
        self._look_ns = now + LOOK_NS
        for path, reader in list(self._others.items()):
            if (reader.closed or reader.replaced) and reader.at == reader.published:
                self._lost += reader.lost
                reader.close()
                del self._others[path]
        for path in _beside(located(self.name)):
            if path not in self._others:
                self._others[path] = Reader(path, newest=newest)


def attached(name: str) -> Reader:
    """Open a ring of traces. Raises: AttachError that says what is there instead."""
    path = located(name)
    try:
        reader = Reader(path)
    except FileNotFoundError:
        raise AttachError(f"there is no ring {path}: {_there()}") from None
    except PermissionError as error:
        owner = path.stat().st_uid
        raise AttachError(
            f"{path} cannot be read ({error.strerror}): it takes the user {owner} who made it, or CAP_DAC_OVERRIDE",
            denied=True,
        ) from None
    except RingError as error:
        raise AttachError(str(error), FAILED) from None
    if reader.dtype != TRACE:
        fields = ", ".join((reader.dtype.names or ())[:4])
        reader.close()
        raise AttachError(f"{path} is a ring of other records ({fields}, ...), not of traces: {_there()}", FAILED)
    if reader.closed or reader.abandoned:
        told = gone(reader)
        reader.close()
        raise AttachError(f"{told}; remove {path} and start the run anew")
    return reader


def gone(reader: Reader) -> str:
    """Say that nobody writes to a ring any more, and since when: by the last record of all rings of its run."""
    found = [_last_ns(path) for path in (reader.path, *_beside(reader.path))]
    told = [one for one in found if one is not None]
    last = max(told, default=reader.made_ns)
    what = "its last record is of" if told else "nothing was written since it was made at"
    ago = max(0, time.time_ns() - last) // 10**9
    at = time.strftime("%H:%M:%S", time.gmtime(last // 10**9))
    return f"the writer of {reader.path} is gone and has not closed it: {what} {at} UTC, {ago} s ago"


def _last_ns(path: Path) -> int | None:
    """Give the latest stamp in a ring, None in one that nothing was written to."""
    with Reader(path, newest=False) as everything:
        stamps = everything.read()["at_ns"]
    stamps = stamps[stamps != ABSENT]
    return int(stamps.max()) if len(stamps) else None


def _beside(path: Path) -> list[Path]:
    """List the other rings of the run that a ring is of."""
    return [other for other in path.parent.glob(f"{path.name}.*") if is_trace(other)]


def rings() -> list[str]:
    """Name the rings of traces that lie in shared memory, but for those beside another one."""
    shown = (path for path in FOLDER.iterdir() if path.is_file() and not path.name.startswith("."))
    found = sorted(path.name for path in shown if is_trace(path))
    return [name for name in found if not any(name.startswith(f"{other}.") for other in found)]


def is_trace(path: Path) -> bool:
    """Say whether a file is a ring of traces that may be read."""
    try:
        with Reader(path) as reader:
            return reader.dtype == TRACE
    except (OSError, RingError):
        return False


def _there() -> str:
    found = rings()
    return (
        f"there are {', '.join(found[:8])}" if found else "no run is traced here; start one with `[trace] ring = NAME`"
    )
