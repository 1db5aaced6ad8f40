"""The end of a money world: our books held against the venue's, to the last unit.

Positions and open orders are equal. The cash of our account is what our executions come to, each rounded once as the
account says it does (10**-18 of a coin, half to even): equal to the last unit. The venue rounds otherwise (10**-24 for
a unit of quantity), so its cash is ours but for half a unit of 10**-18 an inverse trade: premiums are exact.

Starbase's reports tell no fees, so that these worlds have none.
"""

from collections import Counter
from collections.abc import Mapping

from netfeed.engine.account import Account
from netfeed.engine.contract import Contract
from netfeed.engine.engine import Engine
from netfeed.sim.exchange import Exchange
from netfeed.sim.exchange_check import check
from netfeed.sim.exchange_log import audit
from netfeed.sim.terms import MONEY
from tests.engine.money_judge import ACCOUNT, Judge

CURRENCY = "BTC"
DEPOSIT = 1_000 * MONEY


def settle(judge: Judge, engine: Engine | None, exchange: Exchange, contracts: Mapping[int, Contract]) -> list[str]:
    """Say what is different."""
    if engine is None:
        return ["nobody is there at the end"]
    account, theirs = engine.account, exchange.listed(ACCOUNT)
    wrong = []
    held = {one.instrument: one.quantity for one in theirs.positions}
    ours = {one: account.positions[one].quantity for one in account.positions if account.positions[one].quantity}
    if held != ours:
        wrong.append(f"the venue says that we hold {held}, we say {ours}")
    if theirs.orders:
        wrong.append(f"{len(theirs.orders)} orders rest at the end: {theirs.orders[0]}")
    if account.orders.open_count:
        wrong.append(f"{account.orders.open_count} orders are not over by our account")
    return [*wrong, *_money(judge, account, exchange, contracts), *check(exchange.trading), *audit(judge.steps)]


def _money(judge: Judge, account: Account, exchange: Exchange, contracts: Mapping[int, Contract]) -> list[str]:
    wrong, sums, ledger = [], account.positions.totals(CURRENCY), exchange.trading.ledger
    cash = sums.realised - sums.basis
    if cash != judge.cash():
        wrong.append(f"our cash is {cash}e-18, our executions come to {judge.cash()}e-18")
    there = ledger.accounts[ACCOUNT]
    basis = sum(one.basis for number, one in there.holdings.items() if ledger.terms[number].margined)
    flow = there.cash[CURRENCY] - DEPOSIT + there.fees.get(CURRENCY, 0) - basis
    inverse = [fill for fill in judge.fills if not contracts[fill.instrument].is_option]
    if abs(flow - cash * 10**6) > sum(10**6 // 2 + fill.quantity for fill in inverse):
        wrong.append(f"our cash is {cash}e-18, the venue's {flow}e-24")
    return wrong


def unsettled(engine: Engine | None, exchange: Exchange, ups: list[bool]) -> str:
    """Say what is still under way."""
    if engine is None:
        return "nobody is there"
    account = engine.account
    states = Counter(order.state.name for order in account.orders.open())
    findings = account.reconciled.findings if account.reconciled else None
    return (
        f"{dict(states)}, {exchange.trading.orders.count(ACCOUNT)} at the venue, agrees {account.agrees}, "
        f"suspects {account.orders.suspects}, up {ups}, findings {findings}"
    )
