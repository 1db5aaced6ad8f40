"""Files by their first bytes, payloads by all of theirs: strict enough that one protocol is not taken for another."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.app.recognise import SNIFFERS, FileKind, Match, file_kind, is_request, match, protocol_of
from netfeed.wire import binaryfile, cme, deribit, iex, itch, moldudp64, pcap, pcapng, starbase
from netfeed.wire.pcapng import Interface
from tests.cli.captures import add, mold
from tests.data import PCAPS, recording
from tests.wire.datagrams import datagrams

ADD = add(1, 10_000)
PUT = starbase.encode(20, flags=3, orderId=1, instrumentId=5, quantity=15, price=9, sortOrderId=1)
TRADE = iex.encode("T", flags=0, timestamp=1, symbol="ZIEXT", size=100, price=10_000, trade_id=7)

DELETE = itch.encode("D", stock_locate=1, tracking_number=0, timestamp=1, order_reference_number=2)
DELAY = deribit.encode(1005, snapshotDelay=200)
RESET = cme.encode(4, version=6, TransactTime=1, MatchEventIndicator=128)

PACKETS: dict[str, list[bytes]] = {
    "itch50": [mold(1, ADD), mold(7, DELETE, ADD)],
    "starbase": [starbase.encode_packet(1, [PUT, PUT], channel_id=3), starbase.encode_packet(9, [PUT], type=2)],
    "deribit": [deribit.encode_packet(1, [deribit.encode(1006)]), deribit.encode_packet(2, [DELAY])],
    "cme": [cme.encode_packet(1, [cme.encode(12)]), cme.encode_packet(7, [RESET])],
    "iex": [iex.encode_segment(1, [TRADE]), iex.encode_segment(9)],
}
EVERY = [(name, payload) for name, payloads in PACKETS.items() for payload in payloads]


@pytest.mark.parametrize(("name", "payload"), EVERY)
def test_a_packet_is_recognised_and_by_no_other(name: str, payload: bytes) -> None:
    assert protocol_of(payload) == (name, Match.YES)
    assert [one for one in SNIFFERS if match(one, payload) is Match.YES] == [name]


@pytest.mark.parametrize(("name", "payload"), EVERY)
def test_a_packet_that_is_cut_or_has_more_behind_it_is_not(name: str, payload: bytes) -> None:
    for end in range(len(payload)):
        assert match(name, payload[:end]) is not Match.YES
    if name != "iex":  # its lengths say so, too, but a longer message is a newer revision's
        assert match(name, payload + b"\0") is not Match.YES


def test_a_heartbeat_is_likely_and_no_more() -> None:
    assert protocol_of(mold(5)) == ("itch50", Match.LIKELY)
    assert protocol_of(moldudp64.encode_end_of_session(b"S000000001", 5)) == ("itch50", Match.LIKELY)
    assert protocol_of(starbase.encode_packet(5, sending_time=1)) == ("starbase", Match.LIKELY)


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"a question", bytes(20), bytes(24), bytes(64), b"\xff" * 100,
        mold(1, b"\x00" * 36), mold(1, b"zz"), mold(1, ADD[:-1]), moldudp64.encode(b"\xff" * 10, 1, [ADD]),
        iex.encode_segment(1, [TRADE], message_protocol_id=iex.TOPS_1_6),
        bytes.fromhex("1b0003e8") + bytes(36) + bytes.fromhex("e5f4e0b4"),  # a question for the time of day, NTP
    ],
)  # fmt: skip
def test_what_is_something_else_is_not_recognised(payload: bytes) -> None:
    assert protocol_of(payload)[1] is not Match.YES


@given(st.binary(max_size=200))
def test_random_bytes_are_nothing(payload: bytes) -> None:
    assert protocol_of(payload)[1] is not Match.YES
    is_request(payload)


@pytest.mark.parametrize(
    ("name", "protocol"),
    [("cme/Cme.Mdp3.Sbe.v6.1.pcap", "cme"), ("deribit_multicast/sample_capture_v1_6.pcapng", "deribit"),
     ("iex/go-iex_DEEP10.pcap.gz", "iex")],
)  # fmt: skip
def test_every_real_packet_speaks_what_its_capture_does(name: str, protocol: str) -> None:
    found = [protocol_of(one.payload) for one in datagrams(recording(name), 3000)]
    assert set(found) == {(protocol, Match.YES)}


def test_requests_are_no_part_of_a_stream() -> None:
    request = starbase.encode(200, beginSeqNum=5, messageCount=7)
    assert is_request(moldudp64.encode_request(b"S000000001", 5, 7))
    assert is_request(starbase.encode_packet(1, [request], type=0))
    assert is_request(iex.encode_gap_fill([(1, 5)], session_id=1))
    assert not any(is_request(payload) for _, payload in EVERY)
    assert not is_request(mold(5))
    assert not is_request(
        starbase.encode_packet(1, [starbase.encode(202, retryDelayNanos=1, details="", reason=3)], type=0)
    )


FILES: list[tuple[bytes, FileKind]] = [
    (pcap.file_header(), FileKind.CAPTURE),
    (pcap.file_header(nanoseconds=False, order=">"), FileKind.CAPTURE),
    (pcapng.Writer([Interface(1)]).start(), FileKind.CAPTURE),
    (binaryfile.encode([ADD]), FileKind.ITCH),
    (binaryfile.encode([ADD, b"?unknown", ADD]), FileKind.ITCH),
    (b"\0\0" + ADD + b"\0\0" + ADD, FileKind.ITCH_ZERO),
    (b"", FileKind.UNKNOWN),
    (b"\0\0", FileKind.UNKNOWN),
    (b"\xa1\xb2", FileKind.UNKNOWN),
    (binaryfile.encode([ADD[:-1]]), FileKind.UNKNOWN),
    (b"date,price\n2020-01-01,5\n" * 9, FileKind.UNKNOWN),
    (bytes(1000), FileKind.UNKNOWN),
]


@pytest.mark.parametrize(("data", "kind"), FILES)
def test_a_file_is_recognised_by_its_first_bytes(data: bytes, kind: FileKind) -> None:
    assert file_kind(data) is kind
    assert file_kind(memoryview(data)) is kind


@given(st.binary(max_size=300))
def test_any_bytes_are_some_kind_of_file(data: bytes) -> None:
    assert file_kind(data) in FileKind


def test_the_shipped_captures_are_captures() -> None:
    paths: list[Path] = [*PCAPS.glob("*.pcap"), *PCAPS.glob("*.pcapng")]
    assert paths
    assert {file_kind(path.read_bytes()[:64]) for path in paths} == {FileKind.CAPTURE}
