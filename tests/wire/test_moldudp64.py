"""MoldUDP64: specification vectors, round trips, hostile bytes, and real Nasdaq packets beside tshark."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import moldudp64
from tests.data import recording
from tests.wire.nasdaq_samples import payloads

SESSION = b"000010059B"
HEAD = SESSION.hex()
TWO_MESSAGES = bytes.fromhex(
    HEAD          # session
    + "0000000000000007"  # sequence of the first message
    + "0002"      # two messages
    + "0003" + "616263"
    + "0000"      # a message may be empty
)  # fmt: skip

sessions = st.binary(min_size=10, max_size=10)
sequences = st.integers(0, 2**64 - 1)
messages = st.lists(st.binary(max_size=60), min_size=1, max_size=20)


def test_a_packet_of_two_messages() -> None:
    packet = moldudp64.decode(TWO_MESSAGES)
    assert (packet.session, packet.sequence, packet.count) == (SESSION, 7, 2)
    assert [bytes(message) for message in packet.messages] == [b"abc", b""]
    assert packet.next_sequence == 9
    assert not packet.heartbeat
    assert not packet.end_of_session


def test_messages_are_views_into_the_packet() -> None:
    data = bytearray(TWO_MESSAGES)
    first = moldudp64.decode(data).messages[0]
    data[22] = ord("z")
    assert bytes(first) == b"zbc"


def test_a_heartbeat_carries_the_next_sequence() -> None:
    data = bytes.fromhex(HEAD + "000000000000002a" + "0000")
    packet = moldudp64.decode(data)
    assert packet.heartbeat
    assert (packet.sequence, packet.next_sequence, packet.messages) == (42, 42, ())
    assert moldudp64.encode_heartbeat(SESSION, 42) == data


def test_the_end_of_session_is_not_a_count() -> None:
    data = bytes.fromhex(HEAD + "000000000000002a" + "ffff")
    packet = moldudp64.decode(data)
    assert packet.end_of_session
    assert not packet.heartbeat
    assert (packet.next_sequence, packet.messages) == (42, ())
    assert moldudp64.encode_end_of_session(SESSION, 42) == data


def test_a_request_has_the_header_alone() -> None:
    data = bytes.fromhex(HEAD + "0000000000000064" + "0010")
    assert moldudp64.decode_request(data) == moldudp64.Request(SESSION, 100, 16)
    assert moldudp64.encode_request(SESSION, 100, 16) == data
    with pytest.raises(WireError, match="found 21 bytes"):
        moldudp64.decode_request(data + b"\0")


def test_a_count_larger_than_the_blocks_is_an_error() -> None:
    data = bytearray(TWO_MESSAGES)
    data[19] = 3
    with pytest.raises(WireError) as caught:
        moldudp64.decode(data)
    assert (caught.value.offset, caught.value.found, caught.value.wanted) == (27, "2 blocks", "3 blocks")


def test_a_block_that_reaches_beyond_the_packet_is_an_error() -> None:
    data = bytearray(TWO_MESSAGES)
    data[21] = 6
    with pytest.raises(WireError) as caught:
        moldudp64.decode(data)
    assert (caught.value.offset, caught.value.found, caught.value.wanted) == (22, "5 bytes", "6 bytes")


@pytest.mark.parametrize("count", ["0000", "ffff"])
def test_bytes_after_a_heartbeat_or_the_end_are_an_error(count: str) -> None:
    with pytest.raises(WireError, match="bytes after the last"):
        moldudp64.decode(bytes.fromhex(HEAD + "0000000000000001" + count + "00"))


@pytest.mark.parametrize("length", range(len(TWO_MESSAGES)))
def test_any_truncation_is_an_error(length: int) -> None:
    with pytest.raises(WireError):
        moldudp64.decode(TWO_MESSAGES[:length])


@given(sessions, sequences, messages)
def test_what_is_encoded_is_decoded(session: bytes, sequence: int, blocks: list[bytes]) -> None:
    packet = moldudp64.decode(moldudp64.encode(session, sequence, blocks))
    assert (packet.session, packet.sequence, packet.count) == (session, sequence, len(blocks))
    assert [bytes(message) for message in packet.messages] == blocks


@given(sessions, sequences, messages, st.binary(min_size=1, max_size=8))
def test_trailing_bytes_are_never_hidden(session: bytes, sequence: int, blocks: list[bytes], tail: bytes) -> None:
    with pytest.raises(WireError):
        moldudp64.decode(moldudp64.encode(session, sequence, blocks) + tail)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_a_wire_error(data: bytes) -> None:
    try:
        packet = moldudp64.decode(data)
    except WireError:
        return
    if packet.messages:
        assert moldudp64.encode(packet.session, packet.sequence, packet.messages) == data
    else:
        assert len(data) == 20


@given(sessions, sequences, st.integers(0, 6), st.binary(max_size=40))
def test_any_bytes_after_a_header_are_a_packet_or_a_wire_error(s: bytes, q: int, count: int, tail: bytes) -> None:
    data = s + q.to_bytes(8, "big") + count.to_bytes(2, "big") + tail
    try:
        packet = moldudp64.decode(data)
    except WireError:
        return
    assert len(packet.messages) == count
    assert 20 + sum(2 + len(message) for message in packet.messages) == len(data)


def test_what_does_not_fit_is_misuse() -> None:
    with pytest.raises(MisuseError, match="not 0"):
        moldudp64.encode(SESSION, 1, [])
    with pytest.raises(MisuseError, match="not 65535"):
        moldudp64.encode(SESSION, 1, [b""] * 65535)
    with pytest.raises(MisuseError, match="at most 65535"):
        moldudp64.encode(SESSION, 1, [bytes(65536)])
    with pytest.raises(MisuseError):
        moldudp64.encode(b"short", 1, [b"x"])
    with pytest.raises(MisuseError):
        moldudp64.encode_request(SESSION, 2**64, 1)


SINGLE = {
    # name: sequence, type and size of the only message, all read off a hex dump
    "AddOrderNoMpidAttributionMessage": (0xE12F59, b"A", 36),
    "MarketParticipantPositionMessage": (0x1108D66, b"L", 26),
    "NetOrderImbalanceIndicatorMessage": (0xE1301F, b"I", 50),
    "OrderDeleteMessage": (0xE12F5A, b"D", 19),
    "OrderExecutedMessage": (0xE12F71, b"E", 31),
    "OrderReplaceMessage": (0xE12F45, b"U", 35),
    "StockTradingActionMessage": (0x2090E79, b"H", 25),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_real_packet(name: str) -> None:
    (data,) = payloads(recording(f"nasdaq_packets/itch50/{name}.pcap"))
    packet = moldudp64.decode(data)
    (message,) = packet.messages
    assert (packet.session, packet.count) == (SESSION, 1)
    assert (packet.sequence, bytes(message[:1]), len(message)) == SINGLE[name]
    assert moldudp64.encode(packet.session, packet.sequence, packet.messages) == data


def test_tshark_reads_the_same_packets() -> None:
    path = recording("nasdaq_packets/itch50/Multiple.Packets.pcap")
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    fields = ["session", "sequence", "count", "msglen"]
    command = [tshark, "-n", "-r", str(path), "-d", "udp.port==26477,moldudp64", "-T", "fields", "-E", "occurrence=a"]
    for field in fields:
        command += ["-e", f"moldudp64.{field}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = [line.split("\t") for line in output.splitlines()]
    ours = [moldudp64.decode(data) for data in payloads(path)]
    assert len(ours) > 1
    assert len(theirs) == len(ours)
    for packet, (session, sequence, count, lengths) in zip(ours, theirs, strict=True):
        assert packet.session.decode() == session
        assert packet.sequence == int(sequence.split(",")[0], 0)
        assert packet.count == int(count, 0)
        assert [len(message) for message in packet.messages] == [int(length, 0) for length in lengths.split(",")]
