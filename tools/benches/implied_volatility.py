"""The volatility that makes the price of each option of a chain of 1,000 that has all its digits.

    netfeed            no guess, one call, arrays in, into arrays that are there, on the widest vector unit
    netfeed_warm       the guess is the volatility of a moment ago, a ten-thousandth off
    netfeed_moved      the guess is one hundredth off
    netfeed_avx2, netfeed_plain   without a guess, the same source on narrower units
    netfeed_one        one Python call an option, without a guess
    pure               the plain twin: numpy, without a guess
    peer:scipy         brentq an option on the textbook's price, to 1e-12
    peer:QuantLib      blackFormulaImpliedStdDev an option, to 1e-12, from its own guess
    peer:py_vollib     an option a call (Jaeckel's method in Python)
    peer:py_vollib_vectorized   one call; see `greeks`

The options are the out-of-the-money half of each pair of call and put, twice: the price of the other says less of its
volatility than methods can find. Every row must have found the volatilities that made the prices, or it raises.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from benches import Row, peer
from benches._option_chain import Chain, Floats, chain, close, repeated, units, usable
from netfeed.engine.black_volatility import implied_volatility as twin
from netfeed.engine.option import implied_volatility, price_and_greeks, solve_one

NAME = "implied_volatility"
UNIT = "ns/option"
SAME = 1e-9


def rows(_: Path | None, quick: bool) -> list[Row]:
    options, times = chain(), 5 if quick else 60
    options = options._replace(kind=np.where(options.strike >= options.forward, 1, -1).astype(np.int8))
    prices, wanted = price_and_greeks(*options)[0][0].copy(), options.volatility
    given = (options.kind, prices, *options[1:4])

    def row(name: str, off: float | None = None, work: Callable[..., Any] = implied_volatility) -> Row:
        found, codes = np.empty(len(prices)), np.empty(len(prices), np.uint8)
        guess = None if off is None else wanted * off
        often = max(1, times // 30) if work is twin else times
        work(*given, guess=guess, volatilities=found, codes=codes)
        close(name, found, wanted, SAME)
        return name, repeated(lambda: work(*given, guess=guess, volatilities=found, codes=codes), often, len(prices))

    slow = max(1, times // 100)
    return [
        row("netfeed"), row("netfeed_warm", 1.0001), row("netfeed_moved", 1.01), *units(row),
        one(given, max(1, times // 30)), row("pure", work=twin), *scipy(options, prices, 1),
        *quantlib(options, prices, slow), *vollib(options, prices, slow), *vollib_vectorized(options, prices, slow),
    ]  # fmt: skip


def one(given: tuple[Any, ...], times: int) -> Row:
    listed = list(zip(*(column.tolist() for column in given), strict=True))

    def work() -> None:
        for option in listed:
            solve_one(*option)

    return "netfeed_one", repeated(work, times, len(listed))


# --- peers


def scipy(options: Chain, prices: Floats, times: int) -> Iterator[Row]:
    name = peer("scipy")
    if name is None:
        return
    from scipy.optimize import brentq

    listed, law = list(zip(options.listed(), prices.tolist(), strict=True)), NormalDist().cdf

    def miss(v: float, kind: int, forward: float, strike: float, years: float, price: float) -> float:
        s = v * math.sqrt(years)
        d1 = math.log(forward / strike) / s + 0.5 * s
        return kind * (forward * law(kind * d1) - strike * law(kind * (d1 - s))) - price

    def work() -> list[float]:
        return [brentq(miss, 1e-3, 10.0, (*option[:4], price), xtol=1e-12, rtol=1e-12) for option, price in listed]

    close(name, work(), options.volatility, 1e-6)
    yield name, repeated(work, times, len(listed))


def quantlib(options: Chain, prices: Floats, times: int) -> Iterator[Row]:
    name = peer("QuantLib")
    if name is None:
        return
    import QuantLib

    kinds = {1: QuantLib.Option.Call, -1: QuantLib.Option.Put}
    listed, solve = list(zip(options.listed(), prices.tolist(), strict=True)), QuantLib.blackFormulaImpliedStdDev

    def work() -> list[float]:
        return [
            solve(kinds[kind], strike, forward, price, 1.0, 0.0, QuantLib.nullDouble(), 1e-12, 1000) / years**0.5
            for (kind, forward, strike, years, _), price in listed
        ]

    if usable(name, lambda: close(name, work(), options.volatility, 1e-6)):
        yield name, repeated(work, times, len(listed))


def vollib(options: Chain, prices: Floats, times: int) -> Iterator[Row]:
    name = peer("py_vollib")
    if name is None:
        return
    from py_vollib.black.implied_volatility import implied_volatility as solve

    columns = (prices, options.forward, options.strike, options.years)
    listed = list(zip(*(column.tolist() for column in columns), options.flags(), strict=True))

    def work() -> list[float]:
        return [solve(price, F, K, 0.0, T, flag) for price, F, K, T, flag in listed]

    if usable(name, lambda: close(name, work(), options.volatility, 1e-6)):
        yield name, repeated(work, times, len(listed))


def vollib_vectorized(options: Chain, prices: Floats, times: int) -> Iterator[Row]:
    name = peer("py_vollib_vectorized")
    if name is None:
        return
    from py_vollib_vectorized import vectorized_implied_volatility_black as solve

    flags, rate = np.array(options.flags()), np.zeros(len(prices))
    _, F, K, T, v = options

    def work() -> Any:
        return solve(prices, F, K, rate, T, flags, return_as="numpy")

    if usable(name, lambda: close(name, work(), v, 1e-6)):
        yield name, repeated(work, times, len(prices))
