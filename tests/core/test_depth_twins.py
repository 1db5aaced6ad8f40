"""The compiled path of depth messages against the plain way: the same messages, whole and damaged, the same market."""

import os
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfeed.book import LevelBook
from netfeed.book.state import BookState
from netfeed.build import PURE
from netfeed.venues.depth_path import path
from netfeed.venues.depth_rules import Summing, digits_checksum
from netfeed.venues.depth_shape import Role, table
from netfeed.venues.depth_text import Refused, exact, read
from tests.venues.depth_messages import MESSAGES, NAMES, RULES, market, shuffled, snapshot_body, told, written

pytestmark = pytest.mark.skipif(PURE, reason="there is no compiled path to compare with")

VENUES = sorted(MESSAGES)
EXPONENTS = (-2, -3)
SCALE = int(os.environ.get("NETFEED_TWIN_RUNS", "1"))
"""Asks for so many times the examples of a default run."""

plain_digits = st.one_of(
    st.decimals(0, 10**6, places=2).map(str),
    st.integers(0, 9999).map(str),
    st.integers(0, 99).map(lambda n: f"{n}.50000000"),
)
seeds = st.integers(0, 2**32).map(random.Random)
absurd_digits = st.sampled_from([
    "1e-05", "1.5E+3", "1E2", "0e9", "-0", "-1.5", "0.001", "0.0001", "9223372036854775807", "9223372036854775808",
    "123456789012345678901234567890", "0.00000000000000000000", "92233720368547758.07", "92233720368547758.08", "1e400",
    "1.23456789012345678", "00", "01", "1.", ".5", "+1", "1e", "--1", "", "NaN", "0x10", "1_000", "1 ", "٣", "1e+",
    "1.e1", "1e-400",
])  # fmt: skip


@pytest.fixture(scope="module", params=VENUES)
def venue(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def looked(venue: str, message: bytes) -> Any:
    """Give what the compiled scan says of a message."""
    shape = RULES[venue].shape
    words = (shape.accept.encode(), shape.snapshot.encode(), shape.update.encode())
    made: Any = path()(table(shape), words, int(RULES[venue].numbering))
    made.open(b"x", LevelBook(), *EXPONENTS)
    return made.look(message, 0)


def same_as_the_twin(venue: str, message: bytes) -> None:
    """Check that a scan says what the twin says, or leaves the message to it."""
    found = looked(venue, message)
    if found is False:
        return
    depth = read(RULES[venue].shape, message)  # a message that the twin refuses must be left to it
    if found is None:
        assert depth.entries == []
        return
    (entry,) = depth.entries
    name, kind, numbers, ts_event_ns, rows = found
    assert (name, kind) == (entry.name.encode("latin-1"), None if entry.kind is None else entry.kind.encode("latin-1"))
    wanted = {
        Role.BEFORE: entry.before, Role.FIRST: entry.first, Role.NUMBER: entry.number, Role.CHECKSUM: entry.checksum,
        Role.LINE: depth.line,
    }  # fmt: skip
    assert numbers == {int(role): value for role, value in wanted.items() if value is not None}
    assert ts_event_ns == entry.ts_event_ns
    assert sorted(rows, key=lambda row: row[0]) == [  # the sides are apart, whichever stands first
        (side, exact(price, EXPONENTS[0]), exact(quantity, EXPONENTS[1]), orders)
        for side, price, quantity, orders, _ in entry.levels
    ]


def build(venue: str, levels: list[tuple[str, str]], **more: Any) -> Any:
    half = len(levels) // 2
    return MESSAGES[venue]("X-1", "update", 10, 11, levels[:half], levels[half:], **more)


@settings(max_examples=20 * SCALE, deadline=None)
@given(st.lists(st.tuples(plain_digits, plain_digits), max_size=6), seeds)
def test_a_plain_message_is_read_by_both_whatever_the_order_of_its_keys(
    venue: str, levels: list[tuple[str, str]], rng: random.Random
) -> None:
    message = written(shuffled(build(venue, levels), rng))
    same_as_the_twin(venue, message)
    assert looked(venue, message) is not None


@settings(max_examples=30 * SCALE, deadline=None)
@given(absurd_digits, absurd_digits, st.booleans())
def test_an_absurd_number_is_never_taken_for_another(venue: str, one: str, other: str, quoted: bool) -> None:
    message = written(build(venue, [("1", "1"), ("3", "7")]))
    for old, new in ((b"3", one), (b"7", other)):
        text = f'"{new}"' if quoted else new
        message = message.replace(old, text.encode(), 1) if message.count(old) else message
    same_as_the_twin(venue, message)


@settings(max_examples=40 * SCALE, deadline=None)
@given(seeds, st.integers(1, 4))
def test_damage_is_seen_by_both_or_left_to_the_twin(venue: str, rng: random.Random, count: int) -> None:
    data = bytearray(written(build(venue, [("1.50", "2.000"), ("3.25", "0.001"), ("9", "0")])))
    for _ in range(count):
        at = rng.randrange(len(data))
        if rng.random() < 0.3:
            del data[at : at + rng.choice((1, 2, 7, 40))]
        elif rng.random() < 0.4:
            piece = bytes(data[at : at + rng.randrange(1, 60)])
            data[at:at] = piece
        else:
            data[at] = rng.choice(b'{}[],:"\\0123456789-+.eE nulltrefas\x00\x1f\xff/bu')
    message = bytes(data)
    found = looked(venue, message)
    try:
        read(RULES[venue].shape, message)
    except Refused:
        assert found is False
    else:
        same_as_the_twin(venue, message)


STRUCTURES = [
    b'{"params":{"channel":"book.x","data":%s}}', b'{"channel":"book","data":[%s]}', b'{"data":%s,"channel":"book"}',
    b'%s', b'{"a":%s}', b'[%s]', b' \r\n\t{"channel" : "book" , "data" : [ %s ] } ',
    b'{"channel":"b\\u006fok","data":[%s]}',
]  # fmt: skip
LEAVES = [
    b"1", b"-0.0", b'"x"', b"null", b"true", b"false", b'"\\n"', b'"\\ud800"', b"01", b"tru", b"1e5", b'"\\x"', b"{}",
    b"[]",     b'{"symbol":"X","bids":[],"asks":null}', b'{"symbol":"X","symbol":"Y"}', b'{"change_id":1,"bids":7}',
    b'{"timestamp":9999999999999999,"bids":[["new",1,1]]}', b'{"symbol":"X","timestamp":"2026-02-29T00:00:00Z"}',
    b'{"symbol":"X","timestamp":"2024-02-29T23:59:59.5Z"}', b'{"symbol":"X","bids":[{"price":1,"qty":2,"qty":3}]}',
    b'{"symbol":"X","bids":[{"qty":"2","more":{"a":[1]},"price":"1"}]}',
]  # fmt: skip
values = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: b"[" + b",".join(parts) + b"]"),
        st.lists(inner, max_size=3).map(lambda parts: b"{" + b",".join(b'"k":' + part for part in parts) + b"}"),
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=40 * SCALE, deadline=None)
@given(st.sampled_from(STRUCTURES), values)
def test_any_json_is_read_by_both_or_left_to_the_twin(venue: str, structure: bytes, value: bytes) -> None:
    message = structure.replace(b"%s", value)
    try:
        read(RULES[venue].shape, message)
    except Refused:
        assert looked(venue, message) is False
    else:
        same_as_the_twin(venue, message)


@pytest.mark.parametrize("depth", [30, 31, 32, 33, 5_000])
def test_depth_is_bounded_alike(venue: str, depth: int) -> None:
    message = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    if depth < 32:
        assert looked(venue, message) is None
        assert read(RULES[venue].shape, message).entries == []
    else:
        assert looked(venue, message) is False
        with pytest.raises(Refused):
            read(RULES[venue].shape, message)


# --- markets


def day(venue: str, rng: random.Random, count: int) -> list[tuple[int, bytes]]:
    """Make messages of two books on two lines: mostly what a venue sends, sometimes what it should not."""
    numbers = {"X-1": 100, "Y-2": 500}
    found: list[tuple[int, bytes]] = []
    for _ in range(count):
        name = rng.choice(["X-1", "X-1", "Y-2", "Z-9"]) if rng.random() < 0.9 else "X-1"
        last = numbers.setdefault(name, 1)
        kind = "snapshot" if rng.random() < 0.25 else "update"
        step = rng.choice((1, 1, 1, 2, 5))
        before = last if rng.random() < 0.85 else last + rng.choice((-3, -1, 1, 4, -last))
        rows = [(str(rng.randrange(90, 100)), rng.choice(("0", "1.5", "2", "0.001"))) for _ in range(rng.randrange(4))]
        rises = [(str(rng.randrange(100, 110)), rng.choice(("0", "1", "7.25"))) for _ in range(rng.randrange(4))]
        if rng.random() < 0.08:
            rows.append(("105", "1"))
        if rng.random() < 0.06:
            rows.append(("99.123", rng.choice(("1", "-1", "0.0001"))))
        if kind == "snapshot":
            rows, rises = list({p: (p, q) for p, q in rows}.values()), list({p: (p, q) for p, q in rises}.values())
        message = MESSAGES[venue](
            name, kind, before, before + step, rows, rises, checksum=rng.choice((0, 0, 1)), line=len(found)
        )
        numbers[name] = before + (1 if venue == "bybit" else step)
        data = written(message)
        if rng.random() < 0.06:
            data = data[: rng.randrange(len(data))]
        found.append((rng.choice((0, 0, 0, 1)), data))
        if rng.random() < 0.2:
            found.append((1, data))
        if rng.random() < 0.05:
            found.append((0, b'{"jsonrpc":"2.0","id":1,"result":[]}'))
    return found


@settings(max_examples=25 * SCALE, deadline=None)
@given(seeds, st.integers(1, 40), st.integers(1, 9))
def test_a_market_is_the_same_by_both_ways_and_however_messages_are_batched(
    venue: str, rng: random.Random, count: int, size: int
) -> None:
    messages = day(venue, rng, count)
    markets = [market(venue, ["X-1", "Y-2"], plain=plain) for plain in (False, True)]
    topics = [NAMES[venue].format(name) for name in ("X-1", "Y-2")]
    for one in markets:
        for line in (0, 1):
            for topic in topics:
                one.joined(line, topic)
    at = 0
    while at < len(messages):
        line = messages[at][0]
        batch = [data for where, data in messages[at : at + size] if where == line]
        ends = at + len(batch) if all(where == line for where, _ in messages[at : at + len(batch)]) else at + 1
        batch = [data for _, data in messages[at:ends]]
        foreign = [one.apply(batch, 1_000 + at, line) for one in markets]
        assert foreign[0] == foreign[1]
        act = rng.random()
        if act < 0.05:
            for one in markets:
                one.left(line, topics)
                one.joined(line, topics[0])
        elif act < 0.12:
            quiet = rng.random() < 0.5
            for one in markets:
                one.silent(line, topics, silent=quiet)
        elif act < 0.3 and RULES[venue].fetch is not None:
            body = snapshot_body(rng.randrange(95, 160), [("95", "1"), ("94.5", "2")], [("104", "1")])
            for one in markets:
                one.fetched(topics[0], body, 2_000 + at)
        elif act < 0.35:
            for one in markets:
                one.failed(topics[0])
        assert told(markets[0]) == told(markets[1])
        at = ends


def test_the_compiled_path_really_takes_what_is_expected(venue: str) -> None:
    if RULES[venue].summing is Summing.TEXT:
        pytest.skip("the checksum of old recordings is summed in plain Python")
    topic = NAMES[venue].format("X-1")
    made, plain, probe = (market(venue, ["X-1"], plain=twin) for twin in (False, True, True))
    messages: list[bytes] = []
    for after in range(11, 40):
        sides = [(f"{90 + after % 7}.5", f"{after}.25")], [(f"{101 + after % 5}", "1")]
        for side in (0, 1):
            for price, quantity in sides[side]:
                probe.books[0].update(side, exact(price, -2), exact(quantity, -3))
            probe.books[0].truncate(side, 10)
        checksum = digits_checksum(probe.books[0])
        kind = "snapshot" if after == 11 else "update"
        messages.append(written(MESSAGES[venue]("X-1", kind, after - 1, after, *sides, checksum=checksum, line=after)))
    for one in (made, plain):
        one.joined(0, topic)
        one.apply(messages[:1], 7)
        one.fetched(topic, snapshot_body(11, [("90", "1")], [("110", "1")]), 7)
        assert one.apply(messages[1:], 8) == []
    assert made._path.taken == len(messages) - 1
    assert told(made) == told(plain)
    assert made.books[0].state is BookState.LIVE
