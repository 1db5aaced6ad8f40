"""What an order gateway does that it should not: lose, repeat and delay answers, refuse in storms, die in between.

Rates are out of RATE. Draws are made for each request and report whatever the faults are, so that a gateway with more
faults does at least what one with less does.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from netfeed.errors import MisuseError
from netfeed.sim.draws import Draws
from netfeed.sim.faults import RATE

_DRAWN: Final = 4


@dataclass(frozen=True, slots=True)
class OrderFaults:
    """Faults of a gateway. Units: ns.

    lost       how often a report never comes, though what it says has happened
    duplicate  how often a report comes twice
    delay_ns   what every report takes; `jitter_ns` more at most, without overtaking
    refuse     how often a request is refused before the exchange hears of it

    Raises: MisuseError when a rate is not one, or a time is negative.
    """

    lost: int = 0
    duplicate: int = 0
    delay_ns: int = 0
    jitter_ns: int = 0
    refuse: int = 0

    def __post_init__(self) -> None:
        if not all(0 <= rate <= RATE for rate in (self.lost, self.duplicate, self.refuse)):
            raise MisuseError(f"a rate of faults is from 0 to {RATE}: {self}")
        if min(self.delay_ns, self.jitter_ns) < 0:
            raise MisuseError(f"times of faults are not negative: {self}")


NONE: Final = OrderFaults()
"""A gateway that does what it should."""


class Fate(NamedTuple):
    """What happens to one message: how often it comes, how late, and whether a request is refused."""

    copies: int
    delay_ns: int
    refused: bool


class Storm(NamedTuple):
    """Faults that hold until a time, in the place of those that a gateway usually has. Units: monotonic ns."""

    until_ns: int
    faults: OrderFaults


class Judge:
    """Draws fates."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed)

    def judge(self, faults: OrderFaults) -> Fate:
        """Draw the fate of a message."""
        lost, twice, late, refused = (int(word >> 32) for word in self._draws.words(_DRAWN).tolist())
        copies = 0 if _hit(lost, faults.lost) else 1 + _hit(twice, faults.duplicate)
        return Fate(copies, faults.delay_ns + (late * faults.jitter_ns >> 32), _hit(refused, faults.refuse))


def _hit(word: int, rate: int) -> bool:
    return word * RATE >> 32 < rate
