"""The desk of a fill model: it takes our requests on a recorded market and answers each of them once.

A request is answered first, and then what came of it is told. Less of an order at its price keeps the place in the
queue; any other amendment goes to the end, as at a new price. A market order is an IOC order without a limit.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from netfeed.book.execution import (
    Accepted,
    AllCanceled,
    Amend,
    Amended,
    Ask,
    Cancel,
    CancelAll,
    Cause,
    List,
    Listed,
    MassQuote,
    New,
    Position,
    Rejected,
    Report,
    Request,
    TimeInForce,
)  # fmt: skip
from netfeed.book.level import Side
from netfeed.sim import fill_rules as rules
from netfeed.sim.fill_orders import Own
from netfeed.sim.fill_quotes import quote
from netfeed.sim.fill_rules import AT_ONCE, PASSIVE, Refusal
from netfeed.sim.fill_trading import FillTrading

MAX_NAMES: Final = 65_536
"""Names of orders that are remembered, so that none is taken twice."""
_ANY_PRICE: Final = 1 << 62
_NOT_FOUND: Final = (Cause.NOT_FOUND, "order_not_found")
_ASKS: Final = {
    New: Ask.NEW, Amend: Ask.AMEND, Cancel: Ask.CANCEL, CancelAll: Ask.CANCEL_ALL, MassQuote: Ask.QUOTE, List: Ask.LIST,
}  # fmt: skip


class FillDesk:
    """The desk. `session` is the number that its lists bear."""

    def __init__(self, trading: FillTrading, session: int) -> None:
        self._trading, self._session = trading, session
        self._names: dict[int, None] = {}
        self.asked: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def take(self, request: Request, at_ns: int) -> list[Report]:
        """Take a request; give its answer and what came of it."""
        self.asked[_ASKS[type(request)].name.lower()] += 1
        reports = _TAKES[type(request)](self, request, at_ns)
        for report in reports:
            if isinstance(report, Rejected):
                self.refused[report.venue_reason] += 1
        return reports

    def _new(self, request: New, at_ns: int) -> list[Report]:
        if request.client_id in self._names:
            return [_refused(request, (Cause.DUPLICATE, "duplicate_client_id"), at_ns)]
        self._name(request.client_id)
        refusal = rules.new(self._trading, request)
        if refusal:
            return [_refused(request, refusal, at_ns)]
        own = self._own(request)
        refusal = rules.passive(self._trading, own) or rules.reduce(self._trading, own)
        return [_refused(request, refusal, at_ns)] if refusal else self._enter(own, request.price is None, at_ns)

    def _name(self, client_id: int) -> None:
        if len(self._names) >= MAX_NAMES:
            del self._names[next(iter(self._names))]
        self._names[client_id] = None

    def _own(self, request: New) -> Own:
        price, force = request.price, request.time_in_force
        if price is None:
            price = _ANY_PRICE if request.side is Side.BID else -_ANY_PRICE
            force = TimeInForce.FOK if force is TimeInForce.FOK else TimeInForce.IOC
        turn = self._trading.next_turn()
        return Own(
            turn, request.client_id, request.instrument, request.side, price, request.quantity, turn, request.flags,
            force,
        )  # fmt: skip

    def _enter(self, own: Own, market: bool, at_ns: int) -> list[Report]:
        kills = own.time_in_force is TimeInForce.FOK and sum(n for _, n in self._trading.offered(own)) < own.left
        after = [] if kills else self._trading.take(own, at_ns)
        rests = bool(own.left) and own.time_in_force not in AT_ONCE
        price = None if market else own.price
        told = Accepted(
            own.client_id, own.instrument, own.order_id, price, own.quantity, own.filled, rests, at_ns,
        )  # fmt: skip
        if rests:
            self._trading.rest(own)
        elif own.left:
            why = "fill_or_kill" if own.time_in_force is TimeInForce.FOK else "immediate_or_cancel"
            after.append(own.canceled(Cause.TIME_IN_FORCE, why, at_ns))
        return [told, *after]

    def _amend(self, request: Amend, at_ns: int) -> list[Report]:
        own = self._trading.orders.named(request.client_id, request.instrument)
        if own is None:
            return [_refused(request, _NOT_FOUND, at_ns)]
        flags = (own.flags & ~PASSIVE) | (request.flags & PASSIVE)
        wanted = replace(own, price=request.price, quantity=request.quantity, flags=flags)
        refusal = self._judge(own, wanted)
        return [_refused(request, refusal, at_ns)] if refusal else self._change(own, wanted, at_ns)

    def _judge(self, own: Own, wanted: Own) -> Refusal | None:
        trading = self._trading
        refusal = rules.terms(trading.contracts.get(own.instrument), wanted.price, wanted.quantity)
        if not refusal and wanted.left <= 0:
            refusal = Cause.QUANTITY, "already_filled"
        refusal = refusal or rules.own_match(trading, own.instrument, own.side, wanted.price)
        return refusal or rules.passive(trading, wanted) or rules.reduce(trading, wanted, own)

    def _change(self, own: Own, wanted: Own, at_ns: int) -> list[Report]:
        own.flags = wanted.flags
        after = self._trading.change(own, wanted.price, wanted.quantity, at_ns)
        rests = self._trading.orders.rests(own)
        told = Amended(
            own.client_id, own.instrument, own.order_id, own.price, own.quantity, own.filled, rests, at_ns,
        )  # fmt: skip
        return [told, *after]

    def _cancel(self, request: Cancel, at_ns: int) -> list[Report]:
        own = self._trading.orders.named(request.client_id, request.instrument)
        if own is None:
            return [_refused(request, _NOT_FOUND, at_ns)]
        return [self._trading.leave(own, Cause.REQUESTED, "by_request", at_ns)]

    def _cancel_all(self, request: CancelAll, at_ns: int) -> list[Report]:
        gone = self._trading.orders.of(request.instrument, request.side)
        told: list[Report] = [self._trading.leave(own, Cause.REQUESTED, "by_request", at_ns) for own in gone]
        return [*told, AllCanceled(request.client_id, len(gone), at_ns)]

    def _mass_quote(self, request: MassQuote, at_ns: int) -> list[Report]:
        return quote(self._trading, request, at_ns)

    def _list(self, request: List, at_ns: int) -> list[Report]:
        orders = tuple(own.told() for own in self._trading.orders.of())
        held = sorted(self._trading.orders.positions.items())
        positions = tuple(Position(instrument, quantity, None) for instrument, quantity in held if quantity)
        return [Listed(self._session, orders, positions, at_ns)]


_TAKES: Final[dict[type[Request], Callable[..., list[Report]]]] = {
    New: FillDesk._new, Amend: FillDesk._amend, Cancel: FillDesk._cancel, CancelAll: FillDesk._cancel_all,
    MassQuote: FillDesk._mass_quote, List: FillDesk._list,
}  # fmt: skip


def _refused(request: Any, refusal: Refusal, at_ns: int) -> Rejected:
    return Rejected(request.client_id, _ASKS[type(request)], *refusal, at_ns)
