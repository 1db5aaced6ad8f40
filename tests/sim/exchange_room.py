"""A small exchange for tests: a perpetual, a future and options, accounts with money, and short words for requests."""

from typing import Any, TypeVar

from netfeed.book.execution import NONE, Amend, Cancel, Flag, MassQuote, New, Quote, Report, TimeInForce
from netfeed.book.level import Side
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_trading import Outcome, Permit
from netfeed.sim.starbase_chain import NANO, chain
from netfeed.sim.starbase_market import Market
from netfeed.sim.terms import MONEY

START_NS = 1_772_438_400 * 10**9
PERPETUAL, FUTURE = 1001, 1008
CALL, PUT = 1043, 1050
"""At the money, with the first expiry."""
BUY, SELL = Side.BID, Side.ASK
HALF = NANO // 2
T = TypeVar("T")


class Room:
    """The exchange, the time, and what was led to. After each step it must add up."""

    def __init__(
        self, *accounts: str, bump_ns: int = 0, coins: int = 1_000, count: int = 12, **permits: Permit
    ) -> None:
        self.exchange = Exchange([Market(one) for one in chain()[:count]], bump_ns=bump_ns)
        self.now = START_NS
        self.next = 0
        self.last = Outcome(0)
        for name in accounts:
            self.exchange.join(name, permits.get(name), coins * MONEY)

    @property
    def mark(self) -> int:
        return self.exchange.trading.marks[PERPETUAL]

    def did(self, outcome: Outcome) -> list[tuple[str, Report]]:
        self.last = outcome
        assert check(self.exchange.trading) == []
        return [(account, report) for account, _, report in outcome.deliveries]

    def new(
        self, account: str, side: Side, steps: int | None, quantity: int, flags: Flag = NONE,
        force: TimeInForce = TimeInForce.GTC, instrument: int = PERPETUAL, gateway: int = 0,
    ) -> list[Any]:  # fmt: skip
        """Send an order, so many steps from the mark; give what its account is told."""
        self.next += 1
        of = self.exchange.trading.markets[instrument].instrument
        mark = of.on_tick(self.exchange.trading.marks[instrument])
        price = None if steps is None else mark + steps * of.step(mark)
        request = New(self.next, instrument, side, price, quantity, force, flags)
        return self.mine(account, self.exchange.new(account, request, self.now, gateway))

    def amend(self, account: str, client_id: int, steps: int, quantity: int, flags: Flag = NONE) -> list[Any]:
        request = Amend(client_id, PERPETUAL, self.mark + steps * HALF, quantity, flags)
        return self.mine(account, self.exchange.amend(account, request, self.now))

    def cancel(self, account: str, client_id: int) -> list[Any]:
        return self.mine(account, self.exchange.cancel(account, Cancel(client_id, PERPETUAL), self.now))

    def quote(self, account: str, *quotes: Quote, group: int = 1, reset: bool = False) -> list[Any]:
        self.next += 1
        request = MassQuote(self.next, group, quotes, reset)
        return self.mine(account, self.exchange.mass_quote(account, request, self.now))

    def two_sided(self, bid: int | None, ask: int | None, quantity: int = 100, instrument: int = PERPETUAL) -> Quote:
        """Make a quote, its prices in steps from the mark."""
        of = self.exchange.trading.markets[instrument].instrument
        mark = of.on_tick(self.exchange.trading.marks[instrument])
        prices = [None if steps is None else mark + steps * of.step(mark) for steps in (bid, ask)]
        return Quote(instrument, prices[0], quantity, prices[1], quantity)

    def mine(self, account: str, outcome: Outcome) -> list[Any]:
        return [report for name, report in self.did(outcome) if name == account]

    def wait(self, ns: int) -> list[tuple[str, Report]]:
        """Let time go by."""
        self.now += ns
        return [one for outcome in self.exchange.wake(self.now) for one in self.did(outcome)]

    def told(self, account: str, kind: type[T]) -> list[T]:
        """List what an account was told in the last step, of one kind."""
        return [report for name, _, report in self.last.deliveries if name == account and isinstance(report, kind)]

    def queue(self, side: Side) -> list[tuple[str, int]]:
        """List who rests on a side of the perpetual, and how much."""
        orders = self.exchange.trading.orders.by_id
        resting = self.exchange.trading.markets[PERPETUAL].queue(side)
        return [(orders[one.id].account, one.quantity) for one in resting]

    def held(self, account: str, instrument: int = PERPETUAL) -> int:
        return self.exchange.trading.position(account, instrument)
