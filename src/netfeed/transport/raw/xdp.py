"""Frames through AF_XDP: the kernel hands them over before its own network sees them. Linux 5.9 or later, root.

**What this reader takes, nobody else on this host gets.** A frame goes to the reader *instead of* the host: no socket
receives it, no AF_PACKET reader sees it, ARP and SSH on that interface go silent. So it is for an interface whose
packets nobody else needs - a mirror port, or a line that only this feed reader listens to. With `targets` only UDP to
these (address, port) pairs is taken and all else passes. To look at what others receive, read with `packet`.

A group is joined with an ordinary socket: AF_XDP sends no report, and a switch that snoops forwards nothing without.

Stamps are "user": a batch of frames gets the time at which this process found it. Kernel and card stamp nothing here.

    native    the card's driver runs the program, before anything is allocated
    generic   the kernel does so for any interface, a little later
    auto      native, and generic where the driver has none, which is said in `warnings`

Leaves out: sending; frames longer than a page (dropped and counted); more than one queue (a reader for each). Frames
that this host sends are not seen, and VLAN tags that a card takes off are not in the frames.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from netfeed.build import select
from netfeed.errors import ConfigurationError, MisuseError
from netfeed.machine import NEVER
from netfeed.transport.network import Interface, find_interface
from netfeed.transport.raw import ebpf
from netfeed.transport.raw.card import Let, let_in
from netfeed.transport.raw.packet import LINK_ETHERNET, ROOM
from netfeed.transport.raw.source import ALL, Form, Frame, SourceStatistics, Written
from netfeed.transport.raw.xdp_attach import Mode, attach, check_mode
from netfeed.transport.raw.xdp_host import greatest_frame, receive_queues
from netfeed.transport.raw.xdp_program import Target, read_targets, redirecting
from netfeed.transport.raw.xdp_refusals import Step, refused
from netfeed.transport.raw.xdp_socket import CHUNK, COPY, GREATEST_FRAME, ZERO_COPY, Counters, XdpSocket

MAX_FRAMES: Final = 2**18
"""Memory of 1 GiB."""
_XSKMAP, _XDP = 17, 6


class XdpSource:
    """A `FrameSource` that reads one queue of an interface through AF_XDP.

    Units: `frames` that can wait, a power of two, each takes 4 KiB of pinned memory; `snap` in bytes.
    Raises: NetworkError with the remedy; ConfigurationError for what cannot be asked.
    """

    stamps = "user"
    linktype = LINK_ETHERNET

    def __init__(
        self, interface: str, *, queue: int = 0, frames: int = 4096, snap: int = 262_144, mode: Mode = "auto",
        zero_copy: bool = False, targets: Sequence[tuple[str, int]] = (),
    ) -> None:  # fmt: skip
        check_mode(mode, zero_copy=zero_copy)
        if not 64 <= frames <= MAX_FRAMES or frames & (frames - 1):
            raise ConfigurationError(
                f"the ring of AF_XDP has a power of two of 64 to {MAX_FRAMES} frames, not {frames}"
            )
        if snap < 1:
            raise ConfigurationError("a reader keeps at least a byte of each frame")
        there, wanted = find_interface(interface), read_targets(targets)
        self.interface, self.targets, self.queue = there.name, wanted, queue
        self.gone: str | None = None
        self.mode: str = mode
        self.warnings = _warnings(there, wanted, queue)
        self._last = Counters(0, 0, 0, 0, 0, 0)
        self._open = contextlib.ExitStack()
        try:
            self._set_up(there, frames, snap, zero_copy)
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def fileno(self) -> int:
        """Give the descriptor that is readable when frames wait. It tells nothing of an interface that goes."""
        return self._socket.fileno()

    def write_into(
        self, out: bytearray, form: Form, interface: int = 0, *, frames: int = ALL, until_ns: int = NEVER
    ) -> Written:
        """Write the records of frames that wait from the beginning of `out`; see `FrameSource`.

        Raises: MisuseError for a buffer of less than ROOM, and after `close`.
        """
        if len(out) < ROOM or self._socket.fileno() < 0:
            raise MisuseError(f"records are written into at least {ROOM} bytes, and while the socket is open")
        written: Written = self._rings.write_into(out, form, interface, frames, until_ns)
        if not written.frames:
            self._look()
        return written

    def take(self, limit: int = 1024) -> list[Frame]:
        """Take at most `limit` frames that wait. To whom one went is said by its address alone."""
        found: list[Frame] = self._rings.take(limit)
        if not found:
            self._look()
        return found

    def statistics(self) -> SourceStatistics:
        """Give the counters. `freezes` is 0: the kernel does not tell how often the ring was full."""
        if self._socket.fileno() >= 0:
            self._last = self._socket.counters()
        rings, last = self._rings, self._last
        return SourceStatistics(
            rings.frames, rings.bytes, last.dropped + last.ring_full, 0, rings.invalid + last.invalid
        )

    def close(self) -> None:
        """Detach the program, so that frames go to the host again, and give everything back; safe to do twice."""
        if self._socket.fileno() >= 0:
            self.statistics()
        self._open.close()

    def _set_up(self, there: Interface, frames: int, snap: int, zero_copy: bool) -> None:
        """Open, bind, attach: the program comes last, so that no frame is taken before somebody can read it."""
        step = Step.OPEN
        try:
            self._socket = XdpSocket(frames)
            self._open.callback(self._socket.close)
            self._rings = select("transport.raw.xdp_walk", "netfeed.transport.raw.xdp_rings", "Rings")(
                self._socket.rx, self._socket.fill, self._socket.area, self._socket.rx_ring, self._socket.fill_ring,
                CHUNK, snap,
            )  # fmt: skip
            self._open.callback(self._rings.close)
            step = Step.PROGRAM
            sockets = self._keep(ebpf.create_map(_XSKMAP, self.queue + 1, "netfeed"))
            program = self._keep(ebpf.load_program(_XDP, redirecting(self.targets, sockets), "netfeed"))
            step = Step.BIND
            self._socket.bind(there.index, self.queue, ZERO_COPY if zero_copy else COPY)
            ebpf.update_map(sockets, self.queue, self._socket.fileno())
        except OSError as error:
            raise refused(step, f"{there.name}, queue {self.queue}", error) from None
        link, self.mode, warnings = attach(program, there, self.mode)
        self._keep(link)
        self.warnings += warnings
        self._let_in(there)

    def _let_in(self, there: Interface) -> None:
        """Without targets, have the card keep what is for others, too; with them, joins say what it keeps."""
        if not self.targets:
            try:
                self._open.enter_context(let_in(there.index, Let.EVERYTHING))
            except OSError as error:
                self.warnings.append(f"{there.name} stays as it is, frames for others may be missing: {error.strerror}")

    def _keep(self, descriptor: int) -> int:
        self._open.callback(os.close, descriptor)
        return descriptor

    def _look(self) -> None:
        """Where nothing comes, ask whether anything can."""
        if self.gone is None and self._socket.fileno() >= 0 and (number := self._socket.error()):
            why = "was removed, or moved elsewhere" if number == errno.ENETDOWN else f"fails: {os.strerror(number)}"
            self.gone = f"the interface {self.interface} {why}"


def _warnings(there: Interface, targets: Sequence[Target], queue: int) -> list[str]:
    """Say what a reader of this interface must know."""
    found = []
    if not targets:
        found.append(f"AF_XDP takes every frame of {there.name} away from this host while it reads")
    queues, longest = receive_queues(there.name), greatest_frame(there.name)
    if queues > 1:
        found.append(
            f"{there.name} has {queues} queues and only queue {queue} is read, the others go to the host: "
            f"ethtool -L {there.name} combined 1, or a reader for each"
        )
    if longest > GREATEST_FRAME:
        found.append(
            f"frames of {there.name} can have {longest} bytes: those of more than {GREATEST_FRAME} are dropped"
        )
    return found
