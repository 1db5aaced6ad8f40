"""Deribit's words of orders: instruments, reasons, errors, and the objects of its answers and notifications.

Source: docs.deribit.com (API 2.1.1: private/buy, private/edit, private/mass_quote, user.changes, user.mmp_trigger,
errors). Numbers are exact decimals; a price or an amount that is finer than its instrument's is refused.

Leaves out: trigger orders, orders by implied volatility, combinations, block trades.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from netfeed.book.execution import Ask, Cause
from netfeed.book.level import Side
from netfeed.errors import MisuseError, WireError
from netfeed.units import decimal_text
from netfeed.venues.instrument import whole

MS: Final = 1_000_000
MAX_TEXT: Final = 200

CAUSES: Final[Mapping[str, Cause]] = {
    "user_request": Cause.REQUESTED, "cancel_on_disconnect": Cause.DISCONNECTED, "autoliquidation": Cause.LIQUIDATION,
    "risk_mitigation": Cause.VENUE, "pme_risk_reduction": Cause.VENUE, "pme_account_locked": Cause.VENUE,
    "position_locked": Cause.VENUE, "mmp_trigger": Cause.PROTECTION, "mmp_config_curtailment": Cause.PROTECTION,
    "edit_post_only_reject": Cause.POST_ONLY, "self_trading": Cause.SELF_MATCH, "settlement": Cause.VENUE,
    "oco_other_closed": Cause.OTHER, "oto_primary_closed": Cause.OTHER,
}  # fmt: skip
"""Why an order was cancelled. An order that says nothing of it, and may not rest, ended by its time in force."""
ERRORS: Final[Mapping[int, Cause]] = {
    10002: Cause.QUANTITY, 10003: Cause.SELF_MATCH, 10004: Cause.NOT_FOUND, 10005: Cause.PRICE, 10006: Cause.PRICE,
    10007: Cause.PRICE, 10009: Cause.MARGIN, 10010: Cause.NOT_FOUND, 10011: Cause.PRICE, 10012: Cause.STATE,
    10013: Cause.LIMIT, 10014: Cause.LIMIT, 10015: Cause.LIMIT, 10016: Cause.LIMIT, 10017: Cause.LIMIT,
    10018: Cause.LIMIT, 10019: Cause.VENUE, 10020: Cause.INSTRUMENT, 10021: Cause.QUANTITY, 10022: Cause.QUANTITY,
    10023: Cause.PRICE, 10025: Cause.NOT_FOUND, 10026: Cause.PRICE, 10027: Cause.QUANTITY, 10028: Cause.RATE,
    10029: Cause.NOT_FOUND, 10040: Cause.STATE, 10041: Cause.STATE, 10043: Cause.PRICE, 10047: Cause.RATE,
    10066: Cause.RATE, 11008: Cause.NOT_FOUND, 11044: Cause.NOT_FOUND, 11051: Cause.STATE, 11054: Cause.POST_ONLY,
}  # fmt: skip
THROTTLED: Final = frozenset({10028, 10047, 10066})
DIRECTIONS: Final[Mapping[Side, str]] = {Side.BID: "buy", Side.ASK: "sell"}
SIDES: Final = {word: side for side, word in DIRECTIONS.items()}
MAKERS: Final[Mapping[str, bool]] = {"M": True, "T": False}


@dataclass(frozen=True, slots=True)
class Terms:
    """One instrument as an order session needs it: our number, the venue's name, and what prices and amounts are of."""

    instrument: int
    name: str
    price_exponent: int
    quantity_exponent: int

    def price_out(self, price: int) -> msgspec.Raw:
        """Write a price as a JSON number, digit by digit."""
        return msgspec.Raw(decimal_text(price, self.price_exponent).encode())

    def quantity_out(self, quantity: int) -> msgspec.Raw:
        """Write an amount as a JSON number. Raises: MisuseError when it is none."""
        if quantity < 0:
            raise MisuseError(f"an amount of {quantity} is none")
        return msgspec.Raw(decimal_text(quantity, self.quantity_exponent).encode())

    def price_in(self, price: Decimal) -> int:
        """Read a price. Raises: WireError when it is finer than the instrument's."""
        return whole(price, self.price_exponent)

    def quantity_in(self, amount: Decimal) -> int:
        """Read an amount. Raises: WireError when it is finer than the instrument's."""
        return whole(amount, self.quantity_exponent)


class Listing:
    """The instruments of a session, by our number and by the venue's name."""

    def __init__(self, terms: Iterable[Terms]) -> None:
        listed = list(terms)
        self._ours = {one.instrument: one for one in listed}
        self._names = {one.name: one for one in listed}
        if len(self._ours) != len(listed) or len(self._names) != len(listed):
            raise MisuseError("an instrument is listed twice")

    def ours(self, instrument: int) -> Terms:
        """Find by our number. Raises: MisuseError when it is not listed."""
        if instrument not in self._ours:
            raise MisuseError(f"instrument {instrument} is not one of this session's {len(self._ours)}")
        return self._ours[instrument]

    def knows(self, name: str) -> bool:
        """Say whether an instrument of this name is listed."""
        return name in self._names

    def theirs(self, name: str) -> Terms:
        """Find by name. Raises: WireError when it is not listed."""
        if name not in self._names:
            raise WireError("instrument", offset=0, found=name[:MAX_TEXT], wanted="a listed one")
        return self._names[name]


# --- what is told beside reports


@dataclass(frozen=True, slots=True)
class Puzzling:
    """A message that does not fit what is known; it was counted and dropped."""

    what: str


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What the account is worth in one currency, as the venue sees it."""

    currency: str
    equity: Decimal
    balance: Decimal
    available_funds: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


# --- objects on the wire


class OrderObject(msgspec.Struct):
    """An order. `price` is "market_price" where it has none; `limit` reads it."""

    order_id: str
    instrument_name: str
    direction: str
    order_state: str
    amount: Decimal | None = None
    filled_amount: Decimal = Decimal(0)
    price: msgspec.Raw = msgspec.Raw()
    label: str = ""
    creation_timestamp: int | None = None
    last_update_timestamp: int | None = None
    cancel_reason: str = ""
    time_in_force: str = ""
    quote: bool = False
    quote_id: str | int = ""

    @property
    def limit(self) -> Decimal | None:
        """Give the price, None where the order has none."""
        text = bytes(self.price).decode()
        return Decimal(text) if text[:1].isdigit() or text[:1] == "-" else None


class TradeObject(msgspec.Struct):
    """One of our own executions."""

    trade_id: str
    order_id: str
    instrument_name: str
    direction: str
    price: Decimal
    amount: Decimal
    timestamp: int | None = None
    label: str = ""
    fee: Decimal | None = None
    liquidity: str = ""
    quote_id: str | int | None = None


class Done(msgspec.Struct):
    """The answer to buy, sell and edit."""

    order: OrderObject
    trades: list[TradeObject] = []


class _Error(msgspec.Struct):
    code: int
    message: str = ""


class QuoteError(msgspec.Struct):
    """One side of a quote that was refused."""

    instrument_name: str
    side: str
    error: _Error


class QuotesDone(msgspec.Struct):
    """The detailed answer to mass_quote."""

    orders: list[OrderObject] = []
    trades: list[TradeObject] = []
    errors: list[QuoteError] = []


class Changes(msgspec.Struct):
    """A notification of user.changes."""

    orders: list[OrderObject] = []
    trades: list[TradeObject] = []


class Trigger(msgspec.Struct):
    """A notification of user.mmp_trigger."""

    index_name: str
    frozen_until: int
    mmp_group: str | None = None


class PositionObject(msgspec.Struct):
    """What is held of one instrument; `size` is signed."""

    instrument_name: str
    size: Decimal
    average_price: Decimal | None = None


class PortfolioObject(msgspec.Struct):
    """A notification of user.portfolio."""

    currency: str
    equity: Decimal
    balance: Decimal
    available_funds: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal


class Notification(msgspec.Struct):
    """The params of a subscription's notification."""

    channel: str
    data: msgspec.Raw


def client_id_of(label: str) -> int | None:
    """Read the client id of a label, None where it is none of ours."""
    known = label.isascii() and label.isdigit() and len(label) <= 19 and str(int(label)) == label
    return int(label) if known and int(label) < 2**63 else None


def nanoseconds(milliseconds: int | None) -> int | None:
    """Give a venue's time. Units: from ms to ns; None for what is no time."""
    return milliseconds * MS if milliseconds is not None and 0 < milliseconds < 2**43 else None


def refusal(code: int, message: str) -> tuple[Cause, str]:
    """Give why something was refused, in our word and in the venue's."""
    text = "".join(sign if sign.isprintable() else "?" for sign in message[:MAX_TEXT])
    return ERRORS.get(code, Cause.OTHER), f"{code} {text}".rstrip()


ASKS: Final[Mapping[str, Ask]] = {
    "private/buy": Ask.NEW, "private/sell": Ask.NEW, "private/edit": Ask.AMEND, "private/edit_by_label": Ask.AMEND,
    "private/cancel": Ask.CANCEL, "private/cancel_by_label": Ask.CANCEL, "private/mass_quote": Ask.QUOTE,
    "private/cancel_all": Ask.CANCEL_ALL, "private/cancel_all_by_instrument": Ask.CANCEL_ALL,
    "private/cancel_quotes": Ask.CANCEL_ALL, "private/get_open_orders": Ask.LIST, "private/get_positions": Ask.LIST,
}  # fmt: skip
"""What is asked for by a method."""
