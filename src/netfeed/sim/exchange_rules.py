"""What a simulated exchange refuses, and why: each rule gives a cause in the shared words and the venue's own word.

    rate, duplicate            an account asks too much, or uses a client id again, quotes an instrument twice
    instrument, state          unknown or ended; halted
    quantity, price            not a multiple of lot or tick, none, too large; outside of the band around the mark
    protection                 an order or quote for a group that is frozen, or that there is none of
    post_only, reduce_only     it would take; there is nothing to reduce
    limit                      of orders, of the position when all that rests is filled
    margin                     the account has too little for it (`margin`)

The band is BAND out of a million of the mark to each side, at least MIN_BAND steps: an order may not be better than
that for the other side; far behind the market it may rest.
"""

from collections.abc import Sequence
from typing import Final

from netfeed.book.execution import MAX_CLIENT_ID, MAX_QUOTES, Cause, Flag, Quote
from netfeed.proto.bucket import TokenBucket
from netfeed.sim.exchange_orders import Live
from netfeed.sim.exchange_trading import BAND, Trading
from netfeed.sim.margin import Exposure
from netfeed.sim.matching import BID
from netfeed.sim.starbase_chain import Instrument

MIN_BAND: Final = 20
MAX_USED: Final = 1_000_000
"""So many client ids of an account are remembered; an older one would be taken again."""
MAX_LOTS: Final = 1_000_000
"""The largest order."""

Refusal = tuple[Cause, str]
"""A cause, and the venue's own word for it."""


def band(instrument: Instrument, mark: int, share: int = BAND) -> tuple[int, int]:
    """Give the lowest price of a sale, and the highest of a purchase. Units: `share` of the mark out of a million."""
    width = max(mark * share // 1_000_000, MIN_BAND * instrument.step(mark))
    low = max(mark - width, instrument.tick)
    return low + -low % instrument.step(low), instrument.on_tick(mark + width)


class Rules:
    """The rules of one exchange, and what they must remember: what an account has asked, and called its orders."""

    def __init__(self, trading: Trading) -> None:
        self._trading = trading
        self._used: dict[str, dict[int, None]] = {}
        self._buckets: dict[str, TokenBucket] = {}

    def meter(self, account: str, now: int) -> Refusal | None:
        """Count a request against the account's rate."""
        permit = self._trading.permits[account]
        if permit.rate is None:
            return None
        if account not in self._buckets:
            self._buckets[account] = TokenBucket(rate=permit.rate, burst=permit.burst)
        return None if self._buckets[account].take(now) else (Cause.RATE, "too_many_requests")

    def name(self, account: str, client_id: int) -> Refusal | None:
        """Take note of a client id; refuse one that was used before, or is none."""
        used = self._used.setdefault(account, {})
        if client_id in used:
            return Cause.DUPLICATE, "duplicate_client_order_id"
        if not 0 < client_id <= MAX_CLIENT_ID:
            return Cause.OTHER, "invalid_client_order_id"
        used[client_id] = None
        if len(used) > MAX_USED:
            del used[next(iter(used))]
        return None

    def market(self, instrument: int) -> Refusal | None:
        """Refuse an instrument that is not there or not open."""
        if instrument not in self._trading.markets:
            return Cause.INSTRUMENT, "instrument_not_found"
        if instrument in self._trading.ledger.ended:
            return Cause.INSTRUMENT, "instrument_expired"
        return (Cause.STATE, "market_halted") if self._trading.markets[instrument].halted else None

    def size(self, instrument: int, quantity: int) -> Refusal | None:
        """Refuse what is no number of lots."""
        lot = self._trading.markets[instrument].instrument.lot
        if quantity <= 0 or quantity % lot:
            return Cause.QUANTITY, "invalid_quantity"
        return (Cause.QUANTITY, "quantity_too_large") if quantity > lot * MAX_LOTS else None

    def price(self, instrument: int, side: int, price: int) -> Refusal | None:
        """Refuse what is no price, or beyond the band."""
        of, mark = self._trading.markets[instrument].instrument, self._trading.marks[instrument]
        if price <= 0 or price % of.step(price):
            return Cause.PRICE, "invalid_price"
        low, high = band(of, mark, self._trading.band)
        if side == BID and price > high:
            return Cause.PRICE, "price_too_high"
        return (Cause.PRICE, "price_too_low") if side != BID and price < low else None

    def protection(self, account: str, group: int) -> Refusal | None:
        """Refuse what counts for a group that there is none of, or that is frozen."""
        known = self._trading.groups.get((account, group))
        if known is None:
            return Cause.PROTECTION, "mmp_group_not_found"
        return (Cause.PROTECTION, "mmp_frozen") if known.frozen else None

    def quotes(self, quotes: Sequence[Quote]) -> Refusal | None:
        """Refuse a mass quote with too many quotes, or with two of one instrument."""
        if len(quotes) > MAX_QUOTES:
            return Cause.LIMIT, "too_many_quotes"
        twice = len({one.instrument for one in quotes}) < len(quotes)
        return (Cause.DUPLICATE, "duplicate_instrument") if twice else None

    def count(self, account: str) -> Refusal | None:
        """Refuse an order beyond the limit."""
        full = self._trading.orders.count(account) >= self._trading.permits[account].max_orders
        return (Cause.LIMIT, "max_open_orders") if full else None

    def risk(self, exposure: Exposure, account: str, instrument: int, side: int, before: int) -> Refusal | None:
        """Refuse what goes beyond a position limit, or the margin; `exposure` counts it, `before` is without it."""
        limit = self._trading.permits[account].max_positions.get(instrument)
        if limit is not None and exposure.reach(instrument, side) > limit:
            return Cause.LIMIT, "position_limit"
        currency = self._trading.ledger.terms[instrument].currency
        needs = exposure.needs(currency)
        if needs > before and needs > exposure.equity(currency):
            return Cause.MARGIN, "not_enough_margin"
        return None

    def passive(self, live: Live) -> Refusal | None:
        """Move a POST_ONLY order so that it takes nothing; refuse one that may not be moved, or cannot."""
        market = self._trading.markets[live.instrument]
        moved = market.passive(live.side, live.price)
        if moved == live.price or not live.flags & (Flag.POST_ONLY | Flag.POST_ONLY_REJECT):
            return None
        if live.flags & Flag.POST_ONLY_REJECT or not moved:
            return Cause.POST_ONLY, "post_only_reject"
        live.price = moved
        return None
