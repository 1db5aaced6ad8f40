"""Starbase order entry: frames built by hand from the tables of schema 2101 version 16, round trips, any bytes."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import starbase_orders as wire
from netfeed.wire.sbe import UnknownTemplate
from netfeed.wire.starbase_codes import MessageType

I64 = st.integers(-(2**63) + 1, 2**63 - 1)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "i64": I64, "price9": I64, "ns": I64, "i32": st.integers(-(2**31), 2**31 - 1), "u16": st.integers(0, 2**16 - 1),
    "u8": st.integers(0, 255), "i8": st.integers(-127, 127), "f64": st.floats(allow_nan=False),
    "d72": st.tuples(I64, st.integers(-128, 127)),
    "c16": st.text("abc-1", max_size=16), "c48": st.text("abc-1", max_size=48),
}  # fmt: skip


def frame(kind: int, body: bytes, *, sequence: int = 3, flags: int = 0) -> bytes:
    """Build a frame by the specification's words alone."""
    body += bytes(-len(body) % 8)
    return struct.pack("<BBHHHqqq", 0xDB, flags, 32 + len(body), kind, 16, sequence, 2, 1_700) + body


def fields(rows: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the fields of a block."""
    named = [row for row in rows if not row[1].startswith("x")]
    return st.fixed_dictionaries({
        row[0]: st.none() | KINDS[row[1][:-1]] if row[1].endswith("?") else KINDS[row[1]] for row in named
    })  # fmt: skip


def message(number: int) -> st.SearchStrategy[tuple[int, dict[str, Any]]]:
    """Draw a message of one type."""
    _, _, rows, groups, texts = next(row for row in wire._TABLE if row[0] == number)
    drawn = {group.name: st.lists(fields(group.rows), max_size=3) for group in groups}
    drawn |= {text.name: st.text("abc .", max_size=20) for text in texts}
    return st.tuples(
        st.just(number), st.tuples(fields(rows), st.fixed_dictionaries(drawn)).map(lambda both: both[0] | both[1])
    )


def test_a_logon_stands_as_the_schema_says() -> None:
    body = b"key".ljust(16, b"\0") + b"secret".ljust(48, b"\0") + struct.pack("<bHb", 1, 16, 1)
    built = wire.encode(
        1, sequence=3, last_processed=2, send_time=1_700, clientId="key", secret="secret", resetSeqNum=1,
        schemaVersion=16, cancelOnDisconnect=1,
    )  # fmt: skip
    assert built == frame(1, body)
    assert len(built) == 104  # 32 of header, 68 of body, 4 of padding


def test_a_new_order_stands_as_the_schema_says() -> None:
    body = struct.pack("<qqqq", 7, 9, 1000, 5_000_000_000)  # client order id, correlation id, instrument, price
    body += struct.pack("<qb", 25, -1) + struct.pack("<qb", -(2**63), 0)  # quantity 2.5, nothing shown apart
    body += struct.pack("<qbbHb", 4, -1, -2, 0b10001, 0)  # self match, sell, IOC, MMP and cancel on disconnect
    built = wire.encode(
        100, sequence=3, last_processed=2, send_time=1_700, clientOrderId=7, correlationId=9, instrumentId=1000,
        price=5_000_000_000, quantity=(25, -1), selfMatchPreventionId=4, side=-1, timeInForce=-2, flags=0b10001,
        selfTradingMode=0,
    )  # fmt: skip
    assert built == frame(100, body)
    header, decoded = wire.decode(built)
    assert (header.sequenceNumber, header.messageLength) == (3, 96)
    assert (decoded.quantity, decoded.showQty, decoded.side) == ((25, -1), None, -1)


def test_a_mass_quote_is_a_block_and_a_group() -> None:
    one = struct.pack("<qqq", 1000, 5, -(2**63)) + struct.pack("<qbqb", 3, 0, 0, 0) + struct.pack("<HH", 2, 0)
    body = struct.pack("<qqqqB", 8, 9, 3, 0, 1) + struct.pack("<HH", 46, 1) + one
    _, decoded = wire.decode(frame(130, body))
    (quote,) = decoded.quotes
    assert (quote.bidPrice, quote.askPrice, quote.bidQty, quote.bidFlags) == (5, None, (3, 0), 2)


def test_a_response_has_its_fills_behind_it() -> None:
    body = struct.pack("<qqqqqqq", 1, 2, 7, 9, 55, 1000, 5) + struct.pack("<qbqbqb", 5, 0, 2, 0, 3, 0)
    body += struct.pack("<qbbb", 4, 1, 1, -128) + struct.pack("<HH", 25, 1) + struct.pack("<qqqb", 99, 5, 2, 0)
    body += struct.pack("<HH", 34, 0)
    _, decoded = wire.decode(frame(200, body))
    assert (decoded.orderId, decoded.totalFilled, decoded.status, decoded.cancelReason) == (55, (2, 0), 1, -128)
    assert [(fill.matchId, fill.fillQty) for fill in decoded.fills] == [(99, (2, 0))]


def test_a_text_has_its_length_before_it() -> None:
    assert wire.decode(frame(5, b"\x03bye"))[1].reason == "bye"
    assert wire.encode(5, sequence=3, last_processed=2, send_time=1_700, reason="bye") == frame(5, b"\x03bye")


def test_an_order_that_left_the_speed_bump_has_three_bytes_of_padding() -> None:
    body = struct.pack("<qqqqqq", 1, 2, 7, 55, 1000, 5) + struct.pack("<qbqbqb", 5, 0, 2, 0, 3, 0)
    body += struct.pack("<bb3xq", 1, 0, 77) + struct.pack("<HHHH", 25, 0, 34, 0)
    assert wire.decode(frame(312, body))[1].correlationId == 77


def test_every_message_has_a_name() -> None:
    assert sorted(wire.SCHEMA.templates) == sorted(MessageType)


@settings(max_examples=60)
@given(drawn=st.sampled_from(sorted(wire.SCHEMA.templates)).flatmap(message))
def test_every_message_is_itself_again(drawn: tuple[int, dict[str, Any]]) -> None:
    kind, values = drawn
    built = wire.encode(kind, sequence=1, **values)
    assert len(built) % wire.ALIGNMENT == 0
    assert wire.frame_size(built) == len(built)
    _, body = wire.decode(built)
    assert wire.encode(kind, sequence=1, **body._asdict()) == built
    for name, value in values.items():
        assert isinstance(value, list) or getattr(body, name) == value


def test_a_frame_that_does_not_count_its_padding_is_read_as_well() -> None:
    built = bytearray(frame(5, b"\x03bye"))
    built[2:4] = (36).to_bytes(2, "little")
    assert wire.frame_size(built) == 40
    assert wire.decode(built)[1].reason == "bye"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x00" * 40, "no Starbase frame"),
        (b"\xdb\x00\x1f\x00", "shorter than its header"),
    ],
)
def test_bytes_that_are_no_frame_are_seen_at_once(data: bytes, what: str) -> None:
    with pytest.raises(WireError, match=what):
        wire.frame_size(data)


def test_the_size_of_a_frame_is_known_from_four_bytes() -> None:
    built = frame(10, bytes(8))
    assert [wire.frame_size(built[:cut]) for cut in (0, 1, 3, 4, 40)] == [None, None, None, 40, 40]
    assert wire.frame_size(b"x" + built, 1, 5) == 40


def test_a_message_of_an_unknown_type_is_named() -> None:
    with pytest.raises(UnknownTemplate, match="999"):
        wire.decode(frame(999, bytes(8)))
    with pytest.raises(MisuseError, match="999"):
        wire.encode(999, sequence=1)


def test_a_body_that_is_longer_than_its_template_is_refused() -> None:
    with pytest.raises(WireError, match="longer than its template"):
        wire.decode(frame(10, bytes(16)))


def test_a_body_that_is_cut_short_is_refused() -> None:
    with pytest.raises(WireError, match="cut short"):
        wire.decode(frame(100, bytes(32)))


def test_a_group_cannot_count_more_than_is_there() -> None:
    with pytest.raises(WireError, match="counts more"):
        wire.decode(frame(310, bytes(17) + struct.pack("<HH", 35, 60_000)))


def test_what_is_sent_again_says_so() -> None:
    built = frame(300, bytes(16) + struct.pack("<HHHH", 60, 0, 34, 0))
    assert wire.resent(built) == frame(300, bytes(16) + struct.pack("<HHHH", 60, 0, 34, 0), flags=1)


@settings(max_examples=60)
@given(data=st.binary(max_size=300), kind=st.sampled_from(sorted(wire.SCHEMA.templates)))
def test_any_bytes_are_a_message_or_an_error(data: bytes, kind: int) -> None:
    try:
        _, body = wire.decode(frame(kind, data))
    except WireError:
        return
    assert wire.SCHEMA.templates[kind].encode(**body._asdict()) is not None
