"""What was wrong with the data, and where: the `errors` of every report, listed in the order of the files.

Bounded: a file that is nothing but errors fills MAX_FINDINGS entries, the rest is counted.
"""

from typing import Final, NamedTuple

MAX_FINDINGS: Final = 1000
NOWHERE: Final = -1
"""The offset of what concerns a whole file."""


class Place(NamedTuple):
    """Where something stands: the file, the offset of its record in the (uncompressed) bytes, and the time of capture.

    Units: `ts_ns` since 1970, None where the file gives none; `payload` is the offset of what the record carries.
    """

    file: str
    offset: int
    ts_ns: int | None = None
    payload: int = 0


class Finding(NamedTuple):
    """One thing that was found where another was wanted. `offset`: None where it stands at no one place."""

    file: str
    offset: int | None
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
        offset = place.offset if place.file and place.offset != NOWHERE else None
        finding = Finding(place.file, offset, str(found), str(wanted))
        if torn:
            self.torn = finding
        if len(self.entries) < self._limit:
            self.entries.append(finding)

    def listed(self) -> list[Finding]:
        """List them file by file, as they stand in it; last what has no offset."""
        rank = {file: number for number, file in enumerate(dict.fromkeys(entry.file for entry in self.entries))}

        def key(entry: Finding) -> tuple[bool, int, bool, int]:
            return not entry.file, rank[entry.file], entry.offset is None, entry.offset or 0

        return sorted(self.entries, key=key)

    @property
    def dropped(self) -> int:
        """Give how many were counted only."""
        return self.count - len(self.entries)
