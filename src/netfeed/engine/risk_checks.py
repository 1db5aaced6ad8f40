"""The checks before an order, one function a rule: what is wished against what is known, in the words of a refusal.

Each takes the same three: what is known (`Known`), what is wished (`Wish`), and the time; and gives None, or what is
wrong. CHECKS is all of them in their order, and `risk` goes through all of it for every wish: there is no other way.

Worst case: a wish adds to one side; the other orders of that side count as executed, those of the other side as not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from netfeed.book.execution import Flag
from netfeed.book.level import Side
from netfeed.engine.account import NO_GROUP, Account
from netfeed.engine.contract import Contract
from netfeed.engine.exposure import scaled
from netfeed.engine.kill_switch import KillSwitch
from netfeed.engine.limits import Limits, Rule
from netfeed.engine.order import Order


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an instrument's market. Units: `at` monotonic ns; prices integers of the contract."""

    at: int
    live: bool
    bid: int | None
    ask: int | None
    fair: int | None


@dataclass(frozen=True, slots=True)
class Wish:
    """One side of what is asked for. `more`: what it adds to what may be executed; `order`: the one that it amends."""

    instrument: int
    side: Side
    price: int | None
    quantity: int
    more: int
    flags: Flag
    group: int | None = None
    order: Order | None = None
    crossed: bool = False


@dataclass(slots=True)
class Known:
    """All that a check may look at.

    `wished`: sides of this request that passed already, each an order to be; `mandated`: those that may be sent without
    another check (`mandate`).
    """

    account: Account
    limits: Limits
    switch: KillSwitch
    seen: dict[int, Seen] = field(default_factory=dict)
    clock_offset_ns: int | None = None
    margin: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    wished: int = 0
    mandated: int = 0


Check = Callable[[Known, Wish, int], str | None]


def _killed(known: Known, wish: Wish, now: int) -> str | None:
    thrown = known.switch.thrown
    return None if thrown is None else f"{thrown.by}: {thrown.why}"


def _reconciled(known: Known, wish: Wish, now: int) -> str | None:
    return None if known.account.agrees_in(wish.instrument) else "no list of the venue has agreed with our account yet"


def _contract(known: Known, wish: Wish, now: int) -> str | None:
    contract = known.account.contracts.get(wish.instrument)
    if contract is None:
        return f"no contract {wish.instrument}"
    if wish.quantity % contract.lot:
        return f"{wish.quantity} is not in lots of {contract.lot}"
    if wish.price is not None and wish.price % contract.tick_at(wish.price):
        return f"{wish.price} is not on a tick of {contract.tick_at(wish.price)}"
    return None


def _certain(known: Known, wish: Wish, now: int) -> str | None:
    if not known.account.orders.in_doubt(wish.instrument):
        return None
    anomaly = known.account.orders.suspects.get(wish.instrument)
    return "an order is UNCERTAIN" if anomaly is None else anomaly.value


def _clock(known: Known, wish: Wish, now: int) -> str | None:
    limit, offset = known.limits.clock_offset_ns, known.clock_offset_ns
    if limit is None or (offset is not None and abs(offset) <= limit):
        return None
    return "the clock's offset is not known" if offset is None else f"the clock is {offset} ns off"


def _book(known: Known, wish: Wish, now: int) -> str | None:
    seen = known.seen.get(wish.instrument)
    return None if seen is not None and seen.live else "the book is not LIVE"


def _fresh(known: Known, wish: Wish, now: int) -> str | None:
    limit, seen = known.limits.stale_ns, known.seen.get(wish.instrument)
    if limit is None or (seen is not None and now - seen.at <= limit):
        return None
    return "never seen" if seen is None else f"seen {now - seen.at} ns ago"


def _priced(known: Known, wish: Wish, now: int) -> str | None:
    return "at the market" if wish.price is None and not known.limits.market_orders else None


def _size(known: Known, wish: Wish, now: int) -> str | None:
    limit = _by_instrument(known.limits.order_size, wish.instrument)
    return None if limit is None or wish.quantity <= limit else f"{wish.quantity} of at most {limit}"


def _fair(known: Known, wish: Wish, now: int) -> str | None:
    if wish.price is None or known.limits.collar_ppm is None:
        return None
    seen = known.seen.get(wish.instrument)
    if seen is None or seen.fair is None:
        return "there is no fair value"
    return _beyond(known, wish, wish.price, seen.fair, "the fair value")


def _collar(known: Known, wish: Wish, now: int) -> str | None:
    seen = known.seen.get(wish.instrument)
    other = None if seen is None else seen.ask if wish.side is Side.BID else seen.bid
    if wish.price is None or known.limits.collar_ppm is None or other is None:
        return None
    return _beyond(known, wish, wish.price, other, "the book")


def _self_trade(known: Known, wish: Wish, now: int) -> str | None:
    if wish.crossed:
        return "both sides of the quote cross"
    against = Side.ASK if wish.side is Side.BID else Side.BID
    for order in known.account.orders.at(wish.instrument, against):
        replaced = wish.group is not None and order.group == wish.group
        if not replaced and _would_trade(wish, order):
            return f"would trade with our own order {order.client_id}"
    return None


def _protection(known: Known, wish: Wish, now: int) -> str | None:
    number = wish.group if wish.group is not None else NO_GROUP if wish.flags & Flag.MMP else None
    group = None if number is None else known.account.groups.get(number)
    return f"group {number} is frozen: {group.why}" if group is not None and group.is_frozen(now) else None


def _open_orders(known: Known, wish: Wish, now: int) -> str | None:
    limit, count = known.limits.open_orders, known.account.orders.open_count + known.wished + known.mandated
    return None if limit is None or wish.order is not None or count < limit else f"{count} of at most {limit}"


def _position(known: Known, wish: Wish, now: int) -> str | None:
    limit = _by_instrument(known.limits.position, wish.instrument)
    furthest = known.account.exposure.furthest(wish.instrument, wish.side, wish.more)
    return None if limit is None or not wish.more or furthest <= limit else f"{furthest} of at most {limit}"


def _expiry(known: Known, wish: Wish, now: int) -> str | None:
    if known.limits.expiry is None or not wish.more:
        return None
    before = known.account.exposure.with_more(wish.instrument, wish.side, 0)
    after = known.account.exposure.with_more(wish.instrument, wish.side, wish.more)
    return None if after <= before or after <= scaled(known.limits.expiry) else "the expiry would hold too much"


def _sensitivity(known: Known, wish: Wish, now: int) -> str | None:
    limits, exposure = known.limits, known.account.exposure
    if limits.delta is None and limits.gamma is None and limits.vega is None:
        return None
    unknown = set(exposure.unknown)
    if exposure.sensitivity(wish.instrument) is None:
        unknown.add(wish.instrument)
    return f"not known of {sorted(unknown)[:3]}" if unknown else None


def _greek(which: int, name: str) -> Check:
    def check(known: Known, wish: Wish, now: int) -> str | None:
        limit, units = getattr(known.limits, name), known.account.exposure.sensitivity(wish.instrument)
        if limit is None or units is None:
            return None
        effect = wish.more * units[which] * (1 if wish.side is Side.BID else -1)
        down, up = known.account.exposure.worst(which)
        far = up + effect if effect > 0 else -(down + effect)
        return f"{name} would be beyond {limit}" if effect and far > scaled(limit) else None

    return check


def _margin(known: Known, wish: Wish, now: int) -> str | None:
    percent = known.limits.margin_percent
    if percent is None:
        return None
    if not known.margin or None in known.margin.values():
        untold = ", ".join(of for of, told in known.margin.items() if told is None)
        return f"nobody has said how much is used{untold and f' of {untold}'}"
    used, equity = max(
        (told for told in known.margin.values() if told), key=lambda told: told[0] * 100 - percent * told[1]
    )
    return None if used * 100 <= percent * equity else f"{used} of {equity} is used"


def _loss(known: Known, wish: Wish, now: int) -> str | None:
    return next(iter(losses(known)), None)


def _marked(known: Known, wish: Wish, now: int) -> str | None:
    unmarked = known.account.positions.unmarked if known.limits.loss else ()
    return f"no mark of {sorted(unmarked)[:3]}" if unmarked else None


CHECKS: Final[tuple[tuple[Rule, Check], ...]] = (
    (Rule.KILLED, _killed),
    (Rule.NOT_RECONCILED, _reconciled),
    (Rule.CONTRACT, _contract),
    (Rule.UNCERTAIN, _certain),
    (Rule.CLOCK, _clock),
    (Rule.BOOK, _book),
    (Rule.STALE, _fresh),
    (Rule.MARKET_ORDER, _priced),
    (Rule.SIZE, _size),
    (Rule.FAIR, _fair),
    (Rule.COLLAR, _collar),
    (Rule.SELF_TRADE, _self_trade),
    (Rule.PROTECTION, _protection),
    (Rule.OPEN_ORDERS, _open_orders),
    (Rule.POSITION, _position),
    (Rule.EXPIRY, _expiry),
    (Rule.SENSITIVITY, _sensitivity),
    (Rule.DELTA, _greek(0, "delta")),
    (Rule.GAMMA, _greek(1, "gamma")),
    (Rule.VEGA, _greek(2, "vega")),
    (Rule.MARGIN, _margin),
    (Rule.LOSS, _loss),
    (Rule.UNMARKED, _marked),
)
"""All but REQUEST and RATE, which are about a request as a whole."""


def losses(known: Known) -> list[str]:
    """Give the currencies that have lost more than they may, in words."""
    return [
        f"{currency} has lost more than {limit}"
        for currency, limit in known.limits.loss.items()
        if known.account.positions.net(currency) < -scaled(limit)
    ]


def _by_instrument(limits: dict[int | None, int], instrument: int) -> int | None:
    return limits.get(instrument, limits.get(None))


def _beyond(known: Known, wish: Wish, price: int, reference: int, what: str) -> str | None:
    """Say that a price is worse than another by more than the collar: buying above it, selling below it."""
    contract: Contract = known.account.contracts[wish.instrument]
    share = abs(reference) * (known.limits.collar_ppm or 0) // 1_000_000
    allowed = max(share, known.limits.collar_ticks * contract.tick_at(reference))
    worse = price - reference if wish.side is Side.BID else reference - price
    return None if worse <= allowed else f"{price} is {worse} worse than {what} at {reference}, {allowed} are allowed"


def _would_trade(wish: Wish, order: Order) -> bool:
    """Say whether a price meets an order's, or what it may be amended to; who asks no price meets all."""
    prices = [order.price, *(() if order.asked is None else (order.asked[0],))]
    if wish.price is None or None in prices:
        return True
    known = [price for price in prices if price is not None]
    meets: bool = wish.price >= min(known) if wish.side is Side.BID else wish.price <= max(known)
    return meets
