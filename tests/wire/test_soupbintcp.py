"""SoupBinTCP: a hand-written vector of every packet, round trips, hostile bytes, any split, real packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import MisuseError, WireError
from netfeed.wire import soupbintcp as soup
from tests.data import recording
from tests.wire.nasdaq_samples import payloads

VECTORS: list[tuple[bytes, soup.Packet]] = [
    (b"\0\x06+hello", soup.Debug("hello")),
    (b"\0\x1fA" + b"    ABC001" + b"                  42", soup.LoginAccepted("ABC001", 42)),
    (b"\0\x02JA", soup.LoginRejected("A")),
    (b"\0\x04Sxyz", soup.SequencedData(b"xyz")),
    (b"\0\x01S", soup.SequencedData(b"")),
    (b"\0\x01H", soup.ServerHeartbeat()),
    (b"\0\x01Z", soup.EndOfSession()),
    (b"\0\x2fL" + b"bob   " + b"secret    " + b" " * 10 + b"1".rjust(20), soup.LoginRequest("bob", "secret", "", 1)),
    (b"\0\x34L" + b"bob   " + b"secret    " + b"    ABC001" + b"0".rjust(20) + b" 5000",
     soup.LoginRequest("bob", "secret", "ABC001", 0, 5000)),
    (b"\0\x04Uxyz", soup.UnsequencedData(b"xyz")),
    (b"\0\x01R", soup.ClientHeartbeat()),
    (b"\0\x01O", soup.LogoutRequest()),
]  # fmt: skip
WHOLE = b"".join(data for data, _ in VECTORS)
BARE = (soup.ServerHeartbeat, soup.ClientHeartbeat, soup.EndOfSession, soup.LogoutRequest)


def text(size: int) -> st.SearchStrategy[str]:
    letters = st.characters(min_codepoint=0x20, max_codepoint=0xFF)
    return st.text(letters, max_size=size).map(lambda drawn: drawn.strip(" "))


packets: st.SearchStrategy[soup.Packet] = st.one_of(
    st.builds(soup.Debug, st.text(st.characters(max_codepoint=0xFF), max_size=30)),
    st.builds(soup.LoginAccepted, text(10), st.integers(0, 10**20 - 1)),
    st.builds(soup.LoginRejected, st.sampled_from("AS?")),
    st.builds(soup.SequencedData, st.binary(max_size=60)),
    st.builds(soup.UnsequencedData, st.binary(max_size=60)),
    st.builds(
        soup.LoginRequest,
        text(6),
        text(10),
        text(10),
        st.integers(0, 10**20 - 1),
        st.none() | st.integers(0, 99999),
    ),
    st.sampled_from([make() for make in BARE]),
)


@pytest.mark.parametrize(("data", "packet"), VECTORS)
def test_a_vector_of_every_packet(data: bytes, packet: soup.Packet) -> None:
    assert soup.decode(data) == (packet, len(data))
    assert soup.encode(packet) == data


@pytest.mark.parametrize(("data", "packet"), VECTORS)
def test_every_truncation_asks_for_more(data: bytes, packet: soup.Packet) -> None:
    for length in range(len(data)):
        assert soup.decode(data[:length]) is None


def test_packets_follow_each_other_at_offsets() -> None:
    at, found = 0, []
    while (step := soup.decode(WHOLE, at)) is not None:
        packet, at = step
        found.append(packet)
    assert found == [packet for _, packet in VECTORS]
    assert at == len(WHOLE)


@pytest.mark.parametrize("number", [b"42".rjust(20), b"42".ljust(20), b"42".rjust(20, b"0")])
@pytest.mark.parametrize("session", [b"ABC       ", b"       ABC"])
def test_padding_is_read_on_either_side(session: bytes, number: bytes) -> None:
    assert soup.decode(b"\0\x1fA" + session + number) == (soup.LoginAccepted("ABC", 42), 33)
    login = b"\0\x2fL" + b"   bob" + b"    secret" + session + number
    assert soup.decode(login) == (soup.LoginRequest("bob", "secret", "ABC", 42), 49)


def test_a_packet_without_type_is_an_error_at_once() -> None:
    with pytest.raises(WireError, match="no type at byte 0"):
        soup.decode(b"\0\0")


def test_an_unknown_type_is_an_error_before_its_payload_came() -> None:
    with pytest.raises(WireError) as caught:
        soup.decode(b"abc\x01\0z", 3)
    assert (caught.value.offset, caught.value.found) == (5, "0x7a")


@pytest.mark.parametrize(
    "data", [b"\0\x02H", b"\0\x02R", b"\0\x02Z", b"\0\x02O", b"\0\x01J", b"\0\x03J", b"\0\x1eA", b"\0\x20A",
             b"\0\x2eL", b"\0\x30L", b"\0\x33L", b"\0\x35L"]
)  # fmt: skip
def test_a_length_that_the_type_does_not_have_is_an_error_before_its_payload_came(data: bytes) -> None:
    with pytest.raises(WireError, match="wrong size"):
        soup.decode(data)


@pytest.mark.parametrize("number", [b" " * 20, b"-1".rjust(20), b"1 2".rjust(20), b"1_2".rjust(20), b"x".rjust(20)])
def test_a_number_must_be_digits(number: bytes) -> None:
    with pytest.raises(WireError, match="number") as caught:
        soup.decode(b"\0\x1fA" + b" " * 10 + number)
    assert caught.value.offset == 13
    with pytest.raises(WireError, match="number") as caught:
        soup.decode(b"\0\x2fL" + b" " * 26 + number)
    assert caught.value.offset == 29


def test_a_bad_timeout_names_its_place() -> None:
    with pytest.raises(WireError) as caught:
        soup.decode(b"\0\x34L" + b" " * 26 + b"1".rjust(20) + b"soon ")
    assert caught.value.offset == 49


def test_payloads_are_copies() -> None:
    data = bytearray(b"\0\x04Sxyz")
    step = soup.decode(data)
    assert step is not None
    del data[:]
    assert step[0] == soup.SequencedData(b"xyz")


@given(packets)
def test_what_is_encoded_is_decoded(packet: soup.Packet) -> None:
    data = soup.encode(packet)
    assert soup.decode(b"??" + data, 2) == (packet, 2 + len(data))


@given(st.binary(max_size=80), st.integers(0, 90))
def test_any_bytes_are_a_packet_or_more_or_a_wire_error(data: bytes, offset: int) -> None:
    try:
        step = soup.decode(data, offset)
    except WireError:
        return
    assert step is None or offset + 3 <= step[1] <= len(data)


@given(packets, st.data())
def test_a_damaged_packet_is_a_packet_or_more_or_a_wire_error(packet: soup.Packet, data: st.DataObject) -> None:
    damaged = bytearray(soup.encode(packet))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        step = soup.decode(damaged)
    except WireError:
        return
    assert step is None or step[1] <= len(damaged)


@pytest.mark.parametrize(
    "packet",
    [
        soup.SequencedData(bytes(65535)),
        soup.LoginAccepted("ABCDEFGHIJK", 1),
        soup.LoginAccepted("ABC", 10**20),
        soup.LoginAccepted("ABC", -1),
        soup.LoginRejected("AS"),
        soup.LoginRequest("seven77", "", "", 1),
        soup.LoginRequest("", "", "", 1, 100_000),
        soup.Debug("\u20ac"),
        soup.LoginRequest("\u20ac", "", "", 1),
    ],
)
def test_what_does_not_fit_is_misuse(packet: soup.Packet) -> None:
    with pytest.raises(MisuseError):
        soup.encode(packet)


def test_the_longest_payload_fits() -> None:
    data = soup.encode(soup.SequencedData(bytes(65534)))
    assert soup.decode(data) == (soup.SequencedData(bytes(65534)), 65537)


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [  # sizes read off a hex dump of each packet
        ("CancelOrderMessage", soup.UnsequencedData, 9),
        ("CanceledMessage", soup.SequencedData, 18),
        ("EnterOrderMessage", soup.UnsequencedData, 53),
        ("OrderAcceptedMessage", soup.SequencedData, 73),
    ],
)
def test_a_real_order_packet(name: str, kind: type, size: int) -> None:
    (data,) = payloads(recording(f"nasdaq_packets/ouch50/{name}.pcap"))
    step = soup.decode(data)
    assert step is not None
    packet, end = step
    assert isinstance(packet, kind)
    assert isinstance(packet, soup.SequencedData | soup.UnsequencedData)
    assert (len(packet.message), end) == (size, len(data))
    assert soup.encode(packet) == data


@pytest.mark.parametrize(
    ("name", "packet"),
    [("ClientHeartbeatPacket", soup.ClientHeartbeat()), ("ServerHeartbeatPacket", soup.ServerHeartbeat())],
)
def test_a_real_heartbeat(name: str, packet: soup.Packet) -> None:
    (data,) = payloads(recording(f"nasdaq_packets/ouch50/{name}.pcap"))
    assert soup.decode(data) == (packet, 3)
    assert soup.encode(packet) == data
