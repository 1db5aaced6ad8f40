"""Which market-data packet an order answered: tick to trade from two streams of stamps.

    by time        the last packet before the order, at most `within_ns` earlier. Others in that time make it a guess:
                   `doubtful` counts such orders
    by reference   the packet within that time whose messages have the sequence that the order carries (its low bits,
                   where the field is small). Two packets that both could be it are `ambiguous`: none is taken

Only the first copy of a sequence is a cause: whoever has two lines acts on the first. Packets without messages, of
snapshots and of retransmissions are none.

Invariant: what is remembered of the market is `within_ns`, or COPIES_NS where that is more, and at most MAX_PACKETS.
"""

from typing import Any, Final

import numpy as np

from netfeed.latency import Histogram

MAX_PACKETS: Final = 1 << 18
COPIES_NS: Final = 1_000_000_000
"""How far a line may be behind: an older copy is taken for new."""
MARKET: Final = np.dtype(
    [("ts_ns", "<i8"), ("sequence", "<i8"), ("count", "<i8"), ("origin", "<i8"), ("channel", "<i4"), ("session", "<i4")]
)
ORDER: Final = np.dtype([("ts_ns", "<i8"), ("origin", "<i8"), ("reference", "<u8"), ("referred", "?")])
"""`origin` is whatever finds the packet again; `reference` counts where `referred`."""


class Causes:
    """Matches orders to packets. `modulus`: of the reference, a power of two; None matches by time. Units: ns."""

    def __init__(self, within_ns: int, *, modulus: int | None = None, slowest: int = 20) -> None:
        self.took = Histogram()
        self.unmatched = self.ambiguous = self.doubtful = self.unreferred = 0
        self.slowest: list[tuple[int, int, int]] = []
        """(took, origin of the order, origin of the packet), the slowest first."""
        self._within_ns = within_ns
        self._modulus = modulus
        self._most = slowest
        self._market: Any = np.zeros(0, MARKET)

    def take(self, market: Any, orders: Any) -> None:
        """Take a stretch of time: all packets of it, and orders up to its end. Shape: arrays of MARKET and ORDER."""
        rows = np.concatenate((self._market, market[market["count"] > 0]))
        rows = rows[np.argsort(rows["ts_ns"], kind="stable")]
        rows = _firsts(rows)
        for order in orders:
            self._match(rows, order)
        if len(rows):
            keep = rows["ts_ns"] >= rows["ts_ns"][-1] - max(self._within_ns, COPIES_NS)
            self._market = rows[keep][-MAX_PACKETS:]

    def _match(self, rows: Any, order: Any) -> None:
        at_ns = int(order["ts_ns"])
        low = int(np.searchsorted(rows["ts_ns"], at_ns - self._within_ns, "left"))
        high = int(np.searchsorted(rows["ts_ns"], at_ns, "right"))
        if self._modulus is not None:
            if not order["referred"]:
                self.unreferred += 1
                return
            behind = np.uint64(order["reference"]) - rows["sequence"][low:high].astype(np.uint64)  # modulo 2**64
            behind &= np.uint64(self._modulus - 1)
            found = low + np.flatnonzero(behind < rows["count"][low:high].astype(np.uint64))
            if len(found) > 1:
                self.ambiguous += 1
                return
            low, high = (int(found[0]), int(found[0]) + 1) if len(found) else (high, high)
        if low == high:
            self.unmatched += 1
            return
        self.doubtful += high - low > 1
        self._note(at_ns - int(rows["ts_ns"][high - 1]), int(order["origin"]), int(rows["origin"][high - 1]))

    def _note(self, took_ns: int, order: int, packet: int) -> None:
        self.took.record(took_ns)
        if len(self.slowest) < self._most or took_ns > self.slowest[-1][0]:
            self.slowest = sorted([*self.slowest, (took_ns, order, packet)], key=lambda one: -one[0])[: self._most]


def _firsts(rows: Any) -> Any:
    """Leave the first copy of each sequence of a session."""
    order = np.lexsort((np.arange(len(rows)), rows["sequence"], rows["session"], rows["channel"]))
    sorted_rows = rows[order]
    same = np.zeros(len(rows), bool)
    for_all = [sorted_rows[name][1:] == sorted_rows[name][:-1] for name in ("sequence", "session", "channel")]
    same[1:] = np.logical_and.reduce(for_all)
    first = np.zeros(len(rows), bool)
    first[order[~same]] = True
    return rows[first]
