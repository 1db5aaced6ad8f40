"""Where our orders are kept: by name, by side, by place, by when an answer is overdue; and for how long.

An order that is over is kept for late reports until `kept` others were over after it. What may still be executed of an
order is told to the exposure whenever it changes, and nowhere else.

Bounds: MAX_OPEN orders that are not over, `kept` that are, `kept` mass quotes and sweeps beside those with open orders.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from netfeed.book.level import Side
from netfeed.engine.exposure import Exposure
from netfeed.engine.mass_quotes import Mass, Places
from netfeed.engine.order import OVER, WAITING, Key, Order, State
from netfeed.machine import NEVER

MAX_OPEN: Final = 65_536
"""Orders that are not over; limits are far below."""


class Register:
    """All orders that are remembered."""

    def __init__(self, exposure: Exposure, *, answer_ns: int, kept: int) -> None:
        self._exposure, self._answer_ns, self._kept = exposure, answer_ns, kept
        self._orders: dict[Key, Order] = {}
        self._open: dict[tuple[int, Side], dict[Key, Order]] = {}
        self._over: dict[Key, None] = {}
        self._masses: dict[int, Mass] = {}
        self._sweeps: dict[int, list[Order]] = {}
        self._due: dict[Key, int] = {}
        self.places = Places()
        self.open_count = 0
        self.uncertain: Counter[int] = Counter()
        self._owing: set[int] = set()

    def resume(self, fresh: "Register") -> None:
        """Go on under the settings of another."""
        self._answer_ns, self._kept = fresh._answer_ns, fresh._kept

    # --- looking

    def get(self, key: Key) -> Order | None:
        """Give an order by what names it."""
        return self._orders.get(key)

    def all(self) -> Iterator[Order]:
        """Give all that are remembered."""
        yield from self._orders.values()

    def open(self, instrument: int | None = None, side: Side | None = None) -> Iterator[Order]:
        """Give the orders that are not over: all, or those of an instrument, or of one side of it."""
        if instrument is not None:
            for on in Side if side is None else (side,):
                yield from self.at(instrument, on)
            return
        for (_, on), orders in self._open.items():
            if side in (None, on):
                yield from orders.values()

    def at(self, instrument: int, side: Side) -> Iterable[Order]:
        """Give the orders of one side of an instrument that are not over, without a search."""
        return self._open.get((instrument, side), {}).values()

    def mass(self, client_id: int) -> Mass | None:
        """Give a mass quote by its client id."""
        return self._masses.get(client_id)

    def made(self, client_id: int) -> list[Order]:
        """Give the orders that one request made."""
        order = self._orders.get(client_id)
        if order is not None:
            return [order]
        mass = self._masses.get(client_id)
        return [] if mass is None else list(mass.made.values())

    def older(self, order: Order) -> list[Order]:
        """Give those whose place an order shall take."""
        if order.group is None:
            return []
        return self.places.before((order.group, order.instrument, order.side), order.number)

    @property
    def deadline(self) -> int:
        """Say when the first answer is overdue. Units: monotonic ns, NEVER when none is waited for."""
        return next(iter(self._due.values()), NEVER)

    def overdue(self, now: int) -> list[Order]:
        """Give the orders that should have been answered by now, the longest overdue first."""
        late = []
        for key, due in self._due.items():
            if due > now:
                break
            late.append(self._orders[key])
        return late

    def forgotten_owing(self) -> set[int]:
        """Give the instruments of orders that were forgotten while the venue owed executions that it told of; once."""
        owing = self._owing
        if owing:
            self._owing = set()
        return owing

    # --- keeping

    def enter(self, order: Order, now: int) -> None:
        """Take in a new order."""
        self._orders[order.key] = order
        self._due[order.key] = now + self._answer_ns
        self._open_again(order)
        self.count(order)

    def keep_mass(self, mass: Mass) -> None:
        """Remember a mass quote; of two older ones, those are forgotten of which nothing is open."""
        self._masses[mass.client_id] = mass
        for _ in range(2 if len(self._masses) > self._kept else 0):
            oldest = self._masses.pop(next(iter(self._masses)))
            if any(not order.is_over for order in oldest.made.values()):
                self._masses[oldest.client_id] = oldest

    def keep_sweep(self, client_id: int, orders: list[Order]) -> None:
        """Remember what a CancelAll was about."""
        self._sweeps[client_id] = orders
        if len(self._sweeps) > self._kept:
            del self._sweeps[next(iter(self._sweeps))]

    def swept(self, client_id: int) -> list[Order]:
        """Give what a CancelAll was about, once."""
        return self._sweeps.pop(client_id, [])

    def settle(self, order: Order, before: State, now: int, *, moved: bool) -> None:
        """Bring all that is kept by state and quantity up to an order; `moved`: its state, or what it waits for."""
        self.count(order)
        if not moved:
            return
        self._due.pop(order.key, None)
        if order.state in WAITING:
            self._due[order.key] = now + self._answer_ns
        self.uncertain[order.instrument] += (order.state is State.UNCERTAIN) - (before is State.UNCERTAIN)
        if before not in OVER and order.state in OVER:
            self._close(order)
        elif before in OVER and order.state not in OVER:
            self._over.pop(order.key, None)
            self._open_again(order)

    def count(self, order: Order) -> None:
        """Tell the exposure what may still be executed."""
        if order.open != order.counted:
            self._exposure.add_open(order.instrument, order.side, order.open - order.counted)
            order.counted = order.open

    def _open_again(self, order: Order) -> None:
        self.open_count += 1
        self._open.setdefault((order.instrument, order.side), {})[order.key] = order
        if order.group is not None:
            self.places.enter(order)

    def _close(self, order: Order) -> None:
        self.open_count -= 1
        del self._open[order.instrument, order.side][order.key]
        if order.group is not None:
            self.places.leave(order)
        self._over[order.key] = None
        while len(self._over) > self._kept:
            key = next(iter(self._over))
            del self._over[key]
            self._forget(self._orders.pop(key))

    def _forget(self, order: Order) -> None:
        if order.counted:
            self._exposure.add_open(order.instrument, order.side, -order.counted)
            self._owing.add(order.instrument)
