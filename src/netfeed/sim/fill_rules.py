"""What a fill model refuses, as any venue would, and the assumptions that it makes, in sentences for whoever reads.

Each check gives None, or the cause with the model's own word for it.
"""

from typing import Final

from netfeed.book.execution import Cause, Flag, New, Quote, TimeInForce
from netfeed.book.level import Side
from netfeed.engine.contract import Contract
from netfeed.engine.placing import beside, meets
from netfeed.sim.fill_orders import MAX_ORDERS, Own
from netfeed.sim.fill_trading import FillTrading

Refusal = tuple[Cause, str]
PASSIVE: Final = Flag.POST_ONLY | Flag.POST_ONLY_REJECT
AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)

ASSUMPTIONS: Final = (
    "the market does not react to us: nobody leaves, joins or trades because of our orders",
    "an order joins its queue behind all that rests there when it arrives; with single orders its place is exact, "
    "with levels alone every cancel is one from behind it, as long as anything is behind it",
    "it is filled by what was traded at its price or beyond it once nothing is before it, and by what comes to rest "
    "there on the other side; cancels in the packet of a trade count as filled before it",
    "what our orders took is not there again, nor seen by the engine, until as much has left the level, or more has "
    "come to it",
    "hidden, negotiated, unprinted and auction trades, and those at another price than their order's, fill nothing, "
    "nor does a book that is not LIVE or stands crossed; after that an order is at the end of its queue",
    "a halt that leaves the book uncrossed is not seen; margin, rate limits and market-maker protection are not the "
    "model's, but those of our own risk",
)
"""What the model takes for granted: shown with every summary."""


def terms(contract: Contract | None, price: int | None, quantity: int) -> Refusal | None:
    """Refuse what is no order of this contract."""
    if contract is None:
        return Cause.INSTRUMENT, "unknown_instrument"
    if quantity <= 0 or quantity % contract.lot:
        return Cause.QUANTITY, "off_lot"
    if price is not None and (price <= 0 or price % contract.tick_at(price)):
        return Cause.PRICE, "off_tick"
    return None


def room(trading: FillTrading) -> Refusal | None:
    """Refuse one order too many."""
    return (Cause.LIMIT, "too_many_orders") if len(trading.orders) >= MAX_ORDERS else None


def own_match(trading: FillTrading, instrument: int, side: Side, price: int | None) -> Refusal | None:
    """Refuse what would trade with an order of ours."""
    return (Cause.SELF_MATCH, "self_match") if trading.orders.meets_own(instrument, side, price) else None


def passive(trading: FillTrading, own: Own) -> Refusal | None:
    """Refuse a post-only order that would take, or move it so that it does not."""
    if not own.flags & PASSIVE:
        return None
    if own.time_in_force in AT_ONCE:
        return Cause.POST_ONLY, "post_only_never_rests"
    opposite = trading.depth(own.instrument).best(Side.ASK if own.side is Side.BID else Side.BID)
    if opposite is None or not meets(own.side, own.price, opposite.price):
        return None
    if own.flags & Flag.POST_ONLY_REJECT:
        return Cause.POST_ONLY, "post_only_would_take"
    own.price = beside(trading.contracts[own.instrument], own.side, opposite.price)
    return None if own.price > 0 else (Cause.POST_ONLY, "post_only_would_take")


def reduce(trading: FillTrading, own: Own, but: Own | None = None) -> Refusal | None:
    """Cut a reduce-only order to what there is to reduce, or refuse it."""
    if own.flags & Flag.REDUCE_ONLY:
        reducible = trading.orders.reducible(own.instrument, own.side, but)
        own.quantity = own.filled + min(own.left, reducible)
        return None if own.left else (Cause.LIMIT, "reduce_only")
    return None


def new(trading: FillTrading, request: New) -> Refusal | None:
    """Refuse an order by what it says alone."""
    refusal = terms(trading.contracts.get(request.instrument), request.price, request.quantity)
    return refusal or room(trading) or own_match(trading, request.instrument, request.side, request.price)


def crossed(quote: Quote) -> Refusal | None:
    """Refuse a quote whose own sides meet."""
    meet = quote.bid is not None and quote.ask is not None and quote.bid >= quote.ask
    return (Cause.PRICE, "quote_crosses_itself") if meet else None
