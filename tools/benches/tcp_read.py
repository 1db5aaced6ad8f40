"""One read of a connection where a small message waits: CPU nanoseconds, the kernel's share included.

    netfeed            `transport.tcp.Stream`: into the buffer that all streams of a thread share
    netfeed:tcp        the same over loopback, one message sent and one read at a time
    netfeed:quick_ack  over loopback, and saying after each read that the acknowledgement is to go at once: it does
    netfeed:stamps     over loopback, with the kernel's stamp of each read
    floor:recv_into    a bare recv_into
    floor:recv         a bare recv of as many bytes: the kernel's pages for a buffer of 256 KiB, given back at once

A pair of connected sockets that keep messages apart (SOCK_SEQPACKET) stands for the connection, so that messages can be
made ready beforehand and each read takes one; the options of TCP need a connection, whose last read waits for its
message. Input: messages of 256 bytes. `--file` is not used.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from time import thread_time_ns

from benches import Row
from netfeed.transport.tcp import READ_BYTES, Options, Stream
from netfeed.transport.tcp_options import apply

NAME = "tcp_read"
UNIT = "CPU ns/read"
SIZE, FILL = 256, 100
READS, QUICK_READS = 20_000, 500


def rows(file: Path | None, quick: bool) -> list[Row]:
    reads = QUICK_READS if quick else READS
    room = memoryview(bytearray(READ_BYTES))
    return [
        ("netfeed", lambda: apart(reads, lambda one: Stream(one, "peer", connected=True).receive)),
        ("netfeed:tcp", lambda: connected(reads, Options())),
        ("netfeed:quick_ack", lambda: connected(reads, Options(quick_ack=True))),
        ("netfeed:stamps", lambda: connected(reads, Options(stamps=True))),
        ("floor:recv_into", lambda: apart(reads, lambda one: lambda: one.recv_into(room))),
        ("floor:recv", lambda: apart(reads, lambda one: lambda: one.recv(READ_BYTES))),
    ]


def apart(reads: int, reader: Callable[[socket.socket], Callable[[], object]]) -> float:
    """Fill and read, again and again; time the reads."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        read, spent = reader(ours), 0
        for _ in range(reads // FILL):
            for _ in range(FILL):
                theirs.send(bytes(SIZE))
            start = thread_time_ns()
            for _ in range(FILL):
                read()
            spent += thread_time_ns() - start
        if ours.send(b"x") != 1 or theirs.recv(9) != b"x":
            raise RuntimeError("the pair is broken")
    return spent / (reads // FILL * FILL)


def connected(reads: int, options: Options) -> float:
    """Send one message over loopback and read it, again and again; time the reads that found it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours = listener.accept()[0]
    with theirs, ours:
        theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        apply(ours, options)
        stream, spent = Stream(ours, "peer", connected=True, options=options), 0
        for _ in range(reads):
            theirs.send(bytes(SIZE))
            start = thread_time_ns()
            stream.receive()
            spent += thread_time_ns() - start
        if stream.received_bytes != reads * SIZE:
            raise RuntimeError(f"{stream.received_bytes} bytes read of {reads * SIZE}")
    return spent / reads
