"""Loss, duplicates and order: the account that the channels keep, which is what `netfeed verify` reports.

What one line lacks while the other has it is no loss of the channel; the jumps of each line's own numbers say it.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from netfeed.app.clock import time_text
from netfeed.app.latency.pcap_part import Part
from netfeed.app.latency.pcap_rows import NO_LINE, Line
from netfeed.app.replay import Replay
from netfeed.app.report import gaps

MAX_GAPS: Final = 100
RESET: Final = 10_000
"""A number that falls further begins anew."""


class _Own:
    """The numbers of one line by itself."""

    def __init__(self) -> None:
        self.jumps = self.jumped = self.behind = self.resets = 0
        self._next: int | None = None

    def take(self, sequence: Any, count: Any) -> None:
        begin = 0
        while begin < len(sequence):
            ends = sequence[begin:] + count[begin:]
            expected = np.concatenate(([ends[0] if self._next is None else self._next], ends[:-1]))
            if self._next is None:
                expected[0] = sequence[begin]
            expected = np.maximum.accumulate(expected)
            fallen = np.flatnonzero(sequence[begin:] < expected - RESET)
            stop = int(fallen[0]) if len(fallen) else len(ends)
            ahead = sequence[begin : begin + stop] - expected[:stop]
            self.jumps += int((ahead > 0).sum())
            self.jumped += int(ahead[ahead > 0].sum())
            self.behind += int((ahead < 0).sum())
            if stop:
                self._next = int(max(expected[stop - 1], ends[stop - 1]))
            if stop < len(ends):
                self.resets += 1
                self._next = None
            begin += stop


class SequenceSection:
    """What is missing, came again, or came late."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._own: dict[int, _Own] = {}
        self._lines: Sequence[Line] = ()

    def take(self, block: Any, lines: Sequence[Line]) -> None:
        """Take a block."""
        self._lines = lines
        numbered = block[(block["line"] != NO_LINE) & (block["count"] > 0)]
        for index in np.unique(numbered["line"]):
            rows = numbered[numbered["line"] == index]
            self._own.setdefault(int(index), _Own()).take(rows["sequence"], rows["count"])

    def tell(self, part: Part) -> None:
        """Add the accounts of channels and lines, and the gaps."""
        lanes = self._replay.lanes
        told = [(lane.name, lane.protocol.label, lane.statistics()) for lane in lanes]
        part.table("channels", (
            "channel", "protocol", "messages", "lost", "gaps", "reordered", "duplicates", "late", "malformed",
        ), [
            (name, label, one.messages, one.lost_messages, one.gaps_opened, one.reordered, one.duplicates, one.late,
             one.malformed) for name, label, one in told
        ])  # fmt: skip
        accounts = {(id(lane), line.port): line for lane in lanes for line in lane.statistics().lines}
        rows: list[tuple[Any, ...]] = []
        for line in sorted(self._lines, key=lambda one: one.name):
            account, own = accounts.get((id(line.lane), line.port)), self._own.get(line.index, _Own())
            if account is not None:
                rows.append((
                    line.name, account.packets, account.first, account.duplicates, account.late, own.jumps, own.jumped,
                    own.behind, own.resets,
                ))  # fmt: skip
        part.table("sequences by line", (
            "line", "packets", "first", "duplicates", "late", "jumps", "numbers jumped over", "behind", "resets",
        ), rows)  # fmt: skip
        found = gaps(lanes)
        part.table("gaps", ("first", "last", "closed by", "lost", "open ns", "at", "file", "offset"), [
            (gap["first"], gap["last"], gap["closed_by"], gap["lost"], gap["open_ns"], time_text(gap["ts_ns"]),
             gap["file"], gap["offset"]) for gap in found[:MAX_GAPS]
        ])  # fmt: skip
        part.note(f"{len(found) - MAX_GAPS:,} more gaps are not listed", when=len(found) > MAX_GAPS)
