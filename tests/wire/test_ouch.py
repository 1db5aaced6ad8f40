"""OUCH 5.0: messages built by hand from the specification's tables, real ones, round trips, any bytes."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import ouch
from netfeed.wire import soupbintcp as soup
from netfeed.wire.ouch import Tag, Way
from tests.data import recording
from tests.wire.nasdaq_samples import payloads

SIZES = {
    "O": 47, "U": 40, "X": 9, "M": 10, "Q": 1, "C": 17, "D": 9, "E": 9,
}  # fmt: skip
SIZES_OUT = {
    "S": 10, "A": 64, "U": 68, "C": 18, "D": 32, "E": 36, "B": 36, "J": 29, "P": 13, "I": 13, "T": 30, "M": 18, "R": 16,
    "Q": 13, "X": 25, "G": 17, "K": 17,
}  # fmt: skip
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "u8": st.integers(0, 2**8 - 1), "u16": st.integers(0, 2**16 - 1), "u32": st.integers(0, 2**32 - 1),
    "u64": st.integers(0, 2**64 - 1), "i32": st.integers(-(2**31), 2**31 - 1),
}  # fmt: skip
ENTER = struct.pack(
    ">cIcI8sQccccc14s", b"O", 7, b"B", 100, b"AAPL    ", 1_500_000, b"0", b"Y", b"P", b"N", b"N", b"X".ljust(14)
)


def value(kind: str) -> st.SearchStrategy[Any]:
    return KINDS[kind] if kind in KINDS else st.text("ABC1", max_size=int(kind[1:]))


def tags() -> st.SearchStrategy[list[tuple[int, Any]]]:
    known = [st.tuples(st.just(int(tag)), value(kind)) for tag, kind in ouch._TAGS.items()]
    return st.lists(st.one_of(*known, st.tuples(st.sampled_from([8, 21, 200]), st.binary(max_size=9))), max_size=3)


def zeros(way: Way, kind: str) -> dict[str, Any]:
    rows = ouch.LAYOUTS[way, kind].rows[1:]
    return {name: "" if code[0] == "c" else 0 for name, code in rows}


def test_messages_have_the_sizes_of_the_specification() -> None:
    for way, sizes in ((Way.IN, SIZES), (Way.OUT, SIZES_OUT)):
        assert {kind: len(ouch.encode(way, kind, **zeros(way, kind))) for kind in sizes} == sizes
        assert {kind for there, kind in ouch.LAYOUTS if there is way} == set(sizes)


def test_an_order_stands_as_the_specification_says() -> None:
    built = ouch.encode(
        Way.IN, "O", [(Tag.FIRM, "LIME")], user_ref_num=7, side="B", quantity=100, symbol="AAPL", price=1_500_000,
        time_in_force="0", display="Y", capacity="P", intermarket_sweep="N", cross_type="N", clordid="X",
    )  # fmt: skip
    assert built == ENTER + bytes.fromhex("0006 05 02") + b"LIME"  # the appendage of a real packet
    assert ouch.decode(Way.IN, built).tag(Tag.FIRM) == "LIME"


def test_a_real_appendage_of_an_answer_is_read() -> None:
    block = ouch.encode(Way.OUT, "A", appendage=False, **zeros(Way.OUT, "A"))
    message = ouch.decode(Way.OUT, block + bytes.fromhex("0009 05 02") + b"MLRO" + bytes.fromhex("02 12") + b"0")
    assert message.tags == ((Tag.FIRM, "MLRO"), (Tag.BBO_WEIGHT, "0"))
    assert message.tag(Tag.ROUTE) is None


@pytest.mark.parametrize(("way", "kind"), list(ouch.LAYOUTS))
@pytest.mark.parametrize("appendage", [False, True])
def test_every_message_is_read_with_and_without_the_length_of_an_appendage(
    way: Way, kind: str, appendage: bool
) -> None:
    built = ouch.encode(way, kind, appendage=appendage, **zeros(way, kind))
    assert len(built) == ouch.LAYOUTS[way, kind].size + 2 * appendage
    assert ouch.decode(way, built) == (kind, ouch.decode(way, built).fields, ())


def test_real_cancels_have_no_appendage() -> None:
    assert ouch.encode(Way.IN, "X", user_ref_num=7, quantity=0) == b"X" + struct.pack(">II", 7, 0)
    built = struct.pack(">cQIIc", b"C", 34_200_000_000_000, 7, 100, b"U")
    assert ouch.decode(Way.OUT, built).fields[1:] == (34_200_000_000_000, 7, 100, "U")


@settings(max_examples=40)
@given(way_kind=st.sampled_from(list(ouch.LAYOUTS)), data=st.data())
def test_every_message_is_itself_again(way_kind: tuple[Way, str], data: st.DataObject) -> None:
    way, kind = way_kind
    fields = {name: data.draw(value(code)) for name, code in ouch.LAYOUTS[way_kind].rows[1:]}
    appended = data.draw(tags())
    message = ouch.decode(way, ouch.encode(way, kind, appended, **fields))
    assert message.fields._asdict() == {"message_type": kind} | fields
    assert list(message.tags) == appended


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"), (b"Z", "type"), (ENTER[:-1], "cut short"), (ENTER + b"\0", "wrong length"),
        (ENTER + b"\0\x05abc", "wrong length"), (ENTER + b"\0\x02\x00\x02", "tag has a wrong length"),
        (ENTER + b"\0\x02\x09\x02", "tag has a wrong length"), (ENTER + b"\0\x03\x02\x02a", "tag 2 has a wrong size"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(WireError, match=what):
        ouch.decode(Way.IN, data)


@pytest.mark.parametrize(
    ("kind", "appended", "fields"),
    [
        ("?", [], {}), ("X", [], {"user_ref_num": 1}), ("X", [], {"user_ref_num": -1, "quantity": 0}),
        ("X", [(Tag.FIRM, "TOOLONG")], {"user_ref_num": 1, "quantity": 0}),
        ("X", [(200, bytes(300))], {"user_ref_num": 1, "quantity": 0}),
        ("X", [(200, bytes(250))] * 300, {"user_ref_num": 1, "quantity": 0}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_misuse(kind: str, appended: list[Any], fields: dict[str, int]) -> None:
    with pytest.raises(MisuseError):
        ouch.encode(Way.IN, kind, appended, **fields)


@settings(max_examples=60)
@given(data=st.binary(max_size=90), way_kind=st.sampled_from(list(ouch.LAYOUTS)))
def test_any_bytes_are_a_message_or_an_error(data: bytes, way_kind: tuple[Way, str]) -> None:
    way, kind = way_kind
    try:
        message = ouch.decode(way, kind.encode() + data)
    except WireError:
        return
    assert message.kind == kind


REAL = [
    ("EnterOrderMessage", Way.IN, "O", {"side": "T", "quantity": 225, "symbol": "CVLT", "clordid": "H8FUB8IV"}),
    ("CancelOrderMessage", Way.IN, "X", {"quantity": 0}),
    ("OrderAcceptedMessage", Way.OUT, "A", {"side": "B", "symbol": "ADBE", "order_state": "L"}),
    ("CanceledMessage", Way.OUT, "C", {"quantity": 40, "reason": "U"}),
]


@pytest.mark.parametrize(("name", "way", "kind", "wanted"), REAL, ids=[one[0] for one in REAL])
def test_a_real_message(name: str, way: Way, kind: str, wanted: dict[str, Any]) -> None:
    (data,) = payloads(recording(f"nasdaq_packets/ouch50/{name}.pcap"))
    step = soup.decode(data)
    assert step is not None
    assert isinstance(step[0], soup.SequencedData | soup.UnsequencedData)
    raw = step[0].message
    message = ouch.decode(way, raw)
    fields = message.fields._asdict()
    assert fields.pop("message_type") == kind
    assert ouch.encode(way, kind, message.tags, **fields) == raw
    assert {key: fields[key] for key in wanted} == wanted
