"""Risk before every request: `pass_` judges it and makes the Cleared that the door to a session takes, alone.

    Cancel, CancelAll, List   pass, whatever else is true; they are paid for, and never wait
    New, Amend                pass every check of CHECKS and the pace, or are refused whole
    MassQuote                 side by side: a side that is refused is pulled, quotes out first; where the pace has no
                              room, only what pulls is left of it

What passed counts for the next check at once: it is NEW in the account before anybody can send it. `watch` asks between
requests for what must be pulled though nobody asks for anything: a limit passed by a mark, a stale book, a clock.

`mandate` judges beforehand what the hot step may send without asking again; `mandate.py` says why nothing goes out so
that `pass_` would refuse. Whatever changes here takes mandates back, in the same call.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from netfeed.book.execution import NONE, Amend, Cancel, CancelAll, List, MassQuote, New, Quote, Request
from netfeed.book.level import Side
from netfeed.engine.account import Account
from netfeed.engine.cleared import FRESH_NS, Cleared, take_seal
from netfeed.engine.exposure import Sensitivity, scaled, sensitivity
from netfeed.engine.kill_switch import KillSwitch
from netfeed.engine.limits import Limits, Pace, Rule
from netfeed.engine.mandate import Mandates
from netfeed.engine.order_events import Event, Pull
from netfeed.engine.risk_checks import CHECKS, Known, Seen, Wish, losses

_SEAL: Final = take_seal()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request, or one side of a mass quote, did not pass."""

    rule: Rule
    client_id: int
    instrument: int | None
    side: Side | None
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a request. `cleared` None: nothing of it may be sent; `request`: what is left of it."""

    cleared: Cleared | None
    refusals: tuple[Refusal, ...]
    events: tuple[Event, ...]
    request: Request | None = None


class Risk:
    """The judge. Each rule counts in `refused`, by side; `passed` counts requests."""

    def __init__(self, account: Account, limits: Limits, *, switch: KillSwitch | None = None) -> None:
        self.switch = switch or KillSwitch()
        self._known = Known(account, limits, self.switch)
        self._account = account
        self._pace = None if limits.rate is None else Pace(limits.rate, limits.burst)
        self._mandates: list[Mandates] = []
        self._kills = self.switch.kills
        self.refused: Counter[Rule] = Counter()
        self.passed = 0
        account.watch(lambda instruments: self._void(instruments, "account"))

    @property
    def limits(self) -> Limits:
        """Give what may not be passed."""
        return self._known.limits

    # --- what is known

    def see(self, instrument: int, seen: Seen) -> None:
        """Know the market of an instrument anew."""
        before, self._known.seen[instrument] = self._known.seen.get(instrument), seen
        if before is None or seen.at < before.at or replace(before, at=seen.at) != seen:
            self._void((instrument,), "book")

    def mark(self, instrument: int, price: int) -> None:
        """Value what is held at another price. Units: integer prices of the contract."""
        self._account.positions.mark(instrument, price)
        self._void_where(Rule.LOSS)

    def feel(self, instrument: int, delta: float, gamma: float, vega: float) -> Sensitivity | None:
        """Know the sensitivities of a size of 1 anew; what is not finite is not known, and is refused.

        Mandates count as open orders in all sums: while these are within the limits by what is known now, none of them
        adds what would be refused.
        """
        contract = self._account.contracts.get(instrument)
        units = None if contract is None else sensitivity(contract, delta, gamma, vega)
        if units != self._account.exposure.sensitivity(instrument):
            self._account.exposure.set_sensitivity(instrument, units)
            if units is None or self._is_beyond():
                self._void(None, "greeks")
        return units

    def _is_beyond(self) -> bool:
        """Say whether delta, gamma or vega at worst are beyond a limit now."""
        for which, limit in enumerate((self.limits.delta, self.limits.gamma, self.limits.vega)):
            down, up = self._account.exposure.worst(which)
            if limit is not None and max(-down, up) > scaled(limit):
                return True
        return False

    def clock(self, offset_ns: int | None) -> None:
        """Know how far the clock is off; None: nobody knows."""
        self._known.clock_offset_ns = offset_ns
        self._void_where(Rule.CLOCK)

    def margin(self, used: int | None, equity: int = 0, *, of: str = "") -> None:
        """Know how much of the margin is used, as the venue says, by account and currency; None: nobody knows.

        Units: both the same.
        """
        self._known.margin[of] = None if used is None else (used, equity)
        self._void_where(Rule.MARGIN)

    @property
    def margin_used(self) -> float | None:
        """Give the largest share of a margin that is used; None where nobody has said, or there is none."""
        told = [one for one in self._known.margin.values() if one is not None and (one[0] or one[1])]
        return max((used / equity if equity > 0 else inf for used, equity in told), default=None)

    def kill(self, by: str, why: str, now: int) -> list[Event]:
        """Throw the kill switch; give what must be pulled."""
        self.switch.kill(by, why, now)
        self._void(None, "kill")
        instruments = sorted({order.instrument for order in self._account.orders.open()})
        return [Pull(instrument, f"killed by {by}: {why}") for instrument in instruments]

    # --- the judgement

    def pass_(self, request: Request, now: int, *, urgent: bool = False) -> Verdict:
        """Judge a request; take it down as decided and clear it where it passes.

        `urgent`: a hedge, for which a part of the pace is kept that quotes leave alone; every other check is the same.
        """
        if isinstance(request, Cancel | CancelAll | List):
            if self._pace is not None:
                self._pace.spend(now, 1)
            return self._clear(request, (), now)
        objection = self._account.orders.objection(request)
        if objection is not None:
            return self._refuse([Refusal(Rule.REQUEST, request.client_id, _instrument(request), None, objection)])
        if isinstance(request, MassQuote):
            return self._pass_quotes(request, now)
        wish = self._wish(request)
        refusal = self._judge(request.client_id, wish, now) or self._rate(request, 1, now, urgent=urgent)
        return self._refuse([refusal]) if refusal is not None else self._clear(request, (), now)

    def _pass_quotes(self, request: MassQuote, now: int) -> Verdict:
        """Judge side by side, each as if those before it were executed."""
        refusals: list[Refusal] = []
        counted: list[Wish] = []
        quotes = []
        for quote in request.quotes:
            sides: dict[Side, tuple[int | None, int]] = {}
            for wish in _wishes(request.group, quote):
                refusal = self._judge(request.client_id, wish, now)
                if refusal is None:
                    self._account.exposure.add_open(wish.instrument, wish.side, wish.more)
                    counted.append(wish)
                    self._known.wished = len(counted)
                    sides[wish.side] = (wish.price, wish.quantity)
                else:
                    refusals.append(refusal)
            quotes.append(Quote(quote.instrument, *sides.get(Side.BID, (None, 0)), *sides.get(Side.ASK, (None, 0))))
        for wish in counted:
            self._account.exposure.add_open(wish.instrument, wish.side, -wish.more)
        self._known.wished = 0
        return self._quotes_in_pace(replace(request, quotes=tuple(quotes)), refusals, now)

    def _quotes_in_pace(self, request: MassQuote, refusals: list[Refusal], now: int) -> Verdict:
        """Let a mass quote go where the pace has room for it; else only what pulls."""
        asks = any(quote.bid is not None or quote.ask is not None for quote in request.quotes)
        refusal = self._rate(request, len(request.quotes), now) if asks else None
        if refusal is not None:
            refusals.append(refusal)
            pulls = [quote for quote in request.quotes if quote.bid is None or quote.ask is None]
            request = replace(request, quotes=tuple(Quote(one.instrument, None, 0, None, 0) for one in pulls))
        if not request.quotes:
            return self._refuse(refusals)
        if self._pace is not None and (refusal is not None or not asks):
            self._pace.spend(now, 1)
        self._count(refusals)
        return self._clear(request, tuple(refusals), now)

    def _wish(self, request: New | Amend) -> Wish:
        if isinstance(request, New):
            return Wish(
                request.instrument, request.side, request.price, request.quantity, request.quantity, request.flags
            )
        order = self._account.orders.get(request.client_id)
        assert order is not None  # an amend of nothing was refused as a request
        more = max(0, request.quantity - order.most)
        return Wish(request.instrument, order.side, request.price, request.quantity, more, order.flags, order=order)

    def _judge(self, client_id: int, wish: Wish, now: int) -> Refusal | None:
        for rule, check in CHECKS:
            wrong = check(self._known, wish, now)
            if wrong is not None:
                if rule is Rule.LOSS:
                    self.switch.kill("the limit of loss", wrong, now)
                return Refusal(rule, client_id, wish.instrument, wish.side, wrong)
        return None

    def _rate(self, request: Request, count: int, now: int, *, urgent: bool = False) -> Refusal | None:
        if self._pace is None:
            return None
        if not self._pace.has(now, count, urgent=urgent):
            return Refusal(Rule.RATE, request.client_id, _instrument(request), None, f"no room for {count} messages")
        self._pace.spend(now, count)
        return None

    def _refuse(self, refusals: list[Refusal]) -> Verdict:
        self._count(refusals)
        return Verdict(None, tuple(refusals), ())

    def _clear(self, request: Request, refusals: tuple[Refusal, ...], now: int) -> Verdict:
        events = self._account.decide(request, now)
        self.passed += 1
        return Verdict(Cleared(_SEAL, request, now), refusals, tuple(events), request)

    def _count(self, refusals: list[Refusal]) -> None:
        self.refused.update(refusal.rule for refusal in refusals)

    # --- beforehand

    def mandates(self, group: int, instruments: Sequence[int]) -> Mandates:
        """Make room for the mandates of a group's quotes; none is granted yet."""
        exposure = self._account.exposure
        mandates = Mandates(_SEAL, group, instruments, exposure, self._pace, self._may, self._mandated)
        self._mandates.append(mandates)
        return mandates

    def mandate(self, mandates: Mandates, quote: Quote, now: int) -> Refusal | None:
        """Judge a quote that may be moved later, and grant it; what was granted of the instrument before is void,
        by whichever mandates: no two of them ever know of each other's quote.

        Prices are those at which it would stand now. Where a side is refused nothing is granted, and why is returned;
        nobody has asked, so it is not counted.
        """
        self._void((quote.instrument,), "renewed")
        request = MassQuote(self._account.orders.last_id + 1, mandates.group, (quote,))
        objection = self._account.orders.objection(request)
        if objection is not None:
            return Refusal(Rule.REQUEST, request.client_id, quote.instrument, None, objection)
        passed: list[Wish] = []
        for wish in _wishes(mandates.group, quote):
            refusal = self._judge(request.client_id, wish, now)
            if refusal is not None:
                for counted in passed:
                    self._hold(counted, -1)
                return refusal
            passed.append(wish)
            self._hold(wish, 1)
        if passed:
            self._grant(mandates, quote, now)
        return None

    def _grant(self, mandates: Mandates, quote: Quote, now: int) -> None:
        seen, limit = self._known.seen[quote.instrument], self._known.limits.stale_ns
        until_ns = now + FRESH_NS if limit is None else min(now + FRESH_NS, seen.at + limit)
        asks, bids = (list(self._beside(mandates.group, quote.instrument, side)) for side in (Side.ASK, Side.BID))
        most, least = min(asks, default=None), max(bids, default=None)
        mandates.grant(
            _SEAL, quote, None if most is None else most - 1, None if least is None else least + 1, until_ns
        )  # fmt: skip

    def _beside(self, group: int, instrument: int, side: Side) -> Iterator[int]:
        """Give the prices at which orders of ours rest that a quote of this group does not replace."""
        for order in self._account.orders.at(instrument, side):
            if order.group != group:
                yield from (price for price, _ in ((order.price, 0), order.asked or (None, 0)) if price is not None)

    def _hold(self, wish: Wish, sign: int) -> None:
        """Count a side that may be sent without another check as open, or no longer."""
        self._account.exposure.add_open(wish.instrument, wish.side, sign * wish.more)
        self._mandated(sign)

    def _mandated(self, sides: int) -> None:
        self._known.mandated += sides

    def _may(self) -> bool:
        """Say whether mandates may be used; a switch that was thrown takes them back, armed again or not."""
        if self._kills != self.switch.kills:
            self._kills = self.switch.kills
            self._void(None, "kill")
        return not self.switch.is_killed

    def _void(self, instruments: Collection[int] | None, by: str) -> None:
        for mandates in self._mandates:
            mandates.void(instruments, by)

    def _void_where(self, rule: Rule) -> None:
        """Take all mandates back where a rule about the world, not about a wish, refuses now."""
        if self._mandates and _WORLD[rule](self._known, Wish(0, Side.BID, None, 0, 0, NONE), 0) is not None:
            self._void(None, rule.value)

    # --- between requests

    def watch(self, now: int, instruments: Collection[int] | None = None) -> list[Event]:
        """Give what must be pulled now: of every side that rests, what a new order there would be refused for.

        Of `instruments` alone, where only they have changed.

        A loss beyond its limit kills. Nothing is counted as refused: nobody asked.
        """
        events: list[Event] = []
        for wrong in losses(self._known)[:1]:
            if not self.switch.is_killed:
                return self.kill("the limit of loss", wrong, now)
        resting = instruments
        if resting is None:
            resting = {order.instrument for order in self._account.orders.open()}
        for instrument in sorted(resting):
            why = self._standing(instrument, now)
            if why is not None:
                events.append(Pull(instrument, why))
        return events

    def _standing(self, instrument: int, now: int) -> str | None:
        for side in Side:
            if self._account.orders.at(instrument, side):
                wish = Wish(instrument, side, None, 0, 0, NONE)
                for rule, check in _OF_WORLD:
                    wrong = check(self._known, wish, now)
                    if wrong is not None:
                        return f"{rule.value}: {wrong}"
        return None


_STANDING: Final = frozenset({
    Rule.KILLED, Rule.NOT_RECONCILED, Rule.UNCERTAIN, Rule.CLOCK, Rule.BOOK, Rule.STALE, Rule.SENSITIVITY, Rule.MARGIN,
    Rule.UNMARKED,
})  # fmt: skip
"""Rules that are about the world, not about a wish."""
_OF_WORLD: Final = tuple((rule, check) for rule, check in CHECKS if rule in _STANDING)
_WORLD: Final = dict(CHECKS)


def _wishes(group: int, quote: Quote) -> Iterator[Wish]:
    """Give the sides of a quote that ask for something."""
    crossed = quote.bid is not None and quote.ask is not None and quote.bid >= quote.ask
    for side, price, quantity in ((Side.BID, quote.bid, quote.bid_quantity), (Side.ASK, quote.ask, quote.ask_quantity)):
        if price is not None:
            yield Wish(quote.instrument, side, price, quantity, quantity, NONE, group, crossed=crossed)


def _instrument(request: Request) -> int | None:
    return getattr(request, "instrument", None)
