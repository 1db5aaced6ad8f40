"""Traces joined: what a receiver wrote of a packet with what was decided on it, and how long each stage took.

A decision names the message that made it; it belongs to the packet of that channel that carried this message. A record
of either kind may be read before the other: a decision waits a round for its packet, and is `unmatched` after that: its
packet was not traced (sampling), was lost to a slow reader, or lies too far back.

Leaves out: reading rings (`app.latency`).
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram
from netfeed.latency.stage import ABSENT, MEASURED, TO_BOOK, TRACE, Flag, Stage

REMEMBERED: Final = 1 << 15
"""Packets of a channel that a decision may still name."""

Rows = np.ndarray[Any, Any]
Key = tuple[int, ...]


class Joiner:
    """Puts decisions and orders to the packets that made them."""

    def __init__(self) -> None:
        self.unmatched = self.matched = 0
        self._packets: dict[int, Rows] = {}
        self._waiting = np.empty(0, TRACE)

    def join(self, packets: Rows, decisions: Rows) -> Rows:
        """Take what was read in a round; give a whole record for each decision whose packet is known."""
        for channel in np.unique(packets["channel"]).tolist():
            mine = packets[packets["channel"] == channel]
            every = np.concatenate([self._packets.get(channel, mine[:0]), mine])
            self._packets[channel] = every[np.argsort(every["sequence"], kind="stable")][-REMEMBERED:]
        late, found = self._match(self._waiting)
        self.unmatched += len(late)
        self._waiting, more = self._match(decisions)
        self.matched += len(found) + len(more)
        return np.concatenate([found, more])

    def finish(self) -> None:
        """Count what waits as unmatched."""
        self.unmatched += len(self._waiting)
        self._waiting = self._waiting[:0]

    def _match(self, decisions: Rows) -> tuple[Rows, Rows]:
        """Give the decisions that have no packet, and whole records of the others."""
        alone, whole = [decisions[:0]], [decisions[:0]]
        for channel in np.unique(decisions["channel"]).tolist():
            mine, packets = decisions[decisions["channel"] == channel], self._packets.get(channel, decisions[:0])
            places = np.searchsorted(packets["sequence"], mine["sequence"], "right") - 1
            known = places >= 0
            if len(packets):
                found = packets[places]
                known &= mine["sequence"] - found["sequence"] < found["messages"]
                whole.append(_joined(found[known], mine[known]))
            alone.append(mine[~known])
        return np.concatenate(alone), np.concatenate(whole)


class Durations:
    """Histograms of the durations of all pairs of stages, for everything and for each of the groups that `key` names.

    `key` gives the group of each row; None makes no groups.
    """

    def __init__(self, key: Callable[[Rows], Rows] | None = None) -> None:
        self.every = {pair: Histogram() for pair in MEASURED}
        self.groups: dict[int, dict[tuple[Stage, Stage], Histogram]] = {}
        self.plain = Histogram()
        """From the kernel to the book, of what went through plain Python; counted in `every`, too."""
        self.latest = Histogram()
        """From the kernel to the book since `cut`."""
        self.packets = self.decisions = 0
        self._key = key

    def count(self, rows: Rows) -> None:
        """Count rows of receivers, or whole rows of a joiner: of these only what a decision added."""
        decided = rows[rows["flags"] & Flag.DECISION != 0]
        packets = rows[rows["flags"] & Flag.DECISION == 0]
        self.packets += len(packets)
        self.decisions += len(decided)
        _record(self.every, packets, decided)
        self.plain.record_all(spent(packets[packets["flags"] & Flag.PLAIN != 0], TO_BOOK))
        self.latest.record_all(spent(packets, TO_BOOK))
        if self._key is not None:
            self._count_groups(packets, decided, self._key)

    def cut(self) -> Histogram:
        """Give the latest, and begin it anew."""
        latest, self.latest = self.latest, Histogram()
        return latest

    def _count_groups(self, packets: Rows, decided: Rows, key: Callable[[Rows], Rows]) -> None:
        keys, theirs = key(packets), key(decided)
        for group in np.unique(np.concatenate([keys, theirs])).tolist():
            mine = self.groups.setdefault(group, {pair: Histogram() for pair in MEASURED})
            _record(mine, packets[keys == group], decided[theirs == group])


def by_channel(rows: Rows) -> Rows:
    """Give the group of a row by its channel."""
    keys: Rows = rows["channel"].astype(np.int64)
    return keys


def by_line(rows: Rows) -> Rows:
    """Give the group of a row by channel and line: channel * 256 + line."""
    keys: Rows = by_channel(rows) * 256 + rows["line"]
    return keys


def spent(rows: Rows, pair: tuple[Stage, Stage]) -> Rows:
    """Give how long rows took from one stage to another, of those that have both. Units: ns."""
    before, after = rows["at_ns"][:, pair[0]], rows["at_ns"][:, pair[1]]
    have = (before != ABSENT) & (after != ABSENT)
    return np.ascontiguousarray(after[have] - before[have])


def _record(into: dict[tuple[Stage, Stage], Histogram], packets: Rows, decided: Rows) -> None:
    for pair, histogram in into.items():
        histogram.record_all(spent(decided if pair[1] >= Stage.DECIDED else packets, pair))


def _joined(packets: Rows, decisions: Rows) -> Rows:
    whole = packets.copy()
    whole["at_ns"][:, Stage.DECIDED :] = decisions["at_ns"][:, Stage.DECIDED :]
    whole["reference"] = decisions["reference"]
    whole["flags"] |= decisions["flags"]
    return whole
