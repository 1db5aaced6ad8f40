"""What Starbase says of orders, in the words of `book.execution`.

    200 NewOrderResponse    Accepted, its fills, Canceled where nothing of it is left
    210 AmendResponse       Amended, its fills, Canceled
    220 CancelResponse      Canceled
    230 MassQuoteResponse   Quoted, its fills
    300 OrderFilled         Filled, of what rested
    310 OrdersCanceled      Canceled, of each
    312, 314 Placed         fills and ends of what left the speed bump
    320, 322 / 324, 326     Tripped / Freed
    202 212 222             Rejected

An order in the speed bump (QUEUED) is told as resting: it is alive and can be cancelled. Fills of an answer are a
taker's, those of OrderFilled a maker's; an answer to an amendment does not say on which side, which is remembered.
`filled` of an answer is the total with its fills; that of each fill is the total as far as it. Legs of combinations are
not told: they are counted as puzzling.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from netfeed.book.execution import (
    Accepted,
    Amended,
    Ask,
    Canceled,
    Cause,
    Filled,
    Freed,
    Quoted,
    QuoteSide,
    QuoteState,
    Rejected,
    Report,
    Tripped,
)
from netfeed.book.level import Side
from netfeed.proto import starbase_causes as causes
from netfeed.proto.starbase_requests import side_in
from netfeed.proto.starbase_state import Puzzling, plain
from netfeed.proto.starbase_terms import Instruments, Terms
from netfeed.wire import starbase_codes as codes
from netfeed.wire.starbase_codes import NO_CODE, FillFlags, MessageType, OrderStatus, QuoteStatus

Said = Iterator[Report | Puzzling]

RESTS: Final = frozenset({OrderStatus.ACTIVE, OrderStatus.QUEUED})
_QUOTES: Final[Mapping[int, QuoteState]] = {
    QuoteStatus.INACTIVE: QuoteState.NONE, QuoteStatus.UNMODIFIED: QuoteState.RESTS,
    QuoteStatus.QTY_REDUCED: QuoteState.RESTS, QuoteStatus.UPDATED: QuoteState.RESTS,
    QuoteStatus.FILLED: QuoteState.FILLED, QuoteStatus.CANCELED_BY_REQUEST: QuoteState.CANCELED,
    QuoteStatus.CANCELED_BY_MMP: QuoteState.CANCELED, QuoteStatus.CANCELED_BY_SELF_MATCH: QuoteState.CANCELED,
    QuoteStatus.SPEED_BUMPED: QuoteState.RESTS,
}  # fmt: skip
_QUOTE_CAUSES: Final[Mapping[int, Cause]] = {
    QuoteStatus.CANCELED_BY_REQUEST: Cause.REQUESTED, QuoteStatus.CANCELED_BY_MMP: Cause.PROTECTION,
    QuoteStatus.CANCELED_BY_SELF_MATCH: Cause.SELF_MATCH,
}  # fmt: skip


def _taken(body: Any, terms: Terms, client_id: int, side: Side | None, ts: int, *, quote: bool = False) -> Said:
    """Tell the fills of an order that took, and its end where it was cancelled."""
    total = terms.quantity_in(body.totalFilled)
    sizes = [terms.quantity_in(fill.fillQty) for fill in body.fills]
    so_far = total - sum(sizes)
    for fill, size in zip(body.fills, sizes, strict=True):
        so_far += size
        if side is None:
            yield Puzzling(f"a fill {fill.matchId} of order {client_id}, whose side nobody knows")
            continue
        yield Filled(
            client_id, terms.instrument, body.orderId, fill.matchId, side, terms.price_in(fill.fillPrice), size, so_far,
            False, ts, quote=quote,
        )  # fmt: skip
    if body.status == OrderStatus.CANCELED:
        yield Canceled(
            client_id, terms.instrument, body.orderId, total, causes.CANCELED.get(body.cancelReason, Cause.OTHER),
            causes.named(codes.CancelReason, body.cancelReason), ts, quote,
        )  # fmt: skip


def _legs(body: Any) -> Said:
    if body.legs:
        yield Puzzling(f"{len(body.legs)} legs of a combination")


def _new_order(body: Any, listed: Instruments, sides: "Sides") -> Said:
    terms = listed.theirs(body.instrumentId)
    side = side_in(body.side)
    yield Accepted(
        body.clientOrderId, terms.instrument, body.orderId, terms.price_in(body.price),
        terms.quantity_in(body.quantity), terms.quantity_in(body.totalFilled), body.status in RESTS, body.timestamp,
    )  # fmt: skip
    yield from _taken(body, terms, body.clientOrderId, side, body.timestamp)
    yield from _legs(body)


def _amend(body: Any, listed: Instruments, sides: "Sides") -> Said:
    terms = listed.theirs(body.instrumentId)
    yield Amended(
        body.clientOrderId, terms.instrument, body.orderId, terms.price_in(body.price),
        terms.quantity_in(body.quantity), terms.quantity_in(body.totalFilled), body.status in RESTS, body.timestamp,
    )  # fmt: skip
    yield from _taken(body, terms, body.clientOrderId, sides.get(body.clientOrderId), body.timestamp)
    yield from _legs(body)


def _placed(body: Any, listed: Instruments, sides: "Sides") -> Said:
    terms = listed.theirs(body.instrumentId)
    yield from _taken(body, terms, body.clientOrderId, sides.get(body.clientOrderId), body.timestamp)
    yield from _legs(body)


def _cancel(body: Any, listed: Instruments, sides: "Sides") -> Said:
    terms = listed.theirs(body.instrumentId)
    yield Canceled(
        body.clientOrderId, terms.instrument, body.orderId, terms.quantity_in(body.totalFilled), Cause.REQUESTED,
        codes.CancelReason.BY_REQUEST.name, body.timestamp,
    )  # fmt: skip


def _filled(body: Any, listed: Instruments, sides: "Sides") -> Said:
    for fill in body.fills:
        terms = listed.theirs(fill.instrumentId)
        yield Filled(
            fill.clientOrderId, terms.instrument, fill.orderId, fill.matchId, side_in(fill.side),
            terms.price_in(fill.price), terms.quantity_in(fill.fillQty), terms.quantity_in(fill.totalFilled), True,
            body.timestamp, quote=bool(fill.flags & FillFlags.IS_QUOTE),
        )  # fmt: skip
    yield from _legs(body)


def _orders_canceled(body: Any, listed: Instruments, sides: "Sides") -> Said:
    for order in body.orders:
        terms = listed.theirs(order.instrumentId)
        yield Canceled(
            order.clientOrderId, terms.instrument, order.orderId, terms.quantity_in(order.totalFilled),
            causes.CANCELED.get(order.cancelReason, Cause.OTHER), causes.named(codes.CancelReason, order.cancelReason),
            body.timestamp, bool(order.flags & 1),
        )  # fmt: skip


def _quotes_placed(body: Any, listed: Instruments, sides: "Sides") -> Said:
    for order in body.orders:
        terms = listed.theirs(order.instrumentId)
        fills = tuple(fill for fill in body.fills if fill.orderId == order.orderId)
        yield from _taken(
            _One(order, fills), terms, order.clientOrderId, side_in(order.side), body.timestamp, quote=True
        )
    yield from _legs(body)


class _One:
    """One order of a message of many, with its own fills, in the shape of a message of one."""

    def __init__(self, order: Any, fills: Sequence[Any]) -> None:
        self.orderId, self.totalFilled, self.fills = order.orderId, order.totalFilled, fills
        self.status, self.cancelReason = order.status, order.cancelReason


def _quoted(body: Any, listed: Instruments, sides: "Sides") -> Said:
    quotes = [(listed.theirs(one.instrumentId), one) for one in body.quotes]
    told = tuple((terms.instrument, _side(one, terms, "bid"), _side(one, terms, "ask")) for terms, one in quotes)
    yield Quoted(body.quoteId, body.mmpGroupId, told, body.timestamp)
    orders = {one.instrumentId: (one.bidOrderId, one.askOrderId) for one in body.quotes}
    for side, fills in ((Side.BID, body.bidFills), (Side.ASK, body.askFills)):
        for fill in fills:
            terms = listed.theirs(fill.instrumentId)
            yield Filled(
                body.quoteId, terms.instrument, orders.get(fill.instrumentId, (0, 0))[side], fill.matchId, side,
                terms.price_in(fill.fillPrice), terms.quantity_in(fill.fillQty), None, False, body.timestamp,
                quote=True,
            )  # fmt: skip
    yield from _legs(body)


def _side(one: Any, terms: Terms, side: str) -> QuoteSide:
    """Read one side of a quote; only a side that is or was in the book has an order, a price and a quantity."""
    order_id, price, quantity, filled, status, reason = (
        getattr(one, side + name)
        for name in ("OrderId", "Price", "Qty", "FilledQty", "Status", "RejectReason")
    )  # fmt: skip
    state = _QUOTES.get(status, QuoteState.NONE)
    refused = reason not in (NO_CODE, codes.OrderRejectReason.SYSTEM_ERROR)
    if refused and state in (QuoteState.NONE, QuoteState.CANCELED):
        state = QuoteState.REFUSED
    cause = causes.REFUSED.get(reason, Cause.OTHER) if refused else _QUOTE_CAUSES.get(status, Cause.OTHER)
    word = causes.named(codes.OrderRejectReason, reason) if refused else causes.named(QuoteStatus, status)
    there = state is not QuoteState.NONE and not (state is QuoteState.REFUSED and not order_id)
    return QuoteSide(
        state, order_id if there and order_id else None, terms.price_in(price) if there else None,
        terms.quantity_in(quantity), terms.quantity_in(filled), cause, word,
    )  # fmt: skip


def _mmp(kind: type[Tripped] | type[Freed], scope: str) -> Callable[[Any, Instruments, "Sides"], Said]:
    orders = scope == "currencyPairId"

    def said(body: Any, listed: Instruments, sides: "Sides") -> Said:
        group = getattr(body, scope)
        if kind is Freed:
            yield Freed(group, body.timestamp, orders)
        else:
            yield Tripped(
                group, causes.named(codes.Trigger, body.trigger).lower(), body.frozenUntil or None, body.timestamp,
                orders,
            )  # fmt: skip

    return said


def _refused(ask: Ask, reasons: Mapping[int, Cause], kind: type[Any]) -> Callable[[Any, Instruments, "Sides"], Said]:
    def said(body: Any, listed: Instruments, sides: "Sides") -> Said:
        word = causes.named(kind, body.reason, plain(body.details))
        yield Rejected(body.clientOrderId, ask, reasons.get(body.reason, Cause.OTHER), word, body.timestamp)

    return said


Sides = Mapping[int, Side]
"""On which side an order is, by its client id: answers to an amendment do not say."""

_M: Final = MessageType
SAID: Final[Mapping[int, Callable[[Any, Instruments, Sides], Said]]] = {
    _M.NEW_ORDER_RESPONSE: _new_order,
    _M.AMEND_RESPONSE: _amend,
    _M.CANCEL_RESPONSE: _cancel,
    _M.MASS_QUOTE_RESPONSE: _quoted,
    _M.ORDER_FILLED: _filled,
    _M.ORDERS_CANCELED: _orders_canceled,
    _M.ORDER_PLACED: _placed,
    _M.MASS_QUOTE_ORDERS_PLACED: _quotes_placed,
    _M.MASS_QUOTE_MMP_TRIGGERED: _mmp(Tripped, "mmpGroupId"),
    _M.ORDERS_MMP_TRIGGERED: _mmp(Tripped, "currencyPairId"),
    _M.MASS_QUOTE_MMP_UNFROZEN: _mmp(Freed, "mmpGroupId"),
    _M.ORDERS_MMP_UNFROZEN: _mmp(Freed, "currencyPairId"),
    _M.NEW_ORDER_REJECT: _refused(Ask.NEW, causes.REFUSED, codes.OrderRejectReason),
    _M.AMEND_REJECT: _refused(Ask.AMEND, causes.REFUSED, codes.OrderRejectReason),
    _M.CANCEL_REJECT: _refused(Ask.CANCEL, causes.NOT_CANCELED, codes.CancelRejectReason),
}  # fmt: skip
