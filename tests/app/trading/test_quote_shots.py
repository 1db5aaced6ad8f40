"""Shots: what a turn of the transport has sent is in the account and in the session before anything else happens."""

import socket
from collections.abc import Iterator
from itertools import count
from time import monotonic_ns
from typing import Any

import numpy as np
import pytest

from netfeed.app.trading.quote_shots import QuoteShots
from netfeed.book.change import NO_PRICE
from netfeed.book.execution import Cancel, List, Listed, MassQuote, New, Quote
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.account import Account
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.limits import Limits
from netfeed.engine.order import State
from netfeed.engine.quote_door import QuoteDoor
from netfeed.engine.quote_words import NO_STEP
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from netfeed.feed import Path
from netfeed.proto.starbase_orders import Client
from netfeed.proto.starbase_orders_server import Server
from netfeed.proto.starbase_past import VenuePast
from netfeed.proto.starbase_rows import QuoteRows
from netfeed.proto.starbase_terms import Instruments, Terms
from netfeed.transport import Batch, QuoteTurn
from netfeed.venues.starbase import StarbaseFeed
from netfeed.wire import starbase
from netfeed.wire.capture import PACKET

pytestmark = pytest.mark.net

PERPETUAL, CALL, CHANNEL, UNIT = 0, 1, 3, 10**9
EPOCH_NS = 10**18
CONTRACTS = {
    CALL: Contract(CALL, "CALL", Payoff.CALL, "BTC", False, -9, 0, UNIT // 10, 1, 1.0, 100.0, 2**60),
}
LISTED = Instruments([Terms(CALL, 1_000 + CALL, -9, 0)])


class Trading:
    """A call that is quoted over a session, and the perpetual that moves it."""

    def __init__(self) -> None:
        self.inner, self.outer = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.inner.bind(("127.0.0.1", 0))
        self.outer.connect(self.inner.getsockname())
        self.session, self.venue = socket.socketpair()
        self.ids, self.now = count(1), monotonic_ns()
        self.account = Account(CONTRACTS)
        self.risk = Risk(self.account, Limits(position={None: 20}, collar_ppm=50_000))
        self.account.decide(List(0), 0)
        self.account.sent(List(0), 1, 0)
        self.account.apply(Listed(1, (), (), None), 0)
        self.mandates = self.risk.mandates(3, [CALL])
        self.client, self.server = Client(1, LISTED, self.now, epoch_ns=EPOCH_NS), Server(1, LISTED, self.now)
        self._log_on()
        self.door = QuoteDoor(self.account, 1, self.mandates, self.ids.__next__, lambda *_: None)
        rows = QuoteRows(LISTED, [CALL])
        step, limits = self.mandates.arrays()
        books, path = StarbaseFeed().stream, Path(None, np.zeros(1, PACKET))
        books.fresh_state = BookState.LIVE
        numbers = [books.define(1_000 + one) for one in (PERPETUAL, CALL)]
        lane = path.add_channel(books)
        address, port = self.inner.getsockname()
        path.add_flow(bytes(10) + b"\xff\xff" + socket.inet_aton(address), port, lane)
        path.arm(lane, CHANNEL.to_bytes(4, "little"), 1)
        self.turn: Any = QuoteTurn(
            Batch(4), path, books, step, limits, rows.frames, book=numbers[0], scale=1e-9, slots={numbers[1]: 0}
        )
        self.shots = QuoteShots(self.turn, self.session.fileno(), self.client, rows, self.door, self.mandates)
        self.sequence = 1
        self.market(100, 102)

    def close(self) -> None:
        for one in (self.inner, self.outer, self.session, self.venue):
            one.close()

    def _log_on(self) -> None:
        self.client.logon("key", "secret", self.now)
        self.server.receive(b"".join(self.client.transmit()), self.now)
        self.server.accept(VenuePast(), self.now)
        self.client.receive(b"".join(self.server.transmit()), self.now)

    def market(self, bid: float, ask: float) -> None:
        """Let the perpetual have these at best, in one turn."""
        puts = [
            starbase.encode(20 + side, flags=1 + side, orderId=self.sequence + side, instrumentId=1_000, quantity=1,
                            price=int(price * UNIT), sortOrderId=self.sequence + side)
            for side, price in enumerate((bid, ask))
        ]  # fmt: skip
        self.outer.send(starbase.encode_packet(self.sequence, puts, channel_id=CHANNEL, sending_time=1))
        self.sequence += 2
        assert self.turn.receive(self.inner.fileno(), monotonic_ns() + 5 * 10**9) == 1

    def mandate(self) -> None:
        """Let the call, worth 10 at 101 and quoted at 9 and 11, be moved once."""
        self.mandates.slots[0] = (
            10.0, 101.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1e-9, UNIT // 10, *[NO_STEP] * 3, *[UNIT // 10] * 3,
            NO_PRICE, NO_PRICE, 9 * UNIT, 11 * UNIT, 5, 5, 5, 5, 1, 1, 0, 0, 0,
        )  # fmt: skip
        self.risk.see(CALL, Seen(self.now, True, None, None, 10 * UNIT))
        assert self.risk.mandate(self.mandates, Quote(CALL, 9 * UNIT, 5, 11 * UNIT, 5), monotonic_ns()) is None

    def heard(self) -> list[Any]:
        """What the venue has of us."""
        self.venue.setblocking(False)
        try:
            data = self.venue.recv(1 << 16)
        except BlockingIOError:
            return []
        return list(self.server.receive(data, monotonic_ns()))


@pytest.fixture
def trading() -> Iterator[Trading]:
    one = Trading()
    yield one
    one.close()


def test_a_shot_is_in_the_account_and_in_the_session_as_the_venue_has_it(trading: Trading) -> None:
    trading.mandate()
    assert trading.shots.aim(monotonic_ns())
    trading.market(101, 101.4)
    went = trading.shots.took(monotonic_ns())
    quote = Quote(CALL, 9_200_000_000, 5, 11_200_000_000, 5)
    assert went.request == MassQuote(1, 3, (quote,))
    assert trading.heard() == [went.request]
    assert {order.state for order in trading.account.orders.open()} == {State.PENDING}
    assert trading.client.past.journal.next_out == trading.server.statistics().next_in == 3
    assert (trading.door.sent, trading.mandates.used, went.left) == (1, 1, [])
    trading.client.send(Cancel(1, CALL), monotonic_ns())  # the numbers go on without a gap
    assert trading.server.receive(b"".join(trading.client.transmit()), monotonic_ns()) == [Cancel(1, CALL)]


def test_a_turn_that_moved_nothing_takes_down_nothing(trading: Trading) -> None:
    trading.mandate()
    assert trading.shots.aim(monotonic_ns())
    trading.market(100.99, 101.01)
    assert trading.shots.took(monotonic_ns()).request is None
    assert (trading.heard(), trading.client.past.journal.next_out, trading.door.sent) == ([], 2, 0)
    assert trading.mandates.has(CALL, monotonic_ns())


def test_nothing_is_armed_while_something_waits_to_go_out_or_the_switch_is_thrown(trading: Trading) -> None:
    trading.mandate()
    trading.client.send(Cancel(1, CALL), monotonic_ns())
    assert not trading.shots.aim(monotonic_ns())
    trading.client.transmit()
    assert trading.shots.aim(monotonic_ns())
    trading.risk.switch.kill("a person", "smoke", 0)
    assert not trading.shots.aim(monotonic_ns())
    trading.market(101, 101.4)
    assert (trading.turn.quoted, trading.heard()) == (0, [])


def test_what_the_kernel_would_not_take_has_not_happened(trading: Trading) -> None:
    trading.mandate()
    trading.session.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            trading.session.send(bytes(1 << 16))
    assert trading.shots.aim(monotonic_ns())
    trading.market(101, 101.4)
    went = trading.shots.took(monotonic_ns())
    assert (went.request, went.left) == (None, [CALL])
    assert (list(trading.account.orders.open()), trading.client.past.journal.next_out) == ([], 2)
    assert trading.account.exposure.open(CALL, Side.BID) == 0


def test_an_order_that_passed_meanwhile_makes_the_next_shot_bear_a_later_id(trading: Trading) -> None:
    trading.mandate()
    assert trading.shots.aim(monotonic_ns())  # takes id 1
    verdict = trading.risk.pass_(New(next(trading.ids), CALL, Side.BID, 8 * UNIT, 1), monotonic_ns())
    assert verdict.cleared is not None
    trading.mandate()
    assert trading.shots.aim(monotonic_ns())
    trading.market(101, 101.4)
    went = trading.shots.took(monotonic_ns())
    assert went.request is not None
    assert went.request.client_id == 3
