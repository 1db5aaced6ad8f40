"""The shipped captures: they are what their seeds give, and what truth.json says of them is so."""

import gzip
import importlib.util
import json
import shutil
from collections import Counter
from functools import cache
from pathlib import Path
from struct import unpack_from
from types import ModuleType
from typing import Any

import pytest
import zstandard

from tests.sim.starbase_reader import Orders, apply, levels, queue, template

ROOT = Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
TRUTH: dict[str, Any] = json.loads((PCAPS / "truth.json").read_text())["files"]
MOLD = ["itch-ab.pcap", "itch-gap.pcapng", "truncated.pcap", "itch-line.pcap.zst"]
STARBASE = ["starbase.pcap", "starbase-late.pcapng"]
LINES = {
    "233.252.0.1": "A", "233.252.0.2": "B", "233.252.0.11": "A", "233.252.0.12": "B", "233.252.0.13": "SNAPSHOT_A",
    "192.0.2.77": "RETRANSMIT", "192.0.2.10": "REQUEST", "192.0.2.20": "REQUEST",
}  # fmt: skip


@cache
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mkpcaps", ROOT / "tools" / "mkpcaps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def built() -> dict[str, bytes]:
    files: dict[str, bytes] = tool().built()
    return files


@pytest.fixture
def mkpcaps(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(tool(), "built", built)
    return tool()


def expanded(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompress(data) if path.suffix == ".zst" else data


# -- an independent reader of the files


def frames(name: str) -> list[tuple[int, int, bytes]]:
    """Read the whole records of a capture: offset, time in ns, frame."""
    data = expanded(PCAPS / name)
    return list(_blocks(data) if ".pcapng" in name else _records(data))


def _records(data: bytes) -> Any:
    at = 24
    while at + 16 <= len(data):
        seconds, nanoseconds, size, _ = unpack_from("<4I", data, at)
        if at + 16 + size > len(data):
            return
        yield at, seconds * 10**9 + nanoseconds, data[at + 16 : at + 16 + size]
        at += 16 + size


def _blocks(data: bytes) -> Any:
    at = 0
    while at < len(data):
        kind, length = unpack_from("<II", data, at)
        if kind == 6:
            _, high, low, size = unpack_from("<4I", data, at + 8)
            yield at, high << 32 | low, data[at + 28 : at + 28 + size]
        at += length


def payloads(name: str) -> list[tuple[str, bytes]]:
    """Give the line and the UDP payload of each packet (all have 42 bytes of headers)."""
    return [(LINES[".".join(map(str, frame[30:34]))], frame[42:]) for _, _, frame in frames(name)]


def mold(payload: bytes) -> dict[int, bytes]:
    """Read the messages of a MoldUDP64 packet by their numbers."""
    sequence, count = unpack_from(">QH", payload, 10)
    found, at = {}, 20
    for number in range(sequence, sequence + (count if count != 0xFFFF else 0)):
        (length,) = unpack_from(">H", payload, at)
        found[number] = payload[at + 2 : at + 2 + length]
        at += 2 + length
    assert at == len(payload)
    return found


def starbase(payload: bytes) -> tuple[int, dict[int, bytes]]:
    """Read the type of a Starbase packet and its messages by their numbers."""
    sequence, _, kind, count = unpack_from("<qiHH", payload, 8)
    found, at = {}, 24
    for number in range(sequence, sequence + count):
        (length,) = unpack_from("<H", payload, at)
        found[number] = payload[at : at + length]
        at += length
    assert at == len(payload)
    return kind, found


def counted(types: Any) -> dict[str, int]:
    return dict(Counter(types))


# -- the files are what the seeds give


@pytest.mark.parametrize("name", [*TRUTH, "truth.json", "README.md"])
def test_a_file_is_what_its_seed_gives(name: str) -> None:
    assert expanded(PCAPS / name) == built()[name]


def test_the_tool_writes_them_and_finds_them_sound(mkpcaps: ModuleType, tmp_path: Path) -> None:
    assert mkpcaps.main([str(tmp_path / "new")]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(built())
    assert mkpcaps.main([str(tmp_path / "new"), "--check"]) == 0
    assert mkpcaps.main([str(PCAPS), "--check"]) == 0


def test_check_says_3_and_what_is_another(
    mkpcaps: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pcaps"
    shutil.copytree(PCAPS, folder)
    data = bytearray((folder / "itch-gap.pcapng").read_bytes())
    data[1000] ^= 1
    (folder / "itch-gap.pcapng").write_bytes(data)
    (folder / "itch.itch.gz").write_bytes(b"no gzip")
    (folder / "truncated.pcap").unlink()
    assert mkpcaps.main([str(folder), "--check"]) == 3
    told = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in told] == ["itch-gap.pcapng", "itch.itch.gz", "truncated.pcap"]
    assert "differs from byte 1000 on" in told[0]
    assert "cannot be expanded" in told[1]
    assert "is absent" in told[2]
    assert not (folder / "truncated.pcap").exists()


def test_a_folder_that_cannot_be_is_a_failure(mkpcaps: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert mkpcaps.main([str(tmp_path / "file")]) == 1


def test_they_stay_small() -> None:
    assert sum((PCAPS / name).stat().st_size for name in built()) < 3_200_000


# -- truth.json is so


@pytest.mark.parametrize("name", [name for name in TRUTH if TRUTH[name]["packets"] is not None])
def test_packets_are_counted_and_their_times_do_not_fall(name: str) -> None:
    found = frames(name)
    assert len(found) == TRUTH[name]["packets"]
    assert [ts for _, ts, _ in found] == sorted(ts for _, ts, _ in found)


@pytest.mark.parametrize("name", [*MOLD, "sequence-jump.pcap", *STARBASE])
def test_packets_are_counted_by_line(name: str) -> None:
    found = Counter(line for line, _ in payloads(name) if line != "REQUEST")
    assert found == {row["line"]: row["packets"] for row in TRUTH[name]["channels"][0]["lines"]}


@pytest.mark.parametrize("name", MOLD)
def test_itch_messages_are_counted_by_type_each_once(name: str) -> None:
    stream: dict[int, bytes] = {}
    for line, payload in payloads(name):
        if line != "REQUEST":
            stream |= mold(payload)
    channel = TRUTH[name]["channels"][0]
    assert counted(chr(message[0]) for message in stream.values()) == TRUTH[name]["by_type"]
    lost = {
        number for gap in channel["gaps"] if not gap["closed_by"] for number in range(gap["first"], gap["last"] + 1)
    }
    assert set(stream) == set(range(1, channel["next_sequence"])) - lost
    assert len(lost) == channel["messages_lost"]
    assert len(stream) == TRUTH[name]["messages"]


@pytest.mark.parametrize("name", STARBASE)
def test_starbase_messages_are_counted_by_template_each_once(name: str) -> None:
    lines, copies = _starbase_streams(name)
    channel = TRUTH[name]["channels"][0]
    assert counted(str(template(message)) for message in lines.values()) == TRUTH[name]["by_type"]
    assert counted(str(template(message)) for message in copies.values()) == channel["snapshot_by_type"]
    assert min(lines) == channel["first_sequence"]
    assert max(lines) + 1 == channel["next_sequence"]
    absent = {number for gap in channel["gaps"] if gap["closed_by"] == "snapshot"
              for number in range(gap["first"], gap["last"] + 1)}  # fmt: skip
    assert set(range(min(lines), max(lines))) - set(lines) == absent


@pytest.mark.parametrize("name", STARBASE)
def test_starbase_books_come_out_of_the_last_snapshots_and_what_follows_them(name: str) -> None:
    lines, copies = _starbase_streams(name)
    named, since, orders = _last_snapshots(copies)
    for number, message in sorted(lines.items()):
        if 20 <= template(message) <= 25 and number > since[unpack_from("<q", message, 24)[0]]:
            apply(orders, message)
    assert len(TRUTH[name]["books"]) == len(named) == 22
    for book in TRUTH[name]["books"]:
        for side, place in (("bid", 0), ("ask", 1)):
            instrument, exponent = named[book["instrument"]]
            rows = levels(orders, instrument, place)
            assert book["totals"][side]["levels"] == len(rows)
            assert book["totals"][side]["orders"] == sum(row[2] for row in rows)
            price, quantity = book[side]["price"], book[side]["quantity"]
            assert (int(price.replace(".", "")), int(quantity.replace(".", "")), book[side]["orders"]) == rows[0]
            assert len(quantity.partition(".")[2]) == -exponent
            assert book["queue"][side] == queue(orders, instrument, place)[: rows[0][2]]


def _starbase_streams(name: str) -> tuple[dict[int, bytes], dict[int, bytes]]:
    streams: dict[int, dict[int, bytes]] = {0: {}, 1: {}, 2: {}}
    for line, payload in payloads(name):
        kind, found = starbase(payload)
        assert {"A": 1, "B": 1, "SNAPSHOT_A": 2, "REQUEST": 0}.get(line, kind) == kind
        assert kind in (0, 1, 2, 5)
        streams[kind & 3] |= found
    return streams[1], streams[2]


def _last_snapshots(copies: dict[int, bytes]) -> tuple[dict[str, tuple[int, int]], dict[int, int], Orders]:
    """Give instrument and exponent by name, sequence by instrument, and all orders, of the last whole snapshots."""
    named, since = {}, {}
    orders: Orders = {}
    current: Orders = {}
    for _, message in sorted(copies.items()):
        instrument = unpack_from("<q", message, 16)[0]
        if template(message) == 100:
            current = {}
        elif template(message) == 10:
            named[message[24:152].rstrip(b"\0").decode()] = (instrument, unpack_from("<b", message, 272)[0])
        elif template(message) == 101:
            since[instrument] = unpack_from("<q", message, 32)[0]
            orders = {id_: row for id_, row in orders.items() if row[0] != instrument} | current
        apply(current, message)
    return named, since, orders


def test_the_lines_of_a_late_join_define_nothing() -> None:
    lines, _ = _starbase_streams("starbase-late.pcapng")
    assert "10" not in TRUTH["starbase-late.pcapng"]["by_type"]
    assert min(lines) > 100


def test_the_gap_that_only_a_snapshot_closes_has_orders_in_it() -> None:
    lines, _ = _starbase_streams("starbase.pcap")
    orders: Orders = {}
    with pytest.raises((KeyError, AssertionError)):
        for _, message in sorted(lines.items()):
            apply(orders, message)


def test_every_way_to_close_a_gap_is_there() -> None:
    closed = {name: [gap["closed_by"] for gap in TRUTH[name]["channels"][0]["gaps"]] for name in (MOLD[1], STARBASE[0])}
    assert closed == {MOLD[1]: ["line", "retransmit", None], STARBASE[0]: ["line", "retransmit", "snapshot"]}


def test_the_itch_file_is_whole() -> None:
    data, at, types = expanded(PCAPS / "itch.itch.gz"), 0, []
    while length := unpack_from(">H", data, at)[0]:
        types.append(chr(data[at + 2]))
        at += 2 + length
    assert at + 2 == len(data)
    assert counted(types) == TRUTH["itch.itch.gz"]["by_type"]


def test_the_truncated_file_ends_inside_a_record() -> None:
    data = (PCAPS / "truncated.pcap").read_bytes()
    (error,) = TRUTH["truncated.pcap"]["errors"]
    last, _, frame = frames("truncated.pcap")[-1]
    assert error["offset"] == last + 16 + len(frame)
    assert 16 < len(data) - error["offset"] < 16 + unpack_from("<I", data, error["offset"] + 8)[0]


def test_the_bad_lengths_are_where_they_are_said_to_be() -> None:
    block, udp, message = TRUTH["bad-lengths.pcap"]["errors"]
    found = {offset: frame for offset, _, frame in frames("bad-lengths.pcap")}
    assert unpack_from(">H", found[block["offset"]], 62)[0] > len(found[block["offset"]])
    assert unpack_from(">H", found[udp["offset"]], 38)[0] > unpack_from(">H", found[udp["offset"]], 16)[0] - 20
    stream: dict[int, bytes] = {}
    for offset, frame in found.items():
        if offset not in (block["offset"], udp["offset"]):
            stream |= mold(frame[42:])
    assert stream[message["sequence"]][:1] == b"A"
    assert len(stream[message["sequence"]]) == 24
    assert [row["state"] for row in TRUTH["bad-lengths.pcap"]["books"]] == ["LIVE", "SUSPECT", "LIVE"]
    assert unpack_from(">H", stream[message["sequence"]], 1)[0] == 2
    assert counted(chr(one[0]) for one in stream.values()) == TRUTH["bad-lengths.pcap"]["by_type"]


def test_the_nonsense_is_where_it_is_said_to_be() -> None:
    truth = TRUTH["sequence-jump.pcap"]
    odd = {row["sequence"] for row in truth["ignored"]}
    stream: dict[int, bytes] = {}
    seen = set()
    for _, payload in payloads("sequence-jump.pcap"):
        (sequence,) = unpack_from(">Q", payload, 10)
        if sequence in odd:
            seen.add(sequence)
        else:
            stream |= mold(payload)
    assert seen == odd
    assert set(stream) == set(range(1, truth["channels"][0]["next_sequence"]))
    assert counted(chr(message[0]) for message in stream.values()) == truth["by_type"]
