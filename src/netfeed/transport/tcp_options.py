"""What a TCP connection is asked to be: its options, and what the kernel made of them.

    no_delay            a request does not wait for the one before it to be acknowledged (TCP_NODELAY)
    quick_ack           acknowledge at once; the kernel forgets it, so it is said again after every read (TCP_QUICKACK)
    keep_alive          probe a peer that says nothing, and give it up (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT)
    user_timeout_ns     give up a peer that does not acknowledge what was sent to it (TCP_USER_TIMEOUT)
    receive_buffer_bytes  a cap: a peer that is read slowly is held up, instead of megabytes of old news (SO_RCVBUF)
    fast_open           the first bytes travel with the SYN, once the peer has given a cookie (TCP_FASTOPEN_CONNECT);
                        the connection begins with the first thing that is sent, so the peer must not speak first
    stamps              the kernel's receive stamp of the last segment of a read (SO_TIMESTAMPNS)
                        the first to ask on a host has them a moment later only: till then reads have none

What the kernel does not grant is a warning with its remedy. Source: tcp(7), socket(7), RFC 7413, RFC 5482.
Leaves out: the congestion algorithm, TCP_CORK, MPTCP, zero copy.
"""

import socket
import struct
from dataclasses import dataclass
from typing import Final

from netfeed.errors import MisuseError
from netfeed.transport.network import read_setting

MAX_QUEUE_BYTES: Final = 4 * 2**20
"""What may wait for a peer that does not read; beyond it the peer is taken for dead."""
HIGH_BYTES: Final = 2**20
"""Above this whoever writes is told to pause: seconds of orders, milliseconds of a replay."""
LOW_BYTES: Final = 2**18
"""At or below this it is told to go on."""
FAST_OPEN_QUEUE: Final = 256
"""Connections that may carry data before their handshake is over, at a listener."""

_TCP_FASTOPEN_CONNECT: Final = 30
SO_TIMESTAMPNS: Final = 35
FAST_OPEN_SETTING: Final = "/proc/sys/net/ipv4/tcp_fastopen"
_STAMP: Final = struct.Struct("@qq")


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Probes of a silent peer: after `idle_s`, every `interval_s`, given up after `count`. Units: s."""

    idle_s: int = 15
    interval_s: int = 5
    count: int = 3

    def __post_init__(self) -> None:
        if min(self.idle_s, self.interval_s, self.count) <= 0:
            raise MisuseError("the numbers of keep-alive are positive")


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a connection. Units: bytes and ns; None leaves it to the kernel."""

    no_delay: bool = True
    quick_ack: bool = False
    keep_alive: KeepAlive | None = None
    user_timeout_ns: int | None = None
    receive_buffer_bytes: int | None = None
    send_buffer_bytes: int | None = None
    fast_open: bool = False
    stamps: bool = False
    max_queue_bytes: int = MAX_QUEUE_BYTES
    high_bytes: int = HIGH_BYTES
    low_bytes: int = LOW_BYTES

    def __post_init__(self) -> None:
        if not 0 <= self.low_bytes < self.high_bytes:
            raise MisuseError("the low watermark lies below the high one")


PLAIN: Final = Options()


def apply(one: socket.socket, options: Options) -> list[str]:
    """Ask the kernel for it all, and give what it did not grant, each with its remedy. Raises: OSError."""
    _set(one, socket.TCP_NODELAY, int(options.no_delay))
    if options.quick_ack:
        _set(one, socket.TCP_QUICKACK, 1)
    if options.keep_alive is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        _set(one, socket.TCP_KEEPIDLE, options.keep_alive.idle_s)
        _set(one, socket.TCP_KEEPINTVL, options.keep_alive.interval_s)
        _set(one, socket.TCP_KEEPCNT, options.keep_alive.count)
    if options.user_timeout_ns is not None:
        _set(one, socket.TCP_USER_TIMEOUT, max(1, options.user_timeout_ns // 1_000_000))
    if options.stamps:
        one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return _buffers(one, options)


def ask_fast_open(one: socket.socket) -> list[str]:
    """Let a connection that is about to be made carry data in its SYN."""
    _set(one, _TCP_FASTOPEN_CONNECT, 1)
    return fast_open_warnings(client=True)


def accept_fast_open(one: socket.socket) -> list[str]:
    """Let a listener take data in a SYN."""
    _set(one, socket.TCP_FASTOPEN, FAST_OPEN_QUEUE)
    return fast_open_warnings(client=False)


def fast_open_warnings(*, client: bool, setting: str | None = None) -> list[str]:
    """Say whether the kernel lets a side do it: bit 1 of net.ipv4.tcp_fastopen for clients, bit 2 for servers."""
    text = read_setting(FAST_OPEN_SETTING) if setting is None else setting
    bits = int(text) if text.strip().isdecimal() else 0
    if bits & (1 if client else 2):
        return []
    side = "clients" if client else "servers"
    wanted = bits | (1 if client else 2)
    return [f"no TCP Fast Open for {side}: net.ipv4.tcp_fastopen is {bits}; `sysctl -w net.ipv4.tcp_fastopen={wanted}`"]


def stamp(control: list[tuple[int, int, bytes]]) -> int | None:
    """Find the kernel's stamp among control messages. Units: ns since 1970."""
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _STAMP.unpack_from(data)
            return int(seconds) * 10**9 + int(nanoseconds)
    return None


def _buffers(one: socket.socket, options: Options) -> list[str]:
    warnings = []
    for option, wanted, name in (
        (socket.SO_RCVBUF, options.receive_buffer_bytes, "rmem_max"),
        (socket.SO_SNDBUF, options.send_buffer_bytes, "wmem_max"),
    ):
        if wanted is None:
            continue
        one.setsockopt(socket.SOL_SOCKET, option, wanted)
        granted = one.getsockopt(socket.SOL_SOCKET, option) // 2  # the kernel doubles it for its own needs
        if granted < wanted:
            warnings.append(f"{granted} bytes of buffer granted of {wanted}: `sysctl -w net.core.{name}={wanted}`")
    return warnings


def _set(one: socket.socket, option: int, value: int) -> None:
    one.setsockopt(socket.IPPROTO_TCP, option, value)
