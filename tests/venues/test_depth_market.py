"""The market of depth messages: hostile text, lines that come and go, silence, counts that begin anew, and batches."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book import LevelBook
from netfeed.book.change import CHANGE, Kind, Refusal
from netfeed.book.state import BookState
from netfeed.errors import MisuseError
from netfeed.feed.dialect import Market, Resync
from netfeed.venues import deribit_json
from netfeed.venues.depth_market import DepthMarket
from netfeed.venues.depth_rules import MOST_OLD
from tests.venues.depth_messages import MESSAGES, NAMES, market, number, snapshot_body, written

VENUES = sorted(set(MESSAGES) - {"okx_old"})
NUMBERED = ["deribit", "binance_spot", "binance_usdm", "okx", "bybit"]


def text(venue: str, name: str, kind: str, before: int, bid: str = "9", *, line: int = 0, **more: Any) -> bytes:
    message = MESSAGES[venue](name, kind, before, before + 1, [(bid, "1")], [("11", "1")], line=line, **more)
    return written(message).replace(b'"checksum":0,', b"")


def opened(venue: str, *lines: int) -> DepthMarket:
    """Open two books, LIVE as of 11."""
    made = market(venue, ["X-1", "Y-2"])
    for line in lines or (0,):
        for at, name in enumerate(("X-1", "Y-2")):
            made.joined(line, NAMES[venue].format(name))
            made.apply([text(venue, name, "snapshot", 10, line=at)], 1, line)
            made.fetched(NAMES[venue].format(name), snapshot_body(11, [("9", "1")], [("11", "1")]), 1)
    made.wants()
    made.changes()
    assert [book.state for book in made.books] == [BookState.LIVE] * 2
    return made


def test_a_market_is_one() -> None:
    made: Market = market("deribit", ["X-1"])
    assert (made.names, made.exponents, len(made.books)) == (["X-1"], [(-2, -3)], 1)
    assert made.standing("trades.X-1.100ms") is None


NONSENSE = [
    (b'"u":12', b'"u":1e400', "BAD_NUMBER"),
    (b'"seqId":12', b'"seqId":12.5', "BAD_NUMBER"),
    (b'"change_id":12', b'"change_id":"x"', "BAD_NUMBER"),
    (b'"pu":11', b'"pu":[]', "BAD_NUMBER"),
    (b'"seqId":12', b'"seqId":null', "UNNUMBERED"),
    (b'11"', b'11.0001"', "INEXACT"),
    (b"11,", b"11.0001,", "INEXACT"),
    (b'11"', b'1e30"', "INEXACT"),
    (b'11"', b'9999999999999999999999"', "INEXACT"),
    (b'11"', b'x"', "INEXACT"),
    (b'"9"', b"[]", "BAD_LEVEL"),
    (b'"9"', b"null", "BAD_LEVEL"),
    (b'"9","1"', b'"9","-1"', "BAD_LEVEL"),
    (b"9,1]", b"9,-1]", "BAD_LEVEL"),
    (b"9,1]", b"9,0]", "BAD_LEVEL"),
    (b'"new"', b'"old"', "BAD_LEVEL"),
    (b'"side":"bid"', b'"side":"both"', "BAD_LEVEL"),
    (b'"update"', b'"replace"', "BAD_KIND"),
    (b'"change"', b'"replace"', "BAD_KIND"),
    (b'"delta"', b'"replace"', "BAD_KIND"),
    (b'"bids":', b'"bids":[],"bids":', "TWICE"),
    (b'"b":', b'"b":[],"b":', "TWICE"),
    (b'"asks":[', b'"asks":{"a":[', "NOT_JSON"),
    (b'"a":[', b'"a":7,"c":[', "BAD_TYPE"),
]
"""What stands in a message, what stands there instead, and what that is called."""


def nonsense() -> list[Any]:
    """List the venues whose messages have such a text."""
    cases = [(venue, *row) for venue in VENUES for row in NONSENSE]
    return [case for case in cases if case[1] in text(case[0], "X-1", "update", 11, line=2)]


@pytest.mark.parametrize(("venue", "old", "new", "flaw"), nonsense())
def test_text_that_makes_no_sense_is_named_and_hits_one_book(venue: str, old: bytes, new: bytes, flaw: str) -> None:
    made = opened(venue)
    message = text(venue, "X-1", "update", 11, line=2)
    made.apply([message.replace(old, new), text(venue, "Y-2", "update", 11, "10", line=3)], 2)
    refused = made.statistics().refused
    assert refused == {flaw: 1}
    if flaw != "NOT_JSON":
        assert made.books[0].state is BookState.SUSPECT
        assert len(made.wants()) == 1
    if venue != "coinbase" or flaw != "NOT_JSON":  # what cannot be read at all leaves a hole in its count
        assert made.books[1].state is BookState.LIVE
        assert made.books[1].quantity_at(0, 1000) == 1000


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(
    ("message", "flaw"),
    [
        (b'{"a":' * 40 + b"1" + b"}" * 40, "TOO_DEEP"),
        (b'{"a":' + b"[" * 100_000, "TOO_DEEP"),
        (b"{" * 100_000, "TOO_DEEP"),
        (b'{"a":NaN}', "NOT_JSON"),
        (b'{"a":"\x00"}', "NOT_JSON"),
        (b'{"a":1}{', "NOT_JSON"),
        (b'{"a":"' + b"x" * 100_000, "NOT_JSON"),
        (b"{", "NOT_JSON"),
    ],
)
def test_text_that_is_no_json_is_named_and_disturbs_nobody(venue: str, message: bytes, flaw: str) -> None:
    made = opened(venue)
    assert made.apply([message], 2) == [0]  # of nobody's book: it is for whoever counts what nobody understands
    assert made.statistics().refused == {flaw: 1}
    assert [book.state for book in made.books] == [BookState.LIVE] * 2
    (change,) = made.changes()
    assert (change["kind"], change["flags"]) == (Kind.REFUSED, Refusal.BAD_VALUE)
    assert made.wants() == []


@pytest.mark.parametrize("venue", VENUES)
def test_a_huge_message_is_not_looked_at(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfeed.venues.depth_text.MAX_BYTES", 10_000)
    made = opened(venue)
    assert made.apply([b'{"a":"' + b"\\n" * 10_000], 2) == [0]  # an escape that the core walks over, and no end
    assert made.statistics().refused == {"TOO_LONG": 1}


@pytest.mark.parametrize("venue", VENUES)
def test_messages_of_unknown_books_are_counted(venue: str) -> None:
    made = opened(venue)
    assert made.apply([text(venue, "Z-9", "update", 11, line=2)] * 1, 2) == [0]
    assert made.statistics().unknown == 1
    assert [book.state for book in made.books] == [BookState.LIVE] * 2


@pytest.mark.parametrize("venue", VENUES)
def test_a_book_that_is_crossed_in_the_end_is_suspect_and_asks_once(venue: str) -> None:
    made = opened(venue)
    made.apply([text(venue, "X-1", "update", 11, "12", line=2)], 2)
    made.apply([text(venue, "X-1", "update", 12 + at, "13", line=3 + at) for at in range(500)], 2)
    assert made.books[0].state is BookState.SUSPECT
    assert made.books[1].state is BookState.LIVE
    assert len(made.wants()) == 1
    assert made.statistics().crossed == 1


def test_a_cross_within_a_message_is_nothing() -> None:
    made = opened("deribit")
    rows = [("12", "1"), ("12", "0")]
    made.apply([written(MESSAGES["deribit"]("X-1", "change", 11, 12, rows, []))], 2)
    assert made.books[0].state is BookState.LIVE


@pytest.mark.parametrize("venue", VENUES)
def test_a_line_that_leaves_last_makes_its_books_suspect_until_a_snapshot(venue: str) -> None:
    made = opened(venue)
    topic = NAMES[venue].format("X-1")
    made.left(0, [topic, "trades.nothing"])
    assert [book.state for book in made.books] == [BookState.SUSPECT, BookState.LIVE]
    assert made.wants() == []  # whoever connects again gets one
    made.joined(0, topic)
    made.apply([text(venue, "X-1", "snapshot", 20, line=2), text(venue, "X-1", "update", 21, line=3)], 3)
    made.fetched(topic, snapshot_body(21, [("9", "1")], [("11", "1")]), 4)
    assert made.books[0].state is BookState.LIVE


@pytest.mark.parametrize("venue", ["deribit", "okx", "bybit"])
def test_a_line_that_was_asked_and_leaves_is_not_waited_for(venue: str) -> None:
    made = opened(venue, 0, 1)
    topic = NAMES[venue].format("X-1")
    made.apply([text(venue, "X-1", "update", 15)], 2, 0)
    assert made.wants() == [Resync(topic, 0, "sequence")]
    made.left(0, [topic])
    made.apply([text(venue, "X-1", "update", 16)], 3, 1)
    assert made.wants() == [Resync(topic, 1, "sequence")]
    made.apply([text(venue, "X-1", "snapshot", 30)], 4, 1)
    assert made.books[0].state is BookState.LIVE


@pytest.mark.parametrize("venue", ["deribit", "okx", "bybit", "kraken", "coinbase"])
def test_a_line_that_leaves_because_it_was_asked_to_comes_back_and_no_other_is_asked(venue: str) -> None:
    made = opened(venue, 0, 1)
    topic = NAMES[venue].format("X-1")
    made.left(1, [topic])
    made.joined(1, topic)
    made.wants()
    made.apply([b'{"torn' if venue in NUMBERED else text(venue, "X-1", "update", 15, checksum=1, line=9)], 2, 0)
    if venue in NUMBERED:
        made.apply([text(venue, "X-1", "update", 15)], 2, 0)
    asked = made.wants()
    assert [want.line for want in asked if isinstance(want, Resync) and want.topic == topic] == [0]
    made.left(0, [topic])
    made.joined(0, topic)
    made.apply([text(venue, "X-1", "update", 16, line=1)], 3, 1)
    assert made.wants() == []


@pytest.mark.parametrize("venue", VENUES)
def test_silence_makes_a_book_stale_when_no_other_line_speaks(venue: str) -> None:
    made = opened(venue, 0, 1) if venue in NUMBERED else opened(venue)
    topics = [NAMES[venue].format("X-1")]
    if venue in NUMBERED:
        made.silent(1, topics, silent=True)
        assert made.books[0].state is BookState.LIVE
    made.silent(0, topics, silent=True)
    assert [book.state for book in made.books] == [BookState.STALE, BookState.LIVE]
    made.silent(0, topics, silent=False)
    assert made.books[0].state is BookState.LIVE
    made.silent(0, topics, silent=True)
    made.apply([text(venue, "X-1", "update", 11, line=2)], 3)
    assert made.books[0].state is BookState.LIVE  # somebody has just spoken


@pytest.mark.parametrize("venue", NUMBERED)
def test_of_two_lines_the_first_copy_wins(venue: str) -> None:
    made = opened(venue, 0, 1)
    already = made.statistics().duplicates
    for at in range(11, 40):
        message = text(venue, "X-1", "update", at, f"{8 + at / 100:.2f}")
        made.apply([message], 2, at % 2)
        made.apply([message], 3, 1 - at % 2)
    counts = made.statistics()
    assert (counts.duplicates - already, counts.gaps, made.wants()) == (29, 0, [])
    standing = made.standing(NAMES[venue].format("X-1"))
    assert standing is not None
    assert (standing.state, standing.sequence) == (BookState.LIVE, 40)


@pytest.mark.parametrize("venue", ["deribit", "okx", "bybit"])
@settings(max_examples=40, deadline=None)
@given(
    order=st.lists(st.booleans(), max_size=60), size=st.integers(1, 20), joins=st.integers(0, 19), lost=st.booleans()
)
def test_however_two_lines_interleave_the_book_is_that_of_one(
    venue: str, order: list[bool], size: int, joins: int, lost: bool
) -> None:
    """Line 1 joins late, with a snapshot of its own; when line 0 is lost the other one carries on alone."""
    updates = [text(venue, "X-1", "update", 11 + at, f"{2 + at % 7}") for at in range(size)]
    alone = opened(venue)
    alone.apply(updates, 2)
    made = opened(venue)
    topic = NAMES[venue].format("X-1")
    joins = min(joins, size)
    probe = opened(venue)
    probe.apply(updates[:joins], 2)
    levels = [[(f"{level.price / 100}", f"{level.quantity / 1000}") for level in probe.books[0].depth(side, 99)]
              for side in (0, 1)]  # fmt: skip
    snapshot = written(MESSAGES[venue]("X-1", "snapshot", 10 + joins, 11 + joins, *levels))
    waiting = [updates[: len(updates) - 3 * lost], [snapshot, *updates[joins:]]]
    made.joined(1, topic)
    for line in [*map(int, order), *[0] * 99, *[1] * 99]:
        if waiting[line]:
            made.apply([waiting[line].pop(0)], 3, line)
    if lost:
        made.left(0, [topic])
    assert made.books[0].depth(0, 99) == alone.books[0].depth(0, 99)
    assert (made.books[0].state, made.wants(), made.statistics().gaps) == (BookState.LIVE, [], 0)


@pytest.mark.parametrize("venue", NUMBERED)
def test_a_count_that_begins_anew_without_a_snapshot_is_not_old_for_ever(venue: str) -> None:
    made = opened(venue)
    high = [text(venue, "X-1", "update", at) for at in range(11, 2_000)]
    made.apply(high, 2)
    made.apply([text(venue, "X-1", "update", at) for at in range(5, 5 + MOST_OLD)], 3)
    assert made.books[0].state is BookState.LIVE
    made.apply([text(venue, "X-1", "update", at) for at in range(5 + MOST_OLD, 5 + 2 * MOST_OLD)], 3)
    assert made.books[0].state is BookState.SUSPECT
    assert len(made.wants()) == 1
    assert made.books[1].state is BookState.LIVE


@pytest.mark.parametrize("venue", VENUES)
def test_more_levels_than_the_bound_are_an_overflow_of_that_book(venue: str) -> None:
    made = market(venue, ["X-1"], new_book=lambda: LevelBook(4))
    topic = NAMES[venue].format("X-1")
    made.joined(0, topic)
    made.apply([text(venue, "X-1", "snapshot", 10, line=0)], 1)
    made.fetched(topic, snapshot_body(11, [("9", "1")], [("11", "1")]), 1)
    made.wants()
    made.apply([text(venue, "X-1", "update", 11 + at, f"{8 - at}", line=1 + at) for at in range(6)], 2)
    assert made.books[0].state is BookState.SUSPECT
    wants = made.wants()
    assert len(wants) == 1
    assert not isinstance(wants[0], Resync) or wants[0].why == "overflow"


class LaidOut:
    """A batch as a WebSocket machine gives it: one buffer, and places in it."""

    def __init__(self, messages: list[bytes], gap: bytes) -> None:
        self.data = bytearray(gap + gap.join(messages))
        ends = np.cumsum([len(gap) + len(message) for message in messages])
        lengths = np.array([len(message) for message in messages], np.int64)
        self.places = np.ascontiguousarray(np.stack([ends - lengths, lengths], axis=1).astype(np.int64))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, place: int) -> memoryview:
        start, length = map(int, self.places[place])
        return memoryview(self.data)[start : start + length]


@pytest.mark.parametrize("venue", VENUES)
def test_a_batch_in_one_buffer_is_the_same_as_its_messages(venue: str) -> None:
    messages = [text(venue, "X-1", "update", at, f"{at % 7 + 2}", line=at - 9) for at in range(11, 30)]
    messages[3:3] = [b'{"other":1}', b"not json"]
    results = []
    for batch in (messages, LaidOut(messages, b"\x00\xff"), [memoryview(message) for message in messages]):
        made = opened(venue)
        left = made.apply(batch, 2)
        results.append((left, made.books[0].depth(0, 99), made.standing(NAMES[venue].format("X-1"))))
    assert results[0][0] == [3, 4]
    assert results[0] == results[1] == results[2]


def test_places_outside_of_the_buffer_are_a_misuse_that_changes_nothing() -> None:
    made = opened("deribit")
    batch = LaidOut([text("deribit", "X-1", "update", 11)], b"")
    if made._path.run.__module__ is None or "depth_path" not in str(type(made._path)):
        batch.places[0, 1] += 1
        with pytest.raises(ValueError, match="outside"):
            made.apply(batch, 2)
        assert made.standing(NAMES["deribit"].format("X-1")).sequence == 11  # type: ignore[union-attr]


def test_changes_tell_when_and_what() -> None:
    made = opened("deribit")
    made.apply([text("deribit", "X-1", "update", 11, "9.5")], 77, 1)
    changes = made.changes()
    assert changes.dtype == CHANGE
    (change,) = changes
    assert (change["kind"], change["side"], change["price"], change["quantity"]) == (Kind.BBO, 0, 950, 1000)
    assert (change["sequence"], change["ts_recv_ns"], change["channel"]) == (12, 77, 1)
    assert change["ts_event_ns"] == 1_700_000_000_012_000_000


def test_a_book_is_opened_once() -> None:
    made = market("deribit", ["X-1"])
    with pytest.raises(MisuseError):
        made.open("book.X-1.100ms", "other", "X-1", (0, 0))
    with pytest.raises(MisuseError):
        made.open("other", "book.X-1.100ms", "X-1", (0, 0))
    with pytest.raises(MisuseError):
        made.open("other", "b\u00fcch", "X-1", (0, 0))


def test_many_books_are_found_by_their_names() -> None:
    names = [f"BTC-{n}-C" for n in range(2_000)]
    made = market("deribit", names)
    made.apply([text("deribit", name, "snapshot", 10) for name in names], 1)
    made.apply([text("deribit", name, "update", 11, "9.5") for name in names], 2)
    assert all(book.bid is not None and book.bid.price == 950 for book in made.books)
    assert made.statistics().taken == 2_000


def test_numbers_in_any_form_are_the_same_number() -> None:
    made = opened("deribit")
    message = MESSAGES["deribit"]("X-1", "change", 11, 12, [("9", "1")], [])
    for form in ("950e-2", "0.095E+2", "9.500", "9.5"):
        message["params"]["data"]["bids"] = [["new", number(form), number("1.0")]]
        made.apply([written(message)], 2)
        message["params"]["data"] |= {
            "prev_change_id": message["params"]["data"]["change_id"],
            "change_id": message["params"]["data"]["change_id"] + 1,
        }
        assert made.books[0].bid == (950, 1000, 0)
    assert json.dumps(made.statistics().refused) == "{}"
    assert made.standing(deribit_json.topic("X-1")).sequence == 15  # type: ignore[union-attr]
