"""One stock of a simulated exchange: orders in price-time priority, and where the next one will stand.

The book is a ladder of WIDTH ticks of one cent. Around a fair price that walks slowly, bids are placed at and below it,
asks above it, at a distance that has a power law. A new order never crosses: when the fair price has moved past the
orders of the other side, it stops one tick before them, and they are the next to be executed.

An order is one integer, its *key*: reference << 12 | tick << 1 | side. A level is a dict of keys and shares in order of
arrival. Plain integers in plain dicts are what the interpreter handles fastest, and the garbage collector ignores them.

Invariant: `bid` < `ask`; a level without orders does not exist. No tick leaves the ladder, since the fair price keeps
MARGIN away from its ends and no distance is longer.
"""

from typing import Final

from netfeed.sim.draws import Draws

Levels = dict[int, dict[int, int]]
"""Levels by tick; a level holds shares by key."""

TICK_BITS: Final = 11
WIDTH: Final = 1 << TICK_BITS
MARGIN: Final = 512
WIDEST: Final = 8
"""The largest distance of a stock's quotes from its fair price, on each side. Units: ticks."""
DEEPEST: Final = MARGIN - WIDEST - 1
"""The longest distance behind that. Units: ticks."""
TICK: Final = 100
"""One cent in ITCH's prices of four decimals."""

SELL: Final = 0
BUY: Final = 1
SIDES: Final = b"SB"
"""The sides' letters in a message."""

REFERENCE_SHIFT: Final = TICK_BITS + 1
_TICKS: Final = WIDTH - 1


class Stock:
    """The orders of one stock. `target` is how many of them it should hold; `base` is the tick number of tick 0."""

    __slots__ = (
        "ask", "asks", "asks_at", "base", "bid", "bids", "bids_at", "fair", "half", "live", "locate", "name", "target",
    )  # fmt: skip

    def __init__(self, locate: int, name: bytes, base: int, half: int, target: int) -> None:
        self.locate, self.name, self.base, self.half, self.target = locate, name, base, half, target
        self.fair = WIDTH // 2
        self.bid, self.ask = -1, WIDTH
        self.bids: Levels = {}
        self.asks: Levels = {}
        self.bids_at, self.asks_at = bytearray(WIDTH), bytearray(WIDTH)  # 1 where there is a level, to find the next
        self.live: list[int] = []  # keys, the young ones last; executed orders stay until `forget`

    def price(self, tick: int) -> int:
        """Give the price of a tick. Units: 1/10000 of the currency."""
        return (self.base + tick) * TICK

    def two_sided(self) -> bool:
        """Say whether both sides have an order."""
        return self.bid >= 0 and self.ask < WIDTH

    def place(self, side: int, distance: int) -> int:
        """Give the tick for a new order, `distance` behind the place of the best quote."""
        if side:
            tick = self.fair - self.half - distance
            return tick if tick < self.ask else self.ask - 1
        tick = self.fair + 1 + self.half + distance
        return tick if tick > self.bid else self.bid + 1

    def rest(self, reference: int, shares: int, tick: int, side: int) -> None:
        """Put an order behind all others of its price."""
        key = reference << REFERENCE_SHIFT | tick << 1 | side
        self.live.append(key)
        level = (self.bids if side else self.asks).get(tick)
        if level is not None:
            level[key] = shares
        elif side:
            self.bids[tick] = {key: shares}
            self.bids_at[tick] = 1
            if tick > self.bid:
                self.bid = tick
        else:
            self.asks[tick] = {key: shares}
            self.asks_at[tick] = 1
            if tick < self.ask:
                self.ask = tick

    def leave(self, pick: int) -> int:
        """Take an order out, by 16 random bits: three times in four a young one, else any. Give its key, 0 if none."""
        live = self.live
        while live:
            count = len(live)
            index = count - 1 - (pick >> 2 & 31) if pick & 3 and count > 32 else pick * count >> 16
            key = live[index]
            live[index] = live[-1]
            live.pop()
            level = (self.bids if key & 1 else self.asks).get(key >> 1 & _TICKS)
            if level is not None and level.pop(key, 0):
                if not level:
                    self._close(key >> 1 & _TICKS, key & 1)
                return key
        return 0

    def shrink(self, pick: int) -> tuple[int, int]:
        """Take some shares off an order, and leave it some; give its key and how many, zeros if it has but one."""
        if not self.live:
            return 0, 0
        key = self.live[pick * len(self.live) >> 16]
        level = (self.bids if key & 1 else self.asks).get(key >> 1 & _TICKS, {})
        shares = level.get(key, 0)
        if shares < 2:
            return 0, 0
        cut = 1 + (pick * (shares - 1) >> 16)
        level[key] = shares - cut
        return key, cut

    def fill(self, side: int, limit: int) -> tuple[int, int]:
        """Execute the first order of a side, `limit` shares at most; give its key and how many, zeros if none."""
        tick = self.bid if side else self.ask
        level = (self.bids if side else self.asks).get(tick)
        if level is None:
            return 0, 0
        key = next(iter(level))
        shares = level[key]
        if shares > limit:
            level[key] = shares - limit
            return key, limit
        del level[key]
        if not level:
            self._close(tick, side)
        return key, shares

    def first(self, side: int) -> int:
        """Give the shares of the order that is executed first, 0 when the side is empty."""
        level = self.bids.get(self.bid) if side else self.asks.get(self.ask)
        return next(iter(level.values())) if level else 0

    def forget(self) -> None:
        """Drop the executed orders from `live`."""
        bids, asks = self.bids, self.asks
        self.live = [key for key in self.live if key in (bids if key & 1 else asks).get(key >> 1 & _TICKS, ())]

    def _close(self, tick: int, side: int) -> None:
        """Remove a level that has no order left."""
        if side:
            del self.bids[tick]
            self.bids_at[tick] = 0
            if tick == self.bid:
                self.bid = self.bids_at.rfind(1, 0, tick)
        else:
            del self.asks[tick]
            self.asks_at[tick] = 0
            if tick == self.ask:
                after = self.asks_at.find(1, tick + 1)
                self.ask = WIDTH if after < 0 else after


def rows(stock: Stock, levels: Levels, best_last: bool = False) -> tuple[tuple[int, int, int], ...]:
    """Give the levels of a side, the best first."""
    return tuple(
        (stock.price(tick), sum(level.values()), len(level))
        for tick, level in sorted(levels.items(), reverse=best_last)
    )


def stocks(live_orders: int, draws: Draws, weights: list[int]) -> list[Stock]:
    """Make symbols: prices from 11 to 700, half of the live orders shared evenly, half by their `weights`."""
    total, count = sum(weights), len(weights)
    made = []
    octaves, cents, halves, _ = draws.parts(count).tolist()
    for index, weight in enumerate(weights):
        middle = (1100 * (65_536 + cents[index]) >> 16) << octaves[index] % 6
        half = (0, 0, 0, 1, 1, 2, 4, WIDEST)[halves[index] % 8]
        target = live_orders * (weight * count + total) // (2 * total * count)
        made.append(Stock(index + 1, _name(index), max(1, middle - WIDTH // 2), half, target))
    return made


def _name(index: int) -> bytes:
    letters = (index // 676, index // 26 % 26, index % 26)
    return bytes(ord("A") + letter for letter in letters).ljust(8)
