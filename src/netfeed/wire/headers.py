"""Put a UDP payload or a TCP segment into an Ethernet frame: what a capture made from a UDP socket lacks.

Sources: IPv4 RFC 791, IPv6 RFC 8200, UDP RFC 768, TCP RFC 9293, checksums RFC 1071, multicast MACs RFC 1112 (IPv4) and
RFC 2464 (IPv6). The layouts are those of `netfeed.wire.frame`, so what is built here is what is read there.

An endpoint is (address, port) or (address, port, MAC). Without a MAC a multicast group gets the one that its address
demands, and a host a locally administered one made of its address. Leaves out: options, fragments.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from netfeed.errors import MisuseError
from netfeed.machine import Buffer
from netfeed.wire.frame import ETHERNET, IPV4, IPV6, UDP, UDP_HEADER, VLAN
from netfeed.wire.layout import Layout
from netfeed.wire.segment import TCP

Endpoint = tuple[str, int] | tuple[str, int, str]
Address = IPv4Address | IPv6Address

TCP_HEADER: Final = Layout("Tcp", ">", [
    ("source_port", "u16"), ("destination_port", "u16"), ("sequence", "u32"), ("acknowledgment", "u32"),
    ("offset", "u8"), ("flags", "u8"), ("window", "u16"), ("checksum", "u16"), ("urgent", "u16"),
])  # fmt: skip
GREATEST_PAYLOAD: Final = {4: 65_507, 6: 65_527}
"""What fits a UDP datagram, by IP version: 65535 without the headers that the length counts. Units: bytes."""
_DONT_FRAGMENT: Final = 0x4000


def udp_frame(
    payload: Buffer, source: Endpoint, destination: Endpoint, *, vlan: int | None = None, ttl: int = 1
) -> bytes:
    """Build an Ethernet frame around `payload`, with IPv4 or IPv6 and right checksums.

    Raises: MisuseError when an address, port, MAC or VLAN id is none, the versions differ, or the payload is too long.
    """
    sender, receiver = _address(source[0]), _address(destination[0])
    if sender.version != receiver.version:
        raise MisuseError(f"{sender} and {receiver} are not of one IP version")
    if len(payload) > GREATEST_PAYLOAD[sender.version]:
        raise MisuseError(
            f"a UDP payload over IPv{sender.version} has at most {GREATEST_PAYLOAD[sender.version]} bytes"
        )
    segment = _udp(bytes(payload), sender, source[1], receiver, destination[1])
    packet = (_ipv4 if sender.version == 4 else _ipv6)(segment, sender, receiver, ttl)
    return (
        _ethernet(_mac(destination, receiver), _mac(source, sender), vlan, 0x0800 if sender.version == 4 else 0x86DD)
        + packet
    )


def checksum(data: bytes) -> int:
    """Compute the Internet checksum of `data` (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total = int.from_bytes(padded) % 0xFFFF  # 2**16 is 1 modulo 0xFFFF: the remainder is the sum of the words
    return 0xFFFF - (total or (0xFFFF if any(data) else 0))


def multicast_mac(address: Address) -> bytes:
    """Give the MAC address of a multicast group: 01:00:5e and 23 bits, or 33:33 and 32 bits."""
    if address.version == 4:
        return b"\x01\x00\x5e" + bytes([address.packed[1] & 0x7F]) + address.packed[2:]
    return b"\x33\x33" + address.packed[-4:]


def _address(text: str) -> Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise MisuseError(str(error)) from None


def _mac(endpoint: Endpoint, address: Address) -> bytes:
    if len(endpoint) == 2:
        return multicast_mac(address) if address.is_multicast else b"\x02\x00" + address.packed[-4:]
    try:
        mac = bytes.fromhex(endpoint[2].replace(":", "").replace("-", ""))
    except ValueError:
        mac = b""
    if len(mac) != 6:
        raise MisuseError(f"not a MAC address: {endpoint[2]!r}")
    return mac


def _ethernet(destination: bytes, source: bytes, vlan: int | None, type_: int) -> bytes:
    if vlan is None:
        return ETHERNET.encode(destination, source, type_)
    if not 0 <= vlan < 0xFFF:
        raise MisuseError(f"a VLAN id is 0 to 4094, not {vlan}")
    return ETHERNET.encode(destination, source, 0x8100) + VLAN.encode(vlan, type_)


def _ipv4(segment: bytes, source: Address, destination: Address, ttl: int, protocol: int = UDP) -> bytes:
    head = (0x45, 0, 20 + len(segment), 0, _DONT_FRAGMENT, ttl, protocol)
    bare = IPV4.encode(*head, 0, source.packed, destination.packed)
    return IPV4.encode(*head, checksum(bare), source.packed, destination.packed) + segment


def _ipv6(segment: bytes, source: Address, destination: Address, ttl: int, protocol: int = UDP) -> bytes:
    return IPV6.encode(6 << 28, len(segment), protocol, ttl, source.packed, destination.packed) + segment


def _udp(payload: bytes, source: Address, source_port: int, destination: Address, destination_port: int) -> bytes:
    """Build the UDP header; a checksum of 0 is sent as 0xFFFF, for 0 means that there is none."""
    length = 8 + len(payload)
    bare = UDP_HEADER.encode(source_port, destination_port, length, 0) + payload
    pseudo = source.packed + destination.packed + length.to_bytes(4) + UDP.to_bytes(4)
    return UDP_HEADER.encode(source_port, destination_port, length, checksum(pseudo + bare) or 0xFFFF) + payload


def tcp_frame(
    payload: Buffer, source: Endpoint, destination: Endpoint, *, sequence: int, acknowledgment: int = 0, flags: int,
    window: int = 65_535, options: bytes = b"", vlan: int | None = None, ttl: int = 64,
) -> bytes:  # fmt: skip
    """Build an Ethernet frame around a TCP segment, with IPv4 or IPv6 and right checksums; numbers are modulo 2**32.

    Raises: MisuseError as `udp_frame`, and for options that do not fill words or are longer than 40 bytes.
    """
    sender, receiver = _address(source[0]), _address(destination[0])
    if sender.version != receiver.version:
        raise MisuseError(f"{sender} and {receiver} are not of one IP version")
    if len(options) % 4 or len(options) > 40:
        raise MisuseError(f"TCP options fill words, 40 bytes at most, not {len(options)} bytes")
    head = (source[1], destination[1], sequence % 2**32, acknowledgment % 2**32, 80 + len(options) * 4, flags, window)
    bare = TCP_HEADER.encode(*head, 0, 0) + options + bytes(payload)
    pseudo = sender.packed + receiver.packed + len(bare).to_bytes(4) + TCP.to_bytes(4)
    segment = TCP_HEADER.encode(*head, checksum(pseudo + bare), 0) + options + bytes(payload)
    packet = (_ipv4 if sender.version == 4 else _ipv6)(segment, sender, receiver, ttl, TCP)
    type_ = 0x0800 if sender.version == 4 else 0x86DD
    return _ethernet(_mac(destination, receiver), _mac(source, sender), vlan, type_) + packet
