"""The kernel's network: files, sockets, and the threads and loops that wait for them."""

from typing import TYPE_CHECKING

from netfeed.build import select

if TYPE_CHECKING:
    from netfeed.transport.batch import Batch
    from netfeed.transport.quoting import QuoteTurn
    from netfeed.transport.receiver import Receiver
    from netfeed.transport.tracer import Decider, Tracer
else:
    Batch = select("transport.mmsg", "netfeed.transport.batch", "Batch")
    QuoteTurn = select("transport.turn", "netfeed.transport.quoting", "QuoteTurn")
    Receiver = select("transport.thread", "netfeed.transport.receiver", "Receiver")
    Decider = select("transport.trace", "netfeed.transport.tracer", "Decider")
    Tracer = select("transport.trace", "netfeed.transport.tracer", "Tracer")

__all__ = ["Batch", "Decider", "QuoteTurn", "Receiver", "Tracer"]
