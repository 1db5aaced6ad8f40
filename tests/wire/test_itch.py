"""TotalView-ITCH 5.0: a hand-written vector of every type, round trips, hostile bytes, real messages."""

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import itch, moldudp64
from tests.data import recording
from tests.wire.nasdaq_samples import itch_fields, itch_messages, payloads

HEAD = "000d 0002 1f1aced85306"  # locate 13, tracking 2, 09:29:59.999894278
AT = (13, 2, ((9 * 60 + 29) * 60 + 59) * 10**9 + 999_894_278)
AAPL = "4141504c20202020"

VECTORS: dict[str, tuple[str, tuple[Any, ...]]] = {
    # type: the bytes behind the header, and what they mean
    "S": ("51", ("Q",)),
    "R": (AAPL + "51 4e 00000064 4e 43 5a20 50 4e 20 31 4e 00000002 59",
          ("AAPL", "Q", "N", 100, "N", "C", "Z", "P", "N", "", "1", "N", 2, "Y")),
    "H": (AAPL + "48 20 54313220", ("AAPL", "H", "", "T12")),
    "Y": (AAPL + "31", ("AAPL", "1")),
    "L": ("4e534451" + AAPL + "59 4e 41", ("NSDQ", "AAPL", "Y", "N", "A")),
    "V": ("00000053 7b3e8f00 00000052 00000001 00000051 00000002",
          (0x537B3E8F00, 0x5200000001, 0x5100000002)),
    "W": ("32", ("2",)),
    "K": (AAPL + "0000 8ca0 41 0003 0d40", ("AAPL", 36_000, "A", 200_000)),
    "J": (AAPL + "00030d40 00035b60 0002bf20 00004e20", ("AAPL", 200_000, 220_000, 180_000, 20_000)),
    "h": (AAPL + "51 48", ("AAPL", "Q", "H")),
    "A": ("0000000166b53e42 42 00000640" + AAPL + "000d55ac", (0x166B53E42, "B", 1_600, "AAPL", 873_900)),
    "F": ("0000000166b53e42 53 00000640" + AAPL + "000d55ac 4c4d4520",
          (0x166B53E42, "S", 1_600, "AAPL", 873_900, "LME")),
    "E": ("0000000166929a00 00000019 0000000003e63b01", (0x166929A00, 25, 0x3E63B01)),
    "C": ("0000000166929a00 00000019 0000000003e63b01 4e 77359400",
          (0x166929A00, 25, 0x3E63B01, "N", 2_000_000_000)),
    "X": ("0000000166929a00 00000019", (0x166929A00, 25)),
    "D": ("0000000166929a00", (0x166929A00,)),
    "U": ("0000000000e6897f 0000000145f2c700 00000064 001036c8", (0xE6897F, 0x145F2C700, 100, 1_062_600)),
    "P": ("0000000000000000 42 00000064" + AAPL + "001036c8 0000000003e63b01",
          (0, "B", 100, "AAPL", 1_062_600, 0x3E63B01)),
    "Q": ("0000000100000000" + AAPL + "001036c8 0000000003e63b01 4f", (2**32, "AAPL", 1_062_600, 0x3E63B01, "O")),
    "B": ("0000000003e63b01", (0x3E63B01,)),
    "I": ("0000000000000100 0000000000000200 50" + AAPL + "00071610 00071611 00071612 41 4c",
          (256, 512, "P", "AAPL", 464_400, 464_401, 464_402, "A", "L")),
    "N": (AAPL + "42", ("AAPL", "B")),
    "O": (AAPL + "59 00000001 00000002 00000003 00001f1aced85306 00000004 00000005",
          ("AAPL", "Y", 1, 2, 3, AT[2], 4, 5)),
}  # fmt: skip

SPECIFIED = {
    "S": 12, "R": 39, "H": 25, "Y": 20, "L": 26, "V": 35, "W": 12, "K": 28, "J": 35, "h": 21, "A": 36, "F": 40, "E": 31,
    "C": 36, "X": 23, "D": 19, "U": 35, "P": 44, "Q": 40, "B": 19, "I": 50, "N": 20, "O": 48,
}  # fmt: skip


def vector(code: str) -> bytes:
    return code.encode() + bytes.fromhex(HEAD + VECTORS[code][0])


def test_the_sizes_are_those_of_the_specification() -> None:
    assert {code: layout.size for code, layout in itch.LAYOUTS.items()} == SPECIFIED
    assert {chr(code): size for code, size in enumerate(itch.SIZES) if size} == SPECIFIED
    assert len(itch.SIZES) == 256


@pytest.mark.parametrize("code", SPECIFIED)
def test_a_vector_of_every_type(code: str) -> None:
    record = itch.decode(vector(code))
    assert tuple(record) == (code, *AT, *VECTORS[code][1])
    assert type(record).__name__ == itch.LAYOUTS[code].name


@pytest.mark.parametrize("code", SPECIFIED)
def test_a_vector_is_encoded_by_field_names(code: str) -> None:
    fields = itch.decode(vector(code))._asdict()
    assert itch.encode(fields.pop("message_type"), **fields) == vector(code)


@pytest.mark.parametrize("code", SPECIFIED)
def test_every_other_length_is_an_error(code: str) -> None:
    data = vector(code)
    for wrong in (*(data[:length] for length in range(1, len(data))), data + b"\0"):
        with pytest.raises(WireError) as caught:
            itch.decode(wrong)
        assert caught.value.wanted == f"{SPECIFIED[code]} bytes"
        assert not isinstance(caught.value, itch.UnknownType)


def test_an_empty_message_is_an_error() -> None:
    with pytest.raises(WireError, match="empty"):
        itch.decode(b"")


def test_an_unknown_type_is_told_apart() -> None:
    with pytest.raises(itch.UnknownType, match="0x7a"):
        itch.decode(b"z" + bytes(30))
    assert not itch.known(ord("z"))
    assert [chr(code) for code in range(-1, 300) if itch.known(code)] == sorted(SPECIFIED)


def test_unknown_codes_are_handed_on() -> None:
    assert itch.decode(vector("S")[:-1] + b"\xfe").event_code == "\xfe"


def test_every_price_has_an_exponent() -> None:
    named = {field for layout in itch.LAYOUTS.values() for field in layout.fields}
    assert set(itch.EXPONENTS) <= named
    prices = {field for field in named if "price" in field and not field.startswith(("luld", "price_variation"))}
    assert prices < set(itch.EXPONENTS)
    assert {field for field, exponent in itch.EXPONENTS.items() if exponent == -8} == {"level_1", "level_2", "level_3"}


@pytest.mark.parametrize("code", SPECIFIED)
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_encoded_is_decoded(code: str, data: st.DataObject) -> None:
    fields = data.draw(itch_fields(code))
    del fields["message_type"]
    encoded = itch.encode(code, **fields)
    assert len(encoded) == SPECIFIED[code]
    assert itch.decode(encoded)._asdict() == {"message_type": code, **fields}


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert itch.decode(data).message_type == chr(data[0])


@given(itch_messages(), st.data())
def test_a_damaged_message_is_a_record_or_a_wire_error(message: bytes, data: st.DataObject) -> None:
    damaged = bytearray(message)
    damaged[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        assert itch.decode(damaged).message_type == chr(damaged[0])


def test_what_does_not_fit_is_misuse() -> None:
    good = {"stock_locate": 1, "tracking_number": 0, "timestamp": 5, "order_reference_number": 9}
    with pytest.raises(MisuseError, match="'z' is not one"):
        itch.encode("z", **good)
    wrongs: list[dict[str, Any]] = [{}, good | {"timestamp": 2**48}, good | {"stock_locate": -1}, good | {"price": 1}]
    for wrong in wrongs:
        with pytest.raises(MisuseError):
            itch.encode("D", **wrong)


def test_a_real_add_order() -> None:
    (data,) = payloads(recording("nasdaq_packets/itch50/AddOrderNoMpidAttributionMessage.pcap"))
    message = moldudp64.decode(data).messages[0]
    locate, tracking, high, low, reference, side, shares, stock, price = struct.unpack(">xHHHIQcI8sI", message)
    assert tuple(itch.decode(message)) == (
        "A", locate, tracking, high << 32 | low, reference, side.decode(), shares, stock.decode().rstrip(), price
    )  # fmt: skip
    assert (stock, price, shares, side) == (b"IVOO    ", 873_900, 1_600, b"B")


def test_every_message_of_a_full_real_packet() -> None:
    blocks = [
        message
        for data in payloads(recording("nasdaq_packets/itch50/Multiple.Packets.pcap"))
        for message in moldudp64.decode(data).messages
    ]
    assert len(blocks) == 1 + 38
    for message in blocks[1:]:
        record = itch.decode(message)
        assert record.message_type in "AF"
        reference, side, shares, stock, price = struct.unpack(">QcI8sI", message[11:36])
        assert (record.order_reference_number, record.buy_sell_indicator) == (reference, side.decode())
        assert (record.shares, record.stock, record.price) == (shares, stock.decode().rstrip(), price)
