"""Capture an interface with a ring that the kernel fills: AF_PACKET, TPACKET_V3.

The order of opening is what makes a capture exact: ring and filter first, the interface last. A socket that is bound
before it has its filter has already taken frames that nobody asked for. A socket of a fanout has to be bound before it
can join the group; until then a filter that drops everything stands in the way.

`stamps` are the kernel's, or the card's when it was told to stamp (`hwstamp_ctl -r 1`). A frame is seen when its block
is full, or about `timeout_ns` after its first frame: a ring is for capture, not for whoever waits for each packet. A
block that was handed over half empty stays so until it is read: a reader that sleeps for `blocks` times `timeout_ns`
loses frames even of little traffic.

Source: packet(7), Documentation/networking/packet_mmap.rst.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Final

from netfeed.build import select
from netfeed.errors import ConfigurationError, MisuseError
from netfeed.machine import NEVER
from netfeed.transport.network import ANY, IFF_UP, Interface, find_interface, stamps_in_hardware, told
from netfeed.transport.raw.blocks import MAX_SNAP
from netfeed.transport.raw.bpf import Instruction, Program, snapped
from netfeed.transport.raw.fanout import SOL_PACKET, Fanout
from netfeed.transport.raw.filter import attach, detach
from netfeed.transport.raw.source import ALL, Form, Frame, SourceStatistics, Written

if TYPE_CHECKING:
    from netfeed.transport.raw.blocks import BlockReader
else:
    BlockReader = select("transport.raw.ring", "netfeed.transport.raw.blocks", "BlockReader")

ROOM: Final = 256 * 1024
"""The least buffer of `write_into`. Units: bytes."""
NEEDS: Final = "needs CAP_NET_RAW: run as root, or `setcap cap_net_raw+ep` the interpreter"
LINK_ETHERNET, LINK_COOKED = 1, 276
ETH_P_ALL: Final = 3
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _TIMESTAMP, _IGNORE_OUTGOING = 1, 5, 6, 10, 17, 23
_V3, _PROMISCUOUS, _RAW_HARDWARE = 2, 1, 1 << 6
_FRAME_BYTES: Final = 2048
"""The kernel wants to see one; it fills blocks without gaps."""
_MAX_RING: Final = 2**32 - 1
_MILLISECOND_NS: Final = 1_000_000
_SIOCGIFFLAGS, _SIOCGIFMTU, _SIOCGIFHWADDR = 0x8913, 0x8921, 0x8927
_ETHERNET, _LOOPBACK = 1, 772
_DROP: Final = (Instruction(0x06),)
_LAST_NS: Final = 1_000_000_000
"""So long after its interface was removed a ring is read still: the kernel hands the last block over by a timer of its
own, which a busy machine delays."""


class PacketRing:
    """A `FrameSource` of an interface, or of `any` of them. One thread at a time reads.

    `linktype` is what the frames begin with: LINK_ETHERNET, or LINK_COOKED for `any` and for interfaces without
    Ethernet headers. On a loopback each frame is seen once, as it comes in. `down` says that nothing comes because the
    interface is switched off; it comes again when that is switched on.
    """

    def __init__(
        self, interface: str, *, block_bytes: int = 256 * 1024, blocks: int = 128, timeout_ns: int = 10_000_000,
        snap: int = 262_144, promiscuous: bool = True, outgoing: bool = True, stamps: str = "software",
        program: Program | None = None, fanout: Fanout | None = None,
    ) -> None:  # fmt: skip
        """Open; frames that arrive from now on are kept, as far as the ring has room.

        Units: bytes; `timeout_ns` until a block that is not full is handed over, in whole milliseconds.
        Raises: NetworkError; ConfigurationError for no such interface and for what no ring can be made of.
        """
        _check(block_bytes, blocks, timeout_ns, snap, stamps)
        found = ANY if interface == ANY.name else find_interface(interface)
        self.interface, self.stamps, self.warnings = found.name, stamps, list[str]()
        self.gone: str | None = None
        self.down = False
        self._index, self._drops, self._freezes = found.index, 0, 0
        self._over_at: int | None = None  # monotonic ns
        self._timeout_ns = timeout_ns
        self.linktype, loopback = link_type(found), _loopback()
        self._socket = open_socket(raw=self.linktype == LINK_ETHERNET)
        try:
            self._choose_stamps()
            self._ignore_outgoing(not outgoing or 0 < found.index == loopback)
            self._map = make_ring(self._socket, block_bytes, blocks, -(-timeout_ns // _MILLISECOND_NS))
            self._reader = BlockReader(
                memoryview(self._map), block_bytes, snap=min(snap, MAX_SNAP), cooked=self.linktype == LINK_COOKED,
                loopback=loopback,
            )  # fmt: skip
            self._attach(found, snapped(program, snap), fanout)
            if promiscuous and found.index:
                self._look_at_all()
        except BaseException:
            self.close()
            raise
        self._notice()
        if self.down:
            self.warnings.append(f"{self.interface} is down: nothing comes until somebody switches it on")

    def fileno(self) -> int:
        """Give the descriptor that is readable when frames wait."""
        return self._socket.fileno()

    def write_into(
        self, out: bytearray, form: Form, interface: int = 0, *, frames: int = ALL, until_ns: int = NEVER
    ) -> Written:
        """Write the records of frames that wait; see `FrameSource`.

        Raises: MisuseError for a buffer of less than ROOM, and after `close`.
        """
        if len(out) < ROOM or self._socket.fileno() < 0:
            raise MisuseError(f"records are written into at least {ROOM} bytes, and while the ring is open")
        written = self._reader.write_into(out, form, interface, frames, until_ns)
        if not written.frames:
            self._notice()
        return written

    def take(self, limit: int = 1024) -> list[Frame]:
        """Take at most `limit` frames that wait."""
        found = self._reader.take(limit)
        if not found:
            self._notice()
        return found

    def statistics(self) -> SourceStatistics:
        """Give the counters. The kernel forgets its own when they are read: they are added up here."""
        if self._socket.fileno() >= 0:
            _, drops, freezes = struct.unpack("=III", self._socket.getsockopt(SOL_PACKET, _STATISTICS, 12))
            self._drops, self._freezes = self._drops + drops, self._freezes + freezes
        reader = self._reader
        return SourceStatistics(reader.frames, reader.bytes, self._drops, self._freezes, reader.invalid)

    @property
    def stamped_in_hardware(self) -> int:
        """Give how many frames bear the card's own stamp: what a host sends seldom does."""
        return self._reader.hardware

    def close(self) -> None:
        """Leave the ring; a second call does nothing."""
        if self._socket.fileno() >= 0 and hasattr(self, "_reader"):
            self.statistics()
            self._reader.close()
        if hasattr(self, "_map"):
            self._map.close()
        self._socket.close()

    def __enter__(self) -> "PacketRing":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _choose_stamps(self) -> None:
        if self.stamps != "hardware":
            return
        if not self._index or not stamps_in_hardware(self.interface):
            self.stamps = "software"
            self.warnings.append(
                f"the card of {self.interface} does not stamp what it receives: the kernel's stamps are used "
                f"(`hwstamp_ctl -i {self.interface} -r 1` asks the card; `ethtool -T {self.interface}` says if it can)"
            )
            return
        self._socket.setsockopt(SOL_PACKET, _TIMESTAMP, _RAW_HARDWARE)

    def _ignore_outgoing(self, ignore: bool) -> None:
        if not ignore:
            return
        try:
            self._socket.setsockopt(SOL_PACKET, _IGNORE_OUTGOING, 1)
        except OSError as error:
            raise told("cannot leave out what is sent", error, "needs Linux 4.20") from None

    def _attach(self, found: Interface, program: Program | None, fanout: Fanout | None) -> None:
        """Let frames in, from the first one on through the filter and shared with the others of the group."""
        first = _DROP if fanout else program
        if first is not None:
            attach(self._socket, first, lock=fanout is None)
        try:
            bind(self._socket, found.index)
            if fanout is not None:
                fanout.join(self._socket)
        except OSError as error:
            remedy = "all sockets of a group take the same mode and interface" if fanout else ""
            raise told(f"cannot capture on {found.name}", error, remedy) from None
        if fanout is not None and program is None:
            detach(self._socket)
        elif fanout is not None and program is not None:
            attach(self._socket, program)

    def _look_at_all(self) -> None:
        request = struct.pack("=iHH8x", self._index, _PROMISCUOUS, 0)
        try:
            self._socket.setsockopt(SOL_PACKET, _ADD_MEMBERSHIP, request)
        except OSError as error:
            self.warnings.append(f"{self.interface} cannot be made promiscuous: {error.strerror}")

    def _notice(self) -> None:
        """See whether the interface went down, came up, or is no more; the kernel says it once, and without a frame."""
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ENETDOWN:
            self.down = True
        if not self.down or not self._index:
            return
        name = self._socket.getsockname()[0]
        if name:
            self.down = not _flags(self._socket, name) & IFF_UP
            return
        now = time.monotonic_ns()
        self._over_at = self._over_at or now + max(_LAST_NS, 2 * self._timeout_ns)
        if now >= self._over_at:
            self.gone = f"the interface {self.interface} was removed"


def open_socket(*, raw: bool) -> socket.socket:
    """Open a socket that takes nothing yet: of whole frames, or (not `raw`) without their link headers.

    Raises: NetworkError.
    """
    kind = (socket.SOCK_RAW if raw else socket.SOCK_DGRAM) | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    try:
        return socket.socket(socket.AF_PACKET, kind, 0)
    except OSError as error:
        remedy = NEEDS if error.errno in (errno.EPERM, errno.EACCES) else "this kernel has no packet sockets"
        raise told("cannot open a raw socket", error, remedy) from None


def link_type(found: Interface) -> int:
    """Say what frames of an interface begin with, as a capture file numbers it."""
    ethernet = found.index and _hardware_type(found.name) in (_ETHERNET, _LOOPBACK)
    return LINK_ETHERNET if ethernet else LINK_COOKED


def interface_mtu(name: str) -> int:
    """Give the MTU of an interface. Units: bytes, without the link header.

    Raises: NetworkError.
    """
    return int(struct.unpack_from("=i", _asked(name, _SIOCGIFMTU), 16)[0])


def make_ring(one: socket.socket, block_bytes: int, blocks: int, timeout_ms: int) -> mmap.mmap:
    """Have the kernel make the ring of a socket, and map it.

    Raises: NetworkError.
    """
    size, frames = block_bytes * blocks, block_bytes // _FRAME_BYTES * blocks
    request = struct.pack("=7I", block_bytes, blocks, _FRAME_BYTES, frames, timeout_ms, 0, 0)
    try:
        one.setsockopt(SOL_PACKET, _VERSION, _V3)
        one.setsockopt(SOL_PACKET, _RX_RING, request)
        return mmap.mmap(one.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    except OSError as error:
        no_room = error.errno == errno.ENOMEM
        remedy = f"take less than {blocks} blocks of {block_bytes} bytes" if no_room else "needs Linux 3.2"
        raise told(f"cannot make a ring of {size} bytes", error, remedy) from None


def bind(one: socket.socket, index: int) -> None:
    """Bind a socket to an interface, 0: all. (Python's own finds one by name, and none for all.)

    Raises: OSError.
    """
    name = struct.pack("=HHi12x", socket.AF_PACKET, socket.htons(ETH_P_ALL), index)
    if ctypes.CDLL(None, use_errno=True).bind(one.fileno(), name, len(name)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _check(block_bytes: int, blocks: int, timeout_ns: int, snap: int, stamps: str) -> None:
    if block_bytes % mmap.PAGESIZE or block_bytes < _FRAME_BYTES or blocks < 1 or block_bytes * blocks > _MAX_RING:
        raise ConfigurationError(
            f"a ring has blocks of a multiple of {mmap.PAGESIZE} bytes, and less than 4 GiB in all; "
            f"not {blocks} blocks of {block_bytes} bytes"
        )
    if not 0 < timeout_ns <= 10**12 or snap < 1:
        raise ConfigurationError("a ring's timeout is above nothing and at most 1,000 s, and it keeps at least a byte")
    if stamps not in ("software", "hardware"):
        raise ConfigurationError(f"stamps are of the software or of the hardware, not {stamps!r}")


def is_cooked(interface: str) -> bool:
    """Say whether frames of an interface begin with a cooked header: a filter has to know. Raises: NetworkError."""
    return interface == ANY.name or _hardware_type(find_interface(interface).name) not in (_ETHERNET, _LOOPBACK)


def _hardware_type(name: str) -> int:
    return int(struct.unpack_from("=H", _asked(name, _SIOCGIFHWADDR), 16)[0])


def _asked(name: str, question: int) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            return fcntl.ioctl(one, question, struct.pack("16s24x", name.encode()))
        except OSError as error:
            raise told(f"cannot look at {name}", error) from None


def _flags(one: socket.socket, name: str) -> int:
    """Ask in the namespace of the socket, which need not be this thread's."""
    try:
        return int(
            struct.unpack_from("=H", fcntl.ioctl(one, _SIOCGIFFLAGS, struct.pack("16s24x", name.encode())), 16)[0]
        )
    except OSError:
        return 0


def _loopback() -> int:
    """Give the index of the loopback; 0 where there is none."""
    return next((index for index, name in socket.if_nameindex() if _hardware_type(name) == _LOOPBACK), 0)
