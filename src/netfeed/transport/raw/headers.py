"""The beginning of a filter: find the headers of a frame, and keep in the program's memory where they are.

Two VLAN tags at most that still stand in the frame are stepped over; one that the kernel took off stands beside it.

Source: IEEE 802.3, 802.1Q; RFC 791, 8200.
"""

from typing import Final

from netfeed.transport.raw.assemble import Listing
from netfeed.transport.raw.bpf import ANCILLARY, Known

IPV4, IPV6, ARP, RARP = 0x0800, 0x86DD, 0x0806, 0x8035
TYPE, START, PROTOCOL, SOURCE_PORT, PORT, TAG = range(6)
"""Where in its memory the program keeps the Ethernet type, the offset of the IP header, and so on."""
NONE: Final = 0x10000
"""No port, no tag, no protocol: a number that none of them can be."""
_TAGS: Final = (0x8100, 0x88A8, 0x9100)
_SCTP, _TCP, _UDP, _FRAGMENT = 132, 6, 17, 44


def find_headers(listing: Listing, *, cooked: bool, tag: bool, transport: bool, ports: bool) -> None:
    """Write what stands before all tests: find what they look at, and keep it; X and A mean nothing afterwards."""
    if tag:
        _find_tag(listing)
    listing.add("ldx #", 0 if cooked else 14)
    listing.add("stx", START)
    if cooked:
        listing.add("ld []", ANCILLARY + Known.PROTOCOL)
    else:
        listing.add("ldh []", 12)
        _skip_tags(listing, tag)
    listing.add("st", TYPE)
    if transport:
        _find_transport(listing, ports)


def _find_tag(listing: Listing) -> None:
    known, done = listing.label(), listing.label()
    listing.add("ld []", ANCILLARY + Known.VLAN_PRESENT)
    listing.branch("jeq", 0, if_false=known)
    listing.add("ld #", NONE)
    listing.jump(done)
    listing.put(known)
    listing.add("ld []", ANCILLARY + Known.VLAN_TAG)
    listing.add("and", 0xFFF)
    listing.put(done)
    listing.add("st", TAG)


def _skip_tags(listing: Listing, remember: bool) -> None:
    """Step over two tags at most; the first one counts, unless the kernel knew of one before it."""
    done = listing.label()
    for depth, offset in enumerate((14, 18)):
        tagged, plain = listing.label(), listing.label()
        for tag in _TAGS:
            listing.branch("jeq", tag, if_true=tagged)
        listing.jump(done)
        listing.put(tagged)
        if remember and not depth:
            listing.add("ld M", TAG)
            listing.branch("jeq", NONE, if_false=plain)
            listing.add("ldh []", offset)
            listing.add("and", 0xFFF)
            listing.add("st", TAG)
        listing.put(plain)
        listing.add("ldx #", offset + 4)
        listing.add("stx", START)
        listing.add("ldh []", offset + 2)
    listing.put(done)


def _find_transport(listing: Listing, ports: bool) -> None:
    four, six, done, begin = (listing.label() for _ in range(4))
    listing.add("ldx #", NONE)
    for place in (PROTOCOL, SOURCE_PORT, PORT):
        listing.add("stx", place)
    listing.add("ldx M", START)
    listing.branch("jeq", IPV4, if_true=four)
    listing.branch("jeq", IPV6, if_true=six, if_false=done)
    listing.put(six)
    _find_in_ipv6(listing, begin, done)
    listing.put(four)
    listing.add("ldb [x]", 9)
    listing.add("st", PROTOCOL)
    if ports:
        listing.add("ldh [x]", 6)
        listing.branch("jset", 0x1FFF, if_true=done)
        listing.add("ldb [x]", 0)
        listing.add("and", 0xF)
        listing.add("lsh", 2)
        listing.put(begin)
        _find_ports(listing, done)
    listing.put(done)
    if not ports:
        listing.put(begin)


def _find_in_ipv6(listing: Listing, begin: str, done: str) -> None:
    """Take the protocol, behind a fragment's header if there is one: then ports are not looked for."""
    whole = listing.label()
    listing.add("ldb [x]", 6)
    listing.branch("jeq", _FRAGMENT, if_false=whole)
    listing.add("ldb [x]", 40)
    listing.add("st", PROTOCOL)
    listing.jump(done)
    listing.put(whole)
    listing.add("st", PROTOCOL)
    listing.add("ld #", 40)
    listing.jump(begin)


def _find_ports(listing: Listing, done: str) -> None:
    """Take the ports; A is the length of the IP header that X points to."""
    there = listing.label()
    listing.add("add x")
    listing.add("tax")
    listing.add("ld M", PROTOCOL)
    listing.branch("jeq", _UDP, if_true=there)
    listing.branch("jeq", _TCP, if_true=there)
    listing.branch("jeq", _SCTP, if_true=there, if_false=done)
    listing.put(there)
    for offset, place in ((0, SOURCE_PORT), (2, PORT)):
        listing.add("ldh [x]", offset)
        listing.add("st", place)
