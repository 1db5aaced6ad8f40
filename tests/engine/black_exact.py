"""What option maths must say: a table of values of 17 digits, and the formula in numbers of 60 digits (mpmath).

The table was written by `exact` here, so that it does not change with mpmath.
"""

import random
from functools import cache
from typing import Any

Option = tuple[int, float, float, float, float, float]
"""kind, forward, strike, years, volatility, discount."""

ROWS = ("price", "delta", "gamma", "vega", "theta", "net_delta", "vanna", "volga")
"""The values, of an inverse option: its price is here still in the quote currency."""

TRUTH: list[tuple[Option, tuple[float, ...]]] = [
    ((1, 60000.0, 65000.0, 0.1, 0.5, 1.0), (
        1.9310676880256571e+3, 3.3462499088989252e-1, 3.8385184445550655e-5, 6.9093332001991183e+3,
        -1.7273333000497795e+4, 3.0244052942279823e-1, 4.262722683767246e-1, 3.454989985476525e+3,
    )),
    ((-1, 60000.0, 65000.0, 0.1, 0.5, 0.97), (
        6.7231356573848872e+3, -6.4541375883680424e-1, 3.7233628912184134e-5, 6.7020532041931446e+3,
        -1.4707319171121572e+4, -7.5746601979321903e-1, 4.1348410032542285e-1, 3.3513402859122292e+3,
    )),
    ((1, 3000.0, 3000.0, 0.00273972602739726, 0.6, 1.0), (
        3.7585323384386369e+1, 5.0626422056406439e-1, 4.2338010841572582e-3, 6.2637057135477234e+1,
        -6.8587577563347578e+3, 4.9373577943593561e-1, 1.0439509522579539e-2, -2.5741256357045434e-2,
    )),
    ((-1, 100.0, 55.0, 0.25, 0.8, 0.99), (
        8.5886023089712171e-1, -4.4625611476832553e-2, 2.3491770658460975e-3, 4.6983541316921953,
        -7.4828392756205854, -5.321421378580377e-2, -1.5206135075270397e-1, 1.2884101240632658e+1,
    )),
    ((1, 100.0, 2000.0, 2.0, 1.2, 1.0), (
        9.0097039065590021, 1.7964363440785606e-1, 1.5442833256077782e-3, 3.7062799814586676e+1,
        -1.1118839944376003e+1, 8.9546595342266035e-2, 5.7083561557580904e-1, 7.4005615837112123e+1,
    )),
    ((1, 100.0, 130.0, 0.01, 0.08, 1.0), (
        9.4639042296006535e-238, 3.887339826771421e-236, 1.5948770002830428e-234, 1.2759016002264343e-233,
        -5.1036064009057371e-233, 3.8863934363484609e-236, 5.2311220894923511e-232, 1.7153651293030523e-229,
    )),
    ((-1, 100.0, 99.9, 1e-06, 0.3, 1.0), (
        3.3392625502127092e-6, -4.2626528946865595e-4, 5.1098654868155172e-2, 1.532959646044655e-4,
        -2.2994394690669826e+1, -4.2629868209415807e-4, -1.7040640600595708e-2, 5.6833111447330562e-3,
    )),
    ((-1, 8591.0, 8281.0, 5e-06, 0.5, 0.92), (
        7.4069800490789233e-238, -2.5395394742295889e-237, 8.699286007655646e-237, 1.6051331207359829e-234,
        -8.0244303918521705e-230, -2.5396256921326163e-237, -5.4931813834465409e-234, 3.4687982467685973e-231,
    )),
    ((1, 1.0, 1.0, 1.0, 0.0001, 1.0), (
        3.9894228023520675e-5, 5.0001994711401176e-1, 3.9894227990275481e+3, 3.9894227990275483e-1,
        -1.9947113995137742e-5, 4.9998005288598824e-1, 1.9947113995137741e-1, -9.9735569975688712e-6,
    )),
    ((-1, 100.0, 90.0, 4.0, 2.5, 0.8), (
        7.1057607906871133e+1, -4.6799150177535992e-3, 2.6600183132092695e-5, 2.6600183132092695,
        3.1327560211800762, -7.1525599408646493e-1, 1.3187987205590752e-2, -6.6495733280941701,
    )),
]  # fmt: skip


def exact(option: Option) -> list[Any]:
    """Give the values of an option by the textbook, in numbers of mpmath."""
    import mpmath

    with mpmath.workdps(60):
        number, root = mpmath.mpf, mpmath.sqrt
        kind, (F, K, T, v, D) = option[0], (number(value) for value in option[1:])
        s, x = v * root(T), mpmath.log(F / K)
        d1, d2 = x / s + s / 2, x / s - s / 2
        law = [mpmath.erfc(-kind * d / root(2)) / 2 for d in (d1, d2)]
        density = D * mpmath.exp(-d1 * d1 / 2) / root(2 * mpmath.pi)
        price, delta, vega = D * kind * (F * law[0] - K * law[1]), D * kind * law[0], F * density * root(T)
        theta = -F * density * v / (2 * root(T)) - mpmath.log(D) / T * price
        return [
            price, delta, density / (F * s), vega, theta, delta - price / F, -density * d2 / v, vega * d1 * d2 / v,
        ]  # fmt: skip


def scales(option: Option, values: list[Any]) -> list[float]:
    """Give what the error of each value is a share of: itself, and for what passes through 0 what its terms are."""
    import mpmath

    _, F, K, T, v, _ = option
    s = mpmath.mpf(v) * mpmath.sqrt(T)
    d = abs(mpmath.log(mpmath.mpf(F) / K) / s) + s / 2
    found = [abs(value) for value in values]
    found[4] = max(found[4], values[3] * v / (2 * T))
    found[6] = max(found[6], values[3] / (F * s) * d)
    found[7] = max(found[7], values[3] / v * d)
    return found


@cache
def exactly(count: int, seed: int) -> list[tuple[Option, list[Any], list[float]]]:
    """Give drawn options, with their exact values and the scales of their errors."""
    drawn = [(option, exact(option)) for option in options(count, seed)]
    return [(option, values, [float(scale) for scale in scales(option, values)]) for option, values in drawn]


def options(count: int, seed: int) -> list[Option]:
    """Draw options of the stated grid: |log(K/F)| <= 3, volatility * sqrt(years) from 1e-4 to 5, price above 1e-300.

    A third anywhere, a third near the money, a third out to where the price is nearly nothing.
    """
    chance, found = random.Random(seed), []
    while len(found) < count:
        s, years, forward = 10 ** chance.uniform(-4, 0.69897), 10 ** chance.uniform(-6, 1), 10 ** chance.uniform(-2, 5)
        reach = chance.choice([3.0, 3.0 * s, 37.0 * s])
        log = chance.uniform(-reach, reach)
        discount = chance.choice([1.0, chance.uniform(0.7, 1.0)])
        option = (chance.choice([1, -1]), forward, forward * 2.718281828459045**log, years, s / years**0.5, discount)
        if abs(log) <= 3 and exact(option)[0] > 1e-300 * forward:
            found.append(option)
    return found
