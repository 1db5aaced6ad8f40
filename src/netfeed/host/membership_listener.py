"""Hear IGMP and MLD on an interface, also what others say to each other, and send nothing.

Reports go to groups of their own (224.0.0.22, ff02::16, or the group that is wanted): the card is told to let in all
groups. A switch that snoops shows reports only to the ports of routers and queriers (RFC 4541, 2.1.1), so that a host
behind one hears queries, and what it says itself; for all of it listen at a mirror port, at a bridge, or at a router.

Needs CAP_NET_RAW. Source: packet(7), linux/filter.h (SKF_NET_OFF: offsets from where IP begins, whatever is before).
"""

import select
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Self

from netfeed.errors import ConfigurationError, WireError
from netfeed.host.membership import Memberships, Wanted
from netfeed.host.membership_findings import Finding, findings
from netfeed.transport.network import find_interface
from netfeed.transport.raw.bpf import ANCILLARY, KEEP, RETURN, Instruction, Known, Program
from netfeed.transport.raw.card import Let, let_in
from netfeed.transport.raw.packet import PacketRing
from netfeed.wire.membership import Heard, hear

_LOAD, _LOAD_BYTE, _EQUAL = 0x20, 0x30, 0x15
_IP: Final = 2**32 - 0x100000
FILTER: Final[Program] = (
    Instruction(_LOAD, k=ANCILLARY + Known.PROTOCOL),
    Instruction(_EQUAL, 0, 2, 0x0800),
    Instruction(_LOAD_BYTE, k=_IP + 9),
    Instruction(_EQUAL, 5, 6, 2),  # IGMP
    Instruction(_EQUAL, 0, 5, 0x86DD),
    Instruction(_LOAD_BYTE, k=_IP + 6),
    Instruction(_EQUAL, 0, 3, 0),  # hop-by-hop options, where the router alert is
    Instruction(_LOAD_BYTE, k=_IP + 40),
    Instruction(_EQUAL, 0, 1, 58),  # and ICMPv6 behind them: nothing but MLD has both
    Instruction(RETURN, k=KEEP),
    Instruction(RETURN, k=0),
)
"""What the kernel keeps: IPv4 of protocol 2, and IPv6 with a header of hop-by-hop options before ICMPv6."""
_BLOCK_BYTES, _BLOCKS = 65_536, 16


class MembershipListener:
    """Hears the messages of one interface, with the kernel's stamps.

    Raises: NetworkError with the remedy; ConfigurationError for no such interface.
    """

    def __init__(self, interface: str) -> None:
        found = find_interface(interface)
        if not found.index:
            raise ConfigurationError("memberships are heard on one interface: name it")
        self.interface = found.name
        self._ring = PacketRing(found.name, block_bytes=_BLOCK_BYTES, blocks=_BLOCKS, promiscuous=False, program=FILTER)
        try:
            self._let_in = let_in(found.index, Let.ALL_GROUPS)
        except BaseException:
            self._ring.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def gone(self) -> str | None:
        """Say why nothing more can come, None while it can."""
        return self._ring.gone

    @property
    def warnings(self) -> list[str]:
        """Give what somebody should know of the interface."""
        return self._ring.warnings

    @property
    def drops(self) -> int:
        """Give how many messages the kernel had no room for."""
        return self._ring.statistics().drops

    def fileno(self) -> int:
        """Give the descriptor that is readable when messages wait."""
        return self._ring.fileno()

    def read(self) -> Iterator[tuple[int, Heard | None]]:
        """Give the messages that wait with their times, None for one that is damaged. Never blocks."""
        for frame in self._ring.take():
            try:
                found = hear(frame.data, self._ring.linktype)
            except WireError:
                yield frame.ts_ns, None
                continue
            if found is not None:
                yield frame.ts_ns, found

    def close(self) -> None:
        """Stop to listen; safe to do twice."""
        self._ring.close()
        self._let_in.close()


def listen(interface: str, wanted: Sequence[Wanted] = (), *, duration_ns: int) -> list[Finding]:
    """Listen for a while and say what is wrong, for whoever asks why a group does not arrive. Blocks so long.

    Raises: NetworkError, ConfigurationError.
    """
    memberships = Memberships(wanted)
    with MembershipListener(interface) as listener:
        memberships.begin(time.time_ns())
        end = memberships.now_ns + duration_ns
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while (left := end - time.time_ns()) > 0 and listener.gone is None:
            poll.poll(left // 1_000_000 + 1)
            for ts_ns, heard in listener.read():
                if heard is None:
                    memberships.damaged += 1
                else:
                    memberships.hear(heard, ts_ns)
        memberships.wake(max(end, memberships.now_ns))
    return findings(memberships)
