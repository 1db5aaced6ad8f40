"""Send whole frames, as they are, from one interface: what a capture holds goes onto the wire byte for byte.

No header is made and none is checked: the kernel sends what it gets, checksums and addresses included.

    sendto    one system call a frame
    ring      frames are put into memory that the kernel reads, and sent by one system call for SLOTS of them
    bypass    past the queueing discipline, straight to the card: faster, and lost when the card is busy

Source: packet(7).
"""

import errno
from collections.abc import Iterable
from itertools import islice
from typing import Final

from netfeed.errors import ConfigurationError
from netfeed.machine import Buffer
from netfeed.transport.network import find_interface, told
from netfeed.transport.raw.fanout import SOL_PACKET
from netfeed.transport.raw.packet import LINK_ETHERNET, interface_mtu, link_type, open_socket
from netfeed.transport.raw.transmit import SLOTS, TransmitRing

HOW: Final = ("sendto", "ring")
_QDISC_BYPASS: Final = 20
_ETHERNET_HEADER, _TAG = 14, 4


class FrameSender:
    """Sends frames from an interface. `errors` counts what the kernel refused, by the name of its error."""

    def __init__(self, interface: str, how: str = "sendto", *, bypass: bool = False) -> None:
        """Open.

        Raises: NetworkError; ConfigurationError for no such interface, and for one that carries no Ethernet frames.
        """
        if how not in HOW:
            raise ConfigurationError(f"frames are sent by {' or '.join(HOW)}, not by {how!r}")
        found = find_interface(interface)
        if link_type(found) != LINK_ETHERNET:
            raise ConfigurationError(f"{found.name} carries no Ethernet frames: name one interface that does")
        self.interface, self.mtu = found.name, interface_mtu(found.name)
        self.sent = self.bytes = 0
        self.errors: dict[str, int] = {}
        self._ring: TransmitRing | None = None
        self._socket = open_socket(raw=True)
        try:
            self._socket.setblocking(True)
            if bypass:
                self._socket.setsockopt(SOL_PACKET, _QDISC_BYPASS, 1)
            if how == "ring":
                self._ring = TransmitRing(self._socket, self.longest)
            self._socket.bind((found.name, 0))  # protocol 0: it receives nothing
        except OSError as error:
            self.close()
            raise told(f"cannot send frames from {found.name}", error) from None

    @property
    def longest(self) -> int:
        """Give the longest frame that the interface carries, a VLAN tag included. Units: bytes."""
        return self.mtu + _ETHERNET_HEADER + _TAG

    def send(self, frames: Iterable[Buffer]) -> int:
        """Send frames in order, and give how many the kernel took; the others are in `errors`."""
        before, frames = self.sent, iter(frames)
        while some := list(islice(frames, SLOTS)):
            fitting = [one for one in some if self._fits(one)]
            if self._ring is not None:
                self._send_together(self._ring, fitting)
            else:
                for frame in fitting:
                    self._send_one(frame)
        return self.sent - before

    def why(self) -> list[str]:
        """Say what was refused, and why, a sentence for each error."""
        return [
            f"{self.interface} did not send {count:,}: {_reason(name, self)}" for name, count in self.errors.items()
        ]

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close; a second call does nothing."""
        if self._ring is not None:
            self._ring.close()
        self._socket.close()

    def __enter__(self) -> "FrameSender":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _fits(self, frame: Buffer) -> bool:
        if _ETHERNET_HEADER <= len(frame) <= self.longest:
            return True
        self._failed(OSError(errno.EMSGSIZE if len(frame) > self.longest else errno.EINVAL, ""))
        return False

    def _send_one(self, frame: Buffer) -> None:
        try:
            self._socket.send(frame)
        except OSError as error:
            self._failed(error)
        else:
            self.sent += 1
            self.bytes += len(frame)

    def _send_together(self, ring: TransmitRing, frames: list[Buffer]) -> None:
        refused = list[Buffer]()

        def failed(error: OSError, frame: Buffer) -> None:
            refused.append(frame)
            self._failed(error)

        self.sent += ring.send(frames, failed)
        self.bytes += sum(map(len, frames)) - sum(map(len, refused))

    def _failed(self, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "unknown")
        self.errors[name] = self.errors.get(name, 0) + 1


def _reason(name: str, sender: FrameSender) -> str:
    queue = f"its queue is full: send slower, or `ip link set dev {sender.interface} txqueuelen 10000`"
    reasons = {
        "EMSGSIZE": f"longer than it carries (MTU {sender.mtu})", "EINVAL": "shorter than an Ethernet header",
        "ENOBUFS": queue, "ENETDOWN": "it is down", "ENXIO": "it was removed",
    }  # fmt: skip
    return reasons.get(name, name)
