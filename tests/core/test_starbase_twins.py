"""The compiled Starbase books and their plain twin do the same, message by message, sense or nonsense."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.build import PURE
from netfeed.venues.starbase import StarbaseBooks as Twin
from netfeed.wire import starbase

if PURE:
    pytest.skip("the compiled core is not loaded with NETFEED_PURE=1", allow_module_level=True)

import netfeed.book  # noqa: F401  (hands the core its words)
from netfeed._core.starbase import StarbaseBooks as Core

INSTRUMENTS = st.sampled_from([1, 2, -5, 2**63 - 1])
IDS = st.sampled_from([1, 2, 3, 262145, 262144 * 7 + 1, -1, 2**63 - 1])
AMOUNTS = st.sampled_from([1, 2, 5, 100, 0, -3, 2**32, 2**62, 2**63 - 1])
PRICES = st.sampled_from([-(10**9), 0, 10**9, 2 * 10**9, 3 * 10**9, -(2**63), -(2**63) + 1, 2**63 - 1])
FLAGS = st.sampled_from([0, 1, 2, 3])


@st.composite
def messages(draw: Any) -> bytes:
    template = draw(st.sampled_from([16, 20, 20, 20, 21, 21, 21, 22, 23, 24, 25, 30, 31, 33, 14, 119, 77, 300]))
    fields: dict[str, Any] = {}
    if template in starbase.SCHEMA.templates:
        values = {
            "orderId": IDS, "instrumentId": INSTRUMENTS, "quantity": AMOUNTS, "price": PRICES, "sortOrderId": IDS,
            "tradingStatus": st.sampled_from([0, 1, 5]),
        }  # fmt: skip
        body = {
            16: ("instrumentId", "tradingStatus"),
            20: ("orderId", "instrumentId", "quantity", "price", "sortOrderId"),
            22: ("orderId", "instrumentId", "quantity"),
            24: ("orderId", "instrumentId"),
        }
        for name in body.get(template & ~1 if template >= 20 else template, ()):
            fields[name] = draw(values[name])
    size = {30: 56, 31: 44, 33: 78, 14: 32, 119: 4}.get(template, 12)
    if fields:
        message = starbase.encode(template, flags=draw(FLAGS), transact_time=draw(st.integers(0, 9)), **fields)
    else:
        raw = draw(st.binary(min_size=size, max_size=size))
        raw = raw[:8] + draw(INSTRUMENTS).to_bytes(8, "little", signed=True) + raw[16:] if size >= 16 else raw
        length = 16 + (size + 7) // 8 * 8
        head = starbase.MESSAGE_HEADER.encode(length, template, 1, draw(FLAGS), draw(st.integers(0, 9)))
        message = (head + raw).ljust(length, b"\0")
    wound = draw(st.integers(0, 19))
    if wound == 0:
        message = message[: draw(st.integers(0, len(message)))]
    elif wound == 1:
        message = (len(message) + 8).to_bytes(2, "little") + message[2:] + bytes(8)
    return message


def state(books: Any) -> Any:
    b = books.books
    depth = [[b.depth(k, side, 99) for side in (0, 1)] for k in range(len(b))]
    queues = [b.queue(k, side, level.price) for k in range(len(b)) for side in (0, 1) for level in depth[k][side]]
    return books.by_type, len(b), [b.state(k) for k in range(len(b))], depth, queues, b.statistics()


@given(st.lists(messages(), max_size=40))
def test_both_builds_are_in_the_same_state_after_every_message(stream: list[bytes]) -> None:
    core, twin = Core(max_books=3), Twin(max_books=3)
    for sequence, message in enumerate(stream, 1):
        core.apply(message, sequence, 10 * sequence, 3)
        twin.apply(message, sequence, 10 * sequence, 3)
        a, b = core.books.take(), twin.books.take()
        assert a.tolist() == b.tolist(), message.hex()
        assert state(core) == state(twin), message.hex()


@given(st.lists(st.binary(max_size=120), max_size=20))
def test_any_bytes_leave_both_builds_alike(stream: list[bytes]) -> None:
    core, twin = Core(), Twin()
    for sequence, message in enumerate(stream, 1):
        core.apply(message, sequence)
        twin.apply(message, sequence)
    assert np.array_equal(core.books.take(), twin.books.take())
    assert state(core) == state(twin)
