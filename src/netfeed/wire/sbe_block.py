"""Blocks of Simple Binary Encoding: the types of a schema, and a run of fields that may be older or longer than known.

Source: FIX Simple Binary Encoding 1.0, chapters 2 (field encoding), 3 (blocks) and 5 (schema extension). A row of a
block is `(name, type)`; where the schema states an offset and the version that brought the field it is
`(name, type, offset)` or `(name, type, offset, since)`. A type is

    u8 u16 u32 u64 i8 i16 i32 i64 f32 f64   a number        cN   N characters, filled with NUL
    xN   N bytes of padding (has no name)                    bN   N bytes as they are
    a name of the schema: another type, a `Type` with its own null value or a constant, or rows - a composite

and any of them with `?` behind it is optional: null on the wire is `None` here. An optional composite is null when
its first member is. A constant takes no bytes.

Invariant: a block is read within the length that its caller has found to be there, whatever the table's own size: a
field that reaches beyond it, or that is newer than the message's version, is `None`.
"""

import struct
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from netfeed.errors import MisuseError
from netfeed.machine import Buffer

CODES: Final[Mapping[str, str]] = {
    "u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i16": "h", "i32": "i", "i64": "q",
    "f32": "f", "f64": "d",
}  # fmt: skip

NAN: Final = float("nan")
NULLS: Final[Mapping[str, int | float]] = {
    "u8": 2**8 - 1, "u16": 2**16 - 1, "u32": 2**32 - 1, "u64": 2**64 - 1,
    "i8": -(2**7), "i16": -(2**15), "i32": -(2**31), "i64": -(2**63), "f32": NAN, "f64": NAN,
}  # fmt: skip
"""The standard's null of each number; that of a character is NUL, so an optional text is null when it is empty."""


@dataclass(frozen=True, slots=True)
class Type:
    """A named type of a schema: `kind` with the null value that the schema gives it, or a constant.

    `null` and `constant` are None where the schema gives none.
    """

    kind: str
    null: int | float | None = None
    constant: int | float | str | None = None


Row = tuple[str, str] | tuple[str, str, int | None] | tuple[str, str, int | None, int]
"""A field of a block: name, type, offset in the block, version that brought it."""
TypeSpec = str | Type | Sequence[tuple[str, str]]
"""What the name of a type stands for; rows are a composite."""


class Codec(NamedTuple):
    """How one type stands in a struct: its codes, how many values they give, and the ways in and out.

    `read` takes the one value, or the slice of values when `width` is not 1; None hands the value on as it is.
    `write(None)` gives the null, or zeros where the type has none. `number`: a value that is there is written as it is.
    """

    codes: str
    width: int
    read: Callable[[Any], Any] | None
    write: Callable[[Any], tuple[Any, ...]]
    nullable: bool
    number: bool = False


class Slot(NamedTuple):
    """A field in its block: where its values stand in the struct, and where its bytes end."""

    name: str
    first: int
    end: int
    since: int
    codec: Codec

    def read(self, raw: tuple[Any, ...]) -> Any:
        """Read the field from the values of the whole struct."""
        codec, first = self.codec, self.first
        value = raw[first] if codec.width == 1 else raw[first : first + codec.width]
        return codec.read(value) if codec.read else value

    def write(self, owner: str, value: Any) -> tuple[Any, ...]:
        """Give the struct's values of the field.

        Raises: MisuseError when a required value is missing.
        """
        if value is None and not self.codec.nullable:
            raise MisuseError(f"{owner}.{self.name} is required")
        return self.codec.write(value)


class Types:
    """The types of one schema, compiled on demand."""

    def __init__(self, order: str, named: Mapping[str, TypeSpec], nulls: Mapping[str, int | float]) -> None:
        self.order = order
        self._named = dict(named)
        self._nulls = {**NULLS, **nulls}

    def codec(self, kind: str, owner: str) -> Codec:
        """Compile the type of a row.

        Raises: MisuseError when there is no such type.
        """
        optional = kind.endswith("?")
        base = kind.rstrip("?")
        spec = self._named.get(base)
        if spec is None:
            return self._primitive(base, optional, owner)
        if isinstance(spec, str):
            return self.codec(spec + "?" * optional, owner)
        if isinstance(spec, Type):
            return self._typed(spec, optional, owner)
        rows = [(name, inner + "?" * (optional and index == 0)) for index, (name, inner) in enumerate(spec)]
        return _composite(owner, [(name, self.codec(inner, f"{owner}_{name}")) for name, inner in rows], optional)

    def _typed(self, spec: Type, optional: bool, owner: str) -> Codec:
        if spec.constant is not None:
            return Codec("", 0, lambda _: spec.constant, lambda _: (), True)
        if spec.null is None:
            return self.codec(spec.kind + "?" * optional, owner)
        return _number(CODES[spec.kind], spec.null)

    def _primitive(self, kind: str, optional: bool, owner: str) -> Codec:
        if kind in CODES:
            return _number(CODES[kind], self._nulls[kind] if optional else None)
        length = kind[1:]
        if kind[:1] not in ("c", "b", "x") or not length.isdigit():
            raise MisuseError(f"{owner}: type {kind!r} is not known")
        if kind[0] == "x":
            return Codec(f"{length}x", 0, None, lambda _: (), True)
        return _text(int(length), optional) if kind[0] == "c" else _raw(int(length))


class Block:
    """A fixed run of fields.

    `size` is the schema's block length, with the padding behind the last field; `least` is where the fields of the
    schema's first version end. Units: bytes.
    """

    def __init__(self, types: Types, name: str, rows: Iterable[Row], block_length: int | None = None) -> None:
        self.name = name
        self.slots: list[Slot] = []
        codes, at, width = types.order, 0, 0
        for field, kind, offset, since in map(_row, rows):
            codec = types.codec(kind, f"{name}_{field}")
            start = at if offset is None else offset
            codes += f"{_padding(start - at, name, field)}{codec.codes}"
            at = start + struct.calcsize(types.order + codec.codes)
            if field:
                self.slots.append(Slot(field, width, at, since, codec))
            width += codec.width
        self.size = at if block_length is None else block_length
        self._struct = struct.Struct(codes + _padding(self.size - at, name, "block length"))
        self.least = max((slot.end for slot in self.slots if slot.codec.width and not slot.since), default=0)
        self._newest = max((slot.since for slot in self.slots), default=0)
        self._flat = all(slot.codec.width == 1 for slot in self.slots)
        self._writes = [(slot.name, slot.codec.number, slot) for slot in self.slots]
        self._reads = [(index, slot.codec.read) for index, slot in enumerate(self.slots) if slot.codec.read]

    def read(self, data: Buffer, offset: int, length: int, version: int) -> list[Any]:
        """Read the fields of a block of `length` bytes, which the caller has found to be there."""
        if length >= self.size and version >= self._newest:
            return self._values(self._struct.unpack_from(data, offset))
        block = bytes(data[offset : offset + min(length, self.size)]).ljust(self.size, b"\0")
        values = self._values(self._struct.unpack(block))
        for index, slot in enumerate(self.slots):
            if slot.codec.width and (slot.end > length or slot.since > version):
                values[index] = None
        return values

    def _values(self, raw: tuple[Any, ...]) -> list[Any]:
        if not self._flat:
            return [slot.read(raw) for slot in self.slots]
        values = list(raw)
        for index, read in self._reads:
            values[index] = read(values[index])
        return values

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write the block from values by name; optional fields that are missing are null.

        Raises: MisuseError when a required field is missing or a value does not fit.
        """
        raw: list[Any] = []
        for name, number, slot in self._writes:
            value = values.get(name)
            if number and value is not None:
                raw.append(value)
            else:
                raw += slot.write(self.name, value)
        try:
            return self._struct.pack(*raw)
        except (struct.error, OverflowError) as error:
            raise MisuseError(f"{self.name}: {error}") from None


def fit(value: Any, length: int, *, exact: bool) -> bytes:
    """Give text or bytes as exactly `length` bytes, filled with NUL unless `exact`.

    Raises: MisuseError when they do not fit.
    """
    try:
        data = value.encode("latin-1") if isinstance(value, str) else bytes(memoryview(value))
    except (UnicodeEncodeError, TypeError) as error:
        raise MisuseError(f"{value!r} is not text: {error}") from None
    if len(data) > length or (exact and len(data) != length):
        raise MisuseError(f"{data!r} does not fit {length} bytes")
    return data.ljust(length, b"\0")


def _row(row: Row) -> tuple[str, str, int | None, int]:
    if len(row) == 4:
        return row
    return row[0], row[1], row[2] if len(row) == 3 else None, 0


def _padding(length: int, name: str, field: str) -> str:
    if length < 0:
        raise MisuseError(f"{name}: {field} lies {-length} bytes inside the field before it")
    return f"{length}x" if length else ""


def _number(code: str, null: int | float | None) -> Codec:
    if null is None:
        return Codec(code, 1, None, lambda value: (0 if value is None else value,), False, True)
    if null != null:  # NaN equals nothing, not even itself
        read: Callable[[Any], Any] = lambda value: value if value == value else None  # noqa: E731
    else:
        read = lambda value: None if value == null else value  # noqa: E731
    return Codec(code, 1, read, lambda value: (null if value is None else value,), True, True)


def _text(length: int, optional: bool) -> Codec:
    def read(value: bytes) -> str | None:
        text = value.decode("latin-1").rstrip("\0")
        return text if text or not optional else None

    return Codec(
        f"{length}s", 1, read, lambda value: (fit("" if value is None else value, length, exact=False),), optional
    )


def _raw(length: int) -> Codec:
    return Codec(
        f"{length}s",
        1,
        None,
        lambda value: (fit(bytes(length) if value is None else value, length, exact=True),),
        False,
    )


def _composite(name: str, members: Sequence[tuple[str, Codec]], optional: bool) -> Codec:
    record: Any = namedtuple(name, [member for member, _ in members])  # type: ignore[misc]
    slots, width = [], 0
    for member, codec in members:
        slots.append(Slot(member, width, 0, 0, codec))
        width += codec.width
    numbers = all(codec.number for _, codec in members)

    def read(raw: Any) -> Any:
        values = [slot.read((raw,) if width == 1 else raw) for slot in slots]
        return None if optional and values[0] is None else record._make(values)

    def write(value: Any) -> tuple[Any, ...]:
        if value is None:
            return tuple(part for slot in slots for part in slot.codec.write(None))
        if numbers and type(value) is tuple and len(value) == width and None not in value:
            return value
        if not isinstance(value, Sequence) or len(value) != len(slots):
            raise MisuseError(f"{name} has {len(slots)} members, not {value!r}")
        return tuple(part for slot, item in zip(slots, value, strict=True) for part in slot.write(name, item))

    return Codec("".join(codec.codes for _, codec in members), width, read, write, optional)
