"""The hot step in plain Python: the underlying moves, which quotes change? This twin defines `netfeed._core.quote`.

Of each instrument that risk has given a mandate for (`mandate`), in the order of the slots:

    1  the worth is moved by delta and gamma from what Black gave (`worth.moved`)
    2  shift, half a spread, edge and fee are those of the last full pass (`quoter`), rounded outwards to a tick, never
       through the book, the ask never to our own bid
    3  what rests stays while it earns its edge and is near enough, or while it would only come nearer too soon
    4  where a side is another, the quote is a ROW, both sides whole, and the mandate is spent

It is what `Quoter` and `Differ` say of one tier of mass quotes between two full passes, in which neither inventory nor
volatility move. Where it may not decide - the forward went too far, a price is none, the mandate does not reach - the
mandate is spent as well and the slot stands in `left`: the plain path looks at it in the same turn. So each mandate is
used once, and there is no second message about an instrument before somebody has looked at it.
"""

from math import isfinite

import numpy as np

from netfeed.book.change import NO_PRICE
from netfeed.engine.quote_words import FAR_SHARE, LIMIT, ROW, SLOT, SPENT, Array

_EXACT = 2.0**53
_ASKS = 1


class QuoteStep:
    """Some instruments with one underlying that leads. `slots` and `limits` are SLOTs and LIMITs, a row each.

    Raises: ValueError for arrays of another kind, or of different lengths.
    """

    def __init__(self, slots: Array, limits: Array) -> None:
        if slots.dtype != SLOT or limits.dtype != LIMIT or len(slots) != len(limits):
            raise ValueError("slots and limits are arrays of SLOT and LIMIT of one length")
        self._slots, self._limits = slots, limits
        self.rows = np.zeros(len(slots), ROW)
        """The first of them are what the last step gave."""
        self.left = np.zeros(len(slots), np.uint8)
        """1 for each slot that the last step had a mandate for and left to the plain path."""

    def step(self, lead: float, now: int, most: int) -> int:
        """Move the underlying to `lead`, and give how many quotes change, `most` at most. Units: `now` monotonic ns."""
        self.left[:] = 0
        count = 0
        for at, limit in enumerate(self._limits):
            if int(limit["until_ns"]) < now or int(limit["until_ns"]) == SPENT:
                continue
            quote = _Slot(self._slots[at]).quote(lead, now)
            if quote is not None and quote == _Slot(self._slots[at]).rests():
                continue
            limit["until_ns"] = SPENT
            if quote is None or count >= most or not _within(limit, quote):
                self.left[at] = 1
                continue
            self.rows[count] = (at, *quote)
            count += 1
        return count


_Quote = tuple[int, int, int, int]
"""Bid, its quantity, ask, its quantity."""


class _Slot:
    """One row of the slots, its fields as attributes."""

    def __init__(self, row: Array) -> None:
        self.__dict__.update(zip(SLOT.names or (), row.item(), strict=True))

    value: float
    forward: float
    ratio: float
    slope: float
    curvature: float
    shift: float
    half: float
    edge: float
    fee: float
    fee_forward: float
    scale: float
    tick: int
    from1: int
    from2: int
    from3: int
    tick1: int
    tick2: int
    tick3: int
    best_bid: int
    best_ask: int
    bid: int
    ask: int
    bid_rests: int
    ask_rests: int
    bid_wanted: int
    ask_wanted: int
    bid_near: int
    ask_near: int
    bid_placed_ns: int
    ask_placed_ns: int
    cool_ns: int

    def rests(self) -> _Quote:
        return self.bid, self.bid_rests, self.ask, self.ask_rests

    def quote(self, lead: float, now: int) -> _Quote | None:
        """Say what shall rest, None where that is not for this step to say."""
        forward = lead * self.ratio
        d = forward - self.forward
        if not (forward > 0.0 and abs(d) <= FAR_SHARE * self.forward):
            return None
        value = max(0.0, self.value + self.slope * d + 0.5 * self.curvature * d * d)
        least, middle = self.edge + (self.fee + self.fee_forward * forward), value - self.shift
        wanted = (middle - self.half, value - least, middle + self.half, value + least)
        if not all(isfinite(price) and abs(price / self.scale) < _EXACT for price in wanted):
            return None
        bid = self._bid(wanted[0], wanted[1], now)
        ask = self._ask(wanted[2], wanted[3], bid[0], now)
        if (self.bid_wanted and bid[0] <= 0) or (self.ask_wanted and ask[0] <= 0):
            return None
        return *bid, *ask

    def _bid(self, wanted: float, edge: float, now: int) -> tuple[int, int]:
        if not self.bid_wanted:
            return NO_PRICE, 0
        last = self._on_tick(edge, 0)
        if self.best_ask != NO_PRICE:
            last = min(last, self.best_ask - self._tick_at(self.best_ask - 1))
        price, old = min(self._on_tick(wanted, 0), last), self.bid
        if old == NO_PRICE or last < old:
            return price, self.bid_wanted
        early = old < price and now - self.bid_placed_ns < self.cool_ns
        if early or self._is_near(old, price, self.bid_near):
            return old, min(self.bid_rests, self.bid_wanted)
        return price, self.bid_wanted

    def _ask(self, wanted: float, edge: float, bid: int, now: int) -> tuple[int, int]:
        if not self.ask_wanted:
            return NO_PRICE, 0
        last = self._on_tick(edge, _ASKS)
        if self.best_bid != NO_PRICE:
            last = max(last, self.best_bid + self._tick_at(self.best_bid))
        price, old = max(self._on_tick(wanted, _ASKS), last), self.ask
        if bid != NO_PRICE and price <= bid:
            price = bid + self._tick_at(bid)
        if old == NO_PRICE or last > old or (bid != NO_PRICE and old <= bid):
            return price, self.ask_wanted
        early = old > price and now - self.ask_placed_ns < self.cool_ns
        if early or self._is_near(old, price, self.ask_near):
            return old, min(self.ask_rests, self.ask_wanted)
        return price, self.ask_wanted

    def _is_near(self, old: int, price: int, ticks: int) -> bool:
        return old == price or abs(old - price) < ticks * self._tick_at(min(old, price))

    def _tick_at(self, price: int) -> int:
        steps = ((self.from3, self.tick3), (self.from2, self.tick2), (self.from1, self.tick1))
        return next((tick for above, tick in steps if price >= above), self.tick)

    def _on_tick(self, price: float, up: int) -> int:
        """Round as `Contract` does."""
        scaled = price / self.scale
        tick = self._tick_at(int(scaled))
        steps = scaled / tick
        near = round(steps)
        if abs(steps - near) < 1e-9 * max(1.0, abs(steps)):
            return near * tick
        return (int(steps // 1) + up) * tick


def _within(limit: Array, quote: _Quote) -> bool:
    """Say whether a quote is inside of its mandate."""
    bid, bid_quantity, ask, ask_quantity = quote
    return (
        (bid == NO_PRICE or (bid <= int(limit["bid_most"]) and bid_quantity <= int(limit["bid_quantity"])))
        and (ask == NO_PRICE or (ask >= int(limit["ask_least"]) and ask_quantity <= int(limit["ask_quantity"])))
    )  # fmt: skip
