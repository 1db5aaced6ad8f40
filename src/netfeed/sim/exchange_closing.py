"""How positions end at a simulated exchange without their owner asking: liquidation and expiry.

A liquidation cancels all orders of an account that cannot keep what it holds, then sells or buys what it holds, one
instrument after another, the largest first, against what rests within the price band, until what is left can be kept.
What nobody takes is tried again when the index moves. An account that holds nothing any more and still owes is
rescued by the venue's fund.

An expiry cancels the orders of the instrument, pays what it is worth at the index, and tells that it was delivered.
"""

from netfeed.book.execution import Cause, TimeInForce
from netfeed.sim.exchange_orders import Live
from netfeed.sim.exchange_rules import band
from netfeed.sim.exchange_trading import Outcome, Trading, remove_all
from netfeed.sim.ledger import FUND
from netfeed.sim.margin import maintenance
from netfeed.sim.matching import ASK, BID
from netfeed.wire.starbase import InstrumentStatus, TemplateId


def liquidate(trading: Trading, outcome: Outcome) -> list[str]:
    """Liquidate every account that has to be; name them."""
    done = []
    for account in trading.permits:
        currencies = dict.fromkeys(of.currency for of in trading.ledger.terms.values())
        for currency in currencies:
            if _fails(trading, account, currency):
                done.append(account)
                mine = trading.orders.of(account)
                remove_all(trading, outcome, mine, Cause.LIQUIDATION, "liquidation")
                _close(trading, outcome, account, currency)
            trading.ledger.rescue(account, currency)
    return done


def expire(trading: Trading, outcome: Outcome, at_ns: int) -> None:
    """End every instrument that expires at that time, or has. Units: ns since 1970."""
    ledger = trading.ledger
    for number, terms in ledger.terms.items():
        if terms.expiry_ns is None or terms.expiry_ns > at_ns or number in ledger.ended:
            continue
        gone = [live for live in trading.orders if live.instrument == number]
        remove_all(trading, outcome, gone, Cause.VENUE, "instrument_expired")
        ledger.expire(number, trading.index)
        trading.markets[number].halted = True
        fields = {"instrumentId": number, "tradingStatus": int(InstrumentStatus.DELIVERED)}
        outcome.told.append((TemplateId.INSTRUMENT_STATUS_UPDATE, fields))


def _fails(trading: Trading, account: str, currency: str) -> bool:
    """Say whether an account cannot keep what it holds."""
    ledger = trading.ledger
    held = ledger.accounts[account]
    if account == FUND or not any(holding.quantity for holding in held.holdings.values()):
        return False
    need = maintenance(held, ledger, trading.valued, currency)
    return ledger.equity(account, trading.valued.units, currency) < need


def _close(trading: Trading, outcome: Outcome, account: str, currency: str) -> None:
    ledger = trading.ledger
    held = ledger.accounts[account].holdings
    sizes = {
        number: abs(holding.quantity) * ledger.terms[number].notional(trading.index)
        for number, holding in held.items()
        if holding.quantity and ledger.terms[number].currency == currency
    }
    for number in sorted(sizes, key=lambda number: (-sizes[number], number)):
        if not _fails(trading, account, currency):
            return
        if not trading.markets[number].halted:
            _force(trading, outcome, account, number, held[number].quantity)


def _force(trading: Trading, outcome: Outcome, account: str, instrument: int, quantity: int) -> None:
    """Take so much off an account, as far as the book goes within the band."""
    side = ASK if quantity > 0 else BID
    market = trading.markets[instrument]
    low, high = band(market.instrument, trading.marks[instrument], trading.band)
    live = Live(
        trading.next_order(), account, 0, 0, instrument, side, low if side == ASK else high, abs(quantity),
        trading.next_sort(), time_in_force=TimeInForce.IOC,
    )  # fmt: skip
    trading.orders.add(live)
    trading.enter(outcome, live, forced=True)
