"""What is told of memberships: events as sentences and in words for programs. Units: ns."""

from enum import StrEnum
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from netfeed.host.members import Membership
from netfeed.host.queriers import Querier
from netfeed.units import duration_text
from netfeed.wire.membership import Heard
from netfeed.wire.membership_words import SECOND_NS, Address


class Kind(StrEnum):
    """What happened."""

    QUERIER = "querier"
    ELECTED = "elected"
    RIVAL = "rival"
    QUERIER_LOST = "querier_lost"
    NO_QUERIER = "no_querier"
    VERSION = "version"
    HOST_VERSION = "host_version"
    JOINED = "joined"
    CHANGED = "changed"
    LEFT = "left"
    AFTER_LEAVE = "after_leave"
    EXPIRED = "expired"


class Event(NamedTuple):
    """Something that happened on a network, as a sentence and in words for programs."""

    kind: Kind
    ts_ns: int
    network: str
    text: str
    details: dict[str, Any]


def misfit(heard: Heard) -> str:
    """Say why hosts and switches may pass a query over, "" when they do not."""
    message = heard.message
    if heard.ttl != 1:
        return f"its TTL is {heard.ttl} and not 1"
    if not heard.alert and not (message.protocol == "IGMP" and message.version == 1):
        return "it has no router alert"
    if isinstance(heard.source, IPv6Address) and not heard.source.is_link_local:
        return "its source is no link-local address"
    return ""


def is_local(group: Address) -> bool:
    """Say whether a group stays on its link (224.0.0.0/24, ff02::/16): switches forward it whoever wants it."""
    return group.packed[:3] == b"\xe0\0\0" if group.version == 4 else group.packed[1] & 15 <= 2


def span(ns: int) -> str:
    """Write how long something lasts, as people say it."""
    return f"{ns / SECOND_NS:,.0f} s" if ns >= 10 * SECOND_NS else duration_text(ns)


def querier_json(one: Querier) -> dict[str, Any]:
    """Give what is known of a querier."""
    return {
        "querier": str(one.address), "version": one.version, "interval_ns": one.interval_ns, "told": bool(one.told_ns),
        "response_ns": one.response_ns, "robustness": one.robustness, "queries": one.queries,
        "last_ns": one.last_ns, "misfit": one.misfit or None,
    }  # fmt: skip


def membership_json(one: Membership) -> dict[str, Any]:
    """Give what is known of a membership."""
    return {
        "host": str(one.host), "group": str(one.group), "mode": "exclude" if one.exclude else "include",
        "sources": [str(source) for source in sorted(one.sources, key=int)], "version": one.version,
        "last_ns": one.last_ns,
    }  # fmt: skip


def querier_text(one: Querier, before: Querier | None) -> str:
    """Say that somebody asks, and whose place it took."""
    won = f", and {before.address} gives way" if before else ""
    told = f"every {span(one.told_ns)}" if one.told_ns else "at an interval that this version does not tell"
    return f"{one.address} asks, version {one.version}, {told}{won}"


def rival_text(one: Querier, elected: Querier | None) -> str:
    """Say that somebody asks beside the elected one."""
    winner = elected.address if elected else "nobody"
    if one.overruled > 1:
        return f"{one.address} goes on asking although {winner} was elected: they do not hear each other"
    return f"{one.address} asks, too; {winner} is the elected querier"


def lost_text(one: Querier, now: int) -> str:
    """Say that the querier is silent."""
    silent, interval = span(now - one.last_ns), span(one.interval_ns)
    return f"{one.address} has not asked for {silent}, and did every {interval}: it is lost"


def expired_text(one: Membership, now: int) -> str:
    """Say that a host is silent about a group."""
    return f"{one.host} has not said for {span(now - one.last_ns)} that it wants {one.group}, and did not leave it"
