"""What befalls a money world, drawn from its seed before it begins: so that a world can be told and told again."""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from netfeed.sim.faults import RATE, Faults
from netfeed.sim.order_faults import OrderFaults

MS: Final = 1_000_000
BEGIN_NS: Final = 50 * MS
"""Until then everything works: there must be something to lose."""
END_NS: Final = 320 * MS
"""From then on everything works again, and the books are settled."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens at a time, to one of two (gateways, lines, ...), for so long."""

    at: int
    what: str
    which: int = 0
    until: int = 0


@dataclass(slots=True)
class Script:
    """All that befalls a world. `bump_ns`: the exchange's speed bump."""

    seed: int
    happenings: list[Happening] = field(default_factory=list)
    feed: Faults = field(default_factory=Faults)
    orders: OrderFaults = field(default_factory=OrderFaults)
    way: Faults = field(default_factory=Faults)
    rate: int = 90
    bump_ns: int = 0
    tiers: int = 2
    queues: bool = True
    mass_quotes: bool = False
    list_refuses: float = 0.0
    list_ns: int = 3 * MS

    def add(self, random: Random, what: str, which: int, shortest: int, longest: int) -> None:
        """Let something happen at a time within the world."""
        at = random.randrange(BEGIN_NS, END_NS - 40 * MS)
        until = at + random.randrange(shortest * MS, longest * MS)
        self.happenings.append(Happening(at, what, which, min(until, END_NS)))


OFTEN: Final = (
    # what           which, how often in ten worlds, and for how long (ms)
    ("dark", 1, 8, 3, 130), ("line", 2, 3, 5, 200), ("cut", 2, 3, 1, 2), ("die", 2, 2, 30, 120),
    ("forget", 2, 0.5, 30, 120), ("die_in_between", 2, 2, 30, 120), ("storm", 2, 3, 10, 80), ("stall", 2, 3, 5, 60),
    ("dead_for_long", 1, 0.5, 200, 400), ("clock", 1, 2, 10, 60), ("crash", 1, 3, 20, 80), ("kill", 1, 1, 1, 2),
    ("halt", 4, 1, 10, 100), ("jump", 1, 3, 1, 2),
)  # fmt: skip


def script(seed: int) -> Script:
    """Draw a world."""
    random = Random(seed)
    jitter = random.choice((0, 0, 200_000))
    loss = random.choice((0, RATE // 100, RATE // 20, RATE // 6, RATE // 4))
    made = Script(
        seed,
        feed=Faults(
            loss=loss, duplicate=loss // 2, reorder=loss, reorder_ns=random.choice((100_000, 700_000)),
            delay_ns=200_000, jitter_ns=jitter, corrupt=loss // 10,
        ),
        orders=OrderFaults(
            lost=random.choice((0, RATE // 50, RATE // 8)), duplicate=random.choice((0, RATE // 20)),
            delay_ns=random.choice((0, 100_000)), jitter_ns=random.choice((0, 2 * MS)),
            refuse=random.choice((0, 0, RATE // 50)),
        ),
        way=Faults(delay_ns=300_000, jitter_ns=jitter), rate=random.choice((90, 140, 200)),
        bump_ns=random.choice((0, 0, 0, MS)), tiers=random.choice((1, 1, 2)), queues=random.random() < 0.3,
        mass_quotes=random.random() < 0.3, list_refuses=random.choice((0.0, 0.2)),
        list_ns=random.choice((MS, 3 * MS, 20 * MS)),
    )  # fmt: skip
    for what, which, often, shortest, longest in OFTEN:
        if random.random() * 10 < often:
            for _ in range(random.choice((1, 1, 2))):
                made.add(random, what, random.randrange(which), shortest, longest)
    made.happenings.sort(key=lambda one: one.at)
    return made
