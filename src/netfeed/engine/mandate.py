"""What may be sent without asking risk again: for some quotes, once each, within bounds that were judged beforehand.

`Risk.mandate` judges a quote by every check of the plain path, as if a second one stood beside that which rests, and
grants a mandate: prices on their own side of our other orders, quantities no larger than those judged, for at most a
second (as long as any check holds) and no longer than the book stays fresh. The hot step (`quote_step`) moves quotes
within it; nothing else can: the arrays that it needs are made here, and these are made by `risk` alone.

Why `Risk.pass_` would let everything through that a mandate does - what it looks at is one of these:

    stays as it was   switch, reconciled, clock, book, doubt, protection, margin, loss, limits: whoever changes one
                      voids in the same call what it is about, or all (`void`, `Account.watch`)
    is held back      positions, expiries, Greeks and open orders at worst: what a mandate may add counts as an open
                      order for everybody else from its grant until it is spent or void. An execution moves what was
                      open into the position, which makes no sum worse; each one voids all, as does all that is odd.
                      Other sensitivities are the sums' at once: where one is not known, or a sum is beyond its limit
                      then, all are void; where none is, whatever a mandate adds is within the limits as they are now
    is counted        messages: no step gives more than the pace has room for, and what was sent is spent at once
    is done again     prices: on a tick, no better than the worth at this forward less edge and fee, never through the
                      book, so within every collar around either; a bid and an ask of one quote do not meet
    was on time       ages: a mandate ends with the first of them

A mandate that was used, whose slot was left to the plain path, or that is void is gone; the next full pass asks anew.
So no instrument is quoted a second time before the answer, a step that is wrong is wrong once, and the worst that can
come of all mandates together is within the limits.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final, final

from netfeed.book.execution import MAX_QUOTES, MassQuote, Quote
from netfeed.book.level import Side
from netfeed.engine.cleared import Seal, is_genuine
from netfeed.engine.exposure import Exposure
from netfeed.engine.limits import Pace
from netfeed.engine.quote_words import NO_STEP, SPENT, Array, unarmed
from netfeed.engine.requote import QuoteStep
from netfeed.errors import MisuseError

Counted = Callable[[int], None]
"""Is told how many sides of quotes came to (or left) what may be sent."""
May = Callable[[], bool]
"""Says whether anything but cancels may be sent at all."""

_BOTH: Final = (Side.BID, Side.ASK)


@final
class Mandates:
    """Those of the quotes of one protection group, of instruments whose worth follows one underlying.

    `slots` is filled by the last full pass (`quote_words.SLOT`); `pace` is the session's, None for none.
    """

    def __init__(
        self, seal: Seal, group: int, instruments: Sequence[int], exposure: Exposure, pace: Pace | None, may: May,
        count: Counted,
    ) -> None:  # fmt: skip
        if not is_genuine(seal):
            raise MisuseError("only `Risk.mandates` makes mandates")
        if len(set(instruments)) < len(instruments):
            raise MisuseError("an instrument has one slot")
        self.group, self.instruments = group, tuple(instruments)
        self.slot_of = {instrument: slot for slot, instrument in enumerate(instruments)}
        self.slots, self._limits = unarmed(len(instruments))
        self._step = QuoteStep(self.slots, self._limits)
        self._exposure, self._pace, self._may, self._count = exposure, pace, may, count
        self._held: dict[int, tuple[int, int]] = {}
        self.granted = self.used = 0
        self.void_by: Counter[str] = Counter()

    def __init_subclass__(cls) -> None:
        raise MisuseError("mandates have no kinds")

    # --- of risk

    def grant(self, seal: Seal, quote: Quote, bid_most: int | None, ask_least: int | None, until_ns: int) -> None:
        """Let a quote be moved once; whoever judged it has counted it as open.

        Raises: MisuseError unless `risk` does it.
        """
        if not is_genuine(seal):
            raise MisuseError("only `Risk.mandate` grants a mandate")
        slot = self.slot_of[quote.instrument]
        bid, ask = (
            0 if price is None else quantity
            for price, quantity in ((quote.bid, quote.bid_quantity), (quote.ask, quote.ask_quantity))
        )
        self._held[quote.instrument] = (bid, ask)
        most = NO_STEP if bid_most is None else bid_most
        least = -NO_STEP if ask_least is None else ask_least
        self._limits[slot] = (until_ns, most, least, bid, ask)
        self.granted += 1

    @property
    def voided(self) -> int:
        """Say how many were taken back before they served."""
        return self.void_by.total()

    def void(self, instruments: Collection[int] | None, by: str = "other") -> None:
        """Take back the mandates of these, None: all. Anybody may; those that had not served count by who did."""
        for instrument in list(self._held) if instruments is None else instruments:
            held = self._held.pop(instrument, None)
            if held is not None:
                slot = self.slot_of[instrument]
                self.void_by[by] += int(self._limits[slot]["until_ns"]) != SPENT
                self._limits[slot]["until_ns"] = SPENT
                self._release(instrument, held)

    @property
    def held(self) -> tuple[int, ...]:
        """Give the instruments of which something counts as open: their mandates were granted, and not taken back."""
        return tuple(self._held)

    def has(self, instrument: int, now: int) -> bool:
        """Say whether a quote could be moved now."""
        until_ns = int(self._limits[self.slot_of[instrument]]["until_ns"])
        return until_ns != SPENT and until_ns >= now

    def _release(self, instrument: int, quantities: tuple[int, int]) -> None:
        for side, quantity in zip(_BOTH, quantities, strict=True):
            if quantity:
                self._exposure.add_open(instrument, side, -quantity)
                self._count(-1)

    # --- of the door

    def room(self, now: int) -> int:
        """Say how many quotes may go now, 0 where none may."""
        if not self._may():
            return 0
        return MAX_QUOTES if self._pace is None else max(0, min(self._pace.room(now, urgent=False), MAX_QUOTES))

    def step(self, lead: float, now: int, most: int) -> int:
        """Move the underlying; give how many quotes changed, which stand first in `rows`. Each mandate serves once.

        `most` is no more than `room` said.
        """
        return self._step.step(lead, now, min(most, self.room(now)))

    def arrays(self) -> tuple[QuoteStep, Array]:
        """Give the step and the limits that it is bound to, to whoever moves quotes between two calls of the door."""
        return self._step, self._limits

    @property
    def rows(self) -> Array:
        """Give what the last step said (`quote_words.ROW`)."""
        return self._step.rows

    def request(self, client_id: int, count: int) -> MassQuote:
        """Give what was sent in the words of everybody else."""
        return MassQuote(client_id, self.group, tuple(self._quote(*row) for row in self.rows[:count].tolist()))

    def spend(self, now: int, count: int) -> None:
        """Take note that so many quotes were sent."""
        self.used += count
        if self._pace is not None:
            self._pace.spend(now, count)

    def left(self) -> list[int]:
        """Give the instruments that the last step left to the plain path, and take back what was held for them."""
        if not self._step.left.any():
            return []
        left = [self.instruments[slot] for slot in self._step.left.nonzero()[0]]
        self._step.left[:] = 0
        self.void(left)
        return left

    def _quote(self, slot: int, bid: int, bid_quantity: int, ask: int, ask_quantity: int) -> Quote:
        return Quote(
            self.instruments[slot], bid if bid_quantity else None, bid_quantity, ask if ask_quantity else None,
            ask_quantity,
        )  # fmt: skip
