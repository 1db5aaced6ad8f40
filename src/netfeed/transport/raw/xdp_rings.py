"""Read frames out of the rings of an AF_XDP socket. This twin defines `netfeed.transport.raw.xdp_walk`.

Three pieces of memory are shared with the kernel: `rx`, where it puts descriptors of frames; `fill`, where we give it
the addresses of free chunks; `area`, the chunks themselves. A ring is two counters that only grow, and a power of two
of entries: the kernel moves the producer of `rx` and the consumer of `fill`, we the other two.

A frame is copied, and its chunk given back at once. Nothing that stands in a descriptor is believed: a frame that does
not lie inside one chunk is counted as invalid, and its chunk is given back where it is one at all.

There is no stamp of the kernel: a batch gets the time at which it was found, all its frames the same.

Source: linux/if_xdp.h, Documentation/networking/af_xdp.rst. Leaves out: frames in several chunks (XDP_USE_SG), sending.
Plain Python has no barriers between a counter and what it announces: processors that need some run the compiled one.
"""

import struct
import time
from typing import Final, NamedTuple

from netfeed.machine import NEVER, Buffer
from netfeed.transport.raw.record import record
from netfeed.transport.raw.source import ALL, Frame, FrameKind, Why, Written
from netfeed.wire.pcap import NO_TIME

DESCRIPTOR: Final = struct.Struct("=QII")
"""Of a frame: address, length, options."""
ADDRESS: Final = struct.Struct("=Q")
"""Of a free chunk."""
_WRAP: Final = 2**32


class Ring(NamedTuple):
    """Where the parts of a ring stand in its memory. Units: bytes from the start; `entries` is a power of two."""

    producer: int
    consumer: int
    entries_at: int
    entries: int


class Rings:
    """Both rings and the chunks of one socket.

    Units: `chunk`, `snap` (how much of a frame is kept) in bytes.
    Raises: ValueError when a ring does not lie inside its memory, or a size is no power of two.
    """

    def __init__(
        self, rx: Buffer, fill: Buffer, area: Buffer, rx_ring: Ring, fill_ring: Ring, chunk: int, snap: int
    ) -> None:  # fmt: skip
        for memory, ring, size in ((rx, rx_ring, DESCRIPTOR.size), (fill, fill_ring, ADDRESS.size)):
            check_ring(memoryview(memory).nbytes, ring, size)
        check_chunks(memoryview(area).nbytes, chunk, snap)
        self.frames = self.bytes = self.invalid = 0
        self._rx, self._fill, self._area = memoryview(rx), memoryview(fill), memoryview(area)
        self._rx_words, self._fill_words = self._rx.cast("I"), self._fill.cast("I")
        self._rx_ring, self._fill_ring, self._chunk, self._snap = rx_ring, fill_ring, chunk, snap

    def write_into(
        self, out: bytearray, form: int, interface: int = 0, frames: int = ALL, until_ns: int = NEVER,
        now_ns: int = NO_TIME,
    ) -> Written:  # fmt: skip
        """Write records of the frames that wait, as `FrameSource.write_into` does; `now_ns` is for who knows better."""
        count = at = 0
        stamp = NO_TIME
        why = Why.COUNT
        while count < frames:
            place = self._next()
            if place is None:
                why = Why.EMPTY
                break
            if stamp == NO_TIME:
                stamp = _now(now_ns)
            start, length = place
            data = self._area[start : start + min(length, self._snap)]
            one = record(form, interface, stamp, data, length)
            if stamp >= until_ns or len(one) > len(out) - at:
                why = Why.TIME if stamp >= until_ns else Why.ROOM
                break
            out[at : at + len(one)] = one
            at, count = at + len(one), count + 1
            self._took(len(data))
        return Written(at, count, stamp if count else None, stamp if count else None, why)

    def take(self, limit: int = 1024, now_ns: int = NO_TIME) -> list[Frame]:
        """Take at most `limit` frames that wait."""
        found: list[Frame] = []
        stamp = NO_TIME
        while len(found) < limit and (place := self._next()) is not None:
            if stamp == NO_TIME:
                stamp = _now(now_ns)
            start, length = place
            data = bytes(self._area[start : start + min(length, self._snap)])
            found.append(Frame(stamp, data, length, kind_of(data)))
            self._took(len(data))
        return found

    def close(self) -> None:
        """Let go of the memory: nothing may be read any more. Safe to do twice."""
        for one in (self._rx_words, self._fill_words, self._rx, self._fill, self._area):
            one.release()

    def _next(self) -> tuple[int, int] | None:
        """Find the next frame that can be read, and give where it begins and how long it is; pass over all others."""
        ring = self._rx_ring
        while True:
            consumer = self._rx_words[ring.consumer // 4]
            if self._rx_words[ring.producer // 4] == consumer:
                return None
            at = ring.entries_at + consumer % ring.entries * DESCRIPTOR.size
            address, length, options = DESCRIPTOR.unpack_from(self._rx, at)
            inside = address < len(self._area) and 0 < length <= self._chunk - address % self._chunk
            if inside and options == 0:
                return address, length
            self.invalid += 1
            self._give_back()

    def _took(self, kept: int) -> None:
        self.frames += 1
        self.bytes += kept
        self._give_back()

    def _give_back(self) -> None:
        """Give the chunk of the frame at the consumer's place back to the kernel, and move on."""
        rx, fill = self._rx_ring, self._fill_ring
        consumer, producer = self._rx_words[rx.consumer // 4], self._fill_words[fill.producer // 4]
        address = DESCRIPTOR.unpack_from(self._rx, rx.entries_at + consumer % rx.entries * DESCRIPTOR.size)[0]
        used = (producer - self._fill_words[fill.consumer // 4]) % _WRAP
        if address < len(self._area) and used < fill.entries:
            entry = fill.entries_at + producer % fill.entries * ADDRESS.size
            ADDRESS.pack_into(self._fill, entry, address - address % self._chunk)
            self._fill_words[fill.producer // 4] = (producer + 1) % _WRAP
        self._rx_words[rx.consumer // 4] = (consumer + 1) % _WRAP


def check_ring(length: int, ring: Ring, entry: int) -> None:
    """Refuse a ring that does not lie inside `length` bytes of memory. Units: `entry` in bytes.

    Raises: ValueError.
    """
    entries = ring.entries
    power = 0 < entries <= 2**24 and not entries & (entries - 1)
    counters = all(0 <= at <= length - 4 and at % 4 == 0 for at in (ring.producer, ring.consumer))
    inside = 0 <= ring.entries_at <= length - entries * entry and ring.entries_at % 8 == 0
    if length % 8 or not (power and counters and inside):
        raise ValueError(f"{ring} does not lie in {length} bytes")


def check_chunks(length: int, chunk: int, snap: int) -> None:
    """Refuse memory that is not whole chunks. Units: bytes.

    Raises: ValueError.
    """
    if chunk < 64 or chunk & (chunk - 1) or not length or length % chunk or snap < 1:
        raise ValueError(f"{length} bytes are no chunks of {chunk} bytes, or nothing is kept of a frame")


def kind_of(frame: bytes) -> FrameKind:
    """Say to whom a frame went, by its address alone: who is this host, and who is another, nobody says here."""
    if frame[:6] == b"\xff\xff\xff\xff\xff\xff":
        return FrameKind.BROADCAST
    return FrameKind.MULTICAST if frame[0] & 1 else FrameKind.HOST


def _now(now_ns: int) -> int:
    return time.time_ns() if now_ns == NO_TIME else now_ns
