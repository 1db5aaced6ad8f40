"""UDP sockets that receive: multicast with any source (ASM) or one (SSM), IPv4 and IPv6, and unicast for requests.

What a socket for a feed needs on Linux, and why:

    bind to the group           else it receives every group that anybody on this host joined on the port
    IP_MULTICAST_ALL = 0        the same, for a socket that is bound to no group
    SO_REUSEADDR                several programs on a host may follow one group; each gets every datagram
    SO_RCVBUFFORCE, SO_RCVBUF   the force needs CAP_NET_ADMIN; without it the kernel grants at most net.core.rmem_max,
                                and says nothing: `warnings` does
    SO_TIMESTAMPNS, _TIMESTAMPING  the kernel's receive stamps, and the card's where it has them
    SO_RXQ_OVFL                 the kernel tells what it dropped, exactly
    SO_BUSY_POLL                poll the card's queue instead of sleeping, on cards that can

A datagram of 100 bytes takes 832 bytes of the buffer: sizes are in packets times that, not in payload.
Sources: ip(7), ipv6(7), socket(7), RFC 3678 (source filters), Documentation/networking/timestamping.rst.
Leaves out: waiting and batches (`loop`, `Batch`), MCAST_BLOCK_SOURCE, raw sockets.
"""

import contextlib
import errno
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.transport.network import (
    ANY,
    Interface,
    NetworkError,
    address,
    endpoint_text,
    find_interface,
    is_multicast,
    stamps_in_hardware,
    told,
)

BUFFER_BYTES: Final = 16 * 2**20
"""The receive buffer that is asked for: about 20,000 small datagrams, 20 ms at a million a second."""
MAX_DATAGRAM: Final = 65_535

_IP_MULTICAST_ALL, _IPV6_MULTICAST_ALL = 49, 29
_MCAST_JOIN_GROUP, _MCAST_LEAVE_GROUP, _MCAST_JOIN_SOURCE, _MCAST_LEAVE_SOURCE = 42, 45, 46, 47
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS, _SO_TIMESTAMPING, _SO_RXQ_OVFL, _SO_BUSY_POLL, _SO_MEMINFO = 33, 35, 37, 40, 46, 55
_HARDWARE_STAMPS: Final = (1 << 2) | (1 << 6) | (1 << 3) | (1 << 4)  # RX_HARDWARE, RAW_HARDWARE, RX_SOFTWARE, SOFTWARE
_SK_MEMINFO_RCVBUF, _SK_MEMINFO_DROPS, _SK_MEMINFO_VARS = 1, 8, 9

STAMPS: Final = ("software", "hardware", "none")


@dataclass(frozen=True, slots=True)
class Membership:
    """A group that a socket has joined, from one source or (None) from any."""

    group: str
    interface: Interface
    source: str | None = None

    def __str__(self) -> str:
        return f"{self.source + ',' if self.source else ''}{self.group} on {self.interface.name}"


@dataclass(frozen=True, slots=True)
class Datagram:
    """A datagram as `UdpSocket.receive` gives it. Units: `ts_ns` since 1970, None: no stamp."""

    data: bytes
    source: tuple[str, int]
    ts_ns: int | None


class UdpSocket:
    """A non-blocking UDP socket. `warnings` says what was not granted, each with its remedy."""

    def __init__(
        self, host: str, port: int, *, buffer_bytes: int = BUFFER_BYTES, stamps: str = "software",
        busy_poll_us: int = 0, reuse: bool = True, scope: int = 0,
    ) -> None:  # fmt: skip
        """Bind to a local address, or to a group; `scope` is the interface of a link-local one.

        Raises: NetworkError; ConfigurationError for what is no address; MisuseError for unknown `stamps`.
        """
        if stamps not in STAMPS:
            raise MisuseError(f"stamps are {', '.join(STAMPS)}; not {stamps!r}")
        self.host = host
        self.family = socket.AF_INET if address(host).version == 4 else socket.AF_INET6
        self.memberships: list[Membership] = []
        self.warnings: list[str] = []
        self.requested_bytes = buffer_bytes
        self._room = memoryview(bytearray(MAX_DATAGRAM))
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._set_up(reuse, busy_poll_us)
            self.granted_bytes = self._ask_buffer(buffer_bytes)
            self.hardware = self._ask_stamps(stamps)
            self._bind(host, port, scope)
        except BaseException:
            self.socket.close()
            raise
        self.port: int = self.socket.getsockname()[1]

    def fileno(self) -> int:
        """Give the descriptor, for `Batch.receive` and for whoever waits."""
        return self.socket.fileno()

    def join(self, group: str, *, interface: Interface | str | None = None, source: str | None = None) -> Membership:
        """Join a group, at any time.

        Raises: NetworkError with the remedy; ConfigurationError for an unknown interface.
        """
        membership = Membership(group, _interface(interface), source)
        self._change(_MCAST_JOIN_SOURCE if source else _MCAST_JOIN_GROUP, membership)
        self.memberships.append(membership)
        self._check_card(membership.interface)
        return membership

    def leave(self, membership: Membership) -> None:
        """Leave a group that was joined.

        Raises: MisuseError when it is not joined; NetworkError.
        """
        if membership not in self.memberships:
            raise MisuseError(f"{membership} is not joined")
        self._change(_MCAST_LEAVE_SOURCE if membership.source else _MCAST_LEAVE_GROUP, membership)
        self.memberships.remove(membership)

    def rejoin(self) -> None:
        """Leave all groups and join them again: the host's reports go out anew.

        What helps when a switch has forgotten a member because no querier reminded it. Raises: NetworkError.
        """
        for membership in list(self.memberships):
            self.leave(membership)
            self.join(membership.group, interface=membership.interface, source=membership.source)

    def drops(self) -> int:
        """Count what the kernel dropped because the buffer was full, since the socket was made."""
        size = struct.calcsize("=I") * _SK_MEMINFO_VARS
        with contextlib.suppress(OSError):
            data = self.socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, size)
            return int(struct.unpack_from("=I", data, 4 * _SK_MEMINFO_DROPS)[0])
        return 0

    def connect(self, host: str, port: int) -> None:
        """Speak with one peer only: the kernel drops what others send.

        Raises: NetworkError.
        """
        try:
            self.socket.connect((host, port))
        except OSError as error:
            raise told(f"cannot reach {endpoint_text(host, port)}", error) from None

    def receive(self, limit: int = 64) -> list[Datagram]:
        """Take up to `limit` datagrams that wait. For endpoints with little traffic; feeds use `Batch`.

        Raises: NetworkError when the interface or the peer is gone.
        """
        datagrams: list[Datagram] = []
        while len(datagrams) < limit:
            try:
                length, control, _, source = self.socket.recvmsg_into([self._room], 256)
            except BlockingIOError:
                break
            except ConnectionRefusedError:  # nobody listens at the peer's port; a later request may find somebody
                continue
            except OSError as error:
                raise told(f"cannot receive on {endpoint_text(self.host, self.port)}", error) from None
            datagrams.append(Datagram(bytes(self._room[:length]), source[:2], _stamp(control)))
        return datagrams

    def send(self, data: bytes, to: tuple[str, int] | None = None) -> bool:
        """Send a datagram to `to`, or to whom the socket is connected; False when the kernel did not take it."""
        try:
            self.socket.sendto(data, to) if to else self.socket.send(data)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close; the kernel leaves the groups."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set_up(self, reuse: bool, busy_poll_us: int) -> None:
        if reuse:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        else:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            with contextlib.suppress(OSError):  # since Linux 4.20
                self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        if busy_poll_us:
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, _SO_BUSY_POLL, busy_poll_us)
            except OSError as error:
                self.warnings.append(
                    f"no busy polling: {error.strerror}; more than net.core.busy_read needs CAP_NET_ADMIN"
                )

    def _ask_buffer(self, wanted: int) -> int:
        """Ask for a receive buffer, by force where that is allowed; give what was granted. Units: bytes."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted)
        except OSError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
        granted: int = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles it
        if granted < wanted:
            self.warnings.append(
                f"receive buffer: {granted} bytes granted of {wanted}; raise it with "
                f"`sysctl -w net.core.rmem_max={wanted}` or give the process CAP_NET_ADMIN"
            )
        return granted

    def _ask_stamps(self, stamps: str) -> bool:
        """Ask for receive stamps; give whether the card's are among them, should it make any."""
        if stamps == "none":
            return False
        # asked for in any case: the kernel begins to stamp a moment after the first socket of a host has asked. What
        # comes before has no stamp of SO_TIMESTAMPING, but one of SO_TIMESTAMPNS, taken when it is read
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if stamps == "hardware":
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _HARDWARE_STAMPS)
                return True
            except OSError as error:
                self.warnings.append(f"no hardware stamps ({error.strerror}): the kernel's are used")
        return False

    def _check_card(self, interface: Interface) -> None:
        """Warn where hardware stamps were asked for and the card makes none: switching them on is the host's matter."""
        if self.hardware and interface.index and not stamps_in_hardware(interface.name):
            warning = (
                f"{interface.name} does not stamp in hardware: the kernel's stamps are used. Where the card can "
                f"(ethtool -T {interface.name}), `hwstamp_ctl -i {interface.name} -r 1` switches it on"
            )
            if warning not in self.warnings:
                self.warnings.append(warning)

    def _bind(self, host: str, port: int, scope: int) -> None:
        try:
            self.socket.bind((host, port) if self.family == socket.AF_INET else (host, port, 0, scope))
        except OSError as error:
            remedy = _BIND_REMEDIES.get(error.errno or 0, "")
            raise told(f"cannot bind to {endpoint_text(host, port)}", error, remedy) from None

    def _change(self, option: int, membership: Membership) -> None:
        """Join or leave: `struct group_req` or `struct group_source_req`, the same for both families."""
        level = socket.IPPROTO_IP if self.family == socket.AF_INET else socket.IPPROTO_IPV6
        request = struct.pack("@I4x", membership.interface.index) + self._sockaddr(membership.group)
        if membership.source is not None:
            request += self._sockaddr(membership.source)
        try:
            self.socket.setsockopt(level, option, request)
        except OSError as error:
            verb = "leave" if option in (_MCAST_LEAVE_GROUP, _MCAST_LEAVE_SOURCE) else "join"
            raise told(f"cannot {verb} {membership}", error, _REMEDIES.get(error.errno or 0, "")) from None

    def _sockaddr(self, host: str) -> bytes:
        """Lay out a `struct sockaddr_storage`."""
        if address(host).version != (4 if self.family == socket.AF_INET else 6):
            raise NetworkError(f"{host} and {self.host} are not of the same IP version")
        packed = socket.inet_pton(self.family, host)
        if self.family == socket.AF_INET:
            return struct.pack("=HH4s120x", self.family, 0, packed)
        return struct.pack("=HHI16sI100x", self.family, 0, 0, packed, 0)


_BIND_REMEDIES: Final = {
    errno.EADDRINUSE: "another program has it and does not share it",
    errno.EADDRNOTAVAIL: "it is neither a group nor an address of this host",
    errno.EACCES: "ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE",
}
_REMEDIES: Final = {
    errno.ENOBUFS: "a socket may join no more groups or sources; raise net.ipv4.igmp_max_memberships (20) or "
    "net.ipv4.igmp_max_msf (10), for IPv6 net.ipv6.mld_max_msf, or spread the groups over sockets",
    errno.ENODEV: "no interface has a route for the group; name one with -i",
    errno.EADDRINUSE: "this socket has joined it already",
    errno.EINVAL: "it is no multicast group, or it is joined already without a source",
    errno.EADDRNOTAVAIL: "the interface has no address of that kind, or it is not joined",
}


def open_multicast(
    group: str, port: int, *, interface: Interface | str | None = None, source: str | None = None,
    buffer_bytes: int = BUFFER_BYTES, stamps: str = "software", busy_poll_us: int = 0,
) -> UdpSocket:  # fmt: skip
    """Bind to a group and join it on an interface (by name or address; None: where the routes say).

    Raises: NetworkError with the remedy; ConfigurationError for what is no group or no interface.
    """
    found = _interface(interface)
    if not is_multicast(group):
        raise ConfigurationError(f"{group} is no multicast group (224.0.0.0/4, ff00::/8)")
    one = UdpSocket(group, port, buffer_bytes=buffer_bytes, stamps=stamps, busy_poll_us=busy_poll_us, scope=found.index)
    try:
        one.join(group, interface=found, source=source)
    except BaseException:
        one.close()
        raise
    return one


def open_unicast(
    host: str = "0.0.0.0", port: int = 0, *, peer: tuple[str, int] | None = None, buffer_bytes: int = 2**20,
    stamps: str = "software",
) -> UdpSocket:  # fmt: skip
    """Open a socket for requests and their answers; with `peer` it hears nobody else.

    Raises: NetworkError; ConfigurationError.
    """
    if peer is not None and address(peer[0]).version == 6 and host == "0.0.0.0":
        host = "::"
    one = UdpSocket(host, port, buffer_bytes=buffer_bytes, stamps=stamps, reuse=False)
    try:
        if peer is not None:
            one.connect(*peer)
    except BaseException:
        one.close()
        raise
    return one


def _interface(interface: Interface | str | None) -> Interface:
    if isinstance(interface, Interface):
        return interface
    return ANY if interface is None else find_interface(interface)


def _stamp(control: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind in (_SO_TIMESTAMPNS, _SO_TIMESTAMPING):
            seconds, nanoseconds = struct.unpack_from("@qq", data)
            if seconds:  # zero: not taken
                return int(seconds) * 10**9 + int(nanoseconds)
    return None
