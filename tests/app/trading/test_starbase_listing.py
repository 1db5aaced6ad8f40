"""What a Starbase channel lists, as contracts: the same terms as the venue's own ledger has."""

import pytest

from netfeed.app.trading.starbase_listing import contracts, venue_ids
from netfeed.engine.contract import Payoff
from netfeed.sim.priced_chain import priced_chain
from netfeed.sim.starbase_chain import NANO, Instrument, definition
from netfeed.sim.terms import terms_of
from netfeed.venues.starbase import StarbaseFeed

AT_NS = 1_795_976_400 * NANO
CHAIN = priced_chain(AT_NS, 7)


def feed(chain: list[Instrument]) -> StarbaseFeed:
    one = StarbaseFeed()
    one.begin(whole=True)
    for sequence, instrument in enumerate(chain, 1):
        one.apply(definition(instrument, 5), sequence)
    return one


def test_contracts_have_the_terms_that_the_venue_books_by() -> None:
    listed = contracts(feed(CHAIN).definitions, taker_fee=0.0003)
    for contract, instrument in zip(listed, CHAIN, strict=True):
        terms = terms_of(instrument)
        assert (contract.name, contract.price_exponent, contract.quantity_exponent, contract.expiry_ns) == (
            terms.name, terms.price_exponent, terms.quantity_exponent, terms.expiry_ns,
        )  # fmt: skip
        assert contract.payoff.value == terms.payoff.value
        assert (contract.tick, contract.lot, contract.inverse) == (instrument.tick, instrument.lot, True)
        assert contract.strike == (None if instrument.strike is None else pytest.approx(instrument.strike / NANO))
        assert contract.taker_fee == 0.0003


@pytest.mark.parametrize("price", [100_000, 4_900_000, 5_000_000, 31_000_000])
def test_prices_step_as_the_venue_says(price: int) -> None:
    option = next(one for one in CHAIN if one.strike is not None)
    contract = next(one for one in contracts(feed(CHAIN).definitions) if one.name == option.name)
    assert contract.tick_at(price) == option.step(price)


def test_the_venue_is_asked_by_its_own_numbers() -> None:
    ids = venue_ids(feed(CHAIN).definitions)
    assert [ids[index] for index in sorted(ids)] == [one.id for one in CHAIN]


def test_calls_puts_futures_and_the_perpetual_are_told_apart() -> None:
    payoffs = [one.payoff for one in contracts(feed(CHAIN).definitions)]
    assert payoffs[:4] == [Payoff.PERPETUAL, Payoff.FUTURE, Payoff.CALL, Payoff.PUT]
    assert payoffs.count(Payoff.FUTURE) == 2


def test_a_definition_that_comes_again_is_the_same_contract() -> None:
    assert contracts(feed([*CHAIN, *CHAIN]).definitions) == contracts(feed(CHAIN).definitions)
