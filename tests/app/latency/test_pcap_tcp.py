"""TCP from captures, against tshark where it is installed, and against what the traces were made of."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from netfeed.app.latency.pcap import Measurement, Settings
from netfeed.app.latency.pcap_tcp import MAX_STREAMS, TcpSection
from netfeed.app.replay import Options
from netfeed.latency.tcp_side import Counts
from netfeed.sim.tcp_talk import Talk
from tests.app.latency.tcp_traces import BEGIN_NS, CLIENT, MS, SERVER, holed, troubled, write
from tests.wire.order_samples import ouch_enter, starbase_order


def read(path: Path) -> TcpSection:
    measurement = Measurement(Options([str(path)]), Settings(frozenset({"tcp"})))
    measurement.replay.run()
    measurement.report()
    return measurement.tcp


def tshark(path: Path, field: str, where: str = "tcp") -> list[tuple[int, str]]:
    """Give (source port, value) of each frame that tshark has the field in."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    wanted = ["-Y", f"{where} && {field}", "-T", "fields", "-e", "tcp.srcport", "-e", field]
    command = [program, "-n", "-r", str(path), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [(int(port), value) for port, value in rows]


FLAGS = {
    "tcp.analysis.retransmission": "retransmitted",
    "tcp.analysis.spurious_retransmission": "spurious",
    "tcp.analysis.zero_window": "zero_windows",
    "tcp.analysis.out_of_order": "out_of_order",
    "tcp.analysis.duplicate_ack": "duplicate_acks",
    "tcp.analysis.lost_segment": "not_captured",
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flags_and_round_trips_of_a_troubled_conversation_are_those_of_tshark(seed: int, tmp_path: Path) -> None:
    path = write(tmp_path / "troubled.pcap", troubled(seed))
    section = read(path)
    for field, name in FLAGS.items():
        if name == "duplicate_acks":
            continue  # tshark has one after a spurious retransmission too, when no data waits (RFC 5681 has none)
        found = Counter(port for port, _ in tshark(path, field))
        sides = zip((40001, 8001), section.connections.total, strict=True)
        mine = {port: getattr(total, name) for port, total in sides}
        assert mine == {port: found[port] for port in mine}, field
    rtt = [round(float(value) * 1e9) for port, value in tshark(path, "tcp.analysis.ack_rtt") if port == 8001]
    client, counts = section.connections.rtt[0], section.connections.total[0]
    assert counts.retransmitted > counts.spurious > 0
    assert client.count == len(rtt) - 1 - counts.retransmitted  # without the handshake, and by Karn's rule
    assert client.min_ns == min(rtt)
    assert client.max_ns in rtt
    initial = round(float(tshark(path, "tcp.analysis.initial_rtt")[0][1]) * 1e9)
    assert section.connections.handshakes.max_ns == pytest.approx(initial, abs=1)


@pytest.mark.slow
def test_flags_of_holes_are_those_of_tshark(tmp_path: Path) -> None:
    path = write(tmp_path / "holed.pcap", holed())
    section = read(path)
    for field in ("tcp.analysis.out_of_order", "tcp.analysis.duplicate_ack", "tcp.analysis.lost_segment"):
        total = sum(getattr(one, FLAGS[field]) for one in section.connections.total)
        assert total == len(tshark(path, field)), field
    again = len(tshark(path, "tcp.analysis.retransmission"))
    assert section.connections.total[0].retransmitted == again == 1


def test_a_troubled_conversation_is_as_it_was_made(tmp_path: Path) -> None:
    section = read(write(tmp_path / "troubled.pcap", troubled(5)))
    client, server = section.connections.total
    assert client.retransmitted > client.spurious > 0
    assert (client.not_captured, client.out_of_order, client.fins, server.fins) == (0, 0, 1, 1)
    assert 5 * MS * server.zero_windows <= server.zero_window_ns <= 15 * MS * server.zero_windows
    assert section.connections.rtt[0].count + client.retransmitted - client.spurious <= 122
    assert section.connections.rtt[0].percentile(99) <= 20 * MS  # nothing of what was sent again is in it


def test_round_trips_are_those_of_numpy(tmp_path: Path) -> None:
    talk = Talk(CLIENT, SERVER, first=(5, 6))
    at = talk.open(BEGIN_NS, MS, MS)
    ways = (np.random.default_rng(7).integers(1000, 2_000_000, 300)).tolist()
    for way in ways:
        talk.send(at + 10 * MS, 0, b"data")
        talk.acknowledge(at + 10 * MS + way, 1)
        at += 20 * MS
    client = read(write(tmp_path / "ways.pcap", talk.frames)).connections.rtt[0]
    assert (client.count, client.min_ns, client.max_ns) == (300, min(ways), max(ways))
    for percent in (50, 90, 99):
        wanted = float(np.percentile(ways, percent, method="inverted_cdf"))
        assert wanted <= client.percentile(percent) <= wanted * 1.001 + 1


@pytest.mark.parametrize("cut", [None, 60])
def test_messages_are_found_in_streams_or_are_holes_where_they_were_cut(cut: int | None, tmp_path: Path) -> None:
    talk = Talk(CLIENT, SERVER, first=(2**32 - 90, 6))
    at = talk.open(BEGIN_NS, MS, MS)
    order = starbase_order(100, 1, 2)
    for k in range(5):
        talk.send(at + 10 * k * MS, 0, order)
        talk.send(at + (10 * k + 1) * MS, 1, order)
    section = read(write(tmp_path / "orders.pcap", talk.frames, snaplen=cut))
    if cut is None:
        assert section._messages == {"starbase, of the client": [5, 0, 0], "starbase, of the server": [5, 0, 0]}
        assert section._between["starbase, of the client"].percentile(50) == 10 * MS
    else:
        assert section.cut == 10
        assert section._messages == {}


def test_a_segment_that_the_capture_lacks_holds_nothing_up(tmp_path: Path) -> None:
    """The gateway acknowledges it: what follows is stamped by its own segments."""
    talk = Talk(CLIENT, SERVER, first=(7, 6))
    at = talk.open(BEGIN_NS, MS, MS)
    order = starbase_order(100, 1, 2)
    for k in range(6):
        talk.send(at + 10 * k * MS, 0, order)
        talk.acknowledge(at + (10 * k + 1) * MS, 1)
    lost = [one for one in talk.frames if one.at != at + 20 * MS]
    section = read(write(tmp_path / "lost.pcap", lost))
    assert section._messages == {"starbase, of the client": [5, 1, len(order)]}
    between = section._between["starbase, of the client"]
    assert (between.min_ns, between.max_ns) == (10 * MS, 20 * MS)


def test_streams_of_connections_that_ended_make_room(tmp_path: Path) -> None:
    frames = []
    for k in range(MAX_STREAMS + 20):
        talk = Talk((CLIENT[0], 10_000 + k), SERVER, first=(7, 6))
        at = talk.open(BEGIN_NS + k * 100 * MS, MS, MS)
        talk.send(at + MS, 0, starbase_order(100, 1, 2))
        talk.finish(at + 2 * MS, 0)
        talk.finish(at + 3 * MS, 1)
        frames += talk.frames
    section = read(write(tmp_path / "many.pcap", frames))
    assert (section.unread, section._messages) == (0, {"starbase, of the client": [MAX_STREAMS + 20, 0, 0]})


def test_what_one_side_speaks_the_other_does_too(tmp_path: Path) -> None:
    talk = Talk(CLIENT, SERVER, first=(7, 6))
    at = talk.open(BEGIN_NS, MS, MS)
    talk.send(at + MS, 0, ouch_enter(1))
    talk.send(at + 2 * MS, 1, ouch_enter(2)[:30])  # no whole message by itself
    talk.send(at + 3 * MS, 1, ouch_enter(2)[30:])
    section = read(write(tmp_path / "ouch.pcap", talk.frames))
    assert section._messages == {"soupbintcp, of the client": [1, 0, 0], "soupbintcp, of the server": [1, 0, 0]}


def test_a_connection_over_ipv6_with_a_tag_is_read(tmp_path: Path) -> None:
    talk = Talk(("fe80::1", 1), ("fe80::2", 2), first=(1, 1))
    talk.open(BEGIN_NS, MS, MS)
    tagged = [one._replace(data=one.data[:12] + b"\x81\x00\x00\x07" + one.data[12:]) for one in talk.frames]
    section = read(write(tmp_path / "six.pcap", tagged))
    assert section.connections.handshakes.max_ns == 2 * MS


def test_frames_that_contradict_themselves_are_counted(tmp_path: Path) -> None:
    talk = Talk(CLIENT, SERVER, first=(1, 1))
    talk.open(BEGIN_NS, MS, MS)
    broken = talk.frames[1]
    data = bytearray(broken.data)
    data[14 + 20 + 12] = 0x10  # a header of 4 bytes
    section = read(write(tmp_path / "bad.pcap", [talk.frames[0], broken._replace(data=bytes(data)), talk.frames[2]]))
    assert (section.bad, section.connections.count) == (1, 1)


def test_sums_have_every_counter() -> None:
    one = Counts(segments=1, zero_window_ns=5)
    one.add(Counts(segments=2, resets=1))
    assert (one.segments, one.zero_window_ns, one.resets) == (3, 5, 1)
