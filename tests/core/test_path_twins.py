"""The compiled path and its plain twin take the same packets, hand out the same ones, and leave the same books."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.build import PURE
from netfeed.feed import path as plain
from netfeed.venues.itch import ItchBooks as PlainItch
from netfeed.venues.starbase import StarbaseBooks as PlainStarbase
from netfeed.wire import itch, moldudp64, pcap, starbase
from netfeed.wire.capture import PACKET
from netfeed.wire.capture import Walker as PlainWalker
from netfeed.wire.headers import udp_frame

if PURE:
    pytest.skip("the compiled core is not loaded with NETFEED_PURE=1", allow_module_level=True)

import netfeed.book  # noqa: F401  (hands the core its words)
from netfeed._core.capture import Walker as CoreWalker
from netfeed._core.itch import ItchBooks as CoreItch
from netfeed._core.path import Path as CorePath
from netfeed._core.starbase import StarbaseBooks as CoreStarbase

SESSION = b"SESSION001"
A, B, OTHER = ("233.252.0.1", 26400), ("233.252.0.2", 26400), ("233.252.0.9", 9999)


def add(reference: int, shares: int = 100, price: int = 10_000) -> bytes:
    return itch.encode(
        "A", stock_locate=1, tracking_number=0, timestamp=5, order_reference_number=reference, buy_sell_indicator="B",
        shares=shares, stock="AAA", price=price,
    )  # fmt: skip


def put(order: int, price: int) -> bytes:
    return starbase.encode(20, flags=3, orderId=order, instrumentId=7, quantity=5, price=price, sortOrderId=order)


def key(address: tuple[str, int]) -> tuple[bytes, int]:
    packed = bytes(10) + b"\xff\xff" + bytes(map(int, address[0].split(".")))
    return packed, address[1]


def drive(path: Any, books: Any, data: bytes, session: bytes, cuts: int) -> Any:
    """Run to the end in pieces of `cuts` bytes, and write down all that happens."""
    told: list[Any] = []
    channel = path.add_channel(books)
    path.add_flow(*key(A), channel, 0)
    path.add_flow(*key(B), channel, 1)
    path.arm(channel, session, 1)
    offset, end = 0, min(cuts, len(data))
    while True:
        offset, status = path.run(data[:end], offset)
        told.append((offset, status, books.books.take().tolist()))
        if status == plain.Status.UNKNOWN:
            told.append(path.packet.tolist())
            path.add_flow(path.packet["destination"].tobytes(), int(path.packet["destination_port"]), plain.IGNORE)
        elif status == plain.Status.PLAIN:
            told.append(path.packet.tolist())
            path.done()
        elif status in (plain.Status.END, plain.Status.PARTIAL) and end < len(data):
            end = min(end + cuts, len(data))
        elif status != plain.Status.FULL:
            break
    told.append(
        (path.position(channel), path.drain_lines(channel), path.ignored, books.by_type, books.books.statistics())
    )
    return told


def alike(frames: list[tuple[int, bytes]], session: bytes, core: Any, twin: Any, cuts: int) -> None:
    data = pcap.file_header() + b"".join(pcap.record(ts, frame) for ts, frame in frames)
    by_core = drive(CorePath(CoreWalker(), np.zeros(1, PACKET)), core, data, session, cuts)
    by_twin = drive(plain.Path(PlainWalker(), np.zeros(1, PACKET)), twin, data, session, cuts)
    changes = [
        [row for step in told if isinstance(step, tuple) and len(step) == 3 for row in step[2]]
        for told in (by_core, by_twin)
    ]
    assert changes[0] == changes[1]
    for told in (by_core, by_twin):
        told[:] = [step if not isinstance(step, tuple) or len(step) != 3 else step[:2] for step in told]
    assert by_core == by_twin


def drive_walked(path: Any, books: Any, walker: Any, data: bytes, session: bytes, until_ns: int) -> Any:
    """The same, with packets that were walked before; what is late is taken in a second go."""
    told: list[Any] = []
    channel = path.add_channel(books)
    path.add_flow(*key(A), channel, 0)
    path.add_flow(*key(B), channel, 1)
    path.add_flow(*key(OTHER), plain.TO_PLAIN)
    path.arm(channel, session, 1)
    packets = np.zeros(64, PACKET)
    count, _, _ = walker.walk(data, 0, packets)
    packets, at = packets[:count], 0
    while at < count:
        at, status = path.take(data, packets, at, until_ns)
        told.append((at, status, path.newest_ns))
        if status == plain.Status.LATE:
            until_ns = 2**63 - 1
        elif status in (plain.Status.PLAIN, plain.Status.UNKNOWN):
            at += 1
        else:
            books.books.take()
    return told, path.position(channel), path.drain_lines(channel), books.by_type, books.books.statistics()


PACKETS = st.lists(
    st.tuples(
        st.sampled_from([A, B, B, OTHER]),
        st.integers(1, 12),  # sequence
        st.integers(0, 3),  # messages
        st.sampled_from(["good", "good", "good", "cut", "long", "session", "end"]),
    ),
    max_size=25,
)


@given(PACKETS, st.sampled_from([10**9, 10**9, 777]))
def test_moldudp64(packets: list[Any], cuts: int) -> None:
    frames = []
    for k, (address, sequence, count, wound) in enumerate(packets):
        messages = [add(sequence + n) for n in range(count)]
        payload = (
            moldudp64.encode(SESSION, sequence, messages) if messages else moldudp64.encode_heartbeat(SESSION, sequence)
        )
        payload = spoil(payload, wound)
        if wound == "end":
            payload = moldudp64.encode_end_of_session(SESSION, sequence)
        frames.append((10**18 + 1000 * k, udp_frame(payload, ("10.0.0.1", 5000), address)))
    alike(frames, SESSION, CoreItch(), PlainItch(), cuts)


@given(PACKETS, st.integers(0, 25), st.integers(0, 3))
def test_packets_that_were_walked_already(packets: list[Any], until: int, backwards: int) -> None:
    records = []
    for k, (address, sequence, count, wound) in enumerate(packets):
        payload = moldudp64.encode(SESSION, sequence, [add(sequence + n) for n in range(count + 1)])
        ts_ns = 10**18 + 1000 * k - (5000 if k % 4 == backwards else 0)
        records.append(pcap.record(ts_ns, udp_frame(spoil(payload, wound), ("10.0.0.1", 5000), address)))
    data, until_ns = pcap.file_header() + b"".join(records), 10**18 + 1000 * until
    by_core = drive_walked(CorePath(), CoreItch(), CoreWalker(), data, SESSION, until_ns)
    by_twin = drive_walked(plain.Path(), PlainItch(), PlainWalker(), data, SESSION, until_ns)
    assert by_core == by_twin


def test_packets_whose_payload_lies_outside_the_buffer_are_refused() -> None:
    packets = np.zeros(2, PACKET)
    packets["kind"], packets["payload_offset"], packets["payload_length"] = 1, 90, 20
    for path, books in ((CorePath(), CoreItch()), (plain.Path(), PlainItch())):
        path.add_flow(bytes(16), 0, path.add_channel(books))
        with pytest.raises(ValueError, match="packet 1 lies outside the buffer of 100 bytes"):
            path.take(bytes(100), packets, 1)
        with pytest.raises(ValueError, match="start inside it"):
            path.take(bytes(200), packets, 3)


@given(PACKETS)
def test_starbase(packets: list[Any]) -> None:
    frames = []
    for k, (address, sequence, count, wound) in enumerate(packets):
        messages = [put(sequence + n, 10**9 * (1 + (sequence + n) % 4)) for n in range(count)]
        if wound == "end" and messages:
            messages[0] = (
                starbase.encode(11, indexId=1, name="x")
                if sequence % 2
                else bytes(messages[0][:2]) + b"\x0a\0" + messages[0][4:]
            )
        payload = starbase.encode_packet(sequence, messages, channel_id=9, sending_time=k)
        frames.append((10**18 + 1000 * k, udp_frame(spoil(payload, wound), ("10.0.0.1", 5000), address)))
    alike(frames, (9).to_bytes(4, "little"), CoreStarbase(), PlainStarbase(), 10**9)


def spoil(payload: bytes, wound: str) -> bytes:
    if wound == "cut":
        return payload[:-1]
    if wound == "long":
        return payload + b"\0"
    if wound == "session":
        return payload[:9] + b"?" + payload[10:]
    return payload


def test_a_packet_with_more_messages_than_a_batch_of_changes_holds_is_taken_whole() -> None:
    messages = [add(n, price=10_000 + n) for n in range(1, 1500)]
    payload = moldudp64.encode(SESSION, 1, messages)
    assert len(payload) < 65_000
    frame = udp_frame(payload, ("10.0.0.1", 5000), A)
    alike([(10**18, frame)], SESSION, CoreItch(), PlainItch(), 10**9)


def test_a_copy_whose_count_reaches_over_the_end_of_all_numbers_is_not_taken_for_one() -> None:
    first = 2**64 - 10
    whole = moldudp64.encode(SESSION, first, [add(1), add(2)])
    lying = whole[:18] + (12).to_bytes(2, "big") + whole[20:]
    frames = [udp_frame(payload, ("10.0.0.1", 5000), to) for payload, to in ((whole, A), (lying, B), (whole, B))]
    data = pcap.file_header() + b"".join(pcap.record(10**18, frame) for frame in frames)
    for path, books, walker in ((CorePath(), CoreItch(), CoreWalker()), (plain.Path(), PlainItch(), PlainWalker())):
        channel = path.add_channel(books)
        path.add_flow(*key(A), channel, 0)
        path.add_flow(*key(B), channel, 1)
        path.arm(channel, SESSION, first)
        packets = np.zeros(3, PACKET)
        walker.walk(data, 0, packets)
        assert path.take(data, packets, 0) == (1, plain.Status.PLAIN)
        assert path.take(data, packets, 2) == (3, plain.Status.END)
        assert path.accept(channel, 0, lying, 10**18) == plain.Status.PLAIN
        assert path.accept(channel, 0, whole, 10**18) == plain.Status.END
