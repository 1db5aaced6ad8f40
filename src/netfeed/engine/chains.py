"""The instruments of an underlying, by what they say of it: what never expires, the futures, the options by expiry.

Options of one expiry that are paid in coin and those that are paid in the quote currency are chains of their own: their
forwards are one, their prices are not.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.strategy import Fair

Pairs = tuple[tuple[float, Contract, Contract], ...]
"""(strike, call, put)."""


@dataclass(slots=True)
class Chain:
    """The options of one expiry, and the worths that Black gave last: every step starts at those.

    `future`: the one that expires with them. Units: `forward` the value that the worths were last moved to.
    """

    underlying: str
    expiry_ns: int
    inverse: bool
    options: tuple[Contract, ...]
    pairs: Pairs
    future: Contract | None
    bases: dict[int, Fair] = field(default_factory=dict)
    forward: float | None = None
    over: bool = False

    @property
    def key(self) -> tuple[str, int, bool]:
        """Give what names it."""
        return self.underlying, self.expiry_ns, self.inverse

    def years(self, wall_ns: int) -> float:
        """Give the time to its expiry. Units: years of 365 days."""
        return self.options[0].years(wall_ns)


@dataclass(frozen=True, slots=True)
class Underlying:
    """All instruments of one underlying. `spots`: those that never expire, the one to follow first."""

    name: str
    spots: tuple[Contract, ...]
    futures: tuple[Contract, ...]
    chains: tuple[Chain, ...]

    @property
    def movers(self) -> frozenset[int]:
        """Give the instruments whose books move every worth."""
        return frozenset(contract.index for contract in (*self.spots, *self.futures))


def underlyings(contracts: Iterable[Contract]) -> tuple[Underlying, ...]:
    """Sort contracts."""
    by_name: dict[str, list[Contract]] = defaultdict(list)
    for contract in contracts:
        by_name[contract.underlying].append(contract)
    return tuple(_underlying(name, by_name[name]) for name in sorted(by_name))


def _underlying(name: str, contracts: list[Contract]) -> Underlying:
    spots = sorted(
        (one for one in contracts if one.payoff in (Payoff.PERPETUAL, Payoff.SPOT)),
        key=lambda one: (one.payoff is Payoff.SPOT, not one.inverse, one.index),
    )
    futures = tuple(one for one in contracts if one.payoff is Payoff.FUTURE)
    by_expiry: dict[tuple[int, bool], list[Contract]] = defaultdict(list)
    for contract in contracts:
        if contract.is_option and contract.expiry_ns is not None and contract.strike is not None:
            by_expiry[contract.expiry_ns, contract.inverse].append(contract)
    chains = tuple(_chain(name, *at, by_expiry[at], futures) for at in sorted(by_expiry))
    return Underlying(name, tuple(spots), futures, chains)


def _chain(name: str, expiry_ns: int, inverse: bool, options: list[Contract], futures: Iterable[Contract]) -> Chain:
    same = sorted(
        (future for future in futures if future.expiry_ns == expiry_ns),
        key=lambda future: (future.inverse is not inverse, future.index),
    )
    puts = {option.strike: option for option in options if option.payoff is Payoff.PUT}
    pairs = tuple(
        (option.strike, option, puts[option.strike])
        for option in options
        if option.payoff is Payoff.CALL and option.strike is not None and option.strike in puts
    )
    return Chain(name, expiry_ns, inverse, tuple(options), pairs, same[0] if same else None)
