"""How large a fill is for market-maker protection: of the underlying, in delta, in vega."""

from typing import Final

from netfeed.sim.jsonrpc_greeks import LEAST_NS, YEAR_NS, Option
from netfeed.sim.protection import Sizes
from netfeed.sim.starbase_chain import NANO, Instrument
from netfeed.sim.terms import MONEY, Terms
from netfeed.wire.starbase import InstrumentFlags

_NANO_MONEY: Final = MONEY // NANO


def sizes(instrument: Instrument, terms: Terms, signed: int, index: int, now: int) -> Sizes:
    """Give the sizes of a fill, negative for a sale. A future has its amount for a delta, and no vega."""
    quantity = signed * terms.notional(index) // _NANO_MONEY
    if not terms.is_option:
        return Sizes(quantity, quantity / NANO, 0.0)
    years = max((instrument.expiry_ns or 0) - now, LEAST_NS) / YEAR_NS
    call = not instrument.flags & InstrumentFlags.IS_PUT_OPTION
    option = Option(call, index / NANO, terms.strike / NANO, years)
    greeks = option.greeks(option.volatility(instrument.fair(index) / NANO * index / NANO))
    return Sizes(quantity, greeks["delta"] * quantity / NANO, greeks["vega"] * quantity / NANO)
