"""WebSocket over one connection, as a client and as a server: how venues of crypto talk, with bounds and deadlines.

Source: RFC 6455, and RFC 7692 (permessage-deflate). The handshake goes over `proto.http`; then messages of text and
binary both ways, pings answered before anybody is asked, pings of our own with the round trip measured, and one end.

    client = Client("www.example.com", "/ws", now, random_bytes=os.urandom)      server = Server(now)
    client.transmit()                                                         -> Requested("/ws", headers, ())
    Opened(headers, None, True)                                              <-  server.accept(now)
    client.send_text('{"op": "subscribe"}')                                   -> Messages(...)
    for message in batch: ...                                                <-  server.send_text(...)
    client.close(now)                                                         -> Closed(1000, "", Who.PEER)
    Closed(1000, "", Who.WE)

Messages come in batches (`Messages`): all that one piece of the stream held, in one buffer, without an object for each.

A peer that breaks the protocol or a bound is told (`Malformed`), or takes too long (`TimedOut`), gets a close frame
with the code of its mistake, and the conversation ends with one `Closed`: the driver drains and closes the connection.
A server that does not agree to talk is `Refused`, with all that it said, so that Retry-After can be kept.

Leaves out: HTTP/2 (RFC 8441), proxies, redirects, cookies, extensions but permessage-deflate; when to connect again
(`proto.backoff`).
"""

from netfeed.proto.websocket_client import Client
from netfeed.proto.websocket_server import Server
from netfeed.proto.websocket_words import (
    Closed,
    Code,
    Event,
    Headers,
    Limits,
    Malformed,
    Messages,
    Opened,
    Pinged,
    Ponged,
    Refused,
    Requested,
    Statistics,
    TimedOut,
    Timing,
    Who,
)

__all__ = [
    "Client",
    "Closed",
    "Code",
    "Event",
    "Headers",
    "Limits",
    "Malformed",
    "Messages",
    "Opened",
    "Pinged",
    "Ponged",
    "Refused",
    "Requested",
    "Server",
    "Statistics",
    "TimedOut",
    "Timing",
    "Who",
]
