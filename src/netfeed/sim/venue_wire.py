"""How the numbered messages of a simulated venue become packets: MoldUDP64 and Starbase, behind one interface.

Source: MoldUDP64 1.00; the packet header of Starbase market data (SBE schema 2102 version 1).

Units: `wall_ns` is what the venue's clock shows, in ns since 1970.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from netfeed.wire import moldudp64, starbase
from netfeed.wire.starbase import PACKET_HEADER, PacketType

PAYLOAD: Final = 1472
"""What fits an Ethernet frame behind the headers of IPv4 and UDP. Units: bytes."""


class Wire(Protocol):
    """The packets of one stream. `header` and `extra` are the bytes of a packet and of each message beside itself."""

    @property
    def header(self) -> int:
        """Give the size of a packet's header."""

    @property
    def extra(self) -> int:
        """Give how many bytes a message takes beside its own."""

    @property
    def session(self) -> str:
        """Give the name of the session, empty where the wire has none."""

    def packet(self, first: int, messages: Sequence[bytes], wall_ns: int, *, again: bool = False) -> bytes:
        """Build a packet; without messages it is a heartbeat. `again`: it was asked for."""

    def ending(self, following: int) -> bytes | None:
        """Build the packet that ends the session, None where the wire has none."""

    def renew(self, epoch: int) -> None:
        """Begin another session."""


class MoldWire:
    """MoldUDP64: sessions are numbered behind their `prefix`."""

    header, extra = moldudp64.HEADER_SIZE, 2

    def __init__(self, prefix: str = "NETFEED") -> None:
        self._prefix = prefix
        self.renew(1)

    @property
    def session(self) -> str:
        """Give the name of the session."""
        return self._session.decode()

    def packet(self, first: int, messages: Sequence[bytes], wall_ns: int, *, again: bool = False) -> bytes:
        """Build a packet; without messages it is a heartbeat."""
        if not messages:
            return moldudp64.encode_heartbeat(self._session, first)
        return moldudp64.encode(self._session, first, messages)

    def ending(self, following: int) -> bytes | None:
        """Build the packet that ends the session."""
        return moldudp64.encode_end_of_session(self._session, following)

    def renew(self, epoch: int) -> None:
        """Begin another session."""
        digits = moldudp64.SESSION_SIZE - len(self._prefix)
        self._session = f"{self._prefix}{epoch % 10**digits:0{digits}d}".encode()


class StarbaseWire:
    """The incrementals or the snapshots of a Starbase channel."""

    header, extra, session = PACKET_HEADER.size, 0, ""

    def __init__(self, channel_id: int, type_: PacketType) -> None:
        self._id, self._type = channel_id, type_

    def packet(self, first: int, messages: Sequence[bytes], wall_ns: int, *, again: bool = False) -> bytes:
        """Build a packet; without messages it is a heartbeat."""
        type_ = self._type | PacketType.RETRANSMIT if again else self._type
        return starbase.encode_packet(first, messages, channel_id=self._id, type=type_, sending_time=wall_ns)

    def ending(self, following: int) -> bytes | None:
        """Say that a session of this wire ends by silence."""
        return None

    def renew(self, epoch: int) -> None:
        """Begin another count: the wire does not name it."""
