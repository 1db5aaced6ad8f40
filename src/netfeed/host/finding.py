"""What a look at the host found, row by row: what is so, how bad that is, and what to do about it."""

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad it is. UNKNOWN: it cannot be told here, and `found` says why; it is no OK."""

    OK = 0
    UNKNOWN = 1
    WARN = 2
    FAIL = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One row. `remedy` is what to do, empty where nothing has to be done."""

    topic: str
    check: str
    level: Level
    found: str
    remedy: str = ""


def worst(findings: list[Finding]) -> Level:
    """Give the worst level; OK of none."""
    return max((one.level for one in findings), default=Level.OK)
