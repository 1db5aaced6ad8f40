"""How many packets and bits came within any window of a given width: microbursts.

Windows slide: a window is (t - width, t] for the time t of each packet, so that whatever lies closer together than the
width is in one of them, wherever a clock's ticks fall. Nothing is counted by aligned cells.

    take      packets in, in order of time; those of one instant are one entry
    fullest   the window with the most packets, and the one with the most bits
    top       the fullest windows that have no packet in common with a fuller one

Invariant: what is remembered of the past is less than one width, by distinct stamps. A time that falls by no more than
`jitter_ns` counts as the latest before it; one that falls further begins anew, and no window reaches across.
Leaves out: how fast the link is, and what frames are.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

KEEP: Final = 10
JITTER_NS: Final = 50_000_000
_SPREAD: Final = 4
"""Bursts that are remembered for each that is told: a greater one may yet take the place of several."""


@dataclass(frozen=True, slots=True)
class Burst:
    """One window. `first` is the index that its first packet was given. Units: ns, bits."""

    packets: int
    bits: int
    begin_ns: int
    end_ns: int
    first: int

    def overlaps(self, other: "Burst") -> bool:
        """Say whether two windows have a packet in common."""
        return self.begin_ns <= other.end_ns and other.begin_ns <= self.end_ns


class Windows:
    """The windows of one width over one stream of packets. Units: ns."""

    def __init__(self, width_ns: int, *, keep: int = KEEP, jitter_ns: int = JITTER_NS) -> None:
        self.width_ns = width_ns
        self.packets = self.bits = 0
        self.steps = 0
        self.fullest: Burst | None = None
        self.widest: Burst | None = None
        self.counts: Any = np.zeros(0, np.int64)
        self.ends: Any = np.zeros(0, np.int64)
        self._keep = keep
        self._jitter_ns = jitter_ns
        self._top: list[Burst] = []
        self._latest: int | None = None
        self._forget()

    def take(self, ts_ns: Any, bits: Any, index: Any) -> None:
        """Count packets. Shape: int64 arrays of one length; `ts_ns` in the order of the capture.

        `counts` and `ends` are, afterwards, the packets of the window that ends at each of their stamps.
        """
        parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        begin = 0
        while begin < len(ts_ns):
            times = self._rising(ts_ns[begin:])
            end = begin + len(times)
            parts.append(self._count(times, bits[begin:end], index[begin:end]))
            begin = end
        self.counts = np.concatenate([counts for counts, _ in parts])
        self.ends = np.concatenate([ends for _, ends in parts])

    def top(self) -> list[Burst]:
        """List the fullest windows, the fullest first, without those that overlap a fuller one."""
        return self._top[: self._keep]

    def _rising(self, ts_ns: Any) -> Any:
        """Give the times up to where they fall too far, as times that do not fall."""
        if self._latest is not None and int(ts_ns[0]) < self._latest - self._jitter_ns:
            self.steps += 1
            self._latest = None
            self._forget()
        times = np.maximum.accumulate(ts_ns)
        if self._latest is not None:
            times = np.maximum(times, self._latest)
        fallen = ts_ns < times - self._jitter_ns
        if fallen.any():
            times = times[: int(fallen.argmax())]
        self._latest = int(times[-1])
        return times

    def _forget(self) -> None:
        self._times = self._first = np.zeros(0, np.int64)
        self._sums = np.zeros((0, 2), np.int64)  # packets and bits of each instant

    def _count(self, times: Any, bits: Any, index: Any) -> tuple[Any, Any]:
        self.packets += len(times)
        self.bits += int(bits.sum())
        starts = np.flatnonzero(np.concatenate(([True], times[1:] != times[:-1])))
        sizes = np.diff(np.append(starts, len(times)))
        sums = np.stack([sizes, np.add.reduceat(bits, starts)], axis=1)
        at, first = times[starts], index[starts]
        old = len(self._times)
        if old and self._times[-1] == at[0]:  # the instant goes on
            sums[0] += self._sums[-1]
            first = np.concatenate((self._first[-1:], first[1:]))
            old -= 1
        all_times = np.concatenate((self._times[:old], at))
        all_first = np.concatenate((self._first[:old], first))
        all_sums = np.concatenate((self._sums[:old], sums))
        low = np.searchsorted(all_times, at - self.width_ns, "right")
        total = np.concatenate((np.zeros((1, 2), np.int64), np.cumsum(all_sums, axis=0)))
        inside = total[old + 1 :] - total[low]
        self._judge(inside, all_times[low], at, all_first[low])
        keep = int(np.searchsorted(all_times, at[-1] - self.width_ns, "right"))
        self._times, self._first, self._sums = all_times[keep:], all_first[keep:], all_sums[keep:]
        return inside[:, 0], at

    def _judge(self, inside: Any, begins: Any, ends: Any, first: Any) -> None:
        def burst(k: int) -> Burst:
            return Burst(int(inside[k, 0]), int(inside[k, 1]), int(begins[k]), int(ends[k]), int(first[k]))

        fullest, widest = burst(int(inside[:, 0].argmax())), burst(int(inside[:, 1].argmax()))
        if self.fullest is None or fullest.packets > self.fullest.packets:
            self.fullest = fullest
        if self.widest is None or widest.bits > self.widest.bits:
            self.widest = widest
        room = self._keep * _SPREAD
        least = self._top[-1].packets if len(self._top) >= room else 0
        peaks = self._peaks(inside[:, 0], ends)
        for k in peaks[inside[peaks, 0] > least]:
            self._enter(burst(int(k)), room)

    def _peaks(self, counts: Any, ends: Any) -> Any:
        """Choose the fullest window of each stretch of one width: a bounded number of candidates."""
        cells = (ends - ends[0]) // self.width_ns
        order = np.lexsort((-counts, cells))
        chosen = np.flatnonzero(np.concatenate(([True], np.diff(cells[order]) != 0)))
        return order[chosen]

    def _enter(self, one: Burst, room: int) -> None:
        beside = [other for other in self._top if other.overlaps(one)]
        if any(other.packets >= one.packets for other in beside):
            return
        kept = [other for other in self._top if not other.overlaps(one)]
        self._top = sorted([*kept, one], key=lambda burst: (-burst.packets, burst.begin_ns))[:room]
