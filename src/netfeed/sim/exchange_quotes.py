"""Mass quotes of a simulated exchange: both sides of several instruments, each judged by itself, in one step.

Of an instrument the side that moves away from the other goes first, so that new quotes do not meet old ones of the same
account. A side that stays or shrinks at its price keeps its place; a moved one keeps its order id.
"""

from dataclasses import dataclass
from typing import Final

from netfeed.book.execution import Canceled, Cause, Filled, MassQuote, Quote, Quoted, QuoteSide, QuoteState
from netfeed.sim.exchange_orders import Live
from netfeed.sim.exchange_rules import Refusal, Rules
from netfeed.sim.exchange_trading import Delivery, Outcome, Trading
from netfeed.sim.margin import Exposure
from netfeed.sim.matching import ASK, BID

_CROSSED: Final = (Cause.PRICE, "quote_crosses_itself")
_REPLACED: Final = (Cause.REQUESTED, "by_request")


@dataclass(slots=True)
class _Done:
    """What became of a side: its order, or why there is none."""

    live: Live | None = None
    refusal: Refusal | None = None
    pulled: Live | None = None


def quote(trading: Trading, rules: Rules, outcome: Outcome, account: str, gateway: int, request: MassQuote) -> None:
    """Take a mass quote, and answer it."""
    run = _Quoting(trading, rules, outcome, account, gateway, request)
    done = [(one.instrument, run.instrument(one)) for one in request.quotes]
    ended = run.ended()
    sides = tuple((number, _side(trading, both[BID], ended), _side(trading, both[ASK], ended)) for number, both in done)
    run.answer(Quoted(request.client_id, request.group, sides, outcome.at_ns))


class _Quoting:
    """One mass quote while it is taken."""

    def __init__(
        self, trading: Trading, rules: Rules, outcome: Outcome, account: str, gateway: int, request: MassQuote
    ) -> None:
        self._trading, self._rules, self._outcome = trading, rules, outcome
        self._account, self._gateway, self._request = account, gateway, request
        self.first = len(outcome.deliveries)
        self._exposure: Exposure | None = None
        self._matches = 0

    def instrument(self, one: Quote) -> list[_Done]:
        """Take both sides of an instrument."""
        crossed = one.bid is not None and one.ask is not None and one.bid >= one.ask
        refusal = self._rules.market(one.instrument) or (_CROSSED if crossed else None)
        wanted = ((one.bid, one.bid_quantity), (one.ask, one.ask_quantity))
        ask = self._trading.orders.quote(self._account, self._request.group, one.instrument, ASK)
        rises = one.bid is not None and ask is not None and one.bid >= ask.price
        done = [_Done(), _Done()]
        for side in (ASK, BID) if rises else (BID, ASK):
            done[side] = self._take(one.instrument, side, *wanted[side], refusal)
        return done

    def ended(self) -> dict[int, Canceled]:
        """Take out the ends of quotes of this very request: its answer tells them. Give them by order id."""
        since = self._outcome.deliveries[self.first :]
        gone = [one for one in since if isinstance(one.report, Canceled) and self._is_own(one, one.report)]
        self._outcome.deliveries[self.first :] = [one for one in since if one not in gone]
        return {int(one.report.order_id): one.report for one in gone if isinstance(one.report, Canceled)}

    def answer(self, told: Quoted) -> None:
        """Tell the answer first, then the fills of these quotes as takers, then what became of others."""
        since = self._outcome.deliveries[self.first :]
        own = [one for one in since if isinstance(one.report, Filled) and self._is_own(one, one.report)]
        own = [one for one in own if isinstance(one.report, Filled) and not one.report.maker]
        others = [one for one in since if one not in own]
        answer = Delivery(self._account, self._gateway, told)
        self._outcome.deliveries[self.first :] = [answer, *own, *others]

    def _is_own(self, one: Delivery, report: Filled | Canceled) -> bool:
        return report.quote and (one.account, report.client_id) == (self._account, self._request.client_id)

    def _take(self, instrument: int, side: int, price: int | None, quantity: int, refusal: Refusal | None) -> _Done:
        old = self._trading.orders.quote(self._account, self._request.group, instrument, side)
        if price is None or not quantity:
            self._pull(old)
            return _Done(pulled=old)
        refusal = refusal or self._rules.size(instrument, quantity) or self._rules.price(instrument, side, price)
        refusal = refusal or (self._rules.count(self._account) if old is None else None)
        refusal = refusal or self._risk(old, instrument, side, price, quantity)
        if refusal:
            self._pull(old)
            return _Done(refusal=refusal)
        if old is None:
            return self._enter(instrument, side, price, quantity)
        old.client_id, old.gateway = self._request.client_id, self._gateway
        old.filled, old.quantity = 0, old.left
        self._trading.change(self._outcome, old, price, quantity)
        return _Done(old)

    def _enter(self, instrument: int, side: int, price: int, quantity: int) -> _Done:
        trading, request = self._trading, self._request
        live = Live(
            trading.next_order(), self._account, self._gateway, request.client_id, instrument, side, price, quantity,
            trading.next_sort(), group=request.group,
        )  # fmt: skip
        trading.orders.add(live)
        trading.enter(self._outcome, live)
        return _Done(live)

    def _pull(self, old: Live | None) -> None:
        if old is not None:
            if self._exposure is not None:
                self._exposure.add(old.instrument, old.side, old.price, -old.left)
            self._trading.leave(self._outcome, old, *_REPLACED, silent=True)

    def _risk(self, old: Live | None, instrument: int, side: int, price: int, quantity: int) -> Refusal | None:
        """Judge a side by what it adds; what the account has besides is counted once, and again after a match."""
        if self._exposure is None or self._matches != self._outcome.matches:
            self._exposure = self._trading.exposure(self._account)
            self._matches = self._outcome.matches
        currency = self._trading.ledger.terms[instrument].currency
        before = self._exposure.needs(currency)
        if old is not None:
            self._exposure.add(instrument, side, old.price, -old.left)
        self._exposure.add(instrument, side, price, quantity)
        refusal = self._rules.risk(self._exposure, self._account, instrument, side, before)
        if refusal:
            self._exposure.add(instrument, side, price, -quantity)
            if old is not None:
                self._exposure.add(instrument, side, old.price, old.left)
        return refusal


def _side(trading: Trading, done: _Done, ended: dict[int, Canceled]) -> QuoteSide:
    """Say what became of a side."""
    if done.refusal:
        return QuoteSide(QuoteState.REFUSED, None, None, 0, 0, *done.refusal)
    live = done.live
    if live is None:
        state = QuoteState.NONE if done.pulled is None else QuoteState.CANCELED
        order_id = None if done.pulled is None else done.pulled.id
        return QuoteSide(state, order_id, None, 0, 0, Cause.REQUESTED, "")
    if live.id in trading.orders.by_id:
        return QuoteSide(QuoteState.RESTS, live.id, live.price, live.left, live.filled, Cause.OTHER, "")
    if not live.left:
        return QuoteSide(QuoteState.FILLED, live.id, live.price, 0, live.filled, Cause.OTHER, "")
    why = ended[live.id]
    return QuoteSide(QuoteState.CANCELED, live.id, live.price, live.left, live.filled, why.cause, why.venue_reason)
