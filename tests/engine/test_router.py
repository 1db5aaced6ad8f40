"""Which session a request goes by, that it goes once, and that one venue's list says nothing of another's orders."""

from collections.abc import Sequence

import pytest

from netfeed.book.execution import (
    Accepted,
    Amend,
    Cancel,
    CancelAll,
    Down,
    List,
    Listed,
    MassQuote,
    New,
    Quote,
    Request,
)
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.limits import Limits
from netfeed.engine.order import State
from netfeed.engine.risk import Risk
from netfeed.engine.risk_checks import Seen
from netfeed.engine.router import MAX_OWED, REFUSALS, Owner, Router, RouterSettings, SessionTerms
from netfeed.errors import MisuseError

MS = 1_000_000
HERE, THERE = 1, 2
"""An instrument of each venue."""
CONTRACTS = {
    HERE: Contract(HERE, "A", Payoff.PERPETUAL, "BTC", False, 0, 0, 1, 1, venue="here"),
    THERE: Contract(THERE, "B", Payoff.PERPETUAL, "BTC", False, 0, 0, 1, 1, venue="there"),
}


class Wire:
    """A session that keeps what it was given."""

    def __init__(self, number: int, venue: str, latency_ns: int | None = None, *, lists: bool = True) -> None:
        self.number, self.name, self.venue, self.latency_ns, self.lists = (
            number,
            f"{venue}-{number}",
            venue,
            latency_ns,
            lists,
        )
        self.is_up, self.refuses = True, False
        self.queued: list[Request] = []
        self.writes: list[list[Request]] = []

    def takes(self, request: Request) -> bool:
        return self.lists or not isinstance(request, List)

    def send(self, request: Request) -> None:
        if self.refuses:
            raise MisuseError("full")
        self.queued.append(request)

    def flush(self) -> None:
        self.writes.append(self.queued)
        self.queued = []


class Desk:
    """An account that agrees with both venues, risk over it, and a router."""

    def __init__(self, wires: Sequence[Wire], settings: RouterSettings | None = None) -> None:
        self.account = Account(CONTRACTS)
        self.risk = Risk(self.account, Limits())
        self.router = Router(self.account, wires, settings)
        self.now, self.next = 0, 100
        for venue in sorted({one.venue for one in wires}):
            self.agree(venue)
        for instrument in CONTRACTS:
            self.risk.see(instrument, Seen(0, True, 99, 101, 100))

    def agree(self, venue: str) -> None:
        session = self.send(List(self.id()), venue=venue)
        assert session is not None
        listed = Listed(session, (), (), None)
        self.account.apply(listed, self.now)
        self.router.heard(session, listed)

    def id(self) -> int:
        self.next += 1
        return self.next

    def send(self, request: Request, *, venue: str | None = None, urgent: bool = False) -> int | None:
        session = self.router.choose(request, self.now, venue=venue, urgent=urgent)
        if session is not None:
            verdict = self.risk.pass_(request, self.now)
            assert verdict.cleared is not None
            assert verdict.request is not None
            self.router.send(session, verdict.cleared, verdict.request, self.now)
        return session

    def new(self, instrument: int = HERE, price: int = 90, *, urgent: bool = False) -> int | None:
        return self.send(New(self.id(), instrument, Side.BID, price, 1), urgent=urgent)

    def answer(self, session: int, client_id: int, instrument: int = HERE, price: int = 90) -> None:
        report = Accepted(client_id, instrument, f"v{client_id}", price, 1, 0, True, None)
        self.account.apply(report, self.now)
        self.router.heard(session, report)


def test_an_order_goes_to_a_session_of_its_venue() -> None:
    here, there = Wire(1, "here"), Wire(2, "there")
    desk = Desk([here, there])
    assert (desk.new(HERE), desk.new(THERE)) == (1, 2)
    assert [one.instrument for one in here.queued + there.queued if isinstance(one, New)] == [HERE, THERE]


@pytest.mark.parametrize(
    ("latencies", "fees", "chosen", "why"),
    [
        ((None, 5), (0.0, 0.0), 1, "latency"),
        ((9, 5), (0.0, 0.0), 2, "latency"),
        ((9, 5), (0.0, 0.1), 1, "fee"),
        ((5, 5), (0.0, 0.0), 1, "number"),
    ],
)
def test_of_two_the_cheaper_then_the_sooner_is_chosen(
    latencies: tuple[int | None, int], fees: tuple[float, float], chosen: int, why: str
) -> None:
    terms = {number: SessionTerms(fee=fee) for number, fee in enumerate(fees, 1)}
    wires = [Wire(number, "here", latency) for number, latency in enumerate(latencies, 1)]
    router = Router(Account(CONTRACTS), wires, RouterSettings(terms=terms))
    assert router.choose(New(1, HERE, Side.BID, 90, 1), 0) == chosen
    assert router.chosen[why] == 1


def test_a_session_that_was_not_used_for_long_is_tried_again_but_not_with_what_is_urgent() -> None:
    first, second = Wire(1, "here", 5), Wire(2, "here", 9)
    desk = Desk([first, second])
    assert desk.new() == 1
    desk.answer(1, desk.next)
    desk.now += 11_000 * MS
    assert desk.router.choose(New(1, HERE, Side.BID, 90, 1), desk.now, urgent=True) == 1
    assert desk.new() == 1
    desk.answer(1, desk.next)
    assert desk.new() == 2


def test_a_session_that_owes_an_answer_for_too_long_is_the_last_choice() -> None:
    desk = Desk([Wire(2, "here", 9), Wire(1, "here", 5)])
    first = desk.new()
    assert first == 1
    late = desk.next
    desk.now += 501 * MS
    assert desk.new() == 2
    assert desk.router.chosen["healthy"] == 1
    desk.answer(1, late)
    assert desk.new() == 1


@pytest.mark.parametrize(
    ("owner", "down", "expected"),
    [
        (Owner.ALWAYS, False, 1), (Owner.ALWAYS, True, None), (Owner.WHILE_UP, False, 1), (Owner.WHILE_UP, True, 2),
        (Owner.NEVER, False, 2), (Owner.NEVER, True, 2),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["cancel", "amend"])
def test_an_order_is_changed_by_its_own_session_as_the_venue_wants_it(
    owner: Owner, down: bool, expected: int | None, kind: str
) -> None:
    first, second = Wire(1, "here", 5), Wire(2, "here", 9)
    desk = Desk([second, first], RouterSettings(owners={"here": owner}))
    assert desk.new() == 1
    placed = desk.next
    desk.answer(1, placed)
    first.latency_ns, first.is_up = 20, not down
    request = Cancel(placed, HERE) if kind == "cancel" else Amend(placed, HERE, 89, 1)
    assert desk.router.choose(request, desk.now) == expected
    assert desk.router.refused["owner_down"] == (expected is None)


def test_where_no_session_has_room_a_quote_is_turned_away_and_a_cancel_and_a_hedge_go() -> None:
    wire = Wire(1, "here")
    desk = Desk([wire], RouterSettings(terms={1: SessionTerms(rate=10, burst=2)}))  # the List took one of them
    assert desk.new() == 1
    placed = desk.next
    desk.answer(1, placed)
    assert desk.new() is None
    assert desk.send(MassQuote(desk.id(), 1, (Quote(HERE, 80, 1, 120, 1),))) is None
    assert desk.router.choose(Amend(placed, HERE, 89, 1), desk.now) is None
    assert desk.router.refused["no_room"] == 3
    assert desk.new(urgent=True) == 1
    assert desk.send(Cancel(placed, HERE)) == 1
    desk.now += 1_000 * MS
    assert desk.new() == 1


def test_small_orders_of_a_step_share_one_write() -> None:
    here, there = Wire(1, "here"), Wire(2, "there")
    desk = Desk([here, there])
    desk.router.flush()
    here.writes.clear()
    there.writes.clear()
    for _ in range(3):
        desk.new(HERE)
    desk.router.flush()
    desk.router.flush()
    assert [len(one) for one in here.writes] == [3]
    assert there.writes == []


def test_what_a_session_will_not_take_is_as_if_it_had_never_been_and_goes_by_no_other() -> None:
    first, second = Wire(1, "here", 5), Wire(2, "here", 9)
    desk = Desk([second, first])
    first.refuses = True
    assert desk.new() == 1
    order = desk.account.orders.get(desk.next)
    assert order is not None
    assert order.state is State.REJECTED
    assert [one for one in second.queued if isinstance(one, New)] == []
    assert desk.router.refused["unsent"] == 1


def test_why_nothing_was_sent_is_counted_by_name() -> None:
    wire = Wire(1, "here")
    desk = Desk([wire])
    assert desk.router.choose(New(1, THERE, Side.BID, 1, 1), 0) is None
    wire.lists = False
    assert desk.router.choose(List(1), 0, venue="here") is None
    wire.is_up = False
    assert desk.router.choose(CancelAll(1, HERE), 0) is None
    assert desk.router.refused == {"no_session": 2, "no_word": 1}
    assert set(desk.router.refused) <= set(REFUSALS)


def test_what_a_session_owes_is_bounded_and_forgotten_with_its_connection() -> None:
    desk = Desk([Wire(1, "here")])
    for _ in range(MAX_OWED + 5):
        desk.new()
        desk.account.apply(Accepted(desk.next, HERE, desk.next, 90, 1, 0, True, None), 0)
    (one,) = desk.router.statistics()
    assert (one.owed, desk.router.given_up) == (MAX_OWED, 5)
    desk.router.heard(1, Down(1, "gone", True))
    assert desk.router.statistics()[0].owed == 0


def test_a_list_of_one_venue_says_nothing_of_the_orders_of_another() -> None:
    desk = Desk([Wire(1, "here"), Wire(2, "there")])
    desk.new(HERE)
    desk.answer(1, desk.next)
    desk.new(THERE)
    mine = desk.next
    desk.answer(2, mine, THERE)
    assert desk.send(List(desk.id()), venue="here") == 1
    desk.account.apply(Listed(1, (), (), None), desk.now)  # and there it misses its own order
    states = {order.instrument: order.state for order in desk.account.orders.open()}
    assert states == {HERE: State.UNCERTAIN, THERE: State.LIVE}
    desk.account.apply(Down(1, "gone", True), desk.now)
    assert (desk.account.agrees_in(HERE), desk.account.agrees_in(THERE), desk.account.agrees) == (False, True, False)
    desk.send(CancelAll(desk.id(), venue="here"))
    assert desk.account.orders.made(mine)[0].state is State.LIVE


def test_two_sessions_have_two_numbers() -> None:
    with pytest.raises(MisuseError, match="number 1"):
        Router(Account(CONTRACTS), [Wire(1, "here"), Wire(1, "there")])
