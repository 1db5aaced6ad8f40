"""Scapy layers of the packets that netfeed reads, for crafting and taking apart by hand.

Every layer is made from the layout tables of its codec, never typed a second time, so the names and offsets are the
specification's. After `bind(26400)` scapy dissects MoldUDP64 in captures:

    >>> from netfeed.wire.scapy_layers import ITCH, Block, MoldUDP64, bind
    >>> bind(26400)
    >>> delete = ITCH["D"](stock_locate=1, order_reference_number=7)
    >>> len(MoldUDP64(session=b"000010059B", sequence=1, messages=[Block(message=delete)]))
    41

Invariant: a message that does not fit its table is left as `Raw`, as scapy leaves a payload that is shorter than its
header, so that a broken packet can be looked at. The strict reader is the codec, and nothing in netfeed's own path
imports this module. A field that scapy's own attributes would hide is called with an underscore: `name_`.

Scapy is GPL and an optional dependency.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from types import new_class
from typing import Any, Final

from netfeed.wire import itch, moldudp64, starbase
from netfeed.wire.layout import Row, size_of
from netfeed.wire.sbe import Body
from netfeed.wire.sbe_block import CODES
from netfeed.wire.sbe_block import Block as SbeBlock

try:
    from scapy.fields import Field, FieldLenField, PacketLenField, PacketListField, StrFixedLenField
    from scapy.layers.inet import UDP
    from scapy.packet import Packet, Raw, bind_bottom_up, bind_layers
except ImportError as error:
    raise ImportError("netfeed.wire.scapy_layers needs scapy: pip install netfeed[scapy]") from error

Layer = type[Packet]


class U48Field(Field[int, int]):
    """Six bytes, big-endian: ITCH's nanoseconds."""

    def __init__(self, name: str, default: int) -> None:
        super().__init__(name, default, ">6s")

    def i2m(self, pkt: Packet | None, x: Any) -> Any:
        """Give the six bytes."""
        return int(x or 0).to_bytes(6, "big")

    def m2i(self, pkt: Packet | None, x: Any) -> int:
        """Read the six bytes."""
        return int.from_bytes(x, "big")


class TextField(StrFixedLenField):
    """Text of a fixed size: padded when it is built, without its padding when it is read."""

    __slots__ = ["pad"]

    def __init__(self, name: str, default: bytes, length: int, pad: bytes) -> None:
        super().__init__(name, default, length=length)
        self.pad = pad

    def m2i(self, pkt: Packet | None, x: bytes) -> bytes:
        """Cut the padding off."""
        return x.rstrip(self.pad)

    def i2m(self, pkt: Packet | None, x: Any) -> bytes:
        """Pad to the field's size."""
        return bytes(super().i2m(pkt, x)).ljust(self.sz, self.pad)


def fields_of(rows: Sequence[Row], order: str, pad: bytes, own: Mapping[str, Any] | None = None) -> list[Any]:
    """Make scapy's fields from the rows of a layout; `own` gives a default, or the field itself, by name."""
    made, at = [], 0
    for name, kind in rows:
        given = (own or {}).get(name)
        made.append(given if isinstance(given, Field) else _field(name or f"skipped_{at}", kind, order, pad, given))
        at += size_of(kind)
    return made


def _field(name: str, kind: str, order: str, pad: bytes, default: Any) -> Any:
    if hasattr(Packet, name):  # scapy's own attribute would hide it
        name += "_"
    if kind == "u48":
        return U48Field(name, default or 0)
    if kind in CODES:
        return Field(name, default or 0, order + CODES[kind])
    if kind[0] == "c":
        return TextField(name, default or b"", size_of(kind), pad)
    return StrFixedLenField(name, default or b"", length=size_of(kind))


def make_layer(name: str, fields: Sequence[Any]) -> Layer:
    """Make a layer from scapy's fields. It takes its own bytes and leaves the rest to whoever holds it."""
    inside = {"name": name, "fields_desc": list(fields), "extract_padding": lambda self, rest: (b"", rest)}
    return new_class(name, (Packet,), {}, lambda body: body.update(inside, __module__=__name__))


ITCH: Final[Mapping[str, Layer]] = {
    code: make_layer(layout.name, fields_of(layout.rows, ">", layout.pad, {"message_type": code.encode()}))
    for code, layout in itch.LAYOUTS.items()
}
"""A layer for every ITCH message type, by its letter."""


def itch_message(message: bytes, **kwargs: Any) -> Packet:
    """Dissect one ITCH message; an unknown type or a wrong size stays `Raw`."""
    size = itch.SIZES[message[0]] if message else 0
    if not size or size != len(message):
        return Raw(message, **kwargs)
    return ITCH[chr(message[0])](message, **kwargs)


Block: Final = make_layer("Block", [
    FieldLenField("length", None, length_of="message", fmt=">H"),
    PacketLenField("message", Raw(), itch_message, length_from=lambda block: block.length),
])  # fmt: skip
"""A message block of MoldUDP64: a length, made when it is not given, and a message."""

MoldUDP64: Final = make_layer("MoldUDP64", [
    *fields_of(moldudp64.HEADER.rows, ">", moldudp64.HEADER.pad, {
        "session": b" " * moldudp64.SESSION_SIZE,
        "count": FieldLenField("count", None, count_of="messages", fmt=">H"),
    }),
    PacketListField("messages", [], Block, count_from=lambda packet: packet.count % moldudp64.END_OF_SESSION),
])  # fmt: skip
"""A MoldUDP64 packet or request; the count is made from the messages when it is not given."""


class TemplateField(Field[Any, int]):
    """The number of a template, made from the body when it is not given."""

    def i2m(self, pkt: Packet | None, x: Any) -> int:
        """Look the body's template up."""
        return int(x if x is not None or pkt is None else _NUMBERS.get(type(pkt.body), 0))


class BodyField(PacketLenField):
    """The body of a Starbase message, padded to 8 bytes when it is built."""

    def m2i(self, pkt: Any, m: bytes) -> Packet:
        """Dissect by the template that the header names."""
        return starbase_body(pkt.templateId, m, _parent=pkt)

    def i2m(self, pkt: Packet | None, i: Any) -> bytes:
        """Build and pad."""
        body = bytes(super().i2m(pkt, i))
        return body + bytes(-len(body) % starbase.ALIGNMENT)

    def i2len(self, pkt: Packet | None, x: Any) -> int:
        """Give the size with the padding."""
        return len(self.i2m(pkt, x))


def _block_fields(block: SbeBlock) -> list[Any]:
    made = []
    for slot in block.slots:
        code, default = slot.codec.codes, slot.codec.write(None)[0]
        kind = f"c{code[:-1]}" if code[-1] == "s" else next(kind for kind in CODES if CODES[kind] == code)
        made.append(_field(slot.name, kind, starbase.SCHEMA.order, b"\0", default))
    return made


def _body_fields(body: Body) -> list[Any]:
    made = _block_fields(body.block)
    for group in body.groups:
        entry = STARBASE_GROUPS[group.body.name] = make_layer(group.body.name, _block_fields(group.body.block))
        count = f"{group.name}_numInGroup"
        made += [
            Field(f"{group.name}_blockLength", group.body.block.size, "<H"),
            FieldLenField(count, None, count_of=group.name, fmt="<H"),
            PacketListField(group.name, [], entry, count_from=attrgetter(count)),
        ]
    return made


STARBASE_GROUPS: Final[dict[str, Layer]] = {}
"""A layer for an entry of every group, by the names of its message and itself: `InstrumentDefinition_legs`."""

STARBASE: Final[Mapping[int, Layer]] = {
    number: make_layer(template.name, _body_fields(template)) for number, template in starbase.SCHEMA.templates.items()
}
"""A layer for the body of every Starbase market data message, by its template."""

_NUMBERS: Final = {body: number for number, body in STARBASE.items()}


def starbase_body(number: int, body: bytes, **kwargs: Any) -> Packet:
    """Dissect the body of one Starbase message; an unknown template or a wrong size stays `Raw`."""
    template = starbase.SCHEMA.templates.get(number)
    if template is None or not _fits(template, body):
        return Raw(body, **kwargs)
    return STARBASE[number](body, **kwargs)


def _fits(template: Body, body: bytes) -> bool:
    at = template.block.size
    for group in template.groups:
        if at + group.dimension.size > len(body):
            return False
        length, count = group.dimension.decode(body, at)
        if length != group.body.block.size:
            return False
        at += group.dimension.size + length * count
    return at <= len(body) < at + starbase.ALIGNMENT


_HEAD: Final = starbase.MESSAGE_HEADER.size

StarbaseMessage: Final = make_layer("StarbaseMessage", [
    *fields_of(starbase.MESSAGE_HEADER.rows, "<", b"\0", {
        "messageLength": FieldLenField(
            "messageLength", None, length_of="body", fmt="<H", adjust=lambda _, size: size + _HEAD
        ),
        "templateId": TemplateField("templateId", None, "<H"),
        "version": starbase.VERSION,
    }),
    BodyField("body", Raw(), Raw, length_from=lambda message: max(0, message.messageLength - _HEAD)),
])  # fmt: skip
"""One Starbase message: its length and template are made from its body when they are not given."""

StarbasePacket: Final = make_layer("StarbasePacket", [
    *fields_of(starbase.PACKET_HEADER.rows, "<", b"\0", {
        "type": int(starbase.PacketType.INCREMENTAL),
        "messageCount": FieldLenField("messageCount", None, count_of="messages", fmt="<H"),
    }),
    PacketListField("messages", [], StarbaseMessage, count_from=attrgetter("messageCount")),
])  # fmt: skip
"""A Starbase packet; the count is made from the messages when it is not given."""


def bind(udp_port: int, layer: Layer = MoldUDP64) -> None:
    """Let scapy dissect (and address) the packets of a UDP port as `layer`; answers from that port as well."""
    bind_layers(UDP, layer, dport=udp_port)
    bind_bottom_up(UDP, layer, sport=udp_port)
