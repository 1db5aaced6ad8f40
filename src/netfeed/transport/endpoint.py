"""What stands at a port of a machine: how its bytes come in from a socket, and where they go out to.

    incoming(socket)    a UDP socket that is only heard: a line of a channel
    exchange(socket)    requests and answers with one peer: the client of a retransmit server
    service(socket)     the server's side: an answer goes to whoever asked last
    Outgoing(sender)    what a venue publishes
    tcp.Stream          one TCP connection

Whoever wants to see or change the datagrams (to record them, to lose some) wraps an endpoint in another one.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final, Protocol

from netfeed.machine import Buffer
from netfeed.transport.send import Sender
from netfeed.transport.udp import UdpSocket

BATCH: Final = 64
"""Datagrams that are taken from one socket before the others get their turn."""


class To(Enum):
    """Who hears what is sent through a UDP socket."""

    NOBODY = "it is only heard"
    PEER = "whom it is connected to"
    ASKER = "who sent the last datagram"


class Endpoint(Protocol):
    """One side of a port. A loop waits for it to be readable, and writable while `wants_write`."""

    @property
    def receives(self) -> bool:
        """Say whether it is worth waiting for."""

    @property
    def ended(self) -> bool:
        """Say whether the peer has closed: nothing will come any more."""

    @property
    def wants_write(self) -> bool:
        """Say whether something waits until the kernel takes more."""

    def fileno(self) -> int:
        """Give the descriptor, -1 when it is closed."""

    def receive(self) -> Sequence[Buffer]:
        """Take what has come; it may be overwritten by the next call. Raises: NetworkError when nothing can come."""

    def send(self, out: list[bytes]) -> None:
        """Send, or keep until `flush`. Raises: NetworkError when the peer is gone."""

    def flush(self) -> None:
        """Send on what was kept."""

    def close(self) -> None:
        """Close."""


class UdpEndpoint:
    """A UDP socket at a port; `to` is who hears what the machine sends there."""

    receives: Final = True
    ended: Final = False
    wants_write: Final = False

    def __init__(self, socket: UdpSocket, to: To) -> None:
        self.socket = socket
        self.asker: tuple[str, int] | None = None
        self.unsent = 0
        self._to = to

    def fileno(self) -> int:
        """Give the descriptor."""
        return self.socket.fileno()

    def receive(self) -> list[bytes]:
        """Take what waits; of requests only one, so that its answer goes back to who asked."""
        waiting = self.socket.receive(1 if self._to is To.ASKER else BATCH)
        if waiting:
            self.asker = waiting[-1].source
        return [one.data for one in waiting]

    def send(self, out: list[bytes]) -> None:
        """Send; what the kernel does not take is `unsent`: requests are repeated by the machine, by its deadline."""
        if self._to is To.NOBODY or (self._to is To.ASKER and self.asker is None):
            self.unsent += len(out)
            return
        to = self.asker if self._to is To.ASKER else None
        self.unsent += len(out) - sum(self.socket.send(data, to) for data in out)

    def flush(self) -> None:
        """Do nothing: datagrams are sent at once or not at all."""

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


def incoming(socket: UdpSocket) -> UdpEndpoint:
    """Make the endpoint of a line: it is only heard."""
    return UdpEndpoint(socket, To.NOBODY)


def exchange(socket: UdpSocket) -> UdpEndpoint:
    """Make the endpoint of who asks: the socket is connected to the server, others are not heard."""
    return UdpEndpoint(socket, To.PEER)


def service(socket: UdpSocket) -> UdpEndpoint:
    """Make the endpoint of a server: an answer goes to whoever asked last."""
    return UdpEndpoint(socket, To.ASKER)


class Outgoing:
    """What is published. Nothing comes back; multicast waits for nobody."""

    receives: Final = False
    ended: Final = False
    wants_write: Final = False

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def fileno(self) -> int:
        """Give the descriptor."""
        return self.sender.fileno()

    def receive(self) -> list[bytes]:
        """Take nothing."""
        return []

    def send(self, out: list[bytes]) -> None:
        """Send all; the sender counts what the kernel did not take."""
        self.sender.send_all(out)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Close the sender."""
        self.sender.close()
