"""Books to worths: a market that Black made is found again, follows its forward, and knows what it does not know."""

from dataclasses import replace

import numpy as np
import pytest

from netfeed.book import OrderBooks
from netfeed.book.handle import OrderBook
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine import svi_fit
from netfeed.engine.board import Board
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.option import CALL, PUT, Row, price_and_greeks
from netfeed.engine.pricer import NOT_TRIED, Pricer, PricerSettings
from netfeed.engine.strategy import Fair

MS, S, DAY_NS = 1_000_000, 10**9, 86_400 * 10**9
WALL_NS = 1_800_000_000 * 10**9
PERPETUAL, FUTURE = 0, 1
STRIKES = [80_000.0, 90_000.0, 95_000.0, 100_000.0, 105_000.0, 110_000.0, 120_000.0]
EXPIRIES = [WALL_NS + 20 * DAY_NS, WALL_NS + 60 * DAY_NS]
FORWARD = {EXPIRIES[0]: 100_400.0, EXPIRIES[1]: 101_000.0}


def smile(strike: float, forward: float) -> float:
    return 0.5 + 0.3 * float(np.log(strike / forward)) ** 2


class Market:
    """A perpetual, a future of the first expiry, and two expiries of options paid in coin; books made by Black."""

    def __init__(self, settings: PricerSettings | None = None) -> None:
        self.contracts = [
            Contract(PERPETUAL, "PERP", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 1),
            Contract(FUTURE, "FUT", Payoff.FUTURE, "BTC", True, -1, 0, 5, 1, expiry_ns=EXPIRIES[0]),
        ]
        for expiry in EXPIRIES:
            for strike in STRIKES:
                for payoff in (Payoff.CALL, Payoff.PUT):
                    index = len(self.contracts)
                    name = f"{payoff.value}-{strike:.0f}-{EXPIRIES.index(expiry)}"
                    self.contracts.append(
                        Contract(index, name, payoff, "BTC", True, -6, 0, 1, 1, strike=strike, expiry_ns=expiry)
                    )
        self.books, self.ids = OrderBooks(), 0
        self.board = Board(self.contracts)
        for one in self.contracts:
            self.board.set_book(one.index, OrderBook(self.books, self.books.add_book(BookState.LIVE)))
        self.pricer = Pricer(self.contracts, settings or PricerSettings(refit_ns=S))
        self.at(S)
        self.shift = 1.0
        self.make()

    def at(self, now: int, wall_ns: int | None = None) -> None:
        self.board.at(now, WALL_NS if wall_ns is None else wall_ns, 0)

    def make(self, *, only: set[int] | None = None) -> None:
        """Make the books of everything with all forwards moved by `shift`."""
        self.show(PERPETUAL, 100_000.0 * self.shift, 0.5)
        self.show(FUTURE, FORWARD[EXPIRIES[0]] * self.shift, 1.0)
        for one in self.contracts[2:]:
            if only is None or one.index in only:
                self.show(one.index, self.worth(one), 2e-5)

    def worth(self, one: Contract, forward: float | None = None) -> float:
        assert one.strike is not None
        assert one.expiry_ns is not None
        forward = FORWARD[one.expiry_ns] * self.shift if forward is None else forward
        kind = CALL if one.payoff is Payoff.CALL else PUT
        volatility = smile(one.strike, FORWARD[one.expiry_ns])
        values, _ = price_and_greeks(
            kind, forward, np.array([one.strike]), one.years(WALL_NS), volatility, inverse=True
        )
        return float(values[Row.PRICE][0])

    def show(self, instrument: int, price: float, half: float) -> None:
        contract = self.contracts[instrument]
        self.books.clear(instrument)
        for side, at in ((Side.BID, contract.down(price - half)), (Side.ASK, contract.up(price + half))):
            self.ids += 1
            if at > 0:
                assert self.books.add(instrument, self.ids, side, at, 10) == 0
        self.books.end()

    def fit(self) -> dict[int, Fair | None]:
        """Fit all that waits."""
        self.pricer.follow(self.board, set())
        fairs: dict[int, Fair | None] = {}
        while self.pricer.wants_refit:
            fairs.update(self.pricer.refit(self.board))
        return fairs


def test_every_option_is_worth_what_the_market_was_made_of() -> None:
    market = Market()
    assert {one.verdict for one in market.pricer.reports()} == {NOT_TRIED}
    fairs = market.fit()
    for one in market.contracts[2:]:
        fair = fairs[one.index]
        assert fair is not None
        assert fair.value == pytest.approx(market.worth(one), abs=4e-5)
        assert one.expiry_ns is not None
        assert fair.forward == pytest.approx(FORWARD[one.expiry_ns], rel=1e-3)
        assert (fair.forward_at_ns, fair.model_at_ns) == (S, S)
    assert {one.verdict for one in market.pricer.reports()} == {"taken"}


def test_one_expiry_is_fitted_after_the_other_and_the_next_round_begins_in_its_time() -> None:
    market = Market(PricerSettings(refit_ns=S, rounds=100))  # more than a fit has
    market.pricer.follow(market.board, set())
    first, second = market.pricer.refit(market.board), market.pricer.refit(market.board)
    expiries = [{market.contracts[one].expiry_ns for one in fairs} for fairs in (first, second)]
    assert expiries == [{EXPIRIES[0]}, {EXPIRIES[1]}]
    assert not market.pricer.wants_refit
    assert market.pricer.refit(market.board) == {}
    assert market.pricer.deadline == S + 100 * MS  # the next look
    market.at(2 * S)
    market.pricer.follow(market.board, set())
    assert market.pricer.wants_refit


def test_a_clock_that_was_set_past_an_expiry_and_back_does_not_end_the_expiry() -> None:
    market = Market()
    market.fit()
    market.at(2 * S, EXPIRIES[0] + 1)
    assert market.pricer.follow(market.board, set())
    assert "the expiry has passed" in {one.verdict for one in market.pricer.reports()}
    market.at(4 * S)
    market.make()
    fairs = market.fit()
    assert {one.verdict for one in market.pricer.reports()} == {"taken"}
    for one in market.contracts[2:]:
        fair = fairs[one.index]
        assert fair is not None
        assert fair.value == pytest.approx(market.worth(one), abs=4e-5)


def test_a_call_does_a_few_rounds_of_a_fit_and_all_of_them_come_to_the_same_worths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, market = Market(PricerSettings(refit_ns=S, rounds=100)), Market()
    solved, solve = [0], svi_fit._solve
    monkeypatch.setattr(svi_fit, "_solve", lambda *given: solved.append(solved.pop() + 1) or solve(*given))
    market.pricer.follow(market.board, set())
    fairs: dict[int, Fair | None] = {}
    calls = []
    while market.pricer.wants_refit:
        solved[:] = [0]
        assert market.pricer.deadline <= S
        fairs.update(market.pricer.refit(market.board))
        calls.append(solved[0])
    assert max(calls) == market.pricer.settings.rounds == 4
    assert sum(calls) > 80  # two fits
    assert fairs == whole.fit()
    assert market.pricer.statistics()["fits"] == 2


def test_the_forward_goes_on_while_a_curve_is_fitted() -> None:
    market = Market()
    market.fit()
    market.at(2 * S)
    market.pricer.follow(market.board, set())
    assert market.pricer.refit(market.board) == {}
    market.shift = 1.001
    market.make(only=set())
    market.pricer.follow(market.board, {PERPETUAL, FUTURE})
    fairs: dict[int, Fair | None] = {}
    while not fairs:
        fairs = market.pricer.refit(market.board)
    assert {round(fair.forward / FORWARD[EXPIRIES[0]], 4) for fair in fairs.values() if fair is not None} == {1.001}


def test_an_expiry_that_passes_while_its_curve_is_fitted_is_not_valued_by_it() -> None:
    market = Market()
    market.pricer.follow(market.board, set())
    assert market.pricer.refit(market.board) == {}
    market.at(S, EXPIRIES[0])
    fairs: dict[int, Fair | None] = {}
    while not fairs:
        fairs = market.pricer.refit(market.board)
    assert {fair.delta for fair in fairs.values() if fair is not None} == {0.0}
    assert [one.verdict for one in market.pricer.reports()] == ["the expiry has passed", NOT_TRIED]
    assert market.pricer.reports().__next__().fitted_ns is None


def test_a_forward_that_moves_moves_every_worth_and_a_far_one_is_computed_anew() -> None:
    market = Market()
    market.fit()
    for share, name in ((0.002, "moved"), (0.03, "anew")):
        market.at(market.board.now + MS)
        market.shift = 1.0 + share
        market.show(PERPETUAL, 100_000.0 * market.shift, 0.5)
        before = market.pricer.statistics()[name]
        fairs = market.pricer.follow(market.board, {PERPETUAL})
        assert market.pricer.statistics()[name] == before + 2
        forwards = {market.contracts[one].expiry_ns: fair.forward for one, fair in fairs.items() if fair and one > 1}
        for one in market.contracts[2:]:
            fair = fairs[one.index]
            assert fair is not None
            assert one.expiry_ns is not None
            assert fair.value == pytest.approx(market.worth(one, forwards[one.expiry_ns]), abs=1e-4)
            assert fair.forward == pytest.approx(FORWARD[one.expiry_ns] * market.shift, rel=1e-3)


def test_a_touch_that_moves_no_forward_moves_no_worth_and_a_look_renews_their_age() -> None:
    market = Market()
    market.fit()
    market.at(market.board.now + MS)
    assert set(market.pricer.follow(market.board, {5, 6})) == set()
    assert set(market.pricer.follow(market.board, {PERPETUAL})) == {PERPETUAL}
    market.at(market.board.now + 100 * MS)
    fairs = market.pricer.follow(market.board, set())
    assert len(fairs) == len(market.contracts)
    assert {fair.forward_at_ns for fair in fairs.values() if fair} == {market.board.now}


def test_a_forward_whose_books_are_gone_grows_old_and_says_so() -> None:
    market = Market()
    market.fit()
    for instrument in (PERPETUAL, FUTURE):
        market.books.to(instrument, BookState.SUSPECT)
    market.at(market.board.now + 500 * MS)
    fairs = market.pricer.follow(market.board, {PERPETUAL, FUTURE})
    assert {fair.forward_at_ns for fair in fairs.values() if fair} <= {S}


def test_an_empty_chain_is_worth_nothing_that_is_known() -> None:
    market = Market()
    for one in market.contracts[2:]:
        market.books.clear(one.index)
    market.books.end()
    fairs = market.fit()
    assert set(fairs.values()) == {None}
    assert {one.verdict for one in market.pricer.reports()} == {"no option has a market"}


def test_an_option_without_a_book_is_left_out() -> None:
    market = Market()
    market.board = Board(market.contracts)
    for one in market.contracts[:-1]:
        market.board.set_book(one.index, OrderBook(market.books, one.index))
    market.at(S)
    assert market.fit()[market.contracts[-1].index] is not None  # its curve is known by the others


def test_what_has_expired_is_worth_its_exercise_and_moves_no_more() -> None:
    market = Market()
    market.fit()
    market.at(market.board.now + 200 * MS, EXPIRIES[0])
    fairs = market.pricer.follow(market.board, set())
    call = next(one for one in market.contracts if one.name == "call-90000-0")
    fair = fairs[call.index]
    assert fair is not None
    forward = fair.forward
    assert (fair.value, fair.delta) == (pytest.approx((forward - 90_000.0) / forward), 0.0)
    assert {one.verdict for one in market.pricer.reports() if one.expiry_ns == EXPIRIES[0]} == {"the expiry has passed"}
    market.at(market.board.now + 200 * MS, EXPIRIES[0])
    assert call.index not in market.pricer.follow(market.board, {PERPETUAL})


def test_a_fit_that_raises_is_told_and_its_expiry_is_worth_nothing_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = Market()
    market.fit()

    def bad(*_: object, **__: object) -> None:
        raise FloatingPointError("no number")

    market.at(3 * S)
    with monkeypatch.context() as patched:
        patched.setattr("netfeed.engine.pricer.points", bad)
        assert set(market.fit().values()) == {None}
    assert set(market.pricer.broken.values()) == {"FloatingPointError: no number"}
    assert market.pricer.statistics()["raised"] == 2
    market.at(5 * S)
    assert None not in market.fit().values()
    assert market.pricer.broken == {}


def test_what_is_held_is_summed_by_expiry() -> None:
    market = Market()
    market.board.set_fairs(market.fit())
    call = next(one for one in market.contracts if one.name == "call-100000-1")
    market.board.set_position(call.index, 3)
    fair = market.board.fair(call.index)
    assert fair is not None
    keys = {
        report.expiry_ns: (report.underlying, report.expiry_ns, report.inverse) for report in market.pricer.reports()
    }
    assert market.pricer.held(market.board)[keys[EXPIRIES[1]]].delta == pytest.approx(3 * fair.delta)
    assert market.pricer.held(market.board)[keys[EXPIRIES[0]]].vega == 0
    assert market.pricer.held(market.board)[None].delta == 0


def test_options_paid_in_the_quote_currency_are_a_chain_of_their_own() -> None:
    market = Market()
    linear = [
        replace(one, index=one.index + 100, inverse=False, price_exponent=-2) for one in market.contracts[2:]
    ]  # fmt: skip
    pricer = Pricer([*market.contracts, *linear])
    assert [(one.expiry_ns, one.inverse) for one in pricer.reports()] == [
        (expiry, inverse) for expiry in EXPIRIES for inverse in (False, True)
    ]
