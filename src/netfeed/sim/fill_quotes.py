"""Mass quotes at a fill model: both sides of several instruments in one step, each judged by itself.

A side that stays or shrinks at its price keeps its place in the queue; any other goes to the end of one. Of an
instrument the side that moves away from the other goes first, so that a new quote does not meet an old one of its own.
"""

from typing import Final

from netfeed.book.execution import Cause, MassQuote, Quote, Quoted, QuoteSide, QuoteState, Report
from netfeed.book.level import Side
from netfeed.sim import fill_rules as rules
from netfeed.sim.fill_orders import Own
from netfeed.sim.fill_rules import Refusal
from netfeed.sim.fill_trading import FillTrading

_REPLACED: Final = (Cause.REQUESTED, "by_request")


def quote(trading: FillTrading, request: MassQuote, at_ns: int) -> list[Report]:
    """Take a mass quote; give its answer, and what its sides took."""
    after: list[Report] = []
    sides = []
    for one in request.quotes:
        bid, ask = _instrument(trading, request, one, after, at_ns)
        sides.append((one.instrument, bid, ask))
    return [Quoted(request.client_id, request.group, tuple(sides), at_ns), *after]


def _instrument(
    trading: FillTrading, request: MassQuote, one: Quote, after: list[Report], at_ns: int
) -> tuple[QuoteSide, QuoteSide]:
    refusal = rules.crossed(one)
    ask = trading.orders.quote(request.group, one.instrument, Side.ASK)
    rises = one.bid is not None and ask is not None and one.bid >= ask.price
    done: dict[Side, QuoteSide] = {}
    for side in (Side.ASK, Side.BID) if rises else (Side.BID, Side.ASK):
        price, quantity = (one.bid, one.bid_quantity) if side is Side.BID else (one.ask, one.ask_quantity)
        done[side] = _side(trading, request, (one.instrument, side, price, quantity), refusal, after, at_ns)
    return done[Side.BID], done[Side.ASK]


def _side(
    trading: FillTrading, request: MassQuote, wanted: tuple[int, Side, int | None, int], refusal: Refusal | None,
    after: list[Report], at_ns: int,
) -> QuoteSide:  # fmt: skip
    instrument, side, price, quantity = wanted
    old = trading.orders.quote(request.group, instrument, side)
    if price is None or not quantity:
        _pull(trading, old, at_ns)
        state = QuoteState.NONE if old is None else QuoteState.CANCELED
        return QuoteSide(state, None if old is None else old.order_id, None, 0, 0, Cause.REQUESTED, "")
    refusal = refusal or rules.terms(trading.contracts.get(instrument), price, quantity)
    refusal = refusal or (rules.room(trading) if old is None else None)
    refusal = refusal or rules.own_match(trading, instrument, side, price)
    if refusal:
        _pull(trading, old, at_ns)
        return QuoteSide(QuoteState.REFUSED, None, None, 0, 0, *refusal)
    own = _enter(trading, request, (instrument, side, price, quantity), old, after, at_ns)
    state = QuoteState.RESTS if own.left else QuoteState.FILLED
    return QuoteSide(state, own.order_id, own.price if own.left else None, own.left, own.filled, Cause.OTHER, "")


def _enter(
    trading: FillTrading, request: MassQuote, wanted: tuple[int, Side, int, int], old: Own | None,
    after: list[Report], at_ns: int,
) -> Own:  # fmt: skip
    instrument, side, price, quantity = wanted
    if old is not None:
        old.client_id, old.quantity, old.filled = request.client_id, old.left, 0
        after += trading.change(old, price, quantity, at_ns)
        return old
    turn = trading.next_turn()
    own = Own(turn, request.client_id, instrument, side, price, quantity, turn, group=request.group)
    after += trading.take(own, at_ns)
    if own.left:
        trading.rest(own)
    return own


def _pull(trading: FillTrading, old: Own | None, at_ns: int) -> None:
    if old is not None:
        trading.leave(old, *_REPLACED, at_ns)
