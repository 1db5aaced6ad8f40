"""What is wrong with the memberships of a network, each finding with what to do about it.

`wrong` findings keep multicast from arriving, or will; the others are what somebody should know. Whoever wants to tell
why a group does not arrive asks `findings` after some time of listening, or `membership_listener.listen` for both.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

from netfeed.host.membership import Memberships
from netfeed.host.membership_events import is_local, span
from netfeed.host.membership_network import Network
from netfeed.host.queriers import FULL
from netfeed.wire.membership_words import DEFAULT_INTERVAL_NS, DEFAULT_RESPONSE_NS, DEFAULT_ROBUSTNESS, protocol_of

MAX_NAMED: Final = 10
"""Of each kind so many are named, the rest is counted."""
_SSM: Final = (IPv4Network("232.0.0.0/8"), IPv6Network("ff30::/12"))
_FORGOTTEN_NS: Final = DEFAULT_ROBUSTNESS * DEFAULT_INTERVAL_NS + DEFAULT_RESPONSE_NS
_ENABLE: Final = {
    "IGMP": "enable a querier on a router or switch of this network (`ip igmp snooping querier`, on a Linux bridge "
    "`ip link set dev BRIDGE type bridge mcast_querier 1`), or switch IGMP snooping off",
    "MLD": "enable an MLD querier on a router or switch of this network (`ipv6 mld snooping querier`), or switch MLD "
    "snooping off",
}

_ADDRESS: Final = (
    "give it one (`ip igmp snooping querier address`, on a Linux bridge `ip link set dev BRIDGE type bridge "
    "mcast_query_use_ifaddr 1`)"
)
_VERSION: Final = {
    "IGMP": "`ip igmp version 3`, on a Linux bridge `ip link set dev BRIDGE type bridge mcast_igmp_version 3`",
    "MLD": "`ipv6 mld version 2`, on a Linux bridge `ip link set dev BRIDGE type bridge mcast_mld_version 2`",
}


class Finding(NamedTuple):
    """Something that was found: `kind` is a word for programs, `remedy` what to do."""

    kind: str
    wrong: bool
    network: str
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}" if self.remedy else self.text


def findings(memberships: Memberships) -> list[Finding]:
    """Say what is wrong up to the time of the last message or `wake`, the surest first."""
    networks = heard_networks(memberships)
    found = [one for network in networks for one in _of_network(network, memberships)]
    found += _unreported(memberships, networks, memberships.now_ns)
    if memberships.damaged:
        text = f"{memberships.damaged:,} messages of IGMP or MLD were damaged: hosts and switches pass them over"
        found.append(Finding("damaged", False, "", text, "look at whoever relays or captures them"))
    if (more := memberships.overflow + sum(one.members.overflow for one in memberships.networks.values())) > 0:
        found.append(Finding("overflow", False, "", f"{more:,} memberships or networks were too many to remember", ""))
    return sorted(found, key=lambda one: not one.wrong)


def heard_networks(memberships: Memberships) -> list[Network]:
    """Give the networks: one on which nothing was heard only where there is no other of its protocol."""
    networks = memberships.networks.values()
    spoken = {one.protocol for one in networks if one.queries or one.reports or one.leaves}
    return [one for one in networks if one.queries or one.reports or one.leaves or one.protocol not in spoken]


def _of_network(network: Network, memberships: Memberships) -> Iterator[Finding]:
    now = memberships.now_ns
    for look in (_no_querier, _lost_querier, _rivals, _old_version, _passed_over, _nameless, _silent, _unfiltered):
        yield from look(network, memberships, now)


def _no_querier(network: Network, memberships: Memberships, now: int) -> Iterator[Finding]:
    if network.queries:
        return
    waited = now - network.begun_ns
    if waited < memberships.patience_ns:
        text = f"no query was heard on this network for {span(waited)}, which says little: the usual interval is 125 s"
        listen = f"listen for {span(memberships.patience_ns)}, or say with --patience how long a querier may be silent"
        yield Finding("no_query_yet", False, network.name, text, listen)
        return
    if not (memberships.complete or memberships.messages):
        text = "the capture holds no message of IGMP or MLD"
        yield Finding(
            "nothing_captured", False, network.name, text, "was it made without a filter, where they are sent?"
        )
        return
    wanted = network.protocol == "IGMP" or any(one.group.version == 6 for one in memberships.wanted)
    text = (
        f"no querier on this network ({network.name}, {span(waited)} without a query): switches that snoop stop "
        f"forwarding to a member {span(_FORGOTTEN_NS)} after its last report, and only a new join starts it again"
    )
    yield Finding("no_querier", wanted, network.name, text, _ENABLE[network.protocol])


def _lost_querier(network: Network, memberships: Memberships, now: int) -> Iterator[Finding]:
    one = network.queriers.lost
    if one is not None:
        left = one.last_ns + one.membership_ns - now
        ends = f"members are forgotten in {span(left)}" if left > 0 else "members have been forgotten"
        text = f"the querier {one.address} has been silent for {span(now - one.last_ns)}: {ends} by switches that snoop"
        yield Finding("querier_lost", True, network.name, text, f"bring it back, or {_ENABLE[network.protocol]}")


def _rivals(network: Network, memberships: Memberships, now: int) -> Iterator[Finding]:
    elected = network.queriers.elected
    for one in network.queriers.rivals(now)[:MAX_NAMED]:
        text = f"{one.address} goes on asking although {elected.address if elected else 'another'} does: two queriers"
        remedy = "they do not hear each other: look for a filter of 224.0.0.1 between them, or switch one of them off"
        yield Finding("two_queriers", True, network.name, text, remedy)


def _old_version(network: Network, memberships: Memberships, now: int) -> Iterator[Finding]:
    version, full = network.queriers.version(now), FULL[network.protocol]
    if version is None or version >= full:
        return
    spoken = network.queriers.spoken[version]
    wanted = any(one.source and protocol_of(one.group) == network.protocol for one in memberships.wanted)
    left = span(spoken.until_ns - now)
    text = (
        f"{network.protocol}v{version} was asked in by {spoken.by}: hosts speak it for {left} more, and source filters "
        "(SSM) are lost"
    )
    remedy = f"set {spoken.by} to version {full} ({_VERSION[network.protocol]})"
    yield Finding("old_version", wanted or network.members.filtered, network.name, text, remedy)


def _passed_over(network: Network, memberships: Memberships, now: int) -> Iterator[Finding]:
    for one in network.queriers.alive(now):
        if one.misfit:
            text = f"queries of {one.address} may be passed over by hosts and switches: {one.misfit}"
            yield Finding("misfit_query", True, network.name, text, "look at its configuration, and who relays them")


def _nameless(network: Network, memberships: Memberships, now: int) -> Iterator[Finding]:
    elected = network.queriers.elected
    if elected is not None and elected.nameless:
        text = f"queries come from {elected.address}: a switch that has no address, which some switches pass over"
        yield Finding("nameless_querier", False, network.name, text, _ADDRESS)


def _silent(network: Network, memberships: Memberships, now: int) -> Iterator[Finding]:
    ended = [one for one in network.expired.values() if not is_local(one.group)]
    for one in ended[:MAX_NAMED]:
        text = f"{one.host} stopped answering for {one.group} {span(now - one.last_ns)} ago, and did not leave it"
        remedy = "if it still runs, queries do not reach it or its reports are lost: look for filters at its port"
        yield Finding("expired", True, network.name, text, remedy)
    if len(ended) > MAX_NAMED:
        yield Finding("expired", True, network.name, f"{len(ended) - MAX_NAMED:,} more memberships ended so", "")


def _unfiltered(network: Network, memberships: Memberships, now: int) -> Iterator[Finding]:
    there = (one for members in network.members.groups.values() for one in members.values())
    for one in [one for one in there if one.exclude and any(one.group in ssm for ssm in _SSM)][:MAX_NAMED]:
        text = f"{one.host} joined {one.group} from any source: routers pass that over in the range of SSM (RFC 4604)"
        yield Finding("ssm_without_source", False, network.name, text, "join it with its source, as SOURCE,GROUP")


def _unreported(memberships: Memberships, networks: Sequence[Network], now: int) -> Iterator[Finding]:
    """Find the groups that nobody wants here; sure only after a query of all groups that hosts had time to answer."""
    for one in memberships.wanted:
        there = [network for network in networks if network.protocol == protocol_of(one.group)]
        members = [member for network in there for member in network.members.groups.get(one.group, {}).values()]
        if not any(member.wants(one.source) for member in members):
            asked = any(_answered(network, now) for network in there)
            if members:
                text = f"{one.group} is wanted here, and not from {one.source}: {members[0].host} wants it {members[0]}"
            elif asked:
                text = f"nobody on this network wants {one}"
            else:
                text = f"nobody was heard to want {one}, and nobody was asked in time"
            remedy = (
                "join it (`netfeed listen`), and see that the host's firewall lets IGMP out and its VLAN is this one"
            )
            yield Finding("unreported", asked or bool(members), there[0].name if there else "", text, remedy)


def _answered(network: Network, now: int) -> bool:
    """Say whether all groups were asked for, and hosts had the time to answer."""
    one = network.queriers.elected or network.queriers.lost
    return one is not None and now >= one.first_ns + one.response_ns
