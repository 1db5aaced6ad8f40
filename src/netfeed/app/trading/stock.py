"""Take what a venue lists into an account that has just begun: whoever sends one order from a shell has no journal.

What rests counts for every limit from here on, what is held is adopted as it is. An order that bears no client id of
ours stays unknown: the next list finds it, and nothing new passes until it is gone. Nothing is sent by this.
"""

from collections.abc import Iterator

from netfeed.book.execution import (
    Accepted,
    Cause,
    Filled,
    Listed,
    MassQuote,
    New,
    OpenOrder,
    Quote,
    Quoted,
    QuoteSide,
    QuoteState,
    Report,
    Request,
)
from netfeed.book.level import Side
from netfeed.engine.account import Account

_NONE = QuoteSide(QuoteState.NONE, None, None, 0, 0, Cause.OTHER, "")


def take_in(account: Account, listed: Listed, now: int) -> None:
    """Know the orders and positions of a list."""
    orders = [one for one in listed.orders if one.client_id is not None and one.instrument in account.contracts]
    numbers = sorted({one.client_id for one in orders if one.client_id is not None})
    for place, client_id in enumerate(numbers, 1):
        mine = [one for one in orders if one.client_id == client_id]
        request, answer = _quotes(client_id, -place, mine) if mine[0].quote else _order(client_id, mine[0])
        if account.orders.objection(request) is not None:
            continue  # no order that can be: the next list finds it
        account.decide(request, now)
        account.sent(request, listed.session, now)
        for report in (answer, *_fills(client_id, mine)):
            account.apply(report, now)
    for held in listed.positions:
        contract = account.contracts.get(held.instrument)
        if contract is not None:
            account.adopt(held.instrument, held.quantity, held.average_price or contract.tick)


def _order(client_id: int, one: OpenOrder) -> tuple[Request, Report]:
    request = New(client_id, one.instrument, one.side, one.price, one.quantity)
    return request, Accepted(client_id, one.instrument, one.order_id, one.price, one.quantity, 0, True, None)


def _quotes(client_id: int, group: int, sides: list[OpenOrder]) -> tuple[Request, Report]:
    """Give quotes as those of a group of their own: a list does not say which, and they must not replace each other."""
    quotes, told = [], []
    for instrument in dict.fromkeys(one.instrument for one in sides):
        found = {one.side: one for one in sides if one.instrument == instrument}
        bid, ask = found.get(Side.BID), found.get(Side.ASK)
        quotes.append(Quote(instrument, *_wish(bid), *_wish(ask)))
        told.append((instrument, _side(bid), _side(ask)))
    return MassQuote(client_id, group, tuple(quotes)), Quoted(client_id, group, tuple(told), None)


def _wish(one: OpenOrder | None) -> tuple[int | None, int]:
    return (None, 0) if one is None else (one.price, one.quantity)


def _side(one: OpenOrder | None) -> QuoteSide:
    if one is None:
        return _NONE
    return QuoteSide(QuoteState.RESTS, one.order_id, one.price, one.quantity, 0, Cause.OTHER, "")


def _fills(client_id: int, sides: list[OpenOrder]) -> Iterator[Report]:
    """Give what was executed before: one execution at the order's own price, for its total; positions are adopted."""
    for one in sides:
        if one.filled and one.price is not None:
            yield Filled(
                client_id, one.instrument, one.order_id, f"before {one.order_id}", one.side, one.price, one.filled,
                one.filled, True, None, quote=one.quote,
            )  # fmt: skip
