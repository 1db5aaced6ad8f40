"""A seeded world of accounts that ask a simulated exchange for anything, sensible or not."""

from dataclasses import dataclass, field

from netfeed.book.execution import (
    NONE,
    Amend,
    Cancel,
    CancelAll,
    Flag,
    List,
    MassQuote,
    New,
    Quote,
    Request,
    TimeInForce,
)
from netfeed.book.level import Side
from netfeed.sim.draws import Draws
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_match import SelfMatch
from netfeed.sim.exchange_trading import Outcome, Permit
from netfeed.sim.protection import Limits
from netfeed.sim.starbase_chain import chain
from netfeed.sim.starbase_market import Market
from netfeed.sim.terms import MONEY, Fees
from netfeed.wire.starbase import TemplateId

START_NS = 1_772_438_400 * 10**9
COINS = 10 * MONEY
ACCOUNTS = ("ann", "bob", "cid", "dot")
FLAGS = (
    NONE,
    NONE,
    NONE,
    Flag.POST_ONLY,
    Flag.POST_ONLY_REJECT,
    Flag.REDUCE_ONLY,
    Flag.REDUCE_ONLY,
    Flag.MMP,
    Flag.KEEP,
)
FORCES = (TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.DAY)


def markets(count: int = 4) -> list[Market]:
    return [Market(instrument) for instrument in chain()[:count]]


def permit(number: int, instruments: list[int]) -> Permit:
    """Give one account's rights: each has another self-match rule, and tight limits."""
    groups = {
        0: Limits(10**9, 2 * 10**9, quantity=300_000_000),
        1: Limits(10**9, 3 * 10**9, quantity=500_000_000, delta=0.3, vega=50.0),
    }
    return Permit(
        fees=Fees(maker=-100 * (number % 2), taker=500 + number),
        rate=[None, 200.0, None, None][number],
        max_orders=12 + number,
        max_positions=dict.fromkeys(instruments, 40_000),
        self_match=SelfMatch(number % 3),
        groups=groups,
    )


@dataclass
class Copy:
    """The books as messages of the feed tell them."""

    orders: dict[int, tuple[int, int, int, int, int]] = field(default_factory=dict)

    def hear(self, outcome: Outcome) -> None:
        for template, fields in outcome.told:
            if template in (TemplateId.BID_PUT, TemplateId.ASK_PUT):
                side = template - TemplateId.BID_PUT
                row = (fields["instrumentId"], side, fields["price"], fields["quantity"], fields["sortOrderId"])
                self.orders[fields["orderId"]] = row
            elif template in (TemplateId.BID_QTY_REDUCED, TemplateId.ASK_QTY_REDUCED):
                instrument, side, price, quantity, sort = self.orders[fields["orderId"]]
                assert fields["quantity"] < quantity
                self.orders[fields["orderId"]] = (instrument, side, price, fields["quantity"], sort)
            elif template in (TemplateId.BID_DELETE, TemplateId.ASK_DELETE):
                del self.orders[fields["orderId"]]

    def of(self, exchange: Exchange) -> dict[int, tuple[int, int, int, int, int]]:
        return {
            order.id: (number, order.side, order.price, order.quantity, order.sort)
            for number, market in exchange.trading.markets.items()
            for order in market.orders.values()
        }


class World:
    """The world. `step` does one thing and gives what it led to."""

    def __init__(self, seed: int, *, bump_ns: int = 0, count: int = 4) -> None:
        self.exchange = Exchange(markets(count), bump_ns=bump_ns)
        self.now = START_NS
        self.copy = Copy()
        self._draws, self._words = Draws(seed), iter(())
        self._next = 1
        instruments = list(self.exchange.trading.markets)
        for number, account in enumerate(ACCOUNTS):
            self.exchange.join(account, permit(number, instruments), COINS)

    def below(self, bound: int) -> int:
        word = next(self._words, None)
        if word is None:
            self._words = iter((self._draws.words(1024) >> 32).tolist())
            word = next(self._words)
        return word * bound >> 32

    def step(self) -> list[Outcome]:
        """Let time go by, then let an account ask for something, or the index move."""
        self.now += 1_000_000 + self.below(100_000_000)
        outcomes = list(self.exchange.wake(self.now))
        kind = self.below(40)
        account, gateway = ACCOUNTS[self.below(len(ACCOUNTS))], self.below(2)
        if kind == 0:
            outcomes.append(
                self.exchange.move(self.exchange.trading.index + (self.below(2001) - 1000) * 10**9, self.now)
            )
        elif kind == 1:
            outcomes.append(self.exchange.disconnect(account, gateway, self.now))
        elif kind == 2:
            outcomes.append(self.exchange.settle(self.now))
        else:
            outcomes.append(self.exchange.request(account, self.ask(account, kind), self.now, gateway))
        for outcome in outcomes:
            self.copy.hear(outcome)
        return outcomes

    def ask(self, account: str, kind: int) -> Request:
        """Make a request."""
        mine = [live for live in self.exchange.trading.orders.of(account) if live.group is None]
        if kind < 9 and mine:
            live = mine[self.below(len(mine))]
            quantity = self.quantity(live.instrument) if kind < 6 else max(live.quantity - self.lot(live.instrument), 1)
            price = live.price if kind >= 5 else self.price(live.instrument, live.side)
            flags = live.flags if self.below(4) else FLAGS[self.below(len(FLAGS))]
            return Amend(live.client_id, live.instrument, price, quantity, flags)
        if kind < 13 and mine:
            live = mine[self.below(len(mine))]
            return Cancel(live.client_id, live.instrument)
        if kind == 13:
            return CancelAll(self.client_id(), self.instrument(), None)
        if kind == 14:
            return List(self.client_id())
        if kind < 20:
            quotes = tuple(self.quote() for _ in range(1 + self.below(3)))
            return MassQuote(self.client_id(), 1, quotes, reset=not self.below(4))
        instrument, side = self.instrument(), self.below(2)
        flags, force = FLAGS[self.below(len(FLAGS))], FORCES[self.below(len(FORCES))]
        price = None if kind == 20 else self.price(instrument, side)
        return New(self.client_id(), instrument, Side(side), price, self.quantity(instrument), force, flags)

    def client_id(self) -> int:
        """Give a new one, but for one in fifty."""
        self._next += self.below(50) > 0
        return self._next

    def quote(self) -> Quote:
        instrument = self.instrument()
        bid, ask = (self.price(instrument, side) if self.below(6) else None for side in (0, 1))
        return Quote(instrument, bid, self.quantity(instrument), ask, self.quantity(instrument))

    def instrument(self) -> int:
        numbers = list(self.exchange.trading.markets)
        return numbers[self.below(len(numbers))]

    def lot(self, instrument: int) -> int:
        return self.exchange.trading.markets[instrument].instrument.lot

    def quantity(self, instrument: int) -> int:
        return self.lot(instrument) * (1 + self.below(30)) * (1 if self.below(20) else 100)

    def price(self, instrument: int, side: int) -> int:
        """Give a price around the mark, one in three beyond it."""
        of, mark = self.exchange.trading.markets[instrument].instrument, self.exchange.trading.marks[instrument]
        away = (self.below(9) - 3) * of.step(mark)
        return of.on_tick(mark - away if side == 0 else mark + away)
