"""The judge of a money world: it sits in the venue and looks at our account there after every transaction.

It believes nothing that the engine says of itself but two things: which requests passed risk, in which order, and what
the Greeks of a unit were then. All else is the exchange's own: what arrived, what rests, what was executed.

    always       no client id twice, nothing that did not pass risk, nothing after the kill, nothing on a book that is
                 not LIVE, no size beyond its limit, no trade with ourselves, no order beyond the number that may be
                 open, no message beyond the pace (cancels pass it, and are paid for)
    at worst     position, expiry, delta, gamma, vega within their limits, whatever of our orders is executed: integers
    after a      what had passed risk before the fault was seen is gone from the venue within a bound
    feed fault

Greeks of a unit move with the market, and a limit that is passed because they moved is nobody's doing. So each
direction of each Greek is judged by the units of the latest request that added to it: what rests and is held may not
come beyond the limit by those, at any later instant, until another request adds.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from netfeed.book.execution import (
    Amend,
    Ask,
    Cancel,
    CancelAll,
    Canceled,
    Cause,
    Filled,
    List,
    MassQuote,
    New,
    Rejected,
    Request,
)
from netfeed.book.level import Side
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.limits import Limits
from netfeed.sim.exchange_log import Log
from netfeed.sim.exchange_trading import Outcome
from netfeed.sim.order_venue import OrderVenue

SCALE: Final = 10**18
ACCOUNT: Final = "mm"
ASKS: Final = {New: Ask.NEW, Amend: Ask.AMEND, Cancel: Ask.CANCEL, CancelAll: Ask.CANCEL_ALL, MassQuote: Ask.QUOTE}
GREEKS: Final = ("delta", "gamma", "vega")

Units = Mapping[int, tuple[int, int, int]]
"""What one integer unit of an instrument adds to delta, gamma and vega. Units: 10**-18."""


@dataclass(slots=True)
class Passed:
    """A request that passed risk: the how-manieth, when, and by which units."""

    number: int
    at: int
    request: Request
    units: Units
    adds: bool | None = True
    """Of an amend: whether it asks for more than ever before, or for less (False); None: nobody can tell from here."""


@dataclass(slots=True)
class Fault:
    """A feed fault that was seen. `until`: when all that had passed before must be gone; `last`: when the last was."""

    begin: int
    seen: int
    until: int
    number: int
    why: str
    clear: bool = True
    last: int = 0


@dataclass(slots=True)
class Counts:
    """What a world was made of; a world in which nothing happens proves nothing."""

    steps: int = 0
    asked: int = 0
    fills: int = 0
    faults: int = 0
    pulled_ns: list[tuple[bool, int]] = field(default_factory=list)
    closest: dict[str, float] = field(default_factory=dict)


class Judge(Log):
    """The exchange's log, which looks at each step. Units: `slack` messages that may arrive bunched by the way."""

    def __init__(self, venue: OrderVenue, contracts: Mapping[int, Contract], limits: Limits, *, slack: int) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.counts = Counts()
        self.fills: list[Filled] = []
        self.now = 0
        self._venue, self._contracts, self._limits = venue, contracts, limits
        self._trading = venue.exchange.trading
        self._options = {
            number: (of.expiry_ns, _scaled(of.multiplier * 10.0**of.quantity_exponent))
            for number, of in contracts.items()
            if of.is_option and of.expiry_ns is not None
        }
        given = {name: getattr(limits, name) for name in ("expiry", *GREEKS)}
        self._most = {name: _scaled(limit) for name, limit in given.items() if limit is not None}
        self._passed: dict[tuple[Ask, int], list[Passed]] = {}
        self._numbers: dict[int, int] = {}
        self._orders: dict[int, tuple[Side, set[int]]] = {}
        self._number = 0
        self._arrived: dict[tuple[Ask, int], int] = {}
        self._anchors: dict[tuple[int, int], Passed] = {}
        self._killed: int | None = None
        self._faults: list[Fault] = []
        self._bucket = Bucket(limits.rate, limits.burst + slack) if limits.rate else None
        venue.exchange.log = self
        for gateway in venue.order_gateways:
            self._listen(gateway)

    def _listen(self, gateway: Any) -> None:
        ask: Callable[..., None] = gateway._ask

        def heard(connection: Any, account: str, request: Request, now: int) -> None:
            self.now = now
            self.arrived(request, now)
            ask(connection, account, request, now)

        gateway._ask = heard

    # --- what we are told

    def passed(self, request: Request, now: int, units: Units, live: Collection[int]) -> None:
        """Take note that a request passed risk, before it is sent. `live`: instruments whose books are."""
        if isinstance(request, List | CancelAll):
            return
        for instrument, _, quantity in _adds(request):
            if instrument not in live:
                self._complain(f"{quantity} of {instrument} were asked for while its book was not LIVE")
        self._number += 1
        passed = Passed(self._number, now, request, units)
        self._passed.setdefault((ASKS[type(request)], request.client_id), []).append(passed)
        if isinstance(request, New | MassQuote):
            if request.client_id in self._numbers:
                self._complain(f"{request.client_id} passed twice")
            self._numbers[request.client_id] = self._number
        if isinstance(request, New):
            self._orders[request.client_id] = (request.side, {request.quantity})
        if isinstance(request, Amend) and request.client_id in self._orders:
            asked = self._orders[request.client_id][1]
            passed.adds = True if request.quantity > max(asked) else False if request.quantity <= min(asked) else None
            asked.add(request.quantity)

    def killed(self, now: int | None) -> None:
        """Take note that the switch was thrown; None: that it was armed again."""
        self._killed = now

    def fault(self, begin: int, seen: int, until: int, why: str, *, clear: bool) -> None:
        """Take note of a feed fault: what had passed until it was seen must be gone in time.

        `clear`: nothing was wrong with the way to the venue.
        """
        self.counts.faults += 1
        self._faults.append(Fault(begin, seen, until, self._number, why, clear))

    # --- what arrives

    def arrived(self, request: Request, now: int) -> None:
        """Look at a request at the gateway's door, whether the gateway takes it or not."""
        self.counts.asked += 1
        name = (ASKS[type(request)], request.client_id)
        passed = self._passed.get(name, [])
        place = self._arrived.get(name, 0)
        self._arrived[name] = place + 1
        if isinstance(request, CancelAll):
            return  # Starbase's message does not bear our name of it, and to cancel twice harms nobody
        if isinstance(request, New | MassQuote) and place:
            self._complain(f"{request} was sent twice")
        if place >= len(passed):
            self._complain(f"{request} did not pass risk")
            return
        this = passed[place]
        adds = _adds(request)
        if adds and self._killed is not None and this.at > self._killed:
            self._complain(f"{request} passed {this.at - self._killed} ns after the kill")
        if self._bucket is not None:
            count = len(request.quotes) if isinstance(request, MassQuote) and adds else 1
            if not self._bucket.take(now, count) and adds:
                self._complain(f"{request} is beyond the pace")
        for instrument, side, quantity in adds:
            self._size(instrument, quantity)
            self._anchor(this, instrument, side)

    def _size(self, instrument: int, quantity: int) -> None:
        limit = _by_instrument(self._limits.order_size, instrument)
        if limit is not None and quantity > limit:
            self._complain(f"an order of {quantity} on {instrument}, {limit} are allowed")

    def _anchor(self, passed: Passed, instrument: int, side: Side | None) -> None:
        if side is None and passed.request.client_id in self._orders:
            side = self._orders[passed.request.client_id][0]
        if side is None or passed.adds is False:
            return
        for which in range(3):
            effect = passed.units.get(instrument, (0, 0, 0))[which] * (1 if side is Side.BID else -1)
            if effect:
                key = (which, 1 if effect > 0 else -1)
                before = self._anchors.get(key)
                if before is None or before.number < passed.number:
                    self._anchors[key] = passed

    # --- what happens

    def write(self, account: str | None, gateway: int, what: Request | str, outcome: Outcome) -> None:
        """Look at a step of the exchange."""
        self.counts.steps += 1
        self.now = outcome.at_ns - self._venue.settings.wall_ns
        ours = [one.report for one in outcome.deliveries if one.account == ACCOUNT]
        for report in ours:
            self._report(report)
        if ours or account == ACCOUNT:
            self._look()

    def _report(self, report: Any) -> None:
        if isinstance(report, Filled):
            self.counts.fills += 1
            if self.fills and self.fills[-1].match_id == report.match_id:
                self._complain(f"traded with ourselves: {report}")
            self.fills.append(report)
        elif isinstance(report, Canceled) and report.cause is Cause.SELF_MATCH:
            self._complain(f"would have traded with ourselves: {report}")
        elif isinstance(report, Rejected) and report.cause is Cause.DUPLICATE:
            self._complain(f"the venue knew it: {report}")
        if isinstance(report, Filled | Canceled):
            self._left(report.client_id)

    def _left(self, client_id: int) -> None:
        number = self._numbers.get(client_id, 0)
        for fault in self._faults:
            if number <= fault.number:
                fault.last = max(fault.last, self.now)

    def _look(self) -> None:
        """Hold what rests and what is held against every limit."""
        orders = self._trading.orders.of(ACCOUNT)
        bids, asks = dict.fromkeys(self._contracts, 0), dict.fromkeys(self._contracts, 0)
        count = 0
        for live in orders:
            (bids if live.side == 0 else asks)[live.instrument] += live.left
            count += 1
        held = {number: self._trading.position(ACCOUNT, number) for number in self._contracts}
        if self._limits.open_orders is not None and count > self._limits.open_orders:
            self._complain(f"{count} orders are open")
        for number in self._contracts:
            limit = _by_instrument(self._limits.position, number)
            if limit is not None:
                self._within(
                    f"position of {number}", max(held[number] + bids[number], asks[number] - held[number]), limit
                )
        if self._limits.expiry is not None:
            self._expiries(held, bids, asks)
        for which, way in self._anchors:
            anchor = self._anchors[which, way]
            limit = self._most.get(GREEKS[which])
            if limit is not None and anchor.adds:
                far = sum(
                    _far(held[one] * unit, bids[one] * unit, -asks[one] * unit, way)
                    for one, unit in ((one, units[which]) for one, units in anchor.units.items())
                )
                self._within(GREEKS[which], far, limit)

    def _expiries(self, held: Mapping[int, int], bids: Mapping[int, int], asks: Mapping[int, int]) -> None:
        sums: dict[int, int] = {}
        for number, (expiry_ns, size) in self._options.items():
            most = max(abs(held[number] + bids[number]), abs(held[number] - asks[number]))
            sums[expiry_ns] = sums.get(expiry_ns, 0) + most * size
        for total in sums.values():
            self._within("expiry", total, self._most["expiry"])

    def _within(self, what: str, value: int, limit: int) -> None:
        share = value / limit
        if share > self.counts.closest.get(what, -1.0):
            self.counts.closest[what] = share
        if value > limit:
            self._complain(f"{what} may come to {value}, {limit} is allowed")

    # --- time

    @property
    def deadline(self) -> int:
        """Say when quotes must be gone."""
        return min((fault.until for fault in self._faults), default=2**63 - 1)

    def wake(self, now: int) -> None:
        """See whether what must be gone by now is."""
        self.now = now
        for fault in [one for one in self._faults if one.until <= now]:
            self._faults.remove(fault)
            left = [
                live
                for live in self._trading.orders.of(ACCOUNT)
                if self._numbers.get(live.client_id, 0) <= fault.number
            ]
            if left:
                self._complain(f"{len(left)} orders are there {now - fault.begin} ns after {fault.why}: {left[0]}")
            elif fault.last:
                self.counts.pulled_ns.append((fault.clear, fault.last - fault.begin))

    def _complain(self, what: str) -> None:
        if len(self.wrong) < 10:
            self.wrong.append(f"{self.now / 1e6:.3f} ms: {what}")

    # --- at the end

    def cash(self) -> int:
        """Say what our executions cost, one by one and each rounded as the account says it does. Units: 10**-18."""
        return -sum(_value(self._contracts[fill.instrument], fill) for fill in self.fills)


class Bucket:
    """A pace, counted by somebody else: so many a second, so many at once; who has no room may go into debt."""

    def __init__(self, rate: int, burst: int) -> None:
        self._interval, self._burst, self._owed, self._then = Fraction(10**9, rate), burst, Fraction(0), 0

    def take(self, now: int, count: int) -> bool:
        """Count so many; say whether there was room."""
        self._owed = max(Fraction(0), self._owed - (now - self._then) / self._interval)
        self._then = now
        self._owed += count
        return self._owed <= self._burst


def _adds(request: Request) -> list[tuple[int, Side | None, int]]:
    """Give what a request asks for: instrument, side (None: that of the order which it amends), quantity."""
    if isinstance(request, New):
        return [(request.instrument, request.side, request.quantity)]
    if isinstance(request, Amend):
        return [(request.instrument, None, request.quantity)]
    if not isinstance(request, MassQuote):
        return []
    sides = [(one.instrument, side, quantity, price) for one in request.quotes for side, price, quantity in (
        (Side.BID, one.bid, one.bid_quantity), (Side.ASK, one.ask, one.ask_quantity))]  # fmt: skip
    return [(instrument, side, quantity) for instrument, side, quantity, price in sides if price is not None]


def _far(held: int, bids: int, asks: int, way: int) -> int:
    """Give how far an instrument can come in one direction. `bids` and `asks` are signed effects."""
    return way * held + max(way * bids, 0) + max(way * asks, 0)


def _value(of: Contract, fill: Filled) -> int:
    """Give what an execution costs. Units: 10**-18, half to even."""
    signed = fill.quantity if fill.side is Side.BID else -fill.quantity
    size = signed * Fraction(10) ** of.quantity_exponent * Fraction(repr(of.multiplier))
    price = fill.price * Fraction(10) ** of.price_exponent
    inverse = of.inverse and of.payoff in (Payoff.FUTURE, Payoff.PERPETUAL)
    return round((-size / price if inverse else size * price) * SCALE)


def _scaled(number: float) -> int:
    return round(Fraction(repr(number)) * SCALE)


def _by_instrument(limits: Mapping[int | None, int], instrument: int) -> int | None:
    return limits.get(instrument, limits.get(None))
