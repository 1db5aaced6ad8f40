"""A simulated exchange where orders have owners: requests in the words of `book.execution`, and what they lead to.

    exchange = Exchange(markets)
    exchange.join("mm", Permit(), deposit)
    outcome = exchange.new("mm", New(...), now, gateway=0)

Each method is one step: it gives an `Outcome`, the reports for all accounts that it concerns and the messages of one
transaction for the market-data feed. Time alone does the rest: `deadline` says when, `wake` does it.

Rules, where venues differ:
* Every request of an account counts against its rate, but List. The client id of an order is used once.
* An order that would take waits `bump_ns`, where there is a speed bump; it is accepted at once, as alive (`rests`) and
  not filled, may be cancelled, and is not in the book yet. Then it is placed, with the place in the queue of when it
  came: its fills, or its end, are told. An amend that would take is done, and answered, after the same time. Quotes and
  passive orders never wait.
* The answer to a request comes first, then the fills and the end of its own order, then what became of others.
* An amend says anew whether the order is post-only, as on Starbase: one that does not say it may take.
* Less quantity at the same price keeps an order's place; a new price or more quantity takes another.
* A quote that is refused pulls the one before: a price that its owner did not confirm is never left behind.
* The venue's own orders (liquidation) have the client id 0.

Units: ns since 1970. Leaves out: hidden and stop orders, block trades, combos, funding.
"""

from collections.abc import Sequence

from netfeed.book.execution import (
    Amend,
    Cancel,
    CancelAll,
    Cause,
    Flag,
    List,
    Listed,
    MassQuote,
    New,
    Request,
)  # fmt: skip
from netfeed.errors import MisuseError
from netfeed.machine import NEVER
from netfeed.sim.exchange_closing import expire, liquidate
from netfeed.sim.exchange_desk import Desk
from netfeed.sim.exchange_log import Log
from netfeed.sim.exchange_rules import Rules
from netfeed.sim.exchange_trading import BAND, Outcome, Permit, Trading, remove_all
from netfeed.sim.margin import Rates
from netfeed.sim.protection import Group
from netfeed.sim.starbase_chain import INDEX, INDEXES
from netfeed.sim.starbase_market import Market
from netfeed.wire.starbase import InstrumentStatus, TemplateId


class Exchange:
    """The exchange. `log` holds every step; `trading` books, orders and ledger, to be read."""

    def __init__(
        self, markets: Sequence[Market], *, rates: Rates | None = None, bump_ns: int = 0, log: Log | None = None,
        band: int = BAND,
    ) -> None:  # fmt: skip
        self.trading = Trading(markets, rates or Rates(), band)
        self.log = log if log is not None else Log()
        self._desk = Desk(self.trading, Rules(self.trading), bump_ns)
        self._expiry_ns = self._next_expiry()

    # -- who may trade

    def join(self, account: str, permit: Permit | None = None, deposit: int = 0, currency: str = "BTC") -> None:
        """Open an account. Units: `deposit` in 1e-24."""
        permit = permit or Permit()
        self.trading.ledger.open(account, permit.fees)
        self.trading.ledger.deposit(account, currency, deposit)
        self.trading.permits[account] = permit
        self.trading.groups |= {(account, number): Group(limits) for number, limits in permit.groups.items()}

    # -- requests

    def request(self, account: str, request: Request, now: int, gateway: int = 0) -> Outcome:
        """Take a request of any kind. Raises: MisuseError when there is no such account."""
        if account not in self.trading.permits:
            raise MisuseError(f"there is no account {account!r}")
        outcome = Outcome(now)
        self._desk.take(outcome, account, gateway, request)
        return self._end(outcome, account, gateway, request)

    def new(self, account: str, request: New, now: int, gateway: int = 0) -> Outcome:
        """Take a new order."""
        return self.request(account, request, now, gateway)

    def amend(self, account: str, request: Amend, now: int, gateway: int = 0) -> Outcome:
        """Change an order."""
        return self.request(account, request, now, gateway)

    def cancel(self, account: str, request: Cancel, now: int, gateway: int = 0) -> Outcome:
        """Cancel an order."""
        return self.request(account, request, now, gateway)

    def cancel_all(self, account: str, request: CancelAll, now: int, gateway: int = 0) -> Outcome:
        """Cancel orders and quotes: all, of an instrument, of a side."""
        return self.request(account, request, now, gateway)

    def mass_quote(self, account: str, request: MassQuote, now: int, gateway: int = 0) -> Outcome:
        """Replace quotes."""
        return self.request(account, request, now, gateway)

    def list(self, account: str, request: List, now: int, gateway: int = 0) -> Outcome:
        """Tell what rests and what is held."""
        return self.request(account, request, now, gateway)

    def listed(self, account: str, now: int | None = None, session: int = 0) -> Listed:
        """Give what `Listed` says of an account: the truth that its own book-keeping is held against."""
        return self._desk.listed(account, now, session)

    # -- what happens besides

    def disconnect(self, account: str, gateway: int, now: int) -> Outcome:
        """Cancel what came by a gateway that has lost the account, but for orders with KEEP."""
        outcome = Outcome(now)
        gone = [
            live for live in self.trading.orders.of(account) if live.gateway == gateway and not live.flags & Flag.KEEP
        ]
        remove_all(self.trading, outcome, gone, Cause.DISCONNECTED, "disconnected")
        return self._end(outcome, account, gateway, "disconnect")

    def pull(self, account: str, now: int, gateway: int = 0, instrument: int | None = None) -> Outcome:
        """Cancel quotes alone: all, or those of an instrument."""
        outcome = Outcome(now)
        mine = [live for live in self.trading.orders.of(account) if live.group is not None]
        gone = [live for live in mine if instrument in (None, live.instrument)]
        remove_all(self.trading, outcome, gone, Cause.REQUESTED, "by_request")
        return self._end(outcome, account, gateway, "pull")

    def reset(self, account: str, group: int, now: int, gateway: int = 0) -> Outcome:
        """Free a protection group that has tripped."""
        outcome = Outcome(now)
        self._desk.free(outcome, account, gateway, group)
        return self._end(outcome, account, gateway, "reset")

    def move(self, index: int, now: int) -> Outcome:
        """Let the index be at another price: accounts that cannot keep what they hold are liquidated."""
        outcome = Outcome(now)
        self.trading.move(index)
        prices = {number: price for number, (_, price) in INDEXES.items()} | {INDEX: index}
        outcome.told += [(TemplateId.INDEX_INFO, {"indexId": at, "indexPrice": price}) for at, price in prices.items()]
        liquidate(self.trading, outcome)
        return self._end(outcome, None, 0, "move")

    def halt(self, instrument: int, now: int, *, halted: bool) -> Outcome:
        """Halt an instrument, or open it again. Its orders stay."""
        outcome = Outcome(now)
        self.trading.markets[instrument].halted = halted
        status = InstrumentStatus.HALTED if halted else InstrumentStatus.OPEN
        fields = {"instrumentId": instrument, "tradingStatus": int(status)}
        outcome.told.append((TemplateId.INSTRUMENT_STATUS_UPDATE, fields))
        return self._end(outcome, None, 0, "halt")

    def settle(self, now: int) -> Outcome:
        """Pay the gains and losses of all futures at their marks, as venues do once a day."""
        outcome = Outcome(now)
        for number, mark in self.trading.marks.items():
            if number not in self.trading.ledger.ended:
                self.trading.ledger.settle(number, mark)
        return self._end(outcome, None, 0, "settle")

    @property
    def deadline(self) -> int:
        """Say when something is due by itself. Units: ns since 1970, or NEVER."""
        trading = self.trading
        frozen = (group.frozen_ns for group in trading.groups.values() if group.frozen_ns is not None)
        return min(self._desk.deadline, self._expiry_ns, *frozen)

    def wake(self, now: int) -> Sequence[Outcome]:
        """Do what is due: orders leave the speed bump, groups are free again, instruments expire."""
        done = []
        while self.deadline <= now:
            done.append(self._due(now))
        return done

    # -- inside

    def _next_expiry(self) -> int:
        terms = self.trading.ledger.terms.values()
        ended = self.trading.ledger.ended
        return min((of.expiry_ns for of in terms if of.expiry_ns is not None and of.id not in ended), default=NEVER)

    def _due(self, now: int) -> Outcome:
        """Do one thing that is due: the earliest."""
        outcome, at = Outcome(now), self.deadline
        if self._expiry_ns == at:
            expire(self.trading, outcome, at)
            self._expiry_ns = self._next_expiry()
            return self._end(outcome, None, 0, "expire")
        if self._desk.deadline == at:
            self._desk.release(outcome)
            return self._end(outcome, None, 0, "release")
        account, number = next(key for key, group in self.trading.groups.items() if group.frozen_ns == at)
        self._desk.free(outcome, account, 0, number)
        return self._end(outcome, None, 0, "free")

    def _end(self, outcome: Outcome, account: str | None, gateway: int, what: Request | str) -> Outcome:
        """End a step: cut what may only reduce, and write it all down."""
        self.trading.finish(outcome)
        self.log.write(account, gateway, what, outcome)
        return outcome
