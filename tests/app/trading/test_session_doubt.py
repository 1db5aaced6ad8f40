"""An order whose answer is lost, from risk to the venue's ledger: UNCERTAIN, settled by a list, never sent twice."""

from collections.abc import Iterator

import pytest

from netfeed.app.trading.session_places import instruments_of
from netfeed.book.execution import Flag, List, New, Request
from netfeed.engine.account import Account
from netfeed.engine.door import Door
from netfeed.engine.limits import Limits
from netfeed.engine.order import State
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from tests.app.trading.order_sockets import Exchange
from tests.app.trading.test_session_link import Desk

pytestmark = pytest.mark.net
SETTLE_NS = 50_000_000


class Trading:
    """An account behind risk and doors: orders by gateway A, lists by JSON-RPC."""

    def __init__(self, venue: Exchange) -> None:
        self.desk = Desk(venue, "a", "json")
        contracts = {index: one for index, (_, one) in instruments_of([venue.config("a")]).items()}
        self.account = Account(contracts, settle_ns=SETTLE_NS)
        self.risk = Risk(self.account, Limits())
        self.doors = [Door(self.account, link.number, link.send) for link in self.desk.links]
        self.desk._hear = lambda number, report, now: self.account.apply(report, now)  # type: ignore[method-assign]
        for link in self.desk.links:
            link._hear = self.desk._hear
        self.risk.see(0, Seen(0, True, None, None, None))
        self.desk.up()

    def send(self, request: Request, session: int) -> None:
        now = self.desk.sessions.loop.clock()
        cleared = self.risk.pass_(request, now).cleared
        assert cleared is not None
        self.doors[session].send(cleared, now)
        self.desk.links[session].flush()

    def reconcile(self, client_id: int) -> None:
        self.account.reconciled = None
        self.send(List(client_id), 1)
        self.desk.pump(lambda: self.account.reconciled is not None)


@pytest.fixture
def venue() -> Iterator[Exchange]:
    exchange = Exchange()
    yield exchange
    exchange.close()


@pytest.mark.parametrize("reaches", [True, False])
def test_an_order_in_doubt_is_settled_by_a_list(venue: Exchange, reaches: bool) -> None:
    one = Trading(venue)
    one.reconcile(1)
    assert one.account.agrees
    if reaches:
        venue.gateways[0].kill_after(1)
    else:
        venue.gateways[0].kill(one.desk.sessions.loop.clock())  # of which nobody here has heard yet
    one.send(one.desk.bid(2, flags=Flag.KEEP), 0)
    order = one.account.orders.get(2)
    assert order is not None
    one.desk.pump(lambda: order.state is State.UNCERTAIN)
    assert not one.account.agrees
    rests = [entry.client_id for entry in venue.room.exchange.listed("mm").orders]
    assert rests == ([2] if reaches else [])
    one.reconcile(3)
    asked = one.desk.sessions.loop.clock()
    one.desk.pump(lambda: one.desk.sessions.loop.clock() > asked + SETTLE_NS)
    one.reconcile(4)  # what no list has, and could not be on its way any more, is given up
    assert order.state is (State.LIVE if reaches else State.CANCELED)
    assert one.account.agrees
    assert sum(isinstance(step.what, New) for step in venue.room.exchange.log.steps) == len(rests)
    one.desk.sessions.close()
