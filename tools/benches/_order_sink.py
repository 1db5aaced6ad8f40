"""The other end of `tick_to_order`, a process of its own: an order session that takes every quote, or a sink of bytes.

It prints its port, and serves one connection after the other until its standard input ends. What begins like a Starbase
frame is a session: `proto`'s own server, behind which every side of every quote rests. Everything else is read and
thrown away. After each connection it prints how many bytes came, and how many quotes.
"""

import socket
import sys
import threading
from time import monotonic_ns

from benches._quoted_chain import LISTED
from netfeed.book.execution import Cause, Down, MassQuote, Quote, Quoted, QuoteSide, QuoteState
from netfeed.proto.starbase_orders_server import Server
from netfeed.proto.starbase_past import VenuePast
from netfeed.proto.starbase_state import LogonRequested
from netfeed.wire.starbase_orders import PROTOCOL_ID


def serve(one: socket.socket) -> tuple[int, int]:
    """Serve a connection to its end."""
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server: Server | None = None
    size = quotes = 0
    while data := one.recv(1 << 16):
        if not size and data[0] == PROTOCOL_ID:
            server = Server(1, LISTED, monotonic_ns())
        size += len(data)
        if server is not None:
            quotes += answer(server, data)
            for frame in server.transmit():
                one.sendall(frame)
    return size, quotes


def answer(server: Server, data: bytes) -> int:
    """Take bytes, answer what they ask, and give how many quotes they had."""
    quotes, now = 0, monotonic_ns()
    for event in server.receive(data, now):
        match event:
            case LogonRequested():
                server.accept(VenuePast(), now)
            case MassQuote(client_id, group, several):
                quotes += len(several)
                server.report([Quoted(client_id, group, tuple(map(sides, several)), now)], now)
            case Down(_, reason):
                raise ValueError(f"the session has ended: {reason}")
    return quotes


def sides(quote: Quote) -> tuple[int, QuoteSide, QuoteSide]:
    return quote.instrument, side(quote.bid, quote.bid_quantity), side(quote.ask, quote.ask_quantity)


def side(price: int | None, quantity: int) -> QuoteSide:
    state = QuoteState.NONE if price is None else QuoteState.RESTS
    return QuoteSide(state, 1, price, quantity, 0, Cause.OTHER, "")


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    sys.stdin.read()


def accept(listener: socket.socket) -> None:
    while True:
        one, _ = listener.accept()
        with one:
            print(*serve(one), flush=True)


if __name__ == "__main__":
    main()
