"""The desk of a simulated exchange: it takes requests, judges them, lets them happen, and answers.

What an order that waits in the speed bump is for everybody else: nothing. For its account it counts, against limits and
margin, from the moment on in which it was accepted.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Final

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Filled,
    Flag,
    Freed,
    List,
    Listed,
    MassQuote,
    New,
    Position,
    Rejected,
    Request,
    TimeInForce,
)  # fmt: skip
from netfeed.machine import NEVER
from netfeed.sim.exchange_orders import Live
from netfeed.sim.exchange_quotes import quote
from netfeed.sim.exchange_rules import Refusal, Rules, band
from netfeed.sim.exchange_trading import Delivery, Outcome, Trading, remove_all
from netfeed.sim.matching import BID

_PASSIVE: Final = Flag.POST_ONLY | Flag.POST_ONLY_REJECT
_REQUESTED: Final = (Cause.REQUESTED, "by_request")
_NOT_FOUND: Final = (Cause.NOT_FOUND, "order_not_found")
_ASKS: Final = {
    New: Ask.NEW, Amend: Ask.AMEND, Cancel: Ask.CANCEL, CancelAll: Ask.CANCEL_ALL, MassQuote: Ask.QUOTE, List: Ask.LIST,
}  # fmt: skip


@dataclass(slots=True)
class _Waiting:
    """What waits in the speed bump: an order, or an amend of it."""

    live: Live
    amend: Amend | None = None


class Desk:
    """The desk. Units: `bump_ns` how long an order that would take waits."""

    def __init__(self, trading: Trading, rules: Rules, bump_ns: int) -> None:
        self._trading, self._rules, self._bump_ns = trading, rules, bump_ns
        self._waiting: list[tuple[int, int, _Waiting]] = []
        self._waited = 0

    def take(self, outcome: Outcome, account: str, gateway: int, request: Request) -> None:
        """Take a request."""
        refusal = None if isinstance(request, List) else self._rules.meter(account, outcome.at_ns)
        if refusal:
            _refuse(outcome, account, gateway, request, refusal)
        else:
            _TAKES[type(request)](self, outcome, account, gateway, request)

    def listed(self, account: str, now: int | None, session: int) -> Listed:
        """Give what `Listed` says of an account."""
        ledger = self._trading.ledger
        orders = tuple(live.told() for live in self._trading.orders.of(account))
        positions = tuple(
            Position(number, holding.quantity, ledger.terms[number].price(holding.basis, holding.quantity))
            for number, holding in sorted(ledger.accounts[account].holdings.items())
            if holding.quantity
        )
        return Listed(session, orders, positions, now)

    def free(self, outcome: Outcome, account: str, gateway: int, group: int) -> None:
        """Free a protection group, if it has tripped."""
        known = self._trading.groups.get((account, group))
        if known is not None and known.frozen:
            known.free()
            told = Freed(group, outcome.at_ns, orders=group == 0)
            outcome.deliveries.append(Delivery(account, gateway, told))

    @property
    def deadline(self) -> int:
        """Say when something leaves the speed bump."""
        return self._waiting[0][0] if self._waiting else NEVER

    def release(self, outcome: Outcome) -> None:
        """Let the next order out of the speed bump; one that has left by itself is no more."""
        waiting = heappop(self._waiting)[2]
        live = waiting.live
        if live.id not in self._trading.orders.by_id:
            if waiting.amend is not None:
                _refuse(outcome, live.account, live.gateway, waiting.amend, _NOT_FOUND)
        elif waiting.amend is not None:
            self._amend_known(outcome, live, waiting.amend, waited=True)
        elif refusal := self._rules.market(live.instrument):
            self._trading.leave(outcome, live, Cause.VENUE, refusal[1])
        else:
            live.queued = False
            self._trading.enter(outcome, live)

    # -- inside

    def _new(self, outcome: Outcome, account: str, gateway: int, request: New) -> None:
        live, refusal = self._order(account, gateway, request)
        if live is None or refusal:
            _refuse(outcome, account, gateway, request, refusal or _NOT_FOUND)
            return
        self._trading.orders.add(live)
        if self._bumped(live):
            live.queued = True
            self._wait(outcome, _Waiting(live))
            outcome.report(live, _accepted(live, outcome.at_ns, rests=True))
        else:
            self._place(outcome, live)

    def _order(self, account: str, gateway: int, request: New) -> tuple[Live | None, Refusal | None]:
        """Make an order of a request, as it may be; or say why it may not."""
        rules, instrument, side = self._rules, request.instrument, int(request.side)
        refusal = rules.name(account, request.client_id) or rules.market(instrument)
        refusal = refusal or rules.size(instrument, request.quantity) or rules.count(account)
        if refusal:
            return None, refusal
        market = self._trading.markets[instrument].instrument
        price, force = request.price, request.time_in_force
        if price is None:
            price = band(market, self._trading.marks[instrument], self._trading.band)[1 - side if side == BID else 0]
            force = TimeInForce.FOK if force is TimeInForce.FOK else TimeInForce.IOC
        live = Live(
            self._trading.next_order(), account, gateway, request.client_id, instrument, side, price, request.quantity,
            self._trading.next_sort(), request.flags, force,
        )  # fmt: skip
        return live, self._judge(live)

    def _judge(self, live: Live) -> Refusal | None:
        """Refuse an order for its flags, price or risk; a reduce-only order is cut, a post-only one moved."""
        rules, instrument = self._rules, live.instrument
        if live.flags & _PASSIVE and live.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            return Cause.POST_ONLY, "post_only_never_rests"
        refusal = rules.price(instrument, live.side, live.price) or rules.passive(live)
        if not refusal and live.flags & Flag.MMP:
            refusal = rules.protection(live.account, 0)
        if not refusal and live.flags & Flag.REDUCE_ONLY:
            live.quantity = min(live.quantity, self._trading.reducible(live.account, instrument, live.side))
            refusal = None if live.quantity else (Cause.LIMIT, "reduce_only")
        return refusal or self._risk(live, 0)

    def _risk(self, live: Live, resting: int, price: int | None = None, left: int | None = None) -> Refusal | None:
        """Judge an order by what it would add to all that its account has; `resting` of it is there already."""
        exposure, currency = self._trading.exposure(live.account), self._trading.ledger.terms[live.instrument].currency
        before = exposure.needs(currency)
        exposure.add(live.instrument, live.side, live.price, -resting)
        exposure.add(
            live.instrument, live.side, live.price if price is None else price, live.left if left is None else left
        )
        return self._rules.risk(exposure, live.account, live.instrument, live.side, before)

    def _place(self, outcome: Outcome, live: Live) -> None:
        """Let an order into the book; that it was accepted is told first, as it is afterwards."""
        first = len(outcome.deliveries)
        self._trading.enter(outcome, live)
        rests = live.id in self._trading.orders.by_id
        _answer(outcome, first, live, _accepted(live, outcome.at_ns, rests=rests))

    def _amend(self, outcome: Outcome, account: str, gateway: int, request: Amend) -> None:
        live = self._trading.orders.find(account, request.client_id)
        if live is None or live.instrument != request.instrument:
            _refuse(outcome, account, gateway, request, _NOT_FOUND)
        elif live.queued:
            _refuse(outcome, account, gateway, request, (Cause.STATE, "order_in_speed_bump"))
        else:
            self._amend_known(outcome, live, request)

    def _amend_known(self, outcome: Outcome, live: Live, request: Amend, *, waited: bool = False) -> None:
        flags = (live.flags & ~_PASSIVE) | (request.flags & _PASSIVE)
        wanted = replace(live, price=request.price, quantity=request.quantity, flags=flags)
        refusal = self._judge_amend(live, wanted)
        if refusal:
            _refuse(outcome, live.account, live.gateway, request, refusal)
        elif not waited and self._bumped(wanted):
            self._wait(outcome, _Waiting(live, request))
        else:
            first = len(outcome.deliveries)
            live.flags = wanted.flags
            self._trading.change(outcome, live, wanted.price, wanted.left)
            told = Amended(
                live.client_id, live.instrument, live.id, live.price, live.quantity, live.filled,
                live.id in self._trading.orders.by_id, outcome.at_ns,
            )  # fmt: skip
            _answer(outcome, first, live, told)

    def _judge_amend(self, live: Live, wanted: Live) -> Refusal | None:
        rules, instrument = self._rules, live.instrument
        refusal = rules.market(instrument) or rules.size(instrument, wanted.quantity)
        if not refusal and wanted.left <= 0:
            refusal = Cause.QUANTITY, "already_filled"
        refusal = refusal or rules.price(instrument, live.side, wanted.price) or rules.passive(wanted)
        if not refusal and live.flags & Flag.REDUCE_ONLY:
            room = self._trading.reducible(live.account, instrument, live.side, live)
            wanted.quantity = wanted.filled + min(wanted.left, room)
            refusal = None if wanted.left else (Cause.LIMIT, "reduce_only")
        return refusal or self._risk(live, live.left, wanted.price, wanted.left)

    def _cancel(self, outcome: Outcome, account: str, gateway: int, request: Cancel) -> None:
        live = self._trading.orders.find(account, request.client_id)
        if live is None or live.instrument != request.instrument:
            _refuse(outcome, account, gateway, request, _NOT_FOUND)
            return
        self._trading.leave(outcome, live, *_REQUESTED)

    def _cancel_all(self, outcome: Outcome, account: str, gateway: int, request: CancelAll) -> None:
        gone = [
            live
            for live in self._trading.orders.of(account)
            if request.instrument in (None, live.instrument) and request.side in (None, live.side)
        ]
        count = remove_all(self._trading, outcome, gone, *_REQUESTED)
        told = AllCanceled(request.client_id, count, outcome.at_ns)
        outcome.deliveries.append(Delivery(account, gateway, told))

    def _mass_quote(self, outcome: Outcome, account: str, gateway: int, request: MassQuote) -> None:
        if request.reset:
            self.free(outcome, account, gateway, request.group)
        refusal = self._rules.protection(account, request.group) or self._rules.quotes(request.quotes)
        if refusal:
            _refuse(outcome, account, gateway, request, refusal)
        else:
            quote(self._trading, self._rules, outcome, account, gateway, request)

    def _list(self, outcome: Outcome, account: str, gateway: int, request: List) -> None:
        outcome.deliveries.append(Delivery(account, gateway, self.listed(account, outcome.at_ns, gateway)))

    def _bumped(self, live: Live) -> bool:
        return bool(self._bump_ns) and self._trading.plan(live).takes

    def _wait(self, outcome: Outcome, waiting: _Waiting) -> None:
        self._waited += 1
        heappush(self._waiting, (outcome.at_ns + self._bump_ns, self._waited, waiting))


_TAKES: Final[dict[type[Request], Callable[..., None]]] = {
    New: Desk._new, Amend: Desk._amend, Cancel: Desk._cancel, CancelAll: Desk._cancel_all,
    MassQuote: Desk._mass_quote, List: Desk._list,
}  # fmt: skip


def _refuse(outcome: Outcome, account: str, gateway: int, request: Request, refusal: Refusal) -> None:
    told = Rejected(request.client_id, _ASKS[type(request)], *refusal, outcome.at_ns)
    outcome.deliveries.append(Delivery(account, gateway, told))


def _accepted(live: Live, now: int, *, rests: bool) -> Accepted:
    return Accepted(live.client_id, live.instrument, live.id, live.price, live.quantity, live.filled, rests, now)


def _answer(outcome: Outcome, first: int, live: Live, answer: Accepted | Amended) -> None:
    """Tell an answer before all that has come of it since `first`: what its own order did, then what others did."""
    since = outcome.deliveries[first:]
    own = [
        one
        for one in since
        if isinstance(one.report, Filled | Canceled) and (one.account, one.report.order_id) == (live.account, live.id)
    ]
    others = [one for one in since if one not in own]
    outcome.deliveries[first:] = [Delivery(live.account, live.gateway, answer), *own, *others]
