"""What will happen when an order meets a book whose orders have owners; nothing changes here.

Nobody trades with himself: what an account's `SelfMatch` says happens to the order that rests, to the one that comes,
or to both, in the place in the queue where they would meet. A reduce-only order that rests is filled only as far as the
position goes that its owner has by then, other fills of the same match included.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from netfeed.book.execution import Flag
from netfeed.sim.exchange_orders import Live, Orders
from netfeed.sim.matching import ASK, BID, MatchingBook


class SelfMatch(IntEnum):
    """Which order leaves when two of one account would meet."""

    CANCEL_MAKER = 0
    CANCEL_TAKER = 1
    CANCEL_BOTH = 2


@dataclass(slots=True)
class Plan:
    """What an order will do: fill so much, after `drops` have left and `trims` were cut to what is given beside them.

    `stopped`: what is left of it leaves as well, because it met an order of its own account.
    """

    filled: int = 0
    drops: list[Live] = field(default_factory=list)
    trims: list[tuple[Live, int]] = field(default_factory=list)
    stopped: bool = False

    @property
    def takes(self) -> bool:
        """Say whether the order meets anything."""
        return bool(self.filled or self.drops or self.trims or self.stopped)


def capacity(held: int, side: int) -> int:
    """Give how much an order of this side can reduce a position by."""
    return max(-held, 0) if side == BID else max(held, 0)


def plan(book: MatchingBook, orders: Orders, taker: Live, mode: SelfMatch, position: Callable[[str, int], int]) -> Plan:
    """Say what will happen to an order, at its price, against what rests."""
    made, left = Plan(), taker.left
    held: dict[str, int] = {}
    for resting in book.queue(1 - taker.side):
        if not left or (resting.price > taker.price if taker.side == BID else resting.price < taker.price):
            break
        maker = orders.by_id[resting.id]
        if maker.account == taker.account:
            if mode != SelfMatch.CANCEL_TAKER:
                made.drops.append(maker)
            if mode != SelfMatch.CANCEL_MAKER:
                made.stopped = True
                break
            continue
        size = min(left, _able(maker, held, position, made))
        held[maker.account] = held.get(maker.account, 0) + (-size if maker.side == ASK else size)
        made.filled += size
        left -= size
    return made


def _able(maker: Live, held: dict[str, int], position: Callable[[str, int], int], made: Plan) -> int:
    """Give how much of an order can be filled, and note when that is less than it has."""
    if not maker.flags & Flag.REDUCE_ONLY:
        return maker.left
    able = capacity(position(maker.account, maker.instrument) + held.get(maker.account, 0), maker.side)
    if able < maker.left:
        made.trims.append((maker, able))
    return min(able, maker.left)
