"""A ring of frames that the kernel sends: PACKET_TX_RING, TPACKET_V2. One system call sends all that were put in.

A frame that cannot be sent stays in its slot and holds up all behind it: the slots from there on are taken back, and
filled again without it, because the kernel goes on where it stopped.

Source: linux/if_packet.h, Documentation/networking/packet_mmap.rst.
"""

import mmap
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final

from netfeed.machine import Buffer
from netfeed.transport.raw.fanout import SOL_PACKET

SLOTS: Final = 64
_VERSION, _TX_RING = 10, 13
_V2: Final = 1
_DATA: Final = 32
"""Where the kernel looks for the frame in a slot: tpacket2_hdr, rounded up to 16. Units: bytes."""
_AVAILABLE, _SEND = 0, 1


class TransmitRing:
    """The ring of a socket that is not bound yet. Units: `longest` frame in bytes."""

    def __init__(self, one: socket.socket, longest: int) -> None:
        """Make it.

        Raises: OSError.
        """
        self._slot = mmap.PAGESIZE
        while self._slot < longest + _DATA:
            self._slot *= 2
        self._socket, self._next = one, 0
        request = struct.pack("=4I", self._slot, SLOTS, self._slot, SLOTS)  # a block for each slot
        one.setsockopt(SOL_PACKET, _VERSION, _V2)
        one.setsockopt(SOL_PACKET, _TX_RING, request)
        self._map = mmap.mmap(one.fileno(), self._slot * SLOTS, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)

    def send(self, frames: Sequence[Buffer], failed: Callable[[OSError, Buffer], None]) -> int:
        """Send at most SLOTS frames that fit, and give how many went; `failed` is told of each that did not."""
        sent, left = 0, list(frames)
        while left:
            for at, frame in enumerate(left):
                self._put(self._place(at), frame)
            went, error = self._flush(len(left))
            sent, left = sent + went, left[went:]
            if error is not None and left:
                failed(error, left[0])
                left = left[1:]
        return sent

    def close(self) -> None:
        """Let go of the ring."""
        self._map.close()

    def _place(self, at: int) -> int:
        return (self._next + at) % SLOTS * self._slot

    def _put(self, place: int, frame: Buffer) -> None:
        size = len(frame)
        self._map[place + _DATA : place + _DATA + size] = bytes(frame)
        struct.pack_into("=II", self._map, place + 4, size, size)
        struct.pack_into("=I", self._map, place, _SEND)

    def _flush(self, count: int) -> tuple[int, OSError | None]:
        """Have the kernel send what stands in so many slots; give how many went, and what stopped it."""
        error = None
        try:
            self._socket.send(b"")
        except OSError as one:
            error = one
        went = 0
        while went < count and struct.unpack_from("=I", self._map, self._place(went))[0] == _AVAILABLE:
            went += 1
        for at in range(went, count):
            struct.pack_into("=I", self._map, self._place(at), _AVAILABLE)
        self._next = (self._next + went) % SLOTS
        if went < count and error is None:
            error = OSError("the kernel did not say why")
        return went, error
