"""What a venue lists, taken into an account that has just begun: the next list agrees, and limits count all of it."""

from typing import Any

import pytest

from netfeed.app.trading.stock import take_in
from netfeed.book.execution import Cancel, List, Listed, New, OpenOrder, Position
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.door import Door
from netfeed.engine.limits import Limits, Rule
from netfeed.engine.order import State
from netfeed.engine.reconcile import Found
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen

CONTRACTS = {
    0: Contract(0, "BTC-PERPETUAL", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 10),
    1: Contract(1, "BTC-C", Payoff.CALL, "BTC", True, -4, -1, 5, 1),
}


def order(client_id: int | None, instrument: int = 0, side: Side = Side.BID, **more: Any) -> OpenOrder:
    fields: dict[str, Any] = {"price": 600_000, "quantity": 50, "filled": 0, "quote": False}
    return OpenOrder(client_id, instrument, f"v-{client_id}", side, **fields | more)


class Desk:
    """An account that knows a list, with risk and the door before it."""

    def __init__(self, listed: Listed, **limits: Any) -> None:
        self.account = Account(CONTRACTS)
        self.risk = Risk(self.account, Limits(**limits))
        self.sent: list[Any] = []
        self.door = Door(self.account, 1, self.sent.append)
        self.listed = listed
        self.ask(List(0))
        take_in(self.account, listed, 1)
        self.ask(List(10**6))
        self.account.apply(listed, 2)
        self.risk.see(0, Seen(3, True, None, None, None))

    def ask(self, request: Any) -> Any:
        verdict = self.risk.pass_(request, 3)
        if verdict.cleared is not None:
            self.door.send(verdict.cleared, 3)
        return verdict

    @property
    def findings(self) -> list[Found]:
        assert self.account.reconciled is not None
        return [one.found for one in self.account.reconciled.findings]


def test_orders_quotes_and_positions_agree_with_the_next_list() -> None:
    desk = Desk(Listed(1, (
        order(9, filled=20), order(7, side=Side.ASK, price=610_000),
        order(8, 1, price=400, quantity=5, quote=True), order(8, 1, Side.ASK, price=420, quantity=5, quote=True),
        order(5, 1, Side.ASK, price=500, quantity=5, filled=2, quote=True),
    ), (Position(0, -30, 605_000), Position(1, 4, None)), None))  # fmt: skip
    assert desk.findings == []
    assert desk.account.agrees
    assert {one.client_id: one.state for one in desk.account.orders.open()} == {
        9: State.PARTIAL, 7: State.LIVE, 8: State.LIVE, 5: State.PARTIAL
    }  # fmt: skip
    assert (desk.account.positions[0].quantity, desk.account.positions[1].quantity) == (-30, 4)


def test_what_rests_and_is_held_counts_for_the_limits() -> None:
    desk = Desk(Listed(1, (order(9, quantity=60, filled=20),), (Position(0, 30, 605_000),), None), position={0: 100})
    assert desk.ask(New(10**6 + 1, 0, Side.BID, 600_000, 40)).refusals[0].rule is Rule.POSITION
    assert desk.ask(New(10**6 + 2, 0, Side.BID, 600_000, 30)).refusals == ()
    assert desk.ask(Cancel(9, 0)).cleared is not None


def test_an_order_of_nobody_we_know_stands_against_anything_new() -> None:
    desk = Desk(Listed(1, (order(None), order(7, price=590_000)), (), None))
    assert desk.findings == [Found.UNKNOWN]
    assert desk.ask(New(10**6 + 1, 0, Side.BID, 600_000, 10)).refusals[0].rule is Rule.NOT_RECONCILED
    assert desk.ask(Cancel(7, 0)).cleared is not None


@pytest.mark.parametrize("entry", [order(7, quantity=0), order(7, quantity=-5), order(7, 99), order(7, price=None)])
def test_an_entry_that_cannot_be_is_no_exception(entry: OpenOrder) -> None:
    Desk(Listed(1, (entry, order(8)), (Position(99, 5, 1), Position(0, 10, None)), None))
