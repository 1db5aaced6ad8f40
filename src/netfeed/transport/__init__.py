"""The kernel's network: files, sockets, and the threads and loops that wait for them."""

from typing import TYPE_CHECKING

from netfeed.build import select

if TYPE_CHECKING:
    from netfeed.transport.batch import Batch
    from netfeed.transport.receiver import Receiver
else:
    Batch = select("transport.mmsg", "netfeed.transport.batch", "Batch")
    Receiver = select("transport.thread", "netfeed.transport.receiver", "Receiver")

__all__ = ["Batch", "Receiver"]
