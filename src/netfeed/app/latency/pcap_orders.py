"""The section about tick to trade: orders on their way to a gateway, and the market data that caused them.

    what is an order    a message of a known framing that is one (`wire.order_frames`), by the segment that completed
                        it; where no framing is recognised, each segment with new data to `--order-port`
    which one counts    those to the addresses of `--order-port`; without it those of every connection

Captures of orders with a clock of their own are read first (their orders are few), and their stamps are moved by the
offset of the clocks; market data then passes by once. Orders of the same captures are matched as they come.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from netfeed.app.latency.pcap_part import Part
from netfeed.app.latency.pcap_rows import NO_LINE, Line, Origins
from netfeed.latency.cause import MARKET, ORDER, Causes
from netfeed.latency.tcp_connection import Connection
from netfeed.latency.tcp_messages import Message
from netfeed.wire.order_frames import Reference

MAX_ORDERS: Final = 1 << 20
"""Of captures that are read before. An order is 25 bytes."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where orders go. `address` of 16 bytes, None: any."""

    address: bytes | None
    port: int

    def has(self, address: bytes, port: int) -> bool:
        """Say whether a segment to this address goes there."""
        return port == self.port and self.address in (None, address)


class OrderSection:
    """Orders, and what they answered. Units: ns; `offset_ns` is taken off the stamps of orders."""

    def __init__(
        self, origins: Origins, gateways: Sequence[Gateway], reference: Reference | None, *, within_ns: int,
        top: int, offset_ns: int = 0,
    ) -> None:  # fmt: skip
        self.origins = origins
        self.count = self.dropped = self.raw = 0
        self.order_origins = origins
        self._gateways = gateways
        self._reference = reference
        self.offset_ns = offset_ns
        self._within_ns = within_ns
        self._causes = Causes(within_ns, modulus=reference.modulus if reference else None, slowest=top)
        self._waiting: list[tuple[int, int, int, bool]] = []

    def see(self, connection: Connection, side: int, messages: Sequence[Message], raw: Message | None) -> None:
        """Take messages that a side sent; `raw` is data of a stream whose framing is not known."""
        address, port = connection.ends[1 - side]
        if self._gateways:
            if not any(one.has(address, port) for one in self._gateways):
                return
        elif side:
            return
        reader = connection.attached
        stream = reader.messages[side]
        for message in messages:
            if stream.framing.is_order(message.data):
                self._add(message, stream.framing.name)
        if raw is not None and self._gateways:
            self.raw += 1
            self._add(raw, None)

    def take(self, block: Any, lines: Sequence[Line]) -> None:
        """Take a block of market data: orders up to its end are matched."""
        carries = np.array([line.is_line for line in lines] or [False])
        rows = block[block["line"] != NO_LINE]
        rows = rows[carries[rows["line"]]]
        market = np.zeros(len(rows), MARKET)
        for name in ("ts_ns", "sequence", "count", "origin", "session"):
            market[name] = rows[name]
        numbers = {lane: number for number, lane in enumerate(dict.fromkeys(id(line.lane) for line in lines))}
        market["channel"] = np.array([numbers[id(line.lane)] for line in lines] or [0])[rows["line"]]
        self._match(market, int(block["ts_ns"].max()))

    def tell(self, part: Part) -> None:
        """Match what is left, and add what was found."""
        self._match(np.zeros(0, MARKET), None)
        causes = self._causes
        part.distribution(
            "tick to trade", causes.took, "from the first copy of the packet to the segment that completed the order"
        )
        part.table("orders", ("orders", "matched", "unmatched", "ambiguous", "doubtful", "without reference"), [
            (self.count, causes.took.count, causes.unmatched, causes.ambiguous, causes.doubtful, causes.unreferred)
        ])  # fmt: skip
        part.table("slowest orders", ("took ns", "order file", "order packet", "market file", "market packet"), [
            (took, *self.order_origins.place(order), *self.origins.place(packet))
            for took, order, packet in causes.slowest
        ])  # fmt: skip
        self._notes(part)

    def _notes(self, part: Part) -> None:
        causes = self._causes
        how = f"the sequence in {self._reference.name}" if self._reference else "time"
        part.facts["orders matched by"] = how
        part.facts["within ns"] = self._within_ns
        part.note("no order was recognised: --order-port names the gateway that they go to", when=not self.count)
        part.note(f"segments whose framing is not known were taken for orders: {self.raw:,}", when=self.raw)
        part.note(
            f"orders with more than one packet in the time before them: {causes.doubtful:,}; the last one was taken, "
            "which makes tick to trade look shorter than it is", when=causes.doubtful,
        )  # fmt: skip
        part.note(f"orders that fit more than one packet, none of which was taken: {causes.ambiguous:,}",
                  when=causes.ambiguous)  # fmt: skip
        part.note(f"{self.dropped:,} orders beyond {MAX_ORDERS:,} were not looked at", when=self.dropped)

    def _add(self, message: Message, framing: str | None) -> None:
        if len(self._waiting) >= MAX_ORDERS:
            self.dropped += 1
            return
        self.count += 1
        reference = self._reference
        wanted = reference is not None and reference.framing in (None, framing)
        value = reference.read(message.data) if wanted and reference is not None else None
        self._waiting.append((message.ts_ns - self.offset_ns, message.origin, value or 0, value is not None))

    def _match(self, market: Any, until_ns: int | None) -> None:
        """Match orders up to a time; the rest waits."""
        self._waiting.sort(key=lambda one: one[0])
        count = len(self._waiting)
        if until_ns is not None:
            count = bisect_right(self._waiting, until_ns, key=lambda one: one[0])
        due, self._waiting = self._waiting[:count], self._waiting[count:]
        self._causes.take(market, np.array(due, ORDER))
