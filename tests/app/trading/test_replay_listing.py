"""Contracts from what a capture lists itself."""

from pathlib import Path

from netfeed.app.engine_configuration import Fees
from netfeed.app.replay import Options
from netfeed.app.trading.replay_listing import listing
from netfeed.engine.contract import Payoff

PCAPS = Path(__file__).resolve().parents[3] / "pcaps"


def test_stocks_are_spot_in_cents_and_below_a_dollar_in_hundredths() -> None:
    listed = listing(Options([str(PCAPS / "itch-ab.pcap")]), Fees(maker=-0.0001, taker=0.0003))
    first = listed.contracts[0]
    assert (len(listed.contracts), listed.left_out, first.name, first.payoff) == (12, 0, "AAA", Payoff.SPOT)
    assert (first.price_exponent, first.tick_at(10_000), first.tick_at(9_999), first.lot) == (-4, 100, 1, 1)
    assert (first.maker_fee, first.taker_fee) == (-0.0001, 0.0003)


def test_a_starbase_channel_lists_its_chain() -> None:
    listed = listing(Options([str(PCAPS / "starbase.pcap")]), Fees())
    kinds = [contract.payoff for contract in listed.contracts.values()]
    assert (kinds.count(Payoff.CALL), kinds.count(Payoff.PUT), kinds[:2]) == (10, 10, [Payoff.PERPETUAL, Payoff.FUTURE])


def test_only_what_is_asked_for_is_listed() -> None:
    options = Options([str(PCAPS / "starbase.pcap")], instruments=["BTC-27MAR26-9*"])
    assert {contract.name[:13] for contract in listing(options, Fees()).contracts.values()} == {"BTC-27MAR26-9"}


def test_what_has_no_definition_is_counted_and_not_traded() -> None:
    listed = listing(Options([str(PCAPS / "starbase-late.pcapng")]), Fees())
    assert listed.left_out + len(listed.contracts) == 22
