"""What an instrument of a simulated venue pays, exactly: money in integers, every number a rule and none a float.

A position is worth its quantity times `unit(price)`, the worth of one unit of quantity in whole 1e-24 of the
settlement currency. It is rounded there, once, before it is multiplied: so what one side of a trade gains is to the
last digit what the other one loses, however many accounts share it.

    option, spot, linear future   unit = price                  a gain is quantity * (exit - entry)
    inverse future                unit = -1 / price             a gain is quantity / entry - quantity / exit

Futures are `margined`: nothing is paid for them but gains and losses. The premium of an option is paid at the trade.
"""

from dataclasses import dataclass
from typing import Final

from netfeed.engine.contract import Payoff
from netfeed.sim.starbase_chain import Instrument
from netfeed.wire.starbase import PRICE_EXPONENT, InstrumentFlags, InstrumentType

MONEY_EXPONENT: Final = -24
MONEY: Final = 10**-MONEY_EXPONENT
"""One coin."""
FEE_EXPONENT: Final = -12
_FEE: Final = MONEY // 10**-FEE_EXPONENT
MILLION: Final = 1_000_000
"""Fees and margins are out of so many."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one instrument. `inverse`: of a future, that it is settled in what it is about.

    An option is priced and settled in its underlying; prices and strikes in 10**`price_exponent`.
    """

    id: int
    name: str
    payoff: Payoff
    inverse: bool
    currency: str
    price_exponent: int = PRICE_EXPONENT
    quantity_exponent: int = 0
    strike: int = 0
    expiry_ns: int | None = None

    @property
    def is_option(self) -> bool:
        """Say whether it is a call or a put."""
        return self.payoff in (Payoff.CALL, Payoff.PUT)

    @property
    def margined(self) -> bool:
        """Say whether only gains and losses are paid."""
        return self.payoff in (Payoff.PERPETUAL, Payoff.FUTURE)

    def unit(self, price: int) -> int:
        """Give what a unit of quantity is worth at a price, rounded to the nearest. Units: 1e-24 of `currency`."""
        if self.margined and self.inverse:
            return -self._scaled(_power(-self.price_exponent), price)
        return self._scaled(price, _power(-self.price_exponent))

    def notional(self, index: int) -> int:
        """Give how much of `currency` a unit of quantity is about when the index is at `index`. Units: 1e-24."""
        if self.is_option:
            return self._scaled(1, 1)
        return abs(self.unit(index))

    def delivery(self, index: int) -> int:
        """Give the price at which it ends when the index does at `index`."""
        if not self.is_option:
            return index
        money = index - self.strike if self.payoff is Payoff.CALL else self.strike - index
        return max(money, 0) * _power(-self.price_exponent) // index

    def price(self, worth: int, quantity: int) -> int | None:
        """Give the price at which so much quantity has that worth; None for no quantity."""
        if not quantity or not worth:
            return None
        number, one = self._scaled(1, 1) * quantity, _power(-self.price_exponent)
        above, below = (number * one, worth) if self.margined and self.inverse else (worth * one, number)
        return (2 * abs(above) + abs(below)) // (2 * abs(below))

    def _scaled(self, above: int, below: int) -> int:
        """Give so much for a unit of quantity, rounded to the nearest."""
        return (2 * above * _power(self.quantity_exponent - MONEY_EXPONENT) + below) // (2 * below)


@dataclass(frozen=True, slots=True)
class Fees:
    """What a trade costs: shares of the notional out of a million, negative for a rebate.

    An option's fee is at most `cap` of its premium. Source: the form of Deribit's fees; the numbers are the caller's.
    """

    maker: int = 0
    taker: int = 0
    cap: int = 125_000

    def fee(self, terms: Terms, price: int, quantity: int, *, maker: bool) -> int:
        """Give the fee of a fill, rounded up to whole 10**`FEE_EXPONENT`. Units: 1e-24 of the settlement currency."""
        due = quantity * terms.notional(price) * (self.maker if maker else self.taker)
        if terms.is_option:
            due = min(due, quantity * abs(terms.unit(price)) * self.cap)
        return -(-due // (MILLION * _FEE)) * _FEE


def terms_of(instrument: Instrument) -> Terms:
    """Give the terms of an instrument of the simulated chain."""
    inverse, strike = bool(instrument.flags & InstrumentFlags.IS_REVERSED), instrument.strike or 0
    put = instrument.flags & InstrumentFlags.IS_PUT_OPTION
    if instrument.type == InstrumentType.OPTION:
        payoff = Payoff.PUT if put else Payoff.CALL
    else:
        payoff = Payoff.PERPETUAL if instrument.expiry_ns is None else Payoff.FUTURE
    return Terms(
        instrument.id, instrument.name, payoff, inverse, "BTC" if inverse or strike else "USD",
        PRICE_EXPONENT, instrument.quantity_exponent, strike, instrument.expiry_ns,
    )  # fmt: skip


def reported(fee: int) -> int:
    """Give a fee as reports say it. Units: 10**`FEE_EXPONENT`."""
    return fee // _FEE


def _power(exponent: int) -> int:
    """Give a power of ten."""
    power: int = 10**exponent
    return power
