"""What a feed needs, of the wire: exactly the groups, servers and venues that a configuration of `netfeed run` names.

    lines, snapshots      UDP to the group and port, on the interface that the line or its channel names
    retransmit            UDP with the server, both ways, on the interface that leads to it
    glimpse               TCP with the server, both ways
    venues                TCP with each endpoint that is a literal address; names are not resolved, and told

Leaves out: sources (`sources`, `source` of a line): who else sends to a group is what one wants to see in a capture.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from netfeed.app.capture.opening import Wanted, to_pair
from netfeed.app.config import split_endpoint
from netfeed.app.configuration import Channel, Configuration, Line, Venue
from netfeed.app.resolve import literal
from netfeed.app.venue_places import endpoints
from netfeed.errors import ConfigurationError
from netfeed.transport.network import find_interface, interfaces, is_multicast

Membership = tuple[str, str | None, str | None]
_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}


@dataclass(slots=True)
class Needs:
    """What is captured, what is joined for it, and what is left out and why."""

    wanted: list[Wanted] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def needs(config: Configuration) -> Needs:
    """Give what a configuration needs.

    Raises: ConfigurationError for an interface that is not there, and when nothing is left.
    """
    found, parts = Needs(), dict[str, list[str]]()
    pairs: dict[str, list[tuple[str, int]]] = {}
    for channel in config.channels:
        for line in (*channel.lines, *channel.snapshots):
            name, pair = _interface(channel, line), split_endpoint(line.group)
            parts.setdefault(name, []).append(to_pair(pair))
            pairs.setdefault(name, []).append(pair)
            if is_multicast(pair[0]):
                found.memberships.append((pair[0], name, line.source))
    for what, host, port, transport in _peers(config, found.left_out):
        there = _way_to(host)
        if there is None:
            found.left_out.append(f"{what} ({host}:{port}): no route leads to it")
            continue
        parts.setdefault(there, []).append(f"({transport} and host {host} and port {port})")
        pairs[there] = []
    for name, one in parts.items():
        found.wanted.append(Wanted(name, " or ".join(dict.fromkeys(one)), tuple(dict.fromkeys(pairs[name]))))
    found.memberships = list(dict.fromkeys(found.memberships))
    if not found.wanted:
        raise ConfigurationError(f"nothing of the feed can be captured: {'; '.join(found.left_out)}")
    return found


def _interface(channel: Channel, line: Line) -> str:
    host, _ = split_endpoint(line.group)
    return find_interface(line.interface or channel.interface or host).name


def _peers(config: Configuration, left_out: list[str]) -> Iterator[tuple[str, str, int, str]]:
    """Give (what, address, port, transport) of every peer; who has no address is left out."""
    for channel in config.channels:
        for server in channel.retransmit:
            yield f"the retransmit server of {channel.name}", *split_endpoint(server.address), "udp"
        if channel.glimpse is not None:
            yield f"the GLIMPSE server of {channel.name}", *split_endpoint(channel.glimpse.address), "tcp"
    for venue in config.venues:
        for endpoint in _places(venue):
            url = urlsplit(endpoint)
            host = url.hostname or ""
            if literal(host):
                yield venue.name, host, url.port or _PORTS[url.scheme], "tcp"
            else:
                left_out.append(f"{venue.name} ({host}): only literal addresses are captured, names are not resolved")


def _places(venue: Venue) -> list[str]:
    return list(dict.fromkeys([*endpoints(venue), *filter(None, (venue.listing, venue.fetch))]))


def _way_to(host: str) -> str | None:
    """Name the interface on which an address is reached; None without a route. Nothing is sent."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            one.connect((host, 9))
        except OSError:
            return None
        own = one.getsockname()[0]
    return next((there.name for there in interfaces() if own in there.addresses), None)
