"""One step of the engine: look at what may be quoted, ask the strategy, and say what to send.

    desk.step(view, touched) -> requests

Instruments that the gate shuts are pulled in this very call, whatever the strategy says; those that depend on a touched
one (it is their hedge) are looked at with it, and all when the clock turns bad, or when the worth of something that we
hold is no longer known. What is too old shows itself only when somebody looks: `step(view)` without `touched` looks at
everything, and `deadline` says when it is due. Then other instruments, too, feel a fill through their skew; who wants
that sooner touches them.

What the venue says besides is told here by whoever hears it: `refused`, `tripped`, `freed`.

A strategy that raises is asked no more: everything is pulled, `broken` says why, and a person re-arms it.
One desk owns an instrument: orders there that its strategy does not want are cancelled.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from netfeed.book.execution import Request
from netfeed.engine.gate import Gate, GateStatistics, Reason
from netfeed.engine.strategy import NOTHING, Strategy, Targets, View
from netfeed.engine.targets import Differ
from netfeed.errors import MisuseError
from netfeed.machine import NEVER


@dataclass(frozen=True, slots=True)
class DeskStatistics:
    """Counters of a `Desk`. `foreign`: answers for instruments that it does not own; they are dropped."""

    steps: int
    foreign: int
    refused: dict[str, int]
    gate: GateStatistics


class Desk:
    """A strategy with its instruments, its gate and its venue's abilities. Units: `look_ns`, `pause_ns` ns."""

    def __init__(
        self, strategy: Strategy, instruments: Collection[int], gate: Gate, differ: Differ, *,
        look_ns: int = 100_000_000, pause_ns: int = 1_000_000_000,
    ) -> None:  # fmt: skip
        self.strategy = strategy
        self.instruments = frozenset(instruments)
        self.gate = gate
        self._differ = differ
        self._look_ns, self._pause_ns = look_ns, pause_ns
        self._underlyings: set[str] = set()
        self._unknown: frozenset[int] = frozenset()
        self._looked_at: int | None = None
        self._clock_good = False
        self._count: Counter[str] = Counter()
        self.broken: str | None = None

    @property
    def deadline(self) -> int:
        """Say when everything must be looked at again. Units: monotonic ns; NEVER before the first look."""
        return NEVER if self._looked_at is None else self._looked_at + self._look_ns

    def step(self, view: View, touched: Collection[int] | None = None) -> list[Request]:
        """Say what to send now, in order; `touched` None looks at everything."""
        self._count["steps"] += 1
        asked = self._asked(view, touched)
        reasons = {instrument: self.gate.look(view, instrument) for instrument in asked}
        opened = frozenset(instrument for instrument in asked if reasons[instrument] is Reason.NONE)
        wanted = self._wanted(view, opened)
        shut = {instrument: NOTHING for instrument in asked if reasons[instrument] is not Reason.NONE}
        return self._differ.requests(view, {**wanted, **shut})

    def arm(self) -> None:
        """Ask the strategy again after it has failed; a person does this."""
        self.broken = None
        for instrument in self.instruments:
            self.gate.free(instrument, Reason.BROKEN)

    def refused(self, instrument: int, now: int) -> None:
        """Note that the venue refused an order, and rest: who asks again at once is refused at once.

        Not for what a fill explains (Cause.NOT_FOUND).
        """
        self.gate.hold(instrument, Reason.REFUSED, now + self._pause_ns)

    def tripped(self, group: int, until_ns: int = NEVER) -> None:
        """Note that the venue's protection has cancelled a group's quotes. Units: monotonic ns; NEVER until `freed`."""
        for instrument in self._of_group(group):
            self.gate.hold(instrument, Reason.PROTECTION, until_ns)

    def freed(self, group: int) -> None:
        """Note that a group may quote again."""
        for instrument in self._of_group(group):
            self.gate.free(instrument, Reason.PROTECTION)

    def _of_group(self, group: int) -> list[int]:
        return [instrument for instrument in self.instruments if self._differ.group(instrument) == group]

    def statistics(self) -> DeskStatistics:
        """Return a snapshot of the counters."""
        refused = {why: count for why, count in self._differ.statistics().items() if count}
        return DeskStatistics(self._count["steps"], self._count["foreign"], refused, self.gate.statistics())

    def _asked(self, view: View, touched: Collection[int] | None) -> frozenset[int]:
        """Give the instruments to look at: all of ours, or those that a change can have touched."""
        clock_was, self._clock_good = self._clock_good, self.gate.clock_is_good(view)
        unknown_was, self._unknown = self._unknown, self._not_known(view)
        changed = clock_was != self._clock_good or unknown_was != self._unknown
        if touched is None or changed or view.now >= self.deadline:
            self._looked_at = view.now
            return self.instruments
        reached = set(touched).union(*(self.gate.dependents(instrument) for instrument in touched))
        return self.instruments & reached

    def _not_known(self, view: View) -> frozenset[int]:
        """Give the instruments that we hold and whose worth is not known."""
        if not self._underlyings:
            self._underlyings = {view.contracts[instrument].underlying for instrument in self.instruments}
        return frozenset().union(*(view.greeks(underlying).unknown for underlying in self._underlyings))

    def _wanted(self, view: View, opened: frozenset[int]) -> Targets:
        if self.broken is not None:
            return {}
        try:
            answer = dict(self.strategy.decide(view, opened))
        except Exception as error:
            self._break(f"{type(error).__name__}: {error}")
            return dict.fromkeys(self.instruments, NOTHING)
        self._count["foreign"] += sum(instrument not in self.instruments for instrument in answer)
        ours = {instrument: wants for instrument, wants in answer.items() if instrument in self.instruments}
        return {
            instrument: wants if instrument in opened or self._is_open(view, instrument) else NOTHING
            for instrument, wants in ours.items()
        }

    def _is_open(self, view: View, instrument: int) -> bool:
        """Look at an instrument that the strategy answered without being asked."""
        return self.gate.look(view, instrument) is Reason.NONE

    def _break(self, why: str) -> None:
        self.broken = why
        for instrument in self.instruments:
            self.gate.hold(instrument, Reason.BROKEN)


def name_of(desk: Desk) -> str:
    """Give what a desk is called where it has failed."""
    return f"desk of instrument {min(desk.instruments, default=None)}"


def check_owners(desks: Iterable[Desk], listed: Collection[int]) -> None:
    """Refuse desks that share an instrument, or have one that nobody listed. Raises: MisuseError."""
    owned: set[int] = set()
    for desk in desks:
        shared, unlisted = owned & desk.instruments, desk.instruments - set(listed)
        if shared:
            raise MisuseError(f"two desks have instruments {sorted(shared)[:3]}: one desk owns an instrument")
        if unlisted:
            raise MisuseError(f"a desk has instruments {sorted(unlisted)[:3]} that have no contract")
        owned |= desk.instruments
