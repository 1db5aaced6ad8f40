"""The compiled ITCH books against their plain twin, on messages that fit together and on messages that do not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.sim.itch_day import Day, Settings
from netfeed.venues import itch as venue
from netfeed.wire import itch
from tests.book.order_books import needs_core

try:
    from netfeed._core.itch import ItchBooks as Core
except ImportError:
    Core = None  # type: ignore[assignment,misc]

pytestmark = needs_core

NURSERY = 262_144
Twin = venue.ItchBooks


class Both:
    """The two builds, given the same messages; after each they are compared."""

    def __init__(self, **bounds: int) -> None:
        self.twin, self.core = Twin(**bounds), Core(**bounds)
        self.sequence = 0

    def apply(self, message: bytes) -> None:
        self.sequence += 1
        for one in (self.twin, self.core):
            one.apply(message, self.sequence, 5 * self.sequence, 7)
        self.changes()
        self.counters()

    def changes(self) -> None:
        one, other = self.twin.books.take(), self.core.books.take()
        assert one.tobytes() == other.tobytes(), (one, other)

    def counters(self) -> None:
        assert self.twin.books.statistics() == self.core.books.statistics()
        assert self.twin.by_type == self.core.by_type
        assert self.twin.names == self.core.names

    def content(self) -> None:
        assert len(self.twin.books) == len(self.core.books)
        for book in range(len(self.twin.books)):
            assert self.twin.books.state(book) == self.core.books.state(book)
            for side in Side:
                assert self.twin.books.depth(book, side, 10**6) == self.core.books.depth(book, side, 10**6)

    def run(self, data: bytes, sequence: int = 1) -> tuple[int, int, int]:
        """Run over all of the data; the core may stop on the way, when its batch of changes is full."""
        stops, taken = [], []
        for one in (self.twin, self.core):
            offset, at, how, changes = 0, sequence, venue.FULL, b""
            while how == venue.FULL:
                offset, at, how = one.run(data, offset, at)
                changes += one.books.take().tobytes()
            stops.append((offset, at, how))
            taken.append(changes)
        assert stops[0] == stops[1]
        assert taken[0] == taken[1]
        self.counters()
        return stops[0]


# --- messages

numbers = st.one_of(
    st.integers(0, 6), st.builds(lambda low, high: low + high * NURSERY, st.integers(0, 1), st.integers(0, 4)),
    st.sampled_from([2**64 - 1, 2**63]),
)  # fmt: skip
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "stock_locate": st.sampled_from([1, 1, 1, 2, 2, 3, 0, 65535]),
    "timestamp": st.sampled_from([0, 1, 2**48 - 1]),
    "buy_sell_indicator": st.sampled_from(["B", "S", "B", "S", "X", ""]),
    "shares": st.sampled_from([1, 2, 3, 100, 0, 2**32 - 1]),
    "executed_shares": st.sampled_from([1, 2, 100, 0, 2**32 - 1]),
    "cancelled_shares": st.sampled_from([1, 2, 100, 0, 2**32 - 1]),
    "price": st.one_of(st.integers(1, 30), st.sampled_from([0, 2**32 - 1])),
    "stock": st.sampled_from(["ABC", "DEF", "", "ÿ BC    "]),
    "trading_state": st.sampled_from(["T", "H", "P", "Q", ""]),
    "printable": st.sampled_from(["Y", "N", ""]),
    "cross_shares": st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]),
} | dict.fromkeys(("order_reference_number", "original_order_reference_number", "new_order_reference_number"), numbers)
OF_KIND = {
    "c": st.just(""), "u16": st.integers(0, 2**16 - 1), "u32": st.integers(0, 2**32 - 1),
    "u48": st.integers(0, 2**48 - 1), "u64": st.integers(0, 2**64 - 1),
}  # fmt: skip
ROWS = {code: (*itch.HEADER[1:], *body) for code, _, body in itch._TABLE}


def of_type(code: str) -> st.SearchStrategy[bytes]:
    values = {name: FIELDS.get(name, OF_KIND[kind if kind[0] == "u" else "c"]) for name, kind in ROWS[code]}
    return st.fixed_dictionaries(values).map(lambda fields: itch.encode(code, **fields))


about_orders = st.sampled_from("AAAFDXECUUHPQ").flatmap(of_type)
of_any_type = st.sampled_from("".join(itch.LAYOUTS)).flatmap(of_type)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message that is too long, too short, of another type, or wrong in a byte."""
    message = bytearray(draw(st.one_of(about_orders, of_any_type)))
    how = draw(st.sampled_from(["cut", "long", "type", "byte"]))
    if how == "cut":
        return bytes(message[: draw(st.integers(0, len(message) - 1))])
    if how == "long":
        return bytes(message) + draw(st.binary(min_size=1, max_size=40))
    at = 0 if how == "type" else draw(st.integers(0, len(message) - 1))
    message[at] = draw(st.integers(0, 255))
    return bytes(message)


messages = st.one_of(
    about_orders, about_orders, about_orders, about_orders, of_any_type, mutated(), st.binary(max_size=50)
)


def framed(parts: list[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


# --- one message after the other


@given(parts=st.lists(messages, max_size=60), orders=st.sampled_from([3, 1 << 26]), books=st.sampled_from([2, 1 << 16]))
def test_any_messages_leave_both_with_the_same_books(parts: list[bytes], orders: int, books: int) -> None:
    both = Both(max_orders=orders, max_books=books)
    for message in parts:
        both.apply(message)
    both.content()


@given(before=st.lists(messages, max_size=20), after=st.lists(messages, max_size=20), state=st.sampled_from(BookState))
def test_a_new_session_deals_locates_anew_and_its_books_start_in_another_state(
    before: list[bytes], after: list[bytes], state: BookState
) -> None:
    both = Both()
    for message in before:
        both.apply(message)
    for one in (both.twin, both.core):
        one.forget_locates()
        one.fresh_state = state
    for message in after:
        both.apply(message)
    both.content()


@given(
    sessions=st.lists(st.lists(messages, max_size=12), max_size=5), books=st.sampled_from([3, 1 << 16]),
    states=st.lists(st.sampled_from(BookState), min_size=5, max_size=5),
)  # fmt: skip
def test_sessions_in_a_row_give_stocks_the_same_books_again(
    sessions: list[list[bytes]], books: int, states: list[BookState]
) -> None:
    both = Both(max_books=books)
    for parts, state in zip(sessions, states, strict=False):
        for one in (both.twin, both.core):
            one.fresh_state = BookState.LIVE if state is BookState.STALE else state
        for message in parts:
            both.apply(message)
        for one in (both.twin, both.core):
            one.books.suspect_all(1, 2, True)
            one.books.clear_all()
            for book in range(len(one.books)):
                one.books.to(book, BookState.EMPTY)
            one.books.end()
            one.forget_locates()
        both.changes()
    both.content()


def test_two_books_of_one_stock_are_given_again_in_the_order_in_which_they_were_opened() -> None:
    both = Both()
    for locates in ((1, 2), (8, 9, 7), (3,)):
        for locate in locates:
            both.apply(itch.encode("H", **_values("H", stock_locate=locate, stock="TWICE", trading_state="T")))
        for one in (both.twin, both.core):
            one.forget_locates()
    assert both.core.names == ["TWICE"] * 3


def test_an_execution_of_another_books_order_is_refused_and_no_trade() -> None:
    both = Both()
    added = {"order_reference_number": 1, "buy_sell_indicator": "B", "shares": 100, "price": 1_0000}
    both.apply(itch.encode("A", **_values("A", stock_locate=1, stock="ONE", **added)))
    both.apply(itch.encode("R", **_values("R", stock_locate=2, stock="TWO")))
    executed = {"order_reference_number": 1, "executed_shares": 100, "match_number": 1}
    both.apply(itch.encode("E", **_values("E", stock_locate=2, **executed)))
    assert both.core.books.statistics().refused == {"WRONG_BOOK": 1}


@pytest.mark.parametrize("size", [65_535, 65_536, 70_000, 65_536 + itch.SIZES[ord("A")]])
def test_a_message_longer_than_any_frame_is_of_a_wrong_length(size: int) -> None:
    both = Both()
    both.apply(b"A".ljust(size, b"\0"))
    both.apply(b"?".ljust(size, b"\0"))
    assert both.core.books.statistics().refused == {"BAD_LENGTH": 1}


def test_books_that_somebody_else_opened_have_no_name() -> None:
    both = Both()
    for locate in range(1, 4):
        for one in (both.twin, both.core):
            for _ in range(100 * locate):
                one.books.add_book(BookState.LIVE)
        both.apply(itch.encode("H", **_values("H", stock_locate=locate, stock=f"S{locate}")))
    assert [name for name in both.core.names if name] == ["S1", "S2", "S3"]
    assert both.core.names.index("S3") == len(both.core.books) - 1


def _values(code: str, **given: Any) -> dict[str, Any]:
    return {name: given.get(name, 0 if kind[0] == "u" else "") for name, kind in ROWS[code]}


# --- a file


@given(parts=st.lists(messages, max_size=60), cut=st.integers(0, 80), marker=st.booleans(), rest=st.binary(max_size=5))
def test_a_file_of_any_messages_stops_both_at_the_same_place(
    parts: list[bytes], cut: int, marker: bool, rest: bytes
) -> None:
    both = Both()
    data = framed([part for part in parts if part]) + bytes(2 * marker) + rest
    both.run(data[: max(0, len(data) - cut)], 2**40)
    both.content()


@given(data=st.binary(max_size=400))
def test_any_bytes_stop_both_at_the_same_place(data: bytes) -> None:
    Both().run(data)


@pytest.mark.parametrize("offset", [-1, 4])
def test_an_offset_outside_the_buffer_is_the_callers_mistake(offset: int) -> None:
    for one in (Twin(), Core()):
        with pytest.raises(ValueError, match=f"offset {offset} is outside the buffer of 3 bytes"):
            one.run(b"abc", offset, 1)
        assert one.run(b"abc", 3, 9) == (3, 9, venue.END)


@pytest.fixture(scope="module")
def day() -> bytes:
    return b"".join(Day(Settings(messages=20_000, symbols=40, live_orders=3_000, seed=3)).chunks())


def test_a_day_leaves_both_with_the_same_books_and_the_same_changes(day: bytes) -> None:
    both = Both()
    assert both.run(day) == (len(day), 20_001, venue.END)
    both.content()
    assert both.core.books.statistics().refused == {}


def test_a_day_message_by_message_is_the_same_as_in_one_run(day: bytes) -> None:
    run, one = Core(), Core()
    data = day[: len(day) // 4]
    end, _, _ = run.run(data, 0, 0)
    offset = sequence = 0
    while offset < end:
        length = int.from_bytes(data[offset : offset + 2], "big")
        one.apply(data[offset + 2 : offset + 2 + length], sequence)
        offset, sequence = offset + 2 + length, sequence + 1
    assert run.books.take().tobytes() == one.books.take().tobytes()
    assert run.books.statistics() == one.books.statistics()


@settings(max_examples=12)
@given(data=st.data())
def test_a_cut_day_stops_both_at_the_same_place(day: bytes, data: st.DataObject) -> None:
    both = Both()
    both.run(day[: data.draw(st.integers(0, len(day) // 8))])
    both.content()


@settings(max_examples=12)
@given(data=st.data())
def test_a_day_with_wrong_bytes_leaves_both_with_the_same_books(day: bytes, data: st.DataObject) -> None:
    """A wrong byte can change a length, after which everything is nonsense."""
    broken = bytearray(day[: len(day) // 8])
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(broken) - 1), st.integers(0, 255)), max_size=20)):
        broken[at] = byte
    both = Both()
    both.run(bytes(broken))
    both.content()
