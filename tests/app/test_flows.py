"""Which flow is which line of which channel, learned as packets come."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest

from netfeed.app.findings import Findings, Place
from netfeed.app.flows import MAX_FLOWS, MAX_HELD, Declared, Flow, Flows
from netfeed.app.protocols import Protocol
from netfeed.feed.epoch import LIVELY_NS
from netfeed.machine import Buffer
from netfeed.wire import cme, deribit, iex, moldudp64, starbase
from tests.cli.captures import add, mold, orders

A, B, C = "233.252.0.1", "233.252.0.2", "233.252.0.3"
CLIENT = "10.0.0.5"
PUT = {"orderId": 1, "quantity": 15, "price": 9, "sortOrderId": 1}


@dataclass
class Books:
    """A feed that only remembers which messages it was given."""

    protocol: Protocol
    needs_snapshot: bool = True
    by_type: dict[str, int] = field(default_factory=dict)
    books: list[Any] = field(default_factory=list)
    applied: list[tuple[int, int]] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)
    lost: list[tuple[int, int, int]] = field(default_factory=list)
    begun: list[bool] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)
    instruments: set[int] = field(default_factory=set)

    def begin(self, whole: bool) -> None:
        self.begun.append(whole)

    def knows(self, instrument_id: int) -> bool:
        return instrument_id in self.instruments

    def apply(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int = 0) -> None:
        self.applied.append((channel, sequence))

    def snapshot(self, message: Buffer, sequence: int, ts_recv_ns: int, channel: int, since: Any) -> None:
        self.snapshots.append(sequence)

    def snapshot_broken(self) -> None:
        pass

    def gap(self, first: int, last: int, ts_recv_ns: int, channel: int = 0) -> None:
        self.lost.append((channel, first, last))

    def reset(self, channel: int = 0) -> None:
        self.resets.append(channel)


class Run:
    """Packets in, lanes out: the part of a replay that concerns flows."""

    def __init__(self, **options: Any) -> None:
        self.findings = Findings()
        self.flows = Flows(self.findings, new_feed=Books, **options)
        self.now = 0

    def packet(self, group: str, port: int, payload: bytes) -> Flow | None:
        self.now += 1000
        flow = self.flows.meet(_mapped(group), port)
        if flow is not None:
            self.deliver(flow, payload, Place("f", self.now, self.now))
        return flow

    def deliver(self, flow: Flow, payload: bytes, place: Place) -> None:
        route = self.flows.route(flow, payload)
        if route is None:
            self.flows.hold(flow, payload, place)
            return
        for held in self.flows.release(flow):
            self.deliver(flow, held.payload, held.place)
        lane, port = route
        lane.receive(payload, place.ts_ns or 0, port, place)

    def finish(self) -> None:
        for flow, held in self.flows.settle():
            self.deliver(flow, held.payload, held.place)
        for lane in self.flows.lanes:
            lane.finish(Place("f", self.now))

    @property
    def lines(self) -> list[tuple[str, dict[str, int]]]:
        """Name each channel, and say how many packets each of its ports brought first."""
        return [
            (lane.name, {lane.label(line.port): line.first for line in lane.statistics().lines})
            for lane in self.flows.lanes
        ]


def _mapped(group: str) -> bytes:
    address = ip_address(group)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def globex(sequence: int, mark: int = 0) -> bytes:
    return cme.encode_packet(sequence, [cme.encode(12)], sending_time=sequence * 1000 + mark)


def star(sequence: int, *, type: int = 1, channel: int = 3, count: int = 2, instrument: int = 5) -> bytes:
    messages = [starbase.encode(20, flags=3, instrumentId=instrument, **PUT)] * count
    return starbase.encode_packet(sequence, messages, channel_id=channel, type=type, sending_time=sequence)


def told(sequence: int, upto: int, *, channel: int = 4, instrument: int = 5) -> bytes:
    header = starbase.encode(100, instrumentId=instrument, incrementalTimestamp=1, incrementalSeqNum=upto)
    return starbase.encode_packet(sequence, [header], channel_id=channel, type=2, sending_time=sequence)


def test_two_flows_of_one_session_are_lines_and_the_lower_address_is_a() -> None:
    run = Run()
    for first in range(1, 11, 2):
        run.packet(B, 1, orders(first, 2))
        run.packet(A, 1, orders(first, 2))
    assert run.lines == [(f"{A}:1", {"A": 0, "B": 5})]
    (feed,) = run.flows.feeds
    assert feed.applied == [(0, number) for number in range(1, 11)]
    assert feed.begun == [True]


def test_a_line_may_cut_its_packets_differently() -> None:
    run = Run()
    run.packet(A, 1, orders(1, 4))
    run.packet(B, 1, orders(1, 3))
    run.packet(B, 1, orders(4, 3))
    run.packet(A, 1, orders(5, 2))
    assert run.lines == [(f"{A}:1", {"A": 1, "B": 1})]


def test_flows_of_other_sessions_are_other_channels() -> None:
    run = Run()
    run.packet(A, 1, orders(1, 2))
    run.packet(B, 1, mold(1, add(1, 5), session=b"OTHER     "))
    assert [name for name, _ in run.lines] == [f"{A}:1", f"{B}:1"]
    assert len(run.flows.feeds) == 2


def test_flows_of_one_session_that_contradict_each_other_are_other_channels() -> None:
    run = Run()
    for first in range(1, 5):
        run.packet(A, 1, orders(first, 1))
        run.packet(B, 1, mold(first, add(first + 1000, 7, stock="ZZZ", locate=99)))
    assert run.lines == [(f"{A}:1", {"A": 4}), (f"{B}:1", {"A": 4})]


def test_flows_of_one_session_far_apart_are_other_channels() -> None:
    run = Run()
    run.packet(A, 1, orders(1, 1))
    run.packet(B, 1, orders(5_000_000, 1))
    assert len(run.lines) == 2


def test_a_unicast_flow_of_a_multicast_session_is_what_was_asked_for() -> None:
    run = Run()
    run.packet(A, 1, orders(1, 2))
    run.packet(A, 1, orders(5, 2))
    run.packet(CLIENT, 4000, orders(3, 2))
    assert run.lines == [(f"{A}:1", {"A": 2, "RETRANSMIT": 1})]
    assert [number for _, number in run.flows.feeds[0].applied] == [1, 2, 3, 4, 5, 6]


def test_unicast_flows_alone_are_lines() -> None:
    run = Run()
    for first in (1, 3, 5):
        run.packet("127.0.0.1", 5001, orders(first, 2))
        run.packet("127.0.0.1", 5002, orders(first, 2))
    assert run.lines == [("127.0.0.1:5001", {"A": 3, "B": 0})]


def test_a_session_that_changes_stays_on_its_flow_and_takes_its_lines_along() -> None:
    run = Run()
    run.packet(A, 1, orders(1, 2))
    run.packet(A, 1, moldudp64.encode_end_of_session(b"S000000001", 3))
    run.now += LIVELY_NS
    run.packet(A, 1, mold(1, add(1, 5), session=b"S000000002"))
    run.packet(B, 1, mold(1, add(1, 5), session=b"S000000002"))
    assert run.lines == [(f"{A}:1", {"A": 2, "B": 0})]
    assert run.flows.feeds[0].resets == [0]


def test_flows_without_a_session_are_lines_once_they_say_the_same() -> None:
    run = Run()
    for sequence in range(100, 110):
        run.packet(B, 15340, globex(sequence))
        run.packet(A, 14340, globex(sequence))
    assert run.lines == [(f"{A}:14340", {"A": 0, "B": 10})]


def test_a_line_that_is_ahead_waits_for_the_first_common_number() -> None:
    run = Run()
    run.packet(A, 1, globex(100))
    for sequence in (101, 102, 103):
        run.packet(B, 1, globex(sequence))
    assert len(run.lines) == 1
    for sequence in (101, 102, 103, 104):
        run.packet(A, 1, globex(sequence))
    run.packet(B, 1, globex(104))
    run.finish()
    assert [name for name, _ in run.lines] == [f"{A}:1"]
    assert run.flows.feeds[0].applied == [(0, number) for number in range(100, 105)]


def test_flows_without_a_session_that_differ_or_never_meet_are_channels_of_their_own() -> None:
    run = Run()
    for sequence in range(100, 104):
        run.packet(A, 1, globex(sequence))
        run.packet(B, 1, globex(sequence, mark=7))
        run.packet(C, 1, globex(sequence + 50))
    assert len(run.lines) == 2
    run.finish()
    assert [name for name, _ in run.lines] == [f"{A}:1", f"{B}:1", f"{C}:1"]
    assert [number for channel, number in run.flows.feeds[0].applied if channel == 2] == [150, 151, 152, 153]


def test_channels_of_deribit_go_by_their_number_and_share_their_books() -> None:
    run = Run()
    for sequence in range(10, 14):
        run.packet("239.111.111.2", 6100, deribit.encode_packet(sequence, [deribit.encode(1006)], channel_id=2))
        run.packet("239.111.112.2", 6100, deribit.encode_packet(sequence, [deribit.encode(1006)], channel_id=2))
        run.packet("239.111.111.102", 6101, deribit.encode_packet(sequence, [deribit.encode(1006)], channel_id=102))
    assert run.lines == [("239.111.111.2:6100", {"A": 4, "B": 0}), ("239.111.111.102:6101", {"A": 4})]
    assert len(run.flows.feeds) == 1
    assert {channel for channel, _ in run.flows.feeds[0].applied} == {2, 102}


def test_several_channels_on_one_group_and_port_are_told_apart() -> None:
    run = Run()
    for channel in (1, 2, 3):
        run.packet(A, 1, deribit.encode_packet(10, [deribit.encode(1006)], channel_id=channel))
    assert [name for name, _ in run.lines] == [f"{A}:1", f"{A}:1#2", f"{A}:1#3"]


def test_snapshots_and_answers_of_starbase_find_their_channel() -> None:
    run = Run()
    run.packet(C, 7002, told(50, 0))  # before any line: it waits
    run.packet(A, 7001, star(1))
    run.packet(B, 7001, star(1))
    run.packet(C, 7002, told(51, 2))
    run.packet(A, 7001, star(7))
    run.packet(CLIENT, 52000, star(3, type=5))
    run.packet(CLIENT, 52000, star(5, type=5))
    assert run.lines == [(f"{A}:7001", {"A": 2, "B": 0, "RETRANSMIT": 2, "SNAPSHOT_A": 2})]
    (feed,) = run.flows.feeds
    assert [number for _, number in feed.applied] == list(range(1, 9))
    assert feed.snapshots == [50, 51]


def test_of_several_channels_a_snapshot_belongs_to_the_one_that_has_its_instrument() -> None:
    run = Run()
    run.packet(A, 1, star(1, channel=3, instrument=5))
    run.packet(B, 1, star(1, channel=5, instrument=6))
    run.flows.feeds[1].instruments.add(6)
    run.packet(C, 2, told(9, 2, channel=8, instrument=6))
    assert [sorted(lines) for _, lines in run.lines] == [["A"], ["A", "SNAPSHOT_A"]]


def test_lines_of_iex_are_cut_differently_and_their_session_counts() -> None:
    trade = [
        iex.encode("T", flags=0, timestamp=number, symbol="ZIEXT", size=1, price=1, trade_id=number)
        for number in range(1, 9)
    ]
    run = Run()
    run.packet(A, 1, iex.encode_segment(1, trade[:4], session_id=7))
    run.packet(B, 1, iex.encode_segment(1, trade[:2], session_id=7))
    run.packet(B, 1, iex.encode_segment(3, trade[2:8], session_id=7))
    run.packet(C, 1, iex.encode_segment(1, trade[:4], session_id=8))
    assert run.lines == [(f"{A}:1", {"A": 1, "B": 1}), (f"{C}:1", {"A": 1})]


def test_a_declared_channel_has_its_lines_in_the_order_given() -> None:
    run = Run(declared=[Declared("opt", (f"{B}:1", f"{A}:1"))])
    run.packet(A, 1, orders(1, 2))
    run.packet(B, 1, orders(1, 2))
    assert run.lines == [("opt", {"A": 0, "B": 1})]


def test_a_declared_channel_holds_even_what_contradicts_itself() -> None:
    run = Run(declared=[Declared("x", (f"{A}:1", f"{B}:1")), Declared("y", (f"{C}:1",))])
    run.packet(A, 1, orders(1, 2))
    run.packet(C, 1, orders(1, 2))
    run.packet(B, 1, mold(1, add(9, 9), add(8, 8)))
    assert run.lines == [("x", {"A": 1, "B": 0}), ("y", {"A": 1})]


def test_what_came_before_a_flow_was_recognised_is_not_lost() -> None:
    run = Run()
    run.packet(A, 1, mold(1))  # a heartbeat tells too little
    assert run.lines == []
    run.packet(A, 1, orders(1, 2)[:-1])  # malformed
    run.packet(A, 1, orders(1, 2))
    assert run.lines == [(f"{A}:1", {"A": 1})]
    (lane,) = run.flows.lanes
    assert (lane.statistics().packets, lane.statistics().malformed) == (3, 1)


def test_a_flow_of_heartbeats_alone_is_decided_at_the_end() -> None:
    run = Run()
    for _ in range(5):
        run.packet(A, 1, mold(7))
    run.finish()
    (lane,) = run.flows.lanes
    assert (lane.statistics().heartbeats, run.flows.unknown()) == (5, [])


def test_what_is_never_recognised_is_given_up_and_named() -> None:
    run = Run()
    for _ in range(3 * MAX_HELD):
        run.packet(A, 1, b"a question")
    run.finish()
    assert run.lines == []
    assert [(flow.text, flow.ignored, len(flow.held)) for flow in run.flows.unknown()] == [(f"{A}:1", True, MAX_HELD)]


def test_a_protocol_can_be_named_and_holds_for_what_speaks_it() -> None:
    run = Run(protocol="itch50")
    run.packet(A, 1, mold(1))
    run.packet(B, 1, b"a question")
    run.packet(C, 1, globex(1))
    assert [name for name, _ in run.lines] == [f"{A}:1"]


def test_unwanted_groups_are_not_met() -> None:
    run = Run(wanted=lambda group, port: group == A)
    assert run.packet(B, 1, orders(1, 2)) is None
    assert run.packet(A, 1, orders(1, 2)) is not None


def test_flows_are_bounded() -> None:
    run = Run()
    for number in range(MAX_FLOWS + 10):
        run.packet(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1, b"x")
    assert run.flows.overflowed == 10


def test_a_late_join_and_a_beginning_are_told_apart() -> None:
    for first, whole in ((1, True), (9, True), (5_000, False)):
        run = Run()
        run.packet(A, 1, orders(first, 2))
        assert run.flows.feeds[0].begun == [whole]


def test_a_packet_that_overtook_the_very_first_one_does_not_hide_it() -> None:
    run = Run()
    run.packet(A, 1, orders(3, 2))
    run.packet(A, 1, orders(1, 2))
    assert [number for _, number in run.flows.feeds[0].applied] == [1, 2, 3, 4]


@pytest.mark.parametrize("group", ["ff02::1:5", "2001:db8::1"])
def test_flows_over_ipv6_have_names_too(group: str) -> None:
    run = Run()
    run.packet(group, 9, orders(1, 2))
    assert [name for name, _ in run.lines] == [f"[{group}]:9"]


def test_nonsense_on_a_known_flow_is_malformed_and_nothing_else() -> None:
    run = Run()
    packets: Iterable[bytes] = (star(1), star(3)[:20], b"", star(3)[:-3], star(3))
    for payload in packets:
        run.packet(A, 1, payload)
    (lane,) = run.flows.lanes
    assert (lane.statistics().malformed, run.findings.count) == (3, 3)
    assert [number for _, number in run.flows.feeds[0].applied] == [1, 2, 3, 4]


def test_a_flow_that_finds_no_room_for_its_channel_holds_no_more_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfeed.app.flows.MAX_LANES", 1)
    run = Run()
    run.packet(A, 1, orders(1, 2))
    for first in range(1, 10 * MAX_HELD, 2):
        flow = run.packet(B, 1, mold(first, add(first, 1), add(first + 1, 1), session=b"S000000002"))
    assert flow is not None
    assert (len(flow.held), flow.ignored) == (MAX_HELD + 1, True)
    assert run.flows.overflowed >= 4 * MAX_HELD - 1


def test_a_flow_without_a_channel_does_not_hold_empty_packets_for_ever() -> None:
    run = Run()
    flow = run.packet(A, 1, told(1, 0))
    for _ in range(10 * MAX_HELD):
        run.packet(A, 1, b"")
    assert flow is not None
    assert len(flow.held) <= MAX_HELD + 1
