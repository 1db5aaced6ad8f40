"""What sessions say of margins reaches risk by venue and currency, and is forgotten with the last that said it."""

from decimal import Decimal

import pytest

from netfeed.app.configuration import Session
from netfeed.app.trading.margins import Margins
from netfeed.venues.deribit_order_words import Portfolio


class Told:
    """Margins of two sessions to one venue and one to another, and what risk was told of them last."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[int | None, int]] = {}
        sessions = [
            Session(name=name, venue=venue, protocol="deribit", endpoints=["ws://192.0.2.1:80/"], key="k",
                    portfolios=["btc"])
            for name, venue in (("a", "x"), ("b", "x"), ("c", "y"))
        ]  # fmt: skip
        self.margins = Margins(sessions, self._take)

    def _take(self, used: int | None, equity: int, of: str, now: int) -> None:
        self.known[of] = (used, equity)

    def say(self, number: int, used: str, equity: str) -> None:
        nothing = Decimal(0)
        self.margins.take(
            number, "BTC", Portfolio("BTC", Decimal(equity), nothing, nothing, Decimal(used), nothing), 0
        )  # fmt: skip


def test_all_that_shall_be_told_is_unknown_at_first() -> None:
    told = Told()
    told.margins.begin(0)
    assert told.known == {"x BTC": (None, 0), "y BTC": (None, 0)}


def test_what_is_told_is_rounded_to_the_worse_and_forgotten_with_the_last_that_told_it() -> None:
    told = Told()
    told.say(1, "0.0000000000001", "1.0000000000009")
    assert told.known == {"x BTC": (1, 10**12)}
    told.say(2, "0.5", "2")
    told.margins.take(2, "BTC", None, 0)
    assert told.known == {"x BTC": (5 * 10**11, 2 * 10**12)}
    told.margins.take(1, "BTC", None, 0)
    assert told.known == {"x BTC": (None, 0)}


@pytest.mark.parametrize(("used", "equity"), [("NaN", "1"), ("1", "Infinity"), ("1E+999999", "1"), ("1", "-1E+15")])
def test_what_is_no_amount_of_money_is_not_believed(used: str, equity: str) -> None:
    told = Told()
    told.say(3, used, equity)
    assert told.known == {"y BTC": (None, 0)}
