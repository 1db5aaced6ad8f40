"""What we hold and what it has brought, by instrument and by currency, in integers of 10**-18 of a currency.

The *value* of a trade is what it costs, negative where it brings money in:

    linear, and options (inverse ones are priced in the coin)   quantity * price * multiplier
    inverse future or perpetual                                 -quantity * multiplier / price

so that what a position gains from entry to exit is value(exit) - value(entry): for an inverse future of N dollars
N * (1/entry - 1/exit), in the coin.

**The one rounding.** The value of a trade is rounded half to even to 10**-18, where it is not a whole number of those:
always exact for linear contracts and options of 18 decimals in all, at most 5e-19 off for an inverse trade. All after
it is integers, and nothing gets lost: at any time

    realised = what flowed in - what flowed out + basis           basis: the cost of what is held, at average

holds exactly. Closing a part takes its share of the basis out, rounded half to even; what that moves between realised
and unrealised comes back when the rest is closed. Fees stand apart, and only those that a venue told.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final

from netfeed.book.execution import Filled
from netfeed.book.level import Side
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.exposure import exact

CASH_EXPONENT: Final = -18
_CASH: Final = 10**18


class Terms:
    """How a contract's trades become cash. `currency`: what it is paid in."""

    __slots__ = ("_numerator", "_unit", "currency", "is_option", "pays_reciprocal")

    def __init__(self, contract: Contract, quote: str) -> None:
        self.currency = contract.underlying if contract.inverse else quote
        self.is_option = contract.is_option
        self.pays_reciprocal = contract.inverse and contract.payoff in (Payoff.FUTURE, Payoff.PERPETUAL)
        size = Fraction(10) ** contract.quantity_exponent * exact(contract.multiplier)
        price = Fraction(10) ** contract.price_exponent
        self._unit = (size / price if self.pays_reciprocal else size * price) * _CASH
        self._numerator = self._unit.numerator if self._unit.denominator == 1 else None

    def value(self, quantity: int, price: int) -> int | None:
        """Give what a trade costs; None when a reciprocal has no value. Units: 10**-18 of the currency."""
        if not self.pays_reciprocal:
            whole = self._numerator
            return quantity * price * whole if whole is not None else round(quantity * price * self._unit)
        return round(-quantity * self._unit / price) if price > 0 else None

    def average(self, quantity: int, basis: int) -> Fraction:
        """Give the price at which so much costs so much. Units: of the contract's integer prices."""
        if self.pays_reciprocal:
            return -quantity * self._unit / basis if basis else Fraction(0)
        return basis / (quantity * self._unit)


class Holding:
    """One instrument. Units: `quantity` signed; all else 10**-18 of its currency; `premium` positive where received."""

    __slots__ = ("basis", "fees", "mark", "premium", "quantity", "realised", "unrealised")

    def __init__(self) -> None:
        self.quantity = self.basis = self.realised = self.unrealised = self.fees = self.premium = 0
        self.mark: int | None = None

    @property
    def net(self) -> int:
        """Give all that it has brought, at its mark and after fees."""
        return self.realised + self.unrealised - self.fees

    def snapshot(self) -> tuple[object, ...]:
        """Give all that is known of it, to compare."""
        return tuple(getattr(self, name) for name in self.__slots__)


class Positions:
    """All instruments. `quote`: the currency that linear contracts are paid in.

    Counted beside: `fees_unknown`, executions whose fee the venue did not tell; `unpriced`, trades whose value cannot
    be (an inverse one at no price, or of a contract that nobody knows): they move the position and no cash.
    """

    def __init__(self, contracts: Mapping[int, Contract], *, quote: str = "USD") -> None:
        self._quote = quote
        self._terms: dict[int, Terms] = {}
        self.know(contracts)
        self._holdings: dict[int, Holding] = {}
        self._nets: Counter[str] = Counter()
        self.fees_unknown = 0
        self.unpriced = 0
        self.unmarked: set[int] = set()
        """Instruments that are held and have no mark: what they have brought is not known."""

    def __getitem__(self, instrument: int) -> Holding:
        """Give what is held of an instrument: nothing, where nothing ever was."""
        return self._holdings.get(instrument) or Holding()

    def __iter__(self) -> Iterator[int]:
        return iter(self._holdings)

    # --- what changes

    def know(self, contracts: Mapping[int, Contract]) -> None:
        """Know of more contracts."""
        self._terms.update({index: Terms(contract, self._quote) for index, contract in contracts.items()})

    def fill(self, fill: Filled) -> None:
        """Take an execution, its fee too. That it is a new one is `Orders`' to know."""
        if fill.fee is None:
            self.fees_unknown += 1
        signed = fill.quantity if fill.side is Side.BID else -fill.quantity
        self.trade(fill.instrument, signed, fill.price, fee=_cash(fill.fee or 0, fill.fee_exponent))

    def trade(self, instrument: int, quantity: int, price: int, *, fee: int = 0) -> None:
        """Buy (or, below 0, sell) so much at a price. Units: `fee` in 10**-18 of the currency."""
        terms, holding = self._terms.get(instrument), self._holdings.setdefault(instrument, Holding())
        before = holding.net
        value = None if terms is None else terms.value(quantity, price)
        if value is None:
            self.unpriced += 1
        _trade(holding, quantity, value or 0)
        holding.fees += fee
        self._look(instrument, holding)
        if terms is not None:
            holding.premium -= (value or 0) if terms.is_option else 0
            _mark(holding, terms)
            self._nets[terms.currency] += holding.net - before

    def settle(self, instrument: int, price: int) -> None:
        """Close what is held at a price: an expiry, without a fee."""
        quantity = self[instrument].quantity
        if quantity:
            self.trade(instrument, -quantity, price)

    def adopt(self, instrument: int, quantity: int, price: int) -> None:
        """Hold what the venue says that we hold; what is missing was traded at this price, as far as we know."""
        missing = quantity - self[instrument].quantity
        if missing:
            self.trade(instrument, missing, price)

    def mark(self, instrument: int, price: int) -> None:
        """Have another price to value what is held at. Units: of the contract's integer prices."""
        terms = self._terms.get(instrument)
        if terms is None:
            return
        holding = self._holdings.setdefault(instrument, Holding())
        before = holding.net
        holding.mark = price
        self._look(instrument, holding)
        _mark(holding, terms)
        self._nets[terms.currency] += holding.net - before

    def _look(self, instrument: int, holding: Holding) -> None:
        if holding.quantity and holding.mark is None:
            self.unmarked.add(instrument)
        else:
            self.unmarked.discard(instrument)

    # --- what is asked

    def net(self, currency: str) -> int:
        """Give all that a currency has brought, at the marks and after fees. Units: 10**-18."""
        return self._nets[currency]

    def currencies(self) -> list[str]:
        """Give the currencies that something was gained or lost in."""
        return list(self._nets)

    def totals(self, currency: str) -> Holding:
        """Give the sums of a currency: realised, unrealised, fees, premium."""
        sums = Holding()
        for instrument, holding in self._holdings.items():
            terms = self._terms.get(instrument)
            if terms is not None and terms.currency == currency:
                for name in ("basis", "realised", "unrealised", "fees", "premium"):
                    setattr(sums, name, getattr(sums, name) + getattr(holding, name))
        return sums

    def average(self, instrument: int) -> Fraction | None:
        """Give the average price of what is held, None where nothing is. Units: of the contract's integer prices."""
        holding, terms = self[instrument], self._terms.get(instrument)
        return terms.average(holding.quantity, holding.basis) if holding.quantity and terms is not None else None

    def snapshot(self) -> dict[int, tuple[object, ...]]:
        """Give all that is known, to compare."""
        return {index: holding.snapshot() for index, holding in self._holdings.items()}


def _trade(holding: Holding, quantity: int, value: int) -> None:
    """Close what is against it first, at the average; what is left opens."""
    held = holding.quantity
    closes = min(abs(held), abs(quantity)) if held * quantity < 0 else 0
    if closes:
        of_value, of_basis = _share(value, closes, abs(quantity)), _share(holding.basis, closes, abs(held))
        holding.realised -= of_value + of_basis
        holding.basis -= of_basis
        value -= of_value
    holding.basis += value
    holding.quantity = held + quantity


def _mark(holding: Holding, terms: Terms) -> None:
    value = None if holding.mark is None else terms.value(holding.quantity, holding.mark)
    holding.unrealised = 0 if value is None else value - holding.basis


def _share(whole: int, part: int, of: int) -> int:
    return whole if part == of else round(Fraction(whole * part, of))


def _cash(amount: int, exponent: int) -> int:
    shift = exponent - CASH_EXPONENT
    return amount * 10**shift if shift >= 0 else round(Fraction(amount, 10**-shift))
