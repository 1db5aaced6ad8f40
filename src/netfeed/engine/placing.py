"""Where a quote may stand: on the grid, never through the market or through itself, never for less than its edge.

Prices here are what they are on a venue, integers of the contract; worths and edges are numbers. Everything is rounded
outwards, bids down and asks up: a rounding never costs edge.
"""

from netfeed.book.level import Side
from netfeed.engine.board import best
from netfeed.engine.contract import Contract
from netfeed.engine.strategy import Book, Fair, Working


def fee(contract: Contract, price: float, forward: float, *, maker: bool = True) -> float:
    """Give the fee of one unit, never less than nothing: a rebate is not counted on.

    An option's notional is its underlying: a coin where the price is in coin. Caps of venues are left out, which only
    asks for more edge than needed. Units: as the price.
    """
    share = max(0.0, contract.maker_fee if maker else contract.taker_fee)
    if not contract.is_option:
        return share * abs(price)
    return share * (1.0 if contract.inverse else forward)


def in_price(contract: Contract, fair: Fair, money: float) -> float:
    """Turn money in the quote currency into what the price is in: coins of an inverse option."""
    return money / fair.forward if contract.inverse and contract.is_option else money


def edge_price(contract: Contract, fair: Fair, side: Side, edge: float) -> int:
    """Give the last price of a side that earns at least `edge` after the fee on that price."""
    away = 1 if side is Side.ASK else -1
    if contract.is_option:
        price = fair.value + away * (edge + fee(contract, fair.value, fair.forward))
    else:
        price = (fair.value + away * edge) / (1.0 - away * max(0.0, contract.maker_fee))
    return contract.up(price) if side is Side.ASK else contract.down(price)


def beside(contract: Contract, side: Side, opposite: int) -> int:
    """Give the price of a side that is nearest to a price of the other side and does not meet it."""
    return opposite - contract.tick_at(opposite - 1) if side is Side.BID else opposite + contract.tick_at(opposite)


def last_price(contract: Contract, fair: Fair, book: Book, side: Side, edge: float) -> int:
    """Give the last price of a side that earns its edge and takes nothing of what rests on the other side."""
    price, opposite = edge_price(contract, fair, side, edge), best(book, Side.ASK if side is Side.BID else Side.BID)
    return price if opposite is None else held_back(side, price, beside(contract, side, opposite))


def held_back(side: Side, price: int, limit: int) -> int:
    """Give a price of a side, or the limit where it is beyond that."""
    return min(price, limit) if side is Side.BID else max(price, limit)


def behind(side: Side, price: int, other: int) -> bool:
    """Say whether a price of a side is further from being filled than another; of our two sides, that they do not
    meet.
    """
    return price < other if side is Side.BID else price > other


def meets(side: Side, price: int, opposite: int) -> bool:
    """Say whether a price of a side and one of the other side would trade."""
    return price >= opposite if side is Side.BID else price <= opposite


def whole_lots(contract: Contract, quantity: float) -> int:
    """Round a quantity down to lots, never below nothing. Units: from and to the instrument's quantity."""
    return max(0, int(quantity // contract.lot)) * contract.lot


def reach(order: Working) -> tuple[int, ...]:
    """Give the prices at which an order of ours may rest now: two while an amendment is unanswered."""
    return tuple(price for price in (order.price, order.asked_price) if price is not None)
