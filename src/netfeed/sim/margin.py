"""How much of its worth an account must keep: a simple rule, stated here, whose numbers are `Rates`.

    future          `initial` of the notional at the mark, once it is held; `maintenance` to keep it
    option, long    nothing: it is paid for
    option, short   `short` of the underlying, less what it is out of the money, but at least `least`; `kept` to keep it

Orders count as if they were filled, those of one side alone, whichever needs more; and with them what they lose at once
when they are filled at their price and marked: a bid above the mark, an ask below. An order is taken while

    equity >= initial requirement with the orders        (or the requirement does not grow), and liquidated when

    equity <  maintenance requirement of what it holds

The requirement is asked for before an order is taken, at the mark of that moment, without fees.

Units: 1e-24 of the settlement currency; rates out of a million. Leaves out: offsets between instruments, which a venue
with portfolio margin gives; so it asks for more than such a venue, never less.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from netfeed.engine.contract import Payoff
from netfeed.sim.ledger import Account, Ledger
from netfeed.sim.matching import BID
from netfeed.sim.terms import MILLION, Terms


@dataclass(frozen=True, slots=True)
class Rates:
    """The numbers of the rule."""

    initial: int = 20_000
    maintenance: int = 10_000
    short: int = 150_000
    least: int = 100_000
    kept: int = 75_000


@dataclass(slots=True)
class Open:
    """What rests of an account on one instrument. Units: quantities; `loss` of bids and asks when marked, in 1e-24."""

    bids: int = 0
    asks: int = 0
    bid_loss: int = 0
    ask_loss: int = 0

    def add(self, side: int, quantity: int, loss: int) -> None:
        """Count an order that rests or shall, or, with a negative quantity, one that is to leave."""
        if side == BID:
            self.bids += quantity
            self.bid_loss += max(loss, 0) * quantity
        else:
            self.asks += quantity
            self.ask_loss += max(-loss, 0) * quantity


def shares(terms: Terms, index: int, rates: Rates) -> tuple[int, int]:
    """Give how much of its notional a position needs: to be taken, and to be kept; a long option needs nothing."""
    if not terms.is_option:
        return rates.initial, rates.maintenance
    out = index - terms.strike if terms.payoff is Payoff.PUT else terms.strike - index
    return max(rates.short - max(out, 0) * MILLION // index, rates.least), rates.kept


class Marks:
    """The prices of all instruments at one moment, and what follows from them: worked out once, asked for often."""

    def __init__(self, terms: Mapping[int, Terms], prices: Mapping[int, int], index: int, rates: Rates) -> None:
        self.prices, self.index = prices, index
        self.units = {number: of.unit(prices[number]) for number, of in terms.items()}
        self._terms = terms
        self._worths: dict[tuple[int, int], int] = {}
        self._needs: dict[int, tuple[int, int]] = {}
        for number, of in terms.items():
            notional = of.notional(prices[number] if of.margined else index)
            initial, kept = shares(of, index, rates)
            self._needs[number] = (notional * initial, notional * kept)

    def need(self, instrument: int, quantity: int, *, keep: bool) -> int:
        """Give what a position needs, to be taken or, with `keep`, to be kept."""
        if quantity >= 0 and not self._terms[instrument].margined:
            return 0
        return abs(quantity) * self._needs[instrument][keep] // MILLION

    def loss(self, instrument: int, price: int) -> int:
        """Give how much more a unit is worth at a price than at the mark."""
        worth = self._worths.get((instrument, price))
        if worth is None:
            worth = self._worths[instrument, price] = self._terms[instrument].unit(price)
        return worth - self.units[instrument]


class Exposure:
    """One account at one moment: what it holds, what rests of it, what that needs, what it has.

    Orders are added and taken away to find out what would be; the account itself is only read.
    """

    def __init__(self, account: Account, ledger: Ledger, marks: Marks) -> None:
        self._account, self._ledger, self._marks = account, ledger, marks
        self._open: dict[int, Open] = {}
        self._needs: dict[int, int] = {}

    def add(self, instrument: int, side: int, price: int, quantity: int) -> None:
        """Count an order that rests or shall, or, with a negative quantity, one that is to leave."""
        rest = self._open.get(instrument)
        if rest is None:
            rest = self._open[instrument] = Open()
        rest.add(side, quantity, self._marks.loss(instrument, price))
        self._needs.pop(instrument, None)

    def reach(self, instrument: int, side: int) -> int:
        """Give the position when all that rests on a side is filled, as far as it goes that way."""
        held, rest = self._account.quantity(instrument), self._open.get(instrument, Open())
        return held + rest.bids if side == BID else rest.asks - held

    def needs(self, currency: str) -> int:
        """Give what the account must have."""
        for instrument in (*self._account.holdings, *self._open):
            if instrument not in self._needs:
                self._needs[instrument] = self._need(instrument)
        terms = self._ledger.terms
        return sum(need for instrument, need in self._needs.items() if terms[instrument].currency == currency)

    def equity(self, currency: str) -> int:
        """Give what the account has."""
        return self._ledger.equity(self._account.name, self._marks.units, currency)

    def _need(self, instrument: int) -> int:
        held, rest = self._account.quantity(instrument), self._open.get(instrument, Open())
        ways = ((held, 0), (held + rest.bids, rest.bid_loss), (held - rest.asks, rest.ask_loss))
        return max(self._marks.need(instrument, quantity, keep=False) + loss for quantity, loss in ways)


def maintenance(account: Account, ledger: Ledger, marks: Marks, currency: str) -> int:
    """Give what an account must have to keep what it holds."""
    return sum(
        marks.need(instrument, holding.quantity, keep=True)
        for instrument, holding in account.holdings.items()
        if ledger.terms[instrument].currency == currency
    )
