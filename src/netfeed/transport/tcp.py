"""TCP for stream machines, in one place: what to import from.

    connect(host, port)          begin to connect, and return at once          tcp_socket
    Listener(host, port, ...)    accept                                        tcp_listener
    Stream                       one connection as an endpoint                 tcp_stream
    Options, KeepAlive           what is asked of the kernel                   tcp_options
    TcpInfo                      what it knows of a connection                 tcp_info

To connect to whichever of several addresses answers first, within a time, see `dial`.
"""

from netfeed.transport.tcp_info import TcpInfo, tcp_info
from netfeed.transport.tcp_listener import Listener, ListenerStatistics
from netfeed.transport.tcp_options import KeepAlive, Options
from netfeed.transport.tcp_socket import connect
from netfeed.transport.tcp_stream import READ_BYTES, Stream, StreamStatistics

__all__ = [
    "READ_BYTES",
    "KeepAlive",
    "Listener",
    "ListenerStatistics",
    "Options",
    "Stream",
    "StreamStatistics",
    "TcpInfo",
    "connect",
    "tcp_info",
]
