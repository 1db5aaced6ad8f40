"""Times as people write and read them: ISO 8601 in UTC, a time of day, or nanoseconds.

A time of day names no date: in a capture it is that of its first packet, in a file of ITCH messages times count from
midnight anyway. No float is on the way.
"""

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

DAY_NS: Final = 86_400 * 10**9
_TIME: Final = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\Z", re.ASCII)
_FRACTION: Final = re.compile(r"\.(\d{1,9})(?=[Z+-]|\Z)", re.ASCII)


class Moment(NamedTuple):
    """A point of time. `of_day`: nanoseconds since the midnight before, not since 1970."""

    ns: int
    of_day: bool = False

    def at(self, reference_ns: int) -> int:
        """Give the moment in nanoseconds since 1970 (or midnight), on the day of `reference_ns` where it names none."""
        return reference_ns // DAY_NS * DAY_NS + self.ns if self.of_day else self.ns


def parse_moment(text: str) -> Moment:
    """Read `2016-11-12T14:30:25.5Z`, `14:30:25.5` or nanoseconds; a date without a zone is UTC.

    Raises: ValueError.
    """
    if text.isdecimal() and text.isascii():
        return Moment(int(text))
    match = _TIME.match(text)
    if match is not None:
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
        if hours > 24 or minutes > 59 or seconds > 60:
            raise ValueError(f"not a time of day: {text!r}")
        return Moment(((hours * 60 + minutes) * 60 + seconds) * 10**9 + _nanos(match[4]), of_day=True)
    try:
        fraction = _FRACTION.search(text)
        whole = datetime.fromisoformat(_FRACTION.sub("", text))
    except ValueError:
        raise ValueError(f"not a time such as 2016-11-12T14:30:25Z, 14:30:25.5 or nanoseconds: {text!r}") from None
    whole = whole if whole.tzinfo else whole.replace(tzinfo=UTC)
    since = whole - datetime(1970, 1, 1, tzinfo=UTC)
    return Moment((since.days * 86_400 + since.seconds) * 10**9 + _nanos(fraction[1] if fraction else None))


def _nanos(fraction: str | None) -> int:
    return int((fraction or "0").ljust(9, "0"))


def time_text(ns: int | None, *, date: bool = True) -> str:
    """Write nanoseconds since 1970 as ISO 8601 in UTC; those within the first day as a time since midnight."""
    if ns is None:
        return "no time"
    seconds, nanos = divmod(ns, 10**9)
    of_day = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{nanos:09}"
    if not date or 0 <= ns < DAY_NS:
        return of_day
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}T{of_day}Z"
    except (ValueError, OverflowError, OSError):
        return f"{ns} ns"
