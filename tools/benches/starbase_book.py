"""Build every book of a Starbase session from its capture: nanoseconds for each message, from a mapped pcap.

    netfeed      the compiled path in one call for each batch: record, payload, channel, message, book of orders
    pure         the plain twin of the same path, on the beginning of the session
    floor:walk   the least that a C loop can do: the length and the template of each message

Input: our generator's ITCH day (see `itch_book`), told in Starbase's words - adds are Puts, cancels and executions
reductions or deletes, a replace is a delete and a Put in one transaction - in packets of up to eight messages. A run
must end with the orders that the day leaves alive.
"""

import atexit
import mmap
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benches import Row, cached, timed
from benches.itch_book import called, library, made, mapped
from netfeed.feed.path import Path as PlainPath
from netfeed.feed.path import Status
from netfeed.venues.starbase import StarbaseBooks as Twin
from netfeed.wire import binaryfile, itch, pcap, starbase
from netfeed.wire.capture import PACKET
from netfeed.wire.capture import Walker as PlainWalker
from netfeed.wire.headers import udp_frame

NAME = "starbase_book"
UNIT = "ns/message"

MESSAGES, QUICK_MESSAGES, SYMBOLS = 1_000_000, 40_000, 200
SLICE = 4_000  # packets for the twin
PACKETED = 8
TELLING = 1  # raise it when `told` writes other bytes
GROUP, PORT, CHANNEL = "233.252.0.11", 7001, 3
DESTINATION = bytes(10) + b"\xff\xff" + bytes(map(int, GROUP.split(".")))


def rows(file: Path | None, quick: bool) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = file or session(QUICK_MESSAGES if quick else MESSAGES)
    small = folder / "slice.pcap"
    small.write_bytes(beginning(path, SLICE))
    found = library("starbase_book.c", "gcc", folder)
    floor = [("floor:walk", called(found.walk, path, lambda answers: None))] if found else []
    return [("netfeed", compiled(path)), ("pure", plain(small)), *floor]


# --- input


def session(messages: int) -> Path:
    day, _ = made(messages, SYMBOLS)

    def write(path: Path) -> None:
        with path.open("wb") as out:
            out.write(pcap.file_header())
            stream, sequence, now = told(day), 1, 1_772_438_400_000_000_000
            while batch := list(islice(stream, PACKETED)):
                packet = starbase.encode_packet(sequence, batch, channel_id=CHANNEL, sending_time=now)
                out.write(pcap.record(now, udp_frame(packet, ("192.0.2.20", 7000), (GROUP, PORT))))
                sequence, now = sequence + len(batch), now + 20_000

    parameters: dict[str, object] = {"messages": messages, "symbols": SYMBOLS, "version": TELLING}
    return cached("starbase_session.pcap", parameters, write)


def told(day: Path) -> Iterator[bytes]:
    """Tell an ITCH day in Starbase's words."""
    alive: dict[int, tuple[int, int, int]] = {}
    for _, record in binaryfile.records(memoryview(mapped(day))):
        if chr(record[0]) not in "AFDEXCU":
            continue
        m = itch.decode(record)
        instrument = m.stock_locate
        if record[0] in b"AF":
            side, number = "BS".index(m.buy_sell_indicator), m.order_reference_number
            alive[number] = side, m.shares, m.price
            yield put(side, number, instrument, m.shares, m.price, 3)
        elif record[0] in b"U":
            old, number = m.original_order_reference_number, m.new_order_reference_number
            side, _, _ = alive.pop(old)
            alive[number] = side, m.shares, m.price
            yield starbase.encode(24 + side, flags=1, orderId=old, instrumentId=instrument)
            yield put(side, number, instrument, m.shares, m.price, 2)
        else:
            yield taken(record[0], alive, instrument, m)


def put(side: int, number: int, instrument: int, shares: int, price: int, flags: int) -> bytes:
    return starbase.encode(
        20 + side, flags=flags, orderId=number, instrumentId=instrument, quantity=shares, price=price * 100_000,
        sortOrderId=number,
    )  # fmt: skip


def taken(kind: int, alive: dict[int, tuple[int, int, int]], instrument: int, m: Any) -> bytes:
    number = m.order_reference_number
    side, shares, price = alive[number]
    left = 0 if kind == ord("D") else shares - (m.cancelled_shares if kind == ord("X") else m.executed_shares)
    if not left:
        del alive[number]
        return starbase.encode(24 + side, flags=3, orderId=number, instrumentId=instrument)
    alive[number] = side, left, price
    return starbase.encode(22 + side, flags=3, orderId=number, instrumentId=instrument, quantity=left)


def beginning(path: Path, packets: int) -> bytes:
    data = mapped(path)
    records = list(islice(pcap.records(memoryview(data)), packets))
    last = records[-1]
    return bytes(data[: last.offset + 16 + len(last.data)])


# --- ours


def compiled(path: Path) -> Callable[[], float]:
    import netfeed.book  # noqa: F401  (hands the core its words)
    from netfeed._core.capture import Walker
    from netfeed._core.path import Path as CorePath
    from netfeed._core.starbase import StarbaseBooks

    def run() -> float:
        books = StarbaseBooks()
        return replayed(CorePath(Walker(), np.zeros(1, PACKET)), books, mapped(path))

    return run


def plain(path: Path) -> Callable[[], float]:
    return lambda: replayed(PlainPath(PlainWalker(), np.zeros(1, PACKET)), Twin(), mapped(path))


def replayed(path: Any, books: Any, data: mmap.mmap) -> float:
    channel = path.add_channel(books)
    path.add_flow(DESTINATION, PORT, channel)
    path.arm(channel, CHANNEL.to_bytes(4, "little"), 1)

    def work() -> None:
        offset, status = 0, Status.FULL
        while status == Status.FULL:
            offset, status = path.run(data, offset)
            books.books.take()
        if (offset, status) != (len(data), Status.END):
            raise ValueError(f"the path stopped with {Status(status).name} at byte {offset} of {len(data)}")

    time = timed(work)
    if books.books.statistics().refused:
        raise ValueError(f"refused: {books.books.statistics()}")
    messages: int = path.position(channel)[0] - 1
    return time / messages
