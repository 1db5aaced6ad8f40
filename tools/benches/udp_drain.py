"""Drain a socket that was filled before: CPU nanoseconds for each packet, the kernel's share included.

    netfeed            the receiver's loop in the caller's thread: stamps, sequence, ten ITCH messages a packet applied
                       to order books, changes put into a ring in shared memory, the latency of each packet counted
    netfeed:traced     the same, and every packet leaves a trace (`netfeed latency run`)
    netfeed:books      the same without a ring
    netfeed:batch      rows of a batch and nothing else: what `transport.Batch` costs
    pure               the plain twins (on few packets: they are slow)
    floor:recvmmsg     a bare loop in C over the same socket, with stamps, that looks at each length
    floor:no_stamps    the same over a socket that takes no stamps

This is the quiet measure on a shared machine: nothing waits, nobody is woken. All rows receive the same packets in
batches of as many, and all but the last from a socket with the same options. The first half warms the books and is not
timed. Input: a market in the middle of its day, ten ITCH messages a packet: 200 symbols, some 20,000 live orders, as
many deleted as added, most of them young and near the touch. With `--file`: an ITCH file, from its beginning.
"""

import atexit
import ctypes
import random
import shutil
import socket
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path as File
from time import thread_time_ns
from typing import Any

from benches import Row
from benches.itch_book import beginning, library
from netfeed.book.change import CHANGE
from netfeed.feed import path as plain_path
from netfeed.latency.stage import TRACE
from netfeed.transport import Tracer
from netfeed.transport import receiver as plain
from netfeed.transport.clock import chosen
from netfeed.transport.ring import Ring
from netfeed.venues.itch import ItchBooks as PlainItch
from netfeed.wire import moldudp64

NAME = "udp_drain"
UNIT = "CPU ns/packet"

PACKETS, QUICK_PACKETS, TWIN_PACKETS = 30_000, 2_000, 1_000
PER_PACKET, BATCH = 10, 64
FILL = 1_000  # packets that wait at once; they fit the buffer that everybody may ask for
SESSION = b"BENCH00001"
SYMBOLS, LIVE, SEED = 200, 20_000, 7
SO_TIMESTAMPNS, SO_RXQ_OVFL = 35, 40

Drain = Callable[[int], int]
"""Drain a file descriptor; give the number of packets."""


def rows(file: File | None, quick: bool) -> list[Row]:
    packets = packed(file, QUICK_PACKETS if quick else PACKETS)
    folder = File(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    found: list[Row] = [
        ("netfeed", lambda: handled(packets, core, folder / "ring")),
        ("netfeed:traced", lambda: handled(packets, core, folder / "ring", folder / "traces")),
        ("netfeed:books", lambda: handled(packets, core, None)),
        ("netfeed:batch", lambda: drained(packets, batches)),
        ("pure", lambda: handled(packets[: 2 * TWIN_PACKETS], twin, None)),
    ]
    bare = library("udp_drain.c", "gcc", folder)
    if bare is not None:
        found.append(("floor:recvmmsg", lambda: drained(packets, loop(bare, True))))
        found.append(("floor:no_stamps", lambda: drained(packets, loop(bare, False), stamps=False)))
    return found


# --- input


def packed(file: File | None, packets: int) -> list[bytes]:
    """Give twice as many packets: the first half warms."""
    count = 2 * packets * PER_PACKET
    stream = split(beginning(file, count)) if file else steady(count)
    return [
        moldudp64.encode(SESSION, at + 1, stream[at : at + PER_PACKET])
        for at in range(0, len(stream) - PER_PACKET + 1, PER_PACKET)
    ]


def split(data: bytes) -> list[bytes]:
    at, stream = 0, list[bytes]()
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        stream.append(data[at + 2 : end])
        at = end
    return stream


def steady(count: int) -> list[bytes]:
    """Make messages of a market that neither grows nor shrinks: adds, and as many orders that end."""
    draws, stream = random.Random(SEED), list[bytes]()
    live: list[tuple[int, int]] = []
    reference = 0
    while len(stream) < count:
        time_ns = len(stream).to_bytes(6)
        if len(live) < LIVE or draws.random() < 0.5:
            reference += 1
            stock = draws.randrange(SYMBOLS)
            buy = draws.random() < 0.5
            price = 100_000 + (-100 if buy else 100) * int(2 ** draws.uniform(0, 6))
            body = struct.pack(">QcI8sI", reference, b"B" if buy else b"S", 100, f"S{stock}".ljust(8).encode(), price)
            stream.append(b"A" + stock.to_bytes(2) + bytes(2) + time_ns + body)
            live.append((reference, stock))
            continue
        young = len(live) - 1 - min(int(draws.expovariate(1 / 200)), len(live) - 1)
        at = young if draws.random() < 0.8 else draws.randrange(len(live))
        gone, stock = live[at]
        live[at] = live[-1]
        live.pop()
        stream.append(b"D" + stock.to_bytes(2) + bytes(2) + time_ns + gone.to_bytes(8))
    return stream


# --- rows


def handled(packets: list[bytes], kit: Callable[[], Any], ring: File | None, traced: File | None = None) -> float:
    """Drain with a receiver that has one channel, and check that its books took every message."""
    receiver_class, path_class, books = kit()
    shared = Ring(ring, CHANGE, capacity=1 << 16, names=1) if ring else None
    traces = Ring(traced, TRACE, capacity=1 << 12, names=0) if traced else None
    more = {"trace": Tracer(traces, tsc=chosen("auto"))} if traces else {}
    path = path_class()
    channel = path.add_channel(books)
    receiver = receiver_class(path, shared.writer if shared else None, packets=BATCH, **more)

    def drain(fd: int) -> int:
        before = receiver.statistics().sockets[0].packets
        found = -1
        while (now := receiver.statistics().sockets[0].packets) != found:
            found = now
            receiver.turn()
        return int(found - before)

    def begin(inner: socket.socket) -> None:
        receiver.add(inner, channel=channel, books=books)
        receiver.offer(channel, SESSION, 1)

    try:
        value = drained(packets, drain, begin)
        if sum(books.by_type.values()) != len(packets) * PER_PACKET or books.books.statistics().refused:
            raise ValueError(f"not every message was taken: {books.by_type}, {books.books.statistics()}")
        if receiver.latencies().count != len(packets):
            raise ValueError("not every packet was counted")
        if traces and traces.published != len(packets):
            raise ValueError(f"{traces.published} packets of {len(packets)} were traced")
        return value
    finally:
        receiver.close()
        for one in (shared, traces):
            if one:
                one.close()


def drained(
    packets: list[bytes],
    drain: Drain,
    begin: Callable[[socket.socket], None] = lambda inner: None,
    *,
    stamps: bool = True,
) -> float:
    """Fill and drain by turns; give the CPU time of draining the second half, for each packet."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inner,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outer,
    ):
        inner.bind(("127.0.0.1", 0))
        inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if stamps:
            inner.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            inner.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        outer.connect(inner.getsockname())
        begin(inner)
        spent = timed = 0
        for at in range(0, len(packets), FILL):
            part = packets[at : at + FILL]
            for packet in part:
                outer.send(packet)
            start = thread_time_ns()
            count = drain(inner.fileno())
            end = thread_time_ns()
            if count != len(part):
                raise ValueError(f"{len(part)} packets were sent and {count} received: raise net.core.rmem_max")
            if 2 * at >= len(packets):
                spent += end - start
                timed += count
    return spent / timed


def core() -> Any:
    import netfeed.book  # noqa: F401  (hands the core its words)
    from netfeed._core.itch import ItchBooks
    from netfeed._core.path import Path
    from netfeed.transport.thread import Receiver

    return Receiver, Path, ItchBooks()


def twin() -> Any:
    return plain.Receiver, plain_path.Path, PlainItch()


def batches(fd: int) -> int:
    from netfeed.transport.mmsg import Batch

    batch, found = Batch(BATCH), 0
    while count := batch.receive(fd):
        found += count
    return found


def loop(bare: ctypes.CDLL, stamps: bool) -> Drain:
    bare.drain.restype = ctypes.c_uint64
    bare.drain.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_uint64)]

    def drain(fd: int) -> int:
        size = ctypes.c_uint64()
        return int(bare.drain(fd, BATCH, stamps, ctypes.byref(size)))

    return drain
