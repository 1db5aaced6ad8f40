"""`--record`: every packet that was received, as pcapng with the kernel's stamps, one interface for each inlet.

The sockets gave no link or IP headers: they are made up from the addresses that the kernel told (TTL 1, checksums
right), and the interface descriptions say so. What the queue had no room for is counted as drops in the interface
statistics that end the file. A file gets its name when it is complete.

    rotate_size, rotate_every   begin another file; strftime in the name tells them apart, else a number is added
    files                       only so many are kept, the oldest is removed
"""

import time
from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Any, Final

from netfeed.app.changes import Rows
from netfeed.app.configuration import Journal, Recording
from netfeed.app.inlet import Inlet
from netfeed.app.queue import Queue
from netfeed.app.rotation import Rotation
from netfeed.transport.sink import Sink, open_sink
from netfeed.wire.headers import udp_frame
from netfeed.wire.pcapng import Interface, Writer

_ETHERNET: Final = 1
_RAW: Final = 101
_LATER: Final = 32
"""Interfaces for sockets that are opened while it runs."""
_OVERHEAD: Final = 160
"""What a packet costs in the queue beside its bytes."""
_TS, _AT, _LENGTH, _ORIGINAL, _SPORT, _DPORT, _SOURCE, _DESTINATION = 1, 2, 3, 5, 10, 11, 12, 13

_Packet = tuple[int, int, bytes, bytes, int, bytes, int, int]


class JournalWriter:
    """Take batches on the loop, write them on a thread."""

    def __init__(self, config: Journal, path: str, inlets: Sequence[Inlet], *, raw: bool = False) -> None:
        self._rotation = rotation_of(config, path)
        self._interfaces = [
            Interface(_RAW if raw else _ETHERNET, name=f"{inlet.slot.name}/{inlet.line} {inlet.name} (headers made up)")
            for inlet in inlets
        ]  # fmt: skip
        kind = _RAW if raw else _ETHERNET
        self._interfaces += [Interface(kind, name=f"opened later {k} (headers made up)") for k in range(_LATER)]
        self._interfaces += [Interface(kind, name="dropped before they came to a queue, of any socket")]
        self._drops = [0] * len(self._interfaces)
        self._size = 0
        self._until: float | None = None
        self._sink: Sink
        self._writer: Writer
        self._begin()
        self.queue = Queue("journal", config.queue, config.policy, self._write)

    def take(self, inlet: Inlet, data: Any, packets: Rows) -> None:
        """Copy a batch, before anything is done with it."""
        if inlet.number >= len(self._interfaces):
            return
        batch: list[_Packet] = [
            (inlet.number, row[_TS], bytes(data[row[_AT] : row[_AT] + row[_LENGTH]]), row[_SOURCE], row[_SPORT],
             row[_DESTINATION], row[_DPORT], row[_ORIGINAL])
            for row in packets.tolist()
        ]  # fmt: skip
        size = sum(len(packet[2]) + _OVERHEAD for packet in batch)
        if batch and not self.queue.put(batch, size):
            self._drops[inlet.number] += len(batch)

    def take_blocks(self, blocks: bytes) -> None:
        """Take packets that are enhanced packet blocks already."""
        self.queue.put(blocks, len(blocks))

    def note_drops(self, count: int) -> None:
        """Take note of all packets that were dropped before they came here."""
        self._drops[-1] = count

    def close(self) -> bool:
        """Write what waits, and close the file; say whether all could be written."""
        done = self.queue.close()
        if done and self.queue.error is None:
            self._end()
        return done

    @property
    def files(self) -> list[str]:
        """List the files that are complete."""
        return self._rotation.files

    def _write(self, batch: list[_Packet] | bytes, lost: int) -> None:
        if self._is_full():
            self._end()
            self._begin()
        blocks = batch if isinstance(batch, bytes) else b"".join(self._block(packet) for packet in batch)
        self._size += len(blocks)
        self._sink.write(blocks)

    def _block(self, packet: _Packet) -> bytes:
        number, ts_ns, payload, source, source_port, destination, port, original = packet
        frame = udp_frame(payload, (_text(source), source_port), (_text(destination), port))
        return self._writer.packet(max(ts_ns, 0), frame, number, len(frame) + original - len(payload))

    def _is_full(self) -> bool:
        return self._rotation.is_full(self._size) or (self._until is not None and time.monotonic() >= self._until)

    def _begin(self) -> None:
        name, every_ns = self._rotation.next(), self._rotation.every_ns
        self._sink, self._writer, self._size = open_sink(name), Writer(self._interfaces), 0
        self._until = None if every_ns is None else time.monotonic() + every_ns / 1e9
        self._sink.write(self._writer.start())

    def _end(self) -> None:
        self._sink.write(self._writer.close(self._drops))
        self._sink.close()
        self._drops[:-1] = [0] * (len(self._drops) - 1)
        self._rotation.completed(self._sink.name)


def rotation_of(config: Journal | Recording, path: str) -> Rotation:
    """Name the files as a section of the configuration says."""
    return Rotation(path, size=config.rotate_size, every_ns=config.rotate_every, files=config.files)


def _text(packed: bytes) -> str:
    address = IPv6Address(packed)
    return str(address.ipv4_mapped or address)
