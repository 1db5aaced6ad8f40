"""What a fill costs, by the shares of its contract, rounded up: a fee is never too small here.

The notional is what the contract is about: price times quantity; of an inverse future its quantity over the price; of
an inverse option its coins. That of a linear option is the price of its underlying, which a fill does not say: None.
Caps that venues set on fees of options are left out.
"""

from fractions import Fraction
from typing import Final

from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.exposure import exact

FEE_EXPONENT: Final = -12


def fee(contract: Contract, price: int, quantity: int, *, maker: bool) -> int | None:
    """Give the fee of a fill, negative for a rebate; None where it cannot be known.

    Units: 10**FEE_EXPONENT of the settlement currency.
    """
    share = exact(contract.maker_fee if maker else contract.taker_fee)
    if not share:
        return 0
    notional = _notional(contract, price, quantity)
    return None if notional is None else -(-(notional * share * 10**-FEE_EXPONENT) // 1)


def _notional(contract: Contract, price: int, quantity: int) -> Fraction | None:
    size = Fraction(10) ** contract.quantity_exponent * exact(contract.multiplier) * quantity
    if contract.is_option:
        return size if contract.inverse else None
    at = Fraction(10) ** contract.price_exponent * abs(price)
    if contract.inverse and contract.payoff in (Payoff.FUTURE, Payoff.PERPETUAL):
        return size / at if at else None
    return size * at
