"""What a run that trades says of itself: each state once, refusals with the venue's word, all of it in the account."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from netfeed.app.trading.desk_words import AGAIN_NS, OPEN_NS, DeskWords, desk_account, desk_summary
from netfeed.app.trading.order_tally import OrderTally
from netfeed.book.execution import Ask, Cause, Quoted, QuoteSide, QuoteState, Rejected
from netfeed.engine.journal import Heard
from netfeed.engine.picture import MoneyPicture
from tests.app.trading.pictures import engine, perpetual


def refused(ask: Ask = Ask.QUOTE, cause: Cause = Cause.PROTECTION) -> Rejected:
    return Rejected(1, ask, cause, "unknown_mmp_group", None)


class Desk:
    """An engine's orders and readiness by hand, and what was told of them."""

    def __init__(self) -> None:
        self.orders = SimpleNamespace(uncertain=0, open_count=0)
        self.engine = SimpleNamespace(ready="", account=SimpleNamespace(orders=self.orders))
        self.now = 0
        self.lines: list[str] = []
        self.words = DeskWords(self.engine, self.lines.append)

    def turn(self) -> list[str]:
        before, self.now = len(self.lines), self.now + OPEN_NS
        self.words.turn(self.now)
        return self.lines[before:]


def test_each_change_is_said_once() -> None:
    desk = Desk()
    desk.engine.ready = "no list of the venue has agreed"
    assert desk.turn() == ["engine: no quotes: no list of the venue has agreed"]
    assert desk.turn() == []
    desk.engine.ready, desk.orders.open_count = "", 4
    assert desk.turn() == ["engine: it may quote", "engine: orders of ours are open"]
    desk.orders.uncertain, desk.orders.open_count = 2, 2
    assert desk.turn() == ["engine: 2 orders are UNCERTAIN: the venue is asked"]
    desk.orders.uncertain = desk.orders.open_count = 0
    assert desk.turn() == ["engine: every order is certain again", "engine: no order of ours is open"]


def test_orders_that_come_and_go_do_not_fill_the_log() -> None:
    desk = Desk()
    for look in range(100):
        desk.orders.open_count = look % 2
        desk.words.turn(look * OPEN_NS // 50)
    assert len(desk.lines) == 2


def test_a_refusal_is_said_with_its_remedy_and_counted_until_it_is_said_again() -> None:
    desk = Desk()
    for now in (0, 1, 2, AGAIN_NS):
        desk.words.hear("gate-a", refused(), now)
    first = "gate-a: the venue refuses QUOTE: PROTECTION (unknown_mmp_group)"
    remedy = ": set the protection group up at the venue, or say mass_quotes = false"
    assert desk.lines == [first + remedy, f"{first}, 3 times since this was said last{remedy}"]


def test_a_side_of_a_quote_is_a_refusal_and_a_cancel_that_came_too_late_is_none() -> None:
    desk = Desk()
    good = QuoteSide(QuoteState.RESTS, 7, 10, 1, 0, Cause.OTHER, "")
    bad = QuoteSide(QuoteState.REFUSED, None, None, 0, 0, Cause.PRICE, "price_too_high")
    desk.words.hear("a", Quoted(1, 1, ((5, good, bad),), None), 0)
    desk.words.hear("a", refused(Ask.CANCEL, Cause.NOT_FOUND), 0)
    assert desk.lines == ["a: the venue refuses QUOTE: PRICE (price_too_high)"]


@pytest.mark.parametrize(("unrealised", "words"), [(-2, "open -0.2"), (None, "open unmarked")])
def test_the_account_has_what_was_traded_and_the_summary_says_it(unrealised: int | None, words: str) -> None:
    written: list[Any] = []
    tally = OrderTally(written.append)
    tally(Heard(1, refused()))
    money = (MoneyPicture("BTC", -1, 13, unrealised, 1),)
    told = desk_account(engine(instruments=(perpetual(),), money=money), tally)
    assert json.loads(json.dumps(told)) == told
    assert told["positions"] == {"BTC-PERPETUAL": "-120"}
    assert (told["orders"]["rejected"], told["refusals"]) == (1, {"protection": 1})
    said = desk_summary(told)
    assert "refused by venues: protection 1; by risk: collar 2" in said
    assert f"P&L BTC: realised 1.3, {words}, fees 0.1" in said
