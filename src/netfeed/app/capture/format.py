"""What a capture file is: pcap or pcapng by its name, packed or not, and where its records end.

pcapng says at its end, for each interface, how many frames were received and how many of them were dropped. pcap has no
place for that: where frames were dropped, a file beside it tells (`sidecar`).
"""

import gzip
import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import zstandard

from netfeed.errors import ConfigurationError
from netfeed.machine import Buffer
from netfeed.transport.raw.source import Form
from netfeed.wire import pcap, pcapng

Pack = Callable[[Buffer], bytes]
"""Make what can be unpacked by itself: a file of them is whole wherever it is cut between two."""

STATISTICS_BYTES: Final = 56
"""What an interface's statistics take at the end of a pcapng file."""
_LENGTHS: Final = {Form.PCAP: (struct.Struct("<8xI4x"), 16), Form.PCAPNG: (struct.Struct("<4xI"), 0)}
_FORMS: Final = {".pcap": Form.PCAP, ".pcapng": Form.PCAPNG}


def _gzip(data: Buffer) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def _zstd(data: Buffer) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(data)


_PACKS: Final[dict[str, Pack]] = {".gz": _gzip, ".zst": _zstd}


class Format(NamedTuple):
    """The form of a file and what packs it, if anything does."""

    form: Form
    pack: Pack | None


def format_of(path: str) -> Format:
    """Read a file's name: .pcap or .pcapng, with .gz or .zst behind it; standard output gets pcapng.

    Raises: ConfigurationError.
    """
    if path == "-":
        return Format(Form.PCAPNG, None)
    packed = next((ending for ending in _PACKS if path.endswith(ending)), "")
    bare = path.removesuffix(packed)
    for ending, form in _FORMS.items():
        if bare.endswith(ending):
            return Format(form, _PACKS.get(packed))
    raise ConfigurationError(f"-w {path}: a capture is called .pcap or .pcapng, with .zst or .gz behind it if wanted")


def head(form: Form, interfaces: Sequence[pcapng.Interface]) -> bytes:
    """Give the bytes that a file begins with."""
    if form is Form.PCAP:
        return pcap.file_header(interfaces[0].linktype, interfaces[0].snaplen)
    return pcapng.Writer(interfaces).start()


def foot(
    form: Form, interfaces: Sequence[pcapng.Interface], frames: Sequence[int], drops: Sequence[int], ts_ns: int
) -> bytes:
    """Give the bytes that a file ends with. `frames` are those in it, `drops` those that are missing."""
    if form is Form.PCAP:
        return b""
    writer = pcapng.Writer(interfaces)
    counts = enumerate(zip(frames, drops, strict=True))
    return b"".join(writer.statistics(at, ts_ns, written + lost, lost) for at, (written, lost) in counts)


def foot_bytes(form: Form, interfaces: int) -> int:
    """Say how long `foot` is. Units: bytes."""
    return STATISTICS_BYTES * interfaces if form is Form.PCAPNG else 0


def whole(records: memoryview, form: Form, room: int) -> tuple[int, int]:
    """Say how many bytes, and how many records, fit `room`, of records that we wrote. Units: bytes."""
    layout, extra = _LENGTHS[form]
    at = count = 0
    while at < len(records):
        after = at + extra + layout.unpack_from(records, at)[0]
        if after > room:
            break
        at, count = after, count + 1
    return at, count


def record_bytes(records: memoryview, form: Form) -> int:
    """Say how long the first record is. Units: bytes."""
    layout, extra = _LENGTHS[form]
    return int(extra + layout.unpack_from(records)[0])
