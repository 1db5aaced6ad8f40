"""What a replay with an engine comes to, as one JSON object: the model and what it assumes stand first.

Money is decimal text in 10**-18 of its currency, quantities in the instrument's; a mark-out is what the mid did with so
many fills until so long after them.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import netfeed
from netfeed.app.replay import Replay
from netfeed.engine.contract import Contract
from netfeed.engine.position import CASH_EXPONENT
from netfeed.sim.fill_ledger import FillLedger
from netfeed.sim.fill_model import FillModel
from netfeed.units import decimal_text

Json = dict[str, Any]


def summary(
    replay: Replay, contracts: Mapping[int, Contract], model: FillModel, ledger: FillLedger, *, seed: int,
    counters: Mapping[str, int], ready: str, journal: str | None = None,
) -> Json:  # fmt: skip
    """Give the whole summary. `ready`: why the engine did not quote at the end, empty when it did."""
    counted = model.statistics()
    return {
        "netfeed": netfeed.__version__,
        "build": netfeed.BUILD,
        "files": list(replay.options.files),
        "model": {"seed": seed, "assumptions": list(model.assumptions)},
        "first_ns": replay.tally.first_ns,
        "last_ns": replay.tally.last_ns,
        "packets": replay.tally.packets,
        **asdict(counted),
        "instruments": [_instrument(contracts[index], ledger) for index in sorted(ledger.traffic)],
        "money": [_money(currency, ledger) for currency in sorted(ledger.sources)],
        "open_mark_outs": ledger.open_mark_outs,
        "fees_unknown": ledger.positions.fees_unknown,
        "engine": {"ready": ready, "counters": dict(sorted(counters.items()))},
        "journal": journal,
        "elapsed_ns": replay.elapsed_ns,
    }


def cash(amount: int) -> str:
    """Write money, exact, without zeros at its end."""
    text = decimal_text(amount, CASH_EXPONENT)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _instrument(contract: Contract, ledger: FillLedger) -> Json:
    traffic, holding = ledger.traffic[contract.index], ledger.positions[contract.index]

    def size(quantity: int) -> str:
        return decimal_text(quantity, contract.quantity_exponent)

    return {
        "instrument": contract.name,
        "currency": ledger.currency(contract.index),
        "fills": traffic.fills,
        "maker_fills": traffic.maker,
        "bought": size(traffic.bought),
        "sold": size(traffic.sold),
        "position": size(holding.quantity),
        "realised": cash(holding.realised),
        "unrealised": cash(holding.unrealised),
        "fees": cash(holding.fees),
        "net": cash(holding.net),
    }


def _money(currency: str, ledger: FillLedger) -> Json:
    sources, totals = ledger.sources[currency], ledger.positions.totals(currency)
    return {
        "currency": currency,
        "net": cash(totals.net),
        "spread": cash(sources.spread),
        "hedging": cash(sources.hedging),
        "inventory": cash(ledger.inventory(currency)),
        "fees": cash(totals.fees),
        "fills_without_mid": sources.without_mid,
        "mark_outs": [
            {"after_ns": after, "fills": found.fills, "brought": cash(found.brought)}
            for after, found in sources.mark_outs.items()
        ],
    }
