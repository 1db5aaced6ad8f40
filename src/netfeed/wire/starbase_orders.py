"""Deribit Starbase order entry: frames of numbered messages over TCP, in both directions.

Source: Deribit, SBE schema 2101 version 16 (semantic version 1.5) and the Starbase documentation (session messages).
Little-endian. Each frame is a header of 32 bytes and one message; frames are aligned to 8 bytes. `messageLength` counts
header, body and padding, as in Starbase's market data; a peer that does not count the padding is read as well.

The header takes the place of SBE's own: there is no block length on the wire, so a body must be what its template says,
give or take the padding, and a frame of another version is not to be guessed at (`proto` refuses it).

Prices are integers of 1e-9. Quantities are Decimal72: a mantissa and its exponent. Codes are handed on as integers;
`starbase_codes` names them.

Leaves out: sequence, time and what messages mean (`proto.starbase_orders`).
"""

from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout
from netfeed.wire.sbe import Data, Group, Row, Schema, UnknownTemplate
from netfeed.wire.starbase_codes import MessageType

SCHEMA_ID: Final = 2101
VERSION: Final = 16
PROTOCOL_ID: Final = 0xDB
IS_RESEND: Final = 1
"""The flag of a frame that was sent before."""
PRICE_EXPONENT: Final = -9
ALIGNMENT: Final = 8
MAX_QUOTES: Final = 15
"""Double-sided quotes of one MassQuote."""
MAX_TEXT: Final = 255
MAX_FRAME: Final = 0xFFFF & -ALIGNMENT

HEADER: Final = Layout("FrameHeader", "<", [
    ("protocolId", "u8"),           # PROTOCOL_ID
    ("flags", "u8"),                # IS_RESEND
    ("messageLength", "u16"),       # with this header
    ("messageTypeId", "u16"),       # MessageType
    ("version", "u16"),             # of the schema
    ("sequenceNumber", "i64"),
    ("lastProcessedSeqNo", "i64"),  # the last of the peer's that was looked at
    ("sendTimeNs", "i64"),          # ns since 1970
])  # fmt: skip

SCHEMA: Final = Schema(
    "Starbase orders",
    schema_id=SCHEMA_ID,
    version=VERSION,
    complete=True,
    dimensions={"groupSizeEncoding": Layout("GroupSize", "<", [("blockLength", "u16"), ("numInGroup", "u16")])},
    types={"price9": "i64", "ns": "i64", "d72": (("mantissa", "i64"), ("exponent", "i8"))},
)

_REASON: Final = (Data("reason"),)
_DETAILS: Final = (Data("details"),)
_EVENT: Final[tuple[Row, ...]] = (
    ("timestamp", "ns"),            # of the matching engine
    ("execId", "i64"),
)  # fmt: skip
_ANSWER: Final[tuple[Row, ...]] = (
    *_EVENT,
    ("clientOrderId", "i64"),
    ("correlationId", "i64"),
    ("orderId", "i64"),
    ("instrumentId", "i64"),
)  # fmt: skip
_STANDING: Final[tuple[Row, ...]] = (
    *_ANSWER,
    ("price", "price9"),
    ("quantity", "d72"),
    ("totalFilled", "d72"),
    ("visibleQty", "d72"),
    ("receiveTime", "ns"),          # at the gateway
)  # fmt: skip
_REFUSAL: Final[tuple[Row, ...]] = (*_ANSWER, ("reason", "i8"))
_FILLS: Final = Group("fills", (("matchId", "i64"), ("fillPrice", "price9"), ("fillQty", "d72")))
_LEGS: Final = Group("legs", (
    ("matchId", "i64"), ("instrumentId", "i64"), ("fillPrice", "price9"), ("fillQty", "d72"), ("legSide", "i8"),
))  # fmt: skip
_SIDE_FILLS: Final[tuple[Row, ...]] = (
    ("matchId", "i64"), ("instrumentId", "i64"), ("fillPrice", "price9"), ("fillQty", "d72"),
)  # fmt: skip


def _triggered(scope: str) -> tuple[Row, ...]:
    return (
        *_EVENT, (scope, "i64"), ("frozenUntil", "ns"), ("quantityLevel", "f64"), ("vegaLevel", "f64"),
        ("deltaLevel", "f64"), ("trigger", "i8"),
    )  # fmt: skip


_Texts = tuple[Data, ...]
_TABLE: Final[tuple[tuple[int, str, tuple[Row, ...], tuple[Group, ...], _Texts], ...]] = (
    (1, "Logon", (
        ("clientId", "c16"),
        ("secret", "c48"),
        ("resetSeqNum", "i8"),
        ("schemaVersion", "u16"),
        ("cancelOnDisconnect", "i8"),
    ), (), ()),
    (2, "LogonConf", (("heartbeatIntervalSeconds", "i32"), ("schemaVersion", "u16")), (), ()),
    (4, "Logout", (), (), _REASON),
    (5, "LoggedOut", (), (), _REASON),
    (10, "Heartbeat", (("correlationId", "i64"),), (), ()),  # 0, or that of the TestRequest that it answers
    (11, "TestRequest", (("correlationId", "i64"),), (), ()),
    (20, "ResendRequest", (("fromSequenceNumber", "i64"), ("toSequenceNumber", "i64")), (), ()),
    (21, "GapFill", (("newSequenceNumber", "i64"),), (), ()),
    (30, "Reject", (("refSequenceNumber", "i64"), ("reason", "i8")), (), _DETAILS),
    (100, "NewOrder", (
        ("clientOrderId", "i64"),
        ("correlationId", "i64"),
        ("instrumentId", "i64"),
        ("price", "price9"),
        ("quantity", "d72"),
        ("showQty", "d72?"),
        ("selfMatchPreventionId", "i64"),
        ("side", "i8"),
        ("timeInForce", "i8"),
        ("flags", "u16"),           # OrderFlags
        ("selfTradingMode", "i8"),
    ), (), ()),
    (110, "Amend", (
        ("clientOrderId", "i64"),
        ("correlationId", "i64"),
        ("instrumentId", "i64"),
        ("price", "price9"),
        ("quantity", "d72"),
        ("showQty", "d72?"),
        ("flags", "u16"),           # OrderFlags, of which POST_ONLY and POST_ONLY_REJECT
    ), (), ()),
    (120, "Cancel", (("clientOrderId", "i64"), ("correlationId", "i64"), ("instrumentId", "i64")), (), ()),
    (125, "CancelById", (("orderId", "i64"), ("correlationId", "i64"), ("instrumentId", "i64")), (), ()),
    (130, "MassQuote", (
        ("quoteId", "i64"),
        ("correlationId", "i64"),
        ("mmpGroupId", "i64"),
        ("selfMatchPreventionId", "i64"),
        ("flags", "u8"),            # bit 0: resetMmp
    ), (
        Group("quotes", (
            ("instrumentId", "i64"),
            ("bidPrice", "price9?"),
            ("askPrice", "price9?"),
            ("bidQty", "d72"),
            ("askQty", "d72"),
            ("bidFlags", "u16"),    # OrderFlags
            ("askFlags", "u16"),
        )),
    ), ()),
    (140, "MassCancel", (
        ("correlationId", "i64"),
        ("currencyPairId", "i64"),
        ("instrumentId", "i64?"),
        ("productType", "i8"),
        ("side", "i8"),
    ), (), ()),
    (145, "MassQuoteCancel", (("correlationId", "i64"), ("mmpGroupId", "i64"), ("side", "i8")), (), ()),
    (155, "MassQuoteMmpStatusRequest", (("correlationId", "i64"), ("mmpGroupId", "i64")), (), ()),
    (156, "OrdersMmpStatusRequest", (("correlationId", "i64"), ("currencyPairId", "i64")), (), ()),
    (200, "NewOrderResponse", (*_STANDING, ("side", "i8"), ("status", "i8"), ("cancelReason", "i8")),
     (_FILLS, _LEGS), ()),
    (202, "NewOrderReject", _REFUSAL, (), _DETAILS),
    (210, "AmendResponse", (*_STANDING, ("status", "i8"), ("cancelReason", "i8")), (_FILLS, _LEGS), ()),
    (212, "AmendReject", _REFUSAL, (), _DETAILS),
    (220, "CancelResponse", (*_ANSWER, ("receiveTime", "ns"), ("quantity", "d72"), ("totalFilled", "d72")), (), ()),
    (222, "CancelReject", (*_ANSWER[:4], ("orderId", "i64?"), ("instrumentId", "i64"), ("reason", "i8")), (),
     _DETAILS),
    (230, "MassQuoteResponse", (
        *_EVENT,
        ("quoteId", "i64"),
        ("correlationId", "i64"),
        ("mmpGroupId", "i64"),
        ("receiveTime", "ns"),
    ), (
        Group("quotes", (
            ("instrumentId", "i64"),
            ("bidOrderId", "i64"),
            ("askOrderId", "i64"),
            ("bidPrice", "price9"),
            ("askPrice", "price9"),
            ("bidQty", "d72"),
            ("askQty", "d72"),
            ("bidFilledQty", "d72"),
            ("askFilledQty", "d72"),
            ("bidStatus", "i8"),    # QuoteStatus
            ("askStatus", "i8"),
            ("bidRejectReason", "i8"),
            ("askRejectReason", "i8"),
        )),
        Group("bidFills", _SIDE_FILLS),
        Group("askFills", _SIDE_FILLS),
        _LEGS,
    ), ()),
    (232, "MassQuoteReject", (
        *_EVENT, ("quoteId", "i64"), ("correlationId", "i64"), ("mmpGroupId", "i64"), ("reason", "i8"),
    ), (), _DETAILS),
    (240, "MassCancelResponse", (
        *_EVENT, ("correlationId", "i64"), ("receiveTime", "ns"), ("totalOrderCount", "i32"),
    ), (), ()),
    (242, "MassCancelReject", (*_EVENT, ("correlationId", "i64"), ("reason", "i8")), (), _DETAILS),
    (280, "MassQuoteMmpStatusResponse", (
        ("timestamp", "ns"), ("correlationId", "i64"), ("mmpGroupId", "i64"), ("frozenUntilTime", "ns?"),
    ), (), ()),
    (281, "MassQuoteMmpStatusReject", (("timestamp", "ns"), ("correlationId", "i64"), ("reason", "i8")), (), ()),
    (282, "OrdersMmpStatusResponse", (
        ("timestamp", "ns"), ("correlationId", "i64"), ("currencyPairId", "i64"), ("frozenUntilTime", "ns?"),
    ), (), ()),
    (283, "OrdersMmpStatusReject", (("timestamp", "ns"), ("correlationId", "i64"), ("reason", "i8")), (), ()),
    (300, "OrderFilled", _EVENT, (
        Group("fills", (
            ("clientOrderId", "i64"),
            ("orderId", "i64"),
            ("instrumentId", "i64"),
            ("matchId", "i64"),
            ("price", "price9"),
            ("fillQty", "d72"),
            ("totalFilled", "d72"),
            ("side", "i8"),
            ("flags", "u8"),        # FillFlags
        )),
        Group("legs", (
            ("matchId", "i64"), ("instrumentId", "i64"), ("price", "price9"), ("fillQty", "d72"), ("legSide", "i8"),
        )),
    ), ()),
    (310, "OrdersCanceled", (*_EVENT, ("flags", "u8")), (  # bit 0: the last message of its event
        Group("orders", (
            ("clientOrderId", "i64"),
            ("orderId", "i64"),
            ("instrumentId", "i64"),
            ("totalFilled", "d72"),
            ("cancelReason", "i8"),
            ("flags", "u8"),        # bit 0: isQuote
        )),
    ), ()),
    (312, "OrderPlaced", (          # left the speed bump
        *_EVENT,
        ("clientOrderId", "i64"),
        ("orderId", "i64"),
        ("instrumentId", "i64"),
        ("price", "price9"),
        ("quantity", "d72"),
        ("totalFilled", "d72"),
        ("visibleQty", "d72"),
        ("status", "i8"),
        ("cancelReason", "i8"),
        ("padding3", "x3"),
        ("correlationId", "i64"),
    ), (_FILLS, _LEGS), ()),
    (314, "MassQuoteOrdersPlaced", (*_EVENT, ("mmpGroupId", "i64")), (
        Group("orders", (
            ("clientOrderId", "i64"),
            ("orderId", "i64"),
            ("instrumentId", "i64"),
            ("price", "price9"),
            ("quantity", "d72"),
            ("totalFilled", "d72"),
            ("visibleQty", "d72"),
            ("side", "i8"),
            ("status", "i8"),
            ("cancelReason", "i8"),
        )),
        Group("fills", (("matchId", "i64"), ("orderId", "i64"), ("fillPrice", "price9"), ("fillQty", "d72"))),
        _LEGS,
    ), ()),
    (320, "MassQuoteMmpTriggered", _triggered("mmpGroupId"), (), ()),
    (322, "OrdersMmpTriggered", _triggered("currencyPairId"), (), ()),
    (324, "MassQuoteMmpUnfrozen", (*_EVENT, ("mmpGroupId", "i64"), ("correlationId", "i64?")), (), ()),
    (326, "OrdersMmpUnfrozen", (*_EVENT, ("currencyPairId", "i64"), ("correlationId", "i64?")), (), ()),
)  # fmt: skip

for _number, _name, _rows, _groups, _texts in _TABLE:
    SCHEMA.template(_number, _name, _rows, groups=_groups, data=_texts)


def frame_size(data: Buffer, offset: int = 0, end: int | None = None) -> int | None:
    """Give the size of the frame that starts at `offset`, None while that cannot be known.

    Units: bytes.
    Raises: WireError for bytes that are no frame, as soon as they can be seen; the stream cannot be followed after it.
    """
    here = (len(data) if end is None else end) - offset
    if here >= 1 and data[offset] != PROTOCOL_ID:
        raise WireError(
            "no Starbase frame", offset=offset, found=f"0x{data[offset]:02x}", wanted=f"0x{PROTOCOL_ID:02x}"
        )
    if here < 4:
        return None
    length = data[offset + 2] | data[offset + 3] << 8
    if length < HEADER.size:
        raise WireError(
            "Starbase frame is shorter than its header",
            offset=offset + 2,
            found=f"{length} bytes",
            wanted=f"{HEADER.size} or more",
        )
    return -(-length // ALIGNMENT) * ALIGNMENT


def decode(frame: Buffer) -> tuple[Any, Any]:
    """Decode one whole frame to the named tuples of its header and its body.

    Raises: UnknownTemplate (a WireError) when the schema does not have the message; WireError when the body is not the
    size of its template, padding allowed.
    """
    header = HEADER.decode(frame)
    return header, decode_body(header, frame)


def decode_body(header: Any, frame: Buffer) -> Any:
    """Decode the body of one whole frame whose header is known. Raises: as `decode`."""
    template = SCHEMA.templates.get(header.messageTypeId)
    if template is None:
        raise UnknownTemplate(
            "Starbase message type is not known", offset=4, found=header.messageTypeId, wanted=sorted(SCHEMA.templates)
        )
    body, end = template.decode(frame, HEADER.size, end=header.messageLength)
    if header.messageLength - end >= ALIGNMENT:
        raise WireError(
            f"Starbase {template.name} is longer than its template",
            offset=end,
            found=f"{header.messageLength - end} bytes more",
            wanted=f"less than {ALIGNMENT} of padding",
        )
    return body


def encode(
    message_type: int, *, sequence: int, last_processed: int = 0, send_time: int = 0, resend: bool = False,
    version: int = VERSION, **fields: Any,
) -> bytes:  # fmt: skip
    """Encode one frame, padded to 8 bytes; optional fields, groups and texts may be left out.

    Units: `send_time` in ns since 1970.
    Raises: MisuseError when the message or a field is not known, or a value does not fit.
    """
    template = SCHEMA.templates.get(message_type)
    if template is None:
        raise MisuseError(f"Starbase message type {message_type} is not one of {sorted(SCHEMA.templates)}")
    body = template.encode(**fields)
    body += bytes(-len(body) % ALIGNMENT)
    header = HEADER.encode(
        PROTOCOL_ID, IS_RESEND * resend, HEADER.size + len(body), int(message_type), version, sequence, last_processed,
        send_time,
    )  # fmt: skip
    return header + body


def resent(frame: bytes) -> bytes:
    """Give a frame as it is sent again: the same, but for its flag."""
    return frame[:1] + bytes([frame[1] | IS_RESEND]) + frame[2:]


ADMINISTRATIVE: Final = frozenset({
    MessageType.LOGON, MessageType.LOGON_CONF, MessageType.LOGOUT, MessageType.LOGGED_OUT, MessageType.HEARTBEAT,
    MessageType.TEST_REQUEST, MessageType.RESEND_REQUEST, MessageType.GAP_FILL,
})  # fmt: skip
"""Messages of the session itself. They are never resent: a GapFill takes their place."""
