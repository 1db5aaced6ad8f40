"""Nasdaq OUCH 5.0: the messages of order entry, in both directions, with their appendages.

Source: Nasdaq OUCH 5.0 (updated April 2023); what October 2025 has added (appendages of X, M, Q and C, mass cancel,
disabling of entry, their answers, tags 26 to 30) was read second-hand. Big-endian. Prices are integers of 1e-4, times
ns since midnight of the exchange. A letter may mean one thing to the venue and another from it, so both directions are
tables.

    fixed block | [u16 length of the appendage | {u8 length of tag and value, u8 tag, value}...]

Real messages come without the length where the appendage is empty, and with it where the specification of that day
knows none: both are read of every message. What is written has it where the specification of 2023 does, or where there
is something to append.

Invariant: no memory. Tags that are not known are handed on as bytes; a known tag of another size is an error.

Leaves out: the packets around it (`wire.soupbintcp`), and what messages mean (`proto.ouch`).
"""

from collections.abc import Mapping, Sequence
from enum import Enum, IntEnum
from struct import Struct, error
from typing import Any, Final, NamedTuple

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout, size_of

PRICE_EXPONENT: Final = -4
MAX_PRICE: Final = 1_999_999_900
"""199,999.99; what is 200,000.00 or more is an order at the market, for a cross. Units: 1e-4."""
MAX_URN: Final = 2**32 - 1
CLORDID_SIZE: Final = 14


class Way(Enum):
    """Which way a message goes."""

    IN = "to the venue"
    OUT = "from the venue"


class Tag(IntEnum):
    """What may be appended."""

    SECONDARY_ORD_REF_NUM = 1
    FIRM = 2
    MIN_QTY = 3
    CUSTOMER_TYPE = 4
    MAX_FLOOR = 5
    PRICE_TYPE = 6
    PEG_OFFSET = 7
    DISCRETION_PRICE = 9
    DISCRETION_PRICE_TYPE = 10
    DISCRETION_PEG_OFFSET = 11
    POST_ONLY = 12
    RANDOM_RESERVES = 13
    ROUTE = 14
    EXPIRE_TIME = 15
    TRADE_NOW = 16
    HANDLE_INST = 17
    BBO_WEIGHT = 18
    DISPLAY_QTY = 22
    DISPLAY_PRICE = 23
    GROUP_ID = 24
    SHARES_LOCATED = 25
    LOCATE_BROKER = 26
    SIDE = 27
    USER_REF_IDX = 28
    AIQ_STRATEGY = 29
    AIQ_GROUP_ID = 30


_TAGS: Final[Mapping[int, str]] = {
    Tag.SECONDARY_ORD_REF_NUM: "u64", Tag.FIRM: "c4", Tag.MIN_QTY: "u32", Tag.CUSTOMER_TYPE: "c1", Tag.MAX_FLOOR: "u32",
    Tag.PRICE_TYPE: "c1", Tag.PEG_OFFSET: "i32", Tag.DISCRETION_PRICE: "u64", Tag.DISCRETION_PRICE_TYPE: "c1",
    Tag.DISCRETION_PEG_OFFSET: "i32", Tag.POST_ONLY: "c1", Tag.RANDOM_RESERVES: "u32", Tag.ROUTE: "c4",
    Tag.EXPIRE_TIME: "u32", Tag.TRADE_NOW: "c1", Tag.HANDLE_INST: "c1", Tag.BBO_WEIGHT: "c1", Tag.DISPLAY_QTY: "u32",
    Tag.DISPLAY_PRICE: "u64", Tag.GROUP_ID: "u16", Tag.SHARES_LOCATED: "c1", Tag.LOCATE_BROKER: "c4",
    Tag.SIDE: "c1", Tag.USER_REF_IDX: "u8", Tag.AIQ_STRATEGY: "c1", Tag.AIQ_GROUP_ID: "c2",
}  # fmt: skip
_VALUES: Final = {tag: Layout(Tag(tag).name, ">", [("value", kind)]) for tag, kind in _TAGS.items()}

_TYPE: Final = ("message_type", "c1")
_URN: Final = ("user_ref_num", "u32")
_STAMP: Final = (_TYPE, ("timestamp", "u64"))
_OUT: Final = (*_STAMP, _URN)

_MESSAGES: Final = (
    (Way.IN, "O", "EnterOrder", (
        _TYPE, _URN, ("side", "c1"), ("quantity", "u32"), ("symbol", "c8"), ("price", "u64"), ("time_in_force", "c1"),
        ("display", "c1"), ("capacity", "c1"), ("intermarket_sweep", "c1"), ("cross_type", "c1"), ("clordid", "c14"),
    ), True),
    (Way.IN, "U", "ReplaceOrder", (
        _TYPE, ("orig_user_ref_num", "u32"), _URN,
        ("quantity", "u32"),            # all that the order is liable for, with what was executed
        ("price", "u64"), ("time_in_force", "c1"), ("display", "c1"), ("intermarket_sweep", "c1"), ("clordid", "c14"),
    ), True),
    (Way.IN, "X", "CancelOrder", (_TYPE, _URN, ("quantity", "u32")), False),  # the new total; 0: all of it
    (Way.IN, "M", "ModifyOrder", (_TYPE, _URN, ("side", "c1"), ("quantity", "u32")), False),
    (Way.IN, "Q", "AccountQuery", (_TYPE,), False),
    (Way.IN, "C", "MassCancel", (_TYPE, _URN, ("firm", "c4"), ("symbol", "c8")), False),
    (Way.IN, "D", "DisableOrderEntry", (_TYPE, _URN, ("firm", "c4")), False),
    (Way.IN, "E", "EnableOrderEntry", (_TYPE, _URN, ("firm", "c4")), False),
    (Way.OUT, "S", "SystemEvent", (*_STAMP, ("event_code", "c1")), False),
    (Way.OUT, "A", "Accepted", (
        *_OUT, ("side", "c1"), ("quantity", "u32"), ("symbol", "c8"), ("price", "u64"), ("time_in_force", "c1"),
        ("display", "c1"), ("order_reference_number", "u64"), ("capacity", "c1"), ("intermarket_sweep", "c1"),
        ("cross_type", "c1"), ("order_state", "c1"), ("clordid", "c14"),
    ), True),
    (Way.OUT, "U", "Replaced", (
        *_STAMP, ("orig_user_ref_num", "u32"), _URN, ("side", "c1"),
        ("quantity", "u32"),            # what is outstanding
        ("symbol", "c8"), ("price", "u64"), ("time_in_force", "c1"), ("display", "c1"),
        ("order_reference_number", "u64"), ("capacity", "c1"), ("intermarket_sweep", "c1"), ("cross_type", "c1"),
        ("order_state", "c1"), ("clordid", "c14"),
    ), True),
    (Way.OUT, "C", "Canceled", (*_OUT, ("quantity", "u32"), ("reason", "c1")), False),  # so many less
    (Way.OUT, "D", "AiqCanceled", (
        *_OUT, ("decrement_shares", "u32"), ("reason", "c1"), ("quantity_prevented", "u32"), ("execution_price", "u64"),
        ("liquidity_flag", "c1"), ("aiq_strategy", "c1"),
    ), False),
    (Way.OUT, "E", "Executed", (
        *_OUT, ("quantity", "u32"), ("price", "u64"), ("liquidity_flag", "c1"), ("match_number", "u64"),
    ), True),
    (Way.OUT, "B", "BrokenTrade", (*_OUT, ("match_number", "u64"), ("reason", "c1"), ("clordid", "c14")), False),
    (Way.OUT, "J", "Rejected", (*_OUT, ("reason", "u16"), ("clordid", "c14")), False),
    (Way.OUT, "P", "CancelPending", _OUT, False),
    (Way.OUT, "I", "CancelReject", _OUT, False),
    (Way.OUT, "T", "PriorityUpdate", (
        *_OUT, ("price", "u64"), ("display", "c1"), ("order_reference_number", "u64"),
    ), False),
    (Way.OUT, "M", "Modified", (*_OUT, ("side", "c1"), ("quantity", "u32")), False),
    (Way.OUT, "R", "Restated", (*_OUT, ("reason", "c1")), True),
    (Way.OUT, "Q", "QueryResponse", (*_STAMP, ("next_user_ref_num", "u32")), False),
    (Way.OUT, "X", "MassCancelResponse", (*_OUT, ("firm", "c4"), ("symbol", "c8")), False),
    (Way.OUT, "G", "DisableOrderEntryResponse", (*_OUT, ("firm", "c4")), False),
    (Way.OUT, "K", "EnableOrderEntryResponse", (*_OUT, ("firm", "c4")), False),
)  # fmt: skip

LAYOUTS: Final = {(way, kind): Layout(name, ">", rows) for way, kind, name, rows, _ in _MESSAGES}
_APPENDS: Final = frozenset((way, kind) for way, kind, _, _, appends in _MESSAGES if appends)
"""Messages that always have the length of an appendage, as the specification of 2023 has it."""
_LENGTH: Final = Struct(">H")

Tags = Sequence[tuple[int, Any]]


class Message(NamedTuple):
    """One message: its letter, its fixed fields, and what was appended, in its order."""

    kind: str
    fields: Any
    tags: tuple[tuple[int, Any], ...] = ()

    def tag(self, number: int) -> Any:
        """Give the value of a tag, None where it is not there."""
        return next((value for tag, value in self.tags if tag == number), None)


def decode(way: Way, data: Buffer) -> Message:
    """Decode one message.

    Raises: WireError for an unknown type, a wrong length, or an appendage that is none.
    """
    if not len(data):
        raise WireError("OUCH message is empty", offset=0, found="0 bytes", wanted="a type")
    kind = chr(data[0])
    layout = LAYOUTS.get((way, kind))
    if layout is None:
        wanted = "".join(letter for there, letter in LAYOUTS if there is way)
        raise WireError(f"OUCH message type {way.value} is not known", offset=0, found=repr(kind), wanted=wanted)
    return Message(kind, layout.decode(data), _read_appendage(data, layout.size))


def _read_appendage(data: Buffer, at: int) -> tuple[tuple[int, Any], ...]:
    left = len(data) - at
    if not left:
        return ()
    if left < _LENGTH.size or _LENGTH.unpack_from(data, at)[0] != left - _LENGTH.size:
        raise WireError("OUCH appendage has a wrong length", offset=at, found=f"{left} bytes", wanted="0, or 2 and it")
    at += _LENGTH.size
    tags = []
    while at < len(data):
        length = data[at]
        if length < 1 or at + 1 + length > len(data):
            raise WireError("OUCH tag has a wrong length", offset=at, found=length, wanted=f"1 to {len(data) - at - 1}")
        tags.append(_read_tag(data[at + 1], bytes(data[at + 2 : at + 1 + length]), at))
        at += 1 + length
    return tuple(tags)


def _read_tag(tag: int, value: bytes, at: int) -> tuple[int, Any]:
    kind = _TAGS.get(tag)
    if kind is None:
        return tag, value
    if len(value) != size_of(kind):
        raise WireError(f"OUCH tag {tag} has a wrong size", offset=at, found=len(value), wanted=size_of(kind))
    return tag, _VALUES[tag].decode(value).value


def encode(way: Way, kind: str, tags: Tags = (), *, appendage: bool | None = None, **fields: Any) -> bytes:
    """Encode one message. `appendage`: write its length; None: where the message always has it, or there are tags.

    Raises: MisuseError when the type or a field is not known, or a value does not fit.
    """
    layout = LAYOUTS.get((way, kind))
    if layout is None:
        raise MisuseError(f"OUCH has no message {kind!r} {way.value}")
    block = layout.encode(message_type=kind, **fields)
    appends = bool(tags) or ((way, kind) in _APPENDS if appendage is None else appendage)
    if not appends:
        return block
    appended = b"".join(_write_tag(tag, value) for tag, value in tags)
    if len(appended) > 0xFFFF:
        raise MisuseError(f"an OUCH appendage of {len(appended)} bytes is too long")
    return block + _LENGTH.pack(len(appended)) + appended


def _write_tag(tag: int, value: Any) -> bytes:
    layout = _VALUES.get(tag)
    try:
        raw = layout.encode(value) if layout is not None else bytes(value)
        return bytes([len(raw) + 1, tag]) + raw
    except (ValueError, TypeError, error) as wrong:
        raise MisuseError(f"OUCH tag {tag}: {wrong}") from None
