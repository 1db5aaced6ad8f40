"""A turn that quotes: compiled or its twin, it sends the same bytes for the same packets, and only when it may."""

import socket
from collections.abc import Callable, Iterator
from time import monotonic_ns
from typing import Any

import numpy as np
import pytest

from netfeed.book.change import NO_PRICE
from netfeed.build import PURE
from netfeed.engine import quote_step
from netfeed.engine.quote_words import LIMIT, NO_STEP, SLOT, SPENT
from netfeed.feed import path as plain_path
from netfeed.transport import batch as plain_batch
from netfeed.transport import quoting
from netfeed.venues.starbase import StarbaseBooks as PlainBooks
from netfeed.wire import starbase, starbase_orders, starbase_quotes
from netfeed.wire.capture import PACKET

pytestmark = pytest.mark.net

PERPETUAL, CALL, PUT = 1_000, 1_001, 1_002
UNIT, CHANNEL = 10**9, 3
SECOND = 10**9


def kit(pure: bool) -> tuple[Any, ...]:
    if pure:
        return (
            plain_batch.Batch, plain_path.Path, PlainBooks, quote_step.QuoteStep, starbase_quotes.QuoteFrames,
            quoting.QuoteTurn,
        )  # fmt: skip
    import netfeed.book  # noqa: F401  (hands the core its words)
    from netfeed._core.path import Path
    from netfeed._core.quote import QuoteFrames, QuoteStep
    from netfeed._core.starbase import StarbaseBooks
    from netfeed.transport.mmsg import Batch
    from netfeed.transport.turn import QuoteTurn

    return Batch, Path, StarbaseBooks, QuoteStep, QuoteFrames, QuoteTurn


class Market:
    """A feed of three instruments, quotes of two of them that rest, and the other end of a session."""

    def __init__(self, pure: bool, factor: int = 1) -> None:
        batch, path, books, step, frames, turn = kit(pure)
        self.inner, self.outer = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.inner.bind(("127.0.0.1", 0))
        self.outer.connect(self.inner.getsockname())
        self.session, self.venue = socket.socketpair()
        self.venue.setblocking(False)
        self.books, self.path = books(), path(None, np.zeros(1, PACKET))
        numbers = [self.books.define(one) for one in (PERPETUAL, CALL, PUT)]
        lane = self.path.add_channel(self.books)
        address, port = self.inner.getsockname()
        self.path.add_flow(bytes(10) + b"\xff\xff" + socket.inet_aton(address), port, lane)
        self.path.arm(lane, CHANNEL.to_bytes(4, "little"), 1)
        self.slots, self.limits = np.zeros(2, SLOT), np.zeros(2, LIMIT)
        terms = np.array([(CALL, factor, 0), (PUT, factor, 0)], starbase_quotes.TERMS)
        self.step = step(self.slots, self.limits)
        self.turn = turn(
            batch(8), self.path, self.books, self.step, self.limits, frames(terms, 0, 9), book=numbers[0], scale=1e-9,
            slots={numbers[1]: 0, numbers[2]: 1},
        )  # fmt: skip
        self.sequence, self.orders = 1, 0
        self.hear([self.put(PERPETUAL, 0, 100, 1), self.put(PERPETUAL, 1, 102, 2)])
        self.hear([self.put(CALL, 0, 2, 1), self.put(CALL, 1, 30, 2)])

    def close(self) -> None:
        for one in (self.inner, self.outer, self.session, self.venue):
            one.close()

    def mandate(self) -> None:
        """Let both quotes be moved once: worth 10 at 101, of delta 1 and -1, a tick of 1 around."""
        for slot, delta in ((0, 1.0), (1, -1.0)):
            self.slots[slot] = (
                10.0, 101.0, 1.0, delta, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1e-9, UNIT // 10, *[NO_STEP] * 3,
                *[UNIT // 10] * 3, NO_PRICE, NO_PRICE, 9 * UNIT, 11 * UNIT, 5, 5, 5, 5, 1, 1, 0, 0, 0,
            )  # fmt: skip
            self.limits[slot] = (2**62, 2**62, 0, 5, 5)

    def arm(self, most: int = 15) -> None:
        self.turn.arm(self.session.fileno(), 77, 3, 5, 4, 0, most)

    def put(self, instrument: int, side: int, price: float, flags: int) -> bytes:
        self.orders += 1
        return starbase.encode(
            20 + side, flags=flags, orderId=self.orders, instrumentId=instrument, quantity=10, price=int(price * UNIT),
            sortOrderId=self.orders,
        )  # fmt: skip

    def hear(self, messages: list[bytes], skip: int = 0) -> int:
        self.sequence += skip
        self.outer.send(starbase.encode_packet(self.sequence, messages, channel_id=CHANNEL, sending_time=1))
        self.sequence += len(messages)
        count: int = self.turn.receive(self.inner.fileno(), monotonic_ns() + 5 * SECOND)
        assert count == 1
        return count

    def sent(self) -> list[tuple[int, int, int, int | None, int | None]]:
        """What came at the venue: number, quote id, and each quote."""
        try:
            data = self.venue.recv(1 << 16)
        except BlockingIOError:
            return []
        assert len(data) == self.turn.sent == self.turn.size
        header, body = starbase_orders.decode(data)
        return [(header.sequenceNumber, body.quoteId, one.instrumentId, one.bidPrice, one.askPrice)
                for one in body.quotes]  # fmt: skip

    def inside(self, bid: float, ask: float) -> int:
        """Let the perpetual have a better market."""
        return self.hear([self.put(PERPETUAL, 0, bid, 1), self.put(PERPETUAL, 1, ask, 2)])


@pytest.fixture(params=["twin", pytest.param("core", marks=pytest.mark.skipif(PURE, reason="no core"))])
def market(request: pytest.FixtureRequest) -> Iterator[Market]:
    one = Market(request.param == "twin")
    yield one
    one.close()


BOTH = [(5, 77, CALL, 9_200_000_000, 11_200_000_000), (5, 77, PUT, 8_800_000_000, 10_800_000_000)]


def test_a_packet_that_moves_the_perpetual_leaves_as_quotes(market: Market) -> None:
    market.mandate()
    market.arm()
    market.inside(101, 101.4)
    assert market.turn.lead == pytest.approx(101.2)
    assert market.sent() == BOTH
    assert (market.turn.quoted, market.turn.armed, market.turn.rest) == (2, False, b"")
    assert market.turn.published_ns <= market.turn.decided_ns <= market.turn.sent_ns
    assert market.limits["until_ns"].tolist() == [SPENT, SPENT]
    assert {int(book) for book in market.turn.changes["book"]} == {0}


def test_a_shot_is_one(market: Market) -> None:
    market.mandate()
    market.arm()
    market.inside(101, 101.4)
    assert len(market.sent()) == 2
    market.mandate()
    market.inside(101.1, 101.3)
    assert (market.turn.quoted, market.sent()) == (0, [])


def test_no_packet_is_no_turn(market: Market) -> None:
    market.mandate()
    market.arm()
    for wait_ns in (0, 2_000_000):  # long enough for rehearsals
        assert market.turn.receive(market.inner.fileno(), monotonic_ns() + wait_ns) == 0
        assert (market.turn.quoted, market.turn.armed, market.sent()) == (0, True, [])
    assert market.limits["until_ns"].tolist() == [2**62, 2**62]
    market.inside(101, 101.4)
    assert market.sent() == BOTH


def test_who_does_not_move_does_not_quote(market: Market) -> None:
    market.mandate()
    market.arm()
    market.inside(100.99, 101.01)
    assert (market.turn.quoted, market.turn.armed, market.sent()) == (0, True, [])


Spoil = Callable[[Market], object]


def disarm(market: Market) -> None:
    market.turn.disarm()
    market.inside(101, 101.4)


def gap(market: Market) -> None:
    market.hear([market.put(PERPETUAL, 0, 101, 3)], skip=5)


def crossed(market: Market) -> None:
    market.hear([market.put(PERPETUAL, 0, 103, 3)])


def half_a_transaction(market: Market) -> None:
    market.hear([market.put(PERPETUAL, 0, 101, 1)])


def suspect(market: Market) -> None:
    market.books.books.to(0, 3)
    market.inside(101, 101.4)


@pytest.mark.parametrize("spoil", [disarm, gap, crossed, half_a_transaction, suspect])
def test_what_is_not_as_expected_sends_nothing(market: Market, spoil: Spoil) -> None:
    market.mandate()
    market.arm()
    spoil(market)
    assert (market.turn.quoted, market.sent()) == (0, [])
    assert market.limits["until_ns"].tolist() == [2**62, 2**62]


def test_an_instrument_whose_own_book_has_changed_is_left_to_the_plain_path(market: Market) -> None:
    market.mandate()
    market.arm()
    market.hear([market.put(CALL, 0, 3, 1), market.put(PERPETUAL, 0, 101, 0), market.put(PERPETUAL, 1, 101.4, 2)])
    assert market.sent() == BOTH[1:]
    assert market.limits["until_ns"].tolist() == [SPENT, SPENT]


def test_no_more_quotes_go_than_may(market: Market) -> None:
    market.mandate()
    market.arm(most=1)
    market.inside(101, 101.4)
    assert (market.sent(), market.step.left.tolist()) == (BOTH[:1], [0, 1])


def test_a_session_that_takes_nothing_has_been_sent_nothing(market: Market) -> None:
    market.session.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            market.session.send(bytes(1 << 16))
    market.mandate()
    market.arm()
    market.inside(101, 101.4)
    assert (market.turn.quoted, market.turn.sent, market.turn.rest) == (2, 0, b"")


@pytest.mark.parametrize("pure", [True, pytest.param(False, marks=pytest.mark.skipif(PURE, reason="no core"))])
def test_a_price_that_the_wire_cannot_say_has_been_sent_nothing(pure: bool) -> None:
    market = Market(pure, factor=10**9)
    try:
        market.mandate()
        market.arm()
        market.inside(101, 101.4)
        assert (market.turn.quoted, market.turn.sent, market.turn.size, market.turn.armed) == (2, 0, 0, False)
        with pytest.raises(BlockingIOError):
            market.venue.recv(1)
    finally:
        market.close()


def test_a_socket_that_is_none_is_an_error(market: Market) -> None:
    with pytest.raises(OSError, match=r"Bad file descriptor|not a socket|non-socket"):
        market.turn.receive(10_000, monotonic_ns())
