"""How many packets a second, live: over a veth pair between two network namespaces, ten ITCH messages a packet.

    floor:recvmmsg     the rate at which a bare loop in C begins to lose: poll, recvmmsg, stamps, nothing else
    netfeed            the rate at which the receiver's thread does that keeps books and puts changes into a ring
    netfeed:at_80%     the rate that was sent to it then: 80 % of what the bare loop began to lose at in this round
    netfeed:lost_80%   packets that it lost of these, for each second: 0 is the aim
    ..._steered        the same four with the kernel's share of receiving on the receiver's processor (RPS)

On a veth the kernel's share of receiving is done in the sender's time, so that the sender is most often the limit: what
it reached is the value then, and stderr says so. Steered, the receiver's processor does both, as with a card whose
interrupt comes there: the only way here in which a bare loop begins to lose, and hard, for it is then at its end.

Multicast, joined as `netfeed run` joins; the rate goes up by a quarter a step, a third of a second each, every step
with a new socket and new books, until packets are lost. Both receivers sleep when nothing waits, take batches of 64,
ask for the same receive buffer, and are on the last processor; the sender is on the first. All are SCHED_FIFO where
that is allowed. Packets are sent in bursts of 16, one call that the kernel cuts (UDP_SEGMENT).
Needs CAP_SYS_ADMIN, CAP_NET_ADMIN and two processors.

Input: 4,000 packets of one size that can be repeated: five adds and five deletes each, on 200 symbols, some 4,000 live
orders, whose lives last from one packet to 3,400; five changes a packet. The check: where none was lost every message
was taken, and none was refused by a book.
"""

import atexit
import ctypes
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path as File
from time import monotonic, sleep
from typing import Any

from benches import Row
from benches.itch_book import library
from benches.udp_drain import BATCH, SESSION, core
from benches.wire_to_book import priority
from netfeed.book.change import CHANGE
from netfeed.host.namespace import Namespace, permitted
from netfeed.transport.ring import Ring
from netfeed.transport.udp import UdpSocket, open_multicast
from netfeed.wire import moldudp64

NAME = "live_rate"
UNIT = "packets/s"

GROUP, PORT = "233.252.0.85", 26485
PACKETS, SYMBOLS, ADDS = 4_000, 200, 5
LIVES = (1, 7, 52, 500, 3_400)
"""How many packets later each order of a packet is deleted."""
BURST = 16
START, STEP, MOST = 100_000, 1.25, 4_000_000
STEP_S, QUICK_S = 0.33, 0.05
"""Shorter than a second, in which the kernel stops what is SCHED_FIFO and never rests for 50 ms."""
BUFFER = 8 << 20
PATIENCE_S = 0.2
"""How long nothing comes until what has not come is lost."""


def rows(file: File | None, quick: bool) -> list[Row]:
    folder = File(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bare = library("live_rate.c", "gcc", folder)
    if bare is None or not permitted():
        print("left out: everything, for it needs a compiler and CAP_SYS_ADMIN", file=sys.stderr)
        return []
    wire = Wire(bare, folder, quick)
    return [*four(wire, ""), *four(wire, "_steered")]


def four(wire: "Wire", how: str) -> list[Row]:
    def floor() -> float:
        wire.steer(bool(how))
        return wire.begins(wire.bare)

    return [
        (f"floor:recvmmsg{how}", floor),
        ("netfeed" + how.replace("_", ":"), lambda: wire.begins(wire.netfeed)),
        (f"netfeed:at_80%{how}", wire.at_80),
        (f"netfeed:lost_80%{how}", lambda: wire.lost),
    ]


# --- input


def add(packet: int, order: int) -> bytes:
    number = packet * ADDS + order
    buy = order % 2 == 0
    price = 100_000 + (-100 if buy else 100) * (1 + number * 7 % 61)
    body = struct.pack(
        ">QcI8sI", number + 1, b"B" if buy else b"S", 100, f"S{number % SYMBOLS}".ljust(8).encode(), price
    )
    return b"A" + (number % SYMBOLS).to_bytes(2) + bytes(2) + packet.to_bytes(6) + body


def delete(packet: int, order: int) -> bytes:
    number = packet * ADDS + order
    return b"D" + (number % SYMBOLS).to_bytes(2) + bytes(2) + packet.to_bytes(6) + (number + 1).to_bytes(8)


def circle() -> list[bytes]:
    """Make packets after which the market is as before them, so that they can be repeated."""
    return [
        moldudp64.encode(
            SESSION,
            1,
            [add(at, order) for order in range(ADDS)]
            + [delete((at - life) % PACKETS, order) for order, life in enumerate(LIVES)],
        )
        for at in range(PACKETS)
    ]


def opening() -> list[bytes]:
    """Make packets that bring the market to where the circle begins."""
    live = [add(PACKETS - back, order) for order, life in enumerate(LIVES) for back in range(life, 0, -1)]
    return [moldudp64.encode(SESSION, at + 1, live[at : at + 10]) for at in range(0, len(live), 10)]


# --- what is measured


class Wire:
    """Two namespaces with a wire between, and what runs at both ends."""

    def __init__(self, library: ctypes.CDLL, folder: File, quick: bool) -> None:
        self._c, self._folder = library, folder
        self._c.blast.restype, self._c.receive.restype = ctypes.c_int64, ctypes.c_uint64
        u32, u64 = ctypes.c_uint32, ctypes.c_uint64
        self._c.blast.argtypes = [
            ctypes.c_int, ctypes.c_char_p, u32, u64, u64, u64, u64, u32, ctypes.c_double, ctypes.c_int, ctypes.c_void_p,
        ]  # fmt: skip
        self._seconds = QUICK_S if quick else STEP_S
        packets = circle()
        (self._size,) = {len(packet) for packet in packets}
        self._data = b"".join(packets)
        self._opening = opening()
        self._stack = ExitStack()
        atexit.register(self._stack.close)
        self._here, self._there = (self._stack.enter_context(Namespace(name)) for name in ("venue", "handler"))
        self._here.connect("nfa", self._there, "nfb")
        self._here.address("nfa", "10.85.0.1/24")
        self._there.address("nfb", "10.85.0.2/24")
        self._here.route("233.252.0.0/24", "nfa")
        with self._here.entered():
            self._out = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self._out.connect((GROUP, PORT))
        self._fifo = priority()
        self.lost = self._floor = 0.0

    def steer(self, on: bool) -> None:
        """Have the kernel's share of receiving done on the receiver's processor, or not."""
        mask = f"{1 << processors()[-1] if on else 0:x}"
        steer = f"mount -t sysfs none /sys && echo {mask} > /sys/class/net/nfb/queues/rx-0/rps_cpus"
        with self._there.entered():
            subprocess.run(["unshare", "-m", "sh", "-c", steer], check=True)

    def begins(self, one: "Callable[[float, float], tuple[float, int]]") -> float:
        """Give the rate at which a receiver begins to lose."""
        asked, reached = float(START), 0.0
        while asked <= MOST:
            rate, lost = one(asked, self._seconds)
            if lost:
                reached = rate
                break
            if rate < 0.9 * asked:
                print(f"{one.__name__}: the sender is the limit: {rate:,.0f} packets/s, none lost", file=sys.stderr)
                reached = max(rate, reached)
                break
            asked, reached = asked * STEP, rate
        if one == self.bare:
            self._floor = reached
        return reached

    def at_80(self) -> float:
        """Send at 80 % of what the bare loop began to lose at."""
        rate, lost = self.netfeed(0.8 * self._floor, self._seconds)
        self.lost = lost / self._seconds
        return rate

    def bare(self, rate: float, seconds: float) -> tuple[float, int]:
        """Let the bare loop receive; give the rate that was sent, and what was lost."""
        stop, found = ctypes.c_int(0), ctypes.c_uint64(0)

        def work() -> None:
            place(-1, self._fifo)
            self._c.receive(inner.fileno(), BATCH, 0, ctypes.byref(stop), ctypes.byref(found))

        with self._joined() as inner:
            thread = threading.Thread(target=work)
            thread.start()
            try:
                reached, sent = self._send(rate, seconds, 1)
                settle(lambda: found.value, sent)
            finally:
                stop.value = 1
                thread.join()
            return reached, sent - found.value

    def netfeed(self, rate: float, seconds: float) -> tuple[float, int]:
        """Let the receiver do it, with books and a ring."""
        receiver_class, path_class, books = core()
        path = path_class()
        channel = path.add_channel(books)
        with Ring(self._folder / "ring", CHANGE, capacity=1 << 17, names=1) as ring, self._joined() as inner:
            receiver = receiver_class(path, ring.writer, packets=BATCH, cpu=processors()[-1], priority=self._fifo)
            receiver.add(inner.socket, channel=channel, books=books)
            receiver.offer(channel, SESSION, 1)
            try:
                receiver.start()
                for at, packet in enumerate(self._opening):
                    self._out.send(packet)
                    settle(lambda: taken(receiver), at + 1)
                before = len(self._opening)
                reached, sent = self._send(rate, seconds, 10 * before + 1)
                settle(lambda: received(receiver), before + sent)
                lost = before + sent - taken(receiver)
            finally:
                receiver.close()
            if not lost and (sum(books.by_type.values()) != 10 * (before + sent) or books.books.statistics().refused):
                raise ValueError(f"not every message was taken: {books.by_type}, {books.books.statistics()}")
            return reached, before + sent - received(receiver)

    def _joined(self) -> UdpSocket:
        with self._there.entered():
            return open_multicast(GROUP, PORT, interface="nfb", buffer_bytes=BUFFER)

    def _send(self, rate: float, seconds: float, sequence: int) -> tuple[float, int]:
        """Send so long at a rate; give the rate that was reached, and how many packets left."""
        count = max(int(rate * seconds) // BURST, 1) * BURST
        sent, took = ctypes.c_uint64(0), list[int]()

        def work() -> None:
            place(0, self._fifo)
            took.append(self._c.blast(self._out.fileno(), self._data, self._size, PACKETS, 0, sequence, count, BURST,
                                      1e9 / rate, 1, ctypes.byref(sent)))  # fmt: skip

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if sent.value != count:
            raise ValueError(f"{sent.value} packets of {count} were sent")
        return count * 1e9 / took[0], count


def processors() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def place(which: int, fifo: int | None) -> None:
    """Pin the calling thread, and make it SCHED_FIFO where that is allowed."""
    os.sched_setaffinity(0, {processors()[which]})
    if fifo is not None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(fifo))


def received(receiver: Any) -> int:
    return int(receiver.statistics().sockets[0].packets)


def taken(receiver: Any) -> int:
    return int(receiver.statistics().sockets[0].taken)


def settle(come: Callable[[], int], wanted: int) -> int:
    """Wait until all packets have come, or no more do; give how many are lost."""
    found, since = come(), monotonic()
    while found < wanted and monotonic() - since < PATIENCE_S:
        sleep(0.001)
        if (now := come()) != found:
            found, since = now, monotonic()
    return wanted - found
