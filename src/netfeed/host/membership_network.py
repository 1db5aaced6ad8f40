"""One network of those that a listener hears: what was asked, answered and left there, and what followed.

A machine without I/O, like the whole (`membership.Memberships`), which has one for each protocol and VLAN.
Source: RFC 2236, RFC 3376, RFC 2710, RFC 3810.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from netfeed.host.members import Change, Members, Membership, Room
from netfeed.host.membership_events import (
    Event,
    Kind,
    expired_text,
    lost_text,
    membership_json,
    misfit,
    querier_json,
    querier_text,
    rival_text,
    span,
)
from netfeed.host.queriers import FULL, Queriers
from netfeed.machine import NEVER
from netfeed.wire.frame import NO_VLAN
from netfeed.wire.membership import Heard
from netfeed.wire.membership_words import SECOND_NS, Address, Leave, Protocol, Query, Report

MAX_LEAVES: Final = 1024
MAX_ANSWERS: Final = 64
AFTER_LEAVE_NS: Final = 3 * SECOND_NS
"""In which a querier has asked twice, a second apart, who else wants a group (RFC 3376, 8.8), and a little more."""
CHECK_NS: Final = SECOND_NS
"""How often memberships that nobody renews are looked for."""


@dataclass(slots=True)
class _Leaving:
    """A group that a host left, and what followed."""

    host: Address
    at_ns: int
    asked: bool = False
    answers: set[Address] = field(default_factory=set)

    def answer(self, host: Address) -> None:
        """Note that another host wants the group."""
        if host != self.host and len(self.answers) < MAX_ANSWERS:
            self.answers.add(host)


class Network:
    """One network: a protocol on a VLAN, or without a tag."""

    def __init__(self, protocol: Protocol, vlan: int, begun_ns: int, room: Room) -> None:
        self.protocol, self.vlan, self.begun_ns = protocol, vlan, begun_ns
        self.name = protocol if vlan == NO_VLAN else f"{protocol} on VLAN {vlan}"
        self.queriers, self.members = Queriers(), Members(room)
        self.queries = self.reports = self.leaves = 0
        self.version: int | None = None
        self.expired: dict[tuple[Address, Address], Membership] = {}
        """Memberships that ended without a leave, the newest MAX_LEAVES."""
        self._leaving: dict[Address, _Leaving] = {}
        self._check_ns = NEVER
        self._patience_ns = NEVER

    def be_patient_until(self, at_ns: int) -> None:
        """Say at which time a network without a query has no querier."""
        self._patience_ns = at_ns

    @property
    def deadline(self) -> int:
        """Give the time of the next thing to tell."""
        first = next(iter(self._leaving.values()), None)
        leaving = first.at_ns + AFTER_LEAVE_NS if first else NEVER
        return min(self.queriers.deadline, leaving, self._check_ns, self._patience_ns)

    def hear(self, heard: Heard, now: int) -> list[Event]:
        """Take a message."""
        message = heard.message
        if isinstance(message, Query):
            return self._query(heard, message, now)
        if isinstance(message, Leave):
            self.leaves += 1
            changes = [self.members.leave(heard.source, message.group)]
            self._leaves(heard.source, message.group, now)
            return self._host(heard.source, message.version, now) + self._told(changes, now)
        return self._report(heard.source, message, now)

    def wake(self, now: int) -> list[Event]:
        """Tell what silence means."""
        events = []
        gone = self.queriers.wake(now)
        if gone is not None:
            events.append(self._event(Kind.QUERIER_LOST, now, lost_text(gone, now), querier=str(gone.address)))
        if now >= self._patience_ns:
            self._patience_ns = NEVER
            if not self.queries:
                text = f"no query for {span(now - self.begun_ns)}: there is no querier, or none is heard here"
                events.append(self._event(Kind.NO_QUERIER, now, text))
        if now >= self._check_ns:
            events += self._expire(now)
        return events + self._after_leaves(now) + self._spoken(now)

    def _query(self, heard: Heard, query: Query, now: int) -> list[Event]:
        self.queries += 1
        if query.group is not None and query.group in self._leaving:
            self._leaving[query.group].asked = True
        queriers = self.queriers
        before, known = queriers.elected, heard.source in queriers.known
        one = queriers.hear(heard.source, query, now, misfit(heard))
        if one is None:
            return []
        events = []
        if queriers.elected is one and before is not one:
            kind = Kind.QUERIER if before is None else Kind.ELECTED
            events.append(self._event(kind, now, querier_text(one, before), **querier_json(one)))
        elif not known or (one.overruled == 2 and query.group is None and not one.nameless):
            text = rival_text(one, queriers.elected)
            events.append(self._event(Kind.RIVAL, now, text, **querier_json(one)))
        return events + self._spoken(now)

    def _report(self, host: Address, report: Report, now: int) -> list[Event]:
        self.reports += 1
        changes = []
        for record in report.records:
            if (leaving := self._leaving.get(record.group)) is not None:
                leaving.answer(host)
            change = self.members.report(host, record, report.version, now)
            if change and change[0] is Change.LEFT:
                self._leaves(host, record.group, now)
            self.expired.pop((host, record.group), None)
            changes.append(change)
        if self.members.count and self._check_ns == NEVER:
            self._check_ns = now + CHECK_NS
        return self._host(host, report.version, now) + self._told(changes, now)

    def _host(self, host: Address, version: int, now: int) -> list[Event]:
        before = self.members.speaks(host, version)
        if before is None:
            return []
        lower = version < before
        lost = ": a query made it, and its source filters are lost" if lower and before == FULL[self.protocol] else ""
        text = f"{host} speaks {self.protocol}v{version} now, and v{before} before{lost}"
        return [self._event(Kind.HOST_VERSION, now, text, host=str(host), version=version, before=before)]

    def _told(self, changes: Sequence[tuple[Change, Membership] | None], now: int) -> list[Event]:
        words = {Change.JOINED: "wants", Change.CHANGED: "now wants", Change.LEFT: "leaves"}
        events = []
        for change, one in (found for found in changes if found):
            what = f"{one.host} {words[change]} {one.group}" + (f" {one}" if change is not Change.LEFT else "")
            events.append(self._event(Kind(change.value), now, what, **membership_json(one)))
        return events

    def _leaves(self, host: Address, group: Address, now: int) -> None:
        self._leaving.pop(group, None)  # so that they stand in the order of their times
        if len(self._leaving) < MAX_LEAVES:
            self._leaving[group] = _Leaving(host, now)

    def _after_leaves(self, now: int) -> list[Event]:
        events = []
        while (first := next(iter(self._leaving.items()), None)) and now >= first[1].at_ns + AFTER_LEAVE_NS:
            group, one = first
            del self._leaving[group]
            text = f"after {one.host} left {group} " + self._followed(group, one)
            events.append(self._event(
                Kind.AFTER_LEAVE, now, text, group=str(group), host=str(one.host), asked=one.asked,
                answers=[str(host) for host in sorted(one.answers, key=int)],
            ))  # fmt: skip
        return events

    def _followed(self, group: Address, one: _Leaving) -> str:
        if one.answers:
            return f"{', '.join(str(host) for host in sorted(one.answers, key=int)[:4])} still wants it"
        if one.asked:
            return "the querier asked, and nobody wants it any more"
        last = self.queriers.elected
        for_long = f", for {span(last.membership_ns)}" if last else ""
        left = len(self.members.groups.get(group, ()))
        rest = f"; {left} others were heard to want it" if left else ""
        return f"nobody was heard to ask who else wants it: it flows on{for_long}, or was cut off at once{rest}"

    def _expire(self, now: int) -> list[Event]:
        """End memberships that nobody renewed, as the querier does; without one nothing is asked, and nothing ends."""
        self._check_ns = now + CHECK_NS if self.members.count else NEVER
        elected = self.queriers.elected
        if elected is None:
            return []
        together = (self.version or elected.version) < FULL[self.protocol]
        since = max(elected.first_ns, self.begun_ns)  # who was not asked yet need not have answered
        if now - since < elected.membership_ns:
            return []
        ended = self.members.expire(now - elected.membership_ns, together=together)
        for one in ended:
            if len(self.expired) >= MAX_LEAVES:
                del self.expired[next(iter(self.expired))]
            self.expired[one.host, one.group] = one
        return [self._event(Kind.EXPIRED, now, expired_text(one, now), **membership_json(one)) for one in ended]

    def _spoken(self, now: int) -> list[Event]:
        """Tell when the version that hosts must speak is another one."""
        before, self.version = self.version, self.queriers.version(now)
        if before is None or self.version is None or self.version == before:
            return []
        what = "without source filters" if self.version < FULL[self.protocol] else "with source filters again"
        text = f"version {self.version} is spoken now, {what}; it was {before}"
        return [self._event(Kind.VERSION, now, text, version=self.version, before=before)]

    def _event(self, kind: Kind, now: int, text: str, **details: Any) -> Event:
        return Event(kind, now, self.name, text, details)
