"""What happens to a simulated stock, one action at a time, and the TotalView-ITCH 5.0 messages that tell it.

Source: the layouts of `wire.itch`; the tests hold these packers against them. An action takes a stock and a few random
bits, changes its book, and appends messages - one, or several for an order that takes more than one resting order. It
is called some millions of times, so the packers are prepared, and tracking number and timestamp travel as one integer
of eight bytes, the *stamp*: tracking << 48 | ns.

Invariant: every message is true of the book at the moment it is sent, and stands behind its length.
"""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from struct import Struct
from typing import Any, Final

from netfeed.sim.itch_stock import BUY, REFERENCE_SHIFT, SELL, SIDES, TICK, Stock
from netfeed.wire import binaryfile, itch

Action = Callable[[Stock, int, int, int, int], None]
"""Takes a stock, a stamp, a distance from the touch in ticks, a number of shares, and 16 random bits."""

MIX: Final[tuple[tuple[str, tuple[int, int]], ...]] = (
    # action, its weight while a stock holds less than its target of orders, and while it holds more
    ("add", (530, 387)),
    ("delete", (324, 467)),
    ("replace", (90, 90)),
    ("take", (16, 16)),
    ("cancel", (25, 25)),
    ("trade", (9, 9)),
    ("imbalance", (3, 3)),
    ("improve", (2, 2)),
    ("break_trade", (1, 1)),
)  # fmt: skip

_ENDS: Final = [
    [end * 65_536 // sum(column) for end in accumulate(column)]
    for column in zip(*(weights for _, weights in MIX), strict=True)
]
"""By column: up to which pick each action goes."""

_ADD: Final = Struct(">HBHQQBI8sI").pack
_ADD_MPID: Final = Struct(">HBHQQBI8sI4s").pack
_EXECUTE: Final = Struct(">HBHQQIQ").pack
_EXECUTE_AT: Final = Struct(">HBHQQIQBI").pack
_CANCEL: Final = Struct(">HBHQQI").pack
_DELETE: Final = Struct(">HBHQQ").pack
_REPLACE: Final = Struct(">HBHQQQII").pack
_TRADE: Final = Struct(">HBHQQBI8sIQ").pack
_A, _F, _E, _C, _X, _D, _U, _P = b"AFECXDUP"
_MPIDS: Final = (b"MKRA", b"MKRB", b"BRKC", b"BRKD")
_MPID_PICKS: Final = 1200
"""How many of the 65,536 picks name the market participant."""


class Flow:
    """The messages that were made and not yet taken, and the numbers that rise through the day.

    An action that sends more than one message stops when `room` messages are waiting.
    """

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.reference = 0
        self.match = 0
        self.room = 2**63

    def actions(self, column: int) -> list[Action]:
        """Give 65,536 actions in the proportions of a column of `MIX`, to be picked by 16 random bits."""
        total = sum(weights[column] for _, weights in MIX)
        spread: list[Action] = []
        done = 0
        for name, weights in MIX:
            done += weights[column]
            spread += [getattr(self, name)] * (done * 65_536 // total - len(spread))
        return spread

    def action(self, column: int, pick: int) -> Action:
        """Pick an action by 16 random bits, in the proportions of a column of `MIX`."""
        action: Action = getattr(self, MIX[bisect_right(_ENDS[column], pick)][0])
        return action

    def say(self, message_type: str, stock: Stock | None, stamp: int, /, **fields: Any) -> None:
        """Append a message that is too rare for a packer of its own."""
        message = itch.encode(
            message_type,
            stock_locate=stock.locate if stock else 0,
            tracking_number=stamp >> 48,
            timestamp=stamp & 0xFFFFFFFFFFFF,
            **fields,
        )
        self.out.append(binaryfile.encode_record(message))

    def introduce(self, stock: Stock, stamp: int) -> None:
        """Say what a stock is, before the first order comes."""
        self.say(
            "R", stock, stamp,
            stock=stock.name, market_category="Q", financial_status_indicator="N", round_lot_size=100,
            round_lots_only="N", issue_classification="C", issue_sub_type="Z", authenticity="T",
            short_sale_threshold_indicator="N", ipo_flag="N", luld_reference_price_tier="1", etp_flag="N",
            etp_leverage_factor=0, inverse_indicator="N",
        )  # fmt: skip
        self.say("H", stock, stamp, stock=stock.name, trading_state="T", reserved="", reason="")
        self.say("Y", stock, stamp, stock=stock.name, reg_sho_action="0")
        self.say(
            "L", stock, stamp,
            mpid="MKRA", stock=stock.name, primary_market_maker="Y", market_maker_mode="N",
            market_participant_state="A",
        )  # fmt: skip

    def repeat(self, stock: Stock, stamp: int) -> None:
        """Say of each order that rests that it was added, those of a level in their order."""
        for side, levels in ((BUY, stock.bids), (SELL, stock.asks)):
            for tick, level in sorted(levels.items()):
                price = (stock.base + tick) * TICK
                for key, shares in level.items():
                    reference = key >> REFERENCE_SHIFT
                    self.out.append(
                        _ADD(36, _A, stock.locate, stamp, reference, SIDES[side], shares, stock.name, price)
                    )

    def add(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """A new order; now and then with the name of its participant."""
        side = pick >> 2 & 1
        tick = stock.place(side, distance)
        self.reference = reference = self.reference + 1 + (pick & 3)
        stock.rest(reference, shares, tick, side)
        price = (stock.base + tick) * TICK
        side = SIDES[side]
        if pick >= _MPID_PICKS:
            self.out.append(_ADD(36, _A, stock.locate, stamp, reference, side, shares, stock.name, price))
        else:
            mpid = _MPIDS[pick >> 3 & 3]
            self.out.append(_ADD_MPID(40, _F, stock.locate, stamp, reference, side, shares, stock.name, price, mpid))

    def delete(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """An order leaves; where there is none, one comes."""
        key = stock.leave(pick)
        if not key:
            return self.add(stock, stamp, distance, shares, pick)
        return self.out.append(_DELETE(19, _D, stock.locate, stamp, key >> REFERENCE_SHIFT))

    def replace(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """An order changes its size and mostly its price; it goes to the end of its queue. With none, one comes."""
        key = stock.leave(pick)
        if not key:
            return self.add(stock, stamp, distance, shares, pick)
        side = key & 1
        tick = stock.place(side, distance if pick % 3 else 0)
        self.reference = new = self.reference + 1 + (pick & 3)
        stock.rest(new, shares, tick, side)
        price = (stock.base + tick) * TICK
        return self.out.append(_REPLACE(35, _U, stock.locate, stamp, key >> REFERENCE_SHIFT, new, shares, price))

    def cancel(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """A part of an order leaves; where that cannot be, an order comes."""
        key, cut = stock.shrink(pick)
        if not cut:
            return self.add(stock, stamp, distance, shares, pick)
        return self.out.append(_CANCEL(23, _X, stock.locate, stamp, key >> REFERENCE_SHIFT, cut))

    def take(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """A marketable order comes and is filled, first in first out; it prefers what the fair price has passed."""
        side, left = pick & 1, shares * (1 + (pick >> 3 & 3))
        if stock.ask <= stock.fair:
            side, left = SELL, 2 * left
        elif stock.bid > stock.fair:
            side, left = BUY, 2 * left
        while left and len(self.out) < self.room:
            key, filled = stock.fill(side, left)
            if not filled:
                return
            left -= filled
            self.match += 1
            self.out.append(_EXECUTE(31, _E, stock.locate, stamp, key >> REFERENCE_SHIFT, filled, self.match))

    def improve(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """The first order of a side is executed at a better price than its own."""
        price = self._middle(stock)
        if stock.first(pick & 1):
            self._execute_at(stock, stamp, pick & 1, shares, "Y", price)

    def _execute_at(self, stock: Stock, stamp: int, side: int, limit: int, printable: str, price: int) -> None:
        key, filled = stock.fill(side, limit)
        self.match += 1
        reference = key >> REFERENCE_SHIFT
        self.out.append(_EXECUTE_AT(36, _C, stock.locate, stamp, reference, filled, self.match, ord(printable), price))

    def trade(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """A trade against an order that was never displayed."""
        self.match += 1
        price = self._middle(stock)
        self.out.append(_TRADE(44, _P, stock.locate, stamp, 0, SIDES[BUY], shares, stock.name, price, self.match))

    def imbalance(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """An indication of what a cross would do."""
        price = self._middle(stock)
        self.say(
            "I", stock, stamp,
            paired_shares=shares, imbalance_shares=pick, imbalance_direction="BSN"[pick % 3], stock=stock.name,
            far_price=price, near_price=price, current_reference_price=price, cross_type="C",
            price_variation_indicator="L",
        )  # fmt: skip

    def break_trade(self, stock: Stock, stamp: int, distance: int, shares: int, pick: int) -> None:
        """An execution is declared void; the book is not touched by that. Before the first one, there is a trade."""
        if not self.match:
            return self.trade(stock, stamp, distance, shares, pick)
        return self.say("B", stock, stamp, match_number=1 + (pick * self.match >> 16))

    def cross(self, stock: Stock, stamp: int, cross_type: str) -> None:
        """The opening or closing cross: the first orders of both sides meet between their prices."""
        shares = min(stock.first(BUY), stock.first(SELL))
        price = self._middle(stock)
        for side in (BUY, SELL) if shares else ():
            self._execute_at(stock, stamp, side, shares, "N", price)
        self.match += 1
        self.say(
            "Q", stock, stamp,
            cross_shares=shares, stock=stock.name, cross_price=price if shares else 0, match_number=self.match,
            cross_type=cross_type,
        )  # fmt: skip

    def _middle(self, stock: Stock) -> int:
        return (stock.price(stock.bid) + stock.price(stock.ask)) // 2 if stock.two_sided() else stock.price(stock.fair)
