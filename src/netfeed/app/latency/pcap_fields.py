"""What of a packet a measurement needs, as columns: read from many payloads at once, without an object for each.

    protocol   which channel                 session        sequence  count         when it was sent
    itch50     its flow                      10 bytes       u64 BE    u16, ffff: 0  first message, since midnight
    starbase   channel id, type of packet    -              i64       u16           packet; transaction of the first
    deribit    channel id                    -              u32       a packet      message, whole milliseconds
    cme        its flow                      -              u32       a packet      packet
    iex        its flow                      protocol, ids  i64       u16           segment

A field that does not lie within the payload is absent (NO_TIME, count 0). Sources: the codecs in `wire`.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from netfeed.wire import deribit
from netfeed.wire.capture import NO_TIME

MS_NS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a payload. Units: `at` in bytes; `form` a numpy type, or "6" for 48 bits big-endian."""

    at: int
    form: str

    @property
    def size(self) -> int:
        """Give its length in bytes."""
        return int(self.form) if self.form.isdecimal() else np.dtype(self.form).itemsize


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time that the sender wrote. `when`: the template (a u16) that a message must have; `scale_ns` its unit."""

    name: str
    number: Number
    scale_ns: int = 1
    of_day: bool = False
    when: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """One row of the table; slices are of the payload."""

    distinct: slice | None
    session: slice | None
    sequence: Number
    count: Number | None
    stamps: tuple[Stamp, ...]


_BOOK, _TICKER = int(deribit.TemplateId.BOOK), int(deribit.TemplateId.TICKER)

FIELDS: Final[dict[str, Fields]] = {
    "itch50": Fields(
        None, slice(0, 10), Number(10, ">u8"), Number(18, ">u2"), (Stamp("timestamp", Number(27, "6"), of_day=True),)
    ),
    "starbase": Fields(slice(16, 22), None, Number(8, "<i8"), Number(22, "<u2"), (
        Stamp("sendingTime", Number(0, "<i8")), Stamp("transactTime", Number(32, "<i8")),
    )),
    "deribit": Fields(slice(2, 4), None, Number(4, "<u4"), None, (
        Stamp("timestampMs", Number(24, "<u8"), MS_NS, when=(10, _BOOK)),
        Stamp("timestampMs of tickers", Number(25, "<u8"), MS_NS, when=(10, _TICKER)),
    )),
    "cme": Fields(None, None, Number(0, "<u4"), None, (Stamp("SendingTime", Number(4, "<u8")),)),
    "iex": Fields(None, slice(2, 12), Number(24, "<i8"), Number(14, "<u2"), (Stamp("send_time", Number(32, "<i8")),)),
}  # fmt: skip
NO_MESSAGES: Final = 0xFFFF
"""MoldUDP64's count in a packet that ends the session."""


class Payloads:
    """Payloads of one buffer, of which columns are read. Shape: `at` and `length` int64 arrays."""

    def __init__(self, buffer: memoryview, at: Any, length: Any) -> None:
        self._bytes = np.frombuffer(buffer, np.uint8)
        self._at = at
        self._length = length

    def __len__(self) -> int:
        return len(self._at)

    def some(self, which: Any) -> "Payloads":
        """Give some of them."""
        made = object.__new__(Payloads)
        made._bytes, made._at, made._length = self._bytes, self._at[which], self._length[which]
        return made

    def one(self, index: int) -> bytes:
        """Give one payload."""
        at = int(self._at[index])
        return self._bytes[at : at + int(self._length[index])].tobytes()

    def have(self, end: int) -> Any:
        """Say of each whether it has so many bytes."""
        return self._length >= end

    def texts(self, first: int, last: int) -> Any:
        """Read the same bytes of each, as numpy bytes; those that are too short give nothing."""
        return np.ascontiguousarray(self._raw(first, last)).view(f"S{last - first}").reshape(-1)

    def numbers(self, number: Number, absent: int) -> Any:
        """Read a number of each as int64, `absent` of those that are too short."""
        raw = self._raw(number.at, number.at + number.size)
        if number.form == "6":
            raw = np.concatenate((np.zeros((len(raw), 2), np.uint8), raw), axis=1)
        form = ">u8" if number.form == "6" else number.form
        values = np.ascontiguousarray(raw).view(form).reshape(-1).astype(np.uint64 if "u" in form else np.int64)
        return np.where(self.have(number.at + number.size), values.astype(np.int64), absent)

    def _raw(self, first: int, last: int) -> Any:
        have = self.have(last)
        index = self._at[have][:, None] + np.arange(first, last)
        raw = np.zeros((len(self), last - first), np.uint8)
        raw[have] = self._bytes[index]
        return raw


def counts(payloads: Payloads, fields: Fields) -> Any:
    """Say how many numbers each packet takes; 0 for heartbeats."""
    if fields.count is None:
        return payloads.have(fields.sequence.at + fields.sequence.size).astype(np.int64)
    found = payloads.numbers(fields.count, 0)
    return np.where(found == NO_MESSAGES, 0, found)


def stamps(payloads: Payloads, stamp: Stamp, count: Any) -> Any:
    """Read a stamp of each packet that has messages; NO_TIME where there is none. Units: ns."""
    values = payloads.numbers(stamp.number, NO_TIME)
    bad = (values <= 0) | (count == 0) | (values > 2**62 // stamp.scale_ns)
    if stamp.when is not None:
        bad |= payloads.numbers(Number(stamp.when[0], "<u2"), -1) != stamp.when[1]
    return np.where(bad, NO_TIME, np.where(bad, 0, values) * stamp.scale_ns)
