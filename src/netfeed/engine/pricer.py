"""Books to worths: forwards follow every book that moves them, curves are fitted anew one expiry at a time.

    follow(view, touched)   what a change of a perpetual or a future makes of every worth: a step from what Black gave
                            (`worth.moved`), or Black anew where the forward has gone too far for a step
    refit(view)             one expiry: marks, forward, points, curve, worths; some rounds of its fit a call, and the
                            engine asks only when all that is urgent has left

A round of fits begins every `refit_ns` and goes from the earliest expiry to the last. Every `look_ns` all is followed
anew, though nothing was touched: a book that is LIVE says what holds now, and ages must not grow where it does.

What cannot be priced is None, and the gate shuts it: an expiry without a curve, a fit that raises (`broken` says what).
An option that has expired is worth its exercise and moves no more, until whoever knows the settlement says so; or until
the clock says that it has not: it was set too far, and set back.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from netfeed.engine.chain import Expiry, OptionMark, points
from netfeed.engine.chains import Chain, Underlying, underlyings
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.forward import Forward, Forwards, ForwardSettings, Mark, Pair, Source, mark
from netfeed.engine.greeks import of_position
from netfeed.engine.strategy import Fair, Greeks, View
from netfeed.engine.surface import Refit, Surface, SurfaceSettings, Verdict
from netfeed.engine.svi_fit import Rounds
from netfeed.engine.worth import far, moved_all, of_future, worths
from netfeed.errors import MisuseError
from netfeed.machine import NEVER

Fairs = dict[int, Fair | None]
ChainKey = tuple[str, int, bool]
NOT_TRIED: Final = "not fitted yet"


@dataclass(frozen=True, slots=True)
class PricerSettings:
    """How often. Units: ns; `discount` of what is paid in the quote currency; `rounds` of a fit that one call does: it
    comes between packets, and the whole fit of a large expiry takes tens of milliseconds.
    """

    refit_ns: int = 2_000_000_000
    look_ns: int = 100_000_000
    forward: ForwardSettings = field(default_factory=ForwardSettings)
    surface: SurfaceSettings = field(default_factory=SurfaceSettings)
    discount: float = 1.0
    rounds: int = 4


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What an expiry is valued by. Units: monotonic ns; `forward` None, `fitted_ns` None: there never was one."""

    underlying: str
    expiry_ns: int
    inverse: bool
    forward: float | None
    forward_at_ns: int | None
    fitted_ns: int | None
    verdict: str


class Pricer:
    """The worths of all instruments. `broken`: what a fit raised, by expiry, until one succeeds."""

    def __init__(self, contracts: Iterable[Contract], settings: PricerSettings | None = None) -> None:
        self.settings = settings or PricerSettings()
        listed = list(contracts)
        self._contracts = {contract.index: contract for contract in listed}
        self._underlyings = underlyings(listed)
        self._key_of = {
            option.index: chain.key for one in self._underlyings for chain in one.chains for option in chain.options
        }
        self._forwards = Forwards(self.settings.forward)
        self._surfaces: dict[tuple[str, bool], Surface] = {}
        self._queue: list[Chain] = []
        self._fit: Chain | None = None
        self._rounds: Rounds[Fairs] | None = None
        self._look_at = self._round_at = self._now = -NEVER
        self._has_chains = any(one.chains for one in self._underlyings)
        self._count: Counter[str] = Counter()
        self.broken: dict[ChainKey, str] = {}

    @property
    def deadline(self) -> int:
        """Say when there is something to do though no book changes. Units: monotonic ns."""
        if self._queue or self._fit is not None:
            return self._now
        return min(self._look_at, self._round_at if self._has_chains else NEVER)

    @property
    def wants_refit(self) -> bool:
        """Say whether an expiry waits for its fit."""
        return self._has_chains and (bool(self._queue) or self._fit is not None or self._now >= self._round_at)

    def late_ns(self, now: int) -> int:
        """Say for how long the round that is due waits already. Units: ns."""
        return max(0, now - self._round_at)

    # --- the step

    def follow(self, view: View, touched: Collection[int]) -> Fairs:
        """Let the worths follow what was touched."""
        self._now = view.now
        everything = view.now >= self._look_at
        if everything:
            self._look_at = view.now + self.settings.look_ns
        fairs: Fairs = {}
        for underlying in self._underlyings:
            movers = underlying.movers if everything else underlying.movers.intersection(touched)
            if movers:
                fairs.update(self._follow(view, underlying, movers, again=everything))
        return fairs

    def _follow(self, view: View, underlying: Underlying, movers: frozenset[int], *, again: bool) -> Fairs:
        fairs: Fairs = {}
        for contract in (*underlying.spots, *underlying.futures):
            seen = self._mark(view, contract) if contract.index in movers else None
            if seen is not None:
                fairs[contract.index] = of_future(Forward(seen.mid, seen.error, Source.SPOT, seen.at_ns))
        spot = self._spot(view, underlying)
        for chain in underlying.chains:
            fairs.update(self._follow_chain(view, chain, spot, movers, again=again))
        return fairs

    def _follow_chain(
        self, view: View, chain: Chain, spot: Mark | None, movers: frozenset[int], *, again: bool
    ) -> Fairs:
        """Move a chain's worths with its forward; where that stands still, only `again` (their ages)."""
        if chain.expiry_ns <= view.wall_ns:
            return self._expired(view, chain)
        years = chain.years(view.wall_ns)
        if chain.future is not None and chain.future.index in movers:
            future = self._mark(view, chain.future)
            forward = self._forwards.update(chain.key, years, future=future, spot=spot)
        else:
            forward = self._forwards.move(chain.key, years, spot) if spot else self._forwards.get(chain.key)
        if forward is None or not chain.bases or (forward.value == chain.forward and not again):
            return {}
        chain.forward = forward.value
        if far(next(iter(chain.bases.values())), forward):
            self._count["anew"] += 1
            return self._worths(view, chain, forward)
        self._count["moved"] += 1
        return dict(moved_all(self._contracts, chain.bases, forward))

    # --- the fit

    def refit(self, view: View) -> Fairs:
        """Fit the next expiry anew, where one is due: so many rounds; its worths come with the last."""
        self._now = view.now
        if self._fit is None:
            if not self._queue and view.now >= self._round_at:
                self._begin(view)
            if not self._queue:
                return {}
            self._count["fits"] += 1
            self._fit = self._queue.pop(0)
        chain = self._fit
        try:
            self._rounds = self._rounds or self._refit(view, chain)
            for _ in range(self.settings.rounds):
                next(self._rounds)
        except StopIteration as end:
            self._fit = self._rounds = None
            self.broken.pop(chain.key, None)
            fairs: Fairs = end.value
            return fairs
        except Exception as error:
            self._fit = self._rounds = None
            self._count["raised"] += 1
            self.broken[chain.key] = f"{type(error).__name__}: {error}"
            chain.bases = {}
            return dict.fromkeys((option.index for option in chain.options), None)
        return {}

    def _begin(self, view: View) -> None:
        self._round_at = view.now + self.settings.refit_ns
        for chain in (chain for one in self._underlyings for chain in one.chains):
            chain.over = chain.over and chain.expiry_ns <= view.wall_ns  # else the clock had been set too far
        self._queue = [chain for one in self._underlyings for chain in one.chains if not chain.over]
        for name, inverse in {(chain.underlying, chain.inverse) for chain in self._queue}:
            members = [one.expiry_ns for one in self._queue if (one.underlying, one.inverse) == (name, inverse)]
            self._surface(name, inverse).expect(members)

    def _refit(self, view: View, chain: Chain) -> Rounds[Fairs]:
        """Fit a chain to what is seen now; `view` and the forward go on meanwhile."""
        if chain.expiry_ns <= view.wall_ns:
            return self._expired(view, chain)
        underlying = next(one for one in self._underlyings if one.name == chain.underlying)
        marks = {one.index: seen for one in chain.options if (seen := self._mark(view, one)) is not None}
        years, surface = chain.years(view.wall_ns), self._surface(chain.underlying, chain.inverse)
        forward = self._forwards.update(
            chain.key, years, pairs=list(_pairs(chain, marks)), spot=self._spot(view, underlying),
            future=None if chain.future is None else self._mark(view, chain.future), inverse=chain.inverse,
            discount=self.settings.discount,
        )  # fmt: skip
        value = None if forward is None else forward.value
        said = [_option_mark(one, marks[one.index]) for one in chain.options if one.index in marks]
        expiry = Expiry(value or 1.0, years, chain.inverse, self.settings.discount)
        fitted = points(said if value else [], expiry)
        yield from surface.refitting(Refit(chain.expiry_ns, fitted, value, years, view.now))
        if chain.expiry_ns <= view.wall_ns:
            surface.drop(chain.expiry_ns)
            return self._expired(view, chain)
        forward = self._forwards.get(chain.key)
        return {} if forward is None else self._worths(view, chain, forward)

    def _worths(self, view: View, chain: Chain, forward: Forward) -> Fairs:
        surface = self._surface(chain.underlying, chain.inverse)
        fairs = worths(chain.options, surface, forward, view.wall_ns, self.settings.discount)
        chain.forward = forward.value
        chain.bases = {index: fair for index, fair in fairs.items() if fair is not None}
        return fairs

    def _expired(self, view: View, chain: Chain) -> Fairs:
        """Value what has expired by its exercise; it moves no more."""
        if chain.over:
            return {}
        chain.over, chain.bases = True, {}
        self._surface(chain.underlying, chain.inverse).drop(chain.expiry_ns)
        forward = self._forwards.get(chain.key)
        if forward is None:
            return dict.fromkeys((option.index for option in chain.options), None)
        return {option.index: _exercised(option, forward, view.now) for option in chain.options}

    # --- what is seen

    def _mark(self, view: View, contract: Contract) -> Mark | None:
        try:
            return mark(contract, view.book(contract.index), view.now)
        except MisuseError:
            return None  # nobody has given it a book

    def _spot(self, view: View, underlying: Underlying) -> Mark | None:
        """Give the first of what never expires that can be believed."""
        return next((seen for one in underlying.spots if (seen := self._mark(view, one)) is not None), None)

    def _surface(self, underlying: str, inverse: bool) -> Surface:
        key = (underlying, inverse)
        if key not in self._surfaces:
            self._surfaces[key] = Surface(self.settings.surface)
        return self._surfaces[key]

    # --- what it shows

    def reports(self) -> Iterator[ChainReport]:
        """Tell what each expiry is valued by."""
        for chain in (chain for one in self._underlyings for chain in one.chains):
            surface, forward = self._surface(chain.underlying, chain.inverse), self._forwards.get(chain.key)
            curve, attempt = surface.slice(chain.expiry_ns), surface.attempt(chain.expiry_ns)
            verdict = NOT_TRIED if attempt is None else attempt.verdict.value
            yield ChainReport(
                chain.underlying, chain.expiry_ns, chain.inverse, None if forward is None else forward.value,
                None if forward is None else forward.at_ns, None if curve is None else curve.at_ns,
                Verdict.EXPIRED.value if chain.over else self.broken.get(chain.key, verdict),
            )  # fmt: skip

    def bases(self) -> dict[int, Fair]:
        """Give the worths of all options as Black gave them last."""
        return {index: fair for one in self._underlyings for chain in one.chains for index, fair in chain.bases.items()}

    def held(self, view: View) -> dict[ChainKey | None, Greeks]:
        """Give what is held of each expiry comes to; None: of all that is in none (perpetuals, futures)."""
        parts: dict[ChainKey | None, list[Greeks]] = {key: [] for key in (None, *self._key_of.values())}
        for contract in self._contracts.values():
            held, fair = view.position(contract.index), view.fair(contract.index)
            if held and fair is not None:
                parts[self._key_of.get(contract.index)].append(of_position(contract, fair, held))
        return {
            key: Greeks(*(sum(getattr(part, name) for part in some) for name in ("delta", "gamma", "vega", "theta")))
            for key, some in parts.items()
        }

    def statistics(self) -> dict[str, int]:
        """Count steps, fits, and what came of the fits."""
        counts = {name: self._count[name] for name in ("moved", "anew", "fits", "raised")}
        for surface in self._surfaces.values():
            for verdict, count in surface.verdicts().items():
                counts[f"fit_{verdict.lower()}"] = counts.get(f"fit_{verdict.lower()}", 0) + count
        return counts


def _pairs(chain: Chain, marks: dict[int, Mark]) -> Iterator[Pair]:
    for strike, call, put in chain.pairs:
        if call.index in marks and put.index in marks:
            yield Pair(strike, marks[call.index], marks[put.index])


def _option_mark(option: Contract, seen: Mark) -> OptionMark:
    return OptionMark(option.strike or 0.0, option.payoff is Payoff.CALL, seen)


def _exercised(option: Contract, forward: Forward, now: int) -> Fair:
    gain = forward.value - (option.strike or 0.0)
    value = max(0.0, gain if option.payoff is Payoff.CALL else -gain)
    return Fair(value / forward.value if option.inverse else value, forward.value, 0.0, now, now)
