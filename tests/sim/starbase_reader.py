"""A plain reader of Starbase messages: offsets written down here, orders in a dict. Nothing of netfeed takes part."""

from struct import unpack_from

Orders = dict[int, tuple[int, int, int, int, int]]
"""By order id: instrument, side (0 bid), price, quantity, sortOrderId."""


def template(message: bytes) -> int:
    return int(unpack_from("<H", message, 2)[0])


def flags(message: bytes) -> int:
    return int(unpack_from("<H", message, 6)[0])


def apply(orders: Orders, message: bytes) -> None:
    kind = template(message)
    if 20 <= kind <= 25:
        order_id, instrument = unpack_from("<qq", message, 16)
        if kind in (20, 21):
            quantity, price, sort = unpack_from("<qqq", message, 32)
            orders[order_id] = (instrument, kind & 1, price, quantity, sort)
        elif kind in (22, 23):
            _, side, price, before, sort = orders[order_id]
            (quantity,) = unpack_from("<q", message, 32)
            assert 0 < quantity < before
            orders[order_id] = (instrument, side, price, quantity, sort)
        else:
            assert orders.pop(order_id)[:2] == (instrument, kind & 1)


def queue(orders: Orders, instrument: int, side: int) -> list[int]:
    """Give the order ids of a side, the next to be filled first."""
    mine = [(row[2] if side else -row[2], row[4], id_) for id_, row in orders.items() if row[:2] == (instrument, side)]
    return [id_ for _, _, id_ in sorted(mine)]


def levels(orders: Orders, instrument: int, side: int) -> tuple[tuple[int, int, int], ...]:
    found: dict[int, tuple[int, int]] = {}
    for id_ in queue(orders, instrument, side):
        _, _, price, quantity, _ = orders[id_]
        total, count = found.get(price, (0, 0))
        found[price] = (total + quantity, count + 1)
    return tuple((price, *level) for price, level in found.items())
