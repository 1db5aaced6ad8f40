"""What contracts are worth and how that moves: whole, from a forward and a curve, and in a step when the forward moved.

    worths   all options of an expiry at once, by Black; the bulk path, after a refit and now and then
    moved    one that is known, with the forward somewhere else: value + slope * d + curvature * d^2 / 2; the hot path

A step is always one from the worth that Black gave, never from one that was moved: errors do not add up. It is right to
the third order in d; `far` says where it must not be used. It keeps the choice of the surface: with Sticky.DELTA the
smile's part is in the slope (and left out of the curvature), with Sticky.STRIKE there is none (see `surface`).

For an option paid in coin everything is of its price in coin: dP/dF = net delta / F. Its second derivative is
(gamma - 2 net delta / F) / F, because the coin moves against itself.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from netfeed.engine.contract import Contract, Payoff
from netfeed.engine.forward import Forward
from netfeed.engine.option import CALL, PUT, Row, price_and_greeks
from netfeed.engine.strategy import Fair
from netfeed.engine.surface import Surface

FAR: Final = 0.005
"""A share of the forward: beyond it a step is no longer good to a tick, and the worth is computed anew."""


def worths(
    options: Sequence[Contract], surface: Surface, forward: Forward, wall_ns: int, discount: float = 1.0
) -> dict[int, Fair | None]:
    """Give what the options of one expiry are worth; None of all when their expiry has no curve."""
    expiry_ns = options[0].expiry_ns if options else None
    curve = surface.slice(expiry_ns) if expiry_ns is not None else None
    if expiry_ns is None or curve is None:
        return dict.fromkeys((contract.index for contract in options), None)
    F, inverse = forward.value, options[0].inverse
    strike = np.array([contract.strike or np.nan for contract in options])
    kind = np.array([CALL if contract.payoff is Payoff.CALL else PUT for contract in options])
    volatility = surface.volatility(expiry_ns, strike, F)
    values, _ = price_and_greeks(kind, F, strike, options[0].years(wall_ns), volatility, discount, inverse)
    smile = surface.smile(expiry_ns, strike, F) * values[Row.VEGA]
    delta = values[Row.NET_DELTA] + smile
    rows = zip(
        options, values[Row.PRICE], delta, values[Row.GAMMA], values[Row.VEGA], values[Row.THETA], volatility,
        strict=True,
    )  # fmt: skip
    return {
        contract.index: Fair(
            float(value), F, float(slope), forward.at_ns, curve.at_ns, float(gamma), float(vega), float(theta), float(v)
        ) if np.isfinite(value) else None
        for contract, value, slope, gamma, vega, theta, v in rows
    }  # fmt: skip


def of_future(forward: Forward) -> Fair:
    """Give what a future, a perpetual or a spot is worth: what it is expected to be."""
    return Fair(forward.value, forward.value, 1.0, forward.at_ns, forward.at_ns)


def moved(contract: Contract, base: Fair, forward: Forward) -> Fair:
    """Give what a contract is worth with the forward somewhere else; its other Greeks stay what they were.

    `base` is what `worths` gave.
    """
    if not contract.is_option:
        return of_future(forward)
    d = forward.value - base.forward
    slope, curvature = slopes(contract, base)
    value = max(0.0, base.value + slope * d + 0.5 * curvature * d * d)
    # net delta = F dP/dF: it moves by what P and its slope do
    delta = (slope + curvature * d) * forward.value if contract.inverse else base.delta + base.gamma * d
    return Fair(
        value, forward.value, delta, forward.at_ns, base.model_at_ns, base.gamma, base.vega, base.theta, base.volatility
    )  # fmt: skip


def slopes(contract: Contract, base: Fair) -> tuple[float, float]:
    """Give the first and the second derivative of an option's price by its forward."""
    if not contract.inverse:
        return base.delta, base.gamma
    return base.delta / base.forward, (base.gamma - 2.0 * base.delta / base.forward) / base.forward


def moved_all(contracts: Mapping[int, Contract], bases: Mapping[int, Fair], forward: Forward) -> dict[int, Fair]:
    """Move the worths of one expiry with its forward."""
    return {instrument: moved(contracts[instrument], base, forward) for instrument, base in bases.items()}


def far(base: Fair, forward: Forward) -> bool:
    """Say whether the forward has moved too far for a step."""
    return abs(forward.value - base.forward) > FAR * base.forward
