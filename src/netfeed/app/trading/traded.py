"""What an order session needs of an instrument, whatever its protocol: our number, and how the venue counts it.

    starbase_listing(traded)     Instruments, by the venue's numbers
    ouch_listing(traded)         Stocks, by symbol
    deribit_listing(traded)      Listing, by name

Whoever knows the contracts gives it: the engine from what venues list, the command line from the configuration.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from netfeed.errors import MisuseError
from netfeed.proto import ouch_words, starbase_terms
from netfeed.venues import deribit_order_words


@dataclass(frozen=True, slots=True)
class Traded:
    """One instrument.

    `instrument` is ours, that of its Contract; `venue_id` and `pair` are Starbase's numbers of it and of its currency
    pair. Units: prices and quantities of 10**exponent.
    """

    instrument: int
    name: str
    price_exponent: int
    quantity_exponent: int
    venue_id: int | None = None
    pair: int = 0


def starbase_listing(traded: Iterable[Traded]) -> starbase_terms.Instruments:
    """List them for Starbase. Raises: MisuseError where one has no number, or two the same."""
    return starbase_terms.Instruments(
        starbase_terms.Terms(one.instrument, _number(one), one.price_exponent, one.quantity_exponent, one.pair)
        for one in traded
    )


def ouch_listing(traded: Iterable[Traded]) -> ouch_words.Stocks:
    """List them for OUCH, which counts whole shares. Raises: MisuseError."""
    listed = list(traded)
    if any(one.quantity_exponent for one in listed):
        raise MisuseError("OUCH counts whole shares: give a lot without decimals")
    return ouch_words.Stocks(ouch_words.Terms(one.instrument, one.name, one.price_exponent) for one in listed)


def deribit_listing(traded: Iterable[Traded]) -> deribit_order_words.Listing:
    """List them for Deribit's JSON-RPC. Raises: MisuseError."""
    return deribit_order_words.Listing(
        deribit_order_words.Terms(one.instrument, one.name, one.price_exponent, one.quantity_exponent) for one in traded
    )


def _number(one: Traded) -> int:
    if one.venue_id is None:
        raise MisuseError(
            f"Starbase knows {one.name} by a number, which nobody has said: hear the venue's multicast channel, "
            f"which lists it, or leave its sessions out"
        )
    return one.venue_id
