"""Depth text the plain way: exact numbers, times, and what is refused by which name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.book.change import NO_TIME
from netfeed.book.level import Side
from netfeed.venues import depth_text
from netfeed.venues.depth_shape import MAX_KEYS, Node, Role, Rung, Shape, table
from netfeed.venues.depth_text import Flaw, Refused, exact, nanoseconds, read, read_snapshot

SHAPE = Shape(
    Node({
        "kind": Role.KIND, "line": Role.LINE,
        "data": Node({"topic": Role.TOPIC, "n": Role.NUMBER, "ms": Role.MILLISECONDS, "t": Role.TIMESTAMP,
                      "b": Role.BIDS, "l": Role.LEVELS}, entry=True, many=True),
    }),
    Rung(price=0, quantity=1, orders=2), accept="book.",
)  # fmt: skip


def flaw(message: bytes) -> tuple[Flaw, str | None, int | None]:
    with pytest.raises(Refused) as caught:
        read(SHAPE, message)
    return caught.value.flaw, caught.value.name, caught.value.line


@pytest.mark.parametrize(
    ("text", "exponent", "number"),
    [("30123.50", -1, 301_235), ("1e-05", -8, 1_000), ("1.5E+3", 0, 1_500), ("-0.0", 0, 0), ("7", 0, 7),
     ("92233720368547758.07", -2, 2**63 - 1), ("-92233720368547758.08", -2, -(2**63)), ("0e99", -8, 0), ("100", 2, 1)],
)  # fmt: skip
def test_text_becomes_the_integer_that_it_is(text: str, exponent: int, number: int) -> None:
    assert exact(text, exponent) == number


@pytest.mark.parametrize(
    ("text", "exponent"),
    [("30123.51", -1), ("1e-9", -8), ("92233720368547758.08", -2), ("1e400", 0), ("1" * 5_000, 0), ("", 0), ("x", 0),
     ("0x1", 0), ("NaN", 0), ("1e9999", 0), ("15", 1)],
)  # fmt: skip
def test_what_does_not_fit_is_never_rounded(text: str, exponent: int) -> None:
    with pytest.raises(Refused) as caught:
        exact(text, exponent)
    assert caught.value.flaw is Flaw.INEXACT


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 12))
def test_every_integer_comes_back_from_its_decimal(number: int, places: int) -> None:
    digits = str(abs(number)).rjust(places + 1, "0")
    text = f"{'-' if number < 0 else ''}{digits[: len(digits) - places]}.{digits[len(digits) - places :]}0"
    assert exact(text, -places) == number


@pytest.mark.parametrize(
    ("text", "ns"),
    [("1970-01-01T00:00:00Z", 0), ("2023-02-09T20:32:50.714964855Z", 1_675_974_770_714_964_855),
     ("2024-02-29T23:59:59.5Z", 1_709_251_199_500_000_000), ("2023-02-29T00:00:00Z", NO_TIME),
     ("2023-02-09T20:32:50", NO_TIME), ("2023-02-09T20:32:50.7149648551Z", NO_TIME), ("9999-12-31T23:59:59Z", NO_TIME),
     ("", NO_TIME)],
)  # fmt: skip
def test_times_are_nanoseconds_or_none(text: str, ns: int) -> None:
    assert nanoseconds(text) == ns


def test_a_message_gives_what_its_shape_names() -> None:
    depth = read(SHAPE, b"""{"x":[{"topic":7}],"data":[
        {"b":[["1.50",2e1,"3","more"],[1,2,3]],"n":"17","topic":"book.A","ms":1700000000000},
        {"topic":"book.B","t":"1970-01-01T00:00:01Z","n":null}],"line":9,"kind":"update"}""")  # fmt: skip
    assert depth.line == 9
    one, other = depth.entries
    assert (one.name, one.kind, one.number, one.ts_event_ns) == ("book.A", "update", 17, 1_700_000_000_000_000_000)
    assert one.levels == [(Side.BID, "1.50", "2e1", 3, None), (Side.BID, "1", "2", 3, None)]
    assert (other.name, other.number, other.ts_event_ns, other.levels) == ("book.B", None, 10**9, [])


@pytest.mark.parametrize(
    "message",
    [b"", b" ", b"pong", b"[]", b'"book."', b"{}", b'{"data":[]}', b'{"data":7}', b'{"data":[{"topic":"trades.A"}]}',
     b'{"data":[{"topic":7}]}', b'{"data":[{"topic":"trades.A","topic":"trades.B","n":[]}]}', b'{"line":3,"line":4}'],
)  # fmt: skip
def test_what_is_no_depth_message_has_no_entries_and_no_flaw(message: bytes) -> None:
    assert read(SHAPE, message).entries == []


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (b'"topic":"book.A","n":1.5', Flaw.BAD_NUMBER),
        (b'"topic":"book.A","n":9223372036854775808', Flaw.BAD_NUMBER),
        (b'"topic":"book.A","n":true', Flaw.BAD_NUMBER),
        (b'"topic":"book.A","n":1,"n":1', Flaw.TWICE),
        (b'"topic":"book.A","b":{}', Flaw.BAD_TYPE),
        (b'"topic":"book.A","b":[[1,2]]', Flaw.BAD_LEVEL),
        (b'"topic":"book.A","b":[[1,2,-3]]', Flaw.BAD_LEVEL),
        (b'"topic":"book.A","b":[[1,2,4294967296]]', Flaw.BAD_LEVEL),
        (b'"topic":"book.A","b":[[1,true,3]]', Flaw.BAD_LEVEL),
        (b'"topic":"book.A","b":["1,2,3"]', Flaw.BAD_LEVEL),
        (b'"topic":"book.A","l":[[1,2,3]]', Flaw.BAD_LEVEL),
    ],
)
def test_what_is_wrong_is_named_with_the_book_and_the_line(entry: bytes, found: Flaw) -> None:
    assert flaw(b'{"line":5,"data":[{' + entry + b"}]}") == (found, "book.A", 5)


def test_a_name_is_not_endless() -> None:
    assert flaw(b'{"data":[{"topic":"book.' + b"A" * 300 + b'"}]}')[:2] == (Flaw.BAD_TEXT, None)


def test_levels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth_text, "MAX_LEVELS", 3)
    assert flaw(b'{"data":[{"topic":"book.A","b":[[1,2,3],[2,2,3],[3,2,3],[4,2,3]]}]}')[0] is Flaw.TOO_MANY


def test_a_snapshot_is_what_was_asked_for() -> None:
    shape = Shape(Node({"id": Role.NUMBER, "b": Role.BIDS}, entry=True), Rung(0, 1), accept="")
    entry = read_snapshot(shape, b'{"id":7,"b":[["1","2"]]}', "A")
    assert (entry.name, entry.number, entry.levels) == ("A", 7, [(Side.BID, "1", "2", 0, None)])
    for body in (b"[]", b"", b'{"id":"x"}', b'{"id":1,"id":1}', b'{"b":[[1]]}', b"<html>"):
        with pytest.raises(Refused):
            read_snapshot(shape, body, "A")


def test_a_shape_is_written_down_for_the_core() -> None:
    nodes, rung = table(SHAPE)
    assert nodes[0] == (False, False, [(b"kind", Role.KIND, -1), (b"line", Role.LINE, -1), (b"data", 0, 1)])
    assert nodes[1][:2] == (True, True)
    assert rung == (b"", b"", 0, 1, 2, -1, b"")
    keys: dict[str, Any] = {f"k{n}": Role.NUMBER for n in range(MAX_KEYS + 1)}
    with pytest.raises(AssertionError):
        table(Shape(Node(keys), Rung(0, 1), accept=""))
