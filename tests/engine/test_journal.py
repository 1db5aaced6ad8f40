"""The journal: every record comes back, a cut at any byte leaves the account that there was, anything else is said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Down,
    Filled,
    Flag,
    Freed,
    List,
    Listed,
    MassQuote,
    New,
    OpenOrder,
    Position,
    Quote,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    TimeInForce,
    Tripped,
    Up,
)
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.journal import (
    RECORDS,
    Absolved,
    Adopted,
    Began,
    Decided,
    Heard,
    Record,
    Sent,
    Settled,
    Unsent,
    Woke,
    decode,
    encode,
    last_run,
    read,
    replay,
)
from netfeed.engine.order import State
from netfeed.engine.orders import ANSWER_NS
from netfeed.errors import MisuseError

RESTS = QuoteSide(QuoteState.RESTS, "q", 100, 5, 0, Cause.OTHER, "")
NEW = New(1, 5, Side.BID, 100, 10, TimeInForce.GTC, Flag.POST_ONLY | Flag.MMP)
QUOTES = MassQuote(2, 3, (Quote(6, 100, 5, None, 0),))
LATER = New(4, 5, Side.ASK, 120, 3)
DAY: list[Record] = [
    Began(0, 7),
    Decided(1, 100, NEW),
    Sent(2, 1, Ask.NEW, 1),
    Heard(3, Accepted(1, 5, "v1", 100, 10, 0, True, 1_700_000_000_000_000_000)),
    Heard(4, Filled(1, 5, "v1", 2**63, Side.BID, 100, 4, 4, True, None, 25, -4)),
    Heard(5, Filled(1, 5, "v1", 2**63, Side.BID, 100, 4, 4, True, None, 25, -4)),
    Decided(6, 101, Amend(1, 5, 101, 12)),
    Sent(6, 1, Ask.AMEND, 1),
    Heard(7, Amended(1, 5, "v1", 101, 12, 4, True, None)),
    Decided(8, 102, QUOTES),
    Sent(8, 1, Ask.QUOTE, 2),
    Heard(9, Quoted(2, 3, ((6, RESTS, QuoteSide(QuoteState.NONE, None, None, 0, 0, Cause.OTHER, "")),), None)),
    Decided(10, 103, List(3)),
    Sent(10, 1, Ask.LIST, 3),
    Heard(11, Listed(1, (OpenOrder(1, 5, "v1", Side.BID, 101, 12, 4, False),), (Position(5, 4, None),), None)),
    Decided(12, 104, LATER),
    Unsent(12, Ask.NEW, 4),
    Heard(13, Tripped(3, "delta", None, None), 50),
    Heard(14, Filled(77, 9, "?", "stray \u00fc \n", Side.ASK, 1, 1, None, None, None, quote=True)),
    Adopted(15, "a person", 9, 0, 1),
    Absolved(16, "a person", 9),
    Decided(17, 105, New(5, 5, Side.ASK, 130, 2)),
    Sent(17, 1, Ask.NEW, 5),
    Woke(17 + ANSWER_NS),
    Heard(18 + ANSWER_NS, Rejected(5, Ask.NEW, Cause.RATE, "too many", None)),
    Decided(19 + ANSWER_NS, 106, Cancel(1, 5)),
    Sent(19 + ANSWER_NS, 1, Ask.CANCEL, 1),
    Heard(20 + ANSWER_NS, Down(1, "the link broke", True)),
    Heard(21 + ANSWER_NS, Up(1)),
    Heard(22 + ANSWER_NS, Canceled(1, 5, "v1", 4, Cause.DISCONNECTED, "", None)),
    Decided(23 + ANSWER_NS, 107, CancelAll(6, None, Side.ASK)),
    Heard(24 + ANSWER_NS, AllCanceled(6, None, None)),
    Heard(25 + ANSWER_NS, Freed(3, None)),
    Settled(26 + ANSWER_NS, 5, 90),
    Began(27 + ANSWER_NS, 8, {1: "deribit", 2: ""}),
]
LINES = [encode(record, number) for number, record in enumerate(DAY, 1)]
JOURNAL = b"".join(LINES)
ENDS = [sum(map(len, LINES[:count])) for count in range(len(LINES) + 1)]


def account(records: list[Record]) -> Account:
    return replay(records, Account({}))


def test_every_kind_of_record_comes_back() -> None:
    records, tail = read(JOURNAL)
    assert records == DAY
    assert (tail.offset, tail.records, tail.why) == (len(JOURNAL), len(DAY), "")
    assert {type(record).__name__ for record in DAY} == set(RECORDS)
    assert last_run(records) == 8
    assert last_run([]) == -1


STATES = [account(DAY[:count]).snapshot() for count in range(len(DAY) + 1)]


@settings(max_examples=150)
@given(st.integers(0, len(JOURNAL)))
def test_a_cut_at_any_byte_leaves_the_account_that_there_was(cut: int) -> None:
    whole = sum(end <= cut for end in ENDS) - 1
    records, tail = read(JOURNAL[:cut])
    assert records == DAY[:whole]
    assert account(records).snapshot() == STATES[whole]
    assert tail.offset == ENDS[whole]
    assert bool(tail.why) == (cut != ENDS[whole])
    assert tail.is_torn == bool(tail.why)


def test_every_cut_is_read_without_an_error() -> None:
    assert [read(JOURNAL[:cut])[1].records for cut in ENDS] == list(range(len(DAY) + 1))


@given(st.integers(0, len(JOURNAL) - 1), st.integers(1, 255))
def test_a_byte_that_changed_is_found_and_what_stood_before_it_holds(at: int, flip: int) -> None:
    damaged = bytearray(JOURNAL)
    damaged[at] ^= flip
    whole = sum(end <= at for end in ENDS) - 1
    records, tail = read(bytes(damaged))
    assert records == DAY[:whole]
    assert tail.why
    last_line = at >= ENDS[-2]
    assert last_line or not tail.is_torn


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    read(data)
    read(LINES[0] + data)


def test_a_line_that_is_missing_or_comes_twice_is_no_crash() -> None:
    for lines in (LINES[:3] + LINES[4:], LINES[:3] + LINES[2:]):
        records, tail = read(b"".join(lines))
        assert (records, tail.is_torn) == (DAY[:3], False)
        assert "follows" in tail.why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "version"),
        (LINES[0][:-1].replace(b"1 ", b"2 ", 1), "version"),
        (LINES[0][:-1] + b" ", "checksum"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode(line)


def test_the_account_after_a_restart_doubts_what_was_open_and_counts_no_execution_twice() -> None:
    made = account([*DAY[:9], Began(8, 8)])
    order = made.orders.get(1)
    assert order is not None
    assert (order.state, order.filled, order.price, made.positions[5].quantity) == (State.UNCERTAIN, 4, 101, 4)
    made.apply(DAY[4].report, 9)  # type: ignore[union-attr]
    assert (order.filled, made.positions[5].quantity) == (4, 4)


def test_records_of_no_account_that_was_are_a_misuse() -> None:
    with pytest.raises(MisuseError, match="never decided"):
        account([Sent(0, 1, Ask.NEW, 9)])
    with pytest.raises(MisuseError, match="used once"):
        account([Decided(0, 0, NEW), Decided(0, 0, NEW)])
