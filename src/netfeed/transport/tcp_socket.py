"""TCP sockets that do not block, and the beginning of a connection.

Source: connect(2) (EINPROGRESS), RFC 7413 by TCP_FASTOPEN_CONNECT.
"""

import socket

from netfeed.transport.network import address, endpoint_text, told
from netfeed.transport.tcp_options import PLAIN, Options, apply, ask_fast_open
from netfeed.transport.tcp_stream import Stream


def connect(host: str, port: int, *, source: str | None = None, options: Options = PLAIN) -> Stream:
    """Begin to connect, and return at once. `source` is the local address to come from.

    Raises: NetworkError when the kernel knows at once that it cannot be; ConfigurationError for what is no address.
    """
    one = open_socket(host)
    text = endpoint_text(host, port)
    warnings: list[str] = []
    try:
        warnings += apply(one, options)  # before connecting: the receive buffer bounds the window that is offered
        if options.fast_open:
            warnings += ask_fast_open(one)
        if source is not None:
            one.bind((source, 0))
        one.connect((host, port))
        connected = True
    except BlockingIOError:
        connected = False
    except OSError as error:
        one.close()
        raise told(f"cannot connect to {text}", error) from None
    stream = Stream(one, text, connected=connected, options=options)
    stream.warnings += warnings
    return stream


def open_socket(host: str) -> socket.socket:
    """Open a socket of the family that an address is of.

    Raises: ConfigurationError for what is no address.
    """
    family = socket.AF_INET if address(host).version == 4 else socket.AF_INET6
    return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
