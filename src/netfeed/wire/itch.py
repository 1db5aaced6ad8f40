"""TotalView-ITCH 5.0: every message of Nasdaq's order-by-order feed, as tables.

Source: Nasdaq TotalView-ITCH 5.0, revision of 19 February 2026 (J since 2017, h since 2018, O and the imbalance
direction P since 2023, the IPO flag Z since 2026). Integers are unsigned and big-endian; text is padded with spaces
on the right; times are nanoseconds since midnight of the exchange's day. `price`-like fields have four decimals,
those of the market-wide circuit breaker eight: see `EXPONENTS`.

Invariant: a message has exactly the size of its type; codes within a message (sides, states, reasons) are handed on
as they stand, so that a new code does not stop a feed. A new *type* is told apart from a broken message by
`UnknownType`, because the framing carries its length and the feed goes on.

Leaves out: the framing (MoldUDP64, SoupBinTCP, the file) and what the messages do to a book.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from netfeed.errors import MisuseError, WireError
from netfeed.machine import Buffer
from netfeed.wire.layout import Layout, Row

HEADER: Final[tuple[Row, ...]] = (
    ("message_type", "c1"),
    ("stock_locate", "u16"),       # the day's number of the stock; 0 where a message is about the whole market
    ("tracking_number", "u16"),
    ("timestamp", "u48"),          # ns since midnight
)  # fmt: skip
HEADER_SIZE: Final = 11

_ADD: Final[tuple[Row, ...]] = (
    ("order_reference_number", "u64"),
    ("buy_sell_indicator", "c1"),  # B, S
    ("shares", "u32"),
    ("stock", "c8"),
    ("price", "u32"),
)  # fmt: skip

_TABLE: Final[tuple[tuple[str, str, tuple[Row, ...]], ...]] = (
    ("S", "SystemEvent", (
        ("event_code", "c1"),      # O and C: messages begin, end; S and E: system hours; Q and M: market hours
    )),
    ("R", "StockDirectory", (
        ("stock", "c8"),
        ("market_category", "c1"),
        ("financial_status_indicator", "c1"),
        ("round_lot_size", "u32"),
        ("round_lots_only", "c1"),
        ("issue_classification", "c1"),
        ("issue_sub_type", "c2"),
        ("authenticity", "c1"),    # P production, T test
        ("short_sale_threshold_indicator", "c1"),
        ("ipo_flag", "c1"),        # Y, N, Z, blank
        ("luld_reference_price_tier", "c1"),
        ("etp_flag", "c1"),
        ("etp_leverage_factor", "u32"),
        ("inverse_indicator", "c1"),
    )),
    ("H", "StockTradingAction", (
        ("stock", "c8"),
        ("trading_state", "c1"),   # H halted, P paused, Q quotation only, T trading
        ("reserved", "c1"),
        ("reason", "c4"),
    )),
    ("Y", "RegSHORestriction", (
        ("stock", "c8"),
        ("reg_sho_action", "c1"),  # 0 none, 1 intraday drop, 2 remains
    )),
    ("L", "MarketParticipantPosition", (
        ("mpid", "c4"),
        ("stock", "c8"),
        ("primary_market_maker", "c1"),
        ("market_maker_mode", "c1"),
        ("market_participant_state", "c1"),
    )),
    ("V", "MWCBDeclineLevel", (
        ("level_1", "u64"),
        ("level_2", "u64"),
        ("level_3", "u64"),
    )),
    ("W", "MWCBStatus", (
        ("breached_level", "c1"),  # 1, 2, 3
    )),
    ("K", "IPOQuotingPeriodUpdate", (
        ("stock", "c8"),
        ("ipo_quotation_release_time", "u32"),  # seconds since midnight, not nanoseconds
        ("ipo_quotation_release_qualifier", "c1"),
        ("ipo_price", "u32"),
    )),
    ("J", "LULDAuctionCollar", (
        ("stock", "c8"),
        ("auction_collar_reference_price", "u32"),
        ("upper_auction_collar_price", "u32"),
        ("lower_auction_collar_price", "u32"),
        ("auction_collar_extension", "u32"),
    )),
    ("h", "OperationalHalt", (
        ("stock", "c8"),
        ("market_code", "c1"),     # Q, B, X
        ("operational_halt_action", "c1"),
    )),
    ("A", "AddOrder", _ADD),
    ("F", "AddOrderWithMPID", (*_ADD, ("attribution", "c4"))),
    ("E", "OrderExecuted", (
        ("order_reference_number", "u64"),
        ("executed_shares", "u32"),
        ("match_number", "u64"),
    )),
    ("C", "OrderExecutedWithPrice", (
        ("order_reference_number", "u64"),
        ("executed_shares", "u32"),
        ("match_number", "u64"),
        ("printable", "c1"),       # N: a cross will print it, do not count it as volume
        ("execution_price", "u32"),
    )),
    ("X", "OrderCancel", (
        ("order_reference_number", "u64"),
        ("cancelled_shares", "u32"),
    )),
    ("D", "OrderDelete", (
        ("order_reference_number", "u64"),
    )),
    ("U", "OrderReplace", (        # side, stock and attribution are the original order's
        ("original_order_reference_number", "u64"),
        ("new_order_reference_number", "u64"),
        ("shares", "u32"),
        ("price", "u32"),
    )),
    ("P", "Trade", (*_ADD, ("match_number", "u64"))),  # the reference is 0 since 2010, the side B since 2014
    ("Q", "CrossTrade", (
        ("cross_shares", "u64"),
        ("stock", "c8"),
        ("cross_price", "u32"),
        ("match_number", "u64"),
        ("cross_type", "c1"),      # O, C, H
    )),
    ("B", "BrokenTrade", (
        ("match_number", "u64"),
    )),
    ("I", "NetOrderImbalanceIndicator", (
        ("paired_shares", "u64"),
        ("imbalance_shares", "u64"),
        ("imbalance_direction", "c1"),
        ("stock", "c8"),
        ("far_price", "u32"),
        ("near_price", "u32"),
        ("current_reference_price", "u32"),
        ("cross_type", "c1"),      # O, C, H, A
        ("price_variation_indicator", "c1"),
    )),
    ("N", "RetailPriceImprovementIndicator", (
        ("stock", "c8"),
        ("interest_flag", "c1"),
    )),
    ("O", "DirectListingWithCapitalRaise", (
        ("stock", "c8"),
        ("open_eligibility_status", "c1"),
        ("minimum_allowable_price", "u32"),
        ("maximum_allowable_price", "u32"),
        ("near_execution_price", "u32"),
        ("near_execution_time", "u64"),
        ("lower_price_range_collar", "u32"),
        ("upper_price_range_collar", "u32"),
    )),
)  # fmt: skip

LAYOUTS: Final[Mapping[str, Layout]] = MappingProxyType(
    {code: Layout(name, ">", (*HEADER, *body)) for code, name, body in _TABLE}
)
"""The layout of every message type, by its letter."""

BY_TYPE: Final[tuple[Layout | None, ...]] = tuple(LAYOUTS.get(chr(code)) for code in range(256))
"""The layouts again, by the byte that stands first in a message; None where no type is known."""

SIZES: Final[tuple[int, ...]] = tuple(layout.size if layout else 0 for layout in BY_TYPE)
"""The size of a message by its first byte, 0 where no type is known. Units: bytes, with the type."""

_PRICE4: Final = (
    "price", "execution_price", "cross_price", "ipo_price", "far_price", "near_price", "current_reference_price",
    "auction_collar_reference_price", "upper_auction_collar_price", "lower_auction_collar_price",
    "auction_collar_extension", "minimum_allowable_price", "maximum_allowable_price", "near_execution_price",
    "lower_price_range_collar", "upper_price_range_collar",
)  # fmt: skip
_PRICE8: Final = ("level_1", "level_2", "level_3")

PRICE_EXPONENT: Final = -4
EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys(_PRICE4, PRICE_EXPONENT) | dict.fromkeys(_PRICE8, -8)
)
"""The decimal exponent of every field that is a price."""


class UnknownType(WireError):
    """The message is of a type that this revision does not have; its neighbours are not affected."""


def known(message_type: int) -> bool:
    """Say whether the first byte of a message names a type of this revision."""
    return 0 <= message_type < 256 and SIZES[message_type] != 0


def decode(message: Buffer) -> Any:
    """Decode one message to a named tuple of its layout.

    Raises: UnknownType (a WireError) for a type that is not in `LAYOUTS`; WireError when the message is empty or does
    not have the size of its type.
    """
    if not len(message):
        raise WireError("ITCH message is empty", offset=0, found="0 bytes", wanted="a message type")
    layout = BY_TYPE[message[0]]
    if layout is None:
        raise UnknownType(
            "ITCH message type is not known", offset=0, found=f"0x{message[0]:02x}", wanted="".join(LAYOUTS)
        )
    if len(message) != layout.size:
        raise WireError(
            f"ITCH {layout.name} has the wrong size",
            offset=0,
            found=f"{len(message)} bytes",
            wanted=f"{layout.size} bytes",
        )
    return layout.decode(message)


def encode(message_type: str, **fields: Any) -> bytes:
    """Encode a message from all its fields but the type.

    Raises: MisuseError when the type is not known, a field is missing or unknown, or a value does not fit.
    """
    layout = LAYOUTS.get(message_type)
    if layout is None:
        raise MisuseError(f"ITCH message type {message_type!r} is not one of {''.join(LAYOUTS)}")
    return layout.encode(message_type=message_type, **fields)
