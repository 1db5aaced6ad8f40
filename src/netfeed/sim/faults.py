"""What a line does to packets that it should not: lose, repeat, overtake, delay, damage them, or fall silent.

Loss has three forms that add up: each packet by itself (`loss`); in bursts, where so many packets in a row go
(`burst`); and by a chain of two states after Gilbert and Elliott, where loss comes in clusters of random length.

Damage is such that a receiver can see it: the packet is cut, lengthened, or replaced by noise. A flipped bit inside a
price would be believed by anyone (that is what the checksum of UDP is for), so it is no fault of this model.

Invariant: `Model.judge` draws the same numbers for every packet whatever the faults are, so that a line with more loss
loses at least what the same line with less loses. Rates are integers, out of RATE packets.

Source: E. N. Gilbert, Capacity of a burst-noise channel (1960); E. O. Elliott (1963).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from netfeed.errors import MisuseError
from netfeed.sim.draws import Draws
from netfeed.units import parse_decimal

RATE: Final = 1_000_000
"""Rates are out of so many packets: 10,000 is one percent."""
MAX_WINDOWS: Final = 4096
"""More windows at once than this is a mistake of the caller."""
_BLOCK: Final = 256
_DRAWN: Final = 9


@dataclass(frozen=True, slots=True)
class Chain:
    """A line with a good and a bad state. `worsen` and `mend` are the rates of the steps, per packet.

    Of packets in the good state `good` are lost, of those in the bad state `bad`.
    """

    worsen: int
    mend: int
    good: int = 0
    bad: int = RATE


@dataclass(frozen=True, slots=True)
class Faults:
    """What a line does. Rates are out of RATE, times in ns.

    burst          how often a burst begins, in which `burst_packets` in a row are lost
    duplicate      how often a packet comes twice, the second time up to `duplicate_ns` later
    reorder        how often a packet is held back for `reorder_ns`, and overtaken by what comes in that time
    delay_ns       what every packet takes; `jitter_ns` more at most, without overtaking
    corrupt        how often a packet is cut, lengthened, or replaced by noise
    silent         nothing comes through

    Raises: MisuseError when a rate is not one, or a time is negative.
    """

    loss: int = 0
    burst: int = 0
    burst_packets: int = 8
    chain: Chain | None = None
    duplicate: int = 0
    duplicate_ns: int = 50_000
    reorder: int = 0
    reorder_ns: int = 300_000
    delay_ns: int = 0
    jitter_ns: int = 0
    corrupt: int = 0
    silent: bool = False

    def __post_init__(self) -> None:
        chain = self.chain
        rates = [self.loss, self.burst, self.duplicate, self.reorder, self.corrupt]
        rates += [chain.worsen, chain.mend, chain.good, chain.bad] if chain else []
        if not all(0 <= rate <= RATE for rate in rates):
            raise MisuseError(f"a rate of faults is from 0 to {RATE}: {self}")
        if min(self.burst_packets, self.duplicate_ns, self.reorder_ns, self.delay_ns, self.jitter_ns) < 0:
            raise MisuseError(f"counts and times of faults are not negative: {self}")


NONE: Final = Faults()
"""A line that does what it should."""


def parse_rate(text: str) -> int:
    """Read a percentage, exactly. Units: out of RATE.

    Raises: ValueError.

    >>> parse_rate("10%"), parse_rate("0.05%")
    (100000, 500)
    """
    if not text.endswith("%"):
        raise ValueError(f"not a percentage such as 10% or 0.1%: {text!r}")
    rate = parse_decimal(text[:-1], -4)
    if not 0 <= rate <= RATE:
        raise ValueError(f"a rate is from 0% to 100%, not {text}")
    return rate


class Window(NamedTuple):
    """Faults that hold from `begin_ns` up to, not including, `end_ns`. Units: the driver's ns."""

    begin_ns: int
    end_ns: int
    faults: Faults


class Fate(NamedTuple):
    """One copy of a packet as it will arrive: after `delay_ns`, on time or `late` so that others overtake it.

    `damage`: None, or a random number that says how the packet is spoilt.
    """

    delay_ns: int
    late: bool
    damage: int | None


@dataclass(slots=True)
class Counts:
    """What became of packets: `lost` by chance, `silenced` while the line was silent."""

    sent: int = 0
    lost: int = 0
    silenced: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0


class Model:
    """The fate of packets on one line. The last of the `windows` that hold is what holds, else `faults`."""

    def __init__(self, faults: Faults = NONE, *, seed: int = 0, windows: Iterable[Window] = ()) -> None:
        self.faults = faults
        self.windows = list(windows)
        self.counts = Counts()
        self._draws = Draws(seed)
        self._rows: Iterator[list[int]] = iter(())
        self._burst = 0
        self._bad = False

    def at(self, now: int) -> Faults:
        """Give the faults that hold at a time."""
        for window in reversed(self.windows):
            if window.begin_ns <= now < window.end_ns:
                return window.faults
        return self.faults

    def during(self, begin_ns: int, end_ns: int, faults: Faults) -> None:
        """Let these faults hold for a time. Raises: MisuseError at MAX_WINDOWS."""
        if len(self.windows) >= MAX_WINDOWS:
            raise MisuseError(f"a line has at most {MAX_WINDOWS} windows of faults")
        self.windows.append(Window(begin_ns, end_ns, faults))

    def forget(self, now: int) -> None:
        """Drop the windows that are over."""
        self.windows = [window for window in self.windows if window.end_ns > now]

    def judge(self, now: int) -> list[Fate]:
        """Decide on the next packet: one fate for each copy that arrives, none when it is lost."""
        loss, burst, step, chain, twice, late, jitter, corrupt, damage = self._row()
        faults = self.at(now)
        self.counts.sent += 1
        gone = self._in_burst(faults, burst) | self._in_chain(faults, step, chain) | (loss < faults.loss)
        if faults.silent:
            self.counts.silenced += 1
            return []
        if gone:
            self.counts.lost += 1
            return []
        held = late < faults.reorder
        spoilt = damage if corrupt < faults.corrupt else None
        wait = faults.delay_ns + faults.jitter_ns * jitter // RATE
        fates = [Fate(wait + (faults.reorder_ns if held else 0), held, spoilt)]
        if twice < faults.duplicate:
            self.counts.duplicated += 1
            fates.append(Fate(fates[0].delay_ns + faults.duplicate_ns * (1 + damage) // RATE, True, None))
        self.counts.reordered += held
        self.counts.corrupted += spoilt is not None
        return fates

    def _in_burst(self, faults: Faults, drawn: int) -> bool:
        if not self._burst and drawn < faults.burst:
            self._burst = faults.burst_packets
        inside = self._burst > 0
        self._burst -= inside
        return inside

    def _in_chain(self, faults: Faults, step: int, drawn: int) -> bool:
        chain = faults.chain
        if chain is None:
            self._bad = False
            return False
        self._bad = step >= chain.mend if self._bad else step < chain.worsen
        return drawn < (chain.bad if self._bad else chain.good)

    def _row(self) -> list[int]:
        row = next(self._rows, None)
        if row is None:
            drawn = self._draws.below(_BLOCK * _DRAWN, RATE).reshape(_BLOCK, _DRAWN)
            self._rows = iter(drawn.tolist())
            row = next(self._rows)
        return row


def spoil(data: bytes, damage: int) -> bytes:
    """Damage a packet in a way that its receiver can see: cut it, lengthen it, or replace it by noise."""
    kind, place = damage % 3, damage // 3
    if kind == 0 and data:
        return data[: place * len(data) * 3 // RATE % len(data)]
    if kind == 1:
        return data + bytes([place & 0xFF]) * (1 + place % 7)
    return Draws(damage).words(len(data) // 8 + 1).tobytes()[: len(data) or 1]


def silenced(faults: Faults) -> Faults:
    """Give the same faults of a line that is silent."""
    return replace(faults, silent=True)
