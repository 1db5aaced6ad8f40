"""The price and four Greeks (delta, gamma, vega, theta) of each option of a chain of 1,000.

    netfeed            one call, arrays in, into arrays that are there, on the widest vector unit of the machine
    netfeed_all        all eight values: net delta, vanna, volga besides
    netfeed_avx2, netfeed_plain   the same source on narrower units
    netfeed_one        one Python call an option, all eight values
    pure               the plain twin: numpy, five values
    peer:scipy         the textbook in numpy, with the normal law of scipy.special (which loses the digits of the wings)
    peer:QuantLib      a BlackCalculator an option, and its five methods
    peer:py_vollib     five calls an option
    peer:py_vollib_vectorized   its prices and all its Greeks, in two calls; once imported, it replaces py_vollib in the
                       whole process, so a bench that is to measure py_vollib too must run alone

Every row must have found the prices and the vegas of the netfeed row, or it raises.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benches import Row, peer
from benches._option_chain import Chain, Floats, chain, close, repeated, units, usable
from netfeed.engine.black import price_and_greeks as twin
from netfeed.engine.option import ROWS, price_and_greeks, price_one
from netfeed.engine.option import Row as Value

NAME = "greeks"
UNIT = "ns/option"
FIVE, SAME = 5, 1e-8


def rows(_: Path | None, quick: bool) -> list[Row]:
    options, times = chain(), 5 if quick else 100
    wanted = price_and_greeks(*options)[0]

    def row(name: str, count: int = FIVE, work: Callable[..., Any] = price_and_greeks, often: int = times) -> Row:
        values, codes = np.empty((count, len(options.kind))), np.empty(len(options.kind), np.uint8)
        work(*options, values=values, codes=codes)
        compare(name, values, wanted)
        return name, repeated(lambda: work(*options, values=values, codes=codes), often, len(codes))

    found = [row("netfeed"), row("netfeed_all", ROWS), *units(row), one(options, max(1, times // 30))]
    found.append(row("pure", work=twin, often=max(1, times // 30)))
    slow = max(1, times // 100)
    return [
        *found, *scipy(options, wanted, times // 5), *quantlib(options, wanted, slow), *vollib(options, wanted, slow),
        *vollib_vectorized(options, wanted, slow),
    ]  # fmt: skip


def compare(name: str, values: Any, wanted: Floats) -> None:
    for row in (Value.PRICE, Value.VEGA):
        close(name, values[row], wanted[row], SAME)


def one(options: Chain, times: int) -> Row:
    listed = options.listed()

    def work() -> None:
        for option in listed:
            price_one(*option)

    return "netfeed_one", repeated(work, times, len(listed))


# --- peers


def scipy(options: Chain, wanted: Floats, times: int) -> Iterator[Row]:
    name = peer("scipy")
    if name is None:
        return
    from scipy.special import ndtr

    kind, F, K, T, v = options
    sign, root_two_pi = kind.astype(np.float64), np.sqrt(2 * np.pi)

    def work() -> list[Floats]:
        root = np.sqrt(T)
        s = v * root
        d1 = np.log(F / K) / s + 0.5 * s
        law, density = ndtr(sign * d1), np.exp(-0.5 * d1 * d1) / root_two_pi
        price = sign * (F * law - K * ndtr(sign * (d1 - s)))
        return [price, sign * law, density / (F * s), F * density * root, -0.5 * F * density * v / root]

    compare(name, work(), wanted)
    yield name, repeated(work, max(1, times), len(kind))


def quantlib(options: Chain, wanted: Floats, times: int) -> Iterator[Row]:
    name = peer("QuantLib")
    if name is None:
        return
    import QuantLib

    listed, kinds = options.listed(), {1: QuantLib.Option.Call, -1: QuantLib.Option.Put}

    def work() -> list[tuple[float, ...]]:
        found: list[tuple[float, ...]] = []
        for kind, forward, strike, years, volatility in listed:
            payoff = QuantLib.PlainVanillaPayoff(kinds[kind], strike)
            of = QuantLib.BlackCalculator(payoff, forward, volatility * years**0.5, 1.0)
            found.append((of.value(), of.deltaForward(), of.gammaForward(), of.vega(years), of.theta(forward, years)))
        return found

    compare(name, np.array(work()).T, wanted)
    yield name, repeated(work, times, len(listed))


def vollib(options: Chain, wanted: Floats, times: int) -> Iterator[Row]:
    name = peer("py_vollib")
    if name is None:
        return
    from py_vollib.black import black
    from py_vollib.black.greeks.analytical import delta, gamma, theta, vega

    listed = list(zip(options.flags(), *(column.tolist() for column in options[1:]), strict=True))

    def work() -> list[tuple[float, ...]]:
        found = []
        for flag, F, K, T, v in listed:
            greeks = (greek(flag, F, K, T, 0.0, v) for greek in (delta, gamma, vega, theta))
            found.append((black(flag, F, K, T, 0.0, v), *greeks))
        return found

    def checked() -> None:
        values = np.array(work()).T
        values[Value.VEGA] *= 100.0  # it tells vega a point
        compare(name, values, wanted)

    if usable(name, checked):
        yield name, repeated(work, times, len(listed))


def vollib_vectorized(options: Chain, wanted: Floats, times: int) -> Iterator[Row]:
    name = peer("py_vollib_vectorized")
    if name is None:
        return
    from py_vollib_vectorized import get_all_greeks, vectorized_black

    flags, rate = np.array(options.flags()), np.zeros(len(options.kind))
    _, F, K, T, v = options

    def work() -> tuple[Any, Any]:
        prices = vectorized_black(flags, F, K, T, rate, v, return_as="numpy")
        return prices, get_all_greeks(flags, F, K, T, rate, v, model="black", return_as="dict")

    if usable(name, lambda: close(name, work()[0], wanted[Value.PRICE], SAME)):
        yield name, repeated(work, times, len(flags))
