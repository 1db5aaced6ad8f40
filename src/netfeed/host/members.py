"""Who wants which groups on a network, host by host, as their own reports say. Time is an argument. Units: ns.

A membership excludes sources (none: every source is wanted) or includes some (none: nothing is wanted, it has ended).
Where IGMPv2 or MLDv1 is spoken a host says nothing when it hears another say the same: a group has then members that
nobody hears of, and all of them live as long as one reports.

Bounded: MAX_MEMBERSHIPS in all, MAX_SOURCES each; what is more is counted in `overflow`.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from netfeed.wire.membership_words import Address, GroupRecord, RecordType

MAX_MEMBERSHIPS: Final = 16_384
MAX_GROUPS: Final = 8_192
MAX_SOURCES: Final = 256


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


class Members:
    """The memberships of one network."""

    def __init__(self) -> None:
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
        self.overflow += max(0, len(one.sources) - MAX_SOURCES)
        one.sources = set(sorted(one.sources, key=int)[:MAX_SOURCES])
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
        self.count -= one is not None
        return (Change.LEFT, one) if one else None

    def speaks(self, host: Address, version: int) -> int | None:
        """Note the version that a host speaks; give the one it spoke before, where that was another one."""
        before = self.versions.get(host)
        if before is None and len(self.versions) >= MAX_MEMBERSHIPS:
            self.overflow += 1
            return None
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

    def _add(self, one: Membership) -> bool:
        known = one.group in self.groups
        if self.count >= MAX_MEMBERSHIPS or (not known and len(self.groups) >= MAX_GROUPS):
            self.overflow += 1
            return False
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
