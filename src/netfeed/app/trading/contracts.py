"""Contracts of everything that feeds list, under the numbers that changes bear, and what order sessions call them.

    starbase channel        its definitions, by multicast
    itch50, iex channel     every stock, as SPOT in dollars
    venue (JSON)            what it has answered when it was asked for its instruments

What nobody has defined yet, and combinations, are no contracts.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from netfeed.app.changes import Book
from netfeed.app.engine_configuration import Fees
from netfeed.app.trading import starbase_listing
from netfeed.app.trading.traded import Traded
from netfeed.engine.contract import Contract, Payoff
from netfeed.venues.instrument import Instrument, Kind, Number, Right

_STOCKS: Final = frozenset({"itch50", "iex"})
_KINDS: Final = {Kind.PERPETUAL: Payoff.PERPETUAL, Kind.FUTURE: Payoff.FUTURE, Kind.SPOT: Payoff.SPOT}


@dataclass(frozen=True, slots=True)
class Known:
    """A contract with the book that it is traded on, and what its venue calls it."""

    contract: Contract
    book: Book
    traded: Traded


def known(
    books: Iterable[tuple[int, Book]], venue_of: Mapping[int, str], listed: Mapping[int, Mapping[str, Instrument]],
    fees: Fees, asked: Mapping[str, Mapping[str, Instrument]] | None = None,
) -> Iterator[Known]:  # fmt: skip
    """Give what can be traded of these numbered books.

    `venue_of` and `listed` by the identity of a feed: whose account it is, and what a venue has answered, by name;
    `asked` by a venue that is heard otherwise, too: what it has answered over its other feeds. Fees are taken of that.
    """
    for number, book in books:
        feed: Any = book.feed
        venue = venue_of.get(id(feed))
        of_feed = listed.get(id(feed), {})
        made = None if venue is None else _made(number, book, of_feed)
        if made is not None and venue is not None:
            of_venue = (asked or {}).get(venue, {})
            contract, venue_id = made
            contract = _with_fees(
                replace(contract, venue=venue), fees, of_feed.get(book.name) or of_venue.get(book.name)
            )
            traded = Traded(
                number, contract.name, contract.price_exponent, contract.quantity_exponent, venue_id
            )  # fmt: skip
            yield Known(contract, book, traded)


def once(found: Iterable[Known]) -> list[Known]:
    """Take one of each name of a venue, whichever of its feeds was heard first: the one with the venue's number.

    Sessions that name instruments by number could not trade another.
    """
    chosen: dict[tuple[str, str], Known] = {}
    for one in found:
        key = one.contract.venue, one.contract.name
        if key not in chosen or (chosen[key].traded.venue_id is None and one.traded.venue_id is not None):
            chosen[key] = one
    return list(chosen.values())


def _made(number: int, book: Book, listed: Mapping[str, Instrument]) -> tuple[Contract, int | None] | None:
    feed: Any = book.feed
    definition = getattr(feed, "definitions", {}).get(book.number)
    if definition is not None:
        made = starbase_listing.contracts({number: definition})
        return (made[0], definition.instrumentId) if made else None
    if getattr(feed, "protocol", "") in _STOCKS:
        return _stock(number, book), None
    instrument = listed.get(book.name)
    contract = None if instrument is None else of_instrument(number, instrument)
    return None if contract is None else (contract, None)


def of_instrument(number: int, one: Instrument) -> Contract | None:
    """Make a contract of what a venue lists as JSON; None of a combination."""
    is_option = one.kind is Kind.OPTION
    payoff = (Payoff.CALL if one.right is Right.CALL else Payoff.PUT) if is_option else _KINDS.get(one.kind)
    if payoff is None or (is_option and one.strike is None):
        return None
    size = 1.0 if one.contract is None else _float(one.contract)
    strike = None if one.strike is None else _float(one.strike)
    return Contract(
        number, one.name, payoff, one.base, one.inverse or (is_option and one.settlement == one.base),
        one.price_exponent, one.quantity_exponent, one.tick, one.lot, size, strike, one.expiry_ns,
        tuple((step.above, step.tick) for step in one.steps),
    )  # fmt: skip


def _with_fees(contract: Contract, fees: Fees, listed: Instrument | None) -> Contract:
    """Give a contract its fees: those that were said for its kind, else those that its venue lists, else none."""
    said = fees.options if contract.is_option and fees.options is not None else fees
    maker, taker = (None, None) if listed is None else (listed.maker_fee, listed.taker_fee)
    return replace(contract, maker_fee=_share(said.maker, maker), taker_fee=_share(said.taker, taker))


def _share(said: float | None, listed: Number | None) -> float:
    if said is not None:
        return said
    return 0.0 if listed is None else _float(listed)


def _float(number: Number) -> float:
    """Give the nearest float: 3 * 10.0**-4 is not 0.0003."""
    return float(f"{number.mantissa}e{number.exponent}")


def _stock(number: int, book: Book) -> Contract:
    """A stock: a tick of a cent, a hundredth of one below a dollar (Rule 612)."""
    price_exponent, quantity_exponent = book.exponents
    dollar, cent = 10**-price_exponent, 10 ** -(price_exponent + 2)
    return Contract(
        number, book.name, Payoff.SPOT, book.name, False, price_exponent, quantity_exponent, max(1, cent // 100), 1,
        steps=((dollar, cent),),
    )  # fmt: skip
