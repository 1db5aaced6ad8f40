"""Option maths: prices, Greeks and implied volatilities, in bulk and one at a time, with their words."""

from typing import TYPE_CHECKING

from netfeed.build import select
from netfeed.engine.black_words import CALL, PUT, ROWS, Code, Row

if TYPE_CHECKING:
    from netfeed.engine.black import price_and_greeks, price_one
    from netfeed.engine.black_volatility import implied_volatility, solve_one
else:
    price_and_greeks = select("option", "netfeed.engine.black", "price_and_greeks")
    price_one = select("option", "netfeed.engine.black", "price_one")
    implied_volatility = select("option", "netfeed.engine.black_volatility", "implied_volatility")
    solve_one = select("option", "netfeed.engine.black_volatility", "solve_one")

__all__ = [
    "CALL", "PUT", "ROWS", "Code", "Row", "implied_volatility", "price_and_greeks", "price_one", "solve_one",
]  # fmt: skip
