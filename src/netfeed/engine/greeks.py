"""What positions come to in the underlying: delta, gamma, vega and theta, summed over the instruments that we hold.

    instrument              one unit of quantity is
    option, linear future   its multiplier x what `Fair` says
    inverse future          its multiplier in the quote currency: a delta of multiplier / forward coins, and no gamma

What is settled in coin has a delta of F dP/dF, P its price or its gain in coin: what it earns in coin when the forward
moves by a share of itself. Of an option that is the net delta, of an inverse future multiplier / forward. That the
latter falls as the forward rises is left out of gamma: the next decision sees it.
"""

from collections.abc import Mapping

from netfeed.engine.contract import Contract
from netfeed.engine.strategy import Fair, Greeks


def unit_delta(contract: Contract, fair: Fair) -> float:
    """Give what one unit of quantity (as a number) is in the underlying."""
    if contract.inverse and not contract.is_option:
        return contract.multiplier / fair.forward
    return contract.multiplier * fair.delta


def of_position(contract: Contract, fair: Fair, quantity: int) -> Greeks:
    """Give what a position comes to. Units: `quantity` the instrument's, signed."""
    size = contract.size(quantity)
    delta = unit_delta(contract, fair) * size
    if not contract.is_option:
        return Greeks(delta)
    size *= contract.multiplier
    return Greeks(delta, fair.gamma * size, fair.vega * size, fair.theta * size)


def of_positions(
    contracts: Mapping[int, Contract], positions: Mapping[int, int], fairs: Mapping[int, Fair], underlying: str
) -> Greeks:
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
    return Greeks(
        sum(part.delta for part in parts), sum(part.gamma for part in parts),
        sum(part.vega for part in parts), sum(part.theta for part in parts), tuple(unknown),
    )  # fmt: skip
