"""Scapy layers: the same values as the codecs, built and dissected, for every message type and real packets."""

import builtins
import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfeed.wire import itch, moldudp64, starbase
from tests.data import recording
from tests.wire.nasdaq_samples import frames, itch_fields, itch_messages, payload

layers: Any = pytest.importorskip("netfeed.wire.scapy_layers", exc_type=ImportError)

from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import Padding, Raw  # noqa: E402

SESSION = b"000010059B"


def values(packet: Any) -> dict[str, Any]:
    """Give the fields of a layer as the codec would, text as `str`."""
    return {
        name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in packet.fields.items()
    }


@pytest.mark.parametrize("code", itch.LAYOUTS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_itch_layer_reads_and_builds_what_the_codec_does(code: str, data: st.DataObject) -> None:
    fields = data.draw(itch_fields(code))
    encoded = itch.LAYOUTS[code].encode(**fields)
    assert values(layers.itch_message(encoded)) == fields
    crafted = {name: value.encode("latin-1") if isinstance(value, str) else value for name, value in fields.items()}
    assert bytes(layers.ITCH[code](**crafted)) == encoded


@pytest.mark.parametrize("code", itch.LAYOUTS)
def test_an_itch_layer_knows_its_own_type(code: str) -> None:
    assert bytes(layers.ITCH[code]()) == code.encode().ljust(11, b"\0") + bytes(layers.ITCH[code]())[11:]
    assert itch.decode(bytes(layers.ITCH[code]())).message_type == code


@pytest.mark.parametrize("wrong", [b"", b"z" + bytes(20), b"D" + bytes(17), b"D" + bytes(19)])
def test_what_is_no_itch_message_stays_raw(wrong: bytes) -> None:
    packet = layers.itch_message(wrong)
    assert type(packet) is Raw
    assert bytes(packet) == wrong


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**64 - 1), st.lists(itch_messages() | st.binary(min_size=1, max_size=9), min_size=1, max_size=4))
def test_a_moldudp64_packet_is_built_and_dissected(sequence: int, messages: list[bytes]) -> None:
    encoded = moldudp64.encode(SESSION, sequence, messages)
    packet = layers.MoldUDP64(encoded)
    assert (packet.session, packet.sequence, packet.count) == (SESSION, sequence, len(messages))
    assert [bytes(block.message) for block in packet.messages] == messages
    blocks = [layers.Block(message=layers.itch_message(message)) for message in messages]
    assert bytes(layers.MoldUDP64(session=SESSION, sequence=sequence, messages=blocks)) == encoded


@pytest.mark.parametrize("encode", [moldudp64.encode_heartbeat, moldudp64.encode_end_of_session])
def test_a_heartbeat_and_the_end_have_no_messages(encode: Callable[[bytes, int], bytes]) -> None:
    packet = layers.MoldUDP64(encode(SESSION, 9))
    assert (packet.sequence, packet.messages) == (9, [])
    assert packet.count == moldudp64.decode(encode(SESSION, 9)).count


def test_a_broken_packet_can_be_looked_at() -> None:
    encoded = moldudp64.encode(SESSION, 1, [b"D" + bytes(18)])
    torn = layers.MoldUDP64(encoded[:-4])
    assert type(torn.messages[0].message) is Raw
    assert bytes(layers.MoldUDP64(encoded + b"tail")[Padding]) == b"tail"


@settings(max_examples=100)
@given(st.sampled_from(["MoldUDP64", "StarbasePacket"]), st.binary(max_size=120), st.integers(0, 3))
def test_any_payload_is_dissected_and_kept(name: str, data: bytes, count: int) -> None:
    layers.bind(26401 + len(name), getattr(layers, name))
    if len(data) >= 24:
        where = 18 if name == "MoldUDP64" else 22
        data = data[:where] + count.to_bytes(2, "big" if name == "MoldUDP64" else "little") + data[where + 2 :]
    datagram = bytes(UDP(sport=9, dport=26401 + len(name)) / Raw(data))
    assert bytes(UDP(datagram)) == datagram


def test_a_bound_port_is_dissected_and_addressed() -> None:
    layers.bind(26400)
    sent = IP(dst="233.252.0.1") / UDP(sport=9) / layers.MoldUDP64(session=SESSION, sequence=5)
    packet = IP(bytes(sent))
    assert packet[UDP].dport == 26400
    assert packet[layers.MoldUDP64].sequence == 5
    answer = IP(bytes(IP(dst="10.0.0.1") / UDP(sport=26400, dport=9) / Raw(bytes(packet[layers.MoldUDP64]))))
    assert answer[layers.MoldUDP64].sequence == 5


def test_real_packets_are_dissected_as_the_codecs_do() -> None:
    layers.bind(26477)
    for frame in frames(recording("nasdaq_packets/itch50/Multiple.Packets.pcap")):
        packet = Ether(frame)[layers.MoldUDP64]
        expected = moldudp64.decode(payload(frame))
        assert (packet.session, packet.sequence, packet.count) == (SESSION, expected.sequence, expected.count)
        for block, message in zip(packet.messages, expected.messages, strict=True):
            assert values(block.message) == itch.decode(message)._asdict()


@pytest.mark.parametrize("number", starbase.SCHEMA.templates)
def test_a_starbase_layer_has_the_size_of_its_template(number: int) -> None:
    template = starbase.SCHEMA.templates[number]
    built = bytes(layers.STARBASE[number]())
    assert len(built) == template.block.size + 4 * len(template.groups)
    nothing = {slot.name: 0 for slot in template.block.slots if not slot.codec.nullable}
    texts = {slot.name: "" for slot in template.block.slots if slot.codec.codes.endswith("s")}
    assert built == template.encode(**(nothing | texts))


DEFINITION = {
    "instrumentId": 7, "name": "BTC-27JUN25-90000-C", "indexId": 1, "underlying": "BTC", "quantityAsset": "BTC",
    "priceAsset": "BTC", "expiryTime": None, "strikePrice": 90_000 * 10**9, "minOrderQuantity": 1, "tickSize": 10**5,
    "quantityExponent": -1, "type": 1, "flags": 1, "status": 0,
    "largeTickSizes": [{"largeTickSize": 5 * 10**5, "thresholdPrice": 5 * 10**6}],
    "legs": [{"legInstrumentId": 8, "ratio": -1}, {"legInstrumentId": 9, "ratio": 2}],
}  # fmt: skip


def starbase_message(number: int, fields: dict[str, Any], flags: int = 0, at: int = 0) -> bytes:
    body = starbase.SCHEMA.templates[number].encode(**fields)
    body += bytes(-len(body) % 8)
    return starbase.MESSAGE_HEADER.encode(16 + len(body), number, 1, flags, at) + body


def test_a_starbase_packet_is_dissected() -> None:
    put = {"orderId": 1, "instrumentId": 7, "quantity": 3, "price": 10**9, "sortOrderId": -4}
    reject = {"retryDelayNanos": 9, "details": "too low", "reason": 1}
    messages = [starbase_message(20, put, 3, 5), starbase_message(10, DEFINITION), starbase_message(202, reject)]
    encoded = starbase.encode_packet(40, messages, channel_id=2, sending_time=11)
    packet = layers.StarbasePacket(encoded)
    assert (packet.sendingTime, packet.seqNum, packet.channelId, packet.type, packet.messageCount) == (11, 40, 2, 1, 3)
    first, second, third = packet.messages
    assert (first.messageLength, first.templateId, first.version, first.flags, first.transactTime) == (56, 20, 1, 3, 5)
    assert values(first.body) == put
    assert (second.body.name_, second.body.strikePrice) == (b"BTC-27JUN25-90000-C", 90_000 * 10**9)
    assert second.body.expiryTime == -(2**63)
    assert [(leg.legInstrumentId, leg.ratio) for leg in second.body.legs] == [(8, -1), (9, 2)]
    assert [tick.thresholdPrice for tick in second.body.largeTickSizes] == [5 * 10**6]
    assert (third.body.details, third.body.reason) == (b"too low", 1)


def test_a_starbase_packet_is_built() -> None:
    body, inner = layers.STARBASE, layers.StarbaseMessage
    legs = [layers.STARBASE_GROUPS["InstrumentDefinition_legs"](legInstrumentId=8, ratio=-1)]
    built = layers.StarbasePacket(
        seqNum=40,
        messages=[
            inner(flags=3, body=body[24](orderId=1, instrumentId=7)),
            inner(body=body[16](instrumentId=7, tradingStatus=5)),
            inner(body=body[10](instrumentId=7, name_=b"BTC", strikePrice=5, legs=legs)),
        ],
    )
    definition: dict[str, Any] = {slot.name: "" for slot in starbase.SCHEMA.templates[10].block.slots}
    definition |= {name: 0 for name, value in DEFINITION.items() if isinstance(value, int)}
    definition |= {"expiryTime": None, "instrumentId": 7, "name": "BTC", "strikePrice": 5}
    expected = [
        starbase_message(24, {"orderId": 1, "instrumentId": 7}, 3),
        starbase_message(16, {"instrumentId": 7, "tradingStatus": 5}),
        starbase_message(10, definition | {"legs": [{"legInstrumentId": 8, "ratio": -1}]}),
    ]
    assert bytes(built) == starbase.encode_packet(40, expected)


def test_a_starbase_body_that_does_not_fit_stays_raw() -> None:
    definition = starbase_message(10, DEFINITION)[16:]
    assert type(layers.starbase_body(10, definition)) is layers.STARBASE[10]
    longer_entries = bytearray(definition)
    longer_entries[260] += 1
    for number, wrong in (
        (9, definition),
        (10, bytes(longer_entries)),
        (10, definition[:200]),
        (10, definition[:262]),
        (24, bytes(15)),
        (24, bytes(24)),
    ):
        packet = layers.starbase_body(number, wrong)
        assert type(packet) is Raw
        assert bytes(packet) == wrong


def test_without_scapy_the_error_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "scapy":
            raise ImportError("No module named 'scapy'")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "netfeed.wire.scapy_layers")
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install netfeed\[scapy\]"):
        importlib.import_module("netfeed.wire.scapy_layers")
