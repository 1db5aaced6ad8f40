"""What was heard of memberships: as JSON, and as lines and tables for people."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any, Final

from rich.console import Console
from rich.table import Table

import netfeed
from netfeed.app.clock import time_text
from netfeed.app.findings import Findings
from netfeed.app.tables import printable, say
from netfeed.host.membership import Memberships
from netfeed.host.membership_events import Event, is_local, membership_json, querier_json, span
from netfeed.host.membership_findings import findings, heard_networks
from netfeed.host.membership_network import Network
from netfeed.host.queriers import Querier
from netfeed.units import count_text
from netfeed.wire.frame import NO_VLAN
from netfeed.wire.membership import Heard
from netfeed.wire.membership_words import GroupRecord, Leave, Query, RecordType

Json = dict[str, Any]
MAX_ROWS: Final = 200
"""Memberships of a table; the rest is counted."""
_RECORDS: Final = {
    RecordType.MODE_IS_INCLUDE: ("wanted from nobody", "wanted from"),
    RecordType.MODE_IS_EXCLUDE: ("wanted", "wanted from all but"),
    RecordType.CHANGE_TO_INCLUDE: ("left", "from now on from"),
    RecordType.CHANGE_TO_EXCLUDE: ("joined", "from now on from all but"),
    RecordType.ALLOW_NEW_SOURCES: ("allows nothing more", "also from"),
    RecordType.BLOCK_OLD_SOURCES: ("blocks nothing more", "no more from"),
}
"""What a record says of no sources, and of some."""


def summary(memberships: Memberships, faults: Findings, drops: int = 0) -> Json:
    """Give all that is known: networks with queriers and groups, and what is wrong."""
    begun = memberships.begun_ns if memberships.begun_ns is not None else memberships.now_ns
    return {
        "type": "summary", "netfeed": netfeed.__version__, "begun_ns": begun,
        "elapsed_ns": memberships.now_ns - begun, "messages": memberships.messages, "damaged": memberships.damaged,
        "kernel_drops": drops, "networks": [_network_json(one) for one in heard_networks(memberships)],
        "findings": [one._asdict() for one in findings(memberships)],
        "errors": [one._asdict() for one in faults.listed()],
    }  # fmt: skip


def event_json(event: Event) -> Json:
    """Give an event as one object."""
    return {
        "type": str(event.kind),
        "ts_ns": event.ts_ns,
        "network": event.network,
        "text": event.text,
        **event.details,
    }


def message_json(ts_ns: int, heard: Heard) -> Json:
    """Give a message as one object."""
    vlan = None if heard.vlan == NO_VLAN else heard.vlan
    return {"type": "message", "ts_ns": ts_ns, "vlan": vlan, "source": str(heard.source), "text": message_text(heard)}


def is_local_event(event: Event) -> bool:
    """Say whether an event is about a group that stays on its link, of which every host wants some."""
    return "group" in event.details and is_local(ip_address(event.details["group"]))


def event_text(event: Event) -> str:
    """Write an event in one line."""
    return printable(f"{_clock(event.ts_ns)} {event.network}: {event.text}")


def heard_text(ts_ns: int, heard: Heard) -> str:
    """Write a message in one line."""
    return f"{_clock(ts_ns)} {heard.source} > {heard.destination}: {message_text(heard)}"


def message_text(heard: Heard) -> str:
    """Say what a message says."""
    message = heard.message
    name = f"{message.protocol}v{message.version}"
    if isinstance(message, Query):
        of = f" {_listed(message.sources)} of" if message.sources else ""
        return f"{name} query,{of} {message.group or 'all groups'}, answers within {span(message.max_response_ns)}"
    if isinstance(message, Leave):
        return f"{name} leave of {message.group}"
    said = [_record_text(one) for one in message.records[:8]]
    more = f" and {len(message.records) - 8} more" if len(message.records) > 8 else ""
    return f"{name} report, " + "; ".join(said) + more


def _record_text(record: GroupRecord) -> str:
    if record.type not in frozenset(RecordType):
        return f"{record.group} in a record of type {record.type}"
    none, some = _RECORDS[RecordType(record.type)]
    return f"{record.group} {some} {_listed(record.sources)}" if record.sources else f"{record.group} {none}"


def print_summary(memberships: Memberships, out: Console) -> None:
    """Print the table of each network, and what was found."""
    for network in heard_networks(memberships):
        say(out, f"{network.name}: {_counts(network)}")
        for one in sorted(network.queriers.known.values(), key=lambda one: int(one.address)):
            say(out, f"  querier {_querier(one, network)}")
        if network.members.groups:
            out.print(_groups(network))
    found = findings(memberships)
    for finding in found:
        say(out, f"{'WRONG' if finding.wrong else 'note'}: {finding}", "red" if finding.wrong else "")
    if not found:
        say(out, "nothing is wrong with memberships, as far as they were heard")


def _clock(ts_ns: int) -> str:
    return time_text(ts_ns, date=False)[:-3]


def _listed(sources: Iterable[Any]) -> str:
    named = [str(one) for one in sources]
    return ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")


def _counts(network: Network) -> str:
    parts = ((network.queries, "query"), (network.reports, "report"), (network.leaves, "leave"))
    said = [
        f"{count:,} queries" if noun == "query" and count != 1 else count_text(count, noun) for count, noun in parts
    ]
    return ", ".join(said) + f", {count_text(network.members.count, 'membership')}"


def _querier(one: Querier, network: Network) -> str:
    state = "elected" if one is network.queriers.elected else "lost" if one is network.queriers.lost else "not elected"
    told = span(one.told_ns) if one.told_ns else f"{span(one.seen_ns)} as seen" if one.seen_ns else "who knows how long"
    return f"{one.address}, {state}: version {one.version}, every {told}, {one.queries:,} heard"


def _groups(network: Network) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("group", "host", "wants", "version", "last report"):
        table.add_column(name)
    rows = 0
    for group, members in sorted(network.members.groups.items(), key=lambda one: int(one[0])):
        for host, one in sorted(members.items(), key=lambda one: int(one[0])):
            rows += 1
            if rows <= MAX_ROWS:
                table.add_row(str(group), str(host), str(one), f"v{one.version}", _clock(one.last_ns))
        if not members:
            table.add_row(str(group), "nobody any more", "", "", "")
    if rows > MAX_ROWS:
        table.add_row(f"and {rows - MAX_ROWS:,} more", "", "", "", "")
    return table


def _network_json(network: Network) -> Json:
    queriers, elected = network.queriers, network.queriers.elected
    members = [one for there in network.members.groups.values() for one in there.values()]
    return {
        "network": network.name, "protocol": network.protocol,
        "vlan": None if network.vlan == NO_VLAN else network.vlan,
        "queries": network.queries, "reports": network.reports, "leaves": network.leaves,
        "elected": str(elected.address) if elected else None, "version": network.version,
        "queriers": [querier_json(one) for one in queriers.known.values()],
        "memberships": [membership_json(one) for one in members],
        "hosts": {str(host): version for host, version in network.members.versions.items()},
        "groups_without_members": [str(one) for one, there in network.members.groups.items() if not there],
    }  # fmt: skip
