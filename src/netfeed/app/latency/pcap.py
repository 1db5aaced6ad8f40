"""Measure latency from captures alone: one pass over the files, a report of all sections that are asked for.

    files -> Replay: which flow is which line, what is lost -> Gatherer: columns -> sections about market data
                                                           -> TcpSection: segments one by one -> OrderSection

Loss, lines and protocols are those of a replay, so that `verify`, `replay` and this report agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Final

import numpy as np

import netfeed
from netfeed.app.changes import Rows
from netfeed.app.clock import time_text
from netfeed.app.inputs import Capture, Inputs
from netfeed.app.latency import pcap_offset
from netfeed.app.latency.pcap_exchange import ExchangeSection
from netfeed.app.latency.pcap_orders import Gateway, OrderSection
from netfeed.app.latency.pcap_part import Part
from netfeed.app.latency.pcap_rows import NUMBER_BITS, Gatherer, Origins
from netfeed.app.latency.pcap_sections import ArrivalSection, BurstSection, LeadSection, Section
from netfeed.app.latency.pcap_sequences import SequenceSection
from netfeed.app.latency.pcap_tcp import TcpSection
from netfeed.app.protocols import Protocol
from netfeed.app.replay import Options, Replay
from netfeed.app.verify import JITTER_NS, Checker, falls_text
from netfeed.errors import NetfeedError
from netfeed.latency.report import Report
from netfeed.latency.tcp_connection import Address
from netfeed.units import duration_text
from netfeed.wire.order_frames import Reference
from netfeed.wire.segment import Segment

SECTIONS: Final = ("arrivals", "bursts", "lead", "sequences", "exchange", "tcp", "orders")
BATCH: Final = 8192
_COMPILED: Final = frozenset({"itch50", "starbase"})
"""Protocols whose books the fast path feeds: with them a capture is read many times faster than without books."""
_MAX_FAULTS: Final = 5
_COARSE: Final = "stamps of {} are whole microseconds: percentiles below 1 us mean nothing"


class OffsetError(NetfeedError):
    """The clocks of two captures cannot be compared."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured, and how. Units: ns, bits a second."""

    sections: frozenset[str] = frozenset(SECTIONS)
    link_bps: int | None = None
    top: int = 10
    midnight_ns: int | None = None
    orders: str | None = None  # a capture of its own
    gateways: Sequence[Gateway] = ()
    reference: Reference | None = None
    within_ns: int = 10_000_000
    offset_ns: int | None = None  # None: measured, where orders have a capture of their own

    @property
    def asks_for_orders(self) -> bool:
        """Say whether orders were named in some way; without it they are told where some are recognised."""
        named = "orders" in self.sections and self.sections != frozenset(SECTIONS)
        return named or bool(self.gateways or self.orders)


class Measurement:
    """One run. `replay` reads the files: its progress can be shown, and it can be stopped."""

    def __init__(self, options: Options, settings: Settings, *, stop: Callable[[], bool] = lambda: False) -> None:
        self.replay = Replay(options, new_feed=_feed, stop=stop, skips=True)
        self.replay.batch_packets = BATCH
        self.tcp = TcpSection(self._wanted, self._order)
        self._settings = settings
        self._origins = Origins()
        self._gatherer = Gatherer(self.replay.flows, self._block, datagrams_only=bool(options.groups))
        self._sections: list[Section] = []
        self._orders: OrderSection | None = None
        self._orders_tcp: TcpSection | None = None
        self._begin_ns: int | None = None
        self._fine: set[int] = set()
        self._stop = stop
        self._part = Part()
        self.replay.seen.append(self._see)
        if "orders" in settings.sections:
            self._orders = OrderSection(
                self._origins, settings.gateways, settings.reference, within_ns=settings.within_ns, top=2 * settings.top
            )

    def prepare(self) -> None:
        """Read the orders that have a capture of their own. Raises: SourceError, OffsetError."""
        name = self._settings.orders
        if name is None or self._orders is None:
            return
        self._orders.offset_ns = self._offset(name)
        self._orders.order_origins = Origins()
        self._orders_tcp = TcpSection(lambda end: True, self._orders.see)
        coarse = True
        with Inputs([name], self.replay.findings, BATCH) as inputs:
            for capture, rows in inputs.captures():
                origins = self._orders.order_origins.of(capture.name, rows, rows)
                self._orders_tcp.see(capture, rows, origins)
                coarse = coarse and not (rows["ts_ns"] % 1000).any()
                if self._stop():
                    self.replay.stopped = True
                    break
        self._orders_tcp.finish()
        self._part.note(_COARSE.format(name), when=coarse)

    def report(self) -> Report:
        """Finish, and give the report."""
        self.tcp.finish()
        self._gatherer.flush()
        part = self._part
        for section in self._sections:
            section.tell(part)
        if "tcp" in self._settings.sections:
            alone = self._orders_tcp is not None and not self.tcp.connections.count
            (self._orders_tcp if alone and self._orders_tcp is not None else self.tcp).tell(part)
        if self._orders is not None and (self._settings.asks_for_orders or self._orders.count):
            self._orders.tell(part)
        self._notes(part)
        return part.report("Latency from captures", self._facts())

    @property
    def recognised(self) -> bool:
        """Say whether there was anything to measure."""
        tcp = self.tcp.connections.count + (self._orders_tcp.connections.count if self._orders_tcp else 0)
        return bool(self.replay.lanes or tcp)

    # --- while files are read

    def _see(self, capture: Capture, packets: Rows, wanted: Rows) -> None:
        origins = self._origins.of(capture.name, packets, wanted)
        if len(wanted):
            if self._settings.sections & {"tcp", "orders"}:
                self.tcp.see(capture, wanted, origins)
            self._gatherer.see(capture, wanted, origins)

    def _block(self, block: Any) -> None:
        """Hand a block to every section; the first one says when the report begins."""
        if self._begin_ns is None:
            self._begin_ns = int(block["ts_ns"].min())
            self._sections = self._made(self._begin_ns)
        files = block["origin"] >> NUMBER_BITS
        self._fine.update(int(one) for one in np.unique(files[block["ts_ns"] % 1000 != 0]))
        for section in self._sections:
            section.take(block, self._gatherer.lines)
        if self._orders is not None and (self._settings.asks_for_orders or self.tcp.connections.count):
            self._orders.take(block, self._gatherer.lines)

    def _made(self, begin_ns: int) -> list[Section]:
        settings, made = self._settings, dict[str, Callable[[], Section]]()
        made["arrivals"] = ArrivalSection
        made["bursts"] = lambda: BurstSection(self._origins, begin_ns, link_bps=settings.link_bps, top=settings.top)
        made["lead"] = LeadSection
        made["sequences"] = lambda: SequenceSection(self.replay)
        made["exchange"] = lambda: ExchangeSection(begin_ns, midnight_ns=settings.midnight_ns)
        return [make() for name, make in made.items() if name in settings.sections]

    def _order(self, *told: Any) -> None:
        """Look for orders in the captures themselves, unless they have one of their own."""
        if self._orders is not None and self._settings.orders is None:
            self._orders.see(*told)

    def _wanted(self, end: Address) -> bool:
        groups = self.replay.options.groups
        address = IPv6Address(end[0])
        text = str(address.ipv4_mapped or address)
        return not groups or any(text == group and port in (None, end[1]) for group, port in groups)

    def _to_gateway(self, segment: Segment) -> bool:
        if self._settings.gateways:
            return any(one.has(segment.destination, segment.destination_port) for one in self._settings.gateways)
        return segment.destination_port < segment.source_port  # who asks has a port of the moment, a high one

    def _offset(self, name: str) -> int:
        """Give what the clock of the orders is ahead."""
        if self._settings.offset_ns is not None:
            self._part.facts["offset of clocks ns"] = self._settings.offset_ns
            return self._settings.offset_ns
        found = pcap_offset.measure(self.replay.options.files, [name], self._to_gateway)
        if found is None:
            raise OffsetError(
                f"{name} has no packet in common with the market data (or a clock was stepped): give what its clock is "
                "ahead with --offset, 0 where it is the same clock"
            )
        facts = self._part.facts
        facts["offset of clocks ns"], facts["uncertainty of it ns"] = found.offset_ns, found.uncertainty_ns
        facts["packets seen at both points"] = sum(found.pairs)
        one_way = "packets in common go one way only: the shortest way is taken as the offset of the clocks"
        self._part.note(f"{one_way}, and tick to trade lacks it", when=found.uncertainty_ns is None)
        self._part.note(
            f"tick to trade is uncertain by {duration_text(found.uncertainty_ns or 0)}, as the offset of the clocks is",
            when=found.uncertainty_ns,
        )
        return found.offset_ns

    # --- the report

    def _facts(self) -> dict[str, Any]:
        replay, tally = self.replay, self.replay.tally
        first, last = tally.first_ns, tally.last_ns
        return {
            "files": ", ".join(replay.options.files),
            "from": time_text(first),
            "to": time_text(last),
            "lasts": duration_text(last - first) if first is not None and last is not None else None,
            "records": tally.records,
            "channels": len(replay.lanes),
            "TCP connections": self.tcp.connections.count,
            "link bit/s": self._settings.link_bps,
            "netfeed": f"{netfeed.__version__} ({netfeed.BUILD})",
        }

    def _notes(self, part: Part) -> None:
        replay, gatherer = self.replay, self._gatherer
        coarse = [name for index, name in enumerate(self._origins.files) if index not in self._fine]
        part.note(_COARSE.format(", ".join(coarse)), when=coarse and self._begin_ns is not None)
        for file, falls in replay.tally.falls.items():
            why = "a clock was stepped" if falls.most_ns > JITTER_NS else "several queues or sockets in one file"
            part.note(f"{file}: {falls_text(falls)} ({why})")
        part.note(f"{replay.tally.cut:,} datagrams were cut by the snap length: they are in no channel",
                  when=replay.tally.cut)  # fmt: skip
        part.note(f"{gatherer.timeless:,} records have no time and are not measured", when=gatherer.timeless)
        for fault in replay.findings.listed()[:_MAX_FAULTS]:
            where = f"{fault.file} at byte {fault.offset}: " if fault.file and fault.offset is not None else ""
            part.note(f"{where}{fault.found} (wanted: {fault.wanted})")
        more = replay.findings.count - _MAX_FAULTS
        part.note(f"{more:,} more faults: `netfeed verify` lists them", when=more > 0)


def _feed(protocol: Protocol) -> Any:
    return protocol.new_feed() if protocol.name in _COMPILED else Checker(protocol)
