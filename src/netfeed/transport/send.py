"""Send datagrams: to a group or to one host, and at a pace that does not drift.

A pace is a row of absolute deadlines. Waiting for the next one, instead of for a while after the last, is what keeps a
replay of an hour from being minutes late; what was late once is made up for at once. How late each packet really was is
counted and reported, because on a shared machine no pace is exact.

    IP_MULTICAST_IF     by index: an address alone is ambiguous when two interfaces share it
    IP_MULTICAST_TTL    1 unless asked: a test must not leave the network that it was made for
    IP_MULTICAST_LOOP   on: else receivers on this host hear nothing
    bind to the address of the interface: an SSM receiver filters by it; on loopback the kernel would choose another one

Leaves out: what is sent.
"""

import errno
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from netfeed.errors import MisuseError
from netfeed.latency import Histogram
from netfeed.transport.network import Interface, address, endpoint_text, find_interface, told

SPIN_NS: Final = 200_000
"""The end of a wait that is spent asking the clock: a sleep comes back 50 us late and more."""
NAP_NS: Final = 100_000_000
"""The longest sleep before `stop` is asked again."""
MAX_SEGMENTS: Final = 64
MAX_BURST_BYTES: Final = 65_000
_UDP_SEGMENT: Final = 103
_IP_MULTICAST_IF, _IPV6_MULTICAST_IF = 32, 17
_SO_SNDBUFFORCE: Final = 32


class Sender:
    """A non-blocking socket that sends to one destination; what the kernel did not take is counted."""

    def __init__(
        self, host: str, port: int, *, interface: Interface | str | None = None, ttl: int = 1, loopback: bool = True,
        source: tuple[str, int] | None = None, buffer_bytes: int = 4 * 2**20,
    ) -> None:  # fmt: skip
        """Open; `source` is the local address and port to send from (None: the interface's, any port).

        Raises: NetworkError; ConfigurationError for what is no address or no interface.
        """
        if not 0 < port < 65536:
            raise MisuseError(f"no port to send to: {port}")
        self.host, self.port = host, port
        self.family = socket.AF_INET if address(host).version == 4 else socket.AF_INET6
        self.sent = self.bytes = self.blocked = self.refused = 0
        found = find_interface(interface) if isinstance(interface, str) else interface
        self.socket = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._set_up(found, ttl, loopback, buffer_bytes)
            self._attach(found, source)
        except OSError as error:
            self.socket.close()
            unreachable = f"no route through {found.name}" if found else "name an interface with -i"
            remedy = unreachable if error.errno == errno.ENETUNREACH else ""
            raise told(f"cannot send to {endpoint_text(host, port)}", error, remedy) from None
        except BaseException:
            self.socket.close()
            raise

    def fileno(self) -> int:
        """Give the descriptor."""
        return self.socket.fileno()

    @property
    def local(self) -> tuple[str, int]:
        """Give the address and port that datagrams come from."""
        name = self.socket.getsockname()
        return name[0], name[1]

    def send(self, data: bytes | bytearray | memoryview) -> bool:
        """Send one datagram; False when the kernel did not take it (`blocked`: buffer full, `refused`: all else)."""
        try:
            self.socket.send(data)
        except BlockingIOError:
            self.blocked += 1
            return False
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise told(f"cannot send {len(data)} bytes to {endpoint_text(self.host, self.port)}", error) from None
            self.refused += 1
            return False
        self.sent += 1
        self.bytes += len(data)
        return True

    def send_all(self, packets: Iterable[bytes]) -> int:
        """Send datagrams in order and give how many the kernel took."""
        return sum(self.send(packet) for packet in packets)

    def burst(self, data: bytes | bytearray | memoryview, size: int) -> bool:
        """Send `data` as datagrams of `size` bytes (the last may be shorter) in one system call (UDP_SEGMENT).

        Raises: MisuseError for more than MAX_SEGMENTS datagrams or MAX_BURST_BYTES; NetworkError when `size` is more
        than the link carries.
        """
        count = -(-len(data) // size)
        if not 0 < count <= MAX_SEGMENTS or len(data) > MAX_BURST_BYTES:
            raise MisuseError(f"a burst has 1 to {MAX_SEGMENTS} datagrams and at most {MAX_BURST_BYTES} bytes")
        try:
            self.socket.sendmsg([data], [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", size))])
        except BlockingIOError:
            self.blocked += count
            return False
        except OSError as error:
            raise told(f"cannot send a burst to {endpoint_text(self.host, self.port)}", error) from None
        self.sent += count
        self.bytes += len(data)
        return True

    def close(self) -> None:
        """Close."""
        self.socket.close()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _set_up(self, interface: Interface | None, ttl: int, loopback: bool, buffer_bytes: int) -> None:
        multicast_from(self.socket, interface, ttl, loopback=loopback)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, buffer_bytes)
        except OSError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)

    def _attach(self, interface: Interface | None, source: tuple[str, int] | None) -> None:
        group = address(self.host).is_multicast
        if source is None and group and interface is not None and self.family == socket.AF_INET and interface.ipv4:
            source = (interface.ipv4, 0)
        if source is not None:
            self.socket.bind(source)
        scope = interface.index if interface and group else 0
        self.socket.connect(
            (self.host, self.port) if self.family == socket.AF_INET else (self.host, self.port, 0, scope)
        )


def multicast_from(one: socket.socket, interface: Interface | None, ttl: int, *, loopback: bool = True) -> None:
    """Say where what a UDP socket sends to groups leaves, how far it goes, and whether this host hears it, too.

    Raises: OSError.
    """
    index = interface.index if interface else 0
    if one.family == socket.AF_INET:
        one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, loopback)
        if index:
            one.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
    else:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, loopback)
        if index:
            one.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_IF, index)


@dataclass(frozen=True, slots=True)
class Punctuality:
    """How late packets were. Units: ns; None without any."""

    count: int
    p50_ns: int | None
    p90_ns: int | None
    p99_ns: int | None
    max_ns: int | None


class Pacer:
    """Wait for absolute moments; `clock` gives and `sleep` takes what the kernel's do, so that a test can be both."""

    def __init__(
        self, *, stop: Callable[[], bool] = lambda: False, clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep, spin_ns: int = SPIN_NS,
    ) -> None:  # fmt: skip
        self.lateness = Histogram()
        self._stop, self._clock, self._sleep, self._spin_ns = stop, clock, sleep, spin_ns

    def now(self) -> int:
        """Read the clock. Units: monotonic ns."""
        return self._clock()

    def statistics(self) -> Punctuality:
        """Say how late the packets were so far."""
        p50, p90, p99 = (self.lateness.percentile(percent) for percent in (50, 90, 99))
        return Punctuality(self.lateness.count, p50, p90, p99, self.lateness.max_ns)

    def wait(self, deadline_ns: int) -> bool:
        """Wait until a moment and count how late it became; False when it was stopped instead.

        Units: monotonic ns.
        """
        while True:
            left = deadline_ns - self._clock()
            if left <= 0:
                self.lateness.record(-left)
                return True
            if left > self._spin_ns:
                if self._stop():
                    return False
                self._sleep(min(left - self._spin_ns, NAP_NS) / 1e9)
