"""Option maths: prices, Greeks and implied volatilities in bulk, with the words that belong to them."""

from netfeed.engine.black import price_and_greeks
from netfeed.engine.black_volatility import implied_volatility
from netfeed.engine.black_words import CALL, PUT, ROWS, Code, Row

__all__ = ["CALL", "PUT", "ROWS", "Code", "Row", "implied_volatility", "price_and_greeks"]
