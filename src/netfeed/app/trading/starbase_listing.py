"""Contracts and order terms of what a Starbase channel lists: the definitions that came by multicast.

Source: InstrumentDefinition of SBE schema 2102 version 1. A future or perpetual that is reversed is settled in its
underlying, and a unit of it is one of the quote currency; an option is quoted and settled in its underlying. Fees are
not listed; who knows them gives them.

Leaves out: combinations, and spot.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from netfeed.engine.contract import Contract, Payoff
from netfeed.wire.starbase import PRICE_EXPONENT, InstrumentFlags, InstrumentType

_FUTURES: Final = (InstrumentType.PERP_FUTURE, InstrumentType.DATED_FUTURE)


def contracts(
    definitions: Mapping[int, Any], *, venue: str = "", maker_fee: float = 0.0, taker_fee: float = 0.0
) -> list[Contract]:
    """Make contracts of what is listed, by the number of their books. Units: fees are shares of the notional."""
    fees = {"maker_fee": maker_fee, "taker_fee": taker_fee}
    return [_contract(index, one, venue, fees) for index, one in _traded(definitions)]


def venue_ids(definitions: Mapping[int, Any]) -> dict[int, int]:
    """Give the venue's number of each contract."""
    return {index: one.instrumentId for index, one in _traded(definitions)}


def _traded(definitions: Mapping[int, Any]) -> Iterator[tuple[int, Any]]:
    for index, one in sorted(definitions.items()):
        if one.type in (*_FUTURES, InstrumentType.OPTION):
            yield index, one


def _contract(index: int, one: Any, venue: str, fees: Mapping[str, float]) -> Contract:
    is_option = one.type == InstrumentType.OPTION
    strike = None if not is_option or one.strikePrice is None else one.strikePrice * 10.0**PRICE_EXPONENT
    return Contract(
        index, one.name, _payoff(one), one.underlying, is_option or bool(one.flags & InstrumentFlags.IS_REVERSED),
        PRICE_EXPONENT, one.quantityExponent, one.tickSize, one.minOrderQuantity, strike=strike,
        expiry_ns=one.expiryTime, steps=tuple((row.thresholdPrice, row.largeTickSize) for row in one.largeTickSizes),
        venue=venue, **fees,
    )  # fmt: skip


def _payoff(one: Any) -> Payoff:
    if one.type == InstrumentType.PERP_FUTURE:
        return Payoff.PERPETUAL
    if one.type == InstrumentType.DATED_FUTURE:
        return Payoff.FUTURE
    return Payoff.PUT if one.flags & InstrumentFlags.IS_PUT_OPTION else Payoff.CALL
