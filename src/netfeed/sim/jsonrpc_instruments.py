"""How a simulated Deribit venue describes its instruments: the answer of public/get_instruments, one by one.

Source: docs.deribit.com, public/get_instruments (API 2.1.1). The instruments are those of `starbase_chain`, so that
multicast and JSON-RPC tell of the same ones.

Units: amounts of futures in USD, of options in BTC; times in ms since 1970.
"""

from typing import Any, Final

from netfeed.sim.jsonrpc_text import number
from netfeed.sim.starbase_chain import INDEX, INDEXES, NANO, Instrument
from netfeed.wire.starbase import PRICE_EXPONENT, InstrumentFlags

CURRENCIES: Final = ("BTC", "ETH")
KINDS: Final = ("future", "option", "spot", "future_combo", "option_combo")
_NEVER_MS: Final = 32_503_708_800_000
"""The expiry of what does not expire, as the venue tells it."""
_LISTED_MS: Final = 1_735_689_600_000
_COMMISSIONS: Final = {"future": (0, 5), "option": (3, 3)}
"""Of makers and takers, in 1e-4."""


def kind(instrument: Instrument) -> str:
    """Say whether it is a future or an option."""
    return "option" if instrument.strike is not None else "future"


def settlement_period(instrument: Instrument) -> str:
    """Say how often it settles."""
    return "perpetual" if instrument.flags & InstrumentFlags.IS_PERPETUAL else "month"


def describe(instrument: Instrument) -> dict[str, Any]:
    """Describe an instrument."""
    one = kind(instrument)
    maker, taker = (number(rate, -4) for rate in _COMMISSIONS[one])
    lot = number(instrument.lot, instrument.quantity_exponent)
    steps = []
    if instrument.large_tick:
        above, tick = (number(value, PRICE_EXPONENT) for value in (instrument.threshold, instrument.large_tick))
        steps.append({"above_price": above, "tick_size": tick})
    told: dict[str, Any] = {
        "tick_size": number(instrument.tick, PRICE_EXPONENT), "tick_size_steps": steps, "taker_commission": taker,
        "settlement_period": settlement_period(instrument), "settlement_currency": "BTC",
        "quote_currency": "BTC" if one == "option" else "USD", "price_index": INDEXES[INDEX][0],
        "min_trade_amount": lot, "maker_commission": maker, "kind": one, "is_active": True, "state": "open",
        "instrument_type": "reversed", "instrument_name": instrument.name, "instrument_id": instrument.id,
        "expiration_timestamp": instrument.expiry_ns // 1_000_000 if instrument.expiry_ns else _NEVER_MS,
        "creation_timestamp": _LISTED_MS, "counter_currency": "USD", "base_currency": "BTC", "rfq": False,
        "contract_size": number(1, 0) if one == "option" else lot, "block_trade_commission": maker,
        "block_trade_min_trade_amount": number(25 if one == "option" else 200_000, 0),
        "block_trade_tick_size": number(instrument.tick, PRICE_EXPONENT),
    }  # fmt: skip
    if instrument.strike is not None:
        put = instrument.flags & InstrumentFlags.IS_PUT_OPTION
        told |= {"strike": number(instrument.strike // NANO, 0), "option_type": "put" if put else "call"}
    else:
        told |= {"max_leverage": 50, "future_type": "reversed", "max_liquidation_commission": number(75, -4)}
    return told


def currency(name: str) -> dict[str, Any]:
    """Describe a currency."""
    return {
        "currency": name, "currency_long": {"BTC": "Bitcoin", "ETH": "Ethereum"}[name], "coin_type": name,
        "decimals": 8 if name == "BTC" else 18, "fee_precision": 4 if name == "BTC" else 6, "min_confirmations": 1,
        "in_cross_collateral_pool": True, "network_currency": name,
    }  # fmt: skip
