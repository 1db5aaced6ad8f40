"""Latency from captures: shipped ones against their truth and counting by hand, real ones against their facts."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netfeed.app.latency.pcap import Measurement, OffsetError, Settings
from netfeed.app.latency.pcap_orders import Gateway
from netfeed.app.replay import Options
from netfeed.latency.report import Report, Table
from netfeed.sim.capture_orders import tick_to_trade
from netfeed.transport.file import SourceError
from netfeed.wire import pcap
from netfeed.wire.capture import locate
from netfeed.wire.order_frames import REFERENCES
from netfeed.wire.pcap import records
from tests.app.latency.tcp_traces import write
from tests.cli.captures import A, B, Datagram, orders
from tests.cli.captures import write as write_datagrams
from tests.data import PCAPS, recording

US, MS = 1000, 1_000_000
TRUTH = json.loads((PCAPS / "truth.json").read_text())["files"]["tick-to-trade.pcap"]["tick_to_trade"]


def measure(*files: object, sections: str = "", options: dict[str, Any] | None = None, **settings: Any) -> Report:
    """Measure files; `sections` are separated by spaces."""
    if sections:
        settings["sections"] = frozenset(sections.split())
    measurement = Measurement(Options([str(file) for file in files], **(options or {})), Settings(**settings))
    measurement.prepare()
    measurement.replay.run()
    return measurement.report()


def table(report: Report, name: str) -> list[dict[str, Any]]:
    found: list[Table] = [one for one in report.tables if one.name == name]
    return [dict(zip(one.columns, row, strict=True)) for one in found for row in one.rows]


def histogram(report: Report, name: str) -> Any:
    return next(one.histogram for one in report.distributions if one.name == name)


def lines_by_hand(path: Path, sequence: slice, order: Any, heartbeat: Any) -> dict[int, dict[bytes, int]]:
    """Give when each line (by destination address) first had each sequence. Only for classic pcap."""
    firsts: dict[int, dict[bytes, int]] = defaultdict(dict)
    for record in records(path.read_bytes()):
        packet = locate(record.data, record.linktype, record.original_length)
        payload = record.data[packet.payload_offset : packet.payload_offset + packet.payload_length]
        if packet.payload_length and not heartbeat(payload):
            number = int.from_bytes(payload[sequence], order)
            firsts[number].setdefault(packet.destination[12:], record.ts_ns)
    return firsts


# --- lines


def test_leads_of_the_shipped_itch_lines_are_those_of_counting_by_hand() -> None:
    report = measure(PCAPS / "itch-ab.pcap", sections="lead")
    a, b = bytes([233, 252, 0, 1]), bytes([233, 252, 0, 2])
    firsts = lines_by_hand(
        PCAPS / "itch-ab.pcap", slice(10, 18), "big", lambda payload: payload[18:20] in (b"\0\0", b"\xff\xff")
    )  # fmt: skip
    behind = [both[b] - both[a] for both in firsts.values() if {a, b} <= both.keys()]
    (row,) = table(report, "lines against each other")
    assert row["pairs"] == len(behind)
    assert row["1st leads"] == sum(one > 0 for one in behind)
    assert row["2nd leads"] == sum(one < 0 for one in behind)
    assert row["only on 1st"] == sum(set(both) == {a} for both in firsts.values())
    led = histogram(report, "233.252.0.1:26400: A before B")
    assert (led.count, led.total_ns) == (row["1st leads"], sum(one for one in behind if one > 0))
    for percent in (50, 99):
        wanted = float(np.percentile([one for one in behind if one > 0], percent, method="inverted_cdf"))
        assert wanted <= led.percentile(percent) <= wanted * 1.001 + 1


def test_two_captures_of_one_line_each_are_one_pair(tmp_path: Path) -> None:
    sent = [(k * MS, orders(1 + 3 * k, 3)) for k in range(40)]
    a = write_datagrams(tmp_path / "a.pcap", [Datagram(at, A, payload) for at, payload in sent])
    b = write_datagrams(tmp_path / "b.pcap", [Datagram(at + 700, B, payload) for at, payload in sent[3:]])
    (row,) = table(measure(a, b, sections="lead"), "lines against each other")
    assert (row["pairs"], row["1st leads"], row["only on 1st"], row["only on 2nd"]) == (37, 37, 3, 0)
    assert row["1st leads by p50 ns"] == 700


def test_a_real_pair_of_lines() -> None:
    report = measure(recording("cme/Cme.Mdp3.Sbe.v6.1.pcap"))
    (row,) = table(report, "lines against each other")
    assert (row["pairs"], row["only on 1st"], row["only on 2nd"]) == (5000, 0, 0)
    assert row["1st leads"] + row["2nd leads"] + row["at once"] == 5000
    assert row["2nd leads"] > 4250  # that often it is first in the file, whose stamps fall now and then
    by_line = {one["line"]: one for one in table(report, "sequences by line")}
    assert [one["packets"] for one in by_line.values()] == [5000, 5000]
    assert sum(one["first"] for one in by_line.values()) == 5000
    assert sum(one["jumps"] for one in by_line.values()) == 0
    assert any("times of capture that fall" in note for note in report.notes)


# --- loss


def test_loss_is_what_the_shipped_captures_are_known_for() -> None:
    report = measure(PCAPS / "starbase.pcap", sections="sequences")
    gaps = [(one["first"], one["last"], one["closed by"]) for one in table(report, "gaps")]
    assert gaps == [(884, 912, "line"), (1143, 1170, "retransmit"), (1376, 1404, "snapshot")]
    (channel,) = table(report, "channels")
    assert (channel["messages"], channel["lost"]) == (3983, 29)


def test_jumps_of_a_line_by_itself_are_told_though_the_other_has_it(tmp_path: Path) -> None:
    lines = [Datagram(k * MS, to, orders(1 + 3 * k, 3)) for k in range(9) for to in (A, B) if (to, k) != (B, 4)]
    lines += [Datagram(20 * MS, B, orders(13, 3))]
    report = measure(write_datagrams(tmp_path / "ab.pcap", lines), sections="sequences")
    rows = {one["line"][-1]: one for one in table(report, "sequences by line")}
    assert (rows["A"]["jumps"], rows["A"]["behind"]) == (0, 0)
    assert (rows["B"]["jumps"], rows["B"]["numbers jumped over"], rows["B"]["behind"]) == (1, 3, 1)


@pytest.mark.slow
def test_a_count_that_begins_anew_is_a_reset() -> None:
    report = measure(recording("iex/go-iex_DEEP10.pcap.gz"), sections="sequences exchange")
    (line,) = table(report, "sequences by line")
    assert (line["packets"], line["resets"]) == (121_314, 11)
    assert any("whole microseconds" in note for note in report.notes)


# --- bursts and arrivals


def test_bursts_of_a_shipped_capture_are_those_of_counting_by_hand() -> None:
    report = measure(PCAPS / "itch-ab.pcap", sections="bursts", link_bps=10**9)
    times = np.array([record.ts_ns for record in records((PCAPS / "itch-ab.pcap").read_bytes())])
    fullest = {one["window"]: one for one in table(report, "fullest windows by packets") if one["of"] == "all"}
    for text, width in (("1 ms", MS), ("100 us", 100 * US), ("10 us", 10 * US)):
        counts = [int(((times > at - width) & (times <= at)).sum()) for at in times]
        assert fullest[text]["packets"] == max(counts)
        end = int(np.argmax(counts))
        assert fullest[text]["packet"] == end - max(counts) + 2  # numbered from 1, as Wireshark does
        assert fullest[text]["utilisation %"] == pytest.approx(
            100 * fullest[text]["bits"] / (10**9 * width / 1e9), abs=0.01
        )


def test_bits_are_those_on_the_wire(tmp_path: Path) -> None:
    path = write_datagrams(tmp_path / "one.pcap", [Datagram(0, A, orders(1, 1)), Datagram(10, A, b"")])
    frame = 42 + 20 + 38
    (row,) = (
        one for one in table(measure(path, sections="bursts"), "fullest windows by bits") if one["window"] == "1 ms"
    )
    assert row["bits"] == ((frame + 24) + (60 + 24)) * 8


def test_groups_and_times_limit_what_is_measured(tmp_path: Path) -> None:
    lines = [Datagram(k * MS, to, orders(1 + 3 * k, 3)) for k in range(20) for to in (A, B)]
    path = write_datagrams(tmp_path / "ab.pcap", lines)
    report = measure(path, sections="bursts arrivals", options={"groups": [(A[0], None)]})
    assert [one["packets"] for one in table(report, "inter-arrival by line")] == [20]
    (every,) = (
        one for one in table(report, "fullest windows by packets") if (one["of"], one["window"]) == ("all", "1 ms")
    )
    assert every["packets"] == 1


# --- exchange to wire


def test_the_simulated_way_of_the_exchange_is_found() -> None:
    report = measure(PCAPS / "starbase.pcap", sections="exchange")
    rows = {one["stamp"]: one for one in table(report, "exchange to wire by line")}
    a = rows["233.252.0.11:7001 A sendingTime"]
    assert 5000 <= a["least ns"] <= a["max ns"] < 5000 + 1024  # latency_ns, and a jitter of 10 bits
    assert (a["negative"], a["packets"]) == (0, 937)
    (heat,) = report.heat_maps
    assert sum(column.count for column in heat.columns) == sum(
        one["packets"] for name, one in rows.items() if name.endswith("sendingTime")
    )


def test_a_clock_that_is_behind_shows_as_negative(tmp_path: Path) -> None:
    moved = [(record.ts_ns - 6 * US, bytes(record.data)) for record in records((PCAPS / "starbase.pcap").read_bytes())]
    path = tmp_path / "behind.pcap"
    path.write_bytes(pcap.file_header() + b"".join(pcap.record(ts_ns, data) for ts_ns, data in moved))
    report = measure(path, sections="exchange")
    row = table(report, "exchange to wire by line")[0]
    assert (row["least ns"], row["negative"]) == (-1000, sum(1 for _ in range(row["negative"])))
    assert row["negative"] > 900
    assert any("disagree by at least" in note for note in report.notes)


def test_a_time_of_day_needs_a_midnight(tmp_path: Path) -> None:
    path = write_datagrams(tmp_path / "itch.pcap", [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(3)])
    guessed = measure(path, sections="exchange")
    assert any("is a guess" in note for note in guessed.notes)
    begin = 1_700_000_000 * 10**9
    given = measure(path, sections="exchange", midnight_ns=begin - 40_000)
    (row,) = table(given, "exchange to wire by line")
    assert row["least ns"] == 40_000 - 1000  # message 1 is of one microsecond after midnight
    assert any("was given" in note for note in given.notes)


# --- orders


def by_truth(report: Report) -> None:
    took = histogram(report, "tick to trade")
    assert (took.count, took.total_ns) == (TRUTH["orders"], sum(TRUTH["took_ns"]))
    assert (took.min_ns, took.max_ns) == (min(TRUTH["took_ns"]), max(TRUTH["took_ns"]))
    slowest = [one["took ns"] for one in table(report, "slowest orders")]
    assert slowest == sorted(TRUTH["took_ns"], reverse=True)[: len(slowest)]


GATEWAY = (Gateway(None, 8001),)


@pytest.mark.parametrize("reference", [None, "starbase.correlationId"])
def test_tick_to_trade_of_the_shipped_capture_is_the_true_one(reference: str | None) -> None:
    report = measure(
        PCAPS / "tick-to-trade.pcap", gateways=GATEWAY, reference=REFERENCES[reference] if reference else None
    )  # fmt: skip
    by_truth(report)
    (row,) = table(report, "orders")
    assert (row["orders"], row["matched"], row["unmatched"], row["ambiguous"]) == (16, 16, 0, 0)
    sums = {one["what"]: (one["client"], one["server"]) for one in table(report, "TCP in all")}
    assert sums["retransmitted"] == (TRUTH["retransmitted"], 0)
    assert sums["zero windows"] == (0, TRUTH["zero_windows"])
    assert sums["zero window ns"] == (0, TRUTH["zero_window_ns"])
    assert histogram(report, "TCP handshake").max_ns == TRUTH["handshake_ns"]


@pytest.mark.parametrize("sections", ["", "orders"])
def test_orders_of_a_known_framing_are_told_unasked(sections: str) -> None:
    by_truth(measure(PCAPS / "tick-to-trade.pcap", sections=sections))


def test_of_orders_nothing_is_said_where_there_are_none_and_nobody_asked() -> None:
    assert table(measure(PCAPS / "itch-gap.pcapng"), "orders") == []
    report = measure(PCAPS / "itch-gap.pcapng", sections="orders")
    assert any("no order was recognised: --order-port" in note for note in report.notes)


def test_an_order_that_answers_nothing_near_is_unmatched() -> None:
    report = measure(PCAPS / "tick-to-trade.pcap", sections="orders", gateways=GATEWAY, within_ns=20 * US)
    (row,) = table(report, "orders")
    near = sum(took <= 20 * US for took in TRUTH["took_ns"])
    assert (row["matched"], row["unmatched"]) == (near, 16 - near)


def two_points(folder: Path, *, offset_ns: int, way_ns: int) -> tuple[Path, Path]:
    """Split the shipped capture: market data and TCP at one point, TCP at another one `way_ns` nearer to the venue."""
    frames = [(one.ts_ns, bytes(one.data)) for one in records(tick_to_trade().data)]
    first, second = [], []
    for ts_ns, data in frames:
        first.append(pcap.record(ts_ns, data))
        if data[23] == 6:  # TCP; from the client it comes to the second point later, to the client earlier
            way = way_ns if data[26:30] == bytes([192, 0, 2, 77]) else -way_ns
            second.append((ts_ns + way + offset_ns, data))
    paths = folder / "md.pcap", folder / "orders.pcap"
    paths[0].write_bytes(pcap.file_header() + b"".join(first))
    second.sort(key=lambda one: one[0])
    paths[1].write_bytes(pcap.file_header() + b"".join(pcap.record(ts_ns, data) for ts_ns, data in second))
    return paths


def test_clocks_of_two_captures_are_compared_by_the_packets_in_both(tmp_path: Path) -> None:
    market, other = two_points(tmp_path, offset_ns=3_000_123, way_ns=2 * US)
    report = measure(market, sections="orders", orders=str(other), gateways=GATEWAY)
    assert report.facts["offset of clocks ns"] == 3_000_123
    assert report.facts["uncertainty of it ns"] == 2 * US
    took = histogram(report, "tick to trade")
    assert took.total_ns == sum(one + 2 * US for one in TRUTH["took_ns"])  # to the second point
    assert table(report, "slowest orders")[0]["order file"] == str(other)


def test_a_given_offset_is_believed(tmp_path: Path) -> None:
    market, other = two_points(tmp_path, offset_ns=-5_000_000, way_ns=0)
    by_truth(measure(market, sections="orders", orders=str(other), gateways=GATEWAY, offset_ns=-5_000_000))


def test_captures_that_have_nothing_in_common_need_an_offset(tmp_path: Path) -> None:
    market = write_datagrams(tmp_path / "other.pcap", [Datagram(k * MS, A, orders(1 + 3 * k, 3)) for k in range(3)])
    _, other = two_points(tmp_path, offset_ns=0, way_ns=0)
    with pytest.raises(OffsetError, match="--offset"):
        measure(market, sections="orders", orders=str(other), gateways=GATEWAY)


def test_orders_in_a_file_of_another_kind_are_no_question_of_clocks(tmp_path: Path) -> None:
    (tmp_path / "orders.txt").write_text("buy 7 at 12\n")
    with pytest.raises(SourceError, match=r"orders.txt: a file that begins with .*wanted: a pcap"):
        measure(PCAPS / "tick-to-trade.pcap", orders=str(tmp_path / "orders.txt"), gateways=GATEWAY)


# --- what is wrong with files


def test_whole_microseconds_are_told(tmp_path: Path) -> None:
    frames = list(records((PCAPS / "itch-ab.pcap").read_bytes()))[:200]
    path = tmp_path / "us.pcap"
    path.write_bytes(
        pcap.file_header(nanoseconds=False)
        + b"".join(pcap.record(one.ts_ns, one.data, nanoseconds=False) for one in frames)
    )
    assert any("whole microseconds" in note for note in measure(path).notes)
    assert not any("whole microseconds" in note for note in measure(PCAPS / "itch-ab.pcap").notes)


def test_a_clock_that_steps_back_is_told_and_makes_no_burst(tmp_path: Path) -> None:
    sent = [Datagram(10**10 + k * MS, A, orders(1 + 3 * k, 3)) for k in range(10)]
    sent += [Datagram(k * MS, A, orders(31 + 3 * k, 3)) for k in range(10)]
    report = measure(write_datagrams(tmp_path / "step.pcap", sent))
    assert any("a clock was stepped" in note for note in report.notes)
    (row,) = (
        one for one in table(report, "fullest windows by packets") if (one["of"], one["window"]) == ("all", "1 ms")
    )
    assert row["packets"] == 1


def test_a_torn_file_and_payloads_that_were_cut_are_told(tmp_path: Path) -> None:
    assert any("cut short" in note for note in measure(PCAPS / "truncated.pcap").notes)
    frames = list(records((PCAPS / "itch-ab.pcap").read_bytes()))[:20]
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap.file_header() + b"".join(pcap.record(one.ts_ns, one.data[:60], 900) for one in frames))
    assert any("snap length" in note for note in measure(path).notes)


def test_an_empty_capture_gives_a_report_without_numbers(tmp_path: Path) -> None:
    report = measure(write(tmp_path / "empty.pcap", []))
    assert (report.distributions, report.facts["records"]) == ((), 0)
