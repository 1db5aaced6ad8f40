"""The shipped capture of orders: its numbers hold together, read by hand."""

from struct import unpack_from

from netfeed.sim.capture_orders import tick_to_trade
from netfeed.sim.tcp_talk import CLIENT, SERVER, Talk
from netfeed.wire.frame import LinkType
from netfeed.wire.pcap import records
from netfeed.wire.segment import FIN, SYN, read_segment


def test_each_order_carries_the_sequence_of_a_packet_that_came_before_it() -> None:
    made = tick_to_trade()
    firsts: dict[int, int] = {}
    took: dict[int, int] = {}
    for record in records(made.data):
        frame = bytes(record.data)
        if frame[23] == 17:
            sequence, _, _, count = unpack_from("<qiHH", frame, 42 + 8)
            if count:
                firsts.setdefault(sequence + count - 1, record.ts_ns)
        elif len(frame) > 100 and unpack_from("<H", frame, 54 + 4)[0] == 100:
            order, correlation = unpack_from("<qq", frame, 54 + 32)
            took.setdefault(order, record.ts_ns - firsts[correlation])
    told = made.facts["tick_to_trade"]
    assert list(took.values()) == told["took_ns"]
    assert len(took) == told["orders"]


def test_the_sequence_of_the_client_wraps() -> None:
    found = [read_segment(record.data, LinkType.ETHERNET) for record in records(tick_to_trade().data)]
    numbers = [one.sequence for one in found if one is not None and one.source_port == 40001]
    assert numbers[0] > 2**31 > numbers[-1]


def test_a_talk_numbers_both_sides() -> None:
    talk = Talk(("10.0.0.5", 1), ("10.0.0.9", 2), first=(2**32 - 1, 10))
    at = talk.open(0, 5, 7)
    talk.send(at, CLIENT, b"abc")
    talk.repeat(at + 1, CLIENT, b"abc")
    talk.send(at + 2, SERVER, b"z")
    talk.finish(at + 3, CLIENT)
    read = [read_segment(one.data, LinkType.ETHERNET) for one in talk.frames]
    seen = [(one.sequence, one.acknowledgment, one.flags & (SYN | FIN), one.length) for one in read if one is not None]
    assert seen == [
        (2**32 - 1, 0, SYN, 0), (10, 0, SYN, 0), (0, 11, 0, 0), (0, 11, 0, 3), (0, 11, 0, 3), (11, 3, 0, 1),
        (3, 12, FIN, 0),
    ]  # fmt: skip
    assert at == 12
