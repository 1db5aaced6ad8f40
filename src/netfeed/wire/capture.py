"""Walk a capture: one call turns a buffer of pcap or pcapng records into an array of UDP payloads.

This twin defines `netfeed._core.capture`: it is `wire.pcap` or `wire.pcapng` for the records and `wire.frame` for what
is in them, and no more. The format is recognised from the first bytes. A walk can stop and go on anywhere: hand in
what is left of the buffer with more bytes behind it.

After BAD, and after PARTIAL at the end of a file, `resync` says where reading can go on. A block or record that is
refused changes nothing, so that the same call with more bytes gives the same answer.
"""

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netfeed.errors import WireError
from netfeed.machine import Buffer
from netfeed.wire import pcap, pcapng
from netfeed.wire.frame import Kind, locate
from netfeed.wire.pcap import NO_TIME, Record, Torn

if TYPE_CHECKING:
    Packets = np.ndarray[Any, Any]

__all__ = ["NO_TIME", "PACKET", "Kind", "Status", "Walker"]

PACKET: Final = np.dtype(
    [
        ("record_offset", "<i8"),  # of the record header in the file (base + index in the buffer)
        ("ts_ns", "<i8"),  # NO_TIME: the file gives none
        ("payload_offset", "<i8"),  # in the buffer; 0 where there is no payload
        ("payload_length", "<u4"),
        ("captured_length", "<u4"),
        ("original_length", "<u4"),
        ("interface", "<u4"),  # of the section; 0 in pcap
        ("kind", "u1"),  # a Kind
        ("ip_version", "u1"),  # 0: not IP
        ("vlan", "<u2"),  # the outermost id, NO_VLAN: no tag
        ("source_port", "<u2"),
        ("destination_port", "<u2"),
        ("source", "V16"),  # IPv4 as ::ffff:a.b.c.d
        ("destination", "V16"),
    ]
)
assert PACKET.itemsize == 80


class Status(IntEnum):
    """Why a walk came back."""

    MORE = 0  # `out` is full
    END = 1  # the buffer ends where a record ends
    PARTIAL = 2  # a record goes on past the end of the buffer: more bytes, or the torn tail of a file
    BAD = 3  # what stands at the next offset is no record; see Walker.error


class Walker:
    """Walks one capture, pcap or pcapng, from its first byte on; which of the two is seen from the magic number."""

    def __init__(self) -> None:
        self.records = self.udp = self.fragments = self.not_udp = self.bad = self.truncated = 0
        self.error: tuple[str, str, str] | None = None
        self._decoder: pcap.Decoder | pcapng.Decoder | None = None

    def walk(self, buffer: Buffer, offset: int, out: "Packets", base: int = 0) -> tuple[int, int, int]:
        """Walk `buffer` from `offset` and fill `out`; give (count, next_offset, status).

        Units: `base` is the offset of buffer[0] in the file, in bytes.
        Raises: ValueError for an offset outside the buffer or an `out` that is no array of PACKET.
        """
        data = memoryview(buffer)
        _check(data, offset)
        if out.dtype.itemsize != PACKET.itemsize:
            raise ValueError(
                f"out must be an array of PACKET (80 bytes an item), not of {out.dtype.itemsize} bytes an item"
            )
        self.error = None
        count = 0
        while count < len(out):
            if offset == len(data):
                return count, offset, Status.END
            try:
                record, offset = self._step(data, offset)
            except WireError as error:
                self.error = error.what, error.found, error.wanted
                return count, offset, Status.PARTIAL if isinstance(error, Torn) else Status.BAD
            if record is not None:
                out[count] = self._row(record, base)
                count += 1
        return count, offset, Status.MORE

    def resync(self, buffer: Buffer, offset: int) -> int:
        """Find the first plausible record behind `offset`, at most RESYNC_BYTES away; -1 when there is none."""
        data = memoryview(buffer)
        _check(data, offset)
        return -1 if self._decoder is None else self._decoder.resync(data, offset)

    @property
    def format(self) -> str | None:
        """Name the format: "pcap", "pcapng", or None before the first header."""
        if self._decoder is None:
            return None
        return "pcap" if isinstance(self._decoder, pcap.Decoder) else "pcapng"

    @property
    def interfaces(self) -> list[tuple[int, int, int | None]]:
        """List (linktype, snaplen, drops or None) of each interface of the current section."""
        if isinstance(self._decoder, pcapng.Decoder):
            return [(interface.linktype, interface.snaplen, interface.drops) for interface in self._decoder.interfaces]
        header = self._decoder.header if self._decoder else None
        return [(header.linktype, header.snaplen, None)] if header else []

    @property
    def dropped(self) -> int:
        """Add up the drops that the capturing machine reported, over all interfaces and sections."""
        return self._decoder.dropped if isinstance(self._decoder, pcapng.Decoder) else 0

    def _step(self, data: memoryview, offset: int) -> tuple[Record | None, int]:
        if self._decoder is not None:
            return self._decoder.step(data, offset)
        left = len(data) - offset
        if left < 4:
            raise pcap.torn("capture file header", offset, left, 4)
        is_pcapng = data[offset : offset + 4] == pcapng.SECTION.to_bytes(4, "big")
        decoder: pcap.Decoder | pcapng.Decoder = pcapng.Decoder() if is_pcapng else pcap.Decoder()
        step = decoder.step(data, offset)
        self._decoder = decoder
        return step

    def _row(self, record: Record, base: int) -> tuple[Any, ...]:
        packet = locate(record.data, record.linktype, record.original_length)
        self._tally(packet.kind)
        at = record.data_offset + packet.payload_offset if packet.payload_offset else 0
        return (
            base + record.offset, record.ts_ns, at, packet.payload_length, len(record.data), record.original_length,
            record.interface, packet.kind, packet.ip_version, packet.vlan, packet.source_port, packet.destination_port,
            packet.source, packet.destination,
        )  # fmt: skip

    def _tally(self, kind: Kind) -> None:
        self.records += 1
        name = _COUNTERS[kind]
        setattr(self, name, getattr(self, name) + 1)


_COUNTERS: Final = {
    Kind.UDP: "udp", Kind.FRAGMENT: "fragments", Kind.NOT_UDP: "not_udp", Kind.BAD: "bad", Kind.TRUNCATED: "truncated",
}  # fmt: skip


def _check(data: memoryview, offset: int) -> None:
    if not 0 <= offset <= len(data):
        raise ValueError(f"offset {offset} is outside the buffer of {len(data)} bytes")
