"""The codes of Starbase order entry: what the integers in its messages mean.

Source: Deribit, SBE schema 2101 version 16. A code that is not here is handed on as the integer that it is.
"""

from enum import IntEnum, IntFlag
from typing import Final

NO_CODE: Final = -128
"""SBE's null of an i8: nothing was refused, nothing was cancelled."""


class MessageType(IntEnum):
    LOGON = 1
    LOGON_CONF = 2
    LOGOUT = 4
    LOGGED_OUT = 5
    HEARTBEAT = 10
    TEST_REQUEST = 11
    RESEND_REQUEST = 20
    GAP_FILL = 21
    REJECT = 30
    NEW_ORDER = 100
    AMEND = 110
    CANCEL = 120
    CANCEL_BY_ID = 125
    MASS_QUOTE = 130
    MASS_CANCEL = 140
    MASS_QUOTE_CANCEL = 145
    MASS_QUOTE_MMP_STATUS_REQUEST = 155
    ORDERS_MMP_STATUS_REQUEST = 156
    NEW_ORDER_RESPONSE = 200
    NEW_ORDER_REJECT = 202
    AMEND_RESPONSE = 210
    AMEND_REJECT = 212
    CANCEL_RESPONSE = 220
    CANCEL_REJECT = 222
    MASS_QUOTE_RESPONSE = 230
    MASS_QUOTE_REJECT = 232
    MASS_CANCEL_RESPONSE = 240
    MASS_CANCEL_REJECT = 242
    MASS_QUOTE_MMP_STATUS_RESPONSE = 280
    MASS_QUOTE_MMP_STATUS_REJECT = 281
    ORDERS_MMP_STATUS_RESPONSE = 282
    ORDERS_MMP_STATUS_REJECT = 283
    ORDER_FILLED = 300
    ORDERS_CANCELED = 310
    ORDER_PLACED = 312
    MASS_QUOTE_ORDERS_PLACED = 314
    MASS_QUOTE_MMP_TRIGGERED = 320
    ORDERS_MMP_TRIGGERED = 322
    MASS_QUOTE_MMP_UNFROZEN = 324
    ORDERS_MMP_UNFROZEN = 326


class SessionRejectReason(IntEnum):
    """Why the gateway could not read a message."""

    INVALID_SCHEMA_ID = 1
    INVALID_TEMPLATE_ID = 2
    INVALID_BLOCK_LENGTH = 3
    INVALID_FIELD_VALUE = 4
    MESSAGE_DISABLED = 5


class OrderSide(IntEnum):
    SELL = -1
    BOTH = 0  # of what is to be cancelled
    BUY = 1


class OrderTime(IntEnum):
    """How long an order rests; above 0: so many days."""

    IOC = -2
    FOK = -1
    GTC = 0
    DAY = 1


class OrderFlags(IntFlag):
    CANCEL_ON_DISCONNECT = 1
    POST_ONLY = 2
    POST_ONLY_REJECT = 4
    MARKET_LIMIT = 8
    MMP = 16
    RESET_MMP = 32


class OrderStatus(IntEnum):
    ACTIVE = 1
    FILLED = 2
    CANCELED = 3
    QUEUED = 4  # in the speed bump


class QuoteStatus(IntEnum):
    INACTIVE = 0
    UNMODIFIED = 1
    QTY_REDUCED = 2
    UPDATED = 3
    FILLED = 4
    CANCELED_BY_REQUEST = 5  # or because its update was refused
    CANCELED_BY_MMP = 6
    CANCELED_BY_SELF_MATCH = 7
    SPEED_BUMPED = 8


class CancelReason(IntEnum):
    UNKNOWN = 0
    SELF_MATCH_PREVENTION = 1
    TIME_IN_FORCE = 2
    ADMIN = 3
    MM_PROTECTION = 4
    LIQUIDATION = 5
    MARKET_STATE_TRANSITION = 6
    CLIENT_DISCONNECT = 7
    REDUCE_ONLY = 8
    DELIVERED = 9
    SETTLEMENT = 10
    BOOK_DEACTIVATED = 11
    BY_REQUEST = 12
    RISK_CHECK_TIMED_OUT = 13
    MMP_GROUP_DELETED = 14
    PORTFOLIO_LOCKED = 15
    POST_ONLY = 16
    QTY_TICK_SIZE_RESCALE = 17


class OrderRejectReason(IntEnum):
    """Why a new order, an amendment or one side of a quote was refused."""

    SYSTEM_ERROR = 0
    INVALID_INSTRUMENT = 1
    INVALID_FIELD = 2
    INSUFFICIENT_MARGIN = 3
    DUPLICATE_CLIENT_ORDER_ID = 4
    INVALID_QUANTITY = 5
    INVALID_PRICE = 6
    NOT_ALLOWED_BY_MARKET_STATE = 7
    POST_ONLY = 8
    TOO_MANY_OPEN_ORDERS = 9
    PERMISSION_ERROR = 10
    PORTFOLIO_NOT_FOUND = 11
    ORDER_NOT_FOUND = 12
    MMP_NOT_CONFIGURED = 13
    MMP_MAX_QUOTE_QTY_EXCEEDED = 14
    MMP_GROUP_FROZEN = 15
    INVALID_MARGIN_MODE = 16
    IN_LIQUIDATION = 17
    RISK_CHECK_TIMED_OUT = 18
    TOO_MANY_PENDING_REPLACES = 19
    ICEBERG_NOT_ALLOWED = 20
    INVALID_ALLOCATIONS = 21
    PRICE_TOO_HIGH = 22
    PRICE_TOO_LOW = 23
    PRICE_BAND_UNAVAILABLE = 24
    RATE_LIMIT = 25
    PORTFOLIO_LOCKED = 26
    POSITION_LIMIT_EXCEEDED = 27
    ORDER_SIZE_LIMIT_EXCEEDED = 28
    MEMBER_SPEED_BUMP_LIMIT_EXCEEDED = 29


class CancelRejectReason(IntEnum):
    ERROR = 0
    UNKNOWN_ORDER = 1
    CLIENT_PERMISSION_ERROR = 2
    NOT_ALLOWED_BY_MARKET_STATE = 3
    CANCEL_PENDING = 4
    IN_LIQUIDATION = 5
    INVALID_INSTRUMENT = 6
    TIME_IN_FORCE = 7
    SPEED_BUMP_CONVERTED_TO_IOC = 8


class MassQuoteRejectReason(IntEnum):
    SYSTEM_ERROR = 0
    INVALID_MMP_GROUP = 1
    MMP_GROUP_DISABLED = 2
    MMP_GROUP_FROZEN = 3
    TOO_MANY_QUOTES = 4
    INVALID_INSTRUMENT = 5
    RATE_LIMIT = 6
    PORTFOLIO_LOCKED = 7
    DUPLICATE_INSTRUMENT = 8


class MassCancelRejectReason(IntEnum):
    ERROR = 0
    INVALID_MMP_GROUP = 1
    CLIENT_PERMISSION_ERROR = 2
    NOT_ALLOWED_BY_MARKET_STATE = 3


class FillFlags(IntFlag):
    IS_QUOTE = 1
    IS_FULLY_FILLED = 2


class Trigger(IntEnum):
    """Which limit of the market-maker protection was breached."""

    QUANTITY = 0
    DELTA = 1
    VEGA = 2
