"""Engines for a replay, built by hand: Avellaneda-Stoikov on every stock, as a configuration would make them."""

from collections.abc import Callable, Mapping
from typing import Any

from netfeed.app.trading.replay_run import Built
from netfeed.engine.account import Account
from netfeed.engine.avellaneda import AvellanedaSettings, AvellanedaStoikov
from netfeed.engine.board import Board
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.hedge import Hedge, Hedger, HedgerSettings
from netfeed.engine.hedge_band import Fixed
from netfeed.engine.journal import Record
from netfeed.engine.limits import Limits
from netfeed.engine.pricer import Pricer, PricerSettings
from netfeed.engine.quoter import Quoter, QuoterSettings, Tier
from netfeed.engine.risk import Risk
from netfeed.engine.route import Route
from netfeed.engine.router import Router
from netfeed.engine.surface import SurfaceSettings
from netfeed.engine.targets import UNNUMBERED, Abilities, Differ

LIMITS = Limits(position={None: 1_000}, order_size={None: 100}, stale_ns=1_000_000_000)
SETTINGS = AvellanedaSettings(
    gamma=0.05, kappa=50.0, sigma=0.05, horizon_s=10.0, unit=100, quantity=100, max_position=500
)  # fmt: skip


def quoting(
    contracts: Mapping[int, Contract], books: Mapping[int, Any], route: Route, record: Callable[[Record], None]
) -> Built:
    """Build an engine that quotes everything."""
    account, board = Account(contracts), Board(contracts.values())
    for instrument, book in books.items():
        board.set_book(instrument, book)
    desks = [
        Desk(AvellanedaStoikov(one, SETTINGS), [one], Gate(GateSettings()), Differ(Abilities(), lambda: UNNUMBERED))
        for one in contracts
    ]
    engine = Engine(
        account, board, Risk(account, LIMITS), Router(account, [route]), Pricer(contracts.values()), ClientIds(1),
        desks=desks, record=record,
    )  # fmt: skip
    return Built(engine)


def chain(
    contracts: Mapping[int, Contract], books: Mapping[int, Any], route: Route, record: Callable[[Record], None]
) -> Built:
    """Build an engine that quotes all options in mass quotes and hedges their delta in the perpetual, as a taker."""
    account, board = Account(contracts), Board(contracts.values())
    for instrument, book in books.items():
        board.set_book(instrument, book)
    options = [index for index, one in contracts.items() if one.is_option]
    perpetual = next(index for index, one in contracts.items() if one.payoff is Payoff.PERPETUAL)
    gate = Gate(GateSettings(settle_ns=50_000_000), dict.fromkeys(options, perpetual))
    quoter = Quoter(options, QuoterSettings((Tier(1.0, 20),), half_ticks=1.0, requote_ticks=2, max_position=200))
    hedger = Hedger("BTC", [Hedge(perpetual, 10**9, 50_000)], Fixed(0.05), HedgerSettings(through_ticks=20))
    loose = SurfaceSettings(max_off=1.0, max_misfit=1e9)  # the chain of the capture is worth no Black price
    engine = Engine(
        account, board, Risk(account, Limits()), Router(account, [route]),
        Pricer(contracts.values(), PricerSettings(refit_ns=200_000_000, surface=loose)), ClientIds(1),
        desks=[Desk(quoter, options, gate, Differ(Abilities(quotes=15), lambda: UNNUMBERED, lambda _: 1))],
        hedging=[
            Desk(hedger, [perpetual], Gate(GateSettings(needs_worth=False, settle_ns=0)),
                 Differ(Abilities(mass_quotes=False), lambda: UNNUMBERED))
        ],
        record=record,
    )  # fmt: skip
    return Built(engine, [perpetual])
