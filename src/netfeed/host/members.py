"""Who wants which groups on a network, host by host, as their own reports say. Time is an argument. Units: ns.

A membership excludes sources (none: every source is wanted) or includes some (none: nothing is wanted, it has ended).
Where IGMPv2 or MLDv1 is spoken a host says nothing when it hears another say the same: a group has then members that
nobody hears of, and all of them live as long as one reports.

Bounded: MAX_MEMBERSHIPS in all, MAX_SOURCES each, and of all networks together what `Room` has place for; what is more
is counted in `overflow`.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from netfeed.wire.membership_words import Address, GroupRecord, RecordType

MAX_MEMBERSHIPS: Final = 16_384
MAX_GROUPS: Final = 8_192
MAX_SOURCES: Final = 256
MAX_REMEMBERED: Final = 131_072
"""Memberships, sources, groups and hosts of all networks: some 40 MB."""


class Change(Enum):
    """What a report changed."""

    JOINED = "joined"
    CHANGED = "changed"
    LEFT = "left"


@dataclass(slots=True)
class Membership:
    """What one host wants of one group."""

    host: Address
    group: Address
    version: int
    first_ns: int
    last_ns: int
    exclude: bool = True
    sources: set[Address] = field(default_factory=set)
    reports: int = 0

    @property
    def filters(self) -> bool:
        """Say whether it wants some sources only, or not all."""
        return not self.exclude or bool(self.sources)

    def wants(self, source: Address | None) -> bool:
        """Say whether packets of a source are wanted; None: of some source."""
        return source is None or (source in self.sources) != self.exclude

    def __str__(self) -> str:
        named = ", ".join(str(one) for one in sorted(self.sources, key=int)[:4])
        more = f" and {len(self.sources) - 4} more" if len(self.sources) > 4 else ""
        if not self.exclude:
            return f"from {named}{more} only"
        return f"from all but {named}{more}" if named else "from all sources"


@dataclass(slots=True)
class Room:
    """How much more may be remembered; networks share it, because anybody can make them up."""

    left: int = MAX_REMEMBERED


class Members:
    """The memberships of one network."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.groups: dict[Address, dict[Address, Membership]] = {}
        """Every group that was ever wanted, with those who want it now."""
        self.versions: dict[Address, int] = {}
        """The version that each host spoke last."""
        self.count = self.overflow = 0
        self.filtered = False
        """Whether anybody ever named sources."""

    def report(self, host: Address, record: GroupRecord, version: int, now: int) -> tuple[Change, Membership] | None:
        """Note what a host says of a group; None when nothing is new."""
        if record.type not in frozenset(RecordType) or (host.version == 6 and int(host) == 0):
            return None  # :: is a host that has no address yet, and says it again when it has (RFC 3810, 5.2.13)
        there = self.groups.get(record.group, {})
        one = there.get(host)
        before = (one.exclude, frozenset(one.sources)) if one else None
        if one is None:
            if record.type == RecordType.BLOCK_OLD_SOURCES or _nothing(record):
                return None
            one = Membership(host, record.group, version, now, now, exclude=False)
        _apply(one, record)
        self._hold(one, len(before[1]) if before else 0)
        self.filtered |= bool(one.sources)
        one.version, one.last_ns, one.reports = version, now, one.reports + 1
        if not one.exclude and not one.sources:
            return self.leave(host, record.group)
        if before is None:
            return (Change.JOINED, one) if self._add(one) else None
        return (Change.CHANGED, one) if before != (one.exclude, frozenset(one.sources)) else None

    def leave(self, host: Address, group: Address) -> tuple[Change, Membership] | None:
        """End a membership; None when there was none."""
        one = self.groups.get(group, {}).pop(host, None)
        if one is None:
            return None
        self.count -= 1
        self._room.left += 1 + len(one.sources)
        return Change.LEFT, one

    def speaks(self, host: Address, version: int) -> int | None:
        """Note the version that a host speaks; give the one it spoke before, where that was another one."""
        before = self.versions.get(host)
        if before is None:
            if len(self.versions) >= MAX_MEMBERSHIPS or self._room.left <= 0:
                self.overflow += 1
                return None
            self._room.left -= 1
        self.versions[host] = version
        return before if before != version else None

    def expire(self, before_ns: int, *, together: bool) -> list[Membership]:
        """End the memberships that were reported last before a time; `together`: of a group all or none."""
        ended = []
        for there in self.groups.values():
            newest = max((one.last_ns for one in there.values()), default=0)
            ended += [one for one in there.values() if (newest if together else one.last_ns) < before_ns]
        for one in ended:
            self.leave(one.host, one.group)
        return ended

    def _hold(self, one: Membership, held: int) -> None:
        """Keep as many sources as there is room for, and one in any case: none would be another filter.

        `held`: how many it had.
        """
        fit = max(1, min(MAX_SOURCES, held + self._room.left))
        if len(one.sources) > fit:
            self.overflow += len(one.sources) - fit
            one.sources = set(sorted(one.sources, key=int)[:fit])
        self._room.left -= len(one.sources) - held

    def _add(self, one: Membership) -> bool:
        known = one.group in self.groups
        full = self.count >= MAX_MEMBERSHIPS or self._room.left <= 0
        if full or (not known and len(self.groups) >= MAX_GROUPS):
            self.overflow += 1
            self._room.left += len(one.sources)
            return False
        self._room.left -= 1 + (not known)
        self.groups.setdefault(one.group, {})[one.host] = one
        self.count += 1
        return True


def _nothing(record: GroupRecord) -> bool:
    """Say whether a record of a group that its host did not want ends what there was not."""
    includes = record.type in (RecordType.MODE_IS_INCLUDE, RecordType.CHANGE_TO_INCLUDE, RecordType.ALLOW_NEW_SOURCES)
    return includes and not record.sources


def _apply(one: Membership, record: GroupRecord) -> None:
    sources = set(record.sources)
    match record.type:
        case RecordType.MODE_IS_INCLUDE | RecordType.CHANGE_TO_INCLUDE:
            one.exclude, one.sources = False, sources
        case RecordType.MODE_IS_EXCLUDE | RecordType.CHANGE_TO_EXCLUDE:
            one.exclude, one.sources = True, sources
        case RecordType.ALLOW_NEW_SOURCES:
            one.sources = one.sources - sources if one.exclude else one.sources | sources
        case RecordType.BLOCK_OLD_SOURCES:
            one.sources = one.sources | sources if one.exclude else one.sources - sources
