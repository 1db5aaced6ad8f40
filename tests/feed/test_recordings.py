"""Channels over real recordings, against what independent readers found in them.

The files are read with `struct` here, so that nothing of what is judged takes part in the reading.
"""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from struct import unpack_from

import pytest

from netfeed.feed.channel import Channel
from netfeed.feed.events import Event, Ignored, Malformed, Messages, SequenceReset, SnapshotMessages
from netfeed.feed.framing import FRAMINGS
from netfeed.feed.ports import Port
from tests.data import recording

Datagram = tuple[int, tuple[int, ...], int, bytes]
"""Receive time in ns, destination address, destination port, payload."""


def pcapng(path: Path) -> Iterator[Datagram]:
    """Read the UDP datagrams of a little-endian pcapng file; a tick of its interface is 1 ns or 1 us."""
    data, at, scale = path.read_bytes(), 0, 1000
    while at < len(data):
        kind, length = unpack_from("<II", data, at)
        if kind == 1 and b"\x09\x00\x01\x00\x09" in data[at : at + length]:
            scale = 1
        if kind == 6:
            _, high, low, captured, _ = unpack_from("<IIIII", data, at + 8)
            yield udp((high << 32 | low) * scale, data[at + 28 : at + 28 + captured])
        at += length


def pcap(path: Path) -> Iterator[Datagram]:
    """Read the UDP datagrams of a gzipped little-endian pcap file with microseconds, up to its torn end."""
    data = zlib.decompressobj(31).decompress(path.read_bytes())
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, captured, _ = unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + captured]
        if len(frame) < captured:
            return
        yield udp(seconds * 10**9 + fraction * 1000, frame)
        at += 16 + captured


def udp(ts: int, frame: bytes) -> Datagram:
    at = 12
    while frame[at : at + 2] == b"\x81\x00":
        at += 4
    ip = at + 2
    start = ip + (frame[ip] & 15) * 4
    port, length = unpack_from(">HH", frame, start + 2)
    return ts, tuple(frame[ip + 16 : ip + 20]), port, frame[start + 8 : start + length]


def test_arbitration_of_a_real_pair_of_lines_gives_each_packet_once_and_says_who_was_first() -> None:
    path = recording("cme/Cme.Mdp3.Sbe.v6.1.pcap")
    channel = Channel(FRAMINGS["cme"], name="cme 310")
    events: list[Event] = []
    templates: Counter[int] = Counter()
    for ts, _, port, payload in pcapng(path):
        for event in channel.receive(payload, ts, {14340: Port.LINE_A, 15340: Port.LINE_B}[port]):
            events.append(event)
            assert isinstance(event, Messages)
            templates.update(unpack_from("<H", message, 2)[0] for message in event.messages)
    assert [event.first_sequence for event in events if isinstance(event, Messages)] == list(range(5615, 10615))
    assert templates == {32: 9569, 35: 307, 42: 194, 37: 194, 12: 9}
    line_a, line_b = channel.statistics().lines
    assert (line_a.packets, line_a.first, line_a.duplicates) == (5000, 750, 4250)
    assert (line_b.packets, line_b.first, line_b.duplicates) == (5000, 4250, 750)
    firsts: dict[int, int] = {}
    behind: dict[int, list[int]] = {14340: [], 15340: []}
    now = 0
    for ts, _, port, payload in pcapng(path):
        now = max(now, ts)  # the file's stamps step back now and then, by up to 775 ns; a driver's time does not
        number = unpack_from("<I", payload)[0]
        if number in firsts:
            behind[port].append(now - firsts[number])
        firsts.setdefault(number, now)
    for line, port in ((line_a, 14340), (line_b, 15340)):
        measured, delays = line.behind, behind[port]
        assert (measured.count, measured.sum_ns) == (len(delays), sum(delays))
        assert (measured.min_ns, measured.max_ns) == (min(delays), max(delays))
        assert measured.recent == tuple(delays[-256:])


@pytest.mark.parametrize("kept", [0, 1])
def test_one_real_line_alone_has_no_gap(kept: int) -> None:
    path = recording("cme/Cme.Mdp3.Sbe.v6.1.pcap")
    channel = Channel(FRAMINGS["cme"], name="cme 310")
    for ts, _, port, payload in pcapng(path):
        if port == (14340, 15340)[kept]:
            assert len(channel.receive(payload, ts, kept)) == 1
    statistics = channel.statistics()
    assert (statistics.next_sequence, statistics.gaps_opened, statistics.duplicates) == (10615, 0, 0)


def test_what_one_real_line_loses_the_other_one_brings() -> None:
    """Line A without every third packet, line B without every fifth: only what both lack is lost."""
    path = recording("cme/Cme.Mdp3.Sbe.v6.1.pcap")
    channel = Channel(FRAMINGS["cme"], name="cme 310", start=5615)
    delivered: list[int] = []
    for ts, _, port, payload in pcapng(path):
        number = unpack_from("<I", payload)[0]
        if number % (3 if port == 14340 else 5):
            while channel.deadline <= ts:
                delivered += [e.first_sequence for e in channel.wake(channel.deadline) if isinstance(e, Messages)]
            events = channel.receive(payload, ts, int(port == 15340))
            delivered += [e.first_sequence for e in events if isinstance(e, Messages)]
    delivered += [e.first_sequence for e in channel.wake(ts + 10**9) if isinstance(e, Messages)]
    assert delivered == [number for number in range(5615, 10615) if number % 15]
    lost = [number for record in channel.statistics().gaps for number in range(record.first, record.last + 1)]
    assert lost == [number for number in range(5615, 10615) if number % 15 == 0]
    assert {record.by for record in channel.statistics().gaps} == {None}


@pytest.mark.slow
def test_a_real_day_of_iex_with_eleven_restarts_under_one_session() -> None:
    path = recording("iex/go-iex_DEEP10.pcap.gz")
    channel = Channel(FRAMINGS["iex"], name="iex")
    resets, odd = 0, []
    for ts, _, _, payload in pcap(path):
        for event in channel.receive(payload, ts):
            resets += isinstance(event, SequenceReset)
            if isinstance(event, Ignored | Malformed):
                odd.append(event)
    statistics = channel.statistics()
    assert (resets, odd) == (11, [])
    assert (statistics.packets, statistics.messages, statistics.heartbeats) == (121_314, 391_999, 7_937)
    assert (statistics.gaps_opened, statistics.lost_messages, statistics.duplicates) == (0, 0, 0)


def test_a_real_day_of_iex_on_two_lines_of_which_one_lags_is_the_same_stream() -> None:
    """Line B is the same recording a tenth of a second later: no restart is seen twice, no old packet is believed."""
    path = recording("iex/go-iex_DEEP10.pcap.gz")
    datagrams = [(ts, payload) for (ts, _, _, payload), _ in zip(pcap(path), range(12_000), strict=False)]
    one, two = (Channel(FRAMINGS["iex"], name="iex") for _ in range(2))
    alone = [event for ts, payload in datagrams for event in one.receive(payload, ts)]
    both = sorted(
        [(ts, 0, index) for index, (ts, _) in enumerate(datagrams)]
        + [(ts + 10**8, 1, index) for index, (ts, _) in enumerate(datagrams)]
    )
    together = [event for ts, port, index in both for event in two.receive(datagrams[index][1], ts, port)]
    kept = (Messages, SequenceReset)

    def story(events: list[Event]) -> list[object]:
        told: list[object] = []
        for event in events:
            if isinstance(event, Messages):
                told += [event.first_sequence, *event.messages]
            elif isinstance(event, kept):
                told.append(event)
        return told

    assert story(together) == story(alone)
    assert sum(isinstance(event, SequenceReset) for event in together) == 4


def test_real_deribit_channels_and_their_snapshots_have_no_gap() -> None:
    path = recording("deribit_multicast/sample_capture_v1_6.pcapng")
    channels: dict[int, Channel] = {}
    templates: Counter[int] = Counter()
    packets = 0
    for ts, group, port, payload in pcapng(path):
        snapshot = port == 6101
        number = group[3] - 100 if snapshot else group[3]
        channel = channels.setdefault(number, Channel(FRAMINGS["deribit"], name=f"deribit {number}"))
        packets += 1
        for event in channel.receive(payload, ts, Port.SNAPSHOT_A if snapshot else Port.LINE_A):
            assert isinstance(event, SnapshotMessages if snapshot else Messages)
            templates.update(unpack_from("<H", message, 2)[0] for message in event.messages)
    assert packets == 5066
    assert templates == {
        1003: 4211, 1008: 468, 1005: 60, 1006: 60, 1000: 194, 1010: 194, 1004: 197, 1001: 1064, 1002: 332,
    }  # fmt: skip
    for channel in channels.values():
        statistics = channel.statistics()
        assert (statistics.gaps_opened, statistics.snapshot_gaps, statistics.duplicates) == (0, 0, 0)


def test_the_restarts_of_the_iex_recording_are_where_struct_finds_them() -> None:
    path = recording("iex/go-iex_DEEP10.pcap.gz")
    with gzip.open(path) as file:
        assert file.read(4).hex() == "d4c3b2a1"
    last, restarts = 0, []
    datagrams = [datagram for datagram, _ in zip(pcap(path), range(12_000), strict=False)]
    for index, (_, _, _, payload) in enumerate(datagrams):
        first = unpack_from("<q", payload, 24)[0]
        if first < last:
            restarts.append((index, last))
        last = first + unpack_from("<H", payload, 14)[0]
    channel = Channel(FRAMINGS["iex"], name="iex")
    found = [
        (index, event.old_next)
        for index, (ts, _, _, payload) in enumerate(datagrams)
        for event in channel.receive(payload, ts)
        if isinstance(event, SequenceReset)
    ]
    assert found == restarts
    assert len(found) == 4
