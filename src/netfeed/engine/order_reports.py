"""What a report says of an order: which input of its life it is, and whether its numbers can be.

Each function takes down what the report says and gives the input, with the anomaly of its numbers where there is one.
Numbers that cannot be are not taken down, but where they make more possible than we thought: then the more counts.
"""

from typing import Final

from netfeed.book.execution import (
    Accepted,
    Amended,
    Ask,
    Canceled,
    Cause,
    Filled,
    Flag,
    OpenOrder,
    QuoteSide,
    QuoteState,
    Rejected,
)  # fmt: skip
from netfeed.book.level import Side
from netfeed.engine.order import Anomaly, Input, Order, State

MAX_QUANTITY: Final = 2**62
"""What no order and no execution can be: a venue's numbers are of 64 bits."""
MAX_PRICE: Final = 2**62
"""What no price can be, either way: books hold 64 bits."""

Judged = tuple[Input, Anomaly | None]


def is_sane(quantity: int) -> bool:
    """Say whether a quantity can be one."""
    return 0 < quantity <= MAX_QUANTITY


def is_price(price: int | None) -> bool:
    """Say whether a price can be one."""
    return price is None or -MAX_PRICE <= price <= MAX_PRICE


def accepted(order: Order, report: Accepted) -> Judged:
    """Judge an acknowledgement."""
    if order.rests is not None:
        return Input.ACCEPTED_AGAIN, None
    odd = _instrument(order, report.instrument) or _size(order, report.quantity) or _price(order, report.price)
    odd = _total(order, report.filled) or odd
    order.order_id, order.rests = report.order_id, report.rests
    if order.price is not None and odd is None:
        order.price = report.price
    if order.guessed is Input.UNLISTED and report.rests:
        return Input.LISTED, odd  # it was on its way when the venue did not list it
    return (Input.ACCEPTED if report.rests else Input.ACCEPTED_GONE), odd


def amended(order: Order, report: Amended) -> Judged:
    """Judge the answer to an amend: is it the one, an older one again, or one that nobody asked for?"""
    said = (report.price, report.quantity)
    matches = order.asked == said
    if not matches and (order.knows(*said) or order.is_over):
        return Input.AMENDED_AGAIN, None
    moved = order.asked is not None and order.asked[1] == report.quantity and bool(order.flags & Flag.POST_ONLY)
    moved = moved and is_price(report.price)
    if not matches and not moved:
        _size(order, report.quantity)
        return Input.AMENDED_WRONG, None
    odd = _instrument(order, report.instrument) or _total(order, report.filled)
    if not order.is_over:
        order.become(*said)
        order.order_id, order.rests = report.order_id, report.rests
    return (Input.AMENDED if report.rests else Input.AMENDED_GONE), odd


def rejected(order: Order, report: Rejected) -> Judged:
    """Judge a refusal."""
    lost = report.cause is Cause.NOT_FOUND
    if report.ask is Ask.AMEND:
        order.asked = None
        return (Input.AMEND_LOST if lost else Input.AMEND_REFUSED), None
    if report.ask is Ask.CANCEL:
        return (Input.CANCEL_LOST if lost else Input.CANCEL_REFUSED), None
    said_to_have_left = order.state is State.CANCELED and order.guessed is None
    known = order.rests is not None or order.filled or said_to_have_left
    return (Input.REFUSED_KNOWN if known else Input.REFUSED), None


def canceled(order: Order, report: Canceled) -> Judged:
    """Judge the end of an order."""
    odd = _instrument(order, report.instrument)
    if report.filled is not None:
        odd = _total(order, report.filled) or odd
        if odd is None and report.filled < max(order.filled, order.told):
            odd = Anomaly.BAD_TOTAL
        if odd is None and order.final is None:
            order.final = report.filled
    order.guessed = None
    return Input.CANCELED, odd


def quoted(order: Order, said: QuoteSide) -> Judged:
    """Judge what became of a side of a quote, in the words for orders."""
    client_id, instrument, order_id = order.client_id, order.instrument, said.order_id or 0
    if said.state in (QuoteState.RESTS, QuoteState.FILLED):
        rests = said.state is QuoteState.RESTS
        price, quantity = said.price, said.quantity
        return accepted(order, Accepted(client_id, instrument, order_id, price, quantity, said.filled, rests, None))
    if said.state is QuoteState.CANCELED:
        end = Canceled(client_id, instrument, order_id, said.filled, said.cause, said.venue_reason, None)
        return canceled(order, end)
    return rejected(order, Rejected(client_id, Ask.QUOTE, said.cause, said.venue_reason, None))


def misfit(order: Order, report: Filled) -> Anomaly | None:
    """Say why an execution cannot be of this order."""
    if report.side is not order.side:
        return Anomaly.WRONG_SIDE
    return _instrument(order, report.instrument)


def filled(order: Order, report: Filled) -> Judged:
    """Judge an execution that fits its order and is new; its quantity counts."""
    odd = _limit(order, report.price)
    if report.filled is not None:
        odd = (Anomaly.BAD_TOTAL if report.filled < report.quantity else _total(order, report.filled)) or odd
    order.filled += report.quantity
    announced = order.told if order.final is None else order.final
    if order.state is State.CANCELED and order.guessed is None and order.filled > announced:
        return Input.FILL_UNEXPECTED, odd
    if order.filled > order.most:
        odd = Anomaly.OVERFILLED
    return (Input.FILL if order.filled < order.most else Input.FILL_WHOLE), odd


def listed(order: Order, entry: OpenOrder) -> Judged:
    """Judge the entry of a list: what it says of price, quantity and total holds from here on."""
    if entry.side is not order.side:
        return Input.NONSENSE, Anomaly.WRONG_SIDE
    odd = _instrument(order, entry.instrument)
    if odd is not None:
        return Input.NONSENSE, odd
    said = (entry.price, entry.quantity)
    odd = None if is_sane(entry.quantity) else Anomaly.BAD_QUANTITY
    odd = odd if is_price(entry.price) else Anomaly.WRONG_PRICE
    if odd is None and order.state is State.UNCERTAIN:
        order.become(*said)
    elif odd is None and order.rests is None:
        odd = _size(order, entry.quantity) or _price(order, entry.price)
    elif odd is None and not order.is_over and said != order.asked and not order.knows(*said):
        odd = Anomaly.WRONG_PRICE if entry.quantity == order.quantity else Anomaly.BAD_QUANTITY
    odd = _total(order, entry.filled) or odd
    order.rests, order.order_id = True, entry.order_id
    return Input.LISTED, odd


def _instrument(order: Order, instrument: int) -> Anomaly | None:
    return None if order.instrument == instrument else Anomaly.WRONG_INSTRUMENT


def _size(order: Order, quantity: int) -> Anomaly | None:
    """Hold a quantity against the order's; one that is larger, and can be, counts from here on."""
    if quantity == order.quantity:
        return None
    if is_sane(quantity) and quantity > order.quantity:
        order.quantity = quantity
    return Anomaly.BAD_QUANTITY


def _price(order: Order, price: int | None) -> Anomaly | None:
    """Hold a price against the order's; who is post-only may have been moved away from the other side, no further."""
    if not is_price(price):
        return Anomaly.WRONG_PRICE
    if order.price is None or price == order.price:
        return None
    moved = price is not None and (price < order.price if order.side is Side.BID else price > order.price)
    return None if moved and order.flags & Flag.POST_ONLY else Anomaly.WRONG_PRICE


def _limit(order: Order, price: int) -> Anomaly | None:
    """Hold the price of an execution against the worst that was ever asked for."""
    if not is_price(price):
        return Anomaly.WRONG_PRICE
    if order.price is None:
        return None
    prices = [order.price, *(one for one, _ in order.past if one is not None), *(order.asked or ())[:1]]
    worse = price > max(prices) if order.side is Side.BID else price < min(prices)
    return Anomaly.WRONG_PRICE if worse else None


def _total(order: Order, total: int) -> Anomaly | None:
    """Take down a total of executions that can be."""
    if not 0 <= total <= max(order.most, *(quantity for _, quantity in order.past), 0):
        return Anomaly.BAD_TOTAL
    order.told = max(order.told, total)
    return None
