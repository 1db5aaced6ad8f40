"""From a full pass to the hot step: what the quoter has just decided, as numbers that a move of the underlying needs.

    hot.prepare(view, bases, lead, asked, opened)   behind the plain path
    door.move(lead, now)                            before it, when the underlying has moved (`quote_door`)

An instrument is prepared when nothing is to be sent for it: what rests, answered, is what the quoter wants. Then the
hot step does what the next full pass would, with inventory, volatility, spread and queue as they are (`quote_step`).
All others are the plain path's: those whose quotes are under way, that are not whole, that rest beside orders.

Prices beside the book's are on the ticks because the book's own are, and none comes near the end of 64 bits: a book off
its ticks or beyond MOST, and a grid whose steps do not meet, are left to the plain path, where risk refuses.

Left out: ladders (the further tiers are orders, not quotes), futures, minimum edges below nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from math import isclose
from typing import Final

from netfeed.book.change import NO_PRICE
from netfeed.book.execution import Quote
from netfeed.book.level import Side
from netfeed.engine.board import best
from netfeed.engine.contract import Contract
from netfeed.engine.mandate import Mandates
from netfeed.engine.quote_words import MAX_STEPS, NO_STEP
from netfeed.engine.quoter import Quoter
from netfeed.engine.risk import Risk
from netfeed.engine.strategy import Fair, View, Want, Working
from netfeed.engine.worth import slopes
from netfeed.errors import MisuseError

SAME: Final = 1e-9
"""A basis is the same within this share: a ten-thousandth of a dollar, which is less than roundings move a worth by."""
MOST: Final = 2**53
"""Prices, and ticks that make something near, are less: floats are whole numbers up to there."""
MAX_NEAR: Final = 10_000
MAX_TICK: Final = MOST // MAX_NEAR
_Sides = tuple[Working | None, Working | None]


class HotQuotes:
    """The quotes of one quoter, in one group, that follow one underlying. `refused`: why there was no mandate."""

    def __init__(self, quoter: Quoter, risk: Risk, mandates: Mandates) -> None:
        if len(quoter.settings.tiers) != 1 or not quoter.settings.mass_quote or quoter.settings.edge_ticks < 0:
            raise MisuseError("the hot step moves one tier of mass quotes, with a minimum edge that is not negative")
        if max(quoter.settings.requote_ticks, quoter.settings.front_ticks) > MAX_NEAR:
            raise MisuseError(f"the hot step takes quotes within {MAX_NEAR} ticks for near, at most")
        self._quoter, self._risk, self._mandates = quoter, risk, mandates
        self.refused: Counter[str] = Counter()
        self._bases: dict[int, tuple[Fair, float]] = {}

    def prepare(
        self, view: View, bases: Mapping[int, Fair], lead: float, asked: Iterable[int], opened: Collection[int]
    ) -> int:
        """Ask for mandates of some instruments, those whose gate is open; give how many were granted.

        The others of `asked` have none from here on. `bases`: worths as Black gave them; `lead`: the price of the
        underlying that belongs to the view's forwards.
        """
        mandates, granted = self._mandates, 0
        for instrument in asked:
            base = bases.get(instrument)
            why = "gate" if instrument not in opened else "worth" if base is None else ""
            if not why and base is not None:
                why = self._lacks(view, instrument, base, lead)
            if why:
                self.refused[why] += 1
                mandates.void((instrument,), why)
            else:
                granted += 1
        return granted

    def drop_old(self, view: View, bases: Mapping[int, Fair], lead: float) -> None:
        """Take back the mandates whose worths are not made as they were: another fit, another basis to the lead."""
        for instrument in self._mandates.held:
            (base, ratio), fair = self._bases[instrument], view.fair(instrument)
            same = fair is not None and isclose(fair.forward, ratio * lead, rel_tol=SAME)
            if bases.get(instrument) is not base or not same:
                self._mandates.void((instrument,), "worth")

    def _lacks(self, view: View, instrument: int, base: Fair, lead: float) -> str:
        """Prepare an instrument; say why it has no mandate, empty when it has one."""
        contract, fair = view.contracts[instrument], view.fair(instrument)
        sides = _sides(view.working(instrument))
        if fair is None or not lead > 0.0:
            return "worth"
        if not contract.is_option or not is_gridded(contract):
            return "contract"
        if sides is None:
            return "under_way" if view.working(instrument) else "unquoted"
        tops = [best(view.book(instrument), side) for side in Side]
        if not all(top is None or is_on_grid(contract, top) for top in tops):
            return "grid"
        wants = self._quoter.decide(view, (instrument,)).get(instrument, ())
        quote = self._quote(view, contract, fair, sides) if _is_what_rests(sides, wants) else None
        if quote is None:
            return "unwanted"
        self._mandates.slots[self._mandates.slot_of[instrument]] = (
            base.value, base.forward, fair.forward / lead, *slopes(contract, base),
            *self._around(view, contract, fair), 10.0**contract.price_exponent, contract.tick, *_steps(contract),
            *map(_or_none, tops),
            *(NO_PRICE if one is None else _or_none(one.price) for one in sides),
            *(0 if one is None else one.quantity for one in sides), quote.bid_quantity, quote.ask_quantity,
            *(0 if one is None else self._near(one) for one in sides),
            *(0 if one is None else one.placed_ns for one in sides), self._quoter.settings.cool_down_ns,
        )  # fmt: skip
        self._bases[instrument] = base, fair.forward / lead
        refusal = self._risk.mandate(self._mandates, quote, view.now)
        return "" if refusal is None else refusal.rule.value

    def _around(self, view: View, contract: Contract, fair: Fair) -> tuple[float, ...]:
        """Give shift, half a spread, edge and the fee's two parts."""
        quoter, share = self._quoter, max(0.0, contract.maker_fee)
        return (
            quoter.shift(contract, fair, view.greeks(contract.underlying)),
            quoter.settings.tiers[0].spread * quoter.half_spread(contract, fair),
            quoter.edge(contract, fair),
            share if contract.inverse else 0.0,
            0.0 if contract.inverse else share,
        )

    def _quote(self, view: View, contract: Contract, fair: Fair, sides: _Sides) -> Quote | None:
        """Give what a new quote would ask for; None where a side rests that it would not have, or the other way."""
        bid, ask = sides
        sizes = [self._quoter.size(view, contract, fair, side) for side in Side]
        if any(bool(size) is (rests is None) for size, rests in zip(sizes, sides, strict=True)):
            return None
        return Quote(contract.index, bid.price if bid else None, sizes[0], ask.price if ask else None, sizes[1])

    def _near(self, order: Working) -> int:
        settings = self._quoter.settings
        in_front = order.ahead is not None and order.ahead <= settings.front
        return settings.front_ticks if in_front else settings.requote_ticks


def _sides(orders: Sequence[Working]) -> _Sides | None:
    """Give our bid and our ask; None where something is under way, rests beside a quote, or twice."""
    if any(not (order.quote and order.settled and order.price is not None) for order in orders):
        return None
    bids, asks = ([order for order in orders if order.side is side] for side in Side)
    if len(bids) > 1 or len(asks) > 1 or not orders:
        return None
    return (bids[0] if bids else None), (asks[0] if asks else None)


def _is_what_rests(sides: _Sides, wants: Sequence[Want]) -> bool:
    rests = [(one.side, one.price, one.quantity) for one in sides if one is not None]
    return sorted(rests) == sorted((want.side, want.price, want.quantity) for want in wants if want.quote)


def is_gridded(contract: Contract) -> bool:
    """Say whether every step of the tick begins at a price that is on the ticks below it and on its own."""
    ticks = [contract.tick, *(tick for _, tick in contract.steps)]
    starts = [0, *(above for above, _ in contract.steps)]
    if len(contract.steps) > MAX_STEPS or not all(0 < tick <= MAX_TICK for tick in ticks):
        return False
    return all(
        before < above < MOST and above % below == 0 == above % tick
        for (before, above), (below, tick) in zip(pairwise(starts), pairwise(ticks), strict=True)
    )


def is_on_grid(contract: Contract, price: int) -> bool:
    """Say whether the step can take a price of a book for one of its own grid."""
    return abs(price) < MOST and price % contract.tick_at(price) == 0


def _steps(contract: Contract) -> tuple[int, ...]:
    missing = MAX_STEPS - len(contract.steps)
    above, ticks = [step[0] for step in contract.steps], [step[1] for step in contract.steps]
    return *above, *[NO_STEP] * missing, *ticks, *[contract.tick] * missing


def _or_none(price: int | None) -> int:
    return NO_PRICE if price is None else price
