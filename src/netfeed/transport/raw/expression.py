"""What frames a filter wants, as a tree of tests, and the program that makes these tests in the kernel.

The program first finds the headers - behind the VLAN tags that still stand in the frame - and keeps what it found in
its memory; each test then is a few instructions. `Pairs` tests hundreds of groups and ports with one instruction each.

    protocol    ip, ip6, arp; udp, tcp (of both IPs), icmp, igmp, icmp6
    address     sender's or receiver's, of one address or of a network; IPv4 addresses also of ARP, as tcpdump has it
    port        of UDP, TCP and SCTP, in the first fragment
    vlan        whether there is a tag, and which: as the kernel knows it, or still in the frame

A frame that ends before what its test looks at is dropped.

Leaves out: IPv6 extension headers but the fragment's.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.transport.raw.assemble import Listing
from netfeed.transport.raw.bpf import KEEP, Program
from netfeed.transport.raw.headers import (
    ARP,
    IPV4,
    IPV6,
    NONE,
    PORT,
    PROTOCOL,
    RARP,
    SOURCE_PORT,
    START,
    TAG,
    TYPE,
    find_headers,
)  # fmt: skip

PROTOCOLS: Final[dict[str, tuple[tuple[int, ...], int | None]]] = {
    "ip": ((IPV4,), None), "ip6": ((IPV6,), None), "arp": ((ARP,), None), "udp": ((IPV4, IPV6), 17),
    "tcp": ((IPV4, IPV6), 6), "icmp": ((IPV4,), 1), "igmp": ((IPV4,), 2), "icmp6": ((IPV6,), 58),
}  # fmt: skip
"""A protocol's name, the Ethernet types that it stands in, and its number in IP."""

_ADDRESSES: Final[dict[int, dict[str, tuple[int, ...]]]] = {
    IPV4: {"src": (12,), "dst": (16,), "": (12, 16)},
    ARP: {"src": (14,), "dst": (24,), "": (14, 24)},
    IPV6: {"src": (8,), "dst": (24,), "": (8, 24)},
}
"""Where in a header the addresses of a side stand. Units: bytes."""
_PORTS: Final = {"src": (SOURCE_PORT,), "dst": (PORT,), "": (SOURCE_PORT, PORT)}

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Protocol:
    """Frames of a protocol, by its name in PROTOCOLS."""

    name: str


@dataclass(frozen=True, slots=True)
class Host:
    """Frames from ("src"), to ("dst"), or from or to ("") an address or a network."""

    network: Network
    side: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """Packets from, to, or from or to a port."""

    port: int
    side: str = ""


@dataclass(frozen=True, slots=True)
class Vlan:
    """Frames with a VLAN tag, or with that of one VLAN."""

    id: int | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Packets to any of these addresses and ports; port None is any."""

    pairs: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class Every:
    """Frames that pass all tests; any frame when there are none."""

    tests: tuple["Test", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Frames that pass one of the tests at least; no frame when there are none."""

    tests: tuple["Test", ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Frames that do not pass a test."""

    test: "Test"


Test = Protocol | Host | Port | Vlan | Pairs | Every | Some | Without


def any_of(pairs: Iterable[tuple[str, int | None]], protocol: str = "udp") -> Test:
    """Want what a protocol brings to any of these (address, port) pairs; port None is any.

    Raises: ConfigurationError for what is no address or no port.
    """
    found = tuple((host, port) for host, port in pairs)
    for host, port in found:
        _network(host)
        if port is not None and not 0 <= port < 65536:
            raise ConfigurationError(f"no port: {port}")
    return Every((Protocol(protocol), Pairs(found)))


def network(text: str) -> Network:
    """Read an address or a network, as 10.0.0.0/8.

    Raises: ConfigurationError.
    """
    return _network(text)


def program_of(test: Test, *, cooked: bool = False, keep: int = KEEP) -> Program:
    """Make the program of a test; `cooked` for sockets that see no link headers, as those of all interfaces.

    Units: `keep` in bytes, of each frame that passes.
    Raises: ConfigurationError when it is longer than the kernel takes.
    """
    listing = Listing()
    yes, no = listing.label(), listing.label()
    wanted = {type(one) for one in _leaves(test)}
    find_headers(
        listing, cooked=cooked, tag=Vlan in wanted, transport=bool(wanted & {Protocol, Port}), ports=Port in wanted
    )
    _write(listing, test, yes, no)
    listing.put(no)
    listing.add("ret", 0)
    listing.put(yes)
    listing.add("ret", keep)
    return listing.assemble()


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no IP address or network (names are not resolved)") from None


def _leaves(test: Test) -> Iterable[Test]:
    if isinstance(test, Every | Some):
        for one in test.tests:
            yield from _leaves(one)
    elif isinstance(test, Without):
        yield from _leaves(test.test)
    else:
        yield test
        if isinstance(test, Pairs) and any(port is not None for _, port in test.pairs):
            yield Port(0)


def _write(listing: Listing, test: Test, yes: str, no: str) -> None:
    """Write a test, which goes on at one of two labels."""
    match test:
        case Every(tests):
            _write_all(listing, tests, yes, no, ends_with=yes)
        case Some(tests):
            _write_all(listing, tests, yes, no, ends_with=no)
        case Without(one):
            _write(listing, one, no, yes)
        case Protocol(name):
            _write_protocol(listing, *PROTOCOLS[name], yes, no)
        case Host(one, side):
            _write_host(listing, one, side, yes, no)
        case Port(number, side):
            for place in _PORTS[side]:
                listing.add("ld M", place)
                listing.branch("jeq", number, yes)
            listing.jump(no)
        case Vlan(number):
            listing.add("ld M", TAG)
            listing.branch("jeq", NONE if number is None else number, *((no, yes) if number is None else (yes, no)))
        case Pairs(pairs):
            _write_pairs(listing, pairs, yes, no)


def _write_all(listing: Listing, tests: tuple[Test, ...], yes: str, no: str, ends_with: str) -> None:
    """Write tests one behind the other: the next one is asked as long as the last one leaves it open."""
    for one in tests:
        behind = listing.label()
        _write(listing, one, *((behind, no) if ends_with == yes else (yes, behind)))
        listing.put(behind)
    listing.jump(ends_with)


def _write_protocol(listing: Listing, types: tuple[int, ...], number: int | None, yes: str, no: str) -> None:
    inside = listing.label()
    listing.add("ld M", TYPE)
    for one in types:
        listing.branch("jeq", one, yes if number is None else inside)
    listing.jump(no)
    listing.put(inside)
    if number is not None:
        listing.add("ld M", PROTOCOL)
        listing.branch("jeq", number, yes, no)


def _write_host(listing: Listing, one: Network, side: str, yes: str, no: str) -> None:
    ip, arp = listing.label(), listing.label()
    listing.add("ldx M", START)
    listing.add("ld M", TYPE)
    if one.version == 6:
        listing.branch("jeq", IPV6, if_false=no)
        _write_addresses(listing, [one], _ADDRESSES[IPV6][side], yes)
        listing.jump(no)
        return
    listing.branch("jeq", IPV4, ip)
    listing.branch("jeq", ARP, arp)
    listing.branch("jeq", RARP, arp, no)
    for label, offsets in ((ip, _ADDRESSES[IPV4]), (arp, _ADDRESSES[ARP])):
        listing.put(label)
        _write_addresses(listing, [one], offsets[side], yes)
        listing.jump(no)


def _write_addresses(listing: Listing, networks: Iterable[Network], offsets: tuple[int, ...], yes: str) -> None:
    """Go to `yes` for an address of one of these networks, else on. X points to the header."""
    for offset in offsets:
        loaded = None  # what is in A: hosts of IPv4 are one instruction each
        for one in networks:
            behind = listing.label()
            words = [(at, value, mask) for at, value, mask in _words(one) if mask]
            for at, value, mask in words:
                if loaded != offset + at:
                    listing.add("ld [x]", offset + at)
                if mask != 0xFFFFFFFF:
                    listing.add("and", mask)
                loaded = offset + at if mask == 0xFFFFFFFF else None
                last = at == words[-1][0]
                listing.branch("jeq", value, yes if last else "", "" if last else behind)
            if not words:
                listing.jump(yes)
            if len(words) > 1:
                loaded = None
            listing.put(behind)


def _words(one: Network) -> Iterable[tuple[int, int, int]]:
    """Give (offset, value, mask) of each 32 bits of a network's address."""
    address, mask = one.network_address.packed, one.netmask.packed
    for at in range(0, len(address), 4):
        yield at, int.from_bytes(address[at : at + 4], "big"), int.from_bytes(mask[at : at + 4], "big")


def _write_pairs(listing: Listing, pairs: tuple[tuple[str, int | None], ...], yes: str, no: str) -> None:
    by_type: dict[int, dict[int | None, list[Network]]] = {IPV4: defaultdict(list), IPV6: defaultdict(list)}
    for host, port in pairs:
        one = _network(host)
        by_type[IPV4 if one.version == 4 else IPV6][port].append(one)
    labels = {kind: listing.label() for kind in by_type}
    listing.add("ldx M", START)
    listing.add("ld M", TYPE)
    for kind, label in labels.items():
        listing.branch("jeq", kind, label)
    listing.jump(no)
    for kind, ports in by_type.items():
        listing.put(labels[kind])
        _write_ports(listing, ports, _ADDRESSES[kind]["dst"], yes, no)


def _write_ports(
    listing: Listing, ports: dict[int | None, list[Network]], offsets: tuple[int, ...], yes: str, no: str
) -> None:
    """Choose by port among addresses; those of any port are asked in each case."""
    everywhere = ports.pop(None, [])
    places = {port: listing.label() for port in ports}
    if places:
        listing.add("ld M", PORT)
    for port, place in places.items():
        listing.branch("jeq", port or 0, place)
    _write_addresses(listing, everywhere, offsets, yes)
    listing.jump(no)
    for port, place in places.items():
        listing.put(place)
        _write_addresses(listing, [*(ports[port]), *everywhere], offsets, yes)
        listing.jump(no)
