"""What was wrong with the data, and where: the `errors` of every report.

Bounded: a file that is nothing but errors fills MAX_FINDINGS entries, the rest is counted.
"""

from typing import Final, NamedTuple

MAX_FINDINGS: Final = 1000


class Place(NamedTuple):
    """Where something stands: the file, the offset of its record in the (uncompressed) bytes, and the time of capture.

    Units: `ts_ns` since 1970, None where the file gives none; `payload` is the offset of what the record carries.
    """

    file: str
    offset: int
    ts_ns: int | None = None
    payload: int = 0


class Finding(NamedTuple):
    """One thing that was found where another was wanted."""

    file: str
    offset: int
    found: str
    wanted: str


class Findings:
    """Collect findings, at most `limit` of them. `torn` is the last record of a file that its end cut short."""

    def __init__(self, limit: int = MAX_FINDINGS) -> None:
        self.entries: list[Finding] = []
        self.count = 0
        self.torn: Finding | None = None
        self._limit = limit

    def add(self, place: Place, found: object, wanted: object, *, torn: bool = False) -> None:
        """Add one, unless there are too many already; all are counted."""
        self.count += 1
        finding = Finding(place.file, place.offset, str(found), str(wanted))
        if torn:
            self.torn = finding
        if len(self.entries) < self._limit:
            self.entries.append(finding)

    @property
    def dropped(self) -> int:
        """Give how many were counted only."""
        return self.count - len(self.entries)
