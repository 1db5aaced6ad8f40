"""The market of `tick_to_order`: a perpetual that moves with every packet, and a chain of options that are quoted.

Forty linear options of one expiry on one perpetual, on ticks of 5 dollars. Each packet moves the perpetual's bid and
ask by 15 dollars, to and fro, in one transaction of four messages: 39 of the 40 quotes change, 2 kB in three messages.
"""

from collections.abc import Iterator
from itertools import count

import numpy as np

from netfeed.book.execution import Flag
from netfeed.engine.contract import YEAR_NS, Contract, Payoff
from netfeed.engine.option import CALL, PUT, Row, price_and_greeks
from netfeed.engine.strategy import Fair
from netfeed.proto.starbase_terms import Instruments, Terms
from netfeed.wire import starbase

FORWARD, MOVES = 100_000.0, (15, 30, 15, 0, -15, -30, -15, 0)
UNIT = 10**9
TICK = 5 * UNIT
CHANNEL, GROUP = 3, 1
FLAGS = Flag.POST_ONLY | Flag.MMP
PERPETUAL, STRIKES = 0, 20
WALL_NS = 1_800_000_000 * 10**9
EXPIRY_NS = WALL_NS + 30 * YEAR_NS // 365
_BOTH = ((CALL, Payoff.CALL), (PUT, Payoff.PUT))
CONTRACTS = [Contract(PERPETUAL, "BTC-PERPETUAL", Payoff.PERPETUAL, "BTC", False, -9, 0, UNIT // 2, 1)] + [
    Contract(
        1 + 2 * number + which, f"BTC-{strike}-{payoff.name[0]}", payoff, "BTC", False, -9, 0, TICK, 1, 0.01,
        float(strike), EXPIRY_NS,
    )
    for number, strike in enumerate(range(90_500, 110_500, 1_000))
    for which, (_, payoff) in enumerate(_BOTH)
]  # fmt: skip
OPTIONS = [contract.index for contract in CONTRACTS if contract.is_option]
LISTED = Instruments(
    Terms(one.index, 1_000 + one.index, one.price_exponent, one.quantity_exponent) for one in CONTRACTS
)
VOLATILITY = 0.55


def fairs(at_ns: int = 0) -> dict[int, Fair]:
    """Give what the options are worth at FORWARD, as of a time."""
    options = CONTRACTS[1:]
    strike = np.array([one.strike for one in options])
    kind = np.array([CALL if one.payoff is Payoff.CALL else PUT for one in options], np.int8)
    values, codes = price_and_greeks(kind, FORWARD, strike, options[0].years(WALL_NS), VOLATILITY)
    if codes.any():
        raise ValueError("an option has no price")
    return {
        one.index: Fair(
            float(values[Row.PRICE][k]), FORWARD, float(values[Row.DELTA][k]), at_ns, at_ns,
            float(values[Row.GAMMA][k]), float(values[Row.VEGA][k]), float(values[Row.THETA][k]), VOLATILITY,
        )
        for k, one in enumerate(options)
    }  # fmt: skip


def packets(number: int) -> Iterator[bytes]:
    """Give the packets: books of all instruments first, a message each, then `number` moves of the perpetual."""
    ids, sequence = count(1), 1
    worths = fairs()
    for one in OPTIONS:
        away = max(200.0, worths[one].value * 0.5)
        pair = [
            _put(side, next(ids), one, max(TICK, int(price // 5) * TICK))
            for side, price in ((0, worths[one].value - away), (1, worths[one].value + away))
        ]
        yield starbase.encode_packet(sequence, pair, channel_id=CHANNEL, sending_time=sequence)
        sequence += 2
    resting: tuple[int, int] | None = None
    for turn in range(number + 1):
        middle = int(FORWARD) + (MOVES[(turn - 1) % len(MOVES)] if turn else 0)
        batch = [] if resting is None else [
            starbase.encode(24 + side, flags=1 - side, orderId=resting[side], instrumentId=1_000 + PERPETUAL)
            for side in (0, 1)
        ]  # fmt: skip
        resting = next(ids), next(ids)
        flags = ((1 if not batch else 0), 2)
        batch += [
            _put(side, resting[side], PERPETUAL, (middle * 2 + (1 if side else -1)) * UNIT // 2, flags[side])
            for side in (0, 1)
        ]
        yield starbase.encode_packet(sequence, batch, channel_id=CHANNEL, sending_time=sequence)
        sequence += len(batch)


def _put(side: int, order: int, instrument: int, price: int, flags: int = 3) -> bytes:
    return starbase.encode(
        20 + side, flags=flags, orderId=order, instrumentId=1_000 + instrument, quantity=10, price=price,
        sortOrderId=order,
    )  # fmt: skip
