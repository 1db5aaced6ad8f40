"""From the kernel's receive stamp to the published change of a book: nanoseconds, p50 and p99 of a run.

    netfeed, netfeed:p99              the receiver's thread spins
    netfeed:sleep, ...:p99            it sleeps in epoll and is woken for each packet
    netfeed:busy, ...:p99             it spins, and a thread of plain Python beside it never rests
    netfeed:sleep_busy, ...:p99       it sleeps, and the same
    netfeed:traced, ...:p99           it spins, and every packet is traced (`netfeed latency run`)
    netfeed:event, ...:p99            it spins, and a reader of the ring, in plain Python, has the changes
    netfeed:sleep_event, ...:p99      it sleeps, and the same
    pure, pure:busy                   the plain twin's thread, which needs the interpreter's lock, sleeping: p50
    floor:recvmmsg, ...:p99           a bare loop in C, spinning: from the kernel's stamp to the return of recvmmsg
    floor:recvmmsg_sleep, ...:p99     the same, sleeping in recvmmsg

Two thousand packets a second (the twin: two hundred) over loopback, ten ITCH messages each (the input of `udp_drain`),
sent at absolute times by a loop in C that needs no lock either. The latency of each packet is counted where its changes
have just been put into the ring. The thread is SCHED_FIFO where that is allowed, so that other processes do not count.
On a shared machine a p99 tells about its neighbours; and with fewer than three processors to spare, sender, spinner and
a busy thread get in each other's way; so do they and the reader of `event`. What netfeed adds to the floor is the
decoding, the books and the ring; the floor itself is the kernel's, and differs by the minute.
"""

import atexit
import ctypes
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path as File
from time import monotonic, sleep, time_ns
from typing import Any

import numpy as np

from benches import Row
from benches.itch_book import library
from benches.udp_drain import FILL, SESSION, SO_TIMESTAMPNS, core, packed, twin
from netfeed.book.change import CHANGE
from netfeed.latency import Histogram
from netfeed.latency.stage import TRACE
from netfeed.transport import Tracer
from netfeed.transport.clock import chosen
from netfeed.transport.ring import Reader, Ring

NAME = "wire_to_book"
UNIT = "ns"

PACKETS, QUICK_PACKETS, TWIN_PACKETS = 2_000, 200, 200
GAP_NS, TWIN_GAP_NS = 500_000, 5_000_000
PATIENCE_S = 20.0


def rows(file: File | None, quick: bool) -> list[Row]:
    folder = File(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bare = library("wire_to_book.c", "gcc", folder)
    if bare is None:
        print("left out: everything, for there is no sender", file=sys.stderr)
        return []
    packets = packed(file, QUICK_PACKETS if quick else PACKETS)
    found: list[Row] = []
    for name, spin, busy in (
        ("netfeed", True, False),
        ("netfeed:sleep", False, False),
        ("netfeed:busy", True, True),
        ("netfeed:sleep_busy", False, True),
    ):
        found += both(name, Run(bare, packets, core, folder, spin, busy))
    found += both("netfeed:traced", Run(bare, packets, core, folder, True, False, traced=True))
    for name, spin in (("netfeed:event", True), ("netfeed:sleep_event", False)):
        found += both(name, Event(bare, packets, core, folder, spin, False))
    for name, spin in (("floor:recvmmsg", True), ("floor:recvmmsg_sleep", False)):
        found += both(name, Floor(bare, packets, core, folder, spin, False))
    few = packets[: 2 * TWIN_PACKETS]
    found.append(("pure", Run(bare, few, twin, folder, False, False).median))
    found.append(("pure:busy", Run(bare, few, twin, folder, False, True).median))
    return found


def both(name: str, run: "Run") -> list[Row]:
    """Give the rows of one run: the first does it, the second tells more of it."""
    return [(name, run.median), (f"{name}:p99", run.tail)]


class Run:
    """One way to receive, run from the start each time."""

    def __init__(
        self, bare: ctypes.CDLL, packets: list[bytes], kit: Callable[[], Any], folder: File, spin: bool, busy: bool,
        *, traced: bool = False,
    ) -> None:  # fmt: skip
        self._bare, self._traced = bare, traced
        self._send = bare.send_paced
        self._send.restype = ctypes.c_uint64
        self._send.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64]
        self._packets, self._kit, self._folder, self._spin, self._busy = packets, kit, folder, spin, busy
        self._latency: Any = None

    def median(self) -> float:
        self._latency = self._run()
        return float(self._latency.percentile(50))

    def tail(self) -> float:
        return float(self._latency.percentile(99))

    def _run(self) -> Any:
        receiver_class, path_class, books = self._kit()
        path = path_class()
        channel = path.add_channel(books)
        half = len(self._packets) // 2
        with (
            Ring(self._folder / "ring", CHANGE, capacity=1 << 14, names=1) as ring,
            Ring(self._folder / "traces", TRACE, capacity=1 << 12, names=0) as traces,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inner,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outer,
        ):
            inner.bind(("127.0.0.1", 0))
            inner.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            outer.connect(inner.getsockname())
            more = {"trace": Tracer(traces, tsc=chosen("auto"))} if self._traced else {}
            receiver = receiver_class(path, ring.writer, spin=self._spin, priority=priority(), **more)
            receiver.add(inner, channel=channel, books=books)
            receiver.offer(channel, SESSION, 1)
            try:
                for at in range(0, half, FILL // 10):
                    for packet in self._packets[at : min(at + FILL // 10, half)]:
                        outer.send(packet)
                    while taken(receiver) < min(at + FILL // 10, half):
                        receiver.turn()
                receiver.latency.clear()
                receiver.start()
                with busy() if self._busy else idle(), self._followed(ring):
                    self._pace(outer, self._packets[half:])
                    end = monotonic() + PATIENCE_S
                    while taken(receiver) < len(self._packets):
                        if monotonic() > end:
                            raise ValueError(f"{taken(receiver)} packets of {len(self._packets)} were taken")
                        sleep(0.01)
                receiver.stop()
                return self._found(receiver)
            finally:
                receiver.close()

    @contextmanager
    def _followed(self, ring: Ring) -> Iterator[None]:
        """Have the changes followed by nobody."""
        yield

    def _found(self, receiver: Any) -> Any:
        return receiver.latencies()

    def _pace(self, outer: socket.socket, packets: list[bytes]) -> None:
        sizes = np.array([len(packet) for packet in packets], np.uint32)
        gap_ns = TWIN_GAP_NS if self._kit is twin else GAP_NS
        sent = self._send(outer.fileno(), b"".join(packets), sizes.ctypes.data, len(packets), gap_ns)
        if sent != len(packets):
            raise ValueError(f"{sent} packets of {len(packets)} were sent")


class Event(Run):
    """The latest that a reader of the ring has of each batch of changes."""

    def _found(self, receiver: Any) -> Any:
        return self._latency

    @contextmanager
    def _followed(self, ring: Ring) -> Iterator[None]:
        self._latency = Histogram()
        with Reader(ring.path) as reader:
            thread = threading.Thread(target=self._follow, args=(reader,))
            thread.start()
            try:
                yield
            finally:
                self._over = True
                thread.join()

    def _follow(self, reader: Reader) -> None:
        self._over = False
        while not self._over:
            if reader.wait(10_000_000):
                stamps = reader.read()["ts_recv_ns"]
                self._latency.record_all(np.unique(time_ns() - stamps))


class Floor(Run):
    """A bare loop, of the same packets."""

    def _run(self) -> Any:
        packets = self._packets[len(self._packets) // 2 :]
        receive = self._bare.receive_stamped
        receive.restype = ctypes.c_uint64
        receive.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int64]
        out, got = np.zeros(len(packets), np.int64), list[int]()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inner,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outer,
        ):
            inner.bind(("127.0.0.1", 0))
            inner.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            outer.connect(inner.getsockname())

            def work() -> None:
                wanted = priority()
                if wanted is not None:
                    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(wanted))
                found = receive(inner.fileno(), self._spin, out.ctypes.data, len(out), int(PATIENCE_S * 1e9))
                got.append(int(found))

            thread = threading.Thread(target=work)
            thread.start()
            self._pace(outer, packets)
            thread.join()
        if got != [len(packets)]:
            raise ValueError(f"{got} packets of {len(packets)} were received")
        found = Histogram()
        found.record_all(out)
        return found


def taken(receiver: Any) -> int:
    return int(receiver.statistics().sockets[0].taken)


def priority() -> int | None:
    """Give the real-time priority that a thread may have here, None for none."""
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return None
    os.sched_setscheduler(0, *before)
    return 1


@contextmanager
def busy() -> Iterator[None]:
    """Let a thread of plain Python hold the lock whenever it can."""
    stop = False

    def work() -> None:
        count = 0
        while not stop:
            count += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop = True
        thread.join()


@contextmanager
def idle() -> Iterator[None]:
    yield
