"""The framings: what each transport's bytes say about sequence, from hand-written packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfeed.errors import WireError
from netfeed.feed.framing import FRAMINGS, Framing, Kind, Packet, framing
from netfeed.feed.ports import Port
from tests.feed.packets import BUILD, mold_end, star

MOLD = bytes.fromhex("30303030313030353942 00000000000003e8 0002 0001 41 0003 424344")
MOLD_HEARTBEAT = bytes.fromhex("30303030313030353942 00000000000003ea 0000")
MOLD_END = bytes.fromhex("30303030313030353942 00000000000003ea ffff")
# sendingTime 10, seqNum 7, channelId 3, type 1, one message: length 24, template 24, version 1, flags 3, time 0, body
STAR = bytes.fromhex(
    "0a00000000000000 0700000000000000 03000000 0100 0100 1800 1800 0100 0300 0000000000000000 0102030405060708"
)
CME = bytes.fromhex("ef150000 7cde7b9d37538614 0a00 0000 0c00 0100 0600")  # the first packet of the recording
IEX = bytes.fromhex(
    "01 00 0480 01000000 00008143 0500 0100 0000000000000000 0900000000000000 6400000000000000 0300 414243"
)
DERIBIT = bytes.fromhex("0c00 0500 ffffffff 0000 ee03 0100 0200 0000 0000")


def facts(packet: Packet) -> tuple[object, ...]:
    messages = tuple(bytes(message) for message in packet.messages)
    return packet.kind, packet.session, packet.sequence, packet.count, messages, packet.ts_send_ns, packet.channel


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("moldudp64", MOLD, (Kind.DATA, b"000010059B", 1000, 2, (b"A", b"BCD"), None, 0)),
        ("moldudp64", MOLD_HEARTBEAT, (Kind.HEARTBEAT, b"000010059B", 1002, 0, (), None, 0)),
        ("moldudp64", MOLD_END, (Kind.END_OF_SESSION, b"000010059B", 1002, 0, (), None, 0)),
        ("starbase", STAR, (Kind.DATA, b"", 7, 1, (STAR[24:],), 10, 3)),
        ("cme", CME, (Kind.DATA, b"", 5615, 1, (CME[14:],), 0x148653379D7BDE7C, 0)),
        ("iex", IEX, (Kind.DATA, bytes.fromhex("43810000"), 9, 1, (b"ABC",), 100, 1)),
        ("deribit", DERIBIT, (Kind.DATA, b"", 2**32 - 1, 1, (DERIBIT[8:],), None, 5)),
    ],
)
def test_the_words_of_a_packet(name: str, data: bytes, expected: tuple[object, ...]) -> None:
    assert facts(framing(name).parse(data)) == expected


@pytest.mark.parametrize(
    ("type", "port", "kind"),
    [
        (1, Port.LINE_A, Kind.DATA),
        (1, Port.RETRANSMIT, Kind.RETRANSMITTED),
        (2, Port.SNAPSHOT_A, Kind.SNAPSHOT),
        (2, Port.LINE_A, Kind.SNAPSHOT),
        (5, Port.RETRANSMIT, Kind.RETRANSMITTED),
        (5, Port.LINE_A, Kind.RETRANSMITTED),
        (0, Port.RETRANSMIT, Kind.REJECT),
        (0x30, Port.LINE_A, Kind.OTHER),
        (4, Port.LINE_A, Kind.OTHER),
    ],
)
def test_starbase_tells_the_kind_by_type_bits_or_else_by_port(type: int, port: int, kind: Kind) -> None:
    assert framing("starbase").parse(star(1, [b"x" * 8], type=type), port).kind is kind


@pytest.mark.parametrize(("port", "kind"), [(0, Kind.DATA), (2, Kind.SNAPSHOT), (3, Kind.SNAPSHOT), (9, Kind.DATA)])
def test_where_the_wire_does_not_say_the_port_does(port: int, kind: Kind) -> None:
    assert framing("deribit").parse(DERIBIT, port).kind is kind


@pytest.mark.parametrize("name", ["starbase", "iex"])
def test_an_empty_packet_is_a_heartbeat_on_any_port(name: str) -> None:
    for port in (0, 2, 4):
        packet = framing(name).parse(BUILD[name](55), port)
        assert (packet.kind, packet.sequence, packet.count) == (Kind.HEARTBEAT, 55, 0)


@pytest.mark.parametrize("name", ["starbase", "iex"])
def test_a_negative_number_is_an_error(name: str) -> None:
    with pytest.raises(WireError, match="negative"):
        framing(name).parse(BUILD[name](-1))


@pytest.mark.parametrize("row", FRAMINGS.values(), ids=lambda row: row.name)
def test_any_bytes_give_a_packet_or_a_wire_error(row: Framing) -> None:
    @given(st.binary(max_size=80), st.sampled_from([0, 2, 4]))
    def check(data: bytes, port: int) -> None:
        try:
            packet = row.parse(data, port)
        except WireError:
            return
        assert packet.sequence >= 0
        assert packet.count == (1 if row.per_packet else len(packet.messages))

    check()


@pytest.mark.parametrize("name", FRAMINGS)
def test_any_truncation_is_a_wire_error_or_a_shorter_packet(name: str) -> None:
    data = BUILD[name](1, [b"x" * 8, b"y" * 8])
    whole = framing(name).parse(data)
    for end in range(len(data)):
        try:
            packet = framing(name).parse(data[:end])
        except WireError:
            continue
        assert name == "cme", "only CME's packets do not say where they end"
        assert packet.messages == whole.messages[: len(packet.messages)]


def test_the_table_is_by_name_and_an_unknown_name_is_told() -> None:
    assert all(name == row.name and isinstance(row.quiet_ns, int) for name, row in FRAMINGS.items())
    assert framing("moldudp64").parse(mold_end(4)).kind is Kind.END_OF_SESSION
    with pytest.raises(KeyError, match="no framing 'mold'; there are moldudp64"):
        framing("mold")
