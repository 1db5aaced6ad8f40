"""Walk a ring of TPACKET_V3 blocks, which the kernel fills with frames. This twin defines `netfeed.transport.raw.ring`.

A block belongs to the kernel until its status says otherwise; then its frames are read in order, and it is given back.
The ring is any writable buffer, so that a block can be made up: nothing in it is believed. A length or an offset that
leads out of its block is counted in `invalid`, and never followed.

    at 0   version, offset of private data, status, frames, offset of the first one, length, sequence, two times: 48
    frame  offset of the next, s, ns, captured, length, status, offsets of link and network header, hash, VLAN tag: 48
           sockaddr_ll: family, protocol, interface, hardware type, kind, address length, address: 20
           the captured bytes, from the offset of the link header on

The kernel takes a VLAN tag off a frame and tells it beside it: it is put back, as libpcap does. Of an interface without
link headers, and of all interfaces together ("cooked"), a frame begins with LINKTYPE_LINUX_SLL2.

Source: linux/if_packet.h, Documentation/networking/packet_mmap.rst; tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html
"""

import struct
from dataclasses import dataclass
from typing import Final

from netfeed.machine import NEVER
from netfeed.transport.raw.record import record
from netfeed.transport.raw.source import ALL, Frame, FrameKind, Why, Written

BLOCK_HEAD: Final = 48
FRAME_HEAD: Final = 68
"""tpacket3_hdr and sockaddr_ll. Units: bytes."""
ALIGNED: Final = 16
MAX_SNAP: Final = 262_144 - 64
"""With it a record fits a buffer of 256 KiB. Units: bytes."""
MAX_LENGTH: Final = 2**24
"""No frame is longer, not even before a card cuts it. Units: bytes."""
_STATUS: Final = 8
_KERNEL, _USER = 0, 1
_VLAN_VALID, _TPID_VALID, _HARDWARE = 1 << 4, 1 << 6, 1 << 31
_DOT1Q: Final = 0x8100
_BLOCK: Final = struct.Struct("=III")
_FRAME: Final = struct.Struct("=6IHHIIH10xHHiHBB8s")
_SLL2: Final = struct.Struct("!HHIHBB8s")
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame that stands at the cursor, whole: with its tag or cooked header, not yet cut to the snap length."""

    ts_ns: int
    data: bytes
    length: int
    kind: int
    stamped_in_hardware: bool


class BlockReader:
    """Reads the frames of a ring, in order; one thread at a time.

    `snap` cuts what is written and taken; `loopback` is the index of the interface whose outgoing frames are left out,
    because all of them come back in.
    Raises: ValueError for blocks that a ring cannot be made of.
    """

    def __init__(
        self, ring: bytearray | memoryview, block_bytes: int, *, snap: int = MAX_SNAP, cooked: bool = False,
        loopback: int = 0,
    ) -> None:  # fmt: skip
        view = memoryview(ring).cast("B")
        whole = BLOCK_HEAD <= block_bytes < 2**31 and block_bytes % ALIGNED == 0 and len(view) % block_bytes == 0
        if not whole or not len(view) or view.readonly:
            raise ValueError(f"a ring is a writable buffer of whole blocks, of a multiple of {ALIGNED} bytes each")
        if not 1 <= snap <= MAX_SNAP:
            raise ValueError(f"a snap length is 1 to {MAX_SNAP} bytes")
        self._ring: memoryview | None = view
        self._block_bytes, self._blocks = block_bytes, len(view) // block_bytes
        self._snap, self._cooked, self._loopback = snap, cooked, loopback
        self._block = 0  # the block that is read or comes next
        self._inside = False  # whether that block is ours and begun
        self._left = self._at = 0  # frames left in it, and where in it the next one begins
        self.frames = self.bytes = self.invalid = self.hardware = 0
        """Frames read, their bytes as captured, what could not be read, and frames that the card stamped."""

    def write_into(
        self, out: bytearray, form: int, interface: int = 0, frames: int = ALL, until_ns: int = NEVER
    ) -> Written:
        """Write whole records of frames that wait; see `FrameSource.write_into`. `form` is a `Form`."""
        ring, used, count = self._open(), 0, 0
        first_ns = last_ns = None
        why = Why.COUNT
        while count < frames:
            seen = self._look(ring)
            if seen is None:
                why = Why.EMPTY
                break
            one = record(form, interface, seen.ts_ns, seen.data[: self._snap], seen.length)
            if seen.ts_ns >= until_ns or used + len(one) > len(out):
                why = Why.TIME if seen.ts_ns >= until_ns else Why.ROOM
                break
            out[used : used + len(one)] = one
            used, count = used + len(one), count + 1
            first_ns, last_ns = seen.ts_ns if first_ns is None else first_ns, seen.ts_ns
            self._pass(ring, seen)
        return Written(used, count, first_ns, last_ns, why)

    def take(self, limit: int = 1024) -> list[Frame]:
        """Take at most `limit` frames that wait."""
        ring, found = self._open(), list[Frame]()
        while len(found) < limit and (seen := self._look(ring)) is not None:
            found.append(Frame(seen.ts_ns, seen.data[: self._snap], seen.length, FrameKind(seen.kind)))
            self._pass(ring, seen)
        return found

    def close(self) -> None:
        """Let go of the ring."""
        if self._ring is not None:
            self._ring.release()
            self._ring = None

    def _open(self) -> memoryview:
        if self._ring is None:
            raise ValueError("the ring is closed")
        return self._ring

    def _look(self, ring: memoryview) -> _Seen | None:
        """Give the next frame that can be read, and leave the cursor on it; None when no block is ours."""
        while self._inside or self._enter(ring):
            while self._left:
                seen = self._frame(ring)
                if isinstance(seen, _Seen):
                    return seen
                self.invalid += seen
                self._next(ring)
            self._give_back(ring)
        return None

    def _enter(self, ring: memoryview) -> bool:
        """Begin the next block; False while it is the kernel's."""
        start = self._block * self._block_bytes
        status, left, at = _BLOCK.unpack_from(ring, start + _STATUS)
        if not status & _USER:
            return False
        self._inside = True
        self._left, self._at = left, at
        if left and not BLOCK_HEAD <= at <= self._block_bytes - FRAME_HEAD:
            self._lose()
        return True

    def _frame(self, ring: memoryview) -> _Seen | int:
        """Read the frame at the cursor; or give what it adds to `invalid`: 1 when it makes no sense, 0: left out."""
        start = self._block * self._block_bytes + self._at
        (_, seconds, ns, captured, length, status, offset, _, _, tci, tpid,
         _, protocol, index, hardware_type, kind, size, address) = _FRAME.unpack_from(ring, start)  # fmt: skip
        if not captured <= length <= MAX_LENGTH or offset + captured > self._block_bytes - self._at or ns >= _SECOND_NS:
            return 1
        kind = kind if kind <= FrameKind.OUTGOING else FrameKind.HOST
        if kind == FrameKind.OUTGOING and index == self._loopback and index:
            return 0
        tagged = bool(tci or status & _VLAN_VALID)
        tag = struct.pack("!HH", tpid if tpid or status & _TPID_VALID else _DOT1Q, tci & 0xFFFF)
        data = bytes(ring[start + offset : start + offset + captured])
        if self._cooked:
            swapped = struct.pack("=H", protocol)
            behind = tag[2:] + swapped if tagged else b""
            (first,) = struct.unpack("!H", tag[:2] if tagged else swapped)
            head = _SLL2.pack(first, 0, index & 0xFFFFFFFF, hardware_type, kind, size, address) + behind
            data, length = head + data, length + len(head)
        elif tagged and captured >= 12:
            data, length = data[:12] + tag + data[12:], length + len(tag)
        return _Seen(seconds * _SECOND_NS + ns, data, length, kind, bool(status & _HARDWARE))

    def _pass(self, ring: memoryview, seen: _Seen) -> None:
        """Step over a frame that was read; a block without any more is the kernel's again."""
        self.frames += 1
        self.bytes += min(len(seen.data), self._snap)
        self.hardware += seen.stamped_in_hardware
        self._next(ring)
        if not self._left:
            self._give_back(ring)

    def _next(self, ring: memoryview) -> None:
        """Move the cursor to the next frame of the block; if that lies outside, the rest of the block is lost."""
        self._left -= 1
        if self._left:
            (step,) = struct.unpack_from("=I", ring, self._block * self._block_bytes + self._at)
            self._at += step
            if step < FRAME_HEAD or self._at > self._block_bytes - FRAME_HEAD:
                self._lose()

    def _lose(self) -> None:
        self.invalid += self._left
        self._left = 0

    def _give_back(self, ring: memoryview) -> None:
        struct.pack_into("=I", ring, self._block * self._block_bytes + _STATUS, _KERNEL)
        self._inside = False
        self._block = (self._block + 1) % self._blocks
