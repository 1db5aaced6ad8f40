"""What positions come to in the underlying: delta, gamma, vega and theta, summed over the instruments that we hold.

    instrument              one unit of quantity is
    option, linear future   its multiplier x what `Fair` says
    inverse future          its multiplier in the quote currency: a delta of multiplier / forward coins, and no gamma

An inverse future's coins change with the price because its notional is a fixed sum of money: long 1 at F and short 1 of
a coin at F are the same in money, to first order. That second order is left out: it is what re-hedging takes care of.
"""

from collections.abc import Mapping

from netfeed.engine.contract import Contract
from netfeed.engine.strategy import Exposure, Fair


def unit_delta(contract: Contract, fair: Fair) -> float:
    """Give what one unit of quantity (as a number) is in the underlying."""
    if contract.inverse and not contract.is_option:
        return contract.multiplier / fair.forward
    return contract.multiplier * fair.delta


def of_position(contract: Contract, fair: Fair, quantity: int) -> Exposure:
    """Give what a position comes to. Units: `quantity` the instrument's, signed."""
    size = contract.size(quantity)
    delta = unit_delta(contract, fair) * size
    if not contract.is_option:
        return Exposure(delta)
    size *= contract.multiplier
    return Exposure(delta, fair.gamma * size, fair.vega * size, fair.theta * size)


def of_positions(
    contracts: Mapping[int, Contract], positions: Mapping[int, int], fairs: Mapping[int, Fair], underlying: str
) -> Exposure:
    """Sum up the positions in an underlying; those whose worth is not known are named, and in no sum."""
    parts, unknown = [], []
    for instrument, quantity in positions.items():
        contract = contracts[instrument]
        if not quantity or contract.underlying != underlying:
            continue
        fair = fairs.get(instrument)
        if fair is None:
            unknown.append(instrument)
        else:
            parts.append(of_position(contract, fair, quantity))
    return Exposure(
        sum(part.delta for part in parts), sum(part.gamma for part in parts),
        sum(part.vega for part in parts), sum(part.theta for part in parts), tuple(unknown),
    )  # fmt: skip
