"""Engines for a replay, built by hand: Avellaneda-Stoikov on every stock, as a configuration would make them."""

from collections.abc import Callable, Mapping
from typing import Any

from netfeed.app.trading.replay_run import Built
from netfeed.engine.account import Account
from netfeed.engine.avellaneda import AvellanedaSettings, AvellanedaStoikov
from netfeed.engine.board import Board
from netfeed.engine.client_ids import ClientIds
from netfeed.engine.contract import Contract
from netfeed.engine.desk import Desk
from netfeed.engine.engine import Engine
from netfeed.engine.gate import Gate, GateSettings
from netfeed.engine.journal import Record
from netfeed.engine.limits import Limits
from netfeed.engine.pricer import Pricer
from netfeed.engine.risk import Risk
from netfeed.engine.route import Route
from netfeed.engine.router import Router
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
