"""The money of a replay: by source, to the last digit, and what the mid did after each fill."""

from dataclasses import replace

from netfeed.book.execution import Filled
from netfeed.book.l2 import LevelBook
from netfeed.book.level import Side
from netfeed.book.state import BookState
from netfeed.engine.contract import Contract, Payoff
from netfeed.machine import NEVER
from netfeed.sim.fill_ledger import FillLedger

BID, ASK = Side.BID, Side.ASK
SECOND = 10**9
STOCK = Contract(1, "AAA", Payoff.SPOT, "AAA", False, -2, 0, 1, 1)
PERPETUAL = Contract(2, "BTC-PERPETUAL", Payoff.PERPETUAL, "BTC", True, -1, 0, 5, 1, multiplier=10.0)


class Market:
    """Two books, moved by hand."""

    def __init__(self, *, hedges: tuple[int, ...] = ()) -> None:
        self.books = {1: LevelBook(), 2: LevelBook()}
        self.ledger = FillLedger({1: STOCK, 2: PERPETUAL}, self.books, hedges=hedges)
        self.matches = 0

    def at(self, instrument: int, bid: int, ask: int) -> None:
        """Let the best prices be these."""
        book = self.books[instrument]
        book.to(BookState.LIVE)
        book.replace([(bid, 10, 1)], [(ask, 10, 1)])
        self.ledger.look([instrument])

    def fill(self, instrument: int, side: Side, price: int, quantity: int, at_ns: int, **more: object) -> None:
        """Be filled."""
        self.matches += 1
        told = Filled(1, instrument, 1, self.matches, side, price, quantity, quantity, True, at_ns, 0, -12)
        self.ledger.fill(replace(told, **more), at_ns)


def test_the_sources_add_up_to_what_was_made() -> None:
    market = Market(hedges=(2,))
    market.at(1, 9_990, 10_010)
    market.fill(1, BID, 9_990, 100, 0, fee=25 * 10**9)
    market.at(1, 10_040, 10_060)
    market.fill(1, ASK, 10_060, 60, SECOND)
    market.at(1, 10_020, 10_040)
    sources, totals = market.ledger.sources["USD"], market.ledger.positions.totals("USD")
    assert sources.spread == (100 * 10 + 60 * 10) * 10**16  # 10 and 6 dollars
    assert market.ledger.inventory("USD") == (100 * 50 - 40 * 20) * 10**16
    assert totals.fees == 25 * 10**15
    assert totals.net == sources.spread + sources.hedging + market.ledger.inventory("USD") - totals.fees


def test_what_a_hedge_costs_is_no_spread() -> None:
    market = Market(hedges=(2,))
    market.at(2, 600_000, 600_010)
    market.fill(2, BID, 600_010, 100, 0, maker=False)
    sources = market.ledger.sources["BTC"]
    assert (sources.spread, sources.hedging < 0) == (0, True)
    assert market.ledger.inventory("BTC") == 0


def test_a_mark_out_is_what_the_mid_did_until_then() -> None:
    market = Market()
    market.at(1, 9_990, 10_010)
    market.fill(1, BID, 9_990, 100, 0)
    market.at(1, 9_960, 9_980)
    assert market.ledger.deadline == SECOND
    market.ledger.wake(SECOND)
    market.at(1, 10_100, 10_120)
    market.ledger.wake(10 * SECOND)
    first, second, third = market.ledger.sources["USD"].mark_outs.values()
    assert (first.fills, first.brought) == (1, -100 * 30 * 10**16)
    assert (second.fills, second.brought) == (1, 100 * 110 * 10**16)
    assert (third.fills, market.ledger.open_mark_outs) == (0, 1)
    market.ledger.wake(60 * SECOND)
    assert market.ledger.deadline == NEVER


def test_a_fill_before_there_was_a_mid_has_no_spread() -> None:
    market = Market()
    market.fill(1, BID, 9_990, 100, 0)
    market.at(1, 9_990, 10_010)
    assert market.ledger.sources["USD"].without_mid == 1
    assert market.ledger.inventory("USD") == market.ledger.positions.totals("USD").net == 10 * 10**18


def test_a_book_that_is_not_live_or_stands_crossed_moves_no_mid() -> None:
    market = Market()
    market.at(1, 9_990, 10_010)
    market.books[1].update(BID, 10_020, 5)
    market.ledger.look([1])
    market.books[1].to(BookState.SUSPECT)
    market.books[1].replace([(1, 1, 1)], [(3, 1, 1)])
    market.ledger.look([1])
    assert market.ledger.mids == {1: 10_000}
