"""Messages in words: the name of each, and its fields with prices as decimals where their exponent is known.

protocol   prices                        quantities
itch50     u32 of 1e-4, u64 of 1e-8      whole shares
starbase   i64 of 1e-9                   by the exponent of the instrument's definition, once that was seen
deribit    doubles, by their shortest decimal
cme        i64 of 1e-7 or 1e-9, by the version
iex        i64 of 1e-4                   whole shares
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from netfeed.feed.framing import Kind, Packet
from netfeed.machine import Buffer
from netfeed.units import decimal_text
from netfeed.wire import cme, deribit, iex, itch, starbase

MAX_INSTRUMENTS: Final = 1 << 16
"""Definitions that are remembered."""

Fields = dict[str, Any]
Described = tuple[str, Fields]

_STARBASE_PRICES: Final = frozenset({
    "indexPrice", "minSellPrice", "maxBuyPrice", "markPrice", "estimatedDeliveryPrice", "deliveryPrice",
    "settlementPrice", "price", "deepestPrice", "fillPrice", "strikePrice", "tickSize", "largeTickSize",
    "thresholdPrice",
})  # fmt: skip
_STARBASE_QUANTITIES: Final = frozenset({"quantity", "totalFilled", "fillQty", "minOrderQuantity"})
_CME_PRICES: Final = frozenset({
    "MDEntryPx", "HighLimitPrice", "LowLimitPrice", "MaxPriceVariation", "MinPriceIncrement", "MinPriceIncrementAmount",
    "DisplayFactor", "UnitOfMeasureQty", "TradingReferencePrice", "StrikePrice", "MinCabPrice", "PriceRatio",
    "LegPrice",
})  # fmt: skip
_IEX_PRICES: Final = frozenset({
    "price", "adjusted_poc_price", "reference_price", "indicative_clearing_price", "auction_book_clearing_price",
    "collar_reference_price", "lower_auction_collar", "upper_auction_collar",
})  # fmt: skip


def _fields(record: Any, exponents: Callable[[str], int | None]) -> Fields:
    """Give the fields of a named tuple, and of those within it."""
    found: Fields = {}
    for name, value in record._asdict().items():
        exponent = exponents(name)
        if isinstance(value, int) and not isinstance(value, bool) and exponent is not None:
            found[name] = decimal_text(value, exponent)
        elif isinstance(value, tuple) and not hasattr(value, "_asdict"):
            found[name] = [_fields(entry, exponents) for entry in value]
        elif hasattr(value, "_asdict"):
            found[name] = _fields(value, exponents)
        elif isinstance(value, bytes):
            found[name] = value.hex()
        elif isinstance(value, float):
            found[name] = repr(value) if value == value and abs(value) != float("inf") else None
        else:
            found[name] = value
    return found


@dataclass(slots=True)
class Describer:
    """Describe messages one after the other; definitions that pass by make later ones clearer."""

    _quantities: dict[int, int] = field(default_factory=dict)

    def message(self, protocol: str, message: Buffer) -> Described:
        """Give the name and the fields of a message.

        Raises: WireError.
        """
        return _DESCRIBE[protocol](self, message)

    def itch50(self, message: Buffer) -> Described:
        record = itch.decode(message)
        return type(record).__name__, _fields(record, itch.EXPONENTS.get)

    def starbase(self, message: Buffer) -> Described:
        header, body = starbase.decode(message)
        number: int = getattr(body, "instrumentId", -1)
        if header.templateId == starbase.TemplateId.INSTRUMENT_DEFINITION and len(self._quantities) < MAX_INSTRUMENTS:
            self._quantities[number] = body.quantityExponent
        quantity = self._quantities.get(number)

        def exponents(name: str) -> int | None:
            if name in _STARBASE_PRICES:
                return starbase.PRICE_EXPONENT
            return quantity if name in _STARBASE_QUANTITIES else None

        head = {"flags": header.flags, "transactTime": header.transactTime}
        return type(body).__name__, {**head, **_fields(body, exponents)}

    def deribit(self, message: Buffer) -> Described:
        _, body = deribit.decode(message)
        return type(body).__name__, _fields(body, lambda name: None)

    def cme(self, message: Buffer) -> Described:
        header, body = cme.decode(message)
        exponent = cme.price_exponent(header.version)
        return type(body).__name__, _fields(body, lambda name: exponent if name in _CME_PRICES else None)

    def iex(self, message: Buffer) -> Described:
        record = iex.decode(message)
        price = iex.PRICE_EXPONENT
        return type(record).__name__, _fields(record, lambda name: price if name in _IEX_PRICES else None)


_DESCRIBE: Final[dict[str, Callable[[Describer, Buffer], Described]]] = {
    "itch50": Describer.itch50, "starbase": Describer.starbase, "deribit": Describer.deribit, "cme": Describer.cme,
    "iex": Describer.iex,
}  # fmt: skip


def packet_name(packet: Packet) -> str:
    """Name a packet that carries no message."""
    return {Kind.HEARTBEAT: "Heartbeat", Kind.END_OF_SESSION: "EndOfSession"}.get(packet.kind, "Packet")


def fields_text(fields: Fields) -> str:
    """Write fields on one line: name=value, groups in brackets; what is absent is left out."""
    return " ".join(f"{name}={_text(value)}" for name, value in fields.items() if value is not None)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_text(entry) for entry in value) + "]"
    if isinstance(value, dict):
        return "{" + fields_text(value) + "}"
    if isinstance(value, str):
        return value if value and value.isprintable() and " " not in value else repr(value)
    return str(value)
