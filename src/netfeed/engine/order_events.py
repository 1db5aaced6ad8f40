"""What is told of our own orders: that quotes shall go, what was executed, where an order is, what was odd.

In what one call returns, every Pull stands first: quotes out, then a clear report.
"""

from dataclasses import dataclass

from netfeed.book.execution import Filled
from netfeed.engine.order import Anomaly, Key, Order, State


@dataclass(frozen=True, slots=True)
class Pull:
    """The quotes of an instrument shall leave at once, and none be made until it is out of doubt."""

    instrument: int
    why: str


@dataclass(frozen=True, slots=True)
class Executed:
    """An execution, told once however often it came. `order` None: of none that we know; it moves the position."""

    fill: Filled
    order: Order | None


@dataclass(frozen=True, slots=True)
class Moved:
    """An order has another state."""

    key: Key
    instrument: int
    before: State
    now: State


@dataclass(frozen=True, slots=True)
class Odd:
    """A report was odd. `instrument` None: the report names none."""

    anomaly: Anomaly
    client_id: int
    instrument: int | None


Event = Pull | Executed | Moved | Odd


def pulls_first(events: list[Event]) -> list[Event]:
    """Put what is urgent first, once an instrument."""
    pulls = {event.instrument: event for event in reversed(events) if isinstance(event, Pull)}
    if not pulls:
        return events
    return [*reversed(pulls.values()), *(event for event in events if not isinstance(event, Pull))]
