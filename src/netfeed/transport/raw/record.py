"""Records of capture files as a reader of rings writes them, little-endian; `record.pxd` does the same in C.

`wire.pcap.record` and `wire.pcapng.Writer.packet` define the bytes; here nothing is remembered of a section.
"""

import struct
from typing import Final

from netfeed.machine import Buffer
from netfeed.transport.raw.source import Form
from netfeed.wire import pcap, pcapng

_ENHANCED: Final = pcapng.TABLES["<"].enhanced


def record(form: int, interface: int, ts_ns: int, data: Buffer, length: int) -> bytes:
    """Write the record of a frame: `data` of it was captured. Units: `length` on the wire, in bytes."""
    if form != Form.PCAPNG:
        return pcap.record(ts_ns, data, length)
    high, low = divmod(ts_ns, 2**32)
    body = _ENHANCED.encode(interface, high, low, len(data), length) + data + bytes(-len(data) % 4)
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", pcapng.ENHANCED) + size + body + size
