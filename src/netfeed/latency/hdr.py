"""A histogram as other tools read it: HdrHistogram's V2 encoding, deflated and in base64, as in `.hlog` files.

The layouts are one: unit 1 ns, three significant digits, an hour; a bucket's number is the index of its count. The
encoding holds counts and nothing else: exact extremes, the sum, and what lay outside are kept beside it by whoever
needs them (`rebuilt`).
Source: HdrHistogram, `EncodableHistogram` and `ZigZagEncoding` (V2, "LEB128-64b9B").
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from netfeed.errors import WireError
from netfeed.latency import Histogram
from netfeed.latency.histogram import TOP_NS

COOKIE: Final = 0x1C849313
COMPRESSED_COOKIE: Final = 0x1C849314
DIGITS: Final = 3
_HEADER: Final = struct.Struct(">iiiiqqd")  # cookie, length, normalizing offset, digits, lowest, highest, ratio
_ENVELOPE: Final = struct.Struct(">ii")  # cookie, length
_HALF: Final = 1024
_LONGEST_COUNT: Final = 9
_MOST: Final = 2**63 - 1

Counts = list[tuple[int, int]]
"""(highest duration, count) of each bucket that is not empty, rising: what `Histogram.buckets` gives."""


def index_of(value_ns: int) -> int:
    """Give the number of the bucket that counts a duration."""
    shift = max(0, value_ns.bit_length() - 11)
    return shift * _HALF + (value_ns >> shift)


def bounds_of(index: int) -> tuple[int, int]:
    """Give the lowest and the highest duration of a bucket. Units: ns."""
    shift = index // _HALF - 1
    if shift <= 0:
        return index, index
    lowest = (index - shift * _HALF) << shift
    return lowest, lowest + (1 << shift) - 1


_BUCKETS: Final = index_of(TOP_NS) + 1
_MAX_BYTES: Final = _HEADER.size + _BUCKETS * _LONGEST_COUNT
MAX_TEXT: Final = 4 * (_MAX_BYTES + 1024) // 3
"""No honest text is longer: every bucket full, nothing gained by compression."""


def encode(histogram: Histogram) -> str:
    """Write the counts of a histogram as V2, deflated, in base64."""
    counts = b"".join(_counts(histogram.buckets()))
    plain = _HEADER.pack(COOKIE, len(counts), 0, DIGITS, 1, TOP_NS, 1.0) + counts
    packed = zlib.compress(plain)
    return base64.b64encode(_ENVELOPE.pack(COMPRESSED_COOKIE, len(packed)) + packed).decode("ascii")


def _counts(counts: Counts) -> Iterator[bytes]:
    """Give each count, and a run of empty buckets as a negative one."""
    after = 0
    for highest, count in counts:
        index = index_of(highest)
        if index > after:
            yield _leb(zigzag(after - index))
        yield _leb(zigzag(count))
        after = index + 1


def zigzag(value: int) -> int:
    """Fold a signed number so that small ones of either sign are small."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def _leb(value: int) -> bytes:
    """Write seven bits a byte; the ninth byte holds eight."""
    out = bytearray()
    while value > 0x7F and len(out) < _LONGEST_COUNT - 1:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(text: str | bytes) -> Histogram:
    """Read a V2 text as a histogram, each duration at the highest that its bucket holds.

    Raises: WireError.
    """
    histogram = Histogram()
    counts = unpack(text)
    if sum(highest * count for highest, count in counts) > _MOST:
        raise WireError("histogram", offset=0, found="counts whose sum overflows", wanted="durations below 2**63 ns")
    for highest, count in counts:
        histogram.record(min(highest, TOP_NS), count)
    return histogram


def unpack(text: str | bytes) -> Counts:
    """Read the counts of a V2 text.

    Raises: WireError for what is none, or of another unit, precision or range.
    """
    return list(_read(_inflated(text)))


def _inflated(text: str | bytes) -> bytes:
    if len(text) > MAX_TEXT:
        raise WireError("histogram", offset=0, found=f"{len(text)} characters", wanted=f"{MAX_TEXT} at most")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("histogram", offset=0, found="other signs", wanted="base64") from None
    if len(data) < _ENVELOPE.size:
        raise WireError("histogram", offset=0, found=f"{len(data)} bytes", wanted=f"{_ENVELOPE.size} and more")
    cookie, length = _ENVELOPE.unpack_from(data)
    if cookie != COMPRESSED_COOKIE or length != len(data) - _ENVELOPE.size:
        raise WireError("histogram", offset=0, found=f"{cookie:#x}, {length} bytes", wanted="a V2 cookie, its length")
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data[_ENVELOPE.size :], _MAX_BYTES + 1)
    except zlib.error as error:
        raise WireError("histogram", offset=_ENVELOPE.size, found=error, wanted="a deflated histogram") from None
    if len(plain) > _MAX_BYTES or not inflater.eof or inflater.unused_data:
        raise WireError("histogram", offset=_ENVELOPE.size, found="too much or too little", wanted="one histogram")
    return plain


def _read(plain: bytes) -> Iterator[tuple[int, int]]:
    if len(plain) < _HEADER.size:
        raise WireError("histogram", offset=0, found=f"{len(plain)} bytes", wanted=f"{_HEADER.size} and more")
    cookie, length, shifted, digits, lowest, _, ratio = _HEADER.unpack_from(plain)
    if (cookie, shifted, digits, lowest, ratio) != (COOKIE, 0, DIGITS, 1, 1.0):
        found = f"cookie {cookie:#x}, unit {lowest}, {digits} digits, ratio {ratio}"
        raise WireError("histogram", offset=0, found=found, wanted="V2 of unit 1, 3 digits, ratio 1")
    if length != len(plain) - _HEADER.size:
        raise WireError("histogram", offset=4, found=length, wanted=len(plain) - _HEADER.size)
    index, at = 0, _HEADER.size
    while at < len(plain):
        byte = plain[at]
        count, at = _signed(plain, at) if byte > 0x7F else ((byte >> 1) ^ -(byte & 1), at + 1)
        room = _BUCKETS - index
        if -count > room or (count > 0 and not room):
            raise WireError("histogram", offset=at, found=f"bucket {index - min(count, 0)}", wanted="one below an hour")
        if count > 0:
            yield bounds_of(index)[1], count
        index += max(1, -count)


def _signed(plain: bytes, at: int) -> tuple[int, int]:
    """Read a count, and give where the next begins."""
    value = 0
    for place, byte in enumerate(plain[at : at + _LONGEST_COUNT]):
        last = place == _LONGEST_COUNT - 1
        value |= (byte if last else byte & 0x7F) << 7 * place
        if last or byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + place + 1
    raise WireError("histogram", offset=at, found="the end", wanted="a whole count")


def rebuilt(
    counts: Iterable[tuple[int, int]], *, least: int | None, most: int | None, total: int, negative: int, over: int
) -> Histogram:
    """Make the histogram that has these counts, extremes, sum, and durations outside: it cannot be told from the one
    that they were taken from.

    Units: `least`, `most`, `total` ns.
    Raises: ValueError when no histogram is like that.
    """
    left = {index_of(highest): count for highest, count in counts}
    certain = list(_certain(least, most, negative, over))
    for value, times in certain:
        index = index_of(min(max(value, 0), TOP_NS))
        left[index] = left.get(index, 0) - times
        if left[index] < 0:
            raise ValueError(f"{value} ns is said to have been seen, and its bucket does not count it")
    spare = total - sum(min(max(value, 0), TOP_NS) * times for value, times in certain)
    plan = _spread(left, least or 0, most or 0, spare) if 0 <= total <= _MOST else None
    if plan is None:
        raise ValueError("its least, most and sum do not fit its counts")
    made = Histogram()
    for value, times in (*certain, *plan):
        made.record(value, times)
    if (made.min_ns, made.max_ns) != (least, most):
        raise ValueError("its least and most do not fit its counts")
    return made


def _certain(least: int | None, most: int | None, negative: int, over: int) -> Iterator[tuple[int, int]]:
    """Give the durations that are known one by one: those outside, and the extremes where these are not it."""
    if negative < 0 or over < 0 or (least is None) != (most is None) or not 0 <= (least or 0) <= (most or 0) <= TOP_NS:
        raise ValueError("its least and most are out of order or out of range")
    yield from ((-1, negative), (TOP_NS + 1, over))
    if least is not None and most is not None:
        if not negative and not (over and least == TOP_NS):
            yield least, 1
        if not over and most != least:
            yield most, 1


def _spread(left: dict[int, int], least: int, most: int, spare: int) -> Counts | None:
    """Place what is left in its buckets so that all of it sums up to `spare`; None when no placing does."""
    spans = [(*bounds_of(index), count) for index, count in left.items() if count]
    spans = [(low if low > least else least, high if high < most else most, count) for low, high, count in spans]
    spare -= sum(low * count for low, _, count in spans)
    plan = []
    for low, high, count in spans:
        room = (high - low) * count
        each, rest = (high - low, 0) if spare >= room else divmod(max(spare, 0), count)
        plan += [(low + each, count - rest), (low + each + 1, rest)] if rest else [(low + each, count)]
        spare -= each * count + rest
    return plan if spare == 0 and all(low <= high for low, high, _ in spans) else None
