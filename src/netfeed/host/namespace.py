"""Network namespaces of our own: made without a name, wired with veth pairs and bridges, gone when they are closed.

A namespace is a kernel's whole network for those who live in it: interfaces, addresses, routes, memberships, counters.
It belongs to a thread, so that one process can hold sockets in several: `with namespace.entered()` moves the calling
thread in, and what it opens or starts there stays there when the thread comes back.

Nothing is left behind: a namespace without a name lives as long as somebody holds its descriptor, a socket in it, or a
process in it, and a veth pair goes with either of its ends.

Source: namespaces(7), setns(2), veth(4). Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from netfeed.errors import NetfeedError

_CLONE_NEWNET: Final = 0x40000000
_OWN: Final = "/proc/thread-self/ns/net"
_SIOCETHTOOL: Final = 0x8946
_OFFLOADS: Final = (0x17, 0x1F, 0x24, 0x2C)
"""ETHTOOL_STXCSUM, STSO, SGSO and SGRO of <linux/ethtool.h>."""
_NODAD: Final = 0x02
_TENTATIVE: Final = 0x40
"""IFA_F_NODAD and IFA_F_TENTATIVE of <linux/if_addr.h>."""
_SETTLED_S: Final = 10.0


class NamespaceError(NetfeedError):
    """The kernel does not let us make or enter a namespace; the message says what is needed."""


class Namespace:
    """A network namespace. `name` is for people: the kernel does not know it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._fd = _made(name)
        with self.entered():
            self.up("lo")

    def __enter__(self) -> "Namespace":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the namespace; it ends when nobody else lives in it. A second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Move the calling thread in, and back at the end. Processes started meanwhile are born here."""
        own = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self._fd, self.name)
            try:
                yield
            finally:
                _enter(own, "where it came from")
        finally:
            os.close(own)

    def connect(self, interface: str, other: "Namespace", other_interface: str) -> None:
        """Lay a veth pair from here to another namespace, both ends up and without offloads; return when they carry.

        The kernel lets a new interface send a moment after it is up, and drops what comes before. Without offloads
        checksums are complete in every packet: whoever takes packets off a raw socket forwards true ones.
        """
        with self.entered(), _netlink() as ip:
            ip.link("add", ifname=interface, kind="veth", peer={"ifname": other_interface, "net_ns_fd": other._fd})
        for namespace, name in ((self, interface), (other, other_interface)):
            with namespace.entered():
                _no_offloads(name)
                namespace.up(name)
        for namespace, name in ((self, interface), (other, other_interface)):
            namespace.carries(name)

    def carries(self, interface: str) -> None:
        """Return when an interface that is up carries frames. Raises: NamespaceError when it does not after a while."""
        with self.entered(), _netlink() as ip:
            index, until = _index(ip, interface), time.monotonic() + _SETTLED_S
            while ip.get_links(index)[0].get_attr("IFLA_OPERSTATE") != "UP":
                if time.monotonic() > until:
                    raise NamespaceError(f"{interface} does not come up: is its other end up?")
                time.sleep(0.001)

    def address(self, interface: str, address: str) -> None:
        """Give an interface an address, as 10.9.0.1/24, and return when it can be used.

        Nobody else is here, so IPv6 need not ask whether it is taken; the kernel still settles it a moment later.
        """
        host, _, length = address.partition("/")
        flags = {"flags": _NODAD} if ":" in host else {}
        with self.entered(), _netlink() as ip:
            index = _index(ip, interface)
            ip.addr("add", index=index, address=host, prefixlen=int(length), **flags)
            until = time.monotonic() + _SETTLED_S
            while any(one["flags"] & _TENTATIVE for one in ip.get_addr(index=index, address=host)):
                if time.monotonic() > until:
                    raise NamespaceError(f"the kernel does not settle the address {host} of {interface}")
                time.sleep(0.001)

    def route(self, destination: str, interface: str) -> None:
        """Send what goes to a network, as 233.252.0.0/24, out of an interface."""
        with self.entered(), _netlink() as ip:
            ip.route("add", dst=destination, oif=_index(ip, interface), scope="link")

    def bridge(self, name: str, ports: list[str]) -> None:
        """Make a bridge of interfaces: a switch that snoops memberships, and forwards a group only where it is asked.

        It sends queries itself, every second, so that it never forgets a living member.
        """
        with self.entered(), _netlink() as ip:
            # times are in 1/100 s; they stand before the querier starts, since its first answer would wait for them
            ip.link("add", ifname=name, kind="bridge", br_mcast_snooping=1, br_mcast_query_intvl=100,
                    br_mcast_startup_query_intvl=25, br_mcast_query_response_intvl=20, br_mcast_membership_intvl=260,
                    br_mcast_last_member_intvl=20)  # fmt: skip
            bridge = _index(ip, name)
            for port in ports:
                ip.link("set", index=_index(ip, port), master=bridge)
            ip.link("set", index=bridge, kind="bridge", br_mcast_querier=1)
            ip.link("set", index=bridge, state="up")

    def up(self, interface: str) -> None:
        """Switch an interface on."""
        self._switch(interface, "up")

    def down(self, interface: str) -> None:
        """Switch an interface off, as when its cable is pulled: memberships stay, packets do not come."""
        self._switch(interface, "down")

    def write(self, sysctl: str, value: str) -> None:
        """Set a sysctl of the namespace, as net.ipv4.conf.all.rp_filter."""
        with self.entered(), open("/proc/sys/" + sysctl.replace(".", "/"), "w") as file:
            file.write(value)

    def _switch(self, interface: str, state: str) -> None:
        with self.entered(), _netlink() as ip:
            ip.link("set", index=_index(ip, interface), state=state)


def permitted() -> bool:
    """Say whether this process may make namespaces."""
    try:
        os.close(_made("probe"))
    except NamespaceError:
        return False
    return True


def _made(name: str) -> int:
    """Make a namespace in a thread of its own, so that the caller stays where it is; give its descriptor."""
    found: list[int] = []

    def make() -> None:
        if _libc().unshare(_CLONE_NEWNET):
            found.append(-ctypes.get_errno())
        else:
            found.append(os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if found[0] < 0:
        raise NamespaceError(_why("make", name, -found[0]))
    return found[0]


def _enter(fd: int, name: str) -> None:
    if _libc().setns(fd, _CLONE_NEWNET):
        raise NamespaceError(_why("enter", name, ctypes.get_errno()))


def _why(verb: str, name: str, number: int) -> str:
    need = ": needs CAP_SYS_ADMIN: run as root, or inside `unshare -Urn`" if number == errno.EPERM else ""
    return f"cannot {verb} the network namespace {name!r}: {os.strerror(number)}{need}"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _netlink() -> Any:
    """Open netlink where the calling thread is."""
    try:
        from pyroute2 import IPRoute
    except ImportError as error:
        raise NamespaceError("namespaces need the package pyroute2: pip install 'netfeed[drill]'") from error
    return IPRoute()


def _index(ip: Any, interface: str) -> int:
    found: list[int] = ip.link_lookup(ifname=interface)
    if not found:
        raise NamespaceError(f"there is no interface {interface!r}")
    return found[0]


def _no_offloads(interface: str) -> None:
    """Switch off what leaves checksums and cutting to hardware that a veth does not have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            fcntl.ioctl(control, _SIOCETHTOOL, request.ljust(40, b"\0"))
