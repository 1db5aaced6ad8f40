"""The kernel's network: files, sockets, and the threads and loops that wait for them."""

from typing import TYPE_CHECKING

from netfeed.build import select

if TYPE_CHECKING:
    from netfeed.transport.batch import Batch
else:
    Batch = select("transport.mmsg", "netfeed.transport.batch", "Batch")

__all__ = ["Batch"]
