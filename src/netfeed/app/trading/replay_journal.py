"""The order journal of a replay: the same records as live, one after the other in a file that appears when it is whole.

Nothing in it is of this machine or this moment: the same capture, configuration and seed give the same bytes.
"""

import os
from typing import Final

from netfeed.engine.journal import Began, Record, encode

RUN: Final = 1
"""Each replay is a first run."""


class ReplayJournal:
    """Take records; `path` None: they are counted and not kept."""

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.records = 0
        self._file = None if path is None else open(f"{path}.part", "wb")  # noqa: SIM115 - closed by `close`

    def begin(self, now: int) -> None:
        """Write that a run begins."""
        self.record(Began(now, RUN))

    def record(self, record: Record) -> None:
        """Take one record."""
        self.records += 1
        if self._file is not None:
            self._file.write(encode(record, self.records))

    def close(self, *, whole: bool) -> None:
        """Close the file; it gets its name when it is `whole`, else it keeps `.part` in it. Raises: OSError."""
        if self._file is None or self.path is None:
            return
        self._file.close()
        if whole:
            os.replace(f"{self.path}.part", self.path)
