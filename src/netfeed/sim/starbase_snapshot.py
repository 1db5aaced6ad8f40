"""The messages of a simulated Starbase snapshot cycle.

Source: the snapshot channel of Starbase market data (SBE schema 2102 version 1). A cycle is the indexes, then each
instrument between its header and its trailer, then the end of the cycle.

The orders of an instrument come by their ids, not by priority: sortOrderId alone gives the queue.
"""

from collections.abc import Sequence

from netfeed.sim.starbase_chain import definition
from netfeed.sim.starbase_flow import Flow
from netfeed.sim.starbase_market import ASK, BID, Market, Told, put
from netfeed.wire import starbase
from netfeed.wire.starbase import TemplateId


def indexes(flow: Flow, time_ns: int) -> list[bytes]:
    """Begin a cycle: the price of each index."""
    return [_message(told, time_ns) for told in flow.move(flow.markets[0])]


def snapshot(market: Market, info: Sequence[Told], sequence: int, time_ns: int) -> list[bytes]:
    """Tell an instrument as it is after the incremental `sequence`, which was told at `time_ns`."""
    at = {"instrumentId": market.instrument.id}
    header = {"incrementalTimestamp": time_ns, "incrementalSeqNum": sequence}
    puts = [put(market, order) for side in (BID, ASK) for order in market.queue(side)]
    puts.sort(key=lambda told: int(told[1]["orderId"]))
    return [
        _message((TemplateId.SNAPSHOT_HEADER, at | header), time_ns),
        definition(market.instrument, time_ns, halted=market.halted),
        *(_message(told, time_ns) for told in (*info, *puts)),
        _message((TemplateId.SNAPSHOT_TRAILER, at | {"timestamp": time_ns, "incrementSeqNum": sequence}), time_ns),
    ]


def end_of_cycle(instruments: int, time_ns: int) -> bytes:
    """End a cycle of so many instruments."""
    return _message((TemplateId.END_OF_CYCLE, {"activeInstrumentCount": instruments}), time_ns)


def _message(told: Told, time_ns: int) -> bytes:
    return starbase.encode(told[0], flags=3, transact_time=time_ns, **told[1])
