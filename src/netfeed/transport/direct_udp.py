"""Drive one machine over one UDP socket from a thread that does nothing else: it asks for datagrams, or sleeps.

What `direct` is for streams. Datagrams come in batches with the kernel's stamps, which the machine is told before each
(`stamp`); what it then says goes to an address, to whom the socket is connected, or to who sent the datagram. Spinning,
it never sleeps; else it sleeps in select until a datagram or the deadline comes, as exactly as the thread's timer slack
allows. It keeps the driver's law.

    DirectUdp(pinger, socket, to=("192.0.2.1", 7400), spin=True, events=take, stop=stop).run()

Leaves out: several sockets, other threads, sending in batches: a probe leaves alone.
"""

import errno
import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from netfeed.build import select as select_build
from netfeed.machine import Machine
from netfeed.transport.endpoint import To
from netfeed.transport.network import endpoint_text, told
from netfeed.transport.task import Events, nothing
from netfeed.transport.udp import UdpSocket
from netfeed.wire.capture import PACKET, Kind

NAP_NS: Final = 50_000_000
"""The longest sleep before `stop` is asked again."""
PACKETS: Final = 32
MAX_KNOWN: Final = 1024
"""Senders whose addresses are kept as text."""
_SPARE: Final = 64
"""Bytes by which a slot is longer than the longest datagram that is expected: what is longer is seen to be."""
_START, _LENGTH, _STAMP, _KIND, _VERSION, _PORT, _SOURCE = map(
    (PACKET.names or ()).index,
    ("payload_offset", "payload_length", "ts_ns", "kind", "ip_version", "source_port", "source"),
)

Address = tuple[str, int]
Batch = select_build("transport.mmsg", "netfeed.transport.batch", "Batch")


class Stamped(Machine, Protocol):
    """A machine of datagrams that wants to know when the kernel had each."""

    def stamp(self, kernel_ns: int) -> None:
        """Tell the kernel's receive stamp of what comes next."""


class DirectUdp:
    """One machine, one socket, one thread. `unsent` is what the kernel did not take, `refused` how often a host said
    that nobody listens.
    """

    def __init__(
        self, machine: Stamped, one: UdpSocket, *, size: int, to: Address | To = To.ASKER, spin: bool = False,
        events: Events = nothing, stop: Callable[[], bool] = lambda: False,
        last: Callable[[bytes, int], bytes] | None = None, clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:  # fmt: skip
        """Prepare; `size` is the longest datagram that is expected, `last` may change one at the moment of sending."""
        self.machine, self.socket = machine, one
        self.unsent = self.refused = 0
        self._batch = Batch(PACKETS, min(size + _SPARE, 65_536))
        self._to, self._spin, self._events, self._stop, self._clock = to, spin, events, stop, clock
        self._last = last
        self._known: dict[tuple[bytes, int], Address] = {}

    def run(self) -> None:
        """Drive until `stop`.

        Raises: NetworkError when the interface is gone.
        """
        machine, clock, stop = self.machine, self._clock, self._stop
        self._drain(self._to)
        while not stop():
            count = self._receive()
            for row in range(count):
                self._take(row)
            now = clock()
            if machine.deadline <= now:
                self._tell(machine.wake(now), now)
                self._drain(self._to)
            elif not count and not self._spin:
                left = min(machine.deadline - now, NAP_NS)
                select.select([self.socket], [], [], left / 1e9)

    def _receive(self) -> int:
        try:
            return int(self._batch.receive(self.socket.fileno()))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                self.refused += 1
                return 0
            raise told(f"cannot receive on {endpoint_text(self.socket.host, self.socket.port)}", error) from None

    def _take(self, row: int) -> None:
        now = self._clock()
        packet = self._batch.packets[row].item()  # all of it at once: a field by itself costs as much
        start, length = packet[_START], packet[_LENGTH]
        self.machine.stamp(packet[_STAMP])
        data = self._batch.data[start : start + length] if packet[_KIND] == Kind.UDP else b""
        self._tell(self.machine.receive(data, now), now)
        self._drain(self._sender(packet) if self._to is To.ASKER else self._to)

    def _drain(self, to: Address | To) -> None:
        for data in self.machine.transmit():
            whole = data if self._last is None else self._last(data, self._clock())
            try:
                self.socket.socket.sendto(whole, to) if isinstance(to, tuple) else self.socket.socket.send(whole)
            except OSError as error:
                self._unsent(error, len(whole))

    def _unsent(self, error: OSError, size: int) -> None:
        """Count what was not sent; an earlier datagram's refusal is told by a later send."""
        self.unsent += 1
        self.refused += error.errno == errno.ECONNREFUSED
        if error.errno == errno.EMSGSIZE:
            raise told(f"cannot send {size} bytes", error) from None

    def _tell(self, events: Sequence[Any], now: int) -> None:
        if events:
            self._events(events, now)

    def _sender(self, packet: tuple[Any, ...]) -> Address:
        """Give who sent a datagram, as the kernel wants to be told."""
        name = packet[_SOURCE], packet[_PORT]
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[name] = _text(*name, packet[_VERSION])
        return known


def _text(source: bytes, port: int, version: int) -> Address:
    if version == 4:
        return socket.inet_ntop(socket.AF_INET, source[12:]), port
    return socket.inet_ntop(socket.AF_INET6, source), port
