"""What the kernel knows of a connection: TCP_INFO. Round trips, losses, what is on its way.

Source: struct tcp_info of <linux/tcp.h>: kernels append to it, so that what an older one does not know is None.
"""

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Final

_FIRST: Final = struct.Struct("=8B24I")
"""Up to tcpi_total_retrans: what every kernel since 2.6 gives."""
_MORE: Final = struct.Struct("=4Q6I4Q2I2Q")
"""tcpi_pacing_rate to tcpi_bytes_retrans: since 4.19."""
_SIZE: Final = 512
_SYN_DATA: Final = 0x20
_STATES: Final = (
    "none", "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2", "time-wait", "closed", "close-wait",
    "last-ack", "listen", "closing",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """The kernel's account of a connection. Units: ns, bytes, and segments where no unit stands.

    `lost` and `unacked` are of now, `retransmits` of all time. `fast_open`: data went with the SYN and was taken.
    """

    state: str
    rtt_ns: int
    rttvar_ns: int
    rto_ns: int
    retransmits: int
    lost: int
    unacked: int
    cwnd: int
    mss_bytes: int
    fast_open: bool
    min_rtt_ns: int | None = None
    unsent_bytes: int | None = None
    delivery_rate: int | None = None
    retransmitted_bytes: int | None = None


def tcp_info(one: socket.socket) -> TcpInfo | None:
    """Ask the kernel; None when the socket is closed."""
    with contextlib.suppress(OSError):
        return read_info(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE))
    return None


def read_info(data: bytes) -> TcpInfo | None:
    """Read a struct tcp_info; None when it is too short to be one."""
    if len(data) < _FIRST.size:
        return None
    state, _, _, _, _, options, _, _, *words = _FIRST.unpack_from(data)
    rto, _, mss, _, unacked, _, lost, *_ = words
    rtt, rttvar, _, cwnd = words[15:19]
    name = _STATES[state] if state < len(_STATES) else str(state)
    first = (
        name, rtt * 1000, rttvar * 1000, rto * 1000, words[23], lost, unacked, cwnd, mss, bool(options & _SYN_DATA)
    )  # fmt: skip
    if len(data) < _FIRST.size + _MORE.size:
        return TcpInfo(*first)
    more = _MORE.unpack_from(data, _FIRST.size)
    return TcpInfo(*first, more[7] * 1000, more[6], more[10], more[17])
