"""Fixed layouts as tables: a message is a list of (field, kind), in wire order.

The kinds are the field's usual ones: `u8 u16 u32 u48 u64 i8 i16 i32 i64 f64`, `cN` for N characters of text padded
on the right, `bN` for N opaque bytes, `xN` for N bytes to skip. Everything that reads or writes a fixed block -
MoldUDP64, ITCH, SoupBinTCP, IEX, the blocks and groups of SBE - is such a table, so that it can be laid beside its
specification and read line by line.

A decoded message is a named tuple: fields carry the specification's names, values are integers, floats, `str` for
`cN` (padding removed; Latin-1, so that no byte can fail) and `bytes` for `bN`.
"""

import struct
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer

_CODES: Final = {
    "u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f64": "d",
}  # fmt: skip

Row = tuple[str, str]
"""A field of a layout: its name and its kind."""


def size_of(kind: str) -> int:
    """Give the length of one kind. Units: bytes."""
    if kind == "u48":
        return 6
    return int(kind[1:]) if kind[0] in "cbx" else struct.calcsize("<" + _CODES[kind])


class Layout:
    """One fixed block: decodes it to a named tuple and encodes it back.

    `order` is ">" (big-endian) or "<" (little-endian). `pad` fills text on the right: a space for Nasdaq's alpha
    fields, NUL for SBE's. Rows of kind `xN` are skipped when decoding, zero when encoding, and have no name.
    """

    def __init__(self, name: str, order: str, rows: Sequence[Row], *, pad: bytes = b" ") -> None:
        self.name = name
        self.rows = tuple(rows)
        self.pad = pad
        self.fields = tuple(field for field, kind in rows if kind[0] != "x")
        self.record: Callable[..., Any] = namedtuple(name, self.fields)  # type: ignore[misc]
        self._kinds = tuple(kind for _, kind in rows if kind[0] != "x")
        self._struct = struct.Struct(order + "".join(_code(kind) for _, kind in rows))
        if order != ">" and "u48" in self._kinds:
            raise MisuseError(f"{name}: u48 is known in big-endian layouts only")
        self.size = self._struct.size
        self.offsets = _offsets(rows)
        self._plain = not any(kind == "u48" or kind[0] == "c" for kind in self._kinds)
        self._make = self.record._make  # type: ignore[attr-defined]

    def decode(self, data: Buffer, offset: int = 0) -> Any:
        """Decode the block that starts at `offset`; bytes after it are not looked at.

        Raises: WireError when fewer than `size` bytes are left.
        """
        try:
            values = self._struct.unpack_from(data, offset)
        except struct.error:
            left = max(0, len(data) - offset)
            raise WireError(
                f"{self.name} is cut short", offset=offset, found=f"{left} bytes", wanted=f"{self.size} bytes"
            ) from None
        return self._make(values if self._plain else self._values(values))

    def encode(self, *values: Any, **named: Any) -> bytes:
        """Encode field values, by position or by name.

        Raises: MisuseError when a value is missing, unknown, or does not fit its field.
        """
        try:
            record = self.record(*values, **named)
            return self._struct.pack(*self._wire(record))
        except (struct.error, TypeError, AttributeError, UnicodeEncodeError) as error:
            raise MisuseError(f"{self.name}: {error}") from None

    def _values(self, raw: tuple[Any, ...]) -> list[Any]:
        values: list[Any] = []
        parts = iter(raw)
        strip = self.pad.decode("latin-1")
        for kind in self._kinds:
            part = next(parts)
            if kind[0] == "c":
                part = part.decode("latin-1").rstrip(strip)
            elif kind == "u48":
                part = part << 32 | next(parts)
            values.append(part)
        return values

    def _wire(self, record: Any) -> list[Any]:
        raw: list[Any] = []
        for kind, value in zip(self._kinds, record, strict=True):
            if kind[0] in "cb":
                raw.append(self._text(kind, value))
            elif kind == "u48":
                raw += (value >> 32, value & 0xFFFFFFFF)
            else:
                raw.append(value)
        return raw

    def _text(self, kind: str, value: str | bytes) -> bytes:
        data = value.encode("latin-1") if isinstance(value, str) else bytes(value)
        length = int(kind[1:])
        if len(data) > length or (kind[0] == "b" and len(data) != length):
            raise TypeError(f"{data!r} does not fit {length} bytes")
        return data.ljust(length, self.pad)


def _code(kind: str) -> str:
    if kind == "u48":
        return "HI"
    if kind[0] in "cb":
        return f"{kind[1:]}s"
    return f"{kind[1:]}x" if kind[0] == "x" else _CODES[kind]


def _offsets(rows: Sequence[Row]) -> dict[str, int]:
    offsets, at = {}, 0
    for field, kind in rows:
        if kind[0] != "x":
            offsets[field] = at
        at += size_of(kind)
    return offsets
