"""Names of the network: interfaces by name or address, and what went wrong, said so that somebody can act on it.

Source: rtnetlink(7) (RTM_GETADDR lists every address of every interface, the secondary ones too).
Leaves out: resolving host names. A feed handler that waits for a name server is late.
"""

import contextlib
import ctypes
import errno
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from netfeed.errors import ConfigurationError, NetfeedError

_RTM_NEWADDR, _RTM_GETADDR, _NLMSG_DONE, _NLMSG_ERROR = 20, 22, 3, 2
_NLM_F_REQUEST_DUMP: Final = 0x301
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_SIOCGIFFLAGS, _SIOCGHWTSTAMP = 0x8913, 0x89B1
IFF_UP, IFF_RUNNING, IFF_MULTICAST = 0x1, 0x40, 0x1000
_HEADER: Final = struct.Struct("=IHHII")
_IFADDRMSG: Final = struct.Struct("=BBBBI")


class NetworkError(NetfeedError):
    """A socket cannot be made or used as asked. `errno` is the kernel's word for it, 0 where it said none."""

    def __init__(self, what: str, number: int = 0) -> None:
        super().__init__(what)
        self.errno = number

    @property
    def denied(self) -> bool:
        """Say whether a capability is missing: the command line exits with 77."""
        return self.errno in (errno.EPERM, errno.EACCES)


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface: its index (0: whatever the routes say), its name, and its addresses as text."""

    index: int
    name: str
    addresses: tuple[str, ...] = ()

    @property
    def ipv4(self) -> str | None:
        """Give its first IPv4 address, None when it has none."""
        return next((one for one in self.addresses if ":" not in one), None)


ANY: Final = Interface(0, "any")
"""Whichever interface the routes say."""


def interfaces() -> list[Interface]:
    """List the interfaces of this network namespace."""
    found: dict[int, list[str]] = {}
    with contextlib.suppress(OSError):
        for index, address in _addresses():
            found.setdefault(index, []).append(address)
    return [Interface(index, name, tuple(found.get(index, ()))) for index, name in socket.if_nameindex()]


def find_interface(text: str | None) -> Interface:
    """Find an interface by its name or by one of its addresses; None is any.

    Raises: ConfigurationError that lists what there is.
    """
    if text is None:
        return ANY
    there = interfaces()
    with contextlib.suppress(ValueError):
        text = str(ipaddress.ip_address(text.partition("%")[0]))
    for one in there:
        if text == one.name or text in one.addresses:
            return one
    known = "; ".join(f"{one.name} ({', '.join(one.addresses) or 'no address'})" for one in there)
    raise ConfigurationError(f"there is no interface {text!r}; there are: {known}")


def interface_flags(name: str) -> int:
    """Give the IFF_ flags of an interface; 0 when there is none. (/sys shows the namespace that it was mounted in.)"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        answer = fcntl.ioctl(one, _SIOCGIFFLAGS, struct.pack("16s24x", name.encode()))
        return int(struct.unpack_from("=H", answer, 16)[0])
    return 0


def present_name(index: int, otherwise: str) -> str:
    """Give the name that an interface has now, which may be another than before; `otherwise` where there is none."""
    with contextlib.suppress(OSError):
        return socket.if_indextoname(index)
    return otherwise


def stamps_in_hardware(name: str) -> bool:
    """Say whether the card of an interface stamps all packets that it receives: SIOCGHWTSTAMP, linux/net_tstamp.h."""
    settings = ctypes.create_string_buffer(struct.calcsize("=iii"))
    request = struct.pack("@16sP16x", name.encode(), ctypes.addressof(settings))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        fcntl.ioctl(one, _SIOCGHWTSTAMP, request)
        return bool(struct.unpack("=iii", settings.raw)[2])
    return False


def told(what: str, error: OSError, remedy: str = "") -> NetworkError:
    """Make an error of ours from the kernel's, with what can be done about it."""
    why = error.strerror or str(error)
    return NetworkError(f"{what}: {why}{'; ' + remedy if remedy else ''}", error.errno or 0)


def is_multicast(host: str) -> bool:
    """Say whether an address is a group.

    Raises: ConfigurationError when it is no address.
    """
    return address(host).is_multicast


def address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read a literal address.

    Raises: ConfigurationError.
    """
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        raise ConfigurationError(f"{host!r} is no IP address (names are not resolved)") from None


def endpoint_text(host: str, port: int) -> str:
    """Write an address and a port as people do: 233.252.0.1:26400, [ff3e::1]:26400."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _addresses() -> Iterator[tuple[int, str]]:
    """Ask the kernel for (interface index, address) of every address."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        body = _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0) + body)
        while True:
            data, at = kernel.recv(65536), 0
            while at + _HEADER.size <= len(data):
                length, kind, _, _, _ = _HEADER.unpack_from(data, at)
                if kind in (_NLMSG_DONE, _NLMSG_ERROR) or length < _HEADER.size:
                    return
                if kind == _RTM_NEWADDR:
                    yield from _one(data[at + _HEADER.size : at + length])
                at += length + 3 & ~3


def _one(message: bytes) -> Iterator[tuple[int, str]]:
    """Read one RTM_NEWADDR. IFA_LOCAL is the address; IFA_ADDRESS too, but on point-to-point links the peer's."""
    family, _, _, _, index = _IFADDRMSG.unpack_from(message)
    found: dict[int, bytes] = {}
    at = _IFADDRMSG.size
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if length < 4:
            break
        found[kind] = message[at + 4 : at + length]
        at += length + 3 & ~3
    packed = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS))
    if packed is not None and family in (socket.AF_INET, socket.AF_INET6):
        yield index, socket.inet_ntop(family, packed)


def read_setting(path: str) -> str:
    """Read a file of /proc or /sys, and give "" when there is none."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def process_net(name: str) -> str:
    """Read /proc/thread-self/net/NAME: the namespace is the thread's, not the process's."""
    return read_setting(os.path.join("/proc/thread-self/net", name))
