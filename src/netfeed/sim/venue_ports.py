"""The ports of a simulated venue: what leaves port p of the venue arrives at port p of a channel.

On the lines and snapshots a venue only speaks. On the retransmit ports it is asked, and answers whoever asked: its
output on such a port, right after `receive`, belongs to that peer. From GLIMPSE on, every port is one connection of a
stream: its number is chosen by the driver, and lives from the first bytes to the end. From STREAM on, every port is one
connection of a client that talks JSON-RPC. From ORDERS_A on, every port is one connection to an order gateway.
"""

from typing import Final

from netfeed.feed.ports import Port

GLIMPSE: Final = 100
"""The first connection to the snapshot server; the next ones count up."""
MAX_CONNECTIONS: Final = 32
"""More clients at once are turned away."""
RETRANSMITS: Final = (Port.RETRANSMIT, 5, 6, 7)
"""The ports of the servers that send lost messages again."""
INWARD: Final = 1 << 16
"""Added to the port of a server, it names the way there: what requests and logins go through."""
CONNECTIONS: Final = range(GLIMPSE, GLIMPSE + MAX_CONNECTIONS)
STREAM: Final = 1000
"""The first JSON-RPC connection; the next ones count up."""
MAX_STREAMS: Final = 512
"""More clients at once are turned away; the venue itself lets 32 of one address in."""
STREAMS: Final = range(STREAM, STREAM + MAX_STREAMS)
"""The JSON-RPC connections."""
ORDERS_A: Final = 2000
"""The first connection to order gateway A, which speaks Starbase; the next ones count up."""
ORDERS_B: Final = 2064
"""The first connection to gateway B, which is like A."""
ORDERS_OUCH: Final = 2128
"""The first connection to the gateway that speaks OUCH over SoupBinTCP."""
MAX_ORDER_CONNECTIONS: Final = 64
"""Connections that one gateway takes; more clients at once are turned away."""
ORDER_GATEWAYS: Final = {
    "A": range(ORDERS_A, ORDERS_B), "B": range(ORDERS_B, ORDERS_OUCH),
    "OUCH": range(ORDERS_OUCH, ORDERS_OUCH + MAX_ORDER_CONNECTIONS),
}  # fmt: skip
"""The order gateways by their names, and the connections of each."""
ORDERS: Final = range(ORDERS_A, ORDERS_OUCH + MAX_ORDER_CONNECTIONS)
"""The connections to all order gateways."""
