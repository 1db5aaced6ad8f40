"""What rests and what was traded, of all that an OUCH venue has told since its first message of the day.

OUCH lists nothing. But its messages are numbered and kept for the day, so whoever has read them from the first on, as a
`Past` that began with message 1 has, knows what the venue knows: this is that, in the words of a list.

Leaves out: what was held before the day, and trades that were broken (the venue tells them by other means).
"""

from collections import Counter

from netfeed.book.execution import Listed, OpenOrder, Position
from netfeed.book.level import Side
from netfeed.proto.ouch_past import Order, Past


def listed(session: int, past: Past) -> Listed:
    """Give the list. An order that the venue has not accepted yet is not in it."""
    held: Counter[int] = Counter()
    for order in past.orders.values():
        held[order.terms.instrument] += order.filled if order.side is Side.BID else -order.filled
    orders = tuple(_open(order) for order in past.alive() if order.order_id)
    return Listed(session, orders, tuple(Position(*one, None) for one in sorted(held.items()) if one[1]), None)


def _open(order: Order) -> OpenOrder:
    return OpenOrder(
        order.client_id, order.terms.instrument, order.order_id, order.side, order.price, order.filled + order.open,
        order.filled, quote=False,
    )  # fmt: skip
