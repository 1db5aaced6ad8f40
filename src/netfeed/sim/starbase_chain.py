"""The instruments of a simulated Starbase channel: a perpetual, a dated future and twenty options on BTC.

Source: InstrumentDefinition and IndexDefinition of SBE schema 2102 version 1. Options are quoted in BTC, in steps that
grow with the price; futures in USD. Quantities have the exponent of their instrument.

Invariant: integers only. An option's fair price is its intrinsic value and a time value that falls off linearly with
the distance from the money: no pricing model, but the right order of size and monotone in the strike.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from netfeed.wire import starbase
from netfeed.wire.starbase import InstrumentFlags, InstrumentStatus, InstrumentType, TemplateId

NANO: Final = 10**9
INDEX: Final = 1
INDEXES: Final = {INDEX: ("btc_usd", 90_000 * NANO), 2: ("eth_usd", 3_000 * NANO)}
"""Indexes by id: name, and price at the beginning in 1e-9."""
STRIKES: Final = (80_000, 85_000, 90_000, 95_000, 100_000)
EXPIRIES: Final = (
    # name, expiry in ns since 1970, time value at the money in 1e-9 BTC
    ("27MAR26", 1_774_598_400 * NANO, 31_000_000),
    ("26JUN26", 1_782_460_800 * NANO, 66_000_000),
)
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_AHEAD_DAYS: Final = 14
"""Where those are over, the first expiry is the last Friday of a month that is at least so far away."""
_REACH: Final = 25_000 * NANO
"""So far from the money the time value is gone. Units: 1e-9 USD."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument; `large_tick` holds from the price `threshold` on. `worth` takes the place of the fair price.

    Units: prices in 1e-9, `lot` in 10**`quantity_exponent`.
    """

    id: int
    name: str
    type: InstrumentType
    flags: int
    tick: int
    quantity_exponent: int
    lot: int
    expiry_ns: int | None = None
    strike: int | None = None
    time_value: int = 0
    large_tick: int = 0
    threshold: int = 0
    worth: Callable[[int], int] | None = field(default=None, compare=False, repr=False)

    @property
    def exponents(self) -> tuple[int, int]:
        """Give the exponents of price and quantity."""
        return starbase.PRICE_EXPONENT, self.quantity_exponent

    def step(self, price: int) -> int:
        """Give the distance of two prices at `price`."""
        return self.large_tick if self.large_tick and price >= self.threshold else self.tick

    def on_tick(self, price: int) -> int:
        """Round a price down to one that can be quoted."""
        return price - price % self.step(price)

    def fair(self, index: int) -> int:
        """Give the fair price when the index is at `index`."""
        if self.worth is not None:
            return self.worth(index)
        if self.strike is None:
            return index + (index // 90 if self.expiry_ns else 3 * NANO)
        money = index - self.strike if not self.flags & InstrumentFlags.IS_PUT_OPTION else self.strike - index
        time_value = self.time_value * max(_REACH - abs(money), 0) // _REACH
        return max(money, 0) * NANO // index + time_value


def expiries(at_ns: int = 0) -> tuple[tuple[str, int, int], ...]:
    """Give the expiries of a venue that opens at a time: those of EXPIRIES, or others when the first of them is over.

    Units: ns since 1970. Each is the last Friday of a month at 8:00 UTC, the second a quarter after the first.
    """
    if at_ns < EXPIRIES[0][1]:
        return EXPIRIES
    at = datetime.fromtimestamp(at_ns // NANO, UTC).date() + timedelta(days=_AHEAD_DAYS)
    first = _last_friday(at.year * 12 + at.month - 1)
    first = first if first >= at else _last_friday(at.year * 12 + at.month)
    second = _last_friday(first.year * 12 + first.month + 2)
    return tuple(
        (_name(day), _delivery(day), value) for day, (_, _, value) in zip((first, second), EXPIRIES, strict=True)
    )


def _name(day: date) -> str:
    """Give an expiry's part of a name, as in 27MAR26."""
    return f"{day.day}{_MONTHS[day.month - 1]}{day.year % 100:02}"


def _delivery(day: date) -> int:
    """Give the time of delivery on a day: 8:00 UTC. Units: ns since 1970."""
    return int(datetime(day.year, day.month, day.day, 8, tzinfo=UTC).timestamp()) * NANO


def _last_friday(months: int) -> date:
    """Give the last Friday of a month, which is counted from the year 0."""
    year, month = divmod(months + 1, 12)
    last = date(year, month + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - 4) % 7)


def chain(at_ns: int = 0) -> list[Instrument]:
    """List the instruments of the channel, as of a venue that opens at a time. Units: ns since 1970."""
    dates = expiries(at_ns)
    perpetual = Instrument(
        1001, "BTC-PERPETUAL", InstrumentType.PERP_FUTURE, InstrumentFlags.IS_REVERSED | InstrumentFlags.IS_PERPETUAL,
        NANO // 2, 0, 10,
    )  # fmt: skip
    name, expiry_ns, _ = dates[0]
    future = Instrument(
        1008, f"BTC-{name}", InstrumentType.DATED_FUTURE, InstrumentFlags.IS_REVERSED, 5 * NANO // 2, 0, 10, expiry_ns
    )
    rows = [(expiry, strike, letter) for expiry in dates for strike in STRIKES for letter in "CP"]
    options = [_option(1015 + 7 * place, *row) for place, row in enumerate(rows)]
    return [perpetual, future, *options]


def _option(id_: int, expiry: tuple[str, int, int], strike: int, letter: str) -> Instrument:
    name, expiry_ns, time_value = expiry
    flags = InstrumentFlags.IS_PUT_OPTION if letter == "P" else InstrumentFlags(0)
    return Instrument(
        id_, f"BTC-{name}-{strike}-{letter}", InstrumentType.OPTION, flags, 100_000, -1, 1, expiry_ns, strike * NANO,
        time_value, 500_000, 5_000_000,
    )  # fmt: skip


def definition(instrument: Instrument, time_ns: int, *, halted: bool = False) -> bytes:
    """Encode the definition of an instrument."""
    status = InstrumentStatus.HALTED if halted else InstrumentStatus.OPEN
    large = {"largeTickSize": instrument.large_tick, "thresholdPrice": instrument.threshold}
    return starbase.encode(
        TemplateId.INSTRUMENT_DEFINITION, flags=3, transact_time=time_ns,
        instrumentId=instrument.id, name=instrument.name, indexId=INDEX, underlying="BTC", quantityAsset="BTC",
        priceAsset="BTC" if instrument.strike else "USD", expiryTime=instrument.expiry_ns,
        strikePrice=instrument.strike, minOrderQuantity=instrument.lot, tickSize=instrument.tick,
        quantityExponent=instrument.quantity_exponent, type=instrument.type, flags_=int(instrument.flags),
        status=int(status), largeTickSizes=[large] if instrument.large_tick else [], legs=[],
    )  # fmt: skip


def index_definition(index: int, time_ns: int) -> bytes:
    """Encode the definition of an index."""
    return starbase.encode(
        TemplateId.INDEX_DEFINITION, flags=3, transact_time=time_ns, indexId=index, name=INDEXES[index][0]
    )
