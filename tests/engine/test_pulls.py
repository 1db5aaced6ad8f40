"""In how few messages orders leave, and that nothing is asked twice that was asked."""

import pytest

from netfeed.book.execution import (
    Accepted,
    Cancel,
    CancelAll,
    Cause,
    Down,
    MassQuote,
    New,
    Quote,
    Quoted,
    QuoteSide,
    QuoteState,
    Request,
)
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.pulls import Pulls, Words
from netfeed.engine.targets import UNNUMBERED

S = 10**9
CONTRACTS = {
    index: Contract(
        index, str(index), Payoff.PERPETUAL, "BTC", False, 0, 0, 1, 1, venue="there" if index > 5 else "here"
    )
    for index in range(1, 8)
}
ALL = Words(cancel_all=True, mass_quote=True)


class Held:
    """An account with orders that rest."""

    def __init__(self) -> None:
        self.account, self.next = Account(CONTRACTS, sessions={1: "here", 2: "there"}), 0
        self.pulls = Pulls(self.account, again_ns=S)

    def order(self, instrument: int, side: Side = Side.BID) -> int:
        self.next += 1
        new = New(self.next, instrument, side, 10, 1)
        self.account.decide(new, 0)
        self.account.sent(new, 1, 0)
        self.account.apply(Accepted(self.next, instrument, self.next, 10, 1, 0, True, None), 0)
        return self.next

    def quote(self, *instruments: int, group: int = 1) -> None:
        self.next += 1
        quotes = MassQuote(self.next, group, tuple(Quote(one, 9, 1, 11, 1) for one in instruments))
        self.account.decide(quotes, 0)
        self.account.sent(quotes, 1, 0)
        rests = [QuoteSide(QuoteState.RESTS, f"{self.next}{at}", at, 1, 0, Cause.OTHER, "") for at in (9, 11)]
        self.account.apply(Quoted(self.next, group, tuple((one, *rests) for one in instruments), None), 0)

    def ask(self, *instruments: int, venue: str = "here", words: Words = ALL, now: int = 0) -> list[Request]:
        return self.pulls.requests(instruments, venue, words, now)


def test_one_order_is_cancelled_by_its_name() -> None:
    held = Held()
    first = held.order(1)
    assert held.ask(1, 2) == [Cancel(first, 1)]


def test_several_orders_of_an_instrument_leave_by_one_message() -> None:
    held = Held()
    held.order(1)
    held.order(1, Side.ASK)
    held.order(2)
    assert held.ask(1) == [CancelAll(UNNUMBERED, 1)]


def test_quotes_of_a_group_leave_by_one_message_for_all_instruments() -> None:
    held = Held()
    held.quote(1, 2, 3)
    held.order(4)
    assert held.ask(1, 2, 3) == [MassQuote(UNNUMBERED, 1, tuple(Quote(one, None, 0, None, 0) for one in (1, 2, 3)))]


def test_quotes_beside_an_order_leave_with_it() -> None:
    held = Held()
    held.quote(1)
    held.order(1, Side.ASK)
    assert held.ask(1) == [CancelAll(UNNUMBERED, 1)]


@pytest.mark.parametrize("more", [False, True])
def test_all_that_a_venue_has_leaves_by_one_message_and_what_another_has_stays(more: bool) -> None:
    held = Held()
    for instrument in (1, 2, 3, 6):
        held.order(instrument)
    if more:
        held.order(4)
    asked = held.ask(1, 2, 3)
    assert asked == ([Cancel(1, 1), Cancel(2, 2), Cancel(3, 3)] if more else [CancelAll(UNNUMBERED, venue="here")])


def test_a_venue_without_the_words_gets_cancels() -> None:
    held = Held()
    held.quote(1)
    one, two = held.order(2), held.order(2, Side.ASK)
    assert held.ask(1, 2, words=Words(cancel_all=False, mass_quote=False)) == [
        Cancel(1, 1), Cancel(one, 2), Cancel(two, 2)
    ]  # fmt: skip


def test_what_was_asked_to_leave_is_not_asked_again_and_what_is_in_doubt_is_now_and_then() -> None:
    held = Held()
    leaving = Cancel(held.order(1), 1)
    held.account.decide(leaving, 0)
    held.account.sent(leaving, 1, 0)
    assert held.ask(1) == []
    held.account.apply(Down(1, "gone", True), 0)
    assert held.ask(1, now=5) == [leaving]
    assert held.ask(1, now=S) == []
    assert held.ask(1, now=S + 5) == [leaving]
