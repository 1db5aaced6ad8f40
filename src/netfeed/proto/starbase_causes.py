"""Starbase's reasons in the words that all venues share, and back.

Source: Deribit, SBE schema 2101 version 16: CancelReason, OrderRejectReason, CancelOrderRejectReason,
MassQuoteRejectReason, MassCancelRejectReason. Many of them are one of ours; the way back takes the plainest. A code
that is not known is OTHER, and its number stands in `venue_reason`.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from netfeed.book.execution import Cause
from netfeed.wire.starbase_codes import (
    CancelReason,
    CancelRejectReason,
    MassCancelRejectReason,
    MassQuoteRejectReason,
    OrderRejectReason,
)

_C: Final = CancelReason
CANCELED: Final[Mapping[int, Cause]] = {
    _C.UNKNOWN: Cause.OTHER, _C.SELF_MATCH_PREVENTION: Cause.SELF_MATCH, _C.TIME_IN_FORCE: Cause.TIME_IN_FORCE,
    _C.ADMIN: Cause.VENUE, _C.MM_PROTECTION: Cause.PROTECTION, _C.LIQUIDATION: Cause.LIQUIDATION,
    _C.MARKET_STATE_TRANSITION: Cause.VENUE, _C.CLIENT_DISCONNECT: Cause.DISCONNECTED, _C.REDUCE_ONLY: Cause.QUANTITY,
    _C.DELIVERED: Cause.VENUE, _C.SETTLEMENT: Cause.VENUE, _C.BOOK_DEACTIVATED: Cause.VENUE,
    _C.BY_REQUEST: Cause.REQUESTED, _C.RISK_CHECK_TIMED_OUT: Cause.VENUE, _C.MMP_GROUP_DELETED: Cause.PROTECTION,
    _C.PORTFOLIO_LOCKED: Cause.VENUE, _C.POST_ONLY: Cause.POST_ONLY, _C.QTY_TICK_SIZE_RESCALE: Cause.VENUE,
}  # fmt: skip
CANCELED_BACK: Final[Mapping[Cause, int]] = {
    Cause.REQUESTED: _C.BY_REQUEST, Cause.TIME_IN_FORCE: _C.TIME_IN_FORCE, Cause.VENUE: _C.ADMIN,
    Cause.SELF_MATCH: _C.SELF_MATCH_PREVENTION, Cause.PROTECTION: _C.MM_PROTECTION, Cause.POST_ONLY: _C.POST_ONLY,
    Cause.DISCONNECTED: _C.CLIENT_DISCONNECT, Cause.LIQUIDATION: _C.LIQUIDATION, Cause.QUANTITY: _C.REDUCE_ONLY,
}  # fmt: skip

_R: Final = OrderRejectReason
REFUSED: Final[Mapping[int, Cause]] = {
    _R.SYSTEM_ERROR: Cause.OTHER, _R.INVALID_INSTRUMENT: Cause.INSTRUMENT, _R.INVALID_FIELD: Cause.OTHER,
    _R.INSUFFICIENT_MARGIN: Cause.MARGIN, _R.DUPLICATE_CLIENT_ORDER_ID: Cause.DUPLICATE,
    _R.INVALID_QUANTITY: Cause.QUANTITY, _R.INVALID_PRICE: Cause.PRICE, _R.NOT_ALLOWED_BY_MARKET_STATE: Cause.STATE,
    _R.POST_ONLY: Cause.POST_ONLY, _R.TOO_MANY_OPEN_ORDERS: Cause.LIMIT, _R.PERMISSION_ERROR: Cause.OTHER,
    _R.PORTFOLIO_NOT_FOUND: Cause.OTHER, _R.ORDER_NOT_FOUND: Cause.NOT_FOUND, _R.MMP_NOT_CONFIGURED: Cause.PROTECTION,
    _R.MMP_MAX_QUOTE_QTY_EXCEEDED: Cause.PROTECTION, _R.MMP_GROUP_FROZEN: Cause.PROTECTION,
    _R.INVALID_MARGIN_MODE: Cause.MARGIN, _R.IN_LIQUIDATION: Cause.LIQUIDATION, _R.RISK_CHECK_TIMED_OUT: Cause.VENUE,
    _R.TOO_MANY_PENDING_REPLACES: Cause.RATE, _R.ICEBERG_NOT_ALLOWED: Cause.OTHER, _R.INVALID_ALLOCATIONS: Cause.OTHER,
    _R.PRICE_TOO_HIGH: Cause.PRICE, _R.PRICE_TOO_LOW: Cause.PRICE, _R.PRICE_BAND_UNAVAILABLE: Cause.STATE,
    _R.RATE_LIMIT: Cause.RATE, _R.PORTFOLIO_LOCKED: Cause.VENUE, _R.POSITION_LIMIT_EXCEEDED: Cause.LIMIT,
    _R.ORDER_SIZE_LIMIT_EXCEEDED: Cause.LIMIT, _R.MEMBER_SPEED_BUMP_LIMIT_EXCEEDED: Cause.LIMIT,
}  # fmt: skip
REFUSED_BACK: Final[Mapping[Cause, int]] = {
    Cause.INSTRUMENT: _R.INVALID_INSTRUMENT, Cause.MARGIN: _R.INSUFFICIENT_MARGIN, Cause.STATE:
    _R.NOT_ALLOWED_BY_MARKET_STATE, Cause.DUPLICATE: _R.DUPLICATE_CLIENT_ORDER_ID, Cause.QUANTITY: _R.INVALID_QUANTITY,
    Cause.PRICE: _R.INVALID_PRICE, Cause.POST_ONLY: _R.POST_ONLY, Cause.NOT_FOUND: _R.ORDER_NOT_FOUND,
    Cause.PROTECTION: _R.MMP_GROUP_FROZEN, Cause.LIQUIDATION: _R.IN_LIQUIDATION, Cause.RATE: _R.RATE_LIMIT,
    Cause.LIMIT: _R.POSITION_LIMIT_EXCEEDED, Cause.VENUE: _R.PORTFOLIO_LOCKED,
}  # fmt: skip

_X: Final = CancelRejectReason
NOT_CANCELED: Final[Mapping[int, Cause]] = {
    _X.ERROR: Cause.OTHER, _X.UNKNOWN_ORDER: Cause.NOT_FOUND, _X.CLIENT_PERMISSION_ERROR: Cause.OTHER,
    _X.NOT_ALLOWED_BY_MARKET_STATE: Cause.STATE, _X.CANCEL_PENDING: Cause.STATE, _X.IN_LIQUIDATION: Cause.LIQUIDATION,
    _X.INVALID_INSTRUMENT: Cause.INSTRUMENT, _X.TIME_IN_FORCE: Cause.TIME_IN_FORCE,
    _X.SPEED_BUMP_CONVERTED_TO_IOC: Cause.STATE,
}  # fmt: skip
NOT_CANCELED_BACK: Final[Mapping[Cause, int]] = {
    Cause.NOT_FOUND: _X.UNKNOWN_ORDER, Cause.STATE: _X.NOT_ALLOWED_BY_MARKET_STATE,
    Cause.LIQUIDATION: _X.IN_LIQUIDATION, Cause.INSTRUMENT: _X.INVALID_INSTRUMENT,
    Cause.TIME_IN_FORCE: _X.TIME_IN_FORCE,
}  # fmt: skip

_Q: Final = MassQuoteRejectReason
NOT_QUOTED: Final[Mapping[int, Cause]] = {
    _Q.SYSTEM_ERROR: Cause.OTHER, _Q.INVALID_MMP_GROUP: Cause.PROTECTION, _Q.MMP_GROUP_DISABLED: Cause.PROTECTION,
    _Q.MMP_GROUP_FROZEN: Cause.PROTECTION, _Q.TOO_MANY_QUOTES: Cause.LIMIT, _Q.INVALID_INSTRUMENT: Cause.INSTRUMENT,
    _Q.RATE_LIMIT: Cause.RATE, _Q.PORTFOLIO_LOCKED: Cause.VENUE, _Q.DUPLICATE_INSTRUMENT: Cause.DUPLICATE,
}  # fmt: skip
NOT_QUOTED_BACK: Final[Mapping[Cause, int]] = {
    Cause.PROTECTION: _Q.MMP_GROUP_FROZEN, Cause.LIMIT: _Q.TOO_MANY_QUOTES, Cause.INSTRUMENT: _Q.INVALID_INSTRUMENT,
    Cause.RATE: _Q.RATE_LIMIT, Cause.VENUE: _Q.PORTFOLIO_LOCKED, Cause.DUPLICATE: _Q.DUPLICATE_INSTRUMENT,
}  # fmt: skip

_M: Final = MassCancelRejectReason
NOT_ALL_CANCELED: Final[Mapping[int, Cause]] = {
    _M.ERROR: Cause.OTHER, _M.INVALID_MMP_GROUP: Cause.PROTECTION, _M.CLIENT_PERMISSION_ERROR: Cause.OTHER,
    _M.NOT_ALLOWED_BY_MARKET_STATE: Cause.STATE,
}  # fmt: skip
NOT_ALL_CANCELED_BACK: Final[Mapping[Cause, int]] = {
    Cause.PROTECTION: _M.INVALID_MMP_GROUP, Cause.STATE: _M.NOT_ALLOWED_BY_MARKET_STATE,
}  # fmt: skip


def named(kind: type[IntEnum], code: int, details: str = "") -> str:
    """Give the venue's own word for a reason, with what it says beside it."""
    word = kind(code).name if code in kind._value2member_map_ else str(code)
    return f"{word}: {details}" if details else word
