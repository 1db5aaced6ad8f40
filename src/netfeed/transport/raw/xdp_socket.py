"""A socket of AF_XDP: memory for frames, two rings that the kernel fills and empties, and its counters.

Source: linux/if_xdp.h, Documentation/networking/af_xdp.rst. Needs CAP_NET_RAW; the memory is pinned, which kernels
count against RLIMIT_MEMLOCK unless CAP_IPC_LOCK is there. After a socket is closed the kernel keeps its queue for some
50 to 100 ms: binding asks again for a second before it says that the queue is taken.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import socket
import struct
import time
from typing import Final, NamedTuple

from netfeed.transport.raw.xdp_rings import ADDRESS, DESCRIPTOR, Ring

AF_XDP: Final = 44
CHUNK: Final = 4096
"""Memory for one frame, a page: the kernel keeps 256 bytes of it for a program's use. Units: bytes."""
GREATEST_FRAME: Final = CHUNK - 256
"""A longer frame is dropped and counted. Units: bytes."""
COPY, ZERO_COPY = 1 << 1, 1 << 2
BUSY_S: Final = 1.0
_SOL_XDP: Final = 283
_OFFSETS, _RX_RING, _AREA, _FILL_RING, _COMPLETION_RING, _STATISTICS = 1, 2, 4, 5, 6, 7
_RX_PAGES, _FILL_PAGES = 0, 0x100000000
_LEAST_COMPLETIONS: Final = 2
"""A ring that only senders use, and that the kernel demands of everybody."""


class Counters(NamedTuple):
    """struct xdp_statistics. `dropped`: no chunk was free, or the frame is too long for one; `ring_full`: nobody read;
    `fill_empty` says why some were dropped, and counts no further ones.
    """

    dropped: int
    invalid: int
    sent_invalid: int
    ring_full: int
    fill_empty: int
    send_empty: int


class XdpSocket:
    """An AF_XDP socket of `frames` chunks, that is bound to no queue yet.

    Raises: OSError.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.rx_ring = self.fill_ring = Ring(0, 0, 0, 0)
        self._socket = socket.socket(AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC)
        self.area = mmap.mmap(-1, frames * CHUNK)
        try:
            self._register()
            self.rx, self.fill = self._map_rings()
        except BaseException:
            self._socket.close()
            raise
        self._give_all()

    def fileno(self) -> int:
        """Give the descriptor; it is readable when frames wait."""
        return self._socket.fileno()

    def bind(self, interface: int, queue: int, flags: int) -> None:
        """Take the frames of one queue of an interface, in a second at the latest.

        Raises: OSError.
        """
        name = struct.pack("=HHIII", AF_XDP, flags, interface, queue, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        end = time.monotonic() + BUSY_S
        while libc.bind(self.fileno(), name, len(name)):
            number = ctypes.get_errno()
            if number != errno.EBUSY or time.monotonic() > end:
                raise OSError(number, os.strerror(number))
            time.sleep(0.005)

    def counters(self) -> Counters:
        """Ask the kernel for its counters; older ones say less, and the rest is 0."""
        told = self._socket.getsockopt(_SOL_XDP, _STATISTICS, 48)
        return Counters(*struct.unpack("=6Q", told.ljust(48, b"\0")))

    def error(self) -> int:
        """Give the socket's error, 0 when there is none; ENETDOWN when the interface has gone."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def close(self) -> None:
        """Give up the queue and the memory; whoever reads the rings has let go of them. Safe to do twice."""
        self._socket.close()
        for one in (self.rx, self.fill, self.area):
            with contextlib.suppress(BufferError):
                one.close()

    def _register(self) -> None:
        pinned = ctypes.c_char.from_buffer(self.area)
        area = struct.pack("=QQIIII", ctypes.addressof(pinned), len(self.area), CHUNK, 0, 0, 0)
        self._socket.setsockopt(_SOL_XDP, _AREA, area)
        for option, entries in (
            (_FILL_RING, self.frames), (_COMPLETION_RING, _LEAST_COMPLETIONS), (_RX_RING, self.frames),
        ):  # fmt: skip
            self._socket.setsockopt(_SOL_XDP, option, entries)

    def _map_rings(self) -> tuple[mmap.mmap, mmap.mmap]:
        """Map both rings where the kernel says that their parts are: producer, consumer, entries, flags of each."""
        told = struct.unpack("=16Q", self._socket.getsockopt(_SOL_XDP, _OFFSETS, 128))
        self.rx_ring = Ring(told[0], told[1], told[2], self.frames)
        self.fill_ring = Ring(told[8], told[9], told[10], self.frames)
        return self._mapped(self.rx_ring, DESCRIPTOR.size, _RX_PAGES), self._mapped(
            self.fill_ring, ADDRESS.size, _FILL_PAGES
        )

    def _mapped(self, ring: Ring, entry: int, pages: int) -> mmap.mmap:
        length = ring.entries_at + ring.entries * entry
        return mmap.mmap(self.fileno(), length, mmap.MAP_SHARED | mmap.MAP_POPULATE, offset=pages)

    def _give_all(self) -> None:
        """Give every chunk to the kernel, before anybody reads."""
        for number in range(self.frames):
            ADDRESS.pack_into(self.fill, self.fill_ring.entries_at + number * ADDRESS.size, number * CHUNK)
        struct.pack_into("=I", self.fill, self.fill_ring.producer, self.frames)
