"""The SBE engine: the standard's own wire examples, then what must hold for any schema and any bytes."""

import math
import struct
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire.layout import Layout
from netfeed.wire.sbe import Data, Group, Schema, Type, UnknownTemplate

HEADER_8 = Layout(
    "Header", "<", [("blockLength", "u16"), ("templateId", "u16"), ("schemaId", "u16"), ("version", "u16")]
)
HEADER_12 = Layout("Header", "<", [*HEADER_8.rows, ("numGroups", "u16"), ("numVarDataFields", "u16")])
DIMS_4 = Layout("Dims", "<", [("blockLength", "u16"), ("numInGroup", "u16")])
DIMS_8 = Layout("Dims", "<", [*DIMS_4.rows, ("numGroups", "u16"), ("numVarDataFields", "u16")])
SOFH_SIZE = 6

# The schema of the standard's chapter 7, with the schema id that its wire examples carry.
EXAMPLES = Schema(
    "Examples",
    header=HEADER_8,
    schema_id=91,
    dimensions={"groupSizeEncoding": DIMS_4},
    types={
        "optionalDecimal": (("mantissa", "i64?"), ("exponent", "minus3")),
        "qty": (("mantissa", "i32"), ("exponent", "zero")),
        "minus3": Type("i8", constant=-3),
        "zero": Type("i8", constant=0),
        "MONTH_YEAR": (("year", "u16"), ("month", "u8"), ("day", "u8?"), ("week", "u8?")),
    },
)
EXAMPLES.template(99, "NewOrderSingle", (
    ("ClOrdID", "c8", 0), ("Account", "c8", 8), ("Symbol", "c8", 16), ("Side", "c1", 24),
    ("TransactTime", "u64", 25), ("OrderQty", "qty", 33), ("OrdType", "c1", 37),
    ("Price", "optionalDecimal?", 38), ("StopPx", "optionalDecimal?", 46),
))  # fmt: skip
EXAMPLES.template(98, "ExecutionReport", (
    ("OrderID", "c8"), ("ExecID", "c8"), ("ExecType", "c1"), ("OrdStatus", "c1"), ("Symbol", "c8"),
    ("MaturityMonthYear", "MONTH_YEAR"), ("Side", "c1"), ("LeavesQty", "qty"), ("CumQty", "qty"), ("TradeDate", "u16"),
), groups=(Group("FillsGrp", (("FillPx", "optionalDecimal?"), ("FillQty", "qty"))),))  # fmt: skip
EXAMPLES.template(97, "BusinessMessageReject", (
    ("BusinessRejectRefID", "c8"), ("BusinessRejectReason", "u8"),
), data=(Data("Text", "u16"),))  # fmt: skip

NEW_ORDER = bytes.fromhex("""
    00 00 00 44 eb 50 36 00 63 00 5b 00 00 00 4f 52 44 30 30 30 30 31 41 43 43 54 30 31 00 00 47 45
    4d 34 00 00 00 00 31 80 16 b3 3b 13 65 29 15 07 00 00 00 32 1a 85 01 00 00 00 00 00 00 00 00 00
    00 00 00 80
""")  # fmt: skip
EXECUTION = bytes.fromhex("""
    00 00 00 54 eb 50 2a 00 62 00 5b 00 00 00 4f 30 30 30 30 30 30 31 45 58 45 43 30 30 30 30 46 31
    47 45 4d 34 00 00 00 00 de 07 06 ff ff 31 01 00 00 00 06 00 00 00 75 3e 0c 00 02 00 1a 85 01 00
    00 00 00 00 02 00 00 00 24 85 01 00 00 00 00 00 04 00 00 00
""")  # fmt: skip
REJECT = bytes.fromhex("""
    00 00 00 40 eb 50 09 00 61 00 5b 00 00 00 4f 52 44 30 30 30 30 31 06 27 00 4e 6f 74 20 61 75 74
    68 6f 72 69 7a 65 64 20 74 6f 20 74 72 61 64 65 20 74 68 61 74 20 69 6e 73 74 72 75 6d 65 6e 74
""")  # fmt: skip


def test_the_standards_flat_message_decodes_to_its_interpretation():
    header, body, end = EXAMPLES.decode(NEW_ORDER, SOFH_SIZE)
    assert header == (54, 99, 91, 0)
    assert (body.ClOrdID, body.Account, body.Symbol, body.Side, body.OrdType) == (
        "ORD00001",
        "ACCT01",
        "GEM4",
        "1",
        "2",
    )
    assert body.TransactTime == 0x152965133BB31680
    assert body.OrderQty == (7, 0)
    assert body.Price == (99_610, -3)
    assert body.StopPx is None
    assert end == len(NEW_ORDER) == 68


def test_the_standards_repeating_group_decodes_to_its_interpretation():
    _, body, end = EXAMPLES.decode(EXECUTION, SOFH_SIZE)
    assert (body.OrderID, body.ExecID, body.ExecType, body.OrdStatus) == ("O0000001", "EXEC0000", "F", "1")
    assert body.MaturityMonthYear == (2014, 6, None, None)
    assert (body.LeavesQty.mantissa, body.CumQty.mantissa, body.TradeDate) == (1, 6, 0x3E75)
    assert [(fill.FillPx.mantissa, fill.FillQty.mantissa) for fill in body.FillsGrp] == [(99_610, 2), (99_620, 4)]
    assert end == len(EXECUTION) == 84


def test_the_standards_variable_length_field_decodes_to_its_interpretation():
    _, body, end = EXAMPLES.decode(REJECT, SOFH_SIZE)
    assert body == ("ORD00001", 6, "Not authorized to trade that instrument")
    assert end == len(REJECT)


@pytest.mark.parametrize("wire", [NEW_ORDER, EXECUTION, REJECT], ids=["flat", "group", "data"])
def test_the_standards_examples_are_what_the_engine_encodes(wire):
    header, body, _ = EXAMPLES.decode(wire, SOFH_SIZE)
    assert EXAMPLES.encode(header.templateId, version=header.version, **body._asdict()) == wire[SOFH_SIZE:]


# A schema with everything that extension touches: versions, two groups, one nested, data, own nulls, padding.
TEN = Schema(
    "Ten",
    header=HEADER_12,
    version=2,
    dimensions={"groupSizeEncoding": DIMS_8},
    types={
        "PRICENULL9": Type("i64", null=2**63 - 1),
        "Decimal72": (("mantissa", "i64"), ("exponent", "i8")),
        "price9": "i64",
    },
)
TEN.template(1, "Everything", (
    ("a", "u32"), ("px", "PRICENULL9", 8), ("", "x2"), ("text", "c4"), ("raw", "b2"), ("ratio", "f64?"),
    ("small", "f32"), ("late", "price9?", None, 1), ("size", "Decimal72?", None, 2),
), groups=(
    Group("outer", (("x", "u8"), ("y", "i16?", None, 1)), (Group("inner", (("z", "i8"),)),), (Data("note"),)),
    Group("newer", (("w", "u64"),), since=2),
), data=(Data("name"), Data("blob", "u16", text=False)))  # fmt: skip

FIELDS = {
    "a": 7, "px": -5, "text": "ab", "raw": b"\x01\x02", "ratio": 1.5, "small": 0.25, "late": 11, "size": (123, -2),
    "outer": [{"x": 1, "y": 2, "inner": [{"z": -1}, {"z": -2}], "note": "n"}, {"x": 3}],
    "newer": [{"w": 9}], "name": "BTC", "blob": b"\0\xff",
}  # fmt: skip


def test_nested_groups_and_data_survive_the_wire():
    _, body, end = TEN.decode(wire := TEN.encode(1, **FIELDS))
    assert end == len(wire)
    assert (body.a, body.px, body.text, body.raw, body.ratio, body.small, body.late) == (
        7,
        -5,
        "ab",
        b"\1\2",
        1.5,
        0.25,
        11,
    )
    assert body.size == (123, -2)
    assert [(entry.x, entry.y, entry.inner, entry.note) for entry in body.outer] == [
        (1, 2, ((-1,), (-2,)), "n"),
        (3, None, (), ""),
    ]
    assert (body.newer, body.name, body.blob) == (((9,),), "BTC", b"\0\xff")


def test_null_values_are_the_schemas_own_where_it_gives_them():
    wire = TEN.encode(1, a=1, text="", raw=b"\0\0", small=0.0)
    _, body, _ = TEN.decode(wire)
    assert (body.px, body.ratio, body.late, body.size, body.outer, body.name) == (None, None, None, None, (), "")
    block = wire[HEADER_12.size :]
    assert struct.unpack_from("<q", block, 8) == (2**63 - 1,)
    assert math.isnan(struct.unpack_from("<d", block, 24)[0])
    assert struct.unpack_from("<qq", block, 36) == (-(2**63), -(2**63))


def test_a_block_of_an_older_version_has_none_where_fields_are_newer():
    old = struct.pack("<HHHHHH", 36, 1, 0, 0, 1, 1)  # no late, no size, one group, one text
    old += struct.pack("<I4xq2x4s2sdf", 7, 5, b"x", b"ab", 0.5, 1.0)
    old += struct.pack("<HHHHB", 1, 1, 0, 0, 8) + b"\x02hi"
    _, body, end = TEN.decode(old + b"tail")
    assert (body.a, body.px, body.late, body.size, body.newer, body.name, body.blob) == (
        7,
        5,
        None,
        None,
        (),
        "hi",
        b"",
    )
    assert body.outer == ((8, None, (), ""),)
    assert end == len(old)


def test_the_version_alone_hides_a_field_that_the_block_has_room_for():
    wire = bytearray(TEN.encode(1, **FIELDS))
    wire[6:8] = b"\1\0"
    _, body, _ = TEN.decode(bytes(wire))
    assert body.late == 11
    assert body.size is None


def test_a_complete_schema_refuses_a_block_that_lacks_a_field_of_its_first_version():
    schema = Schema("S", header=HEADER_8, dimensions={"groupSizeEncoding": DIMS_4}, complete=True)
    schema.template(1, "M", (("a", "u8"), ("b", "u16?", None, 2)), groups=(Group("g", (("c", "u16"),)),))
    whole = bytes.fromhex("0100 0100 0000 0100 07 0200 0100 0300")
    assert schema.decode(whole)[1] == (7, None, ((3,),))
    with pytest.raises(WireError, match="M lacks fields"):
        schema.decode(bytes.fromhex("0000 0100 0000 0100 0200 0000"))
    with pytest.raises(WireError, match="M_g lacks fields"):
        schema.decode(bytes.fromhex("0100 0100 0000 0100 07 0100 0100 03"))


def test_longer_blocks_and_entries_advance_by_the_length_on_the_wire():
    schema = Schema("S", header=HEADER_8, dimensions={"groupSizeEncoding": DIMS_4})
    schema.template(1, "M", (("a", "u8"),), groups=(Group("g", (("b", "u8"),)),))
    wire = bytes.fromhex("0300 0100 0000 0900  01 ffff  0200 0300  0a ff 0b ff 0c ff  77")
    header, body, end = schema.decode(wire)
    assert header.version == 9
    assert body == (1, ((10,), (11,), (12,)))
    assert wire[end:] == b"\x77"


def test_groups_and_data_that_no_table_knows_are_skipped_by_the_headers_counts():
    wire = TEN.encode(1, **FIELDS)
    counted = bytearray(wire)
    counted[8:12] = struct.pack("<HH", 3, 3)
    split = wire.rindex(b"\x03BTC")
    unknown = struct.pack("<HHHH", 2, 2, 1, 1)  # two entries of 2 bytes, each with a group and a text
    for entry in (b"ab", b"cd"):
        unknown += entry + struct.pack("<HHHH3s", 3, 1, 0, 0, b"xyz") + b"\x01t"
    counted[split:split] = unknown
    counted += b"\x04more"
    _, body, end = TEN.decode(bytes(counted) + b"next")
    assert (body.newer, body.name, body.blob) == (((9,),), "BTC", b"\0\xff")
    assert end == len(counted)


def test_measure_finds_the_end_of_messages_of_any_template():
    schema = Schema("S", header=HEADER_12, dimensions={"g": DIMS_8})
    wire = TEN.encode(1, **{**FIELDS, "blob": b""})[:-2]  # data with a length of one byte only
    wire = wire[:10] + b"\1\0" + wire[12:]
    assert schema.measure(wire + b"next") == len(wire)
    with pytest.raises(UnknownTemplate):
        schema.decode(wire)


def test_big_endian_schemas_read_big_endian():
    schema = Schema(
        "B", order=">", header=Layout("H", ">", HEADER_8.rows), dimensions={"g": Layout("D", ">", DIMS_4.rows)}
    )
    schema.template(
        1, "M", (("a", "u32"),), groups=(Group("g", (("b", "u16"),), dimension="g"),), data=(Data("t", "u16"),)
    )
    wire = bytes.fromhex("0004 0001 0000 0000 00000102 0002 0001 0304 0001 78")
    assert schema.decode(wire)[1] == (0x102, ((0x304,),), "x")
    assert schema.encode(1, a=0x102, g=[{"b": 0x304}], t="x") == wire


@pytest.mark.parametrize(("block_length", "count"), [(0, 65535), (0, 1), (1, 65535), (65535, 65535), (2, 3)])
def test_a_group_that_counts_more_than_the_bytes_that_are_there_is_refused_before_it_is_built(block_length, count):
    schema = Schema("S", header=HEADER_8, dimensions={"groupSizeEncoding": DIMS_4})
    schema.template(1, "M", (("a", "u8"),), groups=(Group("g", (("b", "u8"),)),))
    wire = struct.pack("<HHHHBHH5s", 1, 1, 0, 0, 1, block_length, count, b"12345")
    tracemalloc.start()
    with pytest.raises(WireError, match="counts more than is there"):
        schema.decode(wire)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_a_count_of_32_bits_cannot_make_four_billion_empty_entries():
    schema = Schema(
        "S", header=HEADER_8, dimensions={"d": Layout("D", "<", [("blockLength", "u16"), ("numInGroup", "u32")])}
    )
    schema.template(1, "M", (), groups=(Group("g", (("b", "u8"),), dimension="d"),))
    with pytest.raises(WireError, match="4294967295 entries of 0 bytes"):
        schema.decode(struct.pack("<HHHHHI", 0, 1, 0, 0, 0, 2**32 - 1) + bytes(100))


def test_unknown_groups_may_not_nest_without_end():
    deep = struct.pack("<HHHH", 1, 1, 1, 0) + b"x"
    wire = struct.pack("<HHHHHH", 0, 500, 0, 0, 1, 0) + deep * 5000 + struct.pack("<HHHH", 0, 0, 0, 0)
    with pytest.raises(WireError, match="group is not known"):
        TEN.measure(wire)


def test_the_wrong_schema_is_refused_where_the_id_is_known():
    wire = bytearray(NEW_ORDER[SOFH_SIZE:])
    wire[4] = 92
    with pytest.raises(WireError, match="found 92, wanted 91"):
        EXAMPLES.decode(bytes(wire))


@pytest.mark.parametrize("fields", [
    {"a": 1}, {**FIELDS, "nope": 1}, {**FIELDS, "a": -1}, {**FIELDS, "a": "x"}, {**FIELDS, "text": "abcde"},
    {**FIELDS, "raw": b"1"},
    {**FIELDS, "size": (1,)}, {**FIELDS, "text": 5}, {**FIELDS, "name": "x" * 256}, {**FIELDS, "text": "\u20ac"},
    {**FIELDS, "outer": [{"y": 1}]}, {**FIELDS, "small": 1e300},
])  # fmt: skip
def test_values_that_do_not_fit_are_the_callers_mistake(fields):
    with pytest.raises(MisuseError):
        TEN.encode(1, **fields)


def test_tables_that_contradict_themselves_are_refused():
    schema = Schema("S")
    for rows, length in [
        ((("a", "u32"), ("b", "u8", 3)), None),
        ((("a", "u32"),), 3),
        ((("a", "q7"),), None),
        ((("a", "u99"),), None),
    ]:
        with pytest.raises(MisuseError):
            schema.template(1, "M", rows, block_length=length)
    with pytest.raises(MisuseError):
        schema.template(1, "M", (), groups=(Group("g", ()),))
    with pytest.raises(MisuseError):
        schema.encode(1)


def _optional(strategy):
    return st.none() | strategy


ENTRY = st.fixed_dictionaries({
    "x": st.integers(0, 255), "y": _optional(st.integers(-32767, 32767)),
    "inner": st.lists(st.fixed_dictionaries({"z": st.integers(-128, 127)}), max_size=3),
    "note": st.text(st.characters(max_codepoint=255), max_size=9),
})  # fmt: skip
VALUES = st.fixed_dictionaries({
    "a": st.integers(0, 2**32 - 1), "px": _optional(st.integers(-(2**63), 2**63 - 2)),
    "text": st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=4),
    "raw": st.binary(min_size=2, max_size=2),
    "ratio": _optional(st.floats(allow_nan=False)), "small": st.floats(width=32, allow_nan=False),
    "late": _optional(st.integers(-(2**63) + 1, 2**63 - 1)),
    "size": _optional(st.tuples(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-128, 127))),
    "outer": st.lists(ENTRY, max_size=3),
    "newer": st.lists(st.fixed_dictionaries({"w": st.integers(0, 2**64 - 1)}), max_size=3),
    "name": st.text(st.characters(max_codepoint=255), max_size=20), "blob": st.binary(max_size=300),
})  # fmt: skip


def _plain(value):
    if hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


@given(VALUES)
def test_what_is_encoded_is_decoded(values):
    _, body, end = TEN.decode(wire := TEN.encode(1, **values))
    size = body.size
    assert _plain(body._replace(size=None)) == {**values, "size": None}
    assert (size if size is None else tuple(size)) == values["size"]
    assert end == len(wire)
    assert TEN.encode(1, **body._asdict()) == wire


@given(VALUES, st.data())
def test_every_truncation_is_refused(values, data):
    wire = TEN.encode(1, **values)
    cut = data.draw(st.integers(0, len(wire) - 1))
    with pytest.raises(WireError):
        TEN.decode(wire[:cut])
    with pytest.raises(WireError):
        TEN.decode(memoryview(wire), 0, cut)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_decode_or_are_refused(noise, headed):
    head = struct.pack("<HHHHHH", len(noise) % 64, 1, 0, 2, 2, 2) if headed else b""
    for call in (TEN.decode, TEN.measure, EXAMPLES.decode):
        with suppress(WireError):
            call(head + noise)
