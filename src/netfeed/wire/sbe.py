"""Simple Binary Encoding: a schema and its templates as tables, decoded and encoded by one engine.

Source: FIX Simple Binary Encoding 1.0 (technical standard with errata). What differs between venues is taken from the
schema and never assumed: the byte order, the message header, the group dimensions, the null values. The rows of a
block are described in `sbe_block`. A message decodes to a named tuple: fields, then groups (tuples of named tuples),
then variable-length data.

Invariant: the root block and every group entry advance by the length *on the wire*, where the wire has one; what is
shorter than the table leaves `None`, what is longer is skipped. Where the header counts groups and data, those that no
table describes are skipped too. Counts and lengths are held against the bytes that are there before anything is
allocated, and an entry must occupy a byte, so that a message cannot make more entries than it has bytes.

Leaves out: the XML (tables are written by hand from it), value ranges, and the checking of enumerations - a code that
is not known is handed on.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, error
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout
from netfeed.wire.sbe_block import CODES, NULLS, Block, Row, Type, Types, TypeSpec, fit

__all__ = ["NEWEST", "NULLS", "Data", "Group", "Row", "Schema", "Template", "Type", "TypeSpec", "UnknownTemplate"]

NEWEST: Final = 2**31
"""A version above all others: the message does not tell its own, every field may be there."""
MAX_SKIP_DEPTH: Final = 8
"""How deep groups may nest within a group that no table describes; real schemas stop at two."""


@dataclass(frozen=True, slots=True)
class Data:
    """A variable-length field: the kind of its length, and whether it is text (`str`, Latin-1) or bytes."""

    name: str
    length: str = "u8"
    text: bool = True
    since: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """A repeating group as its schema states it."""

    name: str
    rows: Sequence[Row]
    groups: Sequence["Group"] = ()
    data: Sequence[Data] = ()
    dimension: str = "groupSizeEncoding"
    block_length: int | None = None
    since: int = 0


class UnknownTemplate(WireError):
    """The message is of a template that the schema does not have; its neighbours are not affected."""


class Schema:
    """What all messages share, and the templates by number.

    `header` is the layout of the message header, None where the venue's framing takes its place. `schema_id` is checked
    where it is given. `var_length` is the kind of the length of data that no table describes. Where `complete`, a block
    that ends before a field of the schema's first version is an error; else such a field is None.
    """

    def __init__(
        self, name: str, *, order: str = "<", header: Layout | None = None, version: int = 0,
        schema_id: int | None = None, dimensions: Mapping[str, Layout] | None = None,
        types: Mapping[str, TypeSpec] | None = None, nulls: Mapping[str, int | float] | None = None,
        var_length: str = "u8", complete: bool = False,
    ) -> None:  # fmt: skip
        self.name, self.order, self.header = name, order, header
        self.id, self.version, self.complete = schema_id, version, complete
        self.types = Types(order, types or {}, nulls or {})
        self.templates: dict[int, Template] = {}
        self.counts = header is not None and "numGroups" in header.fields
        self._dimensions = dict(dimensions or {})
        self._var_length = Struct(order + CODES[var_length])

    def template(
        self, number: int, name: str, rows: Sequence[Row] = (), *, groups: Sequence[Group] = (),
        data: Sequence[Data] = (), block_length: int | None = None,
    ) -> "Template":  # fmt: skip
        """Add a template to the schema and return it."""
        spec = Group(name, rows, groups, data, block_length=block_length)
        self.templates[number] = Template(self, number, spec)
        return self.templates[number]

    def dimension(self, name: str) -> Layout:
        """Give the layout of group dimensions that the schema calls `name`."""
        if name not in self._dimensions:
            raise MisuseError(f"schema {self.name} has no dimensions named {name}")
        return self._dimensions[name]

    def decode(self, data: Buffer, offset: int = 0, end: int | None = None) -> tuple[Any, Any, int]:
        """Decode the message whose header stands at `offset`: the header, the body, and the offset behind it.

        Raises: UnknownTemplate (a WireError) for a template that the schema does not have; WireError.
        """
        header, at, stop = self._header(data, offset, end)
        template = self.templates.get(header.templateId)
        if template is None:
            raise UnknownTemplate(
                f"{self.name} template is not known",
                offset=offset,
                found=header.templateId,
                wanted=sorted(self.templates),
            )
        counts = (header.numGroups, header.numVarDataFields) if self.counts else (None, None)
        body, at = template.read(data, at, stop, header.blockLength, header.version, *counts)
        return header, body, at

    def encode(self, template_id: int, *, version: int | None = None, **values: Any) -> bytes:
        """Encode a message with its header; optional fields, groups and data may be left out.

        Raises: MisuseError when the template or a field is not known, or a value does not fit.
        """
        template = self.templates.get(template_id)
        if template is None or self.header is None:
            raise MisuseError(f"schema {self.name} cannot encode template {template_id}")
        own = {
            "blockLength": template.block.size, "templateId": template_id, "schemaId": self.id or 0,
            "version": self.version if version is None else version,
            "numGroups": len(template.groups), "numVarDataFields": len(template.data),
        }  # fmt: skip
        return self.header.encode(**{field: own[field] for field in self.header.fields}) + template.write(values)

    def measure(self, data: Buffer, offset: int = 0, end: int | None = None) -> int:
        """Give the offset behind a message of any template, known or not, from what its header counts.

        Raises: WireError when it reaches beyond `end`; MisuseError when the header does not count groups.
        """
        if not self.counts:
            raise MisuseError(f"the message header of {self.name} does not say what follows the block")
        header, at, stop = self._header(data, offset, end)
        at = _advance(f"{self.name} block", at, stop, header.blockLength)
        return self._skip_rest(data, at, stop, header.numGroups, header.numVarDataFields, 0)

    def _header(self, data: Buffer, offset: int, end: int | None) -> tuple[Any, int, int]:
        if self.header is None:
            raise MisuseError(f"schema {self.name} has no message header")
        stop = len(data) if end is None else min(end, len(data))
        at = _advance(f"{self.name} message header", offset, stop, self.header.size)
        header = self.header.decode(data, offset)
        if self.id is not None and header.schemaId != self.id:
            raise WireError(
                f"{self.name} message has another schema", offset=offset, found=header.schemaId, wanted=self.id
            )
        return header, at, stop

    def skip_group(self, data: Buffer, at: int, end: int, depth: int = 0) -> int:
        """Give the offset behind a group that no table describes; its dimensions are the schema's first."""
        dimension = next(iter(self._dimensions.values()), None)
        if dimension is None or depth >= MAX_SKIP_DEPTH:
            raise WireError(
                f"{self.name} group is not known", offset=at, found=f"depth {depth}", wanted="a known group"
            )
        start = _advance(f"{self.name} dimensions", at, end, dimension.size)
        dims = dimension.decode(data, at)
        nested = _nested(dims, dimension)
        _bound(
            f"{self.name} group", start, end, dims.blockLength + nested[0] * dimension.size + nested[1], dims.numInGroup
        )
        at = start
        for _ in range(dims.numInGroup):
            at = _advance(f"{self.name} group entry", at, end, dims.blockLength)
            at = self._skip_rest(data, at, end, *nested, depth + 1)
        return at

    def skip_data(self, data: Buffer, at: int, end: int) -> int:
        """Give the offset behind variable-length data that no table describes."""
        return _data(data, at, end, self._var_length, f"{self.name} data")[1]

    def _skip_rest(self, data: Buffer, at: int, end: int, groups: int, texts: int, depth: int) -> int:
        for _ in range(groups):
            at = self.skip_group(data, at, end, depth)
        for _ in range(texts):
            at = self.skip_data(data, at, end)
        return at


class Body:
    """A block and what follows it: groups, then variable-length data. A message is one, so is an entry of a group."""

    def __init__(self, schema: Schema, name: str, spec: Group) -> None:
        self.name, self.schema = name, schema
        self.block = Block(schema.types, name, spec.rows, spec.block_length)
        self.groups = [_Repeat(schema, name, group) for group in spec.groups]
        self.data = [(item, Struct(schema.order + CODES[item.length])) for item in spec.data]
        names = [slot.name for slot in self.block.slots]
        self.fields = (*names, *(group.name for group in spec.groups), *(item.name for item in spec.data))
        self.record: Callable[..., Any] = namedtuple(name, self.fields)  # type: ignore[misc]
        self._make = self.record._make  # type: ignore[attr-defined]

    def read(
        self,
        data: Buffer,
        at: int,
        end: int,
        length: int,
        version: int,
        groups: int | None = None,
        texts: int | None = None,
    ) -> tuple[Any, int]:
        """Read a block of `length` bytes at `at` and what follows; return the record and where it ends.

        `groups` and `texts` are how many of them the wire says there are, where it says so.
        """
        start = _advance(self.name, at, end, length)
        if self.schema.complete and length < self.block.least:
            found, wanted = f"a block of {length} bytes", f"{self.block.least} bytes or more"
            raise WireError(f"{self.name} lacks fields", offset=at, found=found, wanted=wanted)
        values = self.block.read(data, at, length, version)
        at = start
        if self.groups or groups:
            at = self._read_groups(data, at, end, version, groups, values)
        if self.data or texts:
            at = self._read_data(data, at, end, version, texts, values)
        return self._make(values), at

    def _read_groups(self, data: Buffer, at: int, end: int, version: int, count: int | None, values: list[Any]) -> int:
        there = sum(group.since <= version for group in self.groups) if count is None else count
        for group in self.groups[:there]:
            entries, at = group.read(data, at, end, version)
            values.append(entries)
        values += [()] * (len(self.groups) - there)
        for _ in range(len(self.groups), there):
            at = self.schema.skip_group(data, at, end)
        return at

    def _read_data(self, data: Buffer, at: int, end: int, version: int, count: int | None, values: list[Any]) -> int:
        there = sum(item.since <= version for item, _ in self.data) if count is None else count
        for item, prefix in self.data[:there]:
            start, at = _data(data, at, end, prefix, item.name)
            raw = bytes(data[start:at])
            values.append(raw.decode("latin-1") if item.text else raw)
        values += ["" if item.text else b"" for item, _ in self.data[there:]]
        for _ in range(len(self.data), there):
            at = self.schema.skip_data(data, at, end)
        return at

    def write(self, values: Mapping[str, Any]) -> bytes:
        """Write block, groups and data from values by name.

        Raises: MisuseError when a field is missing or unknown or a value does not fit.
        """
        unknown = [name for name in values if name not in self.fields]
        if unknown:
            raise MisuseError(f"{self.name} has no field {', '.join(unknown)}")
        parts = [self.block.write(values)]
        parts += [group.write(values.get(group.name) or ()) for group in self.groups]
        parts += [_write_data(item, prefix, values.get(item.name) or b"") for item, prefix in self.data]
        return b"".join(parts)


class Template(Body):
    """One message of a schema: a body with a number."""

    def __init__(self, schema: Schema, number: int, spec: Group) -> None:
        super().__init__(schema, spec.name, spec)
        self.id = number

    def decode(
        self,
        data: Buffer,
        offset: int = 0,
        *,
        end: int | None = None,
        block_length: int | None = None,
        version: int = NEWEST,
    ) -> tuple[Any, int]:
        """Decode a body that starts at `offset`, without a header of SBE; return it and the offset behind it.

        Raises: WireError when a block, a group or a text reaches beyond `end`.
        """
        stop = len(data) if end is None else min(end, len(data))
        return self.read(data, offset, stop, self.block.size if block_length is None else block_length, version)

    def encode(self, **values: Any) -> bytes:
        """Encode the body alone; optional fields, groups and data may be left out.

        Raises: MisuseError when a field is missing or unknown or a value does not fit.
        """
        return self.write(values)


class _Repeat:
    """A repeating group: its dimensions, and the body of an entry."""

    def __init__(self, schema: Schema, owner: str, group: Group) -> None:
        self.name, self.since = group.name, group.since
        self.dimension = schema.dimension(group.dimension)
        self.body = Body(schema, f"{owner}_{group.name}", group)
        self._counts = "numGroups" in self.dimension.fields
        sizes = [inner.dimension.size for inner in self.body.groups if not inner.since]
        self._least = sum(sizes) + sum(prefix.size for item, prefix in self.body.data if not item.since)

    def read(self, data: Buffer, at: int, end: int, version: int) -> tuple[tuple[Any, ...], int]:
        """Read all entries; return them and where the group ends."""
        start = _advance(f"{self.body.name} dimensions", at, end, self.dimension.size)
        dims = self.dimension.decode(data, at)
        at = start
        length, count = dims.blockLength, dims.numInGroup
        if not count:
            return (), at
        nested = _nested(dims, self.dimension) if self._counts else (None, None)
        least = self._least if nested[0] is None else nested[0] * self.dimension.size + (nested[1] or 0)
        _bound(self.body.name, at, end, length + least, count)
        entries = []
        for _ in range(count):
            entry, at = self.body.read(data, at, end, length, version, *nested)
            entries.append(entry)
        return tuple(entries), at

    def write(self, entries: Sequence[Any]) -> bytes:
        """Write the dimensions and all entries, each a mapping or a named tuple."""
        own = {
            "blockLength": self.body.block.size, "numInGroup": len(entries),
            "numGroups": len(self.body.groups), "numVarDataFields": len(self.body.data),
        }  # fmt: skip
        head = self.dimension.encode(**{field: own[field] for field in self.dimension.fields})
        return head + b"".join(
            self.body.write(entry if isinstance(entry, Mapping) else entry._asdict()) for entry in entries
        )


def _nested(dims: Any, dimension: Layout) -> tuple[int, int]:
    return (dims.numGroups, dims.numVarDataFields) if "numGroups" in dimension.fields else (0, 0)


def _advance(name: str, at: int, end: int, length: int) -> int:
    if length > end - at:
        raise WireError(f"{name} is cut short", offset=at, found=f"{max(0, end - at)} bytes", wanted=f"{length} bytes")
    return at + length


def _bound(name: str, at: int, end: int, least: int, count: int) -> None:
    if count and (not least or count * least > end - at):
        found = f"{count} entries of {least} bytes"
        raise WireError(
            f"{name} counts more than is there", offset=at, found=found, wanted=f"{end - at} bytes of entries"
        )


def _data(data: Buffer, at: int, end: int, prefix: Struct, name: str) -> tuple[int, int]:
    start = _advance(f"length of {name}", at, end, prefix.size)
    return start, _advance(name, start, end, prefix.unpack_from(data, at)[0])


def _write_data(item: Data, prefix: Struct, value: str | bytes) -> bytes:
    data = fit(value, len(value), exact=True)
    try:
        return prefix.pack(len(data)) + data
    except error:
        raise MisuseError(f"{item.name} of {len(data)} bytes is too long") from None
